// Approvals over HTTP: the list, one request with all that was asked, and a decision. GET never changes anything; what a
// caller may not read is not there for them.
import type { Hono } from 'hono';
import { displayHash } from '../approval/display.js';
import { APPROVAL_STATES } from '../runtime/ports.js';
import type { Writ } from '../runtime/writ.js';
import { detail, summary } from './approval-json.js';
import { change, decide, deciderOf, requireReadable, type DecideParts } from './decide.js';
import { readDecision } from './decision-body.js';
import type { Authenticate } from './identity.js';
import { malformed } from './json-body.js';
import { afterOf, filterOf, readablePage } from './list-page.js';
import { bodyOf, callerOf, json, provenCaller, unproven, type Env } from './request.js';
import { sha256 } from './sha256.js';

export interface ApprovalRouteParts extends DecideParts {
  readonly writ: Pick<
    Writ,
    | 'approval'
    | 'approvalRecord'
    | 'approvals'
    | 'decide'
    | 'editApproval'
    | 'mayRead'
    | 'receipt'
    | 'principalOfSignature'
  >;
  readonly authenticate: Authenticate;
}

export function addApprovalRoutes(app: Hono<Env>, parts: ApprovalRouteParts): void {
  const { writ, authenticate } = parts;

  app.get('/v1/approvals', async (c) => {
    const { principal } = await provenCaller(c, authenticate);
    const query = c.req.query();
    const filter = filterOf(query, APPROVAL_STATES);
    const { page, cursor } = await readablePage(
      afterOf(query['cursor'], 'apr'),
      (part) => writ.approvals({ ...filter, ...part }),
      (record) => writ.mayRead(record, principal),
    );
    return json(200, { approvals: page.map(summary), cursor });
  });

  app.get('/v1/approvals/:id', async (c) => {
    const { principal } = await provenCaller(c, authenticate);
    const { id } = await requireReadable(writ, c.req.param('id'), principal);
    const view = await writ.approval(id);
    return json(200, {
      ...summary(view.record),
      ...detail(view.record),
      subject: view.subject,
      display: view.display,
      displayHash: displayHash(view.display),
    });
  });

  app.post('/v1/approvals/:id/decisions', async (c) => {
    const key = c.req.header('idempotency-key') ?? '';
    if (!/^[!-~]{1,255}$/u.test(key)) throw malformed('Idempotency-Key is 1 to 255 visible ASCII characters');
    const bytes = await bodyOf(c);
    const body = readDecision(bytes);
    const id = c.req.param('id');
    const called = await callerOf(c, authenticate);
    const principal = deciderOf(writ, body, called?.principal ?? null);
    if (called !== null) await requireReadable(writ, id, called.principal);
    const receipt = {
      source: `http:${principal.id}`,
      id: key,
      digest: sha256(Buffer.from(`${id}\n`), bytes),
    };
    if (body.changes !== null) {
      if (called === null) throw unproven('a change of the input needs a bearer token');
      const edit = { digest: body.digest, input: body.changes.input, receipt };
      const { status, made } = await change(writ, { id, edit, editor: called.principal });
      return json(status, { approval: summary(made), supersedes: id });
    }
    const { status, answer } = await decide(parts, { id, body, principal, receipt });
    return json(status, answer);
  });
}
