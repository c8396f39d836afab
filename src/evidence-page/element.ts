// Building the page's elements. Everything that is shown goes in as text, never as markup, and with its hidden
// characters written out: what a log holds can't act, hide or reorder anything on the page.
import { revealHidden } from '../approval/display.js';

type Child = Node | string | null;

export interface Attributes {
  readonly class?: string;
  readonly id?: string;
  readonly title?: string;
  readonly role?: string;
  readonly for?: string;
  readonly type?: string;
  readonly open?: '';
  readonly [name: `aria-${string}` | `data-${string}`]: string;
}

/** An element; strings among `children` become text nodes. Tag and attribute names are constants of this page. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  for (const child of children) if (child !== null) made.append(child);
  return made;
}

/** Text from the evidence (attacker-controlled) on one line. */
export function foreign(text: string): string {
  return revealHidden(text);
}

/** As `foreign`, in the fixed-width face; may break anywhere. */
export function code(text: string): HTMLElement {
  return element('code', {}, foreign(text));
}

/** Text from the evidence with its line ends kept. */
export function block(lines: readonly string[]): HTMLElement {
  return element('pre', {}, lines.map(foreign).join('\n'));
}

/** Term and value pairs; pairs without a value are left out. */
export function facts(pairs: readonly (readonly [string, Child])[]): HTMLElement {
  const list = element('dl', { class: 'facts' });
  for (const [term, value] of pairs) {
    if (value === null || value === '') continue;
    list.append(element('div', {}, element('dt', {}, term), element('dd', {}, value)));
  }
  return list;
}

/** A time as the log writes it. */
export function time(text: string): HTMLElement {
  const made = element('time', {}, foreign(text).replace('T', ' ').replace(/Z$/, ' UTC'));
  if (/^[0-9T:.Z-]+$/.test(text)) made.setAttribute('datetime', text);
  return made;
}

/** A table that stays one for screen readers when a narrow page stacks its cells. */
export function table(
  caption: string,
  headings: readonly string[],
  rows: readonly (readonly Child[])[],
): HTMLElement {
  const head = element('tr', { role: 'row' });
  for (const heading of headings) head.append(element('th', { role: 'columnheader' }, heading));
  const body = element('tbody', { role: 'rowgroup' });
  for (const row of rows) {
    const line = element('tr', { role: 'row' });
    row.forEach((cell, at) => {
      line.append(element('td', { role: 'cell', 'data-label': headings[at] ?? '' }, cell));
    });
    body.append(line);
  }
  return element(
    'table',
    { role: 'table' },
    element('caption', { class: 'unseen' }, caption),
    element('thead', { role: 'rowgroup' }, head),
    body,
  );
}

/** Content that is made when it is opened the first time: a run may have thousands of entries. */
export function folded(summary: readonly Child[], content: () => readonly Child[]): HTMLElement {
  const made = element('details', {}, element('summary', {}, ...summary));
  made.addEventListener(
    'toggle',
    () => {
      for (const child of content()) if (child !== null) made.append(child);
    },
    { once: true },
  );
  return made;
}

/** A section with its heading; `note` explains it in a sentence. */
export function section(
  id: string,
  heading: string,
  note: string | null,
  ...children: readonly Child[]
): HTMLElement {
  return element(
    'section',
    { 'aria-labelledby': id },
    element('h2', { id }, heading),
    note === null ? null : element('p', { class: 'note' }, note),
    ...children,
  );
}

/** A step as the log names it (attacker-controlled), with its attempt. */
export function stepText(step: string, attempt: number | null): string {
  return attempt === null ? foreign(step) : `${foreign(step)}, attempt ${attempt}`;
}
