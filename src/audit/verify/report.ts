// The words a verification ends with, and the lists its findings are collected in. The first finding decides the
// verdict; lists are bounded, because a hostile log could give a finding per byte.
import type { Commitment } from '../../json.js';

/** FORMAT.md section 9; every word but `verified` is exit code 5. */
export type Verdict =
  | 'verified'
  | 'unpinned'
  | 'malformed'
  | 'bad-signature'
  | 'wrong-origin'
  | 'quorum-missing'
  | 'entry-mismatch'
  | 'tile-mismatch'
  | 'root-mismatch'
  | 'missing'
  | 'extra'
  | 'rollback'
  | 'fork'
  | 'not-canonical'
  | 'chain-broken'
  | 'order-broken'
  | 'payload-mismatch'
  | 'erased-unlogged';

export interface Finding {
  readonly verdict: Exclude<Verdict, 'verified'>;
  /** Decimal log index of the entry it is about. */
  readonly index?: string;
  /** File it is about, relative to the log's directory. */
  readonly path?: string;
  /** For people; holds no payload. */
  readonly message: string;
}

/** An intent without an outcome: a warning, a crash may have caused it. */
export interface OpenIntent {
  readonly index: string;
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
}

/** Plain JSON; sizes and indices are decimal strings, the root is base64 as in the checkpoint. */
export interface VerifyReport {
  readonly verdict: Verdict;
  /** True for `verified` alone. */
  readonly ok: boolean;
  /** null when no checkpoint could be read. */
  readonly origin: string | null;
  readonly size: string | null;
  readonly root: string | null;
  /** Trusted witnesses that cosigned `checkpoint`; `time` in Unix seconds, decimal. */
  readonly cosignatures: readonly { readonly name: string; readonly keyId: string; readonly time: string }[];
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
  readonly openIntents: readonly OpenIntent[];
  /** Payloads the log says were erased, and the entry that says so. */
  readonly erased: readonly { readonly commitment: Commitment; readonly entry: string }[];
}

/** What is to be said of signatures of people: how many were met, and how many of them hold; null = none was checked. */
export function signatureNotes(
  met: { readonly decisions: number; readonly answers: number },
  hold: { readonly decisions: string | null; readonly answers: string | null },
): readonly string[] {
  const note = (what: string, count: number, good: string | null): readonly string[] => {
    if (count === 0) return [];
    if (good === null) return [`${what} not checked: ${count}`];
    return [`${what} that hold: ${good}; compare them with the enrolment list (policies/approvers.yaml)`];
  };
  return [
    ...note('approver signatures', met.decisions, hold.decisions),
    ...note('signatures of answers to tasks', met.answers, hold.answers),
  ];
}

/** Findings kept per list; more are counted, not kept. */
export const MAX_FINDINGS = 100;

export interface Where {
  readonly index?: bigint;
  readonly path?: string;
}

/** Findings of one rule, in the order they were met. */
export class FindingList {
  readonly items: Finding[] = [];
  /** Findings beyond MAX_FINDINGS. */
  dropped = 0;

  get any(): boolean {
    return this.items.length > 0;
  }

  add(verdict: Finding['verdict'], message: string, where: Where = {}): void {
    if (this.items.length === MAX_FINDINGS) {
      this.dropped += 1;
      return;
    }
    this.items.push({
      verdict,
      ...(where.index === undefined ? {} : { index: where.index.toString() }),
      ...(where.path === undefined ? {} : { path: where.path }),
      message,
    });
  }
}
