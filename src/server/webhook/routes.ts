// Decisions that come by webhook. The signature of the message is its relay's: the person proves themselves in the body,
// or the relay's key is theirs. A message counts once, whatever came of it: one that was refused is over, and only what
// this server could not judge (5xx, 429) may come again under the same id.
import type { Hono } from 'hono';
import type { ServeState } from '../../adapters/store/serve-state.js';
import { WritError } from '../../errors.js';
import type { Principal, Writ } from '../../runtime/writ.js';
import { errorAnswer, HttpProblem } from '../answer.js';
import {
  decide,
  deciderOf,
  requireReadable,
  tokenInvalid,
  type DecideParts,
  type Receipt,
} from '../decide.js';
import { readRelayed, type RelayedBody } from '../decision-body.js';
import type { Authenticate } from '../identity.js';
import { bodyOf, headerPairs, json, type Env } from '../request.js';
import type { Channel } from '../serve-config.js';
import { sha256 } from '../sha256.js';
import { verifyChannel } from './in.js';

export interface WebhookRouteParts extends DecideParts {
  readonly writ: Pick<
    Writ,
    | 'approvalRecord'
    | 'mayRead'
    | 'decide'
    | 'receipt'
    | 'keepRefused'
    | 'principalOfSignature'
    | 'principalOfToken'
  >;
  readonly authenticate: Authenticate;
  readonly channels: ReadonlyMap<string, Channel>;
  /** A key by the name of its secret; null = there is none. */
  readonly secret: (name: string) => Uint8Array | null;
  readonly state: ServeState;
  readonly failed: (error: unknown, what: string) => void;
  readonly nowMs: () => number;
}

export function addWebhookRoutes(app: Hono<Env>, parts: WebhookRouteParts): void {
  const { writ, channels, secret, failed, nowMs } = parts;

  app.post('/v1/webhooks/approvals/:channel', async (c) => {
    const bytes = await bodyOf(c);
    const channel = channels.get(c.req.param('channel'));
    const headers = headerPairs(c.env.incoming.rawHeaders);
    const verdict = verifyChannel(channel?.in ?? null, secret, { headers, body: bytes, nowMs: nowMs() });
    // The same words whatever was wrong: a sender without the key learns nothing.
    if (channel === undefined || !verdict.ok) {
      if (!verdict.ok) failed(new WritError('APPROVAL_WEBHOOK_INVALID', verdict.code), 'webhook');
      throw new WritError('APPROVAL_WEBHOOK_INVALID', 'the webhook is not accepted');
    }
    const receipt = { source: `webhook:${channel.name}`, id: verdict.id, digest: sha256(bytes) };
    // Before anything is looked at.
    if ((await writ.receipt(receipt.source, receipt.id)) !== null) throw replayed();
    try {
      const { status, answer } = await judge(parts, {
        body: readRelayed(bytes),
        publicKey: verdict.publicKey,
        receipt,
      });
      if (status === 201) return json(201, answer);
    } catch (error) {
      if (isOver(error)) await writ.keepRefused(receipt);
      throw error;
    }
    throw replayed();
  });
}

/** What a channel sent. */
interface Relayed {
  readonly body: RelayedBody;
  /** Of the relay; null where an HMAC secret signed, which is nobody's own. */
  readonly publicKey: string | null;
  readonly receipt: Receipt;
}

async function judge(
  parts: WebhookRouteParts,
  { body, publicKey, receipt }: Relayed,
): ReturnType<typeof decide> {
  const { principal, once } = await relayedBy(parts, body, publicKey);
  if (body.signature === null) await requireReadable(parts.writ, body.approvalId, principal);
  return decide(parts, { id: body.approvalId, body, principal, receipt, once });
}

/** It was judged, and what it says does not hold. */
function isOver(error: unknown): boolean {
  const { status } = errorAnswer(error);
  return status < 500 && status !== 429;
}

async function relayedBy(
  { writ, authenticate, state, nowMs }: WebhookRouteParts,
  body: RelayedBody,
  publicKey: string | null,
): Promise<{ readonly principal: Principal; readonly once: Receipt | null }> {
  if (body.signature !== null) return { principal: deciderOf(writ, body, null), once: null };
  if (body.idToken !== null) return { principal: (await authenticate(body.idToken)).principal, once: null };
  if (body.token !== null) {
    const hash = sha256(Buffer.from(body.token));
    const token = state.callback(hash);
    const isFor =
      token !== null &&
      token.approval === body.approvalId &&
      token.subjectDigest === body.digest &&
      token.decision === body.decision &&
      token.untilMs > nowMs();
    if (!isFor) throw tokenInvalid();
    return {
      principal: writ.principalOfToken(token.approver),
      once: { source: 'callback', id: hash, digest: hash },
    };
  }
  if (publicKey === null)
    throw new WritError('APPROVAL_NOT_ELIGIBLE', 'this relay decides for nobody by itself');
  const owner = writ.principalOfSignature(`ed25519:${publicKey}`, new Uint8Array());
  return { principal: writ.principalOfToken(owner.id), once: null };
}

function replayed(): HttpProblem {
  return new HttpProblem(409, 'APPROVAL_WEBHOOK_INVALID', 'a webhook with this id was received before');
}
