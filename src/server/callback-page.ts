// The page behind a callback link. Opening it changes nothing: mail scanners and chat previews open links. It shows the
// whole action and a form; the form, with a nonce that only the page has, decides. A token that is unknown, used or over
// is answered in one way.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Hono } from 'hono';
import { html } from 'hono/html';
import type { CallbackToken, ServeState } from '../adapters/store/serve-state.js';
import { MAX_REASON_CHARACTERS } from '../approval/decision.js';
import { revealHidden } from '../approval/display.js';
import { WritError } from '../errors.js';
import { isHex64, type Hex, type Json } from '../json.js';
import type { ApprovalView, Principal, VoteRequest, Writ } from '../runtime/writ.js';
import type { DecisionBody } from './decision-body.js';
import type { Ctx, Env } from './request.js';
import { sha256 } from './sha256.js';

export interface CallbackParts {
  readonly writ: Pick<Writ, 'approval' | 'mayRead' | 'receipt' | 'principalOfToken'>;
  readonly state: ServeState;
  readonly bodyOf: (c: Ctx) => Promise<Uint8Array>;
  readonly decide: (
    id: string,
    body: DecisionBody,
    principal: Principal,
    receipt: NonNullable<VoteRequest['receipt']>,
  ) => Promise<{ readonly status: 200 | 201; readonly answer: Json }>;
  readonly nowMs: () => number;
}

/** How long a page that was opened can be sent. */
const NONCE_MS = 600_000;

export function addCallbackRoutes(app: Hono<Env>, parts: CallbackParts): void {
  // A page of a process before this one is opened again: nothing is kept for it.
  const nonceKey = randomBytes(32);
  const nonceOf = (hash: string, atMs: number): string =>
    `${atMs}-${createHmac('sha256', nonceKey).update(`${hash}.${atMs}`).digest('hex')}`;
  const isNonce = (text: string, hash: string): boolean => {
    const [, at = ''] = /^(\d{1,15})-[0-9a-f]{64}$/u.exec(text) ?? [];
    const age = parts.nowMs() - Number(at);
    if (at === '' || age < 0 || age > NONCE_MS) return false;
    // Another spelling of the same time (zeros before it) is another text.
    const [given, own] = [Buffer.from(text), Buffer.from(nonceOf(hash, Number(at)))];
    return given.length === own.length && timingSafeEqual(given, own);
  };

  app.get('/a/:token', async (c) => {
    const found = await tokenOf(parts, c.req.param('token'));
    if (found === null) return gone();
    return page(200, form(found.token, found.view, nonceOf(found.token.hash, parts.nowMs())));
  });

  app.post('/a/:token', async (c) => {
    const fields = new URLSearchParams(Buffer.from(await parts.bodyOf(c)).toString('utf8'));
    const found = await tokenOf(parts, c.req.param('token'));
    if (found === null) return gone();
    const { token, view } = found;
    if (c.req.header('sec-fetch-site') === 'cross-site' || !isNonce(fields.get('nonce') ?? '', token.hash)) {
      return page(
        403,
        html`<h1>Nothing was decided</h1>
          <p>Open the link again and use its form.</p>`,
      );
    }
    const reason = (fields.get('reason') ?? '').trim();
    if (reason.length > MAX_REASON_CHARACTERS || (reason === '' && view.record.reasonRequired)) {
      return page(
        400,
        html`<h1>Nothing was decided</h1>
          <p>A reason of 1 to ${MAX_REASON_CHARACTERS} characters is needed.</p>`,
      );
    }
    const { subjectDigest } = view.record;
    const given = {
      reason: reason === '' ? null : reason,
      signature: null,
      delegation: null,
      breakGlass: false,
    };
    const body: DecisionBody = { decision: token.decision, digest: subjectDigest, ...given };
    try {
      const receipt = { source: 'callback', id: token.hash, digest: hexOf(token.hash) };
      const { status } = await parts.decide(
        token.approval,
        body,
        parts.writ.principalOfToken(token.approver),
        receipt,
      );
      // The same link a second time, at the same moment: it is used up.
      if (status === 200) return await gone();
    } catch (error) {
      if (!(error instanceof WritError) || error.kind !== 'refusal') throw error;
      const text = `It was not accepted: ${error.message}.`;
      return page(
        403,
        html`<h1>Nothing was decided</h1>
          <p>${revealHidden(text)}</p>`,
      );
    }
    return page(
      200,
      html`<h1>Recorded</h1>
        <p>${token.decision} by ${token.approver}. The link is used up.</p>`,
    );
  });
}

/** The token, while it can still decide what it was made for; null otherwise, without saying why. */
async function tokenOf(
  { state, writ, nowMs }: CallbackParts,
  text: string,
): Promise<{ readonly token: CallbackToken; readonly view: ApprovalView } | null> {
  // attacker-controlled; a token is 256 bits in base64url
  if (!/^[A-Za-z0-9_-]{43}$/u.test(text)) return null;
  const token = state.callback(sha256(Buffer.from(text)));
  if (token === null || token.untilMs <= nowMs()) return null;
  if ((await writ.receipt('callback', token.hash)) !== null) return null;
  const view = await writ.approval(token.approval);
  // A link outlives the rights of whom it was made for: it shows them no more than the interface would.
  if (!isTheirs(writ, view, token)) return null;
  const isOpen = view.record.state === 'pending' && view.record.subjectDigest === token.subjectDigest;
  return isOpen && nowMs() < view.record.expiresAtMs ? { token, view } : null;
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

function form(
  token: CallbackToken,
  { record, display }: ApprovalView,
  nonce: string,
): ReturnType<typeof html> {
  const needed = record.reasonRequired ? 'required' : '';
  return html`<h1>${token.decision} this action?</h1>
    <p>
      You are asked as <b>${token.approver}</b>. It expires at ${new Date(record.expiresAtMs).toISOString()}.
    </p>
    <p>Asked by ${revealHidden(record.requester)}${handsText(record)}, because of:</p>
    <ul>
      ${record.demandedBy.map((why) => html`<li>${revealHidden(why)}</li>`)}
    </ul>
    <pre>${display.join('\n')}</pre>
    <p>Digest <code>${record.subjectDigest}</code></p>
    <form method="post" autocomplete="off">
      <input type="hidden" name="nonce" value="${nonce}" />
      <p>
        <label
          >Reason <textarea name="reason" maxlength="${MAX_REASON_CHARACTERS}" ${needed}></textarea>
        </label>
      </p>
      <p><button type="submit">${token.decision}</button></p>
    </form>`;
}

/** Whoever changed the input or redrove the run counts as one who asks: who decides has to see it. */
function handsText({ editors = [], redriver }: ApprovalView['record']): string {
  const redriven = redriver === undefined ? '' : `, redriven by ${revealHidden(redriver)}`;
  return editors.length === 0 ? redriven : `${redriven}, changed by ${editors.map(revealHidden).join(', ')}`;
}

function gone(): Promise<Response> {
  return page(
    404,
    html`<h1>This link decides nothing</h1>
      <p>It was used, has expired, is no longer yours, or never was one.</p>`,
  );
}

async function page(status: number, content: ReturnType<typeof html>): Promise<Response> {
  const nonce = randomBytes(16).toString('base64');
  const text = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>Writ approval</title>
        <style nonce="${nonce}">
          body {
            font:
              16px/1.5 system-ui,
              sans-serif;
            max-width: 50rem;
            margin: 2rem auto;
            padding: 0 1rem;
          }
          pre {
            white-space: pre-wrap;
            overflow-wrap: anywhere;
            border: 1px solid;
            padding: 1rem;
          }
          textarea {
            width: 100%;
          }
          button {
            font: inherit;
            padding: 0.5rem 1.5rem;
          }
        </style>
      </head>
      <body>
        ${content}
      </body>
    </html> `;
  return new Response(text.toString(), {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'x-robots-tag': 'noindex',
    },
  });
}

function hexOf(text: string): Hex {
  if (isHex64(text)) return text;
  throw new WritError('INTERNAL', 'the hash of a token has 64 hex digits');
}
