// Why an act is denied: the first of what refuses it, in one sentence, and what to do.
import { labelOf } from '../ceiling/ceiling.js';
import { ceilingHint } from '../ceiling/hint.js';
import type { AccessAnswer } from '../rbac/access.js';
import type { DecisionCode } from './decision.js';
import type { JudgedLayer } from './layers.js';

export interface Refusal {
  readonly code: DecisionCode;
  readonly message: string;
  readonly hint: string | null;
}

export function firstRefusal(answers: readonly { readonly answer: AccessAnswer }[]): Refusal | null {
  const refused = answers.find(({ answer }) => !answer.allowed)?.answer;
  if (refused === undefined) return null;
  return { code: refused.code ?? 'POLICY_ERROR', message: refused.message, hint: refused.hint };
}

export function firstViolation(judged: readonly JudgedLayer[]): Refusal | null {
  const layer = judged.find(({ violations }) => violations.length > 0);
  const first = layer?.violations[0];
  if (layer === undefined || first === undefined) return null;
  return {
    code: first.code,
    message: `${labelOf(layer.of)}: ${first.field} is ${first.limit}, the request asks for ${first.requested}`,
    hint: ceilingHint(first, undefined, layer.of.layer),
  };
}
