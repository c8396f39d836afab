// What a command is to the command line: a row of its group's table in the files beside this one. program.ts makes
// commander's commands of them.
import type { Option } from 'commander';
import { WritError } from '../../errors.js';
import type { Context } from '../context.js';

/** Options as commander gives them: of any type until one of options.ts has looked. */
export type Flags = Record<string, unknown>;

/** An option; what its text becomes when that is not the text. */
export type OptionRow =
  Option | readonly [flags: string, says: string, parse?: (value: string, before: unknown) => unknown];

export interface Verb {
  readonly name: string;
  /** Told in the list of its group, and first in its own help. */
  readonly does: string;
  /** Told last in its help. */
  readonly example: string;
  /** What it takes beside its options. */
  readonly words?: readonly (readonly [name: string, says?: string])[];
  readonly options?: readonly OptionRow[];
  /** Instead of the usage that follows from words and options. */
  readonly usage?: string;
  /** Not for people. */
  readonly isHidden?: boolean;
  /** What its group does without a verb. */
  readonly isDefault?: boolean;
  /** Does what the command says; resolves with the exit code. */
  readonly action: (context: Context, words: readonly string[], flags: Flags) => Promise<number>;
}

/** Commands under one name, in the order of the help. */
export interface Group extends Pick<Verb, 'name' | 'does' | 'example'> {
  readonly verbs: readonly (Verb | Group)[];
}

/** As commander says it of a group that does nothing without a verb. */
export async function unknownVerb(group: Group, word: string): Promise<WritError> {
  const { closest, distance } = await import('fastest-levenshtein');
  const near = closest(
    word,
    group.verbs.map((one) => one.name),
  );
  const hint = distance(word, near) <= 3 ? `did you mean ${near}?` : 'add --help to see what is possible';
  return new WritError('USAGE', `unknown command '${word}'`, { hint });
}
