// The commands `writ task …`.
import type { Command } from 'commander';
import type { AnswerFlags } from '../task/task.js';
import type { Flags, Leaf } from './leaf.js';
import { listFlagsOf, textsIn, withFormat, withPages } from './options.js';

/** Registers them at `parent`. */
export function addTaskCommands(parent: Command, leaf: Leaf): void {
  addList(parent, leaf);
  addShow(parent, leaf);
  const complete = addComplete(parent, leaf);
  const fail = addFail(parent, leaf);
  for (const command of [complete, fail]) {
    command
      .argument('[id]', 'task id of a form')
      .option('--no-continue', 'record the answer only, do not advance the run here');
  }
  const heartbeat = addHeartbeat(parent, leaf);
  for (const command of [complete, fail, heartbeat]) {
    command.option('--token <token>', 'the token that the step was called with; @FILE, or @- for stdin');
  }
}

function addList(parent: Command, leaf: Leaf): void {
  const list = leaf(
    parent,
    'list',
    'list what waits for an answer from outside',
    'writ task list',
    async (context, _, flags) => (await import('../task/task.js')).listTasks(context, listFlagsOf(flags)),
  );
  withFormat(withPages(list, 'answered and expired ones too'));
}

function addShow(parent: Command, leaf: Leaf): void {
  withFormat(
    leaf(
      parent,
      'show',
      'show what is asked, and the form',
      'writ task show ID',
      async (context, [id = '']) => (await import('../task/task.js')).showTask(context, id),
    ).argument('<id>', 'task id'),
  );
}

function addComplete(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'complete',
    'fill in a form, field by field at a terminal, or bring a token back with the result; then go on with the run',
    'writ task complete ID --output @answer.json --key bob.key',
    async (context, [id], flags) =>
      (await import('../task/task.js')).completeTask(context, id, answerFlags(flags)),
  ).option(
    '--output <json>',
    'the result: JSON, @FILE or @- for stdin; a terminal asks for each field without it',
  );
}

function addFail(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'fail',
    'refuse a form, or bring a token back with an error, then go on with the run',
    "writ task fail ID --cause 'not without the invoice'",
    async (context, [id], flags) =>
      (await import('../task/task.js')).failTask(context, id, answerFlags(flags)),
  )
    .option('--error <name>', 'name that a catch may list; of a form Approval.Denied when left out')
    .option('--cause <text>', 'why; kept as a payload, only its commitment is logged');
}

function addHeartbeat(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'heartbeat',
    'say that a step is still being worked on',
    'writ task heartbeat --token @token.txt',
    async (context, _, flags) => (await import('../task/task.js')).heartbeatTask(context, answerFlags(flags)),
  );
}

function answerFlags(flags: Flags): AnswerFlags {
  return {
    ...textsIn(flags, 'token', 'output', 'error', 'cause'),
    continue: flags['continue'] !== false,
  };
}
