// The commands about a data directory and its machine as a whole: init, serve and doctor.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { textOf } from './options.js';

const DEFAULT_LISTEN = '127.0.0.1:8080';

export function addInitCommand(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'init',
    'make a data directory: log key, store, first log entry',
    'writ init',
    async (context, _, flags) => {
      const { init } = await import('../init.js');
      const origin = textOf(flags['origin']);
      return init(context, {
        ...(origin === undefined ? {} : { origin }),
        tenant: textOf(flags['tenant']) ?? 'default',
      });
    },
  )
    .option('--origin <name>', 'name of the log, e.g. audit.example.com/claims')
    .option('--tenant <name>', 'tenant whose policies apply', 'default');
}

export function addServeCommand(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'serve',
    'approvals and answers to tasks over HTTP, approvals by webhook; runs that were decided or answered go on here',
    'writ serve --listen 127.0.0.1:8080',
    async (context, _, flags) => {
      const { listDeliveries, serve } = await import('../serve.js');
      if (flags['deliveries'] === true) return listDeliveries(context);
      return serve(context, {
        listen: textOf(flags['listen']) ?? DEFAULT_LISTEN,
        allowLoopback: flags['allowLoopbackWebhooks'] === true,
      });
    },
  )
    .option('--deliveries', 'show the newest webhooks that were sent, or are due; serve nothing')
    .option(
      '--listen <host:port>',
      'address; behind a proxy that ends TLS, or of this machine',
      DEFAULT_LISTEN,
    )
    .option(
      '--allow-loopback-webhooks',
      'webhooks and key sets may be on this host, without TLS: for a trial',
    );
}

export function addDoctorCommand(parent: Command, leaf: Leaf): void {
  leaf(parent, 'doctor', 'check what this machine can do', 'writ doctor', async (context) =>
    (await import('../doctor.js')).doctor(context),
  );
}
