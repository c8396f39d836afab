// Webhooks that go out. The log is the outbox; this keeps each channel's place in it, and tries a delivery again on the
// published schedule until the request it tells of has expired. An attempt is written down before it is made, so that a
// crash in the middle of one repeats it, with the same id, and never hurries. A dead channel delays nobody and decides
// nothing.
import type { Delivery, ServeState } from '../../adapters/store/serve-state.js';
import { signWebhook } from '../../approval/webhook.js';
import { WritError } from '../../errors.js';
import { retryAfterMs } from '../../retry-after.js';
import type { ApprovalEvent } from '../../runtime/approval/outbox.js';
import type { Writ } from '../../runtime/writ.js';
import type { Channel, ChannelOut } from '../serve-config.js';
import { sha256 } from '../sha256.js';
import { contentOf, type ContentParts, type Message } from './content.js';
import type { EndpointAnswer, EndpointRequest } from './endpoint.js';
import { nextAttemptMs } from './schedule.js';
import { channelsOf, partsOfChannel, stageChannel, stagesOf } from './stage.js';

/** What ended a request is worth telling for a day, though the request has expired. */
const ENDING_MS = 86_400_000;
const TIMEOUT_MS = 10_000;
const BATCH = 500;
const AT_ONCE = 8;
/** Whoever answers so may say when it is worth asking again. */
const BUSY: readonly number[] = [429, 502, 503, 504];

export interface DeliverParts extends ContentParts {
  readonly writ: Pick<Writ, 'approval' | 'outbox' | 'origin'>;
  readonly state: ServeState;
  /** Those that are told. */
  readonly channels: readonly Channel[];
  readonly secret: (name: string) => Uint8Array | null;
  /** One exchange, guarded; throws when there was none. */
  readonly ask: (request: EndpointRequest) => Promise<EndpointAnswer>;
  readonly told: (event: DeliveryNotice) => void;
  readonly nowMs: () => number;
}

interface DeliveryNotice {
  readonly channel: string;
  readonly event: string;
  readonly attempt: number;
  readonly outcome: string;
}

/** Puts what is new in the log of approvals on the way. Returns whether there may be more. */
export async function collectEvents({
  writ,
  state,
  channels,
  nowMs,
}: Pick<DeliverParts, 'writ' | 'state' | 'channels' | 'nowMs'>): Promise<boolean> {
  let more = false;
  for (const { name, out } of channels) {
    if (out === null) continue;
    const place = state.place(name);
    // A channel that is new is told of what still waits for somebody, and not of what has been.
    const { events, next, end } =
      place === null
        ? { ...(await writ.outbox.start()), end: false }
        : await writ.outbox.read(place.next, BATCH);
    const wanted = events.filter(({ type }) => out.events.includes(type));
    // At once, whatever became of the clock: the log's own time never goes back.
    const due = wanted.map((event) => ({
      event: event.index,
      dueMs: Math.min(event.timeMs, nowMs()),
      untilMs: deadlineOf(event),
    }));
    // Before the channel's place goes on: what a crash leaves out is found again, what is there stays as it is.
    const isAsked = out.events.includes('approval.escalated');
    for (const event of events.filter(({ type }) => isAsked && type === 'approval.requested')) {
      for (const { stage, dueMs } of stagesOf(event.record)) {
        const later = { event: event.index, dueMs, untilMs: event.record.expiresAtMs };
        state.enqueue(stageChannel(name, stage), next, [later]);
      }
    }
    if (place === null || next > place.next) state.enqueue(name, next, due);
    more ||= !end;
  }
  return more;
}

function deadlineOf({ type, timeMs, record }: ApprovalEvent): number {
  return type === 'approval.requested'
    ? record.expiresAtMs
    : Math.max(record.expiresAtMs, timeMs + ENDING_MS);
}

/** Makes the attempts that are due. Returns how many there were; never throws for what an endpoint does. */
export async function deliverDue(parts: DeliverParts, signal: AbortSignal): Promise<number> {
  const { state, channels } = parts;
  const byName = new Map(channels.map((channel) => [channel.name, channel.out]));
  const open = channels.filter(({ name, out }) => out !== null && state.place(name)?.goneUrl !== out.url);
  const names = open.flatMap(({ name }) => channelsOf(name));
  const due = state.due(names, parts.nowMs(), AT_ONCE);
  await Promise.all(
    due.map(async (delivery) => {
      const out = byName.get(partsOfChannel(delivery.channel).name);
      if (out != null) await deliver(parts, { delivery, out, signal });
    }),
  );
  return due.length;
}

interface Due {
  readonly delivery: Delivery;
  readonly out: ChannelOut;
  readonly signal: AbortSignal;
}

/** What came of a delivery so far. */
interface Standing {
  /** When the next attempt is made; null = never. */
  readonly dueMs: number | null;
  readonly outcome: string;
}

async function deliver(parts: DeliverParts, { delivery, out, signal }: Due): Promise<void> {
  const { state } = parts;
  const nowMs = parts.nowMs();
  const settle = (attempts: number, standing: Standing): void => {
    const { channel, event } = delivery;
    state.settle(delivery, { attempts, ...standing });
    parts.told({ channel, event: event.toString(), attempt: attempts, outcome: standing.outcome });
  };
  const message = await messageOf(parts, delivery, out);
  if (typeof message === 'string') {
    settle(delivery.attempts, { dueMs: null, outcome: message });
    return;
  }
  const attempts = delivery.attempts + 1;
  const dueMs = inTime(delivery, nextAttemptMs(attempts, nowMs, parts.random));
  // First what will be true if this process dies now.
  state.settle(delivery, { attempts, dueMs, outcome: 'under way' });
  const answer = await send(parts, delivery, { ...message, nowMs, signal });
  if (answer === null) {
    // Not the endpoint's fault: tried again as soon as this server is there again.
    state.settle(delivery, { attempts: delivery.attempts, dueMs: nowMs, outcome: 'interrupted' });
    return;
  }
  if (typeof answer !== 'string' && answer.status === 410)
    state.markGone(partsOfChannel(delivery.channel).name, out.url);
  settle(attempts, standingAfter(answer, delivery, { dueMs, nowMs }));
}

/** What is to be said; or why nothing is, any more. */
async function messageOf(
  { writ, nowMs }: DeliverParts,
  { channel, event: index, untilMs }: Delivery,
  out: ChannelOut,
): Promise<Message | string> {
  if (nowMs() >= untilMs) return 'expired';
  const [event] = (await writ.outbox.read(index, 1)).events;
  if (event === undefined) return 'gone';
  const { stage } = partsOfChannel(channel);
  return stage > 0 && event.record.state !== 'pending' ? 'decided before' : { event, out, stage };
}

/** What was answered; why there was no answer; null when `signal` came before one. */
async function send(
  parts: DeliverParts,
  delivery: Delivery,
  { nowMs, signal, ...message }: Message & { readonly nowMs: number; readonly signal: AbortSignal },
): Promise<EndpointAnswer | string | null> {
  try {
    const body = new TextEncoder().encode(JSON.stringify(await contentOf(parts, message)));
    const { url, sign } = message.out;
    const signed = signWebhook({
      key: sign.map((name) => keyText(parts.secret(name), name)),
      id: webhookId(parts.writ.origin, delivery),
      timestamp: Math.floor(nowMs / 1000),
      body,
    });
    const headers = { 'content-type': 'application/json', 'user-agent': 'writ', ...signed };
    return await parts.ask({ method: 'POST', url, headers, body, timeoutMs: TIMEOUT_MS, signal });
  } catch (error) {
    if (signal.aborted) return null;
    // The message of an error of ours holds no answer and no key; of others the code is enough.
    return error instanceof WritError ? error.message : "can't be reached";
  }
}

/** `dueMs`: when the next attempt was planned for. */
function standingAfter(
  answer: EndpointAnswer | string,
  delivery: Delivery,
  { dueMs, nowMs }: { readonly dueMs: number | null; readonly nowMs: number },
): Standing {
  if (typeof answer === 'string') return againAt(dueMs, answer);
  const { status, retryAfter } = answer;
  if (status >= 200 && status < 300) return { dueMs: null, outcome: `delivered (${status})` };
  if (status === 410) return { dueMs: null, outcome: 'answered 410: nothing more is sent there' };
  const isLater = dueMs !== null && BUSY.includes(status);
  const laterMs = isLater ? Math.max(dueMs, nowMs + retryAfterMs(retryAfter, nowMs)) : dueMs;
  return againAt(inTime(delivery, laterMs), `answered ${status}`);
}

function againAt(dueMs: number | null, outcome: string): Standing {
  return { dueMs, outcome: dueMs === null ? `${outcome}; not tried again` : outcome };
}

/** Null = the delivery is over by then. */
function inTime({ untilMs }: Delivery, dueMs: number | null): number | null {
  return dueMs === null || dueMs >= untilMs ? null : dueMs;
}

/** The same for each attempt of one event to one channel of one log. */
export function webhookId(origin: string, { channel, event }: Pick<Delivery, 'channel' | 'event'>): string {
  const text = JSON.stringify([origin, channel, event.toString()]);
  return `msg_${sha256(Buffer.from(text)).slice(0, 32)}`;
}

function keyText(value: Uint8Array | null, name: string): string {
  if (value !== null) return Buffer.from(value).toString('latin1').trim();
  throw new WritError('FUNCTION_UNAVAILABLE', `the secret ${name} is not known here`, {
    hint: `writ secrets set ${name}`,
  });
}
