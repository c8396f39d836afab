// The listener of one step, and what becomes of each connection: absolute-form requests, CONNECT, and requests inside the
// tunnels that are read here; nothing else.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Connections } from './connections.js';
import { forward } from './forward.js';
import { Silence } from './silence.js';
import { isPath, targetOfUrl, type Target } from './target.js';
import { serveConnect, type HandOver, type TunnelWay } from './tunnel.js';
import { Turns } from './turns.js';
import type { Way } from './way.js';

/** `firstBytesMs` is a request's headers' time, too. */
export type ServerParts = Omit<TunnelWay, 'connections'>;

export interface EgressServer {
  /** Every connection, now. */
  cut(): void;
  /** Resolves when nothing is left of it. */
  close(): Promise<void>;
}

const MAX_HEADER_BYTES = 16 * 1024;
/** Open at once; more are closed as they come. */
const MAX_CONNECTIONS = 128;
const REQUEST_MS = 15 * 60 * 1_000;

/** Listens at `socket`, a path of the file system. */
export async function openServer(parts: ServerParts, socket: string): Promise<EgressServer> {
  const { gate, firstBytesMs } = parts;
  const connections = new Connections();
  const way: TunnelWay = { ...parts, connections };
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: firstBytesMs,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
    requireHostHeader: false,
  };
  const turns = new Turns();
  const tunnels = new WeakMap<Duplex, Requests>();

  // Requests inside tunnels: there the tunnel says where to.
  const inner = createServer(options, (request, response) => {
    const tunnel = tunnels.get(request.socket);
    if (tunnel === undefined) {
      request.socket.destroy();
      return;
    }
    if (turns.isEarly(response)) return;
    tunnel.silence.breakFor(response);
    orCut(request.socket, serveTunnelled(way, tunnel, response));
  });
  const handOver: HandOver = (client, target, isTls) => {
    // A server that does not listen watches no time by itself.
    tunnels.set(client, { target, isTls, silence: new Silence(client, firstBytesMs) });
    inner.emit('connection', client);
  };
  const outer = createServer(options, (request, response) => {
    if (!turns.isEarly(response)) orCut(request.socket, serveAbsolute(way, response));
  });
  outer.maxConnections = MAX_CONNECTIONS;
  outer.on('connection', (client: Duplex) => connections.add(client));
  outer.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    orCut(client, serveConnect(way, { request, client, head }, handOver));
  });
  for (const server of [outer, inner]) {
    harden(server, (client) => {
      const target = tunnels.get(client)?.target ?? null;
      void gate.pass(target, [], false, 'the body is encoded in a way that is not passed on');
    });
  }
  await listening(outer, socket);
  return {
    cut: () => connections.cut(),
    close: () =>
      new Promise((resolve) => {
        outer.close(() => resolve());
        connections.cut();
      }),
  };
}

/** `count` is told of each request that is not understood: two lengths, a length beside an encoding, headers too large or too slow. */
function harden(server: Server, count: (client: Duplex) => void): void {
  // A program that has sent all it has to say may end its side, and still gets the answer.
  Object.assign(server, { httpAllowHalfOpen: true });
  // Their bytes are bounded. Node leaves out what comes behind the thousandth header, and still obeys it: a length that
  // nobody here has seen would make a body another request for the host.
  server.maxHeadersCount = 0;
  // Node answers an expectation that it does not know by itself, counted by nobody: it is a request like any other.
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('clientError', (error: NodeJS.ErrnoException, client: Duplex) => {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !client.writable) {
      client.destroy();
      return;
    }
    count(client);
    client.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });
}

/** A fault of ours, or a peer that went away: nothing more passes on it. */
function orCut(client: Duplex, work: Promise<void>): void {
  work.catch(() => client.destroy());
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path }, () => {
      server.off('error', reject);
      server.on('error', () => undefined); // a connection that could not be accepted is the program's loss
      resolve();
    });
  });
}

/** A tunnel whose requests are read here. */
interface Requests {
  readonly target: Target;
  /** It was ended here: they go on by TLS. */
  readonly isTls: boolean;
  readonly silence: Silence;
}

async function serveAbsolute(way: Way, response: ServerResponse): Promise<void> {
  const { target, path } = targetOfUrl(response.req.url ?? '') ?? { target: null, path: '/' };
  await forward(way, { target, path, isTls: false }, response);
}

async function serveTunnelled(
  way: Way,
  { target, isTls }: Requests,
  response: ServerResponse,
): Promise<void> {
  const path = response.req.url ?? '';
  await forward(way, { target: isPath(path) ? target : null, path, isTls }, response);
}
