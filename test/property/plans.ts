// Plans for engine tests, written as nodes and not as documents, so that a fault of a parser can't hide one of the
// engine; and a run that is moved by hand, with virtual time.
import {
  apply,
  command,
  start,
  type Command,
  type EngineEvent,
  type EngineState,
} from '../../src/engine/index.js';
import { ERRORS, errorName, type ErrorCode, type ErrorKind } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import type {
  Catcher,
  ChoiceNode,
  FailNode,
  PassNode,
  Plan,
  PlanNode,
  Retrier,
  SucceedNode,
  TaskNode,
  WaitNode,
} from '../../src/workflow/plan.js';
import type { StepError } from '../../src/engine/state.js';

type Draft<Node extends PlanNode> = Omit<Node, 'name' | 'line' | 'column'>;
type AnyDraft = PlanNode extends infer Node ? (Node extends PlanNode ? Draft<Node> : never) : never;

const WHOLE = { inputPath: '$', outputPath: '$' } as const;

/** A States Language task that ends the run; data replaces the input. */
export function task(fields: Partial<Draft<TaskNode>> = {}): Draft<TaskNode> {
  return {
    kind: 'task',
    call: { kind: 'function', functionId: 'tool::wasm', agent: null },
    when: null,
    input: { kind: 'path', inputPath: '$' },
    output: { kind: 'path', resultPath: '$', outputPath: '$' },
    timeoutMs: null,
    retry: [],
    catch: [],
    onFailure: 'fail',
    approval: null,
    sandbox: null,
    idempotent: false,
    next: null,
    ...fields,
  };
}

export function pass(fields: Partial<Draft<PassNode>> = {}): Draft<PassNode> {
  return { kind: 'pass', ...WHOLE, resultPath: '$', next: null, ...fields };
}

export function choice(fields: Partial<Draft<ChoiceNode>> = {}): Draft<ChoiceNode> {
  return { kind: 'choice', ...WHOLE, choices: [], default: null, ...fields };
}

export function wait(until: WaitNode['until'], fields: Partial<Draft<WaitNode>> = {}): Draft<WaitNode> {
  return { kind: 'wait', ...WHOLE, until, next: null, ...fields };
}

export function succeed(fields: Partial<Draft<SucceedNode>> = {}): Draft<SucceedNode> {
  return { kind: 'succeed', ...WHOLE, ...fields };
}

export function failState(error: string | null, cause: string | null): Draft<FailNode> {
  return { kind: 'fail', error, cause };
}

export function retrier(fields: Partial<Retrier> = {}): Retrier {
  return {
    errorEquals: ['States.ALL'],
    intervalMs: 1000,
    maxAttempts: 3,
    backoffRate: 2,
    maxDelayMs: null,
    jitter: 'none',
    ...fields,
  };
}

export function catcher(next: string, fields: Partial<Catcher> = {}): Catcher {
  return { errorEquals: ['States.ALL'], resultPath: '$', next, ...fields };
}

/** Starts at the first node. */
export function statesPlan(drafts: Readonly<Record<string, AnyDraft>>, fields: Partial<Plan> = {}): Plan {
  return {
    v: 1,
    dialect: 'states',
    id: 'claims',
    name: 'Claims',
    description: '',
    start: Object.keys(drafts)[0] ?? '',
    nodes: Object.fromEntries(
      Object.entries(drafts).map(([name, draft]) => [name, { name, line: 1, column: 1, ...draft }]),
    ),
    inputs: null,
    ceilings: null,
    timeoutMs: null,
    agents: [],
    onMissing: 'error',
    ...fields,
  };
}

export interface StepDraft extends Partial<Draft<TaskNode>> {
  readonly name: string;
  readonly prompt?: string;
  readonly config?: Json;
  readonly outputVar?: string;
}

/** Dialect 1: steps in order; the key is the name in lower case with `_` for blanks. */
export function stepsPlan(steps: readonly StepDraft[], fields: Partial<Plan> = {}): Plan {
  const key = (name: string): string => name.toLowerCase().replaceAll(' ', '_');
  const nodes = steps.map(({ name, prompt, config, outputVar, ...draft }, at): [string, PlanNode] => {
    const next = steps[at + 1];
    const node = task({
      input: { kind: 'template', prompt: prompt ?? null, config: config ?? null },
      output: { kind: 'variable', name: outputVar ?? null },
      next: next === undefined ? null : key(next.name),
      ...draft,
    });
    return [key(name), { name, line: 1, column: 1, ...node }];
  });
  const start = nodes[0]?.[0] ?? '';
  return { ...statesPlan({}), dialect: 'steps', start, nodes: Object.fromEntries(nodes), ...fields };
}

/** A failure, refusal or fatal error by its code; `name` where a workflow's own name is wanted. */
export function stepError(code: ErrorCode, name: string = errorName(code)): StepError {
  const kind: ErrorKind = ERRORS[code].kind;
  return { name, code, kind, message: `cause of ${name}` };
}

export interface Run {
  readonly state: () => EngineState;
  readonly command: () => Command;
  /** Input of the task the run stands at; throws when it stands at none. */
  readonly task: () => Extract<Command, { kind: 'execute' }>;
  readonly waitsUntil: () => number;
  readonly finish: () => Extract<Command, { kind: 'finish' }>;
  readonly send: (event: EngineEvent) => Run;
  readonly ok: (output: Json, nowMs?: number) => Run;
  readonly bad: (error: StepError, nowMs?: number, draw?: number) => Run;
  readonly woken: (nowMs: number) => Run;
}

/** A run at its first command. Every event goes through stored JSON first, as after a crash. */
export function runOf(plan: Plan, input: Json = {}, nowMs = 0): Run {
  let state = start(plan, { runId: 'run_1', initiator: 'user:ann', input, nowMs });
  const is = <Kind extends Command['kind']>(kind: Kind): Extract<Command, { kind: Kind }> => {
    const now = command(plan, state);
    if (now.kind !== kind)
      throw new Error(`the run asks for ${now.kind}, not ${kind}: ${JSON.stringify(now)}`);
    return now as Extract<Command, { kind: Kind }>;
  };
  const run: Run = {
    state: () => state,
    command: () => command(plan, state),
    task: () => is('execute'),
    waitsUntil: () => is('wait').untilMs,
    finish: () => is('finish'),
    send: (event) => {
      state = apply(plan, JSON.parse(JSON.stringify(state)) as EngineState, event);
      return run;
    },
    ok: (output, at = 0) => run.send({ kind: 'succeeded', output, nowMs: at }),
    bad: (error, at = 0, draw = 0.5) => run.send({ kind: 'failed', error, nowMs: at, draw }),
    woken: (at) => run.send({ kind: 'woken', nowMs: at }),
  };
  return run;
}
