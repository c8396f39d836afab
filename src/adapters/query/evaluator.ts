// JSONata in processes that can be killed: a small pool, one query at a time each. A process that was killed, or has
// died, is replaced when the next query comes; none of them keeps the runner alive.
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { WritError } from '../../errors.js';
import type { QueryAnswer, QueryEvaluator } from '../../runtime/ports.js';
import { bootChild, type Outcome, type QueryChild } from './child-process.js';
import type { Launch } from './protocol.js';
import { expressionsIn } from './template.js';

export interface QueryEvaluatorOptions {
  /** Wall clock of one query, in ms, whatever it does. Default 1,000. */
  readonly limitMs?: number;
  /** Processes at once. Default: as many as there are processors, at most 4. */
  readonly children?: number;
  /** Told when a process is started: for tests and for `doctor`. */
  readonly onStart?: (pid: number) => void;
}

const LIMIT_MS = 1_000;
const MAX_CHILDREN = 4;

const SAYS: Readonly<Record<Exclude<Outcome['kind'], 'answer'>, string>> = {
  limit: 'Expression evaluation timeout: Check for infinite loop',
  died: 'Expression evaluation memory limit exceeded: Check for excessive memory usage',
  nonsense: 'the process that evaluates it gave no answer',
};

/** Starts no process before the first query. `evaluate` rejects with SANDBOX_UNAVAILABLE only. */
export function openQueryEvaluator(options: QueryEvaluatorOptions = {}): QueryEvaluator {
  const limitMs = options.limitMs ?? LIMIT_MS;
  const size = options.children ?? Math.min(MAX_CHILDREN, availableParallelism());
  const idle: QueryChild[] = [];
  const all = new Set<QueryChild>();
  const waiting: (() => void)[] = [];
  let busy = 0;
  let isClosed = false;

  const take = async (): Promise<QueryChild> => {
    for (let child = idle.pop(); child !== undefined; child = idle.pop()) {
      if (!child.isGone()) return child;
      all.delete(child);
    }
    const child = await bootChild(launch());
    if (isClosed) await child.kill();
    all.add(child);
    options.onStart?.(child.pid);
    return child;
  };

  const turn = async (): Promise<void> => {
    if (busy >= size)
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    else busy += 1;
  };
  /** The place goes to whoever waits longest. */
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) busy -= 1;
    else next();
  };

  return {
    async evaluate(query) {
      const expressions = Object.entries(query.fields).flatMap(([field, template]) =>
        expressionsIn(template, field),
      );
      if (expressions.length === 0) return { ok: true, values: query.fields };
      await turn();
      try {
        if (isClosed) throw closed();
        const child = await take();
        if (isClosed) throw closed();
        const { fields, states, variables, nowMs, seed } = query;
        const outcome = await child.ask({ fields, states, variables, nowMs, seed }, limitMs);
        if (outcome.kind === 'answer') {
          idle.push(child);
          return outcome.answer;
        }
        all.delete(child);
        // A query that `close` interrupted has not failed: nothing may be concluded from it.
        if (isClosed) throw closed();
        return failed(outcome.kind, expressions);
      } finally {
        leave();
      }
    },
    async close() {
      isClosed = true;
      await Promise.all([...all].map((child) => child.kill()));
    },
  };
}

function closed(): WritError {
  return new WritError('SANDBOX_UNAVAILABLE', 'the JSONata evaluator has been closed');
}

/** Which of several expressions it was is known to nobody any more. */
function failed(
  kind: Exclude<Outcome['kind'], 'answer'>,
  expressions: readonly { readonly expression: string; readonly at: string }[],
): QueryAnswer {
  const { expression = '', at = '' } = expressions[0] ?? {};
  const among = expressions.length === 1 ? '' : ` (this one, or one of ${expressions.length - 1} after it)`;
  const message =
    `The JSONata expression '${expression}' specified for the field '${at}' ` +
    `threw an error during evaluation: ${SAYS[kind]}${among}`;
  return { ok: false, field: at, expression, problem: 'limit', message };
}

let found: Launch | null = null;

/** The compiled child: beside this file in `dist`, or in `dist` when this file runs as source under a test. */
function launch(): Launch {
  if (found !== null) return found;
  const here = fileURLToPath(new URL('.', import.meta.url));
  const built = import.meta.url.endsWith('.ts') ? join(here, '../../../dist/adapters/query') : here;
  try {
    const script = realpathSync(join(built, 'child.js'));
    const library = realpathSync(createRequire(import.meta.url).resolve('jsonata'));
    found = { script, libraryUrl: pathToFileURL(library).href, libraryDirectory: dirname(library) };
    return found;
  } catch (cause) {
    throw new WritError('SANDBOX_UNAVAILABLE', 'the JSONata evaluator is not installed whole', {
      hint: 'install the dependencies and build: npm ci && npm run build',
      cause,
    });
  }
}
