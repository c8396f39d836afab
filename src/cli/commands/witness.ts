// The commands `writ audit witness …`.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { collectText, textOf, textsOf } from './options.js';

/** Registers them at `parent`. */
export function addWitnessCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'serve',
    'cosign checkpoints of logs over HTTP (C2SP tlog-witness), each consistent with the last',
    'writ audit witness serve --log "$(cat writ.vkey)" --key w1.key --state w1.state --listen 127.0.0.1:8090',
    async (context, _, flags) =>
      (await import('../audit/witness.js')).serve(context, {
        log: textsOf(flags['log']),
        state: textOf(flags['state']) ?? '',
        listen: textOf(flags['listen']) ?? '',
      }),
  )
    .option('--log <vkey>', 'key of a log to cosign; may be given again', collectText)
    .requiredOption('--state <file>', 'what this witness has cosigned; never restore it from a copy')
    .requiredOption('--listen <host:port>', 'where to listen, plain HTTP; port 0 takes a free one');
  leaf(
    parent,
    'key',
    'make a witness key and print its vkey',
    'writ audit witness key w1.key --name witness.example.com/w1',
    async (context, [file = ''], flags) =>
      (await import('../audit/witness.js')).makeKey(context, file, textOf(flags['name'])),
  )
    .argument('<file>', 'key file to make, mode 0600')
    .option('--name <name>', 'name of the witness, e.g. witness.example.com/w1');
  leaf(
    parent,
    'vkey',
    'print the vkey of a witness key',
    'writ audit witness vkey w1.key',
    async (context, [file = '']) => (await import('../audit/witness.js')).showVkey(context, file),
  ).argument('<file>', 'key file');
  leaf(
    parent,
    'anchor',
    'have the newest checkpoint cosigned and stamped now',
    'writ audit witness anchor',
    async (context) => (await import('../audit/witness.js')).anchor(context),
  );
  leaf(
    parent,
    'status',
    'what each witness of this log has cosigned, and whether the quorum is met',
    'writ audit witness status',
    async (context) => (await import('../audit/witness.js')).status(context),
  );
}
