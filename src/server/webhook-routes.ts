// Decisions that come by webhook. The signature of the message is its relay's: the person proves themselves in the body,
// or the relay's key is theirs. A message counts once, whatever came of it.
import type { Hono } from 'hono';
import type { ServeState } from '../adapters/store/serve-state.js';
import { WritError } from '../errors.js';
import type { Principal, Writ } from '../runtime/writ.js';
import { HttpProblem } from './answer.js';
import {
  decide,
  deciderOf,
  requireReadable,
  tokenInvalid,
  type DecideParts,
  type Receipt,
} from './decide.js';
import { readRelayed, type RelayedBody } from './decision-body.js';
import type { Authenticate } from './identity.js';
import { bodyOf, headerPairs, json, type Env } from './request.js';
import type { Channel } from './serve-config.js';
import { sha256 } from './sha256.js';
import { verifyChannel } from './webhook-in.js';

export interface WebhookRouteParts extends DecideParts {
  readonly writ: Pick<
    Writ,
    'approval' | 'mayRead' | 'decide' | 'receipt' | 'principalOfSignature' | 'principalOfToken'
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
    const body = readRelayed(bytes);
    const receipt = { source: `webhook:${channel.name}`, id: verdict.id, digest: sha256(bytes) };
    // Before anything is looked at: a message counts once, whatever came of it.
    if ((await writ.receipt(receipt.source, receipt.id)) !== null) throw replayed();
    const { principal, once } = await relayedBy(parts, body, verdict.publicKey);
    if (body.signature === null) await requireReadable(writ, body.approvalId, principal);
    const { status, answer } = await decide(parts, body.approvalId, body, principal, receipt, once);
    if (status === 200) throw replayed();
    return json(201, answer);
  });
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
