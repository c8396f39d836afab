// What makes a question to policy one that can't be judged: names, times and roles that are none.
import { MAX_EXPIRES_SECONDS, type ApprovalAsk } from '../ceiling/approval-duty.js';
import { APPROVAL_MODES, LAYERS } from '../ceiling/ceiling.js';
import { requestProblem } from '../ceiling/facts.js';
import { isPrincipal, isRole, principalProblem, quoted } from '../file/text.js';
import type { DecisionRequest } from './decision.js';

const MAX_QUORUM = 20;

/** Why the request can't be judged, or null. */
export function problemOf(request: DecisionRequest): string | null {
  const { nowMs, initiator, agent, approval, facts } = request;
  if (!Number.isSafeInteger(nowMs) || nowMs < 0) return `nowMs ${quoted(nowMs)} is no time`;
  if (!isPrincipal(initiator)) return `initiator ${principalProblem(initiator)}`;
  if (agent !== null && (!isPrincipal(agent) || agent.startsWith('user:'))) {
    return `agent ${quoted(agent)} is not agent:NAME or service:NAME`;
  }
  const layer = request.layers.find((candidate) => !(LAYERS as readonly string[]).includes(candidate.layer));
  if (layer !== undefined) return `ceiling layer ${quoted(layer.layer)} is unknown`;
  return (
    (approval === null ? null : askProblem(approval)) ??
    requestProblem(request.action, request.resource, facts)
  );
}

function askProblem(ask: ApprovalAsk): string | null {
  if (!APPROVAL_MODES.includes(ask.mode)) return `approval mode ${quoted(ask.mode)} is unknown`;
  const role = ask.approverRoles.find((candidate) => !isRole(candidate));
  if (role !== undefined) return `approver role ${quoted(role)} is not role:NAME`;
  const whole = (value: number | null, maximum: number) =>
    value === null || (Number.isSafeInteger(value) && value >= 1 && value <= maximum);
  if (!whole(ask.quorum, MAX_QUORUM)) return `quorum ${quoted(ask.quorum)} is not 1 to ${MAX_QUORUM}`;
  return whole(ask.expiresSeconds, MAX_EXPIRES_SECONDS)
    ? null
    : `expiresSeconds ${quoted(ask.expiresSeconds)} is not 1 to ${MAX_EXPIRES_SECONDS}`;
}
