// The commands `writ keys …`.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { textOf } from './options.js';

/** Registers them at `parent`. */
export function addKeyCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'create',
    'make your signing key',
    'writ keys create alice',
    async (context, [name = ''], flags) => {
      const out = textOf(flags['out']);
      return (await import('../keys.js')).createKey(context, name, out === undefined ? {} : { out });
    },
  )
    .argument('<name>', 'a label, e.g. your user name')
    .option('--out <file>', 'where to (default: your configuration directory)');
  leaf(
    parent,
    'show',
    'show the public half of a key file',
    'writ keys show alice.key',
    async (context, [file = '']) => (await import('../keys.js')).showKey(context, file),
  ).argument('<file>', 'key file');
  leaf(
    parent,
    'token',
    'a bearer token for writ serve, made with your key; it ends after 5 minutes',
    'writ keys token alice.key --audience https://writ.example.com',
    async (context, [file = ''], flags) =>
      (await import('../keys.js')).showToken(context, file, textOf(flags['audience']) ?? ''),
  )
    .argument('<file>', 'key file')
    .requiredOption('--audience <name>', 'what writ serve says at its start');
  leaf(parent, 'list', 'list your keys', 'writ keys list', async (context) =>
    (await import('../keys.js')).listKeys(context),
  );
}
