// The witness over HTTP: POST /add-checkpoint and nothing else. Everything a client can do is bounded: the bytes of a
// body, the time of a request, the number of connections. After a fault of its state the witness stops: what it has
// promised is then unknown, and a promise it forgot would be a fork.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { MAX_ADD_CHECKPOINT_BYTES } from '../audit/index.js';
import { WritError } from '../errors.js';
import type { Witness } from '../runtime/witness.js';
import { listen } from './listen.js';

/** For all of a request, headers included; a slower client is cut off. */
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;
/** How long requests under way may take to end when the server stops. */
const STOP_MS = 5_000;

/** One line of the witness's journal: what was asked, what was answered. */
export interface WitnessEvent {
  readonly status: number;
  readonly origin: string | null;
  readonly size: string | null;
  readonly message: string | null;
}

export interface WitnessServer {
  /** Submission prefix, as it goes into a policy. */
  readonly url: string;
  /** Resolves when the server has stopped; with the fault that stopped it, or null. */
  readonly stopped: Promise<WritError | null>;
  /** Takes no new request, lets those under way end. */
  stop(): void;
}

/** Listens at `address` (port 0 = any free one). Throws USAGE when that can't be listened on. */
export async function serveWitness(
  witness: Witness,
  address: { readonly host: string; readonly port: number },
  onEvent: (event: WitnessEvent) => void,
): Promise<WitnessServer> {
  let fault: WritError | null = null;
  const server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 8_192,
  });
  server.maxConnections = MAX_CONNECTIONS;
  const stop = (): void => {
    if (!server.listening) return;
    server.close();
    server.closeIdleConnections();
    setTimeout(() => {
      server.closeAllConnections();
    }, STOP_MS).unref();
  };
  server.on('request', (request, response) => {
    handle(witness, request, response, onEvent).catch((error: unknown) => {
      fault ??= asFault(error);
      if (!response.headersSent) send(response, 500, 'text/plain', 'the witness has stopped\n');
      stop();
    });
  });
  const stopped = new Promise<WritError | null>((resolve) => {
    server.once('close', () => {
      resolve(fault);
    });
  });
  const url = await listen(server, address);
  server.on('error', (error) => {
    fault ??= asFault(error);
    stop();
  });
  return { url, stopped, stop };
}

async function handle(
  witness: Witness,
  request: IncomingMessage,
  response: ServerResponse,
  onEvent: (event: WitnessEvent) => void,
): Promise<void> {
  const answer = (status: number, message: string, headers: Readonly<Record<string, string>> = {}): void => {
    send(response, status, 'text/plain; charset=utf-8', `${message}\n`, headers);
    onEvent({ status, origin: null, size: null, message });
  };
  const [path] = (request.url ?? '').split('?', 1);
  if (path !== '/add-checkpoint') {
    answer(404, 'a witness has /add-checkpoint only');
    return;
  }
  if (request.method !== 'POST') {
    answer(405, 'add-checkpoint is a POST', { allow: 'POST' });
    return;
  }
  const body = await readBody(request);
  if (body === 'gone') return;
  if (body === 'too long') {
    // What is left of the body is not read: the connection ends with the answer.
    answer(413, `a request has at most ${MAX_ADD_CHECKPOINT_BYTES} bytes`, { connection: 'close' });
    return;
  }
  let said: ReturnType<Witness>;
  try {
    said = witness(body);
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'STORE_BUSY') throw error;
    // Another process holds the state for long; nothing was signed, and the log may ask again.
    answer(503, 'the state of the witness is in use', { 'retry-after': '1' });
    return;
  }
  const { status, contentType, message, origin, size } = said;
  send(response, status, contentType, said.body);
  onEvent({ status, origin, size: size?.toString() ?? null, message });
}

/** `gone`: the client went away or was too slow; there is nobody to answer. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | 'too long' | 'gone'> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    // Not destroyed when it is left early: the answer still has to go out on its connection.
    for await (const part of request.iterator({ destroyOnReturn: false })) {
      const bytes = part as Buffer;
      length += bytes.length;
      if (length > MAX_ADD_CHECKPOINT_BYTES) return 'too long';
      parts.push(bytes);
    }
  } catch {
    // Only the connection itself fails here: aborted or timed out.
    return 'gone';
  }
  return Buffer.concat(parts);
}

function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { ...headers, 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(body);
}

function asFault(error: unknown): WritError {
  if (error instanceof WritError) return error;
  return new WritError('INTERNAL', 'the witness failed in a way it never should', { cause: error });
}
