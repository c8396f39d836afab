// The listener of one step, and what becomes of each connection: absolute-form requests and CONNECT, nothing else. In a
// tunnel TLS is passed on blindly when it is for the tunnel's host, or ended here where a secret may be put in; a plain
// request in it is one for the tunnel's host. Every socket is known, so that all of them can be cut.
import { setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TLSSocket } from 'node:tls';
import type { Authority } from './authority.js';
import { HelloReader, type Hello } from './client-hello.js';
import { dial } from './dial.js';
import { forward, refuse, type ForwardParts } from './forward.js';
import { Silence } from './silence.js';
import { targetOfAuthority, targetOfUrl, isPath, type Target } from './target.js';

export interface ServerParts extends ForwardParts {
  /** Null = no secret is to be put in anywhere. */
  readonly authority: Authority | null;
  /** A request's headers, or a tunnel's first bytes, have to be there by then. */
  readonly firstBytesMs: number;
}

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
/** Of a connection that nothing passes on. */
const IDLE_MS = 120_000;

/** Listens at `socket`, a path of the file system. */
export async function openServer(parts: ServerParts, socket: string): Promise<EgressServer> {
  const sockets = new Set<Duplex>();
  const stop = new AbortController();
  setMaxListeners(0, stop.signal); // one for each connection that is being made
  const known = <S extends Duplex>(one: S): S => {
    sockets.add(one);
    one.once('close', () => sockets.delete(one));
    one.on('error', () => one.destroy()); // what is broken is closed; the program sees it
    return one;
  };
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: parts.firstBytesMs,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1_000,
    insecureHTTPParser: false,
    requireHostHeader: false,
  };
  const tunnelled = new WeakMap<Duplex, Requests>();
  const answering = new WeakMap<Duplex, ServerResponse>();
  /**
   * A request before the answer to the last is over: one connection would have any number of them under way. Nothing more
   * is read from it, and it ends with that answer.
   */
  const isEarly = ({ socket: from }: IncomingMessage, response: ServerResponse): boolean => {
    const last = answering.get(from);
    if (last === undefined || last.writableEnded) {
      answering.set(from, response);
      return false;
    }
    from.pause();
    if (last.listenerCount('close', cutOff) === 0) last.once('close', cutOff);
    return true;
  };
  const answer = (work: Promise<void>, one: Duplex): void => {
    work.catch(() => one.destroy()); // a fault of ours, or a peer that went away: nothing more passes on it
  };

  // Requests inside tunnels: there the tunnel says where to.
  const inner = createServer(options, (request, response) => {
    const tunnel = tunnelled.get(request.socket);
    if (tunnel === undefined) {
      request.socket.destroy();
      return;
    }
    if (isEarly(request, response)) return;
    tunnel.silence.breakFor(response);
    answer(serveTunnelled(parts, tunnel, request, response, known, stop.signal), request.socket);
  });
  const handOver = (one: Duplex, tunnel: Tunnel, isTls: boolean): void => {
    // A server that does not listen watches no time by itself.
    tunnelled.set(one, { target: tunnel.target, isTls, silence: new Silence(one, parts.firstBytesMs) });
    inner.emit('connection', one);
  };
  const outer = createServer(options, (request, response) => {
    if (isEarly(request, response)) return;
    answer(serveAbsolute(parts, request, response, known, stop.signal), request.socket);
  });
  outer.maxConnections = MAX_CONNECTIONS;
  outer.on('connection', known);
  outer.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    const work = async (): Promise<void> => {
      const tunnel = await openTunnel(parts, request, client);
      if (tunnel !== null) await carry(parts, tunnel, client, head, { handOver, known, signal: stop.signal });
    };
    answer(work(), client);
  });
  for (const server of [outer, inner]) {
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
      const tunnel = tunnelled.get(client);
      // Two lengths, a length beside an encoding, headers too large or too slow: never understood in part.
      void parts.gate.pass(
        tunnel?.target ?? null,
        [],
        false,
        'the body is encoded in a way that is not passed on',
      );
      client.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    });
  }
  await listening(outer, socket);
  const cut = (): void => {
    stop.abort();
    for (const one of sockets) one.destroy();
  };
  return {
    cut,
    close: () =>
      new Promise((resolve) => {
        outer.close(() => resolve());
        cut();
      }),
  };
}

function cutOff(this: ServerResponse): void {
  this.req.socket.destroy();
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

type Known = <S extends Duplex>(one: S) => S;

/** A CONNECT that was allowed. */
interface Tunnel {
  readonly target: Target;
  readonly addresses: readonly string[];
}

/** A tunnel whose requests are read here. */
interface Requests {
  readonly target: Target;
  /** It was ended here: they go on by TLS. */
  readonly isTls: boolean;
  readonly silence: Silence;
}

async function serveAbsolute(
  parts: ServerParts,
  request: IncomingMessage,
  response: ServerResponse,
  known: Known,
  signal: AbortSignal,
): Promise<void> {
  const asked = targetOfUrl(request.url ?? '');
  await forward(
    parts,
    { target: asked?.target ?? null, path: asked?.path ?? '/', isTls: false },
    request,
    response,
    async (addresses, port) => known(await dial(addresses, port, signal)),
  );
}

async function serveTunnelled(
  parts: ServerParts,
  { target, isTls }: Requests,
  request: IncomingMessage,
  response: ServerResponse,
  known: Known,
  signal: AbortSignal,
): Promise<void> {
  const path = request.url ?? '';
  const place = { target: isPath(path) ? target : null, path, isTls };
  await forward(parts, place, request, response, async (addresses, port) =>
    known(await dial(addresses, port, signal)),
  );
}

/** Null: it was refused, and the program was told. */
async function openTunnel(
  { gate }: ServerParts,
  request: IncomingMessage,
  client: Duplex,
): Promise<Tunnel | null> {
  const target = targetOfAuthority(request.url ?? '', null);
  const passage = await gate.pass(target, [], false);
  if (passage.verdict === 'allow' && target !== null) return { target, addresses: passage.addresses };
  if (passage.verdict === 'deny') client.end(refuse(passage.reason));
  else client.destroy();
  return null;
}

interface Carrying {
  /** To the server of requests inside tunnels. */
  readonly handOver: (one: Duplex, tunnel: Tunnel, isTls: boolean) => void;
  readonly known: Known;
  readonly signal: AbortSignal;
}

async function carry(
  parts: ServerParts,
  tunnel: Tunnel,
  client: Duplex,
  head: Buffer,
  { handOver, known, signal }: Carrying,
): Promise<void> {
  const { gate, traffic, authority } = parts;
  const { target } = tunnel;
  const isIntercepted = gate.isIntercepted(target);
  // Connected before it is said to be: a host that does not answer is told as one.
  let upstream: Socket | null = null;
  if (!isIntercepted) {
    try {
      upstream = known(await dial(tunnel.addresses, target.port, signal));
    } catch {
      client.end('HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
  }
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  const { hello, bytes } = await firstBytes(client, head, parts.firstBytesMs);
  if (hello.kind === 'other' && bytes.length > 0 && isRequest(bytes)) {
    upstream?.destroy();
    client.unshift(bytes);
    handOver(client, tunnel, false);
    // It was paused to be looked at, and a listener alone does not start it again.
    client.resume();
    return;
  }
  const isForHost =
    hello.kind === 'tls' &&
    (isIP(target.hostname) === 0 ? hello.name === target.hostname : hello.name === null);
  if (!isForHost) {
    upstream?.destroy();
    client.destroy();
    if (bytes.length > 0)
      await gate.refuseLater(
        target,
        hello.kind === 'tls' ? 'the connection is for another host' : 'only HTTP and TLS pass',
      );
    return;
  }
  if (isIntercepted && authority !== null) {
    const secureContext = await authority.contextFor(target.hostname);
    client.unshift(bytes);
    const secured = known(
      new TLSSocket(client as Socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] }),
    );
    handOver(secured, tunnel, true);
    return;
  }
  if (upstream === null) throw new Error('no connection for a tunnel');
  upstream.setTimeout(IDLE_MS, () => upstream.destroy());
  client.unshift(bytes);
  await Promise.all([
    pipeline(client, traffic.counter(target.host, 'bytesOut'), upstream),
    pipeline(upstream, traffic.counter(target.host, 'bytesIn'), client),
  ]);
}

/** An HTTP/1 request begins with a word and a blank. */
function isRequest(bytes: Buffer): boolean {
  return /^[A-Z]{1,20}(?: |$)/u.test(bytes.subarray(0, 21).toString('latin1'));
}

/** Until it can be said what they are, the peer ends, or the time is over. */
function firstBytes(
  client: Duplex,
  head: Buffer,
  ms: number,
): Promise<{ readonly hello: Hello; readonly bytes: Buffer }> {
  return new Promise((resolve) => {
    const reader = new HelloReader();
    let hello = reader.push(head);
    const timer = setTimeout(() => finish(), ms);
    const finish = (): void => {
      clearTimeout(timer);
      client.off('data', more).off('end', finish).off('close', finish);
      client.pause();
      resolve({ hello, bytes: reader.bytes });
    };
    const more = (chunk: Buffer): void => {
      hello = reader.push(chunk);
      if (hello.kind !== 'more') finish();
    };
    if (hello.kind !== 'more') {
      finish();
      return;
    }
    client.on('data', more).once('end', finish).once('close', finish);
  });
}
