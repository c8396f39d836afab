// The commands `writ task …`.
import type { Command } from 'commander';
import type { Flags, Leaf } from './leaf.js';
import { textsIn, withFormat } from './options.js';

/** Registers them at `parent`. */
export function addTaskCommands(parent: Command, leaf: Leaf): void {
  withFormat(
    leaf(
      parent,
      'list',
      'list what waits for an answer from outside',
      'writ task list',
      async (context, _, flags) =>
        (await import('../task.js')).listTasks(context, {
          all: flags['all'] === true,
          ...textsIn(flags, 'run', 'limit', 'cursor'),
        }),
    )
      .option('--all', 'answered and expired ones too')
      .option('--run <run>', 'of this run only')
      .option('--limit <n>', 'at most so many, 1 to 100 (default 100)')
      .option('--cursor <cursor>', 'where an earlier list ended'),
  );
  withFormat(
    leaf(
      parent,
      'show',
      'show what is asked, and the form',
      'writ task show ID',
      async (context, [id = '']) => (await import('../task.js')).showTask(context, id),
    ).argument('<id>', 'task id'),
  );
  const complete = leaf(
    parent,
    'complete',
    'fill in a form, field by field at a terminal, or bring a token back with the result; then go on with the run',
    'writ task complete ID --output @answer.json --key bob.key',
    async (context, [id], flags) =>
      (await import('../task.js')).completeTask(context, id, answerFlags(flags)),
  ).option(
    '--output <json>',
    'the result: JSON, @FILE or @- for stdin; a terminal asks for each field without it',
  );
  const fail = leaf(
    parent,
    'fail',
    'refuse a form, or bring a token back with an error, then go on with the run',
    "writ task fail ID --cause 'not without the invoice'",
    async (context, [id], flags) => (await import('../task.js')).failTask(context, id, answerFlags(flags)),
  )
    .option('--error <name>', 'name that a catch may list; of a form Approval.Denied when left out')
    .option('--cause <text>', 'why; kept as a payload, only its commitment is logged');
  for (const command of [complete, fail]) {
    command
      .argument('[id]', 'task id of a form')
      .option('--no-continue', 'record the answer only, do not advance the run here');
  }
  const heartbeat = leaf(
    parent,
    'heartbeat',
    'say that a step is still being worked on',
    'writ task heartbeat --token @token.txt',
    async (context, _, flags) => (await import('../task.js')).heartbeatTask(context, answerFlags(flags)),
  );
  for (const command of [complete, fail, heartbeat])
    command.option('--token <token>', 'the token that the step was called with; @FILE, or @- for stdin');
}

function answerFlags(flags: Flags) {
  return {
    ...textsIn(flags, 'token', 'output', 'error', 'cause'),
    continue: flags['continue'] !== false,
  };
}
