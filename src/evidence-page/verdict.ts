// The verdict in plain words, and the findings behind it. `verified` is said only for a report that is ok; everything
// else says first what it is not.
import type { EvidenceReport } from '../audit/evidence/report.js';
import type { Verdict } from '../audit/verify/report.js';
import { element, foreign } from './element.js';

const MEANS: Readonly<Record<Verdict, string>> = {
  verified:
    'Every entry shown below is in the log that the pinned key signed, unchanged, and the run has no gap.',
  unpinned:
    'The parts of this file fit together, but nobody has said yet whose log this is. Anyone could have made such a file. Give the key of the log below, from a source other than this file.',
  malformed: 'The file was changed or damaged: a part of it can not be read as it must be.',
  'bad-signature':
    'A checkpoint of this evidence is not signed by the key it was checked with. Either the key is not that of this log, or not the one of that time (a log can get a new key), or the evidence was changed.',
  'wrong-origin': 'This is the evidence of another log than the one that is trusted.',
  'quorum-missing':
    'Fewer independent witnesses have confirmed the checkpoint than the policy you gave asks for.',
  'entry-mismatch': 'An entry is not the one that stands in the signed log: it was changed.',
  'tile-mismatch': 'A hash is not the one that stands in the signed log.',
  'root-mismatch': 'The hashes do not lead to the root that was signed.',
  missing: 'Something that must be there is not.',
  extra: 'Something is here that does not belong to this run.',
  rollback: 'The log is smaller than it was seen before: entries were cut off.',
  fork: 'The log is not a continuation of an earlier state of it: it was rewritten.',
  'not-canonical': 'The content is not written in the one form that it must have.',
  'chain-broken': 'The entries of the run do not follow one another without a gap.',
  'order-broken':
    'The entries contradict the rules of a run: for example a step without its approval, or an approver signature that does not hold.',
  'payload-mismatch': 'A payload that is shown is not the one the log committed to.',
  'erased-unlogged': 'A payload is called erased, but the log has no entry that says so.',
};

/** What the person has pinned, for the sentence under the verdict. */
export interface Pin {
  /** Names and ids of the pinned keys. */
  readonly keys: readonly string[];
  /** Where they came from: `typed in`, a file's name, the page's address. */
  readonly from: string;
}

/** Fills the live region; called anew whenever the pin changes. */
export function showVerdict(place: HTMLElement, report: EvidenceReport, pin: Pin | null): void {
  const { verdict } = report;
  const tone = report.ok ? 'verified' : verdict === 'unpinned' ? 'unpinned' : 'refused';
  place.className = `verdict ${tone}`;
  const said = tone === 'refused' ? 'Refused' : report.ok ? 'Verified' : 'Unpinned';
  place.replaceChildren(
    element(
      'h1',
      {},
      element(
        'span',
        { class: 'mark', 'aria-hidden': 'true' },
        report.ok ? '✓' : tone === 'unpinned' ? '?' : '✕',
      ),
      ` ${said}`,
      tone === 'refused' ? element('small', {}, ` ${verdict}`) : null,
    ),
    element('p', { class: 'lead' }, MEANS[verdict]),
  );
  if (pin !== null) {
    const keys = pin.keys.map((key) => foreign(key)).join(', ');
    place.append(element('p', {}, `Pinned: ${keys} (${foreign(pin.from)}).`));
  }
  if (report.completeness !== null && tone !== 'refused') {
    place.append(element('p', {}, `${sentenceCase(report.completeness.message)}.`));
  }
  const findings = report.findings.filter((finding) => finding.verdict !== 'unpinned');
  if (findings.length > 0) {
    place.append(
      element('h2', {}, findings.length === 1 ? 'Finding' : `${findings.length} findings`),
      list(findings.map(({ verdict: word, message }) => `${word}: ${message}`)),
    );
  }
  if (report.warnings.length > 0) {
    place.append(element('h2', {}, 'Notes'), list(report.warnings));
  }
}

function list(lines: readonly string[]): HTMLElement {
  const made = element('ul');
  for (const line of lines) made.append(element('li', {}, foreign(line)));
  return made;
}

function sentenceCase(text: string): string {
  const shown = foreign(text);
  return shown.charAt(0).toUpperCase() + shown.slice(1);
}
