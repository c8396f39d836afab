// What people said: who approved what, and who answered what.
import type { DisclosedPayload } from '../audit/evidence/format.js';
import type { ShownApproval } from '../audit/evidence/shown-approval.js';
import type { ShownProof } from '../audit/evidence/shown-proof.js';
import type { ShownTask } from '../audit/evidence/shown-task.js';
import type { RunStory } from '../audit/evidence/timeline.js';
import { isObject } from '../json.js';
import { jsonOf, payloadText, textOf } from './payloads.js';
import { code, element, facts, folded, foreign, section, table, time, stepText } from './element.js';

/** What the bundle holds for a commitment; null for what it does not disclose. */
export type PayloadOf = (commitment: string | null) => DisclosedPayload | null;

export function approvalSection({ approvals }: RunStory, payloadOf: PayloadOf): HTMLElement {
  const none = approvals.length === 0 ? 'No approval was asked for in this run.' : null;
  return section(
    'approvals',
    'Who approved what',
    none,
    ...approvals.map((one) => approvalCard(one, payloadOf)),
  );
}

function approvalCard(approval: ShownApproval, payloadOf: PayloadOf): HTMLElement {
  const votes = approval.votes.map((vote) => [
    code(vote.approver),
    element('strong', {}, foreign(vote.decision)),
    time(vote.at),
    signatureText(vote),
    vote.keyId === null ? '-' : code(vote.keyId),
    `#${vote.index}`,
  ]);
  const card = element(
    'article',
    { class: 'card' },
    element(
      'h3',
      {},
      `${stepText(approval.step, approval.attempt)} `,
      element('span', { class: 'tag' }, foreign(approval.state)),
    ),
    facts([
      ['Approval', code(approval.id)],
      ['Asked', time(approval.requestedAt)],
      ['Valid until', time(approval.expiresAt)],
      ['Mode', foreign(approval.mode)],
      ['Needed', foreign(approval.quorum)],
      ['Digest of exactly what was asked for', code(approval.subjectDigest)],
    ]),
    votes.length === 0
      ? element('p', {}, 'Nobody decided.')
      : table('Decisions of people', ['Person', 'Decision', 'Signed at', 'Signature', 'Key', 'Entry'], votes),
  );
  for (const vote of approval.votes) {
    const reason = payloadOf(vote.reason);
    if (reason === null) continue;
    card.append(
      element('p', {}, 'Reason given by ', code(vote.approver), ':'),
      element('blockquote', {}, foreign(reasonText(reason))),
    );
  }
  const subject = payloadOf(approval.subject);
  if (subject !== null) {
    card.append(
      folded(['Exactly what was asked for (its digest was checked)'], () => [payloadText(subject)]),
    );
  }
  return card;
}

export function taskSection({ tasks }: RunStory, payloadOf: PayloadOf): HTMLElement | null {
  if (tasks.length === 0) return null;
  return section(
    'tasks',
    'Who answered what',
    'Steps that waited for an answer from outside: a form that a person fills in, or a token that comes back.',
    ...tasks.map((one) => taskCard(one, payloadOf)),
  );
}

function taskCard(task: ShownTask, payloadOf: PayloadOf): HTMLElement {
  const answers = task.answers.map((one) => [
    code(one.by),
    element('strong', {}, foreign(one.answer)),
    time(one.at),
    signatureText(one),
    one.keyId === null ? '-' : code(one.keyId),
    `#${one.index}`,
  ]);
  const card = element(
    'article',
    { class: 'card' },
    element('h3', {}, stepText(task.step, task.attempt)),
    facts([
      ['Task', code(task.id)],
      ['Asked for', foreign(task.asked)],
      ['Of', foreign(task.who)],
      ['Asked', time(task.openedAt)],
      ['Valid until', time(task.expiresAt)],
    ]),
    answers.length === 0
      ? element('p', {}, 'Nobody answered.')
      : table('Answers', ['Who', 'Answer', 'Signed at', 'Signature', 'Key', 'Entry'], answers),
  );
  for (const { data } of task.answers) {
    const given = payloadOf(data);
    if (given !== null) card.append(folded(['What was answered'], () => [payloadText(given)]));
  }
  return card;
}

function signatureText({ signature, assurance }: ShownProof): HTMLElement {
  switch (signature) {
    case 'holds':
      return element('span', { class: 'good' }, 'holds under this key');
    case 'fails':
      return element('span', { class: 'bad' }, 'does not hold');
    case 'unchecked':
      return element('span', { class: 'bad' }, 'not checked');
    case 'unsigned':
      return element('span', {}, `none (assurance ${foreign(assurance)})`);
  }
}

/** A reason is stored as `{"text": …}`; anything else is shown as it is. */
function reasonText({ bytes, mediaType }: DisclosedPayload): string {
  const text = textOf(bytes);
  if (text === null) return '(not text)';
  if (mediaType !== 'application/json') return text;
  const value = jsonOf(text);
  return isObject(value) && typeof value.text === 'string' ? value.text : text;
}
