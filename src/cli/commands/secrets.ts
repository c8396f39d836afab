// The commands `writ secrets …`.
import type { Group } from './verb.js';

export const secretCommands: Group = {
  name: 'secrets',
  does: 'values that are stored and shown by handle only',
  example: 'writ secrets list',
  verbs: [
    {
      name: 'list',
      does: 'list the handles of known secrets',
      example: 'writ secrets list',
      action: async (context) => (await import('../secrets.js')).listSecrets(context),
    },
    {
      name: 'set',
      does: 'make a secret known by a handle; its value comes from stdin and is never stored elsewhere',
      example: 'pass show claims-db | writ secrets set claims-db',
      words: [['<name>', 'the handle: letters, digits, dots, hyphens, underscores']],
      action: async (context, [name = '']) => (await import('../secrets.js')).setSecret(context, name),
    },
    {
      name: 'remove',
      does: 'forget a secret; what was stored by handle stays so',
      example: 'writ secrets remove claims-db',
      words: [['<name>', 'the handle']],
      action: async (context, [name = '']) => (await import('../secrets.js')).removeSecret(context, name),
    },
  ],
};
