// What the policy text of an agent package says of an act, after everything else has been decided: it can turn a yes into
// a no and never the other way round. The text is evaluated elsewhere; here its answer enters the decision and its record.
import type { Hex } from '../json.js';
import type { CeilingRecord, Decision } from './decision/decision.js';

/** `kind: error`: the text could not be judged, which is a no. */
export interface PackageAnswer {
  readonly kind: 'denied' | 'error';
  /** What was asked, in words; null = the text as a whole. */
  readonly asked: string | null;
  readonly reason: string;
}

/** `hash` of the text; `answer` null = it permits all of it. A decision that is a deny already only gains the record. */
export function underPackage(
  decision: Decision,
  {
    name,
    hash,
    answer,
  }: { readonly name: string; readonly hash: Hex; readonly answer: PackageAnswer | null },
): Decision {
  const record: CeilingRecord =
    answer === null
      ? { layer: 'agent', name: `${name}:policy`, hash, ok: true }
      : {
          ...{
            layer: 'agent',
            name: `${name}:policy`,
            hash,
            ok: false,
            field: 'policy',
            limit: answer.reason,
          },
          requested: answer.asked ?? 'anything',
        };
  const ceiling = [...decision.ceiling, record];
  if (answer === null || decision.verdict === 'deny') return { ...decision, ceiling };
  const asked = answer.asked === null ? '' : ` of ${answer.asked}`;
  return {
    ...decision,
    verdict: 'deny',
    code: answer.kind === 'error' ? 'POLICY_ERROR' : 'POLICY_DENY_RULE',
    message: `the policy of package ${name} says no${asked}: ${answer.reason}`,
    hint: 'what a package denies itself, only another version of it can do',
    ceiling,
    ...{ budgets: [], rates: [] },
  };
}
