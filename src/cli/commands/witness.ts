// The commands `writ audit witness …`.
import { Option } from 'commander';
import { collectText, textOf, textsOf } from './options.js';
import type { Group } from './verb.js';

export const witnessCommands: Group = {
  name: 'witness',
  does: 'be a witness of a log, or see what the witnesses of this one have cosigned',
  example: 'writ audit witness status',
  verbs: [
    {
      name: 'serve',
      does: 'cosign checkpoints of logs over HTTP (C2SP tlog-witness), each consistent with the last',
      example:
        'writ audit witness serve --log "$(cat writ.vkey)" --key w1.key --state w1.state --listen 127.0.0.1:8090',
      options: [
        ['--log <vkey>', 'key of a log to cosign; may be given again', collectText],
        new Option(
          '--state <file>',
          'what this witness has cosigned; never restore it from a copy',
        ).makeOptionMandatory(),
        new Option(
          '--listen <host:port>',
          'where to listen, plain HTTP; port 0 takes a free one',
        ).makeOptionMandatory(),
      ],
      action: async (context, _, flags) =>
        (await import('../audit/witness.js')).serve(context, {
          log: textsOf(flags['log']),
          state: textOf(flags['state']) ?? '',
          listen: textOf(flags['listen']) ?? '',
        }),
    },
    {
      name: 'key',
      does: 'make a witness key and print its vkey',
      example: 'writ audit witness key w1.key --name witness.example.com/w1',
      words: [['<file>', 'key file to make, mode 0600']],
      options: [['--name <name>', 'name of the witness, e.g. witness.example.com/w1']],
      action: async (context, [file = ''], flags) =>
        (await import('../audit/witness.js')).makeKey(context, file, textOf(flags['name'])),
    },
    {
      name: 'vkey',
      does: 'print the vkey of a witness key',
      example: 'writ audit witness vkey w1.key',
      words: [['<file>', 'key file']],
      action: async (context, [file = '']) => (await import('../audit/witness.js')).showVkey(context, file),
    },
    {
      name: 'anchor',
      does: 'have the newest checkpoint cosigned and stamped now',
      example: 'writ audit witness anchor',
      action: async (context) => (await import('../audit/witness.js')).anchor(context),
    },
    {
      name: 'status',
      does: 'what each witness of this log has cosigned, and whether the quorum is met',
      example: 'writ audit witness status',
      action: async (context) => (await import('../audit/witness.js')).status(context),
    },
  ],
};
