// The policies in force in a process that lives long. A reload builds the new snapshot aside and swaps one reference, or
// changes nothing: whatever is wrong with the files, the last good ones stay in force, and why is said. What is put in
// force is in the log first.
import { WritError, type ErrorCode } from '../errors.js';
import type { Hex } from '../json.js';
import { tightened } from '../policy/pinned.js';
import { readPolicyTests, runPolicyTests } from '../policy/policy-test.js';
import type { PolicySnapshot } from '../policy/snapshot.js';

/** What a reload has come to. `policyHash` is in force now, `previous` was before. */
export interface PolicyReload {
  /** `kept`: the files could not be taken, and the policies are those of before. */
  readonly status: 'loaded' | 'unchanged' | 'kept';
  readonly policyHash: Hex;
  readonly previous: Hex;
  /** Why they were kept; null otherwise. */
  readonly problem: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly hint: string | null;
  } | null;
}

export interface LoadedPolicies {
  readonly snapshot: PolicySnapshot;
  readonly files: ReadonlyMap<string, string>;
}

export interface PolicyLoading {
  /** Reads, checks and indexes the files as they are now, with all that this machine demands of them. */
  readonly load: () => Promise<LoadedPolicies>;
  /** Resolves once `policy.loaded` is durable. */
  readonly record: (loaded: LoadedPolicies) => Promise<void>;
  readonly nowMs: () => number;
}

/** Snapshots that runs of this process may have been started under. */
const MOST_SNAPSHOTS = 64;

export class LivePolicy {
  #current: PolicySnapshot;
  readonly #known = new Map<Hex, PolicySnapshot>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(first: PolicySnapshot) {
    this.#current = first;
    this.#known.set(first.policyHash, first);
  }

  current(): PolicySnapshot {
    return this.#current;
  }

  /**
   * What a step of a run is decided by: the policies in force, and those that the run was started under where this
   * process has held them. After a restart those in force count alone.
   */
  forRun(startedUnder: Hex): PolicySnapshot {
    const atStart = this.#known.get(startedUnder);
    return atStart === undefined ? this.#current : tightened(this.#current, atStart);
  }

  /** One after the other. Rejects only where the log can't be written: nothing is in force that it does not name. */
  reload(loading: PolicyLoading): Promise<PolicyReload> {
    const next = this.#last.then(() => this.#reload(loading));
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #reload({ load, record, nowMs }: PolicyLoading): Promise<PolicyReload> {
    const previous = this.#current.policyHash;
    let loaded: LoadedPolicies;
    try {
      loaded = await load();
      const { policyHash } = loaded.snapshot;
      if (!this.#known.has(policyHash) && this.#known.size >= MOST_SNAPSHOTS) {
        throw new WritError('POLICY_ERROR', `this process has held ${MOST_SNAPSHOTS} different policies`, {
          hint: 'start it anew: what its runs were started under must not be forgotten while it lives',
        });
      }
      checkTests(loaded, nowMs());
    } catch (error) {
      return { status: 'kept', policyHash: previous, previous, problem: problemOf(error) };
    }
    const { policyHash } = loaded.snapshot;
    if (policyHash === previous) return { status: 'unchanged', policyHash, previous, problem: null };
    await record(loaded);
    // The same policies again: runs that were started under them keep the snapshot they had.
    this.#current = this.#known.get(policyHash) ?? loaded.snapshot;
    this.#known.set(policyHash, this.#current);
    return { status: 'loaded', policyHash, previous, problem: null };
  }
}

/** Policies that fail their own tests are not what their author meant. */
function checkTests({ snapshot, files }: LoadedPolicies, nowMs: number): void {
  const { cases } = runPolicyTests(snapshot, readPolicyTests(files), nowMs);
  const failed = cases.filter(({ ok }) => !ok);
  const [first] = failed;
  if (first === undefined) return;
  const { file, line, name, expected, verdict } = first;
  const more = failed.length === 1 ? '' : ` (and ${failed.length - 1} more)`;
  throw new WritError(
    'POLICY_INVALID',
    `${file}:${line}: "${name}" expects ${expected} and gets ${verdict}${more}`,
    { hint: 'see all: writ policy test' },
  );
}

function problemOf(error: unknown): NonNullable<PolicyReload['problem']> {
  if (error instanceof WritError) {
    const { code, message, hint } = error;
    return { code, message, hint: hint ?? null };
  }
  return {
    code: 'POLICY_ERROR',
    message: error instanceof Error ? error.message : 'unknown error',
    hint: null,
  };
}
