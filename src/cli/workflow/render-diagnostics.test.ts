import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../runtime/writ.js';
import { countDiagnostics, renderDiagnostics } from './render-diagnostics.js';

const plain = pc.createColors(false);
const diagnostic = (change: Partial<Diagnostic> = {}): Diagnostic => ({
  code: 'DOC_UNKNOWN_FIELD',
  severity: 'error',
  message: 'unknown field "stpes"',
  hint: 'did you mean steps?',
  line: 3,
  column: 1,
  path: 'stpes',
  ...change,
});
const SOURCE = 'id: a\nname: A\nstpes:\n  - name: B\n';

describe('diagnostics', () => {
  it('show place, code, message, frame, path and hint', () => {
    expect(renderDiagnostics('flow.yaml', SOURCE, [diagnostic()], plain)).toBe(
      [
        'flow.yaml:3:1: error DOC_UNKNOWN_FIELD: unknown field "stpes"',
        '  1 | id: a',
        '  2 | name: A',
        '> 3 | stpes:',
        '    | ^',
        '  4 |   - name: B',
        '  5 |',
        '  at stpes',
        '  hint: did you mean steps?',
      ].join('\n'),
    );
  });

  it('tell a hint once that holds for several of them, one behind the other', () => {
    const hints = (...given: string[]) =>
      renderDiagnostics(
        'f',
        SOURCE,
        given.map((hint) => diagnostic({ hint })),
        plain,
      )
        .split('\n')
        .filter((line) => line.includes('hint:'));
    expect(hints('add none to the ceiling', 'add none to the ceiling', 'other')).toEqual([
      '  hint: add none to the ceiling',
      '  hint: as above',
      '  hint: other',
    ]);
    expect(hints('one', 'other', 'one').at(-1)).toBe('  hint: one');
  });

  it('keep the line numbers of the file deep inside it', () => {
    const source = Array.from({ length: 200 }, (_, at) => `line${at + 1}`).join('\n');
    const text = renderDiagnostics('f', source, [diagnostic({ line: 120, column: 5 })], plain);
    expect(text).toContain('> 120 | line120\n      |     ^');
    expect(text).toContain('  118 | line118');
  });

  it('cut a very long line around the column', () => {
    const source = `{"a": "${'x'.repeat(5_000)}", !oops, "${'y'.repeat(5_000)}"}`;
    const column = source.indexOf('!') + 1;
    const text = renderDiagnostics('f', source, [diagnostic({ line: 1, column })], plain);
    const [, frame = '', marker = ''] = text.split('\n');
    expect(text.length).toBeLessThan(600);
    expect(frame[marker.indexOf('^')]).toBe('!');
  });

  it('write out hidden characters of the source and keep the marker under its place', () => {
    const source = 'a: \u202e\u001b[2Jb !';
    const text = renderDiagnostics(
      'f',
      source,
      [diagnostic({ line: 1, column: source.indexOf('!') + 1 })],
      plain,
    );
    const [, frame = '', marker = ''] = text.split('\n');
    expect(text).not.toContain('\u202e');
    expect(text).not.toContain('\u001b');
    expect(frame[marker.indexOf('^')]).toBe('!');
  });

  it('show no frame for a line the file does not have', () => {
    expect(renderDiagnostics('f', 'a', [diagnostic({ line: 9, hint: 'h' })], plain)).not.toContain('|');
  });

  it('are counted', () => {
    expect(countDiagnostics([])).toBe('');
    expect(countDiagnostics([{ severity: 'error' }])).toBe('1 error');
    expect(countDiagnostics([{ severity: 'error' }, { severity: 'warning' }, { severity: 'error' }])).toBe(
      '2 errors, 1 warning',
    );
  });
});
