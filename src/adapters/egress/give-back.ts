// A host's answer on its way to the program: of a host that may get secrets no value comes back, whatever it has made of it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { valueOf } from './credential.js';
import { carriedHeaders, sizeOf, type Header } from './message.js';
import { redactingStream } from './redaction.js';
import type { Passing } from './way.js';

const PRINTABLE = /^[\t\x20-\x7e\x80-\xff]*$/u;

/** Rejects when either side goes away, or a budget is used up. */
export async function giveBack(
  { way: { gate, traffic, redact, secret }, target, response }: Passing,
  answer: IncomingMessage,
): Promise<void> {
  const { host } = target;
  const isLookedThrough = gate.isIntercepted(target);
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  // Packed for the way only: the next reader would get it packed, and not be told.
  const coding = answer.headers['transfer-encoding']?.trim().toLowerCase() ?? 'identity';
  const status = answer.statusCode ?? 0;
  const isRead = (coding === 'identity' || coding === 'chunked') && status >= 200;
  if (!isRead || (isLookedThrough && encoding !== 'identity')) {
    answer.destroy();
    unreachable(response);
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
    .map(([name, value]): Header => [name, clean(value)]);
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
export function unreachable(response: ServerResponse): void {
  response.req.resume();
  response.writeHead(502, { 'content-type': 'text/plain', connection: 'close' });
  response.end('writ egress: the host gave no answer that can be passed on\n');
}
