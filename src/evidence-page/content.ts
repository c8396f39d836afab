// What the page shows of a run, section by section: facts, approvals, answers, decisions, ceilings, sandboxes, payloads, the
// timeline and the certificate. It words nothing that storyOf or the report does not say.
import { bytesToHex } from '@noble/hashes/utils.js';
import { displaySubject } from '../approval/display.js';
import type { DisclosedPayload, Evidence } from '../audit/evidence/format.js';
import type {
  Moment,
  RunStory,
  ShownApproval,
  ShownDecision,
  ShownPayload,
  ShownProof,
  ShownTask,
} from '../audit/evidence/timeline.js';
import type { JudgedEvidence } from '../audit/evidence/verify.js';
import { readable } from '../audit/evidence/trust.js';
import { decodeUtf8, parseJsonText } from '../audit/json-reader.js';
import { sha256 } from '../audit/sha256.js';
import { WritError } from '../errors.js';
import { isObject, type Json } from '../json.js';
import { block, code, element, facts, folded, foreign, section, table, time } from './element.js';

/** Longest payload text that is shown; the rest is in F.json. */
const MAX_TEXT_CHARS = 200_000;

/** All sections, in the order an auditor asks: what, who, by which rule, with which limits, in detail. */
export function contentOf(
  { report }: JudgedEvidence,
  evidence: Evidence,
  story: RunStory,
  disclosed: ReadonlyMap<string, DisclosedPayload>,
  bytes: Uint8Array,
): readonly HTMLElement[] {
  const shownPayload = (commitment: string | null): DisclosedPayload | null =>
    commitment === null ? null : (disclosed.get(commitment) ?? null);
  return [
    runSection(story),
    approvalSection(story, shownPayload),
    taskSection(story, shownPayload),
    decisionSection(story),
    ceilingSection(story),
    sandboxSection(story),
    payloadSection(story, disclosed),
    timelineSection(story),
    logSection(story),
    proofSection(report, evidence),
    certificateSection(evidence, bytes),
  ].filter((one) => one !== null);
}

function runSection(story: RunStory): HTMLElement {
  return section(
    'run',
    'The run',
    null,
    facts([
      ['Run', code(story.run)],
      ['Workflow', story.workflow === null ? null : code(story.workflow.id)],
      ['Workflow hash', story.workflow === null ? null : code(story.workflow.hash)],
      ['Tenant', story.tenant === null ? null : foreign(story.tenant)],
      ['Started by', story.initiator === null ? null : code(story.initiator)],
      ['Started', story.startedAt === null ? null : time(story.startedAt)],
      ['Ended', story.finishedAt === null ? 'no end among these entries' : time(story.finishedAt)],
      ['Outcome', story.status === null ? null : foreign(story.status)],
      ['Entries', String(story.moments.length)],
    ]),
  );
}

type PayloadOf = (commitment: string | null) => DisclosedPayload | null;

function approvalSection({ approvals }: RunStory, payloadOf: PayloadOf): HTMLElement {
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

function taskSection({ tasks }: RunStory, payloadOf: PayloadOf): HTMLElement | null {
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

function decisionSection({ decisions }: RunStory): HTMLElement {
  const note =
    decisions.length === 0
      ? 'No decision is among these entries.'
      : 'Each question policy was asked before a step, the rule that answered, and through which roles it applied, as logged.';
  const rows = decisions.map((decision) => [
    `#${decision.index}`,
    decision.step === null ? '-' : stepText(decision.step, decision.attempt),
    verdictText(decision),
    element('span', {}, foreign(decision.action), ' ', code(decision.resource)),
    rulesOf(decision),
  ]);
  return section(
    'decisions',
    'What policy decided',
    note,
    rows.length === 0
      ? null
      : table('Decisions of policy', ['Entry', 'Step', 'Verdict', 'Asked', 'Rule and roles'], rows),
  );
}

function verdictText({ verdict, code: errorCode }: ShownDecision): HTMLElement {
  const words = verdict === 'needs_approval' ? 'needs approval' : verdict;
  const tone = verdict === 'allow' ? 'good' : verdict === 'deny' ? 'bad' : 'wait';
  return element(
    'span',
    { class: tone },
    foreign(words),
    errorCode === null ? '' : ` (${foreign(errorCode)})`,
  );
}

function rulesOf({ rules }: ShownDecision): HTMLElement {
  const list = element('ul', { class: 'plain' });
  for (const { subject, ruleId, effect, rolePath } of rules) {
    const path = rolePath.length > 0 ? rolePath.map(foreign).join(' → ') : foreign(subject);
    list.append(
      element(
        'li',
        {},
        element('strong', {}, ruleId === null ? 'no rule' : foreign(ruleId)),
        effect === '' ? '' : ` ${foreign(effect)}`,
        `: ${path}`,
      ),
    );
  }
  return list;
}

function ceilingSection({ ceilings }: RunStory): HTMLElement | null {
  if (ceilings.length === 0) return null;
  const items = ceilings.map((ceiling) => {
    const refused = ceiling.layers.filter(({ ok }) => !ok).length;
    const state = refused === 0 ? 'all layers hold' : `${refused} refused`;
    return folded([`#${ceiling.index} ${stepText(ceiling.step, ceiling.attempt)}: ${state}`], () => [
      table(
        'Layers of the ceiling',
        ['Layer', 'Name', 'Holds', 'Hash'],
        ceiling.layers.map(({ layer, name, ok, hash }) => [
          foreign(layer),
          foreign(name === '' ? '-' : name),
          element('span', { class: ok ? 'good' : 'bad' }, ok ? 'yes' : 'no'),
          hash === null ? '-' : code(hash),
        ]),
      ),
      element('p', {}, 'What was in force, all layers together:'),
      block(displaySubject(ceiling.effective)),
    ]);
  });
  return section(
    'ceilings',
    'Under which ceilings',
    'A ceiling never grants; every layer must hold.',
    ...items,
  );
}

function sandboxSection({ sandboxes }: RunStory): HTMLElement | null {
  if (sandboxes.length === 0) return null;
  const items = sandboxes.map(({ index, event, step, attempt, data }) =>
    folded([`#${index} ${stepText(step, attempt)}: ${event}`], () => [block(displaySubject(data))]),
  );
  return section(
    'sandboxes',
    'What the sandbox kept',
    'As the runner recorded it before the program started and after it ended.',
    ...items,
  );
}

function payloadSection(
  { payloads }: RunStory,
  disclosed: ReadonlyMap<string, DisclosedPayload>,
): HTMLElement | null {
  if (payloads.length === 0) return null;
  const items = payloads.map((payload) => payloadItem(payload, disclosed.get(payload.commitment)));
  return section(
    'payloads',
    'Data',
    'Inputs, outputs and texts are outside the log; each is bound to its entry by a commitment. Withheld: left out of this file. Erased: deleted, and the log says so.',
    ...items,
  );
}

function payloadItem(payload: ShownPayload, disclosed: DisclosedPayload | undefined): HTMLElement {
  const { label, index, step, state, erasedBy, commitment } = payload;
  const tag = element(
    'span',
    { class: `tag ${state}` },
    state === 'erased' ? `erased by entry ${erasedBy ?? '?'}` : state,
  );
  const summary = [`#${index} ${step === null ? '' : `${foreign(step)} `}${foreign(label)} `, tag];
  return folded(summary, () => {
    const about = facts([
      ['Commitment', code(commitment)],
      ['Media type', disclosed === undefined ? null : foreign(disclosed.mediaType)],
      ['Size', disclosed === undefined ? null : `${disclosed.bytes.length} bytes`],
    ]);
    return disclosed === undefined ? [about] : [about, payloadText(disclosed)];
  });
}

function payloadText({ bytes, mediaType }: DisclosedPayload): HTMLElement {
  const text = textOf(bytes);
  if (text === null) return element('p', {}, 'Not text; its bytes are in the JSON file.');
  const value = mediaType === 'application/json' ? jsonOf(text) : undefined;
  const whole = value === undefined ? text : displaySubject(value).join('\n');
  const cut = whole.slice(0, MAX_TEXT_CHARS);
  const made = block(cut.split('\n'));
  if (cut.length < whole.length) {
    made.append(`\n… ${whole.length - cut.length} more characters are in the JSON file`);
  }
  return made;
}

function timelineSection({ moments }: RunStory): HTMLElement {
  const types = [...new Set(moments.map(({ type }) => type))].sort();
  const list = element('ol', { class: 'timeline' });
  const count = element('span', { role: 'status', class: 'note' });
  const filter = element('select', { id: 'filter' }, element('option', {}, 'all entries'));
  for (const type of types) filter.append(element('option', {}, foreign(type)));
  const show = (): void => {
    const wanted = filter.selectedIndex === 0 ? null : types[filter.selectedIndex - 1];
    const some = moments.filter(({ type }) => wanted === null || type === wanted);
    list.replaceChildren(...some.map(momentItem));
    count.replaceChildren(` ${some.length} of ${moments.length}`);
  };
  filter.addEventListener('change', show);
  show();
  return section(
    'timeline',
    'Timeline',
    "Every entry of the run, in the log's order. Times are the runner's own claim.",
    element('p', { class: 'filter' }, element('label', { for: 'filter' }, 'Show '), filter, count),
    list,
  );
}

function momentItem(moment: Moment): HTMLElement {
  const { index, seq, step, attempt, type, actor, via, what } = moment;
  return element(
    'li',
    {},
    element(
      'div',
      { class: 'when' },
      time(moment.time),
      element('span', { class: 'note' }, ` #${index}${seq === null ? '' : `, ${seq} of the run`}`),
    ),
    element(
      'div',
      { class: 'what' },
      element('strong', {}, foreign(type)),
      step === null ? null : element('span', { class: 'tag' }, stepText(step, attempt)),
      what === '' ? null : element('p', {}, foreign(what)),
      element('p', { class: 'note' }, `by ${foreign(actor)}, via ${foreign(via)}`),
      folded(['Entry as logged'], () => [
        block(displaySubject({ data: moment.data, commit: moment.commit })),
      ]),
    ),
  );
}

function logSection({ log }: RunStory): HTMLElement | null {
  if (log.length === 0) return null;
  const list = element('ol', { class: 'timeline' });
  list.append(...log.map(momentItem));
  return section(
    'log',
    'About the log itself',
    'Entries outside the run that explain it: its keys and the policies in force. Others are left out here.',
    list,
  );
}

function proofSection(report: JudgedEvidence['report'], evidence: Evidence): HTMLElement {
  const first = evidence.first === null ? null : readable(evidence.first.checkpoint);
  const signers = report.cosignatures.map(({ name, time: seconds }) => `${name} at ${witnessTime(seconds)}`);
  return section(
    'proof',
    'What it is proven against',
    null,
    facts([
      ['Log', code(report.origin ?? evidence.origin)],
      ['Entries in the log', report.size ?? '-'],
      ['Root of the log', code(report.root ?? '-')],
      ['Witnesses', signers.length === 0 ? 'none that were asked for' : foreign(signers.join(', '))],
      ['Grown since', first === null ? null : `the checkpoint of size ${first.size}`],
      [
        'Data',
        `${report.payloads.disclosed} disclosed, ${report.payloads.erased} erased, ${report.payloads.withheld} withheld`,
      ],
    ]),
    folded(['Signed checkpoint'], () => [block(evidence.checkpoint.split('\n'))]),
    folded(['Policy that the file suggests (not trusted)'], () => [block(evidence.policy.split('\n'))]),
  );
}

/** Unix seconds as a date; the number itself when it is none. */
function witnessTime(seconds: string): string {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? `second ${seconds}` : date.toISOString().replace('.000', '');
}

function certificateSection({ certificate }: Evidence, bytes: Uint8Array): HTMLElement {
  return section(
    'certificate',
    'How this file was made',
    null,
    facts([
      ['Made with', foreign(`${certificate.tool} ${certificate.version}`)],
      [
        'Custodian of the records',
        certificate.custodian === null ? 'not named' : foreign(certificate.custodian),
      ],
      ['Method', foreign(certificate.method)],
      ['SHA-256 of the JSON file', code(bytesToHex(sha256(bytes)))],
    ]),
  );
}

/** What a reader should know about this page, whatever the verdict. */
export function limitsOf(): HTMLElement {
  const list = (...lines: readonly (string | readonly (string | Node)[])[]): HTMLElement => {
    const made = element('ul');
    for (const line of lines) made.append(element('li', {}, ...(typeof line === 'string' ? [line] : line)));
    return made;
  };
  return section(
    'limits',
    'What this does not show',
    null,
    list(
      [
        'Who made this page. Its verdict is that of the code inside it, and whoever can forge evidence can forge a page that praises it. When it matters, check the file with your own copy of the verifier: ',
        element('code', { class: 'command' }, 'writ audit verify FILE.html --vkey KEY'),
        '.',
      ],
      'That the keeper of the log told the truth. Whoever holds the key can sign another log; an older checkpoint kept elsewhere, or witnesses, show the difference.',
      'Whose key signed an approval or an answer. The signature holds under the key shown; that it is this person’s key is for the enrolment records (approvers.yaml) to say.',
      'That the times are right: they are the claim of the machine that wrote the log, bounded only by the witnesses.',
      'Entries of other runs, and entries of this run after the last one shown.',
    ),
  );
}

function stepText(step: string, attempt: number | null): string {
  return attempt === null ? foreign(step) : `${foreign(step)}, attempt ${attempt}`;
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return decodeUtf8(bytes);
  } catch (error) {
    // Attacker-controlled bytes that are no text are said to be none.
    if (error instanceof WritError) return null;
    throw error;
  }
}

/** undefined when it is no JSON: then it is shown as text. */
function jsonOf(text: string): Json | undefined {
  try {
    return parseJsonText(text);
  } catch (error) {
    // A media type is a claim; text that does not keep it is shown as it is.
    if (error instanceof WritError) return undefined;
    throw error;
  }
}
