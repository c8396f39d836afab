// `writ serve`: approvals over HTTP and by webhook. It runs until a signal (SIGHUP reads the policies again), or until store or log fail.
import { WritError } from '../errors.js';
import { untilSignal, type Context } from './context.js';
import { listenAddress } from './listen-address.js';
import { printable } from './output.js';

export interface ServeFlags {
  /** HOST:PORT; port 0 = any free one. */
  readonly listen: string;
  readonly allowLoopback: boolean;
}

/** Exit 130 or 143 after a signal; 6 (or the fault's own) when it had to stop. */
export async function serve(context: Context, { listen, allowLoopback }: ServeFlags): Promise<number> {
  const { output, data, policies } = context;
  const { startServing } = await import('../server/serve.js');
  if (allowLoopback) {
    output.note('writ: warning: webhooks and key sets may be on this host, without TLS: for a trial only');
  }
  const serving = await startServing({
    ...{ data, policies, allowLoopback, ...listenAddress(listen) },
    note: (line) => {
      output.note(JSON.stringify(line));
    },
  });
  const { url, audience } = serving;
  if (output.json) output.value({ url, audience });
  else {
    output.line(`listens   ${url}`);
    output.line(`audience  ${printable(audience)}`);
  }
  const onHangUp = (): void => {
    serving.reloadPolicies();
  };
  process.on('SIGHUP', onHangUp);
  let fault: WritError | null = null;
  const signal = await untilSignal(async (stop) => {
    stop.addEventListener('abort', () => {
      // What is under way is seen to its end: an operator sees for how long, and that nothing is left.
      output.note(JSON.stringify({ event: 'serve.stopping' }));
      serving.stop();
    });
    fault = await serving.stopped;
    output.note(JSON.stringify({ event: 'serve.stopped' }));
  }).finally(() => process.off('SIGHUP', onHangUp));
  if (fault !== null) throw fault as WritError;
  return signal ?? 0;
}

const MAX_SHOWN = 50;

/** The newest deliveries of webhooks and what came of them. Sends nothing. Exit 0. */
export async function listDeliveries({ output, data }: Context): Promise<number> {
  const { openSecrets } = await import('../open.js');
  // A data directory is not made by looking at it. Throws NOT_INITIALISED.
  await openSecrets(data);
  const { pathsOf } = await import('../data-directory.js');
  const { openServeState } = await import('../adapters/store/serve-state.js');
  const state = openServeState(pathsOf(data).serve);
  try {
    const deliveries = state.deliveries(MAX_SHOWN);
    if (output.json) {
      output.value({ deliveries });
      return 0;
    }
    const { renderTable } = await import('./table.js');
    const rows = deliveries.map(({ channel, event, attempts, dueMs, outcome }) => {
      return [
        channel,
        event,
        String(attempts),
        dueMs === null ? '-' : new Date(dueMs).toISOString(),
        printable(outcome),
      ];
    });
    if (rows.length === 0) output.note('no webhook was sent yet');
    else
      output.line(renderTable(output.colors, ['channel', 'log entry', 'attempts', 'next', 'outcome'], rows));
    return 0;
  } finally {
    state.close();
  }
}
