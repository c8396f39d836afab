// How a command is registered: what a group of commands gets, and what an action is.
import type { Command } from 'commander';
import { WritError } from '../../errors.js';
import type { Context } from '../context.js';

/** Options as commander gives them: of any type until one of options.ts has looked. */
export type Flags = Record<string, unknown>;

/** Does what a command says; resolves with the exit code. */
export type Action = (context: Context, args: readonly string[], flags: Flags) => Promise<number>;

/** Registers a command with its help text and example. */
export type Leaf = (
  parent: Command,
  usage: string,
  description: string,
  example: string,
  action: Action,
  /** Not for people; what the group does without a verb. */
  how?: { readonly hidden?: boolean; readonly isDefault?: boolean },
) => Command;

/** As commander says it of a group that does nothing without a verb. */
export async function unknownVerb(group: Command, word: string): Promise<WritError> {
  const { closest, distance } = await import('fastest-levenshtein');
  const near = closest(
    word,
    group.commands.map((one) => one.name()),
  );
  const hint = distance(word, near) <= 3 ? `did you mean ${near}?` : 'add --help to see what is possible';
  return new WritError('USAGE', `unknown command '${word}'`, { hint });
}
