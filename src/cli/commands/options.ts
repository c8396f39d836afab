// What options look like: shared ones, how their text becomes a value, how an action reads them.
import { InvalidArgumentError, Option } from 'commander';
import { WritError } from '../../errors.js';
import { MAX_LISTED } from '../../runtime/view/list-cursor.js';
import type { ListFlags } from '../list-flags.js';
import type { Flags, OptionRow } from './verb.js';

/** Where a table is what people get. */
export const FORMAT = new Option('--format <format>', 'table, or json as with --json').choices([
  'table',
  'json',
]);

/** The options of a list in pages; `all` says what it lists beyond what waits. */
export function pageOptions(all: string): readonly OptionRow[] {
  return [
    ['--all', all],
    ['--run <run>', 'of this run only'],
    [
      '--limit <n>',
      `at most so many, 1 to ${MAX_LISTED} (default: ${MAX_LISTED})`,
      wholeNumber(1, MAX_LISTED),
    ],
    ['--cursor <cursor>', 'where an earlier list ended'],
  ];
}

/** What `pageOptions` have said. */
export function listFlagsOf(flags: Flags): ListFlags {
  const limit = numberOf(flags['limit']);
  return {
    all: flags['all'] === true,
    ...(limit === undefined ? {} : { limit }),
    ...textsIn(flags, 'run', 'cursor'),
  };
}

/** The key of whoever may be asked at this terminal. */
export const APPROVER_KEY = new Option(
  '--approver-key <file>',
  'key to decide with when asked at this terminal',
).env('WRIT_APPROVER_KEY');

/** What `APPROVER_KEY` has said. */
export function approverKeyIn(flags: Flags): { readonly approverKey?: string } {
  const approverKey = filledOf(flags['approverKey']);
  return approverKey === undefined ? {} : { approverKey };
}

/** The options by which a start says what its input carries, and a person what a file does. */
export function dataOptions(what: 'input' | 'file'): readonly OptionRow[] {
  return [
    ['--label <name>', `the ${what} carries it; may be given again (default: not known)`, collectText],
    ['--unlabelled', `the ${what} carries no label`],
    new Option('--classification <level>', `how secret the ${what} is (default: not known)`).choices([
      'public',
      'internal',
      'confidential',
      'restricted',
    ]),
  ];
}

/** What `dataOptions` have said; `{}` when nothing. Throws USAGE. */
export function dataSaid(flags: Flags): {
  readonly data?: { readonly labels?: readonly string[]; readonly classification?: string };
} {
  const { label: labels, unlabelled: isUnlabelled } = labelsSaid(flags);
  const classification = textOf(flags['classification']);
  if (!isUnlabelled && labels.length === 0 && classification === undefined) return {};
  return {
    data: {
      ...(isUnlabelled || labels.length > 0 ? { labels } : {}),
      ...(classification === undefined ? {} : { classification }),
    },
  };
}

/** Throws USAGE for labels, and none. */
export function labelsSaid(flags: Flags): {
  readonly label: readonly string[];
  readonly unlabelled: boolean;
} {
  const label = textsOf(flags['label']);
  const unlabelled = flags['unlabelled'] === true;
  if (unlabelled && label.length > 0)
    throw new WritError('USAGE', '--label and --unlabelled exclude each other', { hint: 'give one of them' });
  return { label, unlabelled };
}

/** No upper border. */
export const MOST = Number.MAX_SAFE_INTEGER;

/** Parses an option that is a whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,16}$/u.test(value) ? Number(value) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(
      most === MOST ? `It is a whole number from ${least} on.` : `It is a whole number, ${least} to ${most}.`,
    );
  };
}

/** The value of an option that was parsed as a number. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** How many items to show, when that was said. */
export function itemsOf(flags: Flags): { readonly items?: number } {
  const items = numberOf(flags['items']);
  return items === undefined ? {} : { items };
}

/** An option that may be given again. */
export function collectText(value: string, before: unknown): readonly string[] {
  return [...textsOf(before), value];
}

/** `--agent role=instance`, which may be given again for another role. */
export function collectAgent(value: string, before: unknown): Readonly<Record<string, string>> {
  const [, role, instance] = /^([^=]+)=(.+)$/su.exec(value) ?? [];
  if (role === undefined || instance === undefined) {
    throw new InvalidArgumentError('It has the form role=instance.');
  }
  const agents = agentsOf(before);
  if (Object.hasOwn(agents, role)) throw new InvalidArgumentError(`The role ${role} is given twice.`);
  return { ...agents, [role]: instance };
}

/** The value of an option with a text. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Those of the options `names` that were given, as they were given. */
export function textsIn<Name extends string>(
  flags: Flags,
  ...names: readonly Name[]
): { readonly [key in Name]?: string } {
  const texts: { [key in Name]?: string } = {};
  for (const name of names) {
    const text = textOf(flags[name]);
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

/** A run named as an argument or with --run, once. */
export function runOf(argument: string | undefined, flags: Flags): string {
  const option = textOf(flags['run']);
  const run = argument ?? option;
  if (run !== undefined && (argument === undefined || option === undefined)) return run;
  throw new WritError('USAGE', 'name one run', { hint: 'list them: writ workflow list --runs' });
}

/** A text; one that is empty counts as not given. */
export function filledOf(value: unknown): string | undefined {
  return value === '' ? undefined : textOf(value);
}

/** What an option was given with, each time. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** The roles of `--agent` and who fills them. */
export function agentsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
