// A short way to read an entry that is in order. Its keys come in one order and its frame has one spelling, so the
// text is read from left to right without making a tree of it; only `data` and `commit` are parsed, after they were
// recognised as plain canonical JSON. What passes, the strict reader, the canonical form and the schema accept with
// the same result (test/property/entry-frame.test.ts); whatever does not pass is read by those, which also know what
// is wrong with it.
import { isHex64, type Commitment, type Hex, type JsonObject } from '../json.js';
import { isEntryType, isLabel, type Entry } from './entry-schema.js';
import { plainObjectEnd, plainStringEnd } from './plain-json.js';
import { parseTime } from './time.js';

/**
 * The entry that `text` (attacker-controlled, decoded from strict UTF-8) is the canonical form of; null when this
 * reader can't tell. Time is linear in the text.
 */
export function readFrame(text: string): Entry | null {
  const frame = new Frame(text);
  const id = frame.text('{"actor":{"id":');
  const via = frame.text(',"via":');
  const commit = frame.commit('},"commit":');
  const data = frame.object(',"data":');
  const policy = frame.hexOrNull(',"policy":');
  const prev = frame.hexOrNull(',"prev":');
  const run = frame.textOrNull(',"run":');
  const seq = frame.count(',"seq":');
  const tenant = frame.text(',"tenant":');
  const time = frame.text(',"time":');
  const type = frame.text(',"type":');
  const workflow = frame.workflow(',"v":1,"workflow":');
  const timeMs = parseTime(time);
  if (!frame.endsWith('}') || timeMs === null || !isEntryType(type)) return null;
  const actor = { id, via };
  return { v: 1, type, seq, prev, run, tenant, actor, workflow, policy, time, timeMs, data, commit };
}

/**
 * Reads one part after the other; each begins with the literal text in front of its value. Once something is not as
 * expected, `endsWith` is false and the values mean nothing.
 */
class Frame {
  readonly #text: string;
  /** -1 after something unexpected. */
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** True when all was as expected and nothing but `literal` is left. */
  endsWith(literal: string): boolean {
    return this.#expect(literal) && this.#at === this.#text.length;
  }

  /** A string that is not empty and needs no escape. */
  text(before: string): string {
    if (!this.#expect(before) || !this.#expect('"')) return '';
    const start = this.#at;
    const end = plainStringEnd(this.#text, start);
    this.#at = end - start > 1 ? end : -1;
    return this.#text.slice(start, end - 1);
  }

  hex(before: string): (Hex & Commitment) | null {
    if (!this.#expect(before) || !this.#expect('"')) return null;
    const found = this.#text.slice(this.#at, this.#at + 64);
    this.#at += 64;
    return isHex64(found) && this.#expect('"') ? found : this.#fail();
  }

  textOrNull(before: string): string | null {
    return !this.#expect(before) || this.#over('null') ? null : this.text('');
  }

  hexOrNull(before: string): Hex | null {
    return !this.#expect(before) || this.#over('null') ? null : this.hex('');
  }

  /** Up to 15 digits: always a safe integer. */
  count(before: string): number {
    if (!this.#expect(before)) return 0;
    const start = this.#at;
    let end = start;
    while (isDigit(this.#text.charCodeAt(end)) && end - start < 16) end += 1;
    const digits = end - start;
    const isPlain = digits > 0 && digits < 16 && (digits === 1 || this.#text.charAt(start) !== '0');
    this.#at = isPlain ? end : -1;
    return Number(this.#text.slice(start, end));
  }

  object(before: string): JsonObject {
    if (!this.#expect(before)) return {};
    const start = this.#at;
    // Of the levels that count, the entry is the first.
    this.#at = plainObjectEnd(this.#text, start, 2);
    return this.#at < start + 3 ? {} : (JSON.parse(this.#text.slice(start, this.#at)) as JsonObject);
  }

  commit(before: string): Record<string, Commitment> {
    const commit: Record<string, Commitment> = {};
    if (!this.#expect(before) || this.#over('{}')) return commit;
    for (let last = ''; ;) {
      const label = this.text(last === '' ? '{' : ',');
      const value = this.hex(':');
      // Ascending, as the canonical form has them. Assignment to __proto__ would set no key.
      if (value === null || label <= last || !isLabel(label) || label === '__proto__')
        return this.#fail() ?? commit;
      commit[label] = value;
      if (this.#over('}')) return commit;
      last = label;
    }
  }

  workflow(before: string): Entry['workflow'] {
    if (!this.#expect(before) || this.#over('null')) return null;
    const hash = this.hex('{"hash":');
    const id = this.text(',"id":');
    return this.#expect('}') && hash !== null ? { id, hash } : null;
  }

  #expect(literal: string): boolean {
    if (this.#over(literal)) return true;
    this.#at = -1;
    return false;
  }

  #fail(): null {
    this.#at = -1;
    return null;
  }

  /** Moves over `literal`; where it is not, nothing moves. */
  #over(literal: string): boolean {
    const end = this.#at + literal.length;
    if (this.#at < 0 || this.#text.slice(this.#at, end) !== literal) return false;
    this.#at = end;
    return true;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
