// Callback links. Opening one changes nothing: mail scanners and chat previews open links. It shows the whole action and a
// form; the form, with a nonce that only the page has, decides. A token that is unknown, used or over is answered in one
// way.
import type { Hono } from 'hono';
import type { CallbackToken, ServeState } from '../adapters/store/serve-state.js';
import { MAX_REASON_CHARACTERS } from '../approval/decision.js';
import { WritError } from '../errors.js';
import type { Hex } from '../json.js';
import type { ApprovalView, Writ } from '../runtime/writ.js';
import { formPage, gonePage, recordedPage, undecidedPage } from './callback-page.js';
import { decide, type DecideParts } from './decide.js';
import { openPageNonces } from './page-nonce.js';
import { bodyOf, type Env } from './request.js';
import { sha256 } from './sha256.js';

export interface CallbackParts extends DecideParts {
  readonly writ: Pick<Writ, 'approval' | 'decide' | 'mayRead' | 'receipt' | 'principalOfToken'>;
  readonly state: ServeState;
  readonly nowMs: () => number;
}

export function addCallbackRoutes(app: Hono<Env>, parts: CallbackParts): void {
  const nonces = openPageNonces(parts.nowMs);

  app.get('/a/:token', async (c) => {
    const link = await liveLink(parts, c.req.param('token'));
    if (link === null) return gonePage();
    return formPage(link.token, link.view, nonces.make(link.hash));
  });

  app.post('/a/:token', async (c) => {
    const fields = new URLSearchParams(Buffer.from(await bodyOf(c)).toString('utf8'));
    const link = await liveLink(parts, c.req.param('token'));
    if (link === null) return gonePage();
    const isCrossSite = c.req.header('sec-fetch-site') === 'cross-site';
    if (isCrossSite || !nonces.isValid(fields.get('nonce') ?? '', link.hash))
      return undecidedPage(403, 'Open the link again and use its form.');
    const reason = (fields.get('reason') ?? '').trim();
    if (reason.length > MAX_REASON_CHARACTERS || (reason === '' && link.view.record.reasonRequired))
      return undecidedPage(400, `A reason of 1 to ${MAX_REASON_CHARACTERS} characters is needed.`);
    return decideBy(parts, link, reason === '' ? null : reason);
  });
}

/** A link that can still decide what it was made for. */
interface Link {
  readonly hash: Hex;
  readonly token: CallbackToken;
  readonly view: ApprovalView;
}

/** Null for any other, without saying why. */
async function liveLink({ state, writ, nowMs }: CallbackParts, text: string): Promise<Link | null> {
  // attacker-controlled; a token is 256 bits in base64url
  if (!/^[A-Za-z0-9_-]{43}$/u.test(text)) return null;
  const hash = sha256(Buffer.from(text));
  const token = state.callback(hash);
  if (token === null || token.untilMs <= nowMs()) return null;
  if ((await writ.receipt('callback', hash)) !== null) return null;
  const view = await writ.approval(token.approval);
  // A link outlives the rights of whom it was made for: it shows them no more than the interface would.
  if (!isTheirs(writ, view, token)) return null;
  const isOpen = view.record.state === 'pending' && view.record.subjectDigest === token.subjectDigest;
  return isOpen && nowMs() < view.record.expiresAtMs ? { hash, token, view } : null;
}

function isTheirs(
  writ: Pick<Writ, 'mayRead' | 'principalOfToken'>,
  { record }: ApprovalView,
  { approver }: CallbackToken,
): boolean {
  try {
    return writ.mayRead(record, writ.principalOfToken(approver));
  } catch (error) {
    if (error instanceof WritError && error.code === 'POLICY_IDENTITY_UNKNOWN') return false;
    throw error;
  }
}

async function decideBy(
  parts: CallbackParts,
  { hash, token, view }: Link,
  reason: string | null,
): Promise<Response> {
  const { decision, approval: id, approver } = token;
  const { subjectDigest: digest } = view.record;
  try {
    const { status } = await decide(parts, {
      id,
      body: { decision, digest, reason, signature: null, delegation: null, breakGlass: false },
      principal: parts.writ.principalOfToken(approver),
      receipt: { source: 'callback', id: hash, digest: hash },
    });
    // The same link a second time, at the same moment: it is used up.
    return await (status === 200 ? gonePage() : recordedPage(token));
  } catch (error) {
    if (!(error instanceof WritError) || error.kind !== 'refusal') throw error;
    return undecidedPage(403, `It was not accepted: ${error.message}.`);
  }
}
