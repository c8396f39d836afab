// Headers from one side to the other: what speaks of the connection they came on stays behind (RFC 9110 section 7.6.1),
// and how long a body is is said anew by whoever sends it on. Attacker-controlled on both sides.
import type { IncomingMessage } from 'node:http';

/** Name and value. */
export type Header = [name: string, value: string];

/** Of one connection only; and what would let a program choose another way. */
const HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Names and values in turn, as they came, without those of the connection and without `also`. Names in lower case. */
export function carriedHeaders(
  { rawHeaders, headers }: Pick<IncomingMessage, 'rawHeaders' | 'headers'>,
  also: readonly string[] = [],
): Header[] {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...HOP, ...named, ...also]);
  const carried: Header[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    if (!dropped.has(name)) carried.push([name, rawHeaders[at + 1] ?? '']);
  }
  return carried;
}

/**
 * How long the body is, as one header; the parser has refused two lengths, and a length beside an encoding. Null = there
 * is no body. Undefined = it is encoded in a way that is not passed on.
 */
export function bodyLength({ headers }: Pick<IncomingMessage, 'headers'>): Header | null | undefined {
  const encoding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (encoding !== undefined) {
    return encoding.trim().toLowerCase() === 'chunked' && length === undefined
      ? ['transfer-encoding', 'chunked']
      : undefined;
  }
  if (length === undefined) return null;
  return /^[0-9]{1,15}$/u.test(length) ? ['content-length', length] : undefined;
}

/** How often a header stands in a message; Node shows the first of some of them only. */
export function countOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>, name: string): number {
  return rawHeaders.filter((text, at) => at % 2 === 0 && text.toLowerCase() === name).length;
}

/** Bytes that headers take on the wire, nearly. */
export function sizeOf(headers: readonly Readonly<Header>[]): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
}
