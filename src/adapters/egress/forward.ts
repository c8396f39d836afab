// One HTTP request from a program to its target, written anew: what was parsed here is what is sent, so that nobody
// behind can read another request in the same bytes. Values of secrets go in on this way.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { withValues } from './credential.js';
import { exchange } from './exchange.js';
import type { Reason } from './gate.js';
import { unreachable } from './give-back.js';
import { bodyLength, carriedHeaders, countOf, sizeOf, type Header } from './message.js';
import { targetOfAuthority, type Target } from './target.js';
import type { Way } from './way.js';

/** Where a request goes, as it was understood. */
export interface Place {
  /** Null = it could not be understood. */
  readonly target: Target | null;
  readonly path: string;
  readonly isTls: boolean;
}

/** What asks for an answer in pieces or packed: of a value that comes in two pieces, neither can be told from other text. */
const OF_THE_ANSWER: ReadonlySet<string> = new Set(['accept-encoding', 'if-range', 'range']);

/** Rejects when either side goes away, or a budget is used up: then the connection is to be cut. */
export async function forward(way: Way, place: Place, response: ServerResponse): Promise<void> {
  const { gate, traffic, connections, secret, ca } = way;
  const { target, path, isTls } = place;
  const request = response.req;
  const length = bodyLength(request);
  const carried = carriedHeaders(request, ['content-length']);
  const texts = [path, ...carried.map(([, value]) => value)];
  const passage = await gate.pass(target, texts, isTls, problemOf(request, place, length));
  if (passage.verdict === 'over') {
    request.socket.destroy();
    return;
  }
  if (passage.verdict === 'deny' || target === null || length === undefined) {
    refused(response, passage.verdict === 'deny' ? passage.reason : 'not a request for a host');
    return;
  }
  // An answer of a host that may get secrets is looked through: it has to come as it is.
  const isLookedThrough = gate.isIntercepted(target);
  const headers: Header[] = [
    ['host', hostHeader(target, isTls)],
    ...carried
      .filter(([name]) => !isLookedThrough || !OF_THE_ANSWER.has(name))
      .map(([name, value]): Header => [name, withValues(value, passage.used, secret)]),
    ...(isLookedThrough ? [['accept-encoding', 'identity'] satisfies Header] : []),
    ...(length === null ? [] : [length]),
    ['connection', 'close'],
  ];
  if (!traffic.add(target.host, 'bytesOut', sizeOf(headers) + path.length)) return;
  const raw = await connections.dial(passage.addresses, target.port).catch(() => null);
  if (raw === null) {
    unreachable(response);
    return;
  }
  const socket = isTls ? secured(raw, target, ca) : raw;
  try {
    await exchange({ way, target, response }, { path, headers }, socket);
  } finally {
    socket.destroy();
    raw.destroy();
  }
}

/** What is wrong with it, whoever it is for. */
function problemOf(
  request: IncomingMessage,
  { target, isTls }: Place,
  length: ReturnType<typeof bodyLength>,
): Reason | null {
  if (length === undefined) return 'the body is encoded in a way that is not passed on';
  const { host } = request.headers;
  if (countOf(request, 'host') > 1) return 'the request names another host';
  if (host === undefined || target === null) return null;
  const named = targetOfAuthority(host, isTls ? 443 : 80);
  return named?.host === target.host ? null : 'the request names another host';
}

function hostHeader({ host, port }: Target, isTls: boolean): string {
  return port === (isTls ? 443 : 80) ? host.slice(0, host.lastIndexOf(':')) : host;
}

function secured(socket: Socket, { hostname }: Target, ca: readonly string[] | undefined): Socket {
  return tlsConnect({
    socket,
    ...(isIP(hostname) === 0 ? { servername: hostname } : { host: hostname }),
    ALPNProtocols: ['http/1.1'],
    // The environment can switch certificate checks off for a whole process; not here.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: [...ca] }),
  });
}

function refused(response: ServerResponse, reason: Reason): void {
  response.req.resume();
  response.writeHead(403, { 'content-type': 'text/plain', 'x-writ-egress': 'refused', connection: 'close' });
  response.end(`writ egress: ${reason}\n`);
}
