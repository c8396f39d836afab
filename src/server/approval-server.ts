// The approval server: the HTTP interface behind a listener with every bound set. It stops gracefully: no new request,
// streams end, what is under way has a few seconds.
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { WritError } from '../errors.js';
import { openApi, type ApiParts } from './api.js';
import { limitConnections } from './connections.js';
import { listen } from './listen.js';

/** For the head of a request, and for all of it. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 4_096;
/** Half of them: however many one address opens, others are heard. */
const MAX_OF_ONE = 2_048;
const MAX_HEADER_BYTES = 32_768;
const STOP_MS = 5_000;

export interface ApprovalServer {
  readonly url: string;
  /** Resolves when it has stopped; with the fault that stopped it, or null. */
  readonly stopped: Promise<WritError | null>;
  /** Takes no new request, lets those under way end. */
  stop(): void;
}

/** Listens at `address` (port 0 = any free one). Throws USAGE when that can't be listened on. */
export async function serveApprovals(
  parts: Omit<ApiParts, 'stopping'>,
  address: { readonly host: string; readonly port: number },
): Promise<ApprovalServer> {
  const stopping = new AbortController();
  let fault: WritError | null = null;
  const app = openApi({ ...parts, stopping: stopping.signal });
  const server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: MAX_HEADER_BYTES,
    // A request that two readers could understand in two ways is none.
    insecureHTTPParser: false,
    requireHostHeader: true,
  });
  const limits = { all: MAX_CONNECTIONS, ofOne: MAX_OF_ONE, proxies: parts.trustedProxies };
  limitConnections(server, limits);
  // Behind a proxy or not: the platform's own Request and Response stay as they are for everything else.
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  server.on('request', (request, response) => {
    listener(request, response).catch((error: unknown) => {
      parts.failed(error, 'request');
      response.destroy();
    });
  });
  const stop = (): void => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    server.close();
    server.closeIdleConnections();
    setTimeout(() => {
      server.closeAllConnections();
    }, STOP_MS).unref();
  };
  const stopped = new Promise<WritError | null>((resolve) => {
    server.once('close', () => {
      resolve(fault);
    });
  });
  const url = await listen(server, address);
  server.on('error', (cause) => {
    fault ??= new WritError('INTERNAL', 'the listener failed', { cause });
    stop();
  });
  return { url, stopped, stop };
}
