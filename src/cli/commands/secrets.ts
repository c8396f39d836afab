// The commands `writ secrets …`.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';

/** Registers them at `parent`. */
export function addSecretCommands(parent: Command, leaf: Leaf): void {
  leaf(parent, 'list', 'list the handles of known secrets', 'writ secrets list', async (context) =>
    (await import('../secrets.js')).listSecrets(context),
  );
  leaf(
    parent,
    'set',
    'make a secret known by a handle; its value comes from stdin and is never stored elsewhere',
    'pass show claims-db | writ secrets set claims-db',
    async (context, [name = '']) => (await import('../secrets.js')).setSecret(context, name),
  ).argument('<name>', 'the handle: letters, digits, dots, hyphens, underscores');
  leaf(
    parent,
    'remove',
    'forget a secret; what was stored by handle stays so',
    'writ secrets remove claims-db',
    async (context, [name = '']) => (await import('../secrets.js')).removeSecret(context, name),
  ).argument('<name>', 'the handle');
}
