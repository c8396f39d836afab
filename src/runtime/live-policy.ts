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
    /** It is no fault of the files' content, so the same files may be taken the next time. */
    readonly isPassing: boolean;
  } | null;
}

export interface LoadedPolicies {
  readonly snapshot: PolicySnapshot;
  readonly files: ReadonlyMap<string, string>;
}

export interface PolicyLoading {
  /** Reads, checks and indexes the files as they are now, with all that this machine demands of them. */
  readonly load: () => Promise<LoadedPolicies>;
  /** Resolves once `policy.loaded` is durable; true when this call wrote it. */
  readonly record: (loaded: LoadedPolicies) => Promise<boolean>;
  /** Publishes what `record` wrote. */
  readonly publish: () => Promise<void>;
  readonly nowMs: () => number;
  /** Policy hashes that unfinished runs were started under. */
  readonly inUse: () => Promise<ReadonlySet<string>>;
}

/** `start`: a run's steps are decided under the policies it began under and those in force; `current`: the latter alone. */
export type PolicyPin = 'start' | 'current';

/** Why no step may begin just now. */
export interface StalePolicy {
  readonly code: 'POLICY_STALE';
  readonly message: string;
  readonly hint: string;
}

/** Snapshots that runs of this process may have been started under. */
const MOST_SNAPSHOTS = 64;

export class LivePolicy {
  #current: PolicySnapshot;
  readonly #known = new Map<Hex, PolicySnapshot>();
  #last: Promise<unknown> = Promise.resolve();

  readonly #pin: PolicyPin;
  readonly #maxAgeMs: number | null;
  #loadedAtMs: number;

  /** `nowMs`: when `first` was read. */
  constructor(
    first: PolicySnapshot,
    {
      pin = 'start',
      maxAgeMs = null,
      nowMs,
    }: { readonly pin?: PolicyPin; readonly maxAgeMs?: number | null; readonly nowMs: number },
  ) {
    this.#current = first;
    this.#known.set(first.policyHash, first);
    this.#pin = pin;
    this.#maxAgeMs = maxAgeMs;
    this.#loadedAtMs = nowMs;
  }

  current(): PolicySnapshot {
    return this.#current;
  }

  /**
   * What a step of a run is decided by: the policies in force, and those that the run was started under where this
   * process has held them. After a restart those in force count alone.
   */
  forRun(startedUnder: Hex): PolicySnapshot {
    if (this.#pin === 'current') return this.#current;
    const atStart = this.#known.get(startedUnder);
    return atStart === undefined ? this.#current : tightened(this.#current, atStart);
  }

  /** Why no step may begin, or null: the files were last found good too long ago, and nobody knows what holds now. */
  staleness(nowMs: number): StalePolicy | null {
    const ageMs = nowMs - this.#loadedAtMs;
    // Written so that an age that compares with nothing (NaN) is too old.
    if (this.#maxAgeMs === null || ageMs <= this.#maxAgeMs) return null;
    return {
      code: 'POLICY_STALE',
      message: `the policies were last read without a problem ${Math.round(ageMs / 1000)} s ago, at most ${this.#maxAgeMs / 1000} s are allowed`,
      hint: 'correct the policy files, or see why they can not be read: writ policy test',
    };
  }

  /**
   * One after the other. Rejects only where the log can't be written, and nothing is in force that it does not name, or
   * not be published: then the new policies are in force.
   */
  reload(loading: PolicyLoading): Promise<PolicyReload> {
    const next = this.#last.then(() => this.#reload(loading));
    this.#last = next.catch(() => undefined);
    return next;
  }

  /** What no unfinished run was started under, and is not in force. */
  #forget(inUse: ReadonlySet<string>): void {
    for (const hash of this.#known.keys()) {
      if (!inUse.has(hash) && hash !== this.#current.policyHash) this.#known.delete(hash);
    }
  }

  async #reload({ load, record, publish, nowMs, inUse }: PolicyLoading): Promise<PolicyReload> {
    const previous = this.#current.policyHash;
    let loaded: LoadedPolicies;
    try {
      loaded = await load();
      const { policyHash } = loaded.snapshot;
      if (this.#known.size >= MOST_SNAPSHOTS) this.#forget(await inUse());
      if (!this.#known.has(policyHash) && this.#known.size >= MOST_SNAPSHOTS) {
        throw new WritError(
          'POLICY_ERROR',
          `unfinished runs were started under ${MOST_SNAPSHOTS} different policies`,
          {
            hint: 'finish or cancel some of them: what a run was started under must not be forgotten',
          },
        );
      }
      checkTests(loaded, nowMs());
    } catch (error) {
      return { status: 'kept', policyHash: previous, previous, problem: problemOf(error) };
    }
    const { policyHash } = loaded.snapshot;
    if (policyHash === previous) {
      this.#loadedAtMs = nowMs();
      return { status: 'unchanged', policyHash, previous, problem: null };
    }
    const isRecorded = await record(loaded);
    // The log says that they hold, so they do, whatever comes of its publication. The same policies again: runs that were started under them keep the snapshot they had.
    this.#current = this.#known.get(policyHash) ?? loaded.snapshot;
    this.#known.set(policyHash, this.#current);
    this.#loadedAtMs = nowMs();
    if (isRecorded) await publish();
    return { status: 'loaded', policyHash, previous, problem: null };
  }
}

/** Policies that fail their own tests are not what their author meant. */
function checkTests({ snapshot, files }: LoadedPolicies, nowMs: number): void {
  const { cases } = runPolicyTests(snapshot, readPolicyTests(files), nowMs);
  const failed = cases.filter(({ ok }) => !ok);
  const [first] = failed;
  if (first === undefined) return;
  const { file, line, name, expected, verdict, message } = first;
  const more = failed.length === 1 ? '' : ` (and ${failed.length - 1} more)`;
  throw new WritError(
    'POLICY_INVALID',
    `${file}:${line}: "${name}" expects ${expected} and gets ${verdict}, ${message}${more}`,
    { hint: 'see all: writ policy test' },
  );
}

function problemOf(error: unknown): NonNullable<PolicyReload['problem']> {
  if (error instanceof WritError) {
    const { code, message, hint } = error;
    return { code, message, hint: hint ?? null, isPassing: !isFaultOfFiles(error) };
  }
  return {
    code: 'POLICY_ERROR',
    message: error instanceof Error ? error.message : 'unknown error',
    hint: null,
    isPassing: true,
  };
}

/** Not what the operating system said while they were read: too many open files, a disk that failed for a moment. */
function isFaultOfFiles({ code, cause }: WritError): boolean {
  if (code === 'POLICY_UNSIGNED') return true;
  return code === 'POLICY_INVALID' && !(cause instanceof Error && 'syscall' in cause);
}
