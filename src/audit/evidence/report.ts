// What is reported of an evidence bundle, and of its entries that were proven.
import { encodeBase64 } from '../base64.js';
import type { Checkpoint } from '../checkpoint.js';
import type { Entry } from '../entry.js';
import type { Finding, FindingList, VerifyReport } from '../verify/report.js';
import type { Evidence } from './format.js';

/** Up to where the bundle shows the run without a gap, and what that leaves open. */
export interface Completeness {
  /** `closed`: the last step-changing entry is the run's own `run.finished`. */
  readonly state: 'closed' | 'open' | 'broken';
  readonly entries: number;
  /** Log index of the run's last entry that is shown; null when there is none. */
  readonly last: string | null;
  /** In words, for people. */
  readonly message: string;
}

export interface EvidenceReport extends VerifyReport {
  readonly run: string | null;
  readonly completeness: Completeness | null;
  readonly payloads: { readonly disclosed: number; readonly erased: number; readonly withheld: number };
}

/** An entry that was proven to stand in the tree; `signature` of a vote or an answer: whether it holds, null = none. */
export interface ShownEntry {
  readonly index: bigint;
  readonly entry: Entry;
  readonly leafHash: string;
  readonly signature: boolean | null;
}

/** What is judged by now; the first rule that has a finding decides the verdict. */
export interface Judgement {
  readonly rules: readonly FindingList[];
  readonly warnings: readonly string[];
  /** null = the file can't be read. */
  readonly evidence: Evidence | null;
  /** null = it can't be read. */
  readonly checkpoint: Checkpoint | null;
  /** A key was given from outside. */
  readonly isPinned: boolean;
}

/** The report of what needs no entries; what they show is added to it. */
export function reportOf({ rules, warnings, evidence, checkpoint, isPinned }: Judgement): EvidenceReport {
  const findings: Finding[] = rules.flatMap((list) => list.items);
  const dropped = rules.reduce((sum, list) => sum + list.dropped, 0);
  if (findings.length === 0 && !isPinned) {
    const message =
      'the parts of the file fit together, but no key was given from outside: anyone could have made it';
    findings.push({ verdict: 'unpinned', message });
  }
  return {
    verdict: findings[0]?.verdict ?? 'verified',
    ok: findings.length === 0,
    origin: evidence === null ? null : (checkpoint?.origin ?? evidence.origin),
    size: checkpoint?.size.toString() ?? null,
    root: checkpoint === null ? null : encodeBase64(checkpoint.root),
    findings,
    warnings: dropped > 0 ? [...warnings, `${dropped} more findings are not listed`] : warnings,
    openIntents: [],
    erased: [],
    cosignatures: [],
    run: evidence?.scope.run ?? null,
    completeness: null,
    payloads: { disclosed: 0, erased: 0, withheld: 0 },
  };
}
