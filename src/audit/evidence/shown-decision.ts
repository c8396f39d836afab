// What policy decided, as logged: each question, the rule that answered it, and through which roles it applied.
import { isObject } from '../../json.js';
import { countOf, listOf, shown, textOf } from './shown-value.js';
import type { ShownEntry } from './report.js';

export interface ShownDecision {
  readonly index: string;
  readonly time: string;
  readonly step: string | null;
  readonly attempt: number | null;
  readonly action: string;
  readonly resource: string;
  readonly verdict: string;
  readonly code: string | null;
  /** Each question that was asked: for whom, the rule that answered, and by which roles it applied. */
  readonly rules: readonly {
    readonly subject: string;
    readonly ruleId: string | null;
    readonly effect: string;
    readonly rolePath: readonly string[];
  }[];
}

export function decisionOf({ index, entry: { data, time } }: ShownEntry): ShownDecision {
  const rules = listOf(data.rules).flatMap((rule) =>
    isObject(rule)
      ? [
          {
            subject: shown(rule.subject),
            ruleId: textOf(rule.ruleId),
            effect: shown(rule.effect),
            rolePath: listOf(rule.rolePath).map(shown),
          },
        ]
      : [],
  );
  const single = { subject: shown(data.subject), ruleId: textOf(data.ruleId), effect: '', rolePath: [] };
  return {
    index: index.toString(),
    time,
    step: textOf(data.stepPath),
    attempt: countOf(data.attempt),
    action: shown(data.action),
    resource: shown(data.resource),
    verdict: shown(data.verdict),
    code: textOf(data.code),
    rules: rules.length > 0 ? rules : [single],
  };
}
