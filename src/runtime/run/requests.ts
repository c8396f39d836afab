// What the engine asks for beside tasks: expressions are evaluated, items read and results written. Nothing outside the
// data directory and the evaluator's process is touched, and of artifacts only what policy allows (map-artifacts.ts). The
// answers become durable with what follows from them.
import type { Answer, Request } from '../../engine/query.js';
import type { EngineEvent } from '../../engine/command.js';
import type { DataClass } from '../../workflow/data-class.js';
import type { Guard } from '../guard-parts.js';
import type { LiveRun } from './live-run.js';
import { readItems, writeResults, type Written } from './map-artifacts.js';

/** Answered together, in one commit. */
const TOGETHER = 256;

/** Answers what the run asks for now; false when it asks for nothing. Rejects when nothing can be evaluated here. */
export async function answerRequests(guard: Guard, live: LiveRun): Promise<boolean> {
  const asked = live.execution.requests(guard.clock.nowMs());
  if (asked.length === 0) return false;
  // Expressions together; artifacts one by one, because each may be as large as memory bears.
  const queries = asked.filter(({ kind }) => kind === 'query').slice(0, TOGETHER);
  const requests = queries.length > 0 ? queries : asked.slice(0, 1);
  const answers = await Promise.all(
    requests.map(async (request) => {
      const { id, at } = request;
      return { id, at, ...(await answerOf(guard, live, request)) };
    }),
  );
  const nowMs = guard.clock.nowMs();
  // Should another process have changed the run meanwhile, a question that is no longer asked takes no answer.
  await live.commitOutcome(
    () => ({
      // First the data: what the answer leads to is judged with it.
      events: answers.flatMap(({ id, at, answer, data }): EngineEvent[] => [
        ...(data === undefined ? [] : [{ kind: 'taken-in' as const, data, nowMs }]),
        { kind: 'answered', id, at, answer, nowMs },
      ]),
      change: {
        entries: answers.flatMap(({ change }) => change?.entries ?? []),
        attempts: answers.flatMap(({ change }) => change?.attempts ?? []),
      },
    }),
    { nowMs },
  );
  return true;
}

async function answerOf(
  guard: Guard,
  live: LiveRun,
  request: Request,
): Promise<{ readonly answer: Answer; readonly change?: Written['change']; readonly data?: DataClass }> {
  switch (request.kind) {
    case 'query': {
      const { kind: _, ...query } = request;
      return { answer: await guard.queries.evaluate(query) };
    }
    case 'read':
      return readItems(guard, live, request);
    case 'write':
      return writeResults(guard, live, request);
  }
}
