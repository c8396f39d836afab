// What held a step: the decisions of policy, the layers of the ceiling, and what the sandbox kept.
import { displaySubject } from '../approval/display.js';
import type { ShownDecision } from '../audit/evidence/shown-decision.js';
import type { RunStory } from '../audit/evidence/timeline.js';
import { block, code, element, folded, foreign, section, table, stepText } from './element.js';

export function decisionSection({ decisions }: RunStory): HTMLElement {
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

export function ceilingSection({ ceilings }: RunStory): HTMLElement | null {
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

export function sandboxSection({ sandboxes }: RunStory): HTMLElement | null {
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
