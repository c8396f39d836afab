// The events of one request as a stream (server-sent events): for who may read it, until their token ends, and only so
// many at once, of all and of one person. Rights that are taken away end it with the next event.
import type { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { Writ } from '../runtime/writ.js';
import { HttpProblem } from './answer.js';
import { requireReadable } from './decide.js';
import { approvalEvents } from './events.js';
import type { Authenticate } from './identity.js';
import { malformed } from './json-body.js';
import { provenCaller, type Env } from './request.js';
import { openStreams } from './streams.js';

export interface EventRouteParts {
  readonly writ: Pick<Writ, 'approvalRecord' | 'mayRead' | 'entries' | 'changeCounter'>;
  readonly authenticate: Authenticate;
  readonly failed: (error: unknown, what: string) => void;
  readonly stopping: AbortSignal;
  readonly nowMs: () => number;
}

export function addEventRoutes(app: Hono<Env>, parts: EventRouteParts): void {
  const { writ } = parts;
  const streams = openStreams();

  app.get('/v1/approvals/:id/events', async (c) => {
    const { principal, untilMs } = await provenCaller(c, parts.authenticate);
    const record = await requireReadable(writ, c.req.param('id'), principal);
    const from = lastEventId(c.req.header('last-event-id'));
    // Nobody would read it, and nobody would end it.
    if (c.req.method === 'HEAD')
      return new Response(null, { headers: { 'content-type': 'text/event-stream' } });
    const end = streams.begin(principal.id);
    if (end === null) throw new HttpProblem(503, 'STORE_BUSY', 'too many streams', { 'retry-after': '5' });
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, parts.stopping]);
    return streamSSE(
      c,
      async (stream) => {
        stream.onAbort(() => {
          ended.abort();
        });
        try {
          const mayRead = (now: ApprovalRecord): boolean => writ.mayRead(now, principal);
          const asked = { from, untilMs, signal, mayRead, nowMs: () => parts.nowMs() };
          const events = approvalEvents(writ, record, asked);
          for await (const event of events) {
            if (event === null) await stream.write(': waiting\n\n');
            else
              await stream.writeSSE({
                id: String(event.seq),
                event: event.type,
                data: JSON.stringify(event.data),
              });
          }
        } finally {
          end();
        }
      },
      async (error) => {
        parts.failed(error, 'events');
        await Promise.resolve();
      },
    );
  });
}

function lastEventId(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/u.test(text)) throw malformed('Last-Event-ID is the id of an event');
  return Number(text) + 1;
}
