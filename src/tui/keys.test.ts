import { describe, expect, it } from 'vitest';
import { createKeyDecoder, type Key } from './keys.js';

const decode = (...chunks: string[]): Key[] => {
  const decoder = createKeyDecoder();
  return chunks.flatMap((chunk) => [...decoder.push(chunk)]);
};

describe('keys', () => {
  it.each([
    ['a', [{ kind: 'text', text: 'a' }]],
    ['é', [{ kind: 'text', text: 'é' }]],
    ['🙂', [{ kind: 'text', text: '🙂' }]],
    ['\r', [{ kind: 'enter' }]],
    ['\n', [{ kind: 'other' }]],
    ['\u001b', [{ kind: 'escape' }]],
    ['\u007f', [{ kind: 'backspace' }]],
    ['\u0003', [{ kind: 'interrupt' }]],
    ['\u001b[A', [{ kind: 'up' }]],
    ['\u001bOB', [{ kind: 'down' }]],
    ['\u001b[5~', [{ kind: 'page-up' }]],
    ['\u001b[6~', [{ kind: 'page-down' }]],
    ['\u001b[I', [{ kind: 'focus-in' }]],
    ['\u001b[O', [{ kind: 'focus-out' }]],
    ['\u001ba', [{ kind: 'other' }]],
    ['\u001b[1;5C', [{ kind: 'other' }]],
    ['', []],
  ])('reads %j as one key', (chunk, keys) => {
    expect(decode(chunk)).toEqual(keys);
  });

  it('takes several characters at once for a paste, Enter among them', () => {
    expect(decode('12ab\r')).toEqual([{ kind: 'paste', text: '12ab\r' }]);
    expect(decode('jj')).toEqual([{ kind: 'paste', text: 'jj' }]);
  });

  it('takes bracketed paste for one paste, however the chunks fall', () => {
    const text = '\u001b[200~1\u001b[201~';
    expect(decode(text)).toEqual([{ kind: 'paste', text: '1' }]);
    for (let at = 7; at < text.length; at += 1) {
      expect(decode(text.slice(0, at), text.slice(at))).toHaveLength(1);
      expect(decode(text.slice(0, at), text.slice(at))[0]?.kind).toBe('paste');
    }
    expect(decode('\u001b[200~', '1', '2', '\u001b[20', '1~', 'a')).toEqual([
      { kind: 'paste', text: expect.stringMatching(/^12/) },
      { kind: 'text', text: 'a' },
    ]);
  });

  it('drops what comes in the same chunk as a paste, so that a clipboard can not end its own paste and type on', () => {
    expect(decode('\u001b[200~x\u001b[201~a')).toEqual([{ kind: 'paste', text: 'x' }]);
  });

  it('keeps no more of a paste than its bound', () => {
    const [key] = decode('\u001b[200~', 'x'.repeat(100_000), '\u001b[201~');
    expect(key?.kind === 'paste' && key.text.length).toBe(4096);
  });

  it('makes one step of a held-down arrow, and a paste of arrows mixed with text', () => {
    expect(decode('\u001b[B\u001b[B\u001b[B')).toEqual([{ kind: 'down' }]);
    expect(decode('\u001b[Ba')).toEqual([{ kind: 'paste', text: '\u001b[Ba' }]);
  });

  it('sees Ctrl+C in any chunk outside a paste', () => {
    expect(decode('ab\u0003')).toEqual([{ kind: 'interrupt' }]);
  });

  it('sees Ctrl+C alone in a paste whose end never comes, and what is typed after it', () => {
    expect(decode('\u001b[200~yes', 'a', '\u0003', 'q')).toEqual([
      { kind: 'interrupt' },
      { kind: 'text', text: 'q' },
    ]);
    expect(decode('\u001b[200~a\u0003b\u001b[201~')).toEqual([{ kind: 'paste', text: 'a\u0003b' }]);
  });

  it('reports the focus beside a key of the same chunk', () => {
    expect(decode('\u001b[Ia')).toEqual([{ kind: 'focus-in' }, { kind: 'text', text: 'a' }]);
  });
});
