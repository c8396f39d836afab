// Artifacts that go with the data of a run: what it alone has written, by the entries that allowed each write, once none
// of its payloads is left. What another run or a person has written too stays until that is asked for as well.
import { parseEntry } from '../../audit/entry.js';
import { WritError } from '../../errors.js';
import { isDigest, type Digest } from '../../json.js';
import { commitmentsOfRun, erasableRun } from './erasure.js';
import type { Guard } from '../guard-parts.js';
import type { ErasureTarget } from '../writ.js';
import type { WrittenArtifact } from './written-artifact.js';

/** Sorted by run and digest; empty for a run of which something is left, and for what is gone already. */
export async function artifactsGoing(
  guard: Guard,
  runs: ReadonlySet<string>,
  targets: readonly ErasureTarget[],
): Promise<readonly WrittenArtifact[]> {
  const going = new Set<string>(targets.map((one) => one.commitment));
  const found: WrittenArtifact[] = [];
  for (const run of [...runs].sort()) {
    const left = await payloadsOf(guard, run);
    if (left.some((commitment) => !going.has(commitment))) continue;
    for (const one of await writtenBy(guard, run)) {
      const named = await Promise.all(one.names.map((name) => guard.artifacts.find(name)));
      const isThere = named.some((name) => name?.digest === one.digest);
      if (isThere || (await guard.artifacts.has(one.digest))) found.push(one);
    }
  }
  return found;
}

/**
 * Takes them away; `kept`: those that somebody else has written too. What the caller names is looked up again: only what the run
 * wrote, and only when none of its payloads is left. Twice is once.
 */
export async function eraseArtifacts(
  guard: Guard,
  artifacts: readonly WrittenArtifact[],
): Promise<{ readonly erased: readonly Digest[]; readonly kept: readonly Digest[] }> {
  const erased = new Set<Digest>();
  const kept = new Set<Digest>();
  const own = artifacts.length === 0 ? new Set<string>() : await writtenByPeople(guard);
  for (const { run, digest } of artifacts) {
    await erasableRun(guard, run);
    const written = (await writtenBy(guard, run)).find((one) => one.digest === digest);
    if (written === undefined || (await payloadsOf(guard, run)).length > 0) {
      throw new WritError('POLICY_REQUEST_INVALID', `run ${run} keeps data, or has not written ${digest}`);
    }
    const isGone = !own.has(digest) && (await guard.artifacts.remove(digest, written.names));
    (isGone ? erased : kept).add(digest);
  }
  for (const digest of erased) kept.delete(digest);
  return { erased: [...erased].sort(), kept: [...kept].sort() };
}

async function writtenBy(guard: Guard, run: string): Promise<readonly WrittenArtifact[]> {
  const names = new Map<Digest, Set<string>>();
  for (const { bytes } of await guard.store.entriesOfRun(run)) add(names, bytes);
  return Array.from(names, ([digest, own]) => ({ digest, run, names: [...own].sort() })).sort((a, b) =>
    a.digest < b.digest ? -1 : 1,
  );
}

/** What people put there stands in the log's own chain. */
async function writtenByPeople(guard: Guard): Promise<ReadonlySet<string>> {
  const names = new Map<Digest, Set<string>>();
  for (const { bytes } of await guard.store.ownEntries('authz.decided', Number.MAX_SAFE_INTEGER)) {
    add(names, bytes);
  }
  return new Set(names.keys());
}

function add(names: Map<Digest, Set<string>>, bytes: Uint8Array): void {
  const { type, data } = parseEntry(bytes);
  if (type !== 'authz.decided' || data['action'] !== 'artifact.write' || data['verdict'] !== 'allow') return;
  const { digest, resource } = data;
  if (typeof digest !== 'string' || !isDigest(digest) || typeof resource !== 'string') return;
  const own = names.get(digest) ?? new Set();
  names.set(digest, resource === digest ? own : own.add(resource));
}

/** Those that are left. */
async function payloadsOf(guard: Guard, run: string): Promise<readonly string[]> {
  const left: string[] = [];
  for (const commitment of await commitmentsOfRun(guard, run)) {
    const payload = await guard.store.payload(commitment);
    if (payload?.erasedBy === null) left.push(commitment);
  }
  return left;
}
