// A tunnel that a program has asked for with CONNECT, and what is carried in it: TLS for the tunnel's host, passed on
// blindly or ended here where a secret may be put in, and plain requests for that host. Nothing else.
import type { IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TLSSocket } from 'node:tls';
import type { Authority } from './authority.js';
import { HelloReader, type Hello } from './client-hello.js';
import type { Reason } from './gate.js';
import { targetOfAuthority, type Target } from './target.js';
import type { Way } from './way.js';

export interface TunnelWay extends Way {
  /** Null = no secret is to be put in anywhere. */
  readonly authority: Authority | null;
  /** A tunnel's first bytes have to be there by then. */
  readonly firstBytesMs: number;
}

interface Connect {
  readonly request: IncomingMessage;
  readonly client: Duplex;
  /** What came behind the request already. */
  readonly head: Buffer;
}

/** To the server of requests inside tunnels; `isTls`: it was ended here, and they go on by TLS. */
export type HandOver = (client: Duplex, target: Target, isTls: boolean) => void;

/** Of a connection that nothing passes on. */
const IDLE_MS = 120_000;

/** Rejects when either side goes away, or a budget is used up. */
export async function serveConnect(way: TunnelWay, connect: Connect, handOver: HandOver): Promise<void> {
  const { client, request } = connect;
  const target = targetOfAuthority(request.url ?? '', null);
  const passage = await way.gate.pass(target, [], false);
  if (passage.verdict === 'allow' && target !== null) {
    await carry(way, { ...connect, target, addresses: passage.addresses }, handOver);
  } else if (passage.verdict === 'deny') {
    client.end(refusal(passage.reason));
  } else {
    client.destroy();
  }
}

/** A CONNECT that was allowed. */
interface Tunnel extends Connect {
  readonly target: Target;
  readonly addresses: readonly string[];
}

async function carry(
  { gate, traffic, authority, connections, firstBytesMs }: TunnelWay,
  { target, addresses, client, head }: Tunnel,
  handOver: HandOver,
): Promise<void> {
  const isIntercepted = gate.isIntercepted(target);
  // Connected before it is said to be: a host that does not answer is told as one.
  let upstream: Socket | null = null;
  if (!isIntercepted) {
    try {
      upstream = await connections.dial(addresses, target.port);
    } catch {
      client.end('HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
  }
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  const { hello, bytes } = await firstBytes(client, head, firstBytesMs);
  if (hello.kind === 'other' && bytes.length > 0 && isRequest(bytes)) {
    upstream?.destroy();
    client.unshift(bytes);
    handOver(client, target, false);
    // It was paused to be looked at, and a listener alone does not start it again.
    client.resume();
    return;
  }
  if (!isFor(target, hello)) {
    upstream?.destroy();
    client.destroy();
    if (bytes.length > 0) await gate.refuseLater(target, problemOf(hello));
    return;
  }
  if (isIntercepted && authority !== null) {
    const secureContext = await authority.contextFor(target.hostname);
    client.unshift(bytes);
    const options = { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] };
    handOver(connections.add(new TLSSocket(client as Socket, options)), target, true);
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

function isFor({ hostname }: Target, hello: Hello): boolean {
  if (hello.kind !== 'tls') return false;
  return isIP(hostname) === 0 ? hello.name === hostname : hello.name === null;
}

function problemOf({ kind }: Hello): Reason {
  return kind === 'tls' ? 'the connection is for another host' : 'only HTTP and TLS pass';
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

/** A refusal of a CONNECT, as it stands on the wire. */
function refusal(reason: Reason): string {
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
