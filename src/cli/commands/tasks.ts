// The commands `writ task …`.
import type { AnswerFlags } from '../task/task.js';
import { FORMAT, listFlagsOf, pageOptions, textsIn } from './options.js';
import type { Flags, Group, OptionRow } from './verb.js';

const TOKEN: OptionRow = [
  '--token <token>',
  'the token that the step was called with; @FILE, or @- for stdin',
];
const NO_CONTINUE: OptionRow = ['--no-continue', 'record the answer only, do not advance the run here'];

export const taskCommands: Group = {
  name: 'task',
  does: 'answer what waits for an answer from outside: forms and tokens',
  example: 'writ task list',
  verbs: [
    {
      name: 'list',
      does: 'list what waits for an answer from outside',
      example: 'writ task list',
      options: [...pageOptions('answered and expired ones too'), FORMAT],
      action: async (context, _, flags) =>
        (await import('../task/task.js')).listTasks(context, listFlagsOf(flags)),
    },
    {
      name: 'show',
      does: 'show what is asked, and the form',
      example: 'writ task show ID',
      words: [['<id>', 'task id']],
      options: [FORMAT],
      action: async (context, [id = '']) => (await import('../task/task.js')).showTask(context, id),
    },
    {
      name: 'complete',
      does: 'fill in a form, field by field at a terminal, or bring a token back with the result; then go on with the run',
      example: 'writ task complete ID --output @answer.json --key bob.key',
      words: [['[id]', 'task id of a form']],
      options: [
        [
          '--output <json>',
          'the result: JSON, @FILE or @- for stdin; a terminal asks for each field without it',
        ],
        NO_CONTINUE,
        TOKEN,
      ],
      action: async (context, [id], flags) =>
        (await import('../task/task.js')).completeTask(context, id, answerFlags(flags)),
    },
    {
      name: 'fail',
      does: 'refuse a form, or bring a token back with an error, then go on with the run',
      example: "writ task fail ID --cause 'not without the invoice'",
      words: [['[id]', 'task id of a form']],
      options: [
        ['--error <name>', 'name that a catch may list; of a form Approval.Denied when left out'],
        ['--cause <text>', 'why; kept as a payload, only its commitment is logged'],
        NO_CONTINUE,
        TOKEN,
      ],
      action: async (context, [id], flags) =>
        (await import('../task/task.js')).failTask(context, id, answerFlags(flags)),
    },
    {
      name: 'heartbeat',
      does: 'say that a step is still being worked on',
      example: 'writ task heartbeat --token @token.txt',
      options: [TOKEN],
      action: async (context, _, flags) =>
        (await import('../task/task.js')).heartbeatTask(context, answerFlags(flags)),
    },
  ],
};

function answerFlags(flags: Flags): AnswerFlags {
  return {
    ...textsIn(flags, 'token', 'output', 'error', 'cause'),
    continue: flags['continue'] !== false,
  };
}
