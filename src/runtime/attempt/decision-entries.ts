// The entries of a decision: which rules and layers it came from, whatever it was.
import { sharedJson } from '../../canonical-json.js';
import type { Json } from '../../json.js';
import type { Decision } from '../../policy/decision/decision.js';
import { asJson, draft } from '../log/entries.js';
import type { Judged } from './judged-attempt.js';
import type { EntryDraft } from '../ports.js';
import { dataJson } from '../run/data.js';

/** `authz.decided` and `ceiling.composed`: written for allow and deny alike. */
export function decisionEntries(judged: Judged): EntryDraft[] {
  const { attempt, callable, decision, context } = judged;
  const { stepPath } = attempt;
  const { rules, layers, effective } = recordOf(decision);
  const data = dataJson(attempt.data);
  return [
    draft(context, 'authz.decided', {
      action: callable.action,
      agent: callable.agent,
      attempt: attempt.attempt,
      code: decision.code,
      domain: context.tenant,
      resource: callable.resource,
      ruleId: decision.rbac[0]?.ruleId ?? null,
      rules,
      stepPath,
      subject: attempt.run.initiator,
      verdict: decision.verdict,
      ...(decision.grant === undefined ? {} : { grant: decision.grant }),
      ...judged.startPolicy,
    }),
    draft(context, 'ceiling.composed', {
      attempt: attempt.attempt,
      ceilingHash: decision.ceilingHash,
      effective,
      layers,
      stepPath,
      ...(data === null ? {} : { data }),
    }),
  ];
}

interface DecisionRecord {
  readonly rules: Json;
  readonly layers: Json;
  readonly effective: Json;
}

const records = new WeakMap<Decision, DecisionRecord>();

/** A decision as the log tells it; the same one for all attempts that share it. */
function recordOf(decision: Decision): DecisionRecord {
  const before = records.get(decision);
  if (before !== undefined) return before;
  const rules = decision.rbac.map(({ subject, ruleId, effect, rolePath }) => ({
    subject,
    ruleId,
    effect,
    rolePath,
  }));
  const { ceiling, effective } = decision;
  const record = {
    rules: sharedJson(asJson(rules)),
    layers: sharedJson(asJson(ceiling)),
    effective: sharedJson(asJson(effective)),
  };
  records.set(decision, record);
  return record;
}
