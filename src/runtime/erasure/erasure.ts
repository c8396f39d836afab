// What an erasure is about, settled before anybody is asked to approve it: which payloads of which finished runs, on
// what basis. The list is the input of the erasing run, so people approve exactly these payloads and no others.
import { parseEntry } from '../../audit/entry.js';
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import { isList, isHex64, isObject, type Commitment, type Json } from '../../json.js';
import type { Guard } from '../guard-parts.js';
import { notFound } from '../not-found.js';
import type { RunHead, RunRecord, StoredPayload } from '../ports.js';
import { isFinished } from '../run/state.js';
import type { ErasedBefore, ErasureTarget } from '../writ.js';
import { parseWritten, type WrittenArtifact } from './written-artifact.js';

/** What to erase: single payloads, those of a run (with one label), or of every run older than the retention. */
export type EraseWhat =
  | { readonly kind: 'payloads'; readonly commitments: readonly string[] }
  | { readonly kind: 'run'; readonly run: string; readonly label: string | null }
  | { readonly kind: 'expired'; readonly beforeMs: number };

/** Sorted by commitment. */
export interface ErasurePlan {
  readonly targets: readonly ErasureTarget[];
  readonly before: readonly ErasedBefore[];
  /** True when more payloads have expired than one erasure takes. */
  readonly more: boolean;
}

const MAX_BASIS_CHARACTERS = 500;
/** Payloads of one erasure: people have to be able to look at the list. */
export const MAX_TARGETS = 1_000;

/**
 * Reads only. Throws USAGE (malformed commitment, too many), NOT_FOUND (unknown payload or run, also of another tenant),
 * RUN_UNFINISHED, AUDIT_ERASED_UNLOGGED.
 */
export async function planErasure(guard: Guard, what: EraseWhat): Promise<ErasurePlan> {
  const found = await payloadsOf(guard, what);
  const targets: ErasureTarget[] = [];
  const before: ErasedBefore[] = [];
  for (const { commitment, label, run, erasedBy } of found) {
    if (erasedBy === null) targets.push({ commitment, label, run });
    else before.push({ commitment, label, run, entry: erasedBy, erasure: await erasureAt(guard, erasedBy) });
  }
  const more = targets.length > MAX_TARGETS;
  if (more && what.kind !== 'expired') {
    throw new WritError(
      'USAGE',
      `${targets.length} payloads are more than the ${MAX_TARGETS} one erasure takes`,
      {
        hint: 'erase them in several goes, by --label or by --payload',
      },
    );
  }
  return { targets: targets.slice(0, MAX_TARGETS), before, more };
}

/** The basis stands in the log for ever, readable by everybody who reads it. Throws USAGE for an empty, long or unprintable basis. */
export function checkBasis(basis: string, what = 'basis'): void {
  const problem =
    basis.trim() === ''
      ? 'is empty'
      : basis.length > MAX_BASIS_CHARACTERS
        ? `has ${basis.length} characters, the limit is ${MAX_BASIS_CHARACTERS}`
        : /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(basis)
          ? 'holds control characters'
          : null;
  if (problem === null) return;
  throw new WritError('USAGE', `the ${what} ${problem}`, {
    hint: 'one line that names a rule or a case, and no person: it stays in the log for ever',
  });
}

/** The input of the erasing run: what is approved, and what the function gets. */
export function erasureInput(
  targets: readonly ErasureTarget[],
  artifacts: readonly WrittenArtifact[],
  basis: string,
): Json {
  return {
    basis,
    payloads: targets.map(({ commitment, label, run }) => ({ commitment, label, run })),
    ...(artifacts.length === 0
      ? {}
      : { artifacts: artifacts.map((one) => ({ ...one, names: [...one.names] })) }),
  };
}

/** Null when it is none; the run's input is stored data of our own, but read as if it came from outside. */
export function parseErasureInput(input: Json): {
  readonly basis: string;
  readonly targets: readonly ErasureTarget[];
  readonly artifacts: readonly WrittenArtifact[];
} | null {
  if (!isObject(input) || typeof input['basis'] !== 'string' || !isList(input['payloads'])) return null;
  const targets: ErasureTarget[] = [];
  for (const one of input['payloads']) {
    if (!isObject(one)) return null;
    const { commitment, label, run } = one;
    if (typeof commitment !== 'string' || !isHex64(commitment)) return null;
    if (typeof label !== 'string' || typeof run !== 'string') return null;
    targets.push({ commitment, label, run });
  }
  const artifacts = parseWritten(input['artifacts']);
  if (artifacts === null || targets.length + artifacts.length === 0 || targets.length > MAX_TARGETS)
    return null;
  return { basis: input['basis'], targets, artifacts };
}

/** The run whose payloads go: known here, of this tenant, finished. Throws NOT_FOUND, RUN_UNFINISHED. */
export async function erasableRun(guard: Guard, id: string): Promise<RunRecord> {
  const run = await guard.store.run(id);
  if (run?.tenant !== guard.tenant) throw notFound('run', id);
  if (isFinished(run)) return run;
  throw new WritError('RUN_UNFINISHED', `run ${id} is ${run.status}: its data is still in use`, {
    hint: `let it finish, or cancel it first: writ workflow cancel ${id}`,
  });
}

/** Commitments of a run's entries, in their order. */
export async function commitmentsOfRun(guard: Guard, run: string): Promise<readonly Commitment[]> {
  const found = new Set<Commitment>();
  for (const row of await guard.store.entriesOfRun(run)) {
    for (const hex of Object.values(parseEntry(row.bytes).commit)) if (isHex64(hex)) found.add(hex);
  }
  return [...found];
}

/** The same personal data may stand in what is left of these runs: an input, the subject of its approval, an output. */
export async function payloadsLeft(
  guard: Guard,
  targets: readonly ErasureTarget[],
): Promise<readonly ErasureTarget[]> {
  const left: ErasureTarget[] = [];
  for (const run of new Set(targets.map((one) => one.run))) {
    for (const commitment of await commitmentsOfRun(guard, run)) {
      const payload = await guard.store.payload(commitment);
      if (payload?.erasedBy === null) left.push({ commitment, label: payload.label, run });
    }
  }
  return left;
}

async function erasureAt({ store }: Guard, index: bigint): Promise<string | null> {
  const [row] = await store.entries(index, index + 1n, 1);
  const by = row === undefined ? null : parseEntry(row.bytes).data['erasure'];
  return typeof by === 'string' ? by : null;
}

async function payloadsOf(guard: Guard, what: EraseWhat): Promise<readonly StoredPayload[]> {
  switch (what.kind) {
    case 'payloads':
      return named(guard, what.commitments);
    case 'run': {
      const run = await erasableRun(guard, what.run);
      const all = await ofRun(guard, run.id);
      const wanted = what.label === null ? all : all.filter((one) => one.label === what.label);
      if (wanted.length > 0 || what.label === null) return wanted;
      throw new WritError('NOT_FOUND', `run ${run.id} has no payload labelled "${what.label}"`, {
        hint: `its labels: ${[...new Set(all.map((one) => one.label))].sort().join(', ')}`,
      });
    }
    case 'expired': {
      const found: StoredPayload[] = [];
      for (const run of await guard.store.runs()) {
        if (run.tenant !== guard.tenant || !isFinished(run) || run.updatedAtMs >= what.beforeMs) continue;
        const left = (await ofRun(guard, run.id)).filter((one) => one.erasedBy === null);
        found.push(...left);
        if (found.length > MAX_TARGETS) break;
      }
      return found;
    }
  }
}

async function named(guard: Guard, commitments: readonly string[]): Promise<readonly StoredPayload[]> {
  const found: StoredPayload[] = [];
  for (const hex of [...new Set(commitments)].sort()) {
    const payload = await findPayload(guard, hex);
    if (payload === null) {
      throw new WritError('NOT_FOUND', `no payload ${hex}`, {
        hint: 'see the commitments of a run: writ workflow results RUN --json',
      });
    }
    await erasableRun(guard, payload.run);
    found.push(whole(payload));
  }
  return found;
}

/** Null when there is none here of this tenant. Throws USAGE for what is no commitment. */
export async function findPayload(guard: Guard, hex: string): Promise<StoredPayload | null> {
  if (!isHex64(hex)) {
    throw new WritError('USAGE', `"${hex.slice(0, 80)}" is no commitment`, {
      hint: '64 lower-case hex digits, as writ workflow results --json and writ audit show print them',
    });
  }
  const payload = await guard.store.payload(hex);
  const run = payload === null ? null : await guard.store.run(payload.run);
  return run?.tenant === guard.tenant ? payload : null;
}

async function ofRun(guard: Guard, run: string): Promise<readonly StoredPayload[]> {
  const found: StoredPayload[] = [];
  for (const commitment of [...(await commitmentsOfRun(guard, run))].sort()) {
    const payload = await guard.store.payload(commitment);
    if (payload !== null) found.push(whole(payload));
  }
  return found;
}

/** What is gone without an entry is a finding for people, not something to put right by an erasure after the fact. */
function whole(payload: StoredPayload): StoredPayload {
  const { commitment, salt, bytes, erasedBy } = payload;
  if (erasedBy !== null || salt !== null || bytes !== null) return payload;
  throw new WritError(
    'AUDIT_ERASED_UNLOGGED',
    `payload ${commitment} is gone, and no entry says that it was erased`,
    { hint: 'find out who changed the store: writ audit verify --payloads' },
  );
}

/** An unfinished erasure of exactly this by the same person: the same command again goes on with it. */
export async function openErasure(
  guard: Guard,
  workflowId: string,
  initiator: string,
  input: Json,
  inputOf: (run: RunHead) => Promise<Json>,
): Promise<string | null> {
  const wanted = canonicalJson(input);
  for (const run of await guard.store.unfinishedRuns()) {
    if (run.workflowId !== workflowId || run.initiator !== initiator) continue;
    if (canonicalJson(await inputOf(run)) === wanted) return run.id;
  }
  return null;
}
