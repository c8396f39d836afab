// The commands about a data directory and its machine as a whole: init, serve and doctor.
import { Option } from 'commander';
import { textOf, textsIn } from './options.js';
import type { Verb } from './verb.js';

const DEFAULT_LISTEN = '127.0.0.1:8080';

export const init: Verb = {
  name: 'init',
  does: 'make a data directory: log key, store, first log entry',
  example: 'writ init',
  options: [
    ['--origin <name>', 'name of the log, e.g. audit.example.com/claims'],
    new Option('--tenant <name>', 'tenant whose policies apply').default('default'),
  ],
  action: async (context, _, flags) =>
    (await import('../init.js')).init(context, {
      ...textsIn(flags, 'origin'),
      tenant: textOf(flags['tenant']) ?? 'default',
    }),
};

export const serve: Verb = {
  name: 'serve',
  does: 'approvals and answers to tasks over HTTP, approvals by webhook; runs that were decided or answered go on here',
  example: 'writ serve --listen 127.0.0.1:8080',
  options: [
    ['--deliveries', 'show the newest webhooks that were sent, or are due; serve nothing'],
    new Option('--listen <host:port>', 'address; behind a proxy that ends TLS, or of this machine').default(
      DEFAULT_LISTEN,
    ),
    ['--allow-loopback-webhooks', 'webhooks and key sets may be on this host, without TLS: for a trial'],
  ],
  action: async (context, _, flags) => {
    const server = await import('../serve.js');
    if (flags['deliveries'] === true) return server.listDeliveries(context);
    return server.serve(context, {
      listen: textOf(flags['listen']) ?? DEFAULT_LISTEN,
      allowLoopback: flags['allowLoopbackWebhooks'] === true,
    });
  },
};

export const doctor: Verb = {
  name: 'doctor',
  does: 'check what this machine can do',
  example: 'writ doctor',
  action: async (context) => (await import('../doctor.js')).doctor(context),
};
