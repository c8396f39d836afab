// What the page shows of a run, section by section: facts, approvals, answers, decisions, ceilings, sandboxes, payloads, the
// timeline and the certificate. It words nothing that storyOf or the report does not say.
import { bytesToHex } from '@noble/hashes/utils.js';
import type { DisclosedPayload, Evidence } from '../audit/evidence/format.js';
import type { RunStory } from '../audit/evidence/timeline.js';
import type { JudgedEvidence } from '../audit/evidence/verify.js';
import { readable } from '../audit/evidence/trust.js';
import { sha256 } from '../audit/sha256.js';
import { ceilingSection, decisionSection, sandboxSection } from './judgement.js';
import { payloadSection } from './payloads.js';
import { approvalSection, taskSection } from './people.js';
import { logSection, timelineSection } from './timeline.js';
import { block, code, element, facts, folded, foreign, section, time } from './element.js';

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
