// The policies in force in a process that lives long. A reload builds the new snapshot aside and swaps one reference, or
// changes nothing: whatever is wrong with the files, the last good ones stay in force, and why is said. What is put in
// force is in the log first.
import { WritError, type ErrorCode } from '../errors.js';
import type { Hex } from '../json.js';
import { readPolicyTests, runPolicyTests } from '../policy/question/policy-test.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { PolicyFiles } from './ports.js';
import { decidingFiles } from './run/policies.js';

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
}

/** Why no step may begin just now. */
export interface StalePolicy {
  readonly code: 'POLICY_STALE';
  readonly message: string;
  readonly hint: string;
}

export class LivePolicy {
  #current: PolicySnapshot;
  #files: PolicyFiles;
  #last: Promise<unknown> = Promise.resolve();

  readonly #maxAgeMs: number | null;
  #loadedAtMs: number;

  /** `nowMs`: when `first` was read. */
  constructor(
    first: LoadedPolicies,
    { maxAgeMs = null, nowMs }: { readonly maxAgeMs?: number | null; readonly nowMs: number },
  ) {
    this.#current = first.snapshot;
    this.#files = filesOf(first);
    this.#maxAgeMs = maxAgeMs;
    this.#loadedAtMs = nowMs;
  }

  current(): PolicySnapshot {
    return this.#current;
  }

  /** What a run that begins now is started under; the same object until a reload. */
  files(): PolicyFiles {
    return this.#files;
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

  async #reload({ load, record, publish, nowMs }: PolicyLoading): Promise<PolicyReload> {
    const previous = this.#current.policyHash;
    let loaded: LoadedPolicies;
    try {
      loaded = await load();
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
    // The log says that they hold, so they do, whatever comes of its publication.
    this.#current = loaded.snapshot;
    this.#files = filesOf(loaded);
    this.#loadedAtMs = nowMs();
    if (isRecorded) await publish();
    return { status: 'loaded', policyHash, previous, problem: null };
  }
}

function filesOf({ snapshot, files }: LoadedPolicies): PolicyFiles {
  return { policyHash: snapshot.policyHash, files: decidingFiles(files) };
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
