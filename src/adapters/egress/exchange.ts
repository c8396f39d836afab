// A request on a connection of its own to the host, until its answer is given back.
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { giveBack, unreachable } from './give-back.js';
import type { Header } from './message.js';
import type { Passing } from './way.js';

const MAX_HEADER_BYTES = 32 * 1024;
/** Of an answer that is only on its way, nearly. */
const STATUS_LINE_BYTES = 20;
/** Of a host that says nothing. */
const ANSWER_MS = 120_000;

/** Sends the program's body behind this head. Rejects when either side goes away, or a budget is used up. */
export async function exchange(
  passing: Passing,
  head: { readonly path: string; readonly headers: readonly Header[] },
  socket: Socket,
): Promise<void> {
  const {
    way: { traffic },
    target: { host },
    response,
  } = passing;
  const request = response.req;
  socket.on('error', () => undefined); // the request tells
  // Node's client lets go of its parser then. Bytes that were still waiting, because the program reads slowly, it takes
  // for a fault of its own, which nobody can catch: the runner would end.
  socket.once('close', () => socket.removeAllListeners('data'));
  const going = httpRequest({
    // Instead of an agent, which would dial by itself.
    createConnection: () => socket,
    method: request.method ?? 'GET',
    path: head.path,
    headers: head.headers.flat(),
    setHost: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    timeout: ANSWER_MS,
  });
  going.maxHeadersCount = 0; // all of them, as in server.ts
  // Any number of them may come before an answer.
  going.on('information', ({ rawHeaders }) =>
    traffic.add(host, 'bytesIn', STATUS_LINE_BYTES + rawHeaders.join('').length),
  );
  going.once('timeout', () => going.destroy(new Error('no answer in time')));
  const answered = answerTo(going);
  const sending = pipeline(request, traffic.counter(host, 'bytesOut'), going);
  sending.catch(() => undefined); // told by the answer that does not come
  let answer: IncomingMessage;
  try {
    answer = await answered;
  } catch (error) {
    if (request.socket.destroyed || response.headersSent) throw error;
    unreachable(response);
    return;
  }
  await giveBack(passing, answer);
}

function answerTo(going: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    going.once('response', resolve).on('error', reject);
    // Nobody asked for another protocol: what follows would be bytes that nobody reads here.
    going.once('upgrade', (_answer, raised) => {
      raised.destroy();
      reject(new Error('an upgrade that was not asked for'));
    });
  });
}
