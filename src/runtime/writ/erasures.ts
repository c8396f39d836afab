// Data that goes while its proof stays.
import type { Commitment } from '../../json.js';
import type { ScrubReport } from '../erasure/scrub.js';
import type { Principal } from './principal.js';

/** What to erase: single payloads, those of one run (with one label), or of all runs older than the retention. */
export type EraseScope =
  | { readonly kind: 'payloads'; readonly commitments: readonly string[] }
  | { readonly kind: 'run'; readonly run: string; readonly label: string | null }
  | { readonly kind: 'expired' };

/** A payload to erase; `run` is the one it belongs to. */
export interface ErasureTarget {
  readonly commitment: Commitment;
  readonly label: string;
  readonly run: string;
}

export interface ErasedBefore extends ErasureTarget {
  /** Log index of its `payload.erased`. */
  readonly entry: bigint;
  /** The run that erased it. */
  readonly erasure: string | null;
}

/** How long payloads stay after their run has finished. */
export interface Retention {
  readonly days: number;
  /** Why it is shorter than the minimum; null when it is not. */
  readonly override: string | null;
}

/** The setting, and whether the log knows it. */
export interface RetentionView extends Retention {
  /** What the log says; differs only when somebody edited the file, or a change was killed on its way. */
  readonly loggedDays: number;
}

/** An erasure, asked for. */
export interface Erasure {
  /** The run to `drive`; its output says what was erased. Null when there is nothing left to erase. */
  readonly run: string | null;
  /** Asked for, and erased earlier. */
  readonly before: readonly ErasedBefore[];
  /** More payloads have expired than one erasure takes. */
  readonly more: boolean;
  /** Of the runs of `before`: what is still there. Empty when there is a run: its output says it. */
  readonly left: readonly ErasureTarget[];
  /** What an earlier erasure had left to do and this call did; null when there is a run. */
  readonly scrub: ScrubReport | null;
}

/** What goes, and when. */
export interface Erasures {
  /**
   * Starts the erasure of payloads of finished runs, or finds the one that the same person has asked for already: a
   * governed run to `drive`, with approval where policy asks for it. `basis` stands in the log for ever. Asks for
   * `audit.erase` on every run concerned, before it looks at them. Throws POLICY_*, NOT_FOUND, RUN_UNFINISHED, USAGE,
   * AUDIT_ERASED_UNLOGGED.
   */
  erase(
    request: { readonly what: EraseScope; readonly basis: string },
    principal: Principal,
  ): Promise<Erasure>;
  /** How long payloads stay before they count as expired. */
  retention(): Promise<RetentionView>;
  /** Logged, then made. Asks for `policy.edit` on `retention`. Throws POLICY_*, USAGE below the minimum without a reason. */
  changeRetention(change: Retention, principal: Principal): Promise<RetentionView>;
}
