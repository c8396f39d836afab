// The certificate that goes with a bundle: a text for the keeper of the records to read, correct and sign, in the form
// that US Federal Rule of Evidence 902(14) asks of data identified by a hash. It says only what was computed and
// checked when it was made; what only a person can know is left to the person. What the bundle says of itself is
// attacker-controlled, signed by nobody: it is quoted as such, on its own line, and never stands for what was checked.
import { EVIDENCE_METHOD } from './build.js';
import type { Evidence } from './format.js';
import type { EvidenceReport } from './report.js';

export interface CertificateFacts {
  readonly evidence: Evidence;
  /** Of this very file, judged under `vkey`; must be ok. */
  readonly report: EvidenceReport;
  /** The key of the log as the installation that keeps the records holds it. */
  readonly vkey: string;
  /** Name of the JSON file, its bytes and its SHA-256 (hex). */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
  /** RFC 3339, UTC. */
  readonly madeAt: string;
  /** Of the software that writes this text. */
  readonly version: string;
  /** null = a blank to fill in. */
  readonly custodian: string | null;
}

const WIDTH = 96;
const BLANK = '______________________________';

/** Plain text, lines of at most 96 characters where the values allow it. Values from the log stand as they are. */
export function certificateText(facts: CertificateFacts): string {
  const { evidence, report, vkey, file, size, sha256, madeAt, version } = facts;
  const custodian = oneLine(facts.custodian ?? evidence.certificate.custodian ?? BLANK);
  const { tool } = evidence.certificate;
  const lines = [
    'CERTIFICATION OF DATA IDENTIFIED BY A HASH',
    'for the custodian of the records or another qualified person to read, correct and sign',
    '',
    ...value('Record', file),
    ...value('Bytes', String(size)),
    ...value('SHA-256', sha256),
    ...value('Subject', `run ${evidence.scope.run}`),
    ...value('Log', report.origin ?? evidence.origin),
    ...value('Log size', `${report.size ?? '-'} entries at the signed checkpoint of the record`),
    ...value('Log root', report.root ?? '-'),
    ...value('Log key', vkey),
    '',
    ...paragraph(
      '1.',
      `I, ${custodian}, am the custodian of the record named above, or otherwise qualified to certify it.`,
    ),
    ...paragraph(
      '2.',
      `The record says that it was made by ${tool} ${evidence.certificate.version}. ${countSentence(report)}`,
    ),
    ...paragraph(
      '3.',
      `The record is identified by its SHA-256 value above. Another file with the same value is the same to the byte for all practical purposes; any change gives another value.`,
    ),
    ...paragraph('4.', `How entries are tied to the log: ${EVIDENCE_METHOD}`),
    ...paragraph(
      '5.',
      `On ${madeAt} this software (writ ${version}) read the file, computed the value above, and checked the record under the log key above, which it read from the installation that keeps the log. It found: ${report.verdict}. ${report.completeness === null ? '' : `${capital(report.completeness.message)}.`}`,
    ),
    ...paragraph('6.', payloadSentence(report)),
    ...paragraph(
      '7.',
      'This check does not show that the times in the entries are right (they are the claim of the machine that wrote them), nor whose hand held a key. It does not show what happened outside the software that wrote the log.',
    ),
    ...report.warnings.flatMap((warning) => paragraph('  ', `Note: ${warning}.`)),
    '',
    'To be confirmed by the person who signs; strike out what does not hold:',
    ...paragraph(
      '[ ]',
      'The log was written by the software at the time of the events, as a regular practice.',
    ),
    ...paragraph(
      '[ ]',
      'The installation that writes the log was in regular use and, to my knowledge, in order.',
    ),
    ...paragraph(
      '[ ]',
      'I have compared the log key above with the one that we published, and they are the same.',
    ),
    '',
    ...paragraph(
      '',
      'I declare under penalty of perjury that the foregoing is true and correct to the best of my knowledge.',
    ),
    '',
    ...value('Name', custodian),
    `Title      ${BLANK}`,
    `Place      ${BLANK}`,
    `Date       ${BLANK}`,
    `Signature  ${BLANK}`,
    '',
    ...paragraph(
      '',
      'Prepared by software for a person to sign. It is not legal advice; whether it is enough is for counsel to say.',
    ),
    '',
  ];
  return lines.join('\n');
}

function countSentence({ completeness }: EvidenceReport): string {
  if (completeness === null) return '';
  const { entries, state } = completeness;
  const end = state === 'closed' ? 'its end included' : 'its end not among them';
  return `Entries of the run in it: ${entries}, ${end}.`;
}

function payloadSentence({ payloads: { disclosed, erased, withheld } }: EvidenceReport): string {
  const shown =
    disclosed === 0
      ? 'No data of the run (inputs, outputs, reasons) is disclosed in the record.'
      : `Data items of the run that are disclosed: ${disclosed}; each is the one its entry committed to.`;
  const gone = erased === 0 ? '' : ` Erased since: ${erased}; the log has an entry for each.`;
  const left = withheld === 0 ? '' : ` Not in the record: ${withheld}.`;
  return `${shown}${gone}${left}`;
}

function value(name: string, text: string): readonly string[] {
  return [`${name.padEnd(10)} ${oneLine(text)}`];
}

/** No line breaks, terminal sequences or turned writing direction: no value makes a paragraph of its own. */
function oneLine(text: string): string {
  return text.replace(/[\p{C}\s]+/gu, ' ').trim();
}

/** Wrapped at spaces, hanging under its mark; a word that is too long stays whole. */
function paragraph(mark: string, text: string): readonly string[] {
  const indent = mark === '' ? '' : `${mark} `.padEnd(4);
  const lines: string[] = [];
  let line = indent;
  for (const word of oneLine(text)
    .split(' ')
    .filter((one) => one !== '')) {
    const isFirst = line.trimEnd() === mark || line.trim() === '';
    if (!isFirst && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = ' '.repeat(indent.length);
    }
    line = line.trim() === '' || line === indent ? `${line}${word}` : `${line} ${word}`;
  }
  return [...lines, line];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
