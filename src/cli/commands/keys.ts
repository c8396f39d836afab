// The commands `writ keys …`.
import { Option } from 'commander';
import { textOf, textsIn } from './options.js';
import type { Group } from './verb.js';

export const keyCommands: Group = {
  name: 'keys',
  does: 'make and look at personal keys',
  example: 'writ keys create alice',
  verbs: [
    {
      name: 'create',
      does: 'make your signing key',
      example: 'writ keys create alice',
      words: [['<name>', 'a label, e.g. your user name']],
      options: [['--out <file>', 'where to (default: your configuration directory)']],
      action: async (context, [name = ''], flags) =>
        (await import('../keys.js')).createKey(context, name, textsIn(flags, 'out')),
    },
    {
      name: 'show',
      does: 'show the public half of a key file',
      example: 'writ keys show alice.key',
      words: [['<file>', 'key file']],
      action: async (context, [file = '']) => (await import('../keys.js')).showKey(context, file),
    },
    {
      name: 'token',
      does: 'a bearer token for writ serve, made with your key; it ends after 5 minutes',
      example: 'writ keys token alice.key --audience https://writ.example.com',
      words: [['<file>', 'key file']],
      options: [new Option('--audience <name>', 'what writ serve says at its start').makeOptionMandatory()],
      action: async (context, [file = ''], flags) =>
        (await import('../keys.js')).showToken(context, file, textOf(flags['audience']) ?? ''),
    },
    {
      name: 'list',
      does: 'list your keys',
      example: 'writ keys list',
      action: async (context) => (await import('../keys.js')).listKeys(context),
    },
  ],
};
