// Is the approval that was obtained as strong as a ceiling wants it?
import { isStepAct } from '../rbac/action.js';
import { matchingRules } from './approval-duty.js';
import { APPROVAL_MODES } from './ceiling.js';
import type { Ceiling } from './ceiling.js';
import type { CeilingRequest } from './facts.js';
import type { Violation } from './violation.js';

export function approvalViolations(
  ceiling: Ceiling,
  { action, facts, approval }: CeilingRequest,
): Violation[] {
  const found: Violation[] = [];
  if (!isStepAct(action)) return found;
  const refuse = (field: string, limit: string, requested: string) =>
    found.push({ field: `approval.${field}`, code: 'CEILING_APPROVAL', limit, requested });
  const mode = approval?.mode ?? 'none';
  const below = (minimum: (typeof APPROVAL_MODES)[number]) =>
    APPROVAL_MODES.indexOf(mode) < APPROVAL_MODES.indexOf(minimum);
  const { minimum } = ceiling.approval;
  if (below(minimum)) refuse('minimum', minimum, mode);
  if (minimum === 'two-person' && approval !== null) {
    if (approval.votes < 2) refuse('quorum', '2', String(approval.votes));
    if (!approval.separationOfDuties) refuse('separationOfDuties', 'true', 'false');
  }
  for (const rule of matchingRules(ceiling, facts)) {
    if (approval === null || below(rule.minimum)) {
      refuse('rules.minimum', rule.minimum, mode);
      continue;
    }
    if (approval.votes < rule.quorum) refuse('rules.quorum', String(rule.quorum), String(approval.votes));
    if (
      rule.approverRoles.length > 0 &&
      !rule.approverRoles.some((role) => role === 'role:any' || approval.approverRoles.includes(role))
    ) {
      refuse(
        'rules.approverRoles',
        rule.approverRoles.join(' or '),
        approval.approverRoles.join(', ') || 'none',
      );
    }
    if (rule.separationOfDuties && !approval.separationOfDuties) {
      refuse('rules.separationOfDuties', 'true', 'false');
    }
    if (rule.author === true && approval.author !== true) refuse('rules.author', 'true', 'false');
    if (rule.reasonRequired && !approval.reasonGiven) refuse('rules.reasonRequired', 'true', 'no reason');
    if (rule.expiresSeconds !== null && approval.expiresSeconds > rule.expiresSeconds) {
      refuse('rules.expiresSeconds', String(rule.expiresSeconds), String(approval.expiresSeconds));
    }
  }
  return found;
}
