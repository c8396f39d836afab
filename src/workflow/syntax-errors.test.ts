import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseWorkflow, validate } from './parse.js';

function told(text: string): readonly string[] {
  return validate(text).diagnostics.map(({ code, line, column }) => `${code} ${line}:${column}`);
}

const HEAD = 'id: w\nagents: [a]\nsteps:\n';
const step = (name: string, ...lines: string[]) =>
  [`  - name: ${name}`, '    functionId: agent::chat', ...lines.map((line) => `    ${line}`)].join('\n') +
  '\n';

describe('a text that is no YAML', () => {
  it('is told every slip in it, each once and where it begins', () => {
    const slips = [
      step('A', 'promptTemplate: Review: the draft'),
      step('B', '\tmode: loop'),
      step('C', 'agent: @coder'),
      step('"D', 'agent: a'),
    ];
    expect(told(HEAD + slips.join(''))).toEqual([
      'DOC_SYNTAX 6:21',
      'DOC_SYNTAX 9:5',
      'DOC_SYNTAX 12:12',
      'DOC_SYNTAX 13:11',
    ]);
    const open = validate(`${HEAD}${step('"D', 'agent: a')}`).diagnostics;
    expect(open).toMatchObject([
      { message: 'text that begins with " has no " at its end', line: 4, column: 11 },
    ]);
    expect(told(`${HEAD}${step('A', "agent: 'a")}`)).toEqual(['DOC_SYNTAX 6:12']);
  });

  // Looked for anew at each slip, what begins before it took minutes.
  it('hole: a line with a slip in every word held the process', () => {
    const { diagnostics } = validate(`id: w\nsteps: [${'{"a" "b"},'.repeat(20_000)}]\n`);
    expect(diagnostics[0]).toMatchObject({ code: 'DOC_SYNTAX', line: 2 });
  });

  it('is told the slips of every document in it, and that there is more than one', () => {
    expect(told(`${HEAD}${step('A', 'agent: @a')}---\nid: [\n`)).toEqual([
      'DOC_SYNTAX 6:12',
      'DOC_SYNTAX 7:1',
      'DOC_SYNTAX 8:6',
    ]);
  });

  it('is told what is wrong with the steps and fields before the first slip, and nothing of what is not whole', () => {
    const before = `descripton: x\nonMissing: never\n${HEAD}${step('A', 'mdoe: loop', 'timeoutMs: soon')}  - name: B\n`;
    const text = `${before}${step('C', 'promptTemplate: "{{nowhere', 'functionid: x')}${step('D', 'mdoe: loop')}`;
    expect(told(text)).toEqual([
      'DOC_UNKNOWN_FIELD 1:1',
      'DOC_BAD_VALUE 2:12',
      'DOC_UNKNOWN_FIELD 8:5',
      'DOC_WRONG_TYPE 9:16',
      'DOC_MISSING_FIELD 10:5',
      'DOC_SYNTAX 13:21',
    ]);
    expect(parseWorkflow(text)).toMatchObject({ plan: null, draft: null, document: null });
  });

  it('is told what the reading of it found before the first slip, and of a value that was not read no more', () => {
    const alias = `  - *nowhere\n${step('A', 'agent: a', 'agent: b', 'config: {{goal}}')}`;
    expect(told(`${HEAD}${alias}${step('B', 'agent: @b', 'agent: c', 'agent: *d')}`)).toEqual([
      'DOC_SYNTAX 4:5',
      'DOC_DUPLICATE_FIELD 8:5',
      'DOC_SYNTAX 9:14',
      'DOC_SYNTAX 12:12',
    ]);
  });

  it('is told no fault that it has not: whatever the slip, and wherever it stands in a sound workflow', () => {
    const lines = readFileSync(new URL('templates/incident-response.yaml', import.meta.url), 'utf8').split(
      '\n',
    );
    let broken = 0;
    for (const [at, line] of lines.entries()) {
      const indent = line.length - line.trimStart().length;
      for (const slip of ['"', '\t', '[', '}', '@', '{{', '- ', 'x: ', '*']) {
        for (const changed of [`${line}${slip}`, `${line.slice(0, indent)}${slip}${line.trimStart()}`]) {
          const text = [...lines.slice(0, at), changed, ...lines.slice(at + 1)].join('\n');
          const { diagnostics, document } = parseWorkflow(text);
          if (document !== null || diagnostics.every(({ code }) => code !== 'DOC_SYNTAX')) continue;
          broken++;
          expect(
            diagnostics.filter(({ code }) => code !== 'DOC_SYNTAX'),
            text,
          ).toEqual([]);
        }
      }
    }
    expect(broken).toBeGreaterThan(200);
  });
});
