// The witness over HTTP: POST /add-checkpoint and nothing else. Everything a client can do is bounded: the bytes of a
// body, the time of a request, the number of connections. After a fault of its state the witness stops: what it has
// promised is then unknown, and a promise it forgot would be a fork.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MAX_ADD_CHECKPOINT_BYTES } from '../audit/index.js';
import { WritError } from '../errors.js';
import type { Witness } from '../runtime/witness/witness.js';
import { BoundedServer } from './bounded-server.js';
import type { ListenAddress } from './listen.js';

const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 8_192;
const TEXT = 'text/plain; charset=utf-8';

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

/** Listens at `address`. Throws USAGE when that can't be listened on. */
export async function serveWitness(
  witness: Witness,
  address: ListenAddress,
  onEvent: (event: WitnessEvent) => void,
): Promise<WitnessServer> {
  const server = new BoundedServer({
    maxHeaderBytes: MAX_HEADER_BYTES,
    // Half of them: however many one subscriber opens, the logs are heard.
    connections: { all: MAX_CONNECTIONS, ofOne: MAX_CONNECTIONS / 2, proxies: [] },
  });
  const url = await server.listen(address, (request, response) => {
    answer(request, response, witness)
      .then((event) => {
        if (event !== null) onEvent(event);
      })
      .catch((error: unknown) => {
        if (!response.headersSent) send(response, { status: 500, body: 'the witness has stopped\n' });
        server.fail(asFault(error));
      });
  });
  return {
    url,
    stopped: server.stopped,
    stop: () => {
      server.stop();
    },
  };
}

/** What was answered; null when the client had gone. Throws what is a fault of the witness. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  witness: Witness,
): Promise<WitnessEvent | null> {
  const refuse = (status: number, message: string, headers: Answer['headers'] = {}): WitnessEvent => {
    send(response, { status, body: `${message}\n`, headers });
    return { status, origin: null, size: null, message };
  };
  const [path] = (request.url ?? '').split('?', 1);
  if (path !== '/add-checkpoint') return refuse(404, 'a witness has /add-checkpoint only');
  if (request.method !== 'POST') return refuse(405, 'add-checkpoint is a POST', { allow: 'POST' });
  const body = await readBody(request);
  if (body === 'gone') return null;
  if (body === 'too long') {
    // What is left of the body is not read: the connection ends with the answer.
    return refuse(413, `a request has at most ${MAX_ADD_CHECKPOINT_BYTES} bytes`, { connection: 'close' });
  }
  try {
    const { status, contentType, message, origin, size, body: said } = witness(body);
    send(response, { status, contentType, body: said });
    return { status, origin, size: size?.toString() ?? null, message };
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'STORE_BUSY') throw error;
    // Another process holds the state for long; nothing was signed, and the log may ask again.
    return refuse(503, 'the state of the witness is in use', { 'retry-after': '1' });
  }
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

interface Answer {
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function send(response: ServerResponse, { status, contentType = TEXT, body, headers = {} }: Answer): void {
  response.writeHead(status, { ...headers, 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(body);
}

function asFault(error: unknown): WritError {
  if (error instanceof WritError) return error;
  return new WritError('INTERNAL', 'the witness failed in a way it never should', { cause: error });
}
