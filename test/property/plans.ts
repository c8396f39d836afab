// Plans for engine tests, written as nodes and not as documents, so that a fault of a parser can't hide one of the
// engine; and a run that is moved by hand, with virtual time.
import { Execution, type EngineEvent, type RunHead, type Task } from '../../src/engine/index.js';
import { ERRORS, errorName, type ErrorCode, type ErrorKind } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import type {
  Catcher,
  ChoiceNode,
  FailNode,
  ForkNode,
  Lane,
  PassNode,
  PathFlow,
  Plan,
  PlanNode,
  Retrier,
  SucceedNode,
  TaskNode,
  WaitNode,
} from '../../src/workflow/plan.js';
import type { Frame, Note, StepError, StepOutcome } from '../../src/engine/state.js';

type Draft<Node extends PlanNode> = Omit<Node, 'name' | 'line' | 'column'>;
type AnyDraft = PlanNode extends infer Node ? (Node extends PlanNode ? Draft<Node> : never) : never;

/** Data goes through as it is. */
export const FLOW: PathFlow = { language: 'jsonpath', inputPath: '$', resultPath: '$', outputPath: '$' };
const FORK = { flow: FLOW, retry: [], catch: [], next: null } as const;

/** A States Language task that ends the run; data replaces the input. */
type Paths = Partial<
  Pick<PathFlow, 'inputPath' | 'parameters' | 'resultSelector' | 'resultPath' | 'outputPath' | 'assign'>
>;

/** The fields, with those of a JSONPath state in its flow. */
function flowing<Fields extends object>(
  fields: Fields & Paths,
): Omit<Fields, keyof Paths> & { flow: PathFlow } {
  const {
    inputPath = '$',
    resultPath = '$',
    outputPath = '$',
    parameters,
    resultSelector,
    assign,
    ...rest
  } = fields;
  const flow: PathFlow = {
    language: 'jsonpath',
    inputPath,
    resultPath,
    outputPath,
    ...(parameters === undefined ? {} : { parameters }),
    ...(resultSelector === undefined ? {} : { resultSelector }),
    ...(assign === undefined ? {} : { assign }),
  };
  return { flow, ...rest };
}

export function task(fields: Partial<Draft<TaskNode>> & Paths = {}): Draft<TaskNode> {
  return {
    kind: 'task',
    call: { kind: 'function', functionId: 'claims::score', agent: null, fallback: null },
    when: null,
    loop: null,
    collects: false,
    timeoutMs: null,
    retry: [],
    catch: [],
    onFailure: 'fail',
    approval: null,
    sandbox: null,
    idempotent: false,
    next: null,
    ...flowing(fields),
  };
}

export function pass(fields: Partial<Draft<PassNode>> & Paths = {}): Draft<PassNode> {
  return { kind: 'pass', next: null, ...flowing(fields) };
}

export function choice(fields: Partial<Draft<ChoiceNode>> & Paths = {}): Draft<ChoiceNode> {
  return { kind: 'choice', choices: [], default: null, ...flowing(fields) };
}

export function wait(
  until: WaitNode['until'],
  fields: Partial<Draft<WaitNode>> & Paths = {},
): Draft<WaitNode> {
  return { kind: 'wait', until, next: null, ...flowing(fields) };
}

export function succeed(fields: Partial<Draft<SucceedNode>> & Paths = {}): Draft<SucceedNode> {
  return { kind: 'succeed', ...flowing(fields) };
}

export function failState(error: string | null, cause: string | null): Draft<FailNode> {
  const worded = (text: string | null): FailNode['error'] => (text === null ? null : { text });
  return { kind: 'fail', error: worded(error), cause: worded(cause) };
}

/** A Parallel: its lanes begin at these nodes. */
export function parallel(starts: readonly string[], fields: Partial<Draft<ForkNode>> = {}): Draft<ForkNode> {
  const lanes = starts.map((start) => ({ start, each: null }));
  return { kind: 'fork', form: 'parallel', lanes, ...FORK, ...fields };
}

/** A Map over `$.items` of its input. */
export function map(start: string, concurrency = 0, fields: Partial<Draft<ForkNode>> = {}): Draft<ForkNode> {
  const each = { items: { kind: 'path', path: '$.items' }, concurrency } as const;
  return { kind: 'fork', form: 'map', lanes: [{ start, each }], ...FORK, ...fields };
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
    v: 3,
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
    maxDataBytes: null,
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
      flow: {
        language: 'template',
        prompt: prompt ?? null,
        config: config ?? null,
        outputVar: outputVar ?? null,
      },
      next: next === undefined ? null : key(next.name),
      ...draft,
    });
    return [key(name), { name, line: 1, column: 1, ...node }];
  });
  const start = nodes[0]?.[0] ?? '';
  return { ...statesPlan({}), dialect: 'steps', start, nodes: Object.fromEntries(nodes), ...fields };
}

/** Dialect 1: the steps before, one group of these, the steps after. `each` makes a member a map. */
export function groupPlan(
  before: readonly StepDraft[],
  members: readonly (StepDraft & { readonly each?: Lane['each'] })[],
  after: readonly StepDraft[],
  fields: Partial<Plan> = {},
): Plan {
  const nodesOf = (steps: readonly StepDraft[]): Record<string, PlanNode> => ({ ...stepsPlan(steps).nodes });
  const first = nodesOf(before);
  const last = nodesOf(after);
  const own = members.map(({ each = null, ...draft }) => {
    const [[start, node] = ['', undefined]] = Object.entries(nodesOf([{ ...draft, next: null }]));
    if (node === undefined) throw new Error('a member has no node');
    return { start, node, each };
  });
  const group: PlanNode = {
    kind: 'fork',
    form: 'group',
    lanes: own.map(({ start, each }) => ({ start, each })),
    ...FORK,
    flow: null,
    next: Object.keys(last)[0] ?? null,
    name: members.map(({ name }) => name).join(' + '),
    line: 1,
    column: 1,
  };
  const end = Object.keys(first).at(-1);
  const ending = end === undefined ? undefined : first[end];
  if (end !== undefined && ending?.kind === 'task') first[end] = { ...ending, next: 'group:' };
  const nodes = {
    ...first,
    'group:': group,
    ...Object.fromEntries(own.map(({ start, node }) => [start, node])),
    ...last,
  };
  return { ...stepsPlan([]), start: Object.keys(nodes)[0] ?? '', nodes, ...fields };
}

/** A failure, refusal or fatal error by its code; `name` where a workflow's own name is wanted. */
export function stepError(code: ErrorCode, name: string = errorName(code)): StepError {
  const kind: ErrorKind = ERRORS[code].kind;
  return { name, code, kind, message: `cause of ${name}` };
}

/** An event as a test says it: of the one task the run stands at, unless it names another. */
type Told<Event> = Event extends { readonly stepPath: string }
  ? Omit<Event, 'stepPath' | 'attempt' | 'approval'> & {
      readonly stepPath?: string;
      readonly attempt?: number;
      readonly isAsync?: boolean;
    }
  : Event;
export type TestEvent = Told<EngineEvent>;

/** What the run stands at: its head, its main cursor, and all that is stored of it. */
export interface RunPicture extends RunHead {
  readonly input: Json;
  readonly main: Frame | null;
  readonly outcomes: Readonly<Record<string, StepOutcome>>;
  readonly parts: Readonly<Record<string, Json>>;
}

export interface Run {
  readonly execution: () => Execution;
  readonly state: () => RunPicture;
  /** The one task the run stands at, or the one named; throws when there is none, or more than one. */
  readonly task: (stepPath?: string) => Task;
  /** Step paths of all tasks, in the order of their names. */
  readonly tasks: () => readonly string[];
  readonly ready: () => readonly string[];
  readonly waitsUntil: () => number;
  readonly finish: () => Pick<RunHead, 'status' | 'output' | 'error'>;
  readonly notes: () => readonly Note[];
  readonly send: (event: TestEvent) => Run;
  readonly ok: (output: Json, nowMs?: number, stepPath?: string) => Run;
  readonly bad: (error: StepError, nowMs?: number, draw?: number, stepPath?: string) => Run;
  readonly tick: (nowMs: number) => Run;
  /** The run, which has ended, goes on where it stood; `isCancelled`: it had not ended. */
  readonly redrive: (
    nowMs: number,
    how?: { readonly isCancelled?: true; readonly outputs?: ReadonlyMap<string, Json> },
  ) => Run;
}

/** A run at its first tasks. Every event goes through what is stored first, as after a crash. */
export function runOf(plan: Plan, input: Json = {}, nowMs = 0): Run {
  const parts = new Map<string, string>();
  const notes: Note[] = [];
  /** As they would be kept of a run that has ended. */
  let remains = '';
  let execution = Execution.start(plan, {
    runId: 'run_1',
    initiator: 'user:ann',
    input,
    nowMs,
    seed: '00'.repeat(32),
    maxTransitions: 25_000,
  });
  const store = (): void => {
    const { head: endedHead, parts: endedParts } = execution.remains();
    if (endedHead.status !== 'completed') remains = JSON.stringify([endedHead, ...endedParts]);
    const { head, put, removed, ended, notes: said } = execution.takeChanges();
    notes.push(...said);
    for (const [key, value] of put) parts.set(key, JSON.stringify(value));
    for (const key of removed) parts.delete(key);
    if (ended) parts.clear();
    const stored = new Map([...parts].map(([key, text]) => [key, JSON.parse(text) as Json]));
    execution = Execution.open(plan, JSON.parse(JSON.stringify(head)) as RunHead, stored);
  };
  const settle = (at: number): void => {
    store();
    while (execution.hasWork) {
      execution.apply({ kind: 'tick', nowMs: at });
      store();
    }
  };
  settle(nowMs);
  const picture = (): RunPicture => {
    const read = new Map([...parts].map(([key, text]) => [key, JSON.parse(text) as Json]));
    const outcomes = [...read].filter(([key]) => key.startsWith('outcome/#'));
    return {
      ...execution.head,
      input: read.get('input') ?? null,
      main: (read.get('frame/') ?? null) as unknown as Frame | null,
      outcomes: Object.fromEntries(
        outcomes.map(([key, value]) => [key.slice('outcome/#'.length), value as unknown as StepOutcome]),
      ),
      parts: Object.fromEntries(read),
    };
  };
  const only = (): Task => {
    const tasks = execution.tasks();
    const [task] = tasks;
    if (task === undefined || tasks.length > 1)
      throw new Error(`the run stands at ${tasks.length} tasks: ${JSON.stringify(execution.head)}`);
    return task;
  };
  const named = (stepPath: string | undefined): Task => {
    const task = stepPath === undefined ? only() : execution.task(stepPath);
    if (task === null) throw new Error(`the run stands at no task ${String(stepPath)}`);
    return task;
  };
  const run: Run = {
    execution: () => execution,
    state: picture,
    task: named,
    tasks: () =>
      execution
        .tasks()
        .map(({ stepPath }) => stepPath)
        .sort(),
    ready: () => execution.ready().map(({ stepPath }) => stepPath),
    waitsUntil: () => {
      if (execution.tasks().length > 0) throw new Error('the run stands at a task');
      const untilMs = execution.nextTimerMs();
      if (untilMs === null) throw new Error('the run waits for no timer');
      return untilMs;
    },
    finish: () => {
      const { status, output, error } = execution.head;
      if (status === 'running') throw new Error(`the run goes on: ${JSON.stringify(execution.head)}`);
      return { status, output, error };
    },
    notes: () => notes,
    send: (event) => {
      execution.apply(addressed(event, execution));
      settle(event.nowMs);
      return run;
    },
    ok: (output, at = 0, stepPath) => run.send({ kind: 'succeeded', output, nowMs: at, ...of(stepPath) }),
    bad: (error, at = 0, draw = 0.5, stepPath) =>
      run.send({ kind: 'failed', error, nowMs: at, draw, ...of(stepPath) }),
    tick: (at) => run.send({ kind: 'tick', nowMs: at }),
    redrive: (at, { isCancelled, outputs = new Map<string, Json>() } = {}) => {
      if (isCancelled !== true && execution.head.status !== 'failed')
        throw new Error('the run has not failed');
      const [head, ...rest] = JSON.parse(remains) as [RunHead, ...[string, Json][]];
      parts.clear();
      const seed = '11'.repeat(32);
      execution = Execution.redrive(
        plan,
        { head, parts: new Map(rest) },
        { by: 'user:alice', nowMs: at, seed, outputs },
      );
      settle(at);
      return run;
    },
  };
  return run;
}

function of(stepPath: string | undefined): { readonly stepPath?: string } {
  return stepPath === undefined ? {} : { stepPath };
}

/** An event for the task it names, else for the only one. Where there is none it is for nobody. */
export function addressed(event: TestEvent, execution: Execution): EngineEvent {
  if (event.kind === 'tick' || event.kind === 'answered') return event;
  if (event.kind === 'carried' || event.kind === 'taken-in') return event;
  const tasks = execution.tasks();
  const task = event.stepPath === undefined ? tasks[0] : execution.task(event.stepPath);
  const stepPath = task?.stepPath ?? event.stepPath ?? 'nobody';
  const attempt = event.attempt ?? task?.attempt ?? 0;
  if (event.kind !== 'paused') return { ...event, stepPath, attempt };
  const { nowMs, isAsync = false } = event;
  const approval = { approvalId: `apr_${stepPath}`, expiresAtMs: 1e15, isAsync };
  return { kind: 'paused', stepPath, attempt, approval, nowMs };
}
