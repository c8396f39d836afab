import { describe, expect, it } from 'vitest';
import type { Commitment } from '../json.js';
import { formatPayloadLine, parsePayloadLine, type PayloadLine } from './payload-line.js';

const LINE: PayloadLine = {
  commitment: 'a'.repeat(64) as Commitment,
  label: 'input',
  mediaType: 'application/json',
  run: 'run-1',
  salt: new Uint8Array(32).fill(7),
  bytes: new TextEncoder().encode('{"a":1}'),
};
const text = new TextDecoder().decode(formatPayloadLine(LINE)).trimEnd();
const parse = (line: string): PayloadLine => parsePayloadLine(new TextEncoder().encode(line));

describe('a payload line', () => {
  it('is canonical JSON and a newline, and reads back', () => {
    expect(text).toBe(
      `{"bytes":"eyJhIjoxfQ==","commitment":"${'a'.repeat(64)}","label":"input","mediaType":"application/json",` +
        `"run":"run-1","salt":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}`,
    );
    expect(parse(text)).toEqual(LINE);
  });
  it('has null for what was erased, and may be empty', () => {
    for (const line of [
      { ...LINE, salt: null, bytes: null },
      { ...LINE, bytes: new Uint8Array(0) },
    ]) {
      expect(parsePayloadLine(formatPayloadLine(line).subarray(0, -1))).toEqual(line);
    }
  });
  it.each([
    ['not JSON', 'x'],
    ['no object', '[]'],
    ['two equal keys', text.replace('"run":"run-1"', '"run":"run-1","run":"run-1"')],
    ['white space', ` ${text}`],
    ['another key', text.replace('"run"', '"run2"')],
    ['a further key', text.replace('}', ',"x":1}')],
    ['a commitment in capitals', text.replace('a'.repeat(64), 'A'.repeat(64))],
    ['a short commitment', text.replace('a'.repeat(64), 'a'.repeat(63))],
    ['base64 that is not canonical', text.replace('eyJhIjoxfQ==', 'eyJhIjoxfR==')],
    ['base64url', text.replace('eyJhIjoxfQ==', '_-8=')],
    ['bytes of another type', text.replace('"eyJhIjoxfQ=="', '1')],
    ['a label of another type', text.replace('"input"', 'null')],
  ])('with %s is refused', (_what, line) => {
    expect(() => parse(line)).toThrow(expect.objectContaining({ code: 'AUDIT_JSON_INVALID' }));
  });
  it('that is not UTF-8 is refused', () => {
    expect(() => parsePayloadLine(Uint8Array.of(0x22, 0xff, 0x22))).toThrow(
      expect.objectContaining({ code: 'AUDIT_JSON_INVALID' }),
    );
  });
});
