// The pages behind a callback link. Everything on them is escaped, and what can't be seen is shown; nothing is loaded from
// anywhere, kept by anybody or framed.
import { randomBytes } from 'node:crypto';
import { html } from 'hono/html';
import type { CallbackToken } from '../adapters/store/serve-state.js';
import { MAX_REASON_CHARACTERS } from '../approval/decision.js';
import { revealHidden } from '../approval/display.js';
import type { ApprovalView } from '../runtime/writ.js';

/** The whole action, and the form that decides it as the link says; `nonce` is its own. */
export function formPage(
  token: CallbackToken,
  { record, display }: ApprovalView,
  nonce: string,
): Promise<Response> {
  const needed = record.reasonRequired ? 'required' : '';
  const content = html`<h1>${token.decision === 'approve' ? 'Approve' : 'Deny'} this action?</h1>
    <p>
      You are asked as <b>${token.approver}</b>. It expires at ${new Date(record.expiresAtMs).toISOString()}.
    </p>
    <p>
      Asked by ${revealHidden(record.requester)} in a run that ${revealHidden(record.initiator)}
      started${handsText(record)}, because of:
    </p>
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
  return page(200, content);
}

/** For a link that is unknown, used or over, without saying which. */
export function gonePage(): Promise<Response> {
  return page(
    404,
    html`<h1>This link decides nothing</h1>
      <p>It was used, has expired, is no longer yours, or never was one.</p>`,
  );
}

export function undecidedPage(status: 400 | 403, why: string): Promise<Response> {
  return page(
    status,
    html`<h1>Nothing was decided</h1>
      <p>${revealHidden(why)}</p>`,
  );
}

export function recordedPage({ decision, approver }: CallbackToken): Promise<Response> {
  return page(
    200,
    html`<h1>Recorded</h1>
      <p>${decision} by ${approver}. The link is used up.</p>`,
  );
}

/** Whoever changed the input or redrove the run counts as one who asks: who decides has to see it. */
function handsText({ editors = [], redriver }: ApprovalView['record']): string {
  const redriven = redriver === undefined ? '' : `, redriven by ${revealHidden(redriver)}`;
  return editors.length === 0 ? redriven : `${redriven}, changed by ${editors.map(revealHidden).join(', ')}`;
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
