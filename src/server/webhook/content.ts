// What a webhook says: the event, its request by name and digest, and, where the channel is to have them, the links that
// decide and the rendered input.
import type { ServeState } from '../../adapters/store/serve-state.js';
import type { Json, JsonObject } from '../../json.js';
import type { ApprovalEvent } from '../../runtime/approval/outbox.js';
import { timeText } from '../../runtime/log/entries.js';
import type { ApprovalRecord, Random } from '../../runtime/ports.js';
import type { Writ } from '../../runtime/writ.js';
import type { ChannelOut, WebhookEventType } from '../serve-config.js';
import { sha256 } from '../sha256.js';
import { rolesOf } from './stage.js';

const MAX_WEBHOOK_BYTES = 20_000;

/** An event as a channel is told of it. */
export interface Message {
  readonly event: ApprovalEvent;
  readonly out: ChannelOut;
  /** 0 = the event itself. */
  readonly stage: number;
}

export interface ContentParts {
  readonly writ: Pick<Writ, 'approval'>;
  readonly state: Pick<ServeState, 'addCallback'>;
  /** Of this server; null = no links. */
  readonly url: string | null;
  readonly random: Random;
}

/** For one attempt: its links are its own. */
export async function contentOf(parts: ContentParts, message: Message): Promise<JsonObject> {
  const { event, out, stage } = message;
  const type: WebhookEventType = stage > 0 ? 'approval.escalated' : event.type;
  const decidesBy = type === 'approval.requested' ? out.linksFor : null;
  const base: JsonObject = {
    ...dataOf(message, parts.url),
    ...(decidesBy === null ? {} : { links: newLinks(parts, event.record, decidesBy) }),
  };
  const whole = (data: JsonObject): JsonObject => ({ type, timestamp: timeText(event.timeMs), data });
  if (!out.includeInput) return whole(base);
  const { subject } = await parts.writ.approval(event.record.id);
  const body = whole({ ...base, input: inputOf(subject) });
  // What does not fit is looked at where all of it is shown.
  return Buffer.byteLength(JSON.stringify(body)) <= MAX_WEBHOOK_BYTES
    ? body
    : whole({ ...base, inputOmitted: true });
}

function dataOf({ event, stage }: Message, url: string | null): JsonObject {
  const { record, decided, reviewer } = event;
  return {
    id: record.id,
    run: record.run,
    stepPath: record.stepPath,
    function: record.functionId,
    subjectDigest: record.subjectDigest,
    expiresAt: timeText(record.expiresAtMs),
    ...(url === null ? {} : { link: `${url}/v1/approvals/${record.id}` }),
    ...(decided === null ? {} : { decision: decided.decision, approver: decided.approver }),
    // Nobody is to overlook an emergency: by when somebody has to have looked at it goes with it.
    ...(decided?.breakGlass === true ? { breakGlass: true, ...reviewDue(record) } : {}),
    ...(reviewer === undefined ? {} : { reviewer }),
    ...(stage > 0 ? { stage, ...rolesOf(record, stage) } : {}),
  };
}

function reviewDue({ review }: ApprovalRecord): JsonObject {
  return review === undefined ? {} : { reviewDueAt: timeText(review.dueAtMs) };
}

/** New tokens for each attempt: only their hashes are kept, so those of the last can't be sent again. */
function newLinks(
  { url, random, state }: ContentParts,
  record: ApprovalRecord,
  approver: string,
): JsonObject {
  const { id: approval, subjectDigest, expiresAtMs: untilMs } = record;
  const link = (decision: 'approve' | 'deny'): string => {
    const token = Buffer.from(random.bytes(32)).toString('base64url');
    const hash = sha256(Buffer.from(token));
    state.addCallback({ hash, approval, subjectDigest, decision, approver, untilMs });
    return `${url}/a/${token}`;
  };
  return { approver, approve: link('approve'), deny: link('deny') };
}

function inputOf(subject: Json): Json {
  return typeof subject === 'object' && subject !== null && 'input' in subject ? subject.input : null;
}
