import { Command, type Option } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../program.js';
import { collectAgent, collectText } from './options.js';

const COLLECTING: readonly unknown[] = [collectText, collectAgent];

function all(command: Command, path: readonly string[] = []): readonly (readonly [string, Option])[] {
  return [
    ...command.options.map((option) => [[...path, option.name()].join(' '), option] as const),
    ...command.commands.flatMap((one) => all(one, [...path, one.name()])),
  ];
}

function fresh(): Command {
  const { stdin, stdout, stderr } = process;
  return createProgram({ stdin, stdout, stderr, env: {}, nowMs: () => 0 }, '0').command;
}

/** As a command line does that says it twice. */
function twice(path: string): () => unknown {
  const words = path.split(' ');
  const name = words.pop() ?? '';
  const command = words.reduce((parent, word) => {
    const found = parent.commands.find((one) => one.name() === word);
    if (found === undefined) throw new Error(`no command ${word}`);
    return found;
  }, fresh());
  const option = command.options.find((one) => one.name() === name);
  if (option === undefined) throw new Error(`no option ${path}`);
  const { argChoices = ['1'], parseArg, long } = option;
  const values =
    parseArg === collectAgent ? ['one=instance', 'other=instance'] : [argChoices[0], argChoices[0]];
  return () => command.parseOptions(values.flatMap((value) => [long ?? '', value ?? '']));
}

describe('an option that is given twice (the-last-one-wins)', () => {
  const options = all(fresh()).filter(([, { required, optional }]) => required || optional);

  it('is refused wherever it takes one value, and told by its name', () => {
    const single = options.filter(([, { parseArg }]) => !COLLECTING.includes(parseArg));
    expect(single.length).toBeGreaterThan(80);
    for (const [path, { flags }] of single)
      expect(twice(path), path).toThrow(`option '${flags}' is given twice`);
  });

  it('is collected where it says so', () => {
    const many = options.filter(([, { parseArg }]) => COLLECTING.includes(parseArg));
    expect(many.length).toBeGreaterThan(10);
    for (const [path] of many) expect(twice(path), path).not.toThrow();
  });
});
