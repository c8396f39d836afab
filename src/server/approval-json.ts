// A request as HTTP answers tell it: names, times and votes. The input is not among them; where it is shown, the subject
// and its display stand beside this.
import { timeText } from '../runtime/log/entries.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import { isOver } from './events.js';

/** A request as a list tells it. No rendered input: a list is shown where a request is not looked at. */
export function summary(record: ApprovalRecord) {
  const { id, run, stepPath, attempt, subjectDigest, state, mode, quorum, requester, initiator, functionId } =
    record;
  const [createdAt, expiresAt] = [timeText(record.createdAtMs), timeText(record.expiresAtMs)];
  const basics = {
    id,
    run,
    stepPath,
    attempt,
    subjectDigest,
    state,
    mode,
    quorum: quorum.map((one) => ({ ...one })),
  };
  return { ...basics, requester, initiator, function: functionId, createdAt, expiresAt };
}

/** What is added where one request is looked at. */
export function detail(record: ApprovalRecord) {
  const { separationOfDuties, author = null, reasonRequired, demandedBy, policyHash } = record;
  const { editors = [], redriver = null } = record;
  const votes = record.votes.map(({ seq, approver, decision, assurance, keyId, atMs, ...how }) => {
    const { delegation = null, breakGlass = false } = how;
    return { seq, approver, decision, assurance, keyId, at: timeText(atMs), delegation, breakGlass };
  });
  const duties = { separationOfDuties, author, reasonRequired, demandedBy, policyHash, editors, redriver };
  return { ...duties, votes, over: isOver(record.state) };
}
