// The HTTP interface of approvals and tasks. Nothing is decided here: each call proves who asks, reads strictly, and goes
// through the same gate as the command line. Requests are counted before anything else is done for them.
import { Hono } from 'hono';
import { addApprovalRoutes, type ApprovalRouteParts } from './approval-routes.js';
import { errorAnswer, HttpProblem } from './answer.js';
import { addCallbackRoutes, type CallbackParts } from './callback-routes.js';
import { clientAddress } from './client-address.js';
import { notFound } from './decide.js';
import { addEventRoutes, type EventRouteParts } from './event-routes.js';
import type { Authenticate } from './identity.js';
import type { RateLimit } from './rate.js';
import { HEADERS, json, requireOnce, type Env } from './request.js';
import { addTaskRoutes, type TaskApiParts } from './task-api.js';
import { addWebhookRoutes, type WebhookRouteParts } from './webhook/routes.js';

type RouteParts = ApprovalRouteParts & EventRouteParts & WebhookRouteParts & CallbackParts & TaskApiParts;

/** What the routes need, and what is common to all of them. */
export interface ApiParts extends RouteParts {
  /** By address; by person, once that is proven. */
  readonly rate: RateLimit;
  readonly ratePerson: RateLimit;
  readonly trustedProxies: readonly string[];
}

export function openApi(given: ApiParts): Hono<Env> {
  const app = new Hono<Env>();
  const parts: ApiParts = { ...given, authenticate: countedByPerson(given) };

  app.use(async (c, next) => {
    takeTurn(parts.rate, clientAddress(c.env.incoming, parts.trustedProxies), parts);
    requireOnce(c.env.incoming.rawHeaders);
    await next();
    for (const [name, value] of Object.entries(HEADERS))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  app.onError((error, c) => {
    const { status, body } = errorAnswer(error);
    // A fault that is not the caller's, for the operator.
    if (status >= 500) parts.failed(error, `${c.req.method} ${c.req.routePath}`);
    const extra = error instanceof HttpProblem ? error.headers : {};
    const challenge = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
    return json(status, body, { ...extra, ...challenge });
  });
  app.notFound(() => json(404, errorAnswer(notFound()).body));

  app.get('/v1/health', () => json(200, { ok: true }));
  addApprovalRoutes(app, parts);
  addEventRoutes(app, parts);
  addWebhookRoutes(app, parts);
  addCallbackRoutes(app, parts);
  addTaskRoutes(app, parts);

  // A path of ours with another method.
  app.all('/v1/*', (c) => {
    return c.req.method === 'GET' || c.req.method === 'HEAD'
      ? json(404, errorAnswer(notFound()).body)
      : json(405, { error: { code: 'USAGE', message: 'no such method here' } });
  });
  return app;
}

/** Throws 429. */
function takeTurn(rate: RateLimit, who: string, { nowMs }: Pick<ApiParts, 'nowMs'>): void {
  const wait = rate.take(who, nowMs());
  if (wait > 0) throw new HttpProblem(429, 'USAGE', 'too many requests', { 'retry-after': String(wait) });
}

/** Counted once a token has proven the person: nobody uses up the turns of somebody whom they merely name. */
function countedByPerson(parts: ApiParts): Authenticate {
  return async (token) => {
    const called = await parts.authenticate(token);
    takeTurn(parts.ratePerson, called.principal.id, parts);
    return called;
  };
}
