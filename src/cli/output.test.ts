import { describe, expect, it } from 'vitest';
import { createOutput, wantsColor } from './output.js';

function open(json = false, env: Record<string, string> = {}, isTTY = false) {
  const [out, err]: [string[], string[]] = [[], []];
  const stdout = { isTTY, write: (text: string) => out.push(text) };
  const stderr = { write: (text: string) => err.push(text) };
  const output = createOutput({ stdout, stderr, json, env });
  return { output, out: () => out.join(''), err: () => err.join('') };
}

describe('output', () => {
  it('puts results on stdout and notes on stderr', () => {
    const { output, out, err } = open();
    output.line('result');
    output.note('progress');
    expect([out(), err()]).toEqual(['result\n', 'progress\n']);
  });

  it('prints nothing but the one JSON value on stdout under --json', () => {
    const { output, out } = open(true);
    output.line('for people');
    output.value({ size: 3n });
    expect(JSON.parse(out())).toEqual({ size: '3' });
    expect(() => {
      output.value({});
    }).toThrow('one JSON value');
  });

  it.each([
    ['clearing the screen', 'a\u001b[2Jb', 'a\\u001b[2Jb'],
    ['concealing text', '\u001b[8mhidden', '\\u001b[8mhidden'],
    ['setting the title', '\u001b]0;x\u0007', '\\u001b]0;x\\u0007'],
    ['reordering', 'a\u202eb', 'a\\u202eb'],
    ['returning to the start of the line', 'ok\rno', 'ok\\rno'],
    ['C1 controls', '\u009b2J', '\\u009b2J'],
  ])('lets no text control the terminal by %s', (_, text, shown) => {
    const { output, out, err } = open();
    output.line(text);
    output.note(text);
    expect([out(), err()]).toEqual([`${shown}\n`, `${shown}\n`]);
  });

  it('keeps its own styles', () => {
    const { output, out } = open(false, { FORCE_COLOR: '1' });
    output.line(output.colors.green('ok'));
    expect(out()).toBe('\u001b[32mok\u001b[39m\n');
  });
});

describe('colour', () => {
  it.each([
    [true, true, {}],
    [false, false, {}],
    [false, true, { NO_COLOR: '1' }],
    [true, true, { NO_COLOR: '' }],
    [false, true, { NO_COLOR: '1', FORCE_COLOR: '1' }],
    [true, false, { FORCE_COLOR: '1' }],
    [false, false, { FORCE_COLOR: '0' }],
    [false, true, { TERM: 'dumb' }],
  ])('is %s with a terminal %s and %j', (wanted, isTTY, env) => {
    expect(wantsColor({ isTTY, write: () => true }, env)).toBe(wanted);
  });
});
