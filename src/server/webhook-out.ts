// Webhooks that go out. The log is the outbox; this keeps each channel's place in it, and tries a delivery again on the
// published schedule until the request it tells of has expired. An attempt is written down before it is made, so that a
// crash in the middle of one repeats it, with the same id, and never hurries. A dead channel delays nobody and decides
// nothing.
import { createHash } from 'node:crypto';
import { signWebhook } from '../approval/webhook.js';
import { WritError } from '../errors.js';
import type { Json, JsonObject } from '../json.js';
import { timeText } from '../runtime/entries.js';
import type { ApprovalEvent, ApprovalOutbox } from '../runtime/approval-outbox.js';
import type { ApprovalRecord, Escalation, Random } from '../runtime/ports.js';
import type { Writ } from '../runtime/writ.js';
import type { Delivery, ServeState } from '../adapters/store/serve-state.js';
import type { Channel, ChannelOut, WebhookEventType } from './serve-config.js';
import { sha256 } from './sha256.js';
import type { EndpointAnswer, EndpointRequest } from './webhook-endpoint.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** How long after attempt n the next is made: that of the Standard Webhooks specification. */
export const RETRY_AFTER_MS: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
const JITTER = 0.1;
const MAX_RETRY_AFTER_MS = 24 * HOUR;
/** What ended a request is worth telling for a day, though the request has expired. */
const ENDING_MS = 24 * HOUR;
const MAX_WEBHOOK_BYTES = 20_000;
const TIMEOUT_MS = 10_000;
const BATCH = 500;
const AT_ONCE = 8;
/** Of one request. */
const MAX_STAGES = 20;
const STAGES = Array.from({ length: MAX_STAGES }, (_, at) => at + 1);

export interface DeliverParts {
  readonly writ: Pick<Writ, 'approval' | 'outbox' | 'origin'>;
  readonly state: ServeState;
  /** Those that are told. */
  readonly channels: readonly Channel[];
  /** Of this server; null = no links. */
  readonly url: string | null;
  readonly secret: (name: string) => Uint8Array | null;
  readonly random: Random;
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
}: Pick<DeliverParts, 'writ' | 'state' | 'channels'>): Promise<boolean> {
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
    const due = wanted.map((event) => ({
      event: event.index,
      dueMs: event.timeMs,
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

/** When others are asked too, in the order of the stages; from 1. */
function stagesOf(record: ApprovalRecord): readonly { stage: number; dueMs: number }[] {
  const waits = [...new Set(record.quorum.flatMap(({ escalation = [] }) => escalation.map(afterMs)))];
  return waits
    .toSorted((a, b) => a - b)
    .slice(0, MAX_STAGES)
    .map((wait, at) => ({ stage: at + 1, dueMs: record.createdAtMs + wait }));
}

function afterMs({ afterSeconds }: Pick<Escalation, 'afterSeconds'>): number {
  return afterSeconds * SECOND;
}

/** A stage is a delivery of its own, of the event that made the request. No channel has a name like it. */
function stageChannel(name: string, stage: number): string {
  return `${name}#${stage}`;
}

function partsOfChannel(channel: string): { readonly name: string; readonly stage: number } {
  const [name = '', stage] = channel.split('#');
  return { name, stage: Number(stage ?? 0) };
}

/** The roles that the stage brings in: whom to tell, and who may decide from now on. */
function rolesOf(record: ApprovalRecord, stage: number) {
  const dueMs = stagesOf(record)[stage - 1]?.dueMs;
  const due = record.quorum
    .flatMap(({ escalation = [] }) => escalation)
    .filter((one) => record.createdAtMs + afterMs(one) === dueMs);
  const each = (of: (one: Escalation) => readonly string[]) => [...new Set(due.flatMap(of))];
  return { notifyRoles: each((one) => one.notifyRoles), addRoles: each((one) => one.addRoles) };
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
  const due = state.due(
    open.flatMap(({ name }) => [name, ...STAGES.map((stage) => stageChannel(name, stage))]),
    parts.nowMs(),
    AT_ONCE,
  );
  await Promise.all(
    due.map(async (delivery) => {
      const out = byName.get(partsOfChannel(delivery.channel).name);
      if (out != null) await attempt(parts, delivery, out, signal);
    }),
  );
  return due.length;
}

async function attempt(
  parts: DeliverParts,
  delivery: Delivery,
  out: ChannelOut,
  signal: AbortSignal,
): Promise<void> {
  const { state, writ } = parts;
  const nowMs = parts.nowMs();
  const attempts = delivery.attempts + 1;
  const over = (outcome: string, made = attempts): void => {
    state.settle(delivery, { attempts: made, dueMs: null, outcome });
    parts.told({ channel: delivery.channel, event: delivery.event.toString(), attempt: made, outcome });
  };
  if (nowMs >= delivery.untilMs) {
    over('expired', delivery.attempts);
    return;
  }
  const event = await eventAt(writ.outbox, delivery.event);
  if (event === null) {
    over('gone', delivery.attempts);
    return;
  }
  const { name, stage } = partsOfChannel(delivery.channel);
  if (stage > 0 && event.record.state !== 'pending') {
    over('decided before', delivery.attempts);
    return;
  }
  const planned = nextAttemptMs(attempts, nowMs, parts.random);
  const untilNext = (dueMs: number | null): number | null =>
    dueMs === null || dueMs >= delivery.untilMs ? null : dueMs;
  // First what will be true if this process dies now.
  state.settle(delivery, { attempts, dueMs: untilNext(planned), outcome: 'under way' });
  let outcome: string;
  let dueMs = untilNext(planned);
  try {
    const body = new TextEncoder().encode(JSON.stringify(await bodyOf(parts, event, out, stage)));
    const answer = await parts.ask({
      method: 'POST',
      url: out.url,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'writ',
        ...signWebhook({
          key: out.sign.map((name) => keyText(parts.secret(name), name)),
          id: webhookId(writ.origin, delivery),
          timestamp: Math.floor(nowMs / 1000),
          body,
        }),
      },
      body,
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    const { status } = answer;
    if (status >= 200 && status < 300) {
      over(`delivered (${status})`);
      return;
    }
    outcome = `answered ${status}`;
    if (status === 410) {
      state.markGone(name, out.url);
      over('answered 410: nothing more is sent there');
      return;
    }
    if (dueMs !== null && [429, 502, 503, 504].includes(status)) {
      dueMs = untilNext(Math.max(dueMs, nowMs + retryAfterMs(answer.retryAfter, nowMs)));
    }
  } catch (error) {
    if (signal.aborted) {
      // Not the endpoint's fault: tried again as soon as this server is there again.
      state.settle(delivery, { attempts: delivery.attempts, dueMs: nowMs, outcome: 'interrupted' });
      return;
    }
    // The message of an error of ours holds no answer and no key; of others the code is enough.
    outcome = error instanceof WritError ? error.message : "can't be reached";
  }
  if (dueMs === null) {
    over(`${outcome}; not tried again`);
    return;
  }
  state.settle(delivery, { attempts, dueMs, outcome });
  parts.told({ channel: delivery.channel, event: delivery.event.toString(), attempt: attempts, outcome });
}

/** When attempt `made` + 1 is to be made, with up to a tenth of the wait added; null = that was the last. */
export function nextAttemptMs(made: number, nowMs: number, random: Random): number | null {
  const wait = RETRY_AFTER_MS[made - 1];
  if (wait === undefined) return null;
  const [draw = 0] = random.bytes(1);
  return nowMs + Math.round(wait * (1 + (JITTER * draw) / 255));
}

/** Attacker-controlled: seconds or a date; capped, 0 for anything else. */
export function retryAfterMs(text: string | null, nowMs: number): number {
  if (text === null) return 0;
  const ms = /^\d{1,9}$/u.test(text)
    ? Number(text) * SECOND
    : /GMT$/u.test(text)
      ? Date.parse(text) - nowMs
      : 0;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : 0;
}

/** The same for each attempt of one event to one channel of one log. */
export function webhookId(origin: string, { channel, event }: Pick<Delivery, 'channel' | 'event'>): string {
  const text = JSON.stringify([origin, channel, event.toString()]);
  return `msg_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

async function eventAt(outbox: ApprovalOutbox, index: bigint): Promise<ApprovalEvent | null> {
  const { events } = await outbox.read(index, 1);
  return events[0] ?? null;
}

async function bodyOf(
  parts: DeliverParts,
  event: ApprovalEvent,
  out: ChannelOut,
  stage: number,
): Promise<JsonObject> {
  const { record, timeMs, decided, reviewer } = event;
  const type: WebhookEventType = stage > 0 ? 'approval.escalated' : event.type;
  const base: JsonObject = {
    id: record.id,
    run: record.run,
    stepPath: record.stepPath,
    function: record.functionId,
    subjectDigest: record.subjectDigest,
    expiresAt: timeText(record.expiresAtMs),
    ...(parts.url === null ? {} : { link: `${parts.url}/v1/approvals/${record.id}` }),
    ...(decided === null ? {} : { decision: decided.decision, approver: decided.approver }),
    // Nobody is to overlook an emergency: by when somebody has to have looked at it goes with it.
    ...(decided?.breakGlass === true ? { breakGlass: true, ...reviewDue(record) } : {}),
    ...(reviewer === undefined ? {} : { reviewer }),
    ...(stage > 0 ? { stage, ...rolesOf(record, stage) } : {}),
    ...(type === 'approval.requested' && out.linksFor !== null
      ? { links: newLinks(parts, event, out.linksFor) }
      : {}),
  };
  const whole = (data: JsonObject): JsonObject => ({ type, timestamp: timeText(timeMs), data });
  if (!out.includeInput) return whole(base);
  const { subject } = await parts.writ.approval(record.id);
  const body = whole({ ...base, input: inputOf(subject) });
  // What does not fit is looked at where all of it is shown.
  return Buffer.byteLength(JSON.stringify(body)) <= MAX_WEBHOOK_BYTES
    ? body
    : whole({ ...base, inputOmitted: true });
}

function reviewDue({ review }: ApprovalRecord): JsonObject {
  return review === undefined ? {} : { reviewDueAt: timeText(review.dueAtMs) };
}

/** New tokens for each attempt: only their hashes are kept, so those of the last can't be sent again. */
function newLinks(
  { url, random, state }: DeliverParts,
  { record }: ApprovalEvent,
  approver: string,
): JsonObject {
  const link = (decision: 'approve' | 'deny'): string => {
    const token = Buffer.from(random.bytes(32)).toString('base64url');
    const { id: approval, subjectDigest, expiresAtMs: untilMs } = record;
    state.addCallback({
      hash: sha256(Buffer.from(token)),
      approval,
      subjectDigest,
      decision,
      approver,
      untilMs,
    });
    return `${url}/a/${token}`;
  };
  return { approver, approve: link('approve'), deny: link('deny') };
}

function inputOf(subject: Json): Json {
  return typeof subject === 'object' && subject !== null && 'input' in subject ? subject.input : null;
}

function keyText(value: Uint8Array | null, name: string): string {
  if (value !== null) return Buffer.from(value).toString('latin1').trim();
  throw new WritError('FUNCTION_UNAVAILABLE', `the secret ${name} is not known here`, {
    hint: `writ secrets set ${name}`,
  });
}
