// The evidence page: judges the bundle inside it, in this browser, with the same code as the command line, and shows
// what it proves. It fetches nothing and keeps nothing. Ed25519 is the portable implementation alone: WebCrypto is
// asynchronous, absent in some browsers under file://, and not equally strict about encodings everywhere, while a run
// has only as many signatures as people who decided; one implementation gives one verdict on every machine.
import { verifyClaimedDecision } from '../approval/claimed-decision.js';
import { verifyClaimedTaskAnswer } from '../approval/claimed-task-answer.js';
import { digestOfSubjectBytes } from '../approval/subject.js';
import { unescapeJson } from '../audit/evidence/page-file.js';
import { storyOf } from '../audit/evidence/timeline.js';
import { verifyEvidence, type JudgedEvidence } from '../audit/evidence/verify.js';
import { code, element } from './element.js';
import { addressPin, pinForm, type Pinned } from './pin.js';
import { contentOf, limitsOf } from './content.js';
import { showVerdict } from './verdict.js';

/** The bytes of F.json; null unless the page holds exactly one data block. */
function evidenceBytes(): Uint8Array | null {
  const blocks = document.querySelectorAll('script[type="application/json"]');
  const [only] = blocks;
  if (blocks.length !== 1 || only === undefined || only.id !== 'evidence') return null;
  return new TextEncoder().encode(unescapeJson(only.textContent));
}

function judge(bytes: Uint8Array, pinned: Pinned | null): JudgedEvidence {
  return verifyEvidence(bytes, {
    ...(pinned?.vkeys === undefined ? {} : { vkeys: pinned.vkeys }),
    ...(pinned?.policy === undefined ? {} : { policy: pinned.policy }),
    verifyDecision: verifyClaimedDecision,
    verifyAnswer: verifyClaimedTaskAnswer,
    subjectDigest: digestOfSubjectBytes,
  });
}

function start(): void {
  const main = document.getElementById('page');
  const verdict = document.getElementById('verdict');
  const bytes = evidenceBytes();
  if (main === null || verdict === null || bytes === null) return;
  const content = element('div', { id: 'content' });
  const kicker = element('p', { class: 'kicker' }, 'Evidence of a run');
  const show = (pinned: Pinned | null): void => {
    const started = performance.now();
    const judged = judge(bytes, pinned);
    showVerdict(verdict, judged.report, pinned);
    document.documentElement.dataset['verdict'] = judged.report.verdict;
    document.documentElement.dataset['verifyMs'] = String(Math.round(performance.now() - started));
    showContent(content, kicker, judged, bytes);
  };
  main.prepend(kicker);
  main.append(pinForm(show, addressPin(window.location.hash)), content, limitsOf());
}

/** Content of refused evidence is a claim: it is there to look at, folded and named so. */
function showContent(
  place: HTMLElement,
  kicker: HTMLElement,
  judged: JudgedEvidence,
  bytes: Uint8Array,
): void {
  const { evidence, entries, report } = judged;
  if (evidence === null) return place.replaceChildren();
  const says = report.ok ? 'Evidence of run ' : 'The file says: evidence of run ';
  kicker.replaceChildren(says, code(evidence.scope.run), ' from the log ', code(evidence.origin));
  const disclosed = new Map(evidence.disclosed.map((payload) => [payload.commitment as string, payload]));
  const story = storyOf(evidence.scope.run, entries, new Set(disclosed.keys()));
  document.title = `Evidence of run ${story.run}`;
  const shown = contentOf(judged, evidence, story, disclosed, bytes);
  if (report.ok || report.verdict === 'unpinned') return place.replaceChildren(...shown);
  place.replaceChildren(
    element(
      'details',
      { class: 'claims' },
      element('summary', {}, 'What the file claims. It was refused: none of it is proven.'),
      ...shown,
    ),
  );
}

start();
