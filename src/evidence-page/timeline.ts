// Every entry of the run, and the entries about the log itself, one line each in the log's order.
import { displaySubject } from '../approval/display.js';
import type { Moment } from '../audit/evidence/moment.js';
import type { RunStory } from '../audit/evidence/timeline.js';
import { block, element, folded, foreign, section, time, stepText } from './element.js';

export function timelineSection({ moments }: RunStory): HTMLElement {
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

export function logSection({ log }: RunStory): HTMLElement | null {
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
