// One HTTP request from a program to its target, written anew: what was parsed here is what is sent, so that nobody
// behind can read another request in the same bytes. Values of secrets go in on this way, and come out of no answer.
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect as tlsConnect } from 'node:tls';
import { valueOf, withValues, type SecretByName } from './credential.js';
import type { Gate, Reason } from './gate.js';
import { bodyLength, carriedHeaders, countOf, sizeOf } from './message.js';
import { redactingStream, type Redact } from './redaction.js';
import { targetOfAuthority, type Target } from './target.js';
import type { Traffic } from './traffic.js';

export interface ForwardParts {
  readonly gate: Gate;
  readonly traffic: Traffic;
  readonly redact: Redact;
  readonly secret: SecretByName;
  readonly ca?: readonly string[];
}

/** Where a request goes, as it was understood. */
export interface Place {
  /** Null = it could not be understood. */
  readonly target: Target | null;
  readonly path: string;
  readonly isTls: boolean;
}

/** What asks for an answer in pieces or packed: of a value that comes in two pieces, neither can be told from other text. */
const OF_THE_ANSWER: ReadonlySet<string> = new Set(['accept-encoding', 'if-range', 'range']);
const MAX_HEADER_BYTES = 32 * 1024;
const PRINTABLE = /^[\t\x20-\x7e\x80-\xff]*$/u;
/** Of an answer that is only on its way, nearly. */
const STATUS_LINE_BYTES = 20;
/** Of a host that says nothing. */
const ANSWER_MS = 120_000;

/** Rejects when either side goes away, or a budget is used up: then the connection is to be cut. */
export async function forward(
  parts: ForwardParts,
  { target, path, isTls }: Place,
  request: IncomingMessage,
  response: ServerResponse,
  dialled: (addresses: readonly string[], port: number) => Promise<Socket>,
): Promise<void> {
  const { gate, traffic } = parts;
  const length = bodyLength(request);
  const carried = carriedHeaders(request, ['content-length']);
  const texts = [path, ...carried.map(([, value]) => value)];
  const passage = await gate.pass(target, texts, isTls, problemOf(request, target, isTls, length));
  if (passage.verdict === 'over') {
    request.socket.destroy();
    return;
  }
  if (passage.verdict === 'deny' || target === null || length === undefined) {
    const reason = passage.verdict === 'deny' ? passage.reason : 'not a request for a host';
    request.resume();
    response.writeHead(403, {
      'content-type': 'text/plain',
      'x-writ-egress': 'refused',
      connection: 'close',
    });
    response.end(`writ egress: ${reason}\n`);
    return;
  }
  // An answer of a host that may get secrets is looked through: it has to come as it is.
  const isLookedThrough = gate.isIntercepted(target);
  const headers = carried
    .filter(([name]) => !isLookedThrough || !OF_THE_ANSWER.has(name))
    .map(([name, value]): [string, string] => [name, withValues(value, passage.used, parts.secret)]);
  const sent: [string, string][] = [
    ['host', hostHeader(target, isTls)],
    ...headers,
    ...(isLookedThrough ? [['accept-encoding', 'identity'] as [string, string]] : []),
    ...(length === null ? [] : [length]),
    ['connection', 'close'],
  ];
  if (!traffic.add(target.host, 'bytesOut', sizeOf(sent) + path.length)) return;
  let raw: Socket;
  try {
    raw = await dialled(passage.addresses, target.port);
  } catch {
    unreachable(request, response);
    return;
  }
  const { hostname } = target;
  const socket = isTls
    ? tlsConnect({
        socket: raw,
        ...(isIP(hostname) === 0 ? { servername: hostname } : { host: hostname }),
        ALPNProtocols: ['http/1.1'],
        // The environment can switch certificate checks off for a whole process; not here.
        rejectUnauthorized: true,
        ...(parts.ca === undefined ? {} : { ca: [...parts.ca] }),
      })
    : raw;
  try {
    socket.on('error', () => undefined); // the request tells
    // Node's client lets go of its parser then. Bytes that were still waiting, because the program reads slowly, it takes
    // for a fault of its own, which nobody can catch: the runner would end.
    socket.once('close', () => socket.removeAllListeners('data'));
    const going = httpRequest({
      // Instead of an agent, which would dial by itself.
      createConnection: () => socket,
      method: request.method ?? 'GET',
      path,
      headers: sent.flat(),
      setHost: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      timeout: ANSWER_MS,
    });
    going.maxHeadersCount = 0; // all of them, as in server.ts
    // Any number of them may come before an answer.
    going.on('information', ({ rawHeaders }) =>
      traffic.add(target.host, 'bytesIn', STATUS_LINE_BYTES + rawHeaders.join('').length),
    );
    going.once('timeout', () => going.destroy(new Error('no answer in time')));
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      going.once('response', resolve).on('error', reject);
      // Nobody asked for another protocol: what follows would be bytes that nobody reads here.
      going.once('upgrade', (_answer, raised) => {
        raised.destroy();
        reject(new Error('an upgrade that was not asked for'));
      });
    });
    const sending = pipeline(request, traffic.counter(target.host, 'bytesOut'), going);
    sending.catch(() => undefined); // told by the answer that does not come
    let answer: IncomingMessage;
    try {
      answer = await answered;
    } catch (error) {
      if (!request.socket.destroyed && !response.headersSent) unreachable(request, response);
      else throw error;
      return;
    }
    await giveBack(parts, target, isLookedThrough, request, answer, response);
  } finally {
    socket.destroy();
    raw.destroy();
  }
}

/** What is wrong with it, whoever it is for. */
function problemOf(
  request: IncomingMessage,
  target: Target | null,
  isTls: boolean,
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

async function giveBack(
  { gate, traffic, redact, secret }: ForwardParts,
  { host }: Target,
  isLookedThrough: boolean,
  request: IncomingMessage,
  answer: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  // Packed for the way only: the next reader would get it packed, and not be told.
  const coding = answer.headers['transfer-encoding']?.trim().toLowerCase() ?? 'identity';
  const status = answer.statusCode ?? 0;
  const isRead = (coding === 'identity' || coding === 'chunked') && status >= 200;
  if (!isRead || (isLookedThrough && encoding !== 'identity')) {
    answer.destroy();
    unreachable(request, response);
    return;
  }
  const clean = (text: string): string =>
    isLookedThrough ? Buffer.from(redact(Buffer.from(text, 'latin1'))).toString('latin1') : text;
  const values = gate.credentials.map(({ name }) => valueOf(name, secret));
  // A name is written in lower case, in which no redactor would know a value.
  const holdsValue = (name: string): boolean =>
    isLookedThrough && (clean(name) !== name || values.some((value) => name.includes(value.toLowerCase())));
  const headers = carriedHeaders(answer, isLookedThrough ? ['content-length', 'trailer'] : ['trailer'])
    .filter(([name]) => !holdsValue(name))
    .map(([name, value]): [string, string] => [name, clean(value)]);
  if (!traffic.add(host, 'bytesIn', sizeOf(headers))) return;
  const message = clean(answer.statusMessage ?? '');
  // Control characters in it are for whoever looks at the program's output, and no server of ours writes them.
  response.writeHead(status, PRINTABLE.test(message) ? message : '', headers.flat());
  const longest = Math.max(0, ...values.map(({ length }) => length));
  await pipeline(
    answer,
    traffic.counter(host, 'bytesIn'),
    isLookedThrough ? redactingStream(redact, longest) : new PassThrough(),
    response,
  );
}

/** No word of why: what a host or the network said is not the program's business. */
function unreachable(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(502, { 'content-type': 'text/plain', connection: 'close' });
  response.end('writ egress: the host gave no answer that can be passed on\n');
}

/** A refusal of a CONNECT, as it stands on the wire. */
export function refuse(reason: Reason): string {
  const body = `writ egress: ${reason}\n`;
  return [
    'HTTP/1.1 403 Forbidden',
    'content-type: text/plain',
    'x-writ-egress: refused',
    'connection: close',
    `content-length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}
