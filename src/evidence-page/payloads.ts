// The data that a run committed to: its text where it is disclosed, and what became of it where it is not.
import { displaySubject } from '../approval/display.js';
import type { DisclosedPayload } from '../audit/evidence/format.js';
import type { ShownPayload } from '../audit/evidence/shown-payload.js';
import type { RunStory } from '../audit/evidence/timeline.js';
import { decodeUtf8, parseJsonText } from '../audit/json-reader.js';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { block, code, element, facts, folded, foreign, section } from './element.js';

/** Longest payload text that is shown; the rest is in F.json. */
const MAX_TEXT_CHARS = 200_000;

export function payloadSection(
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

export function payloadText({ bytes, mediaType }: DisclosedPayload): HTMLElement {
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

/** null where it is no text. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return decodeUtf8(bytes);
  } catch (error) {
    // Attacker-controlled bytes that are no text are said to be none.
    if (error instanceof WritError) return null;
    throw error;
  }
}

/** undefined when it is no JSON: then it is shown as text. */
export function jsonOf(text: string): Json | undefined {
  try {
    return parseJsonText(text);
  } catch (error) {
    // A media type is a claim; text that does not keep it is shown as it is.
    if (error instanceof WritError) return undefined;
    throw error;
  }
}
