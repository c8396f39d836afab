// One state alone, as AWS's TestState: its data, its error handling and where it would go, with the answer of what it
// calls given. The state runs in the real engine; every state it could go to is replaced by an end that tells its name.
import { WritError } from '../errors.js';
import { Execution, isIntolerable, type StepError } from '../engine/index.js';
import { isList, isObject, type Json, type JsonObject } from '../json.js';
import { errorMatches, type ForkNode, type Plan, type PlanNode, type TaskNode } from '../workflow/index.js';
import { withoutGate } from '../workflow/state-gate.js';
import { ALONE, END, endsOf, isPathState, lanesOf, parsed, planAround, wayOut } from './lone-state.js';
import { mockError, MockPlayer } from './mocks.js';
import { failureOf, SEED, START_MS } from './simulate.js';
import { VirtualRun } from './virtual-run.js';

export interface TestStateOptions {
  /** JSON, or its text. Default `{}`. */
  readonly input?: Json;
  /** Of a whole definition: the state to test, at any depth. Default: where it starts. */
  readonly stateName?: string;
  /** The context object, used as it is; JSON, or its text. */
  readonly context?: Json;
  /** Variables that are set; JSON, or its text. */
  readonly variables?: Json;
  readonly mock?: {
    /** The result as JSON text. A Map or Parallel takes it as the result of all its items or branches. */
    readonly result?: string;
    readonly errorOutput?: { readonly error?: string; readonly cause?: string };
    /** Taken and ignored: there are no service models to check a mock against. */
    readonly fieldValidationMode?: string;
  };
  readonly stateConfiguration?: {
    /** Retries that have been made. */
    readonly retrierRetryCount?: number;
    /** Items of a Map that have failed. */
    readonly mapIterationFailureCount?: number;
    /** The state inside a Map or Parallel that failed. */
    readonly errorCausedByState?: string;
    /** What the itemReader reads. */
    readonly mapItemReaderData?: string;
  };
  /** Default INFO: no inspectionData. */
  readonly inspectionLevel?: 'INFO' | 'DEBUG' | 'TRACE';
}

export interface TestedState {
  readonly status: 'SUCCEEDED' | 'FAILED' | 'RETRIABLE' | 'CAUGHT_ERROR';
  readonly output?: Json;
  readonly error?: string;
  readonly cause?: string;
  readonly nextState?: string;
  /** By stage: only what ran. */
  readonly inspectionData?: JsonObject;
}

/**
 * `definition`: one state, or a whole workflow with `stateName`. A fault of the state is a result. Throws DOC_INVALID
 * for an invalid definition, NOT_FOUND for a state that is not there, INPUT_INVALID for a mock that is none.
 */
export async function testState(definition: unknown, options: TestStateOptions = {}): Promise<TestedState> {
  const { plan, name } = planAround(definition, options.stateName);
  const found = Object.hasOwn(plan.nodes, name) ? plan.nodes[name] : undefined;
  // Mocks are of the state: its approval is had.
  const node = found === undefined ? undefined : withoutGate(found);
  if (node === undefined) {
    throw new WritError('NOT_FOUND', `the definition has no state "${name}"`, {
      hint: `it has ${Object.keys(plan.nodes).slice(0, 10).join(', ')}`,
    });
  }
  if (options.mock === undefined && (node.kind === 'task' || node.kind === 'fork')) {
    throw new WritError(
      'INPUT_INVALID',
      `"${node.name}" calls something: a mock has to say what that gives`,
      {
        hint: 'give mock: {result: JSON text} or {errorOutput: {error, cause}}',
      },
    );
  }
  if (options.mock?.result !== undefined && options.mock.errorOutput !== undefined) {
    throw new WritError('INPUT_INVALID', 'the mock has both "result" and "errorOutput"', {
      hint: 'a call gives one of them',
    });
  }
  const stages: Record<string, Json> = {};
  const tested = new StateTest(plan, name, options, stages);
  const result = node.kind === 'fork' ? await tested.fork(node) : await tested.run(node);
  if (options.inspectionLevel === undefined || options.inspectionLevel === 'INFO') return result;
  // As AWS shows a Fail that is tested alone, though it has no inputPath.
  if (node.kind === 'fail' && isPathState(definition)) stages['afterInputPath'] = stages['input'] ?? null;
  return { ...result, inspectionData: { ...stages, ...tested.errorDetails } };
}

class StateTest {
  readonly #plan: Plan;
  readonly #name: string;
  readonly #options: TestStateOptions;
  readonly #stages: Record<string, Json>;
  readonly #startMs = START_MS;
  errorDetails: JsonObject = {};

  constructor(plan: Plan, name: string, options: TestStateOptions, stages: Record<string, Json>) {
    this.#plan = plan;
    this.#name = name;
    this.#options = options;
    this.#stages = stages;
  }

  /** A Map or Parallel: entered as it is, then its result is the mock's. */
  async fork(node: ForkNode): Promise<TestedState> {
    const entered = await this.#enterFork(node);
    if (entered !== null) return entered;
    const { language } = node.flow ?? { language: 'jsonpath' };
    const { resultSelector, resultPath, outputPath, assign, output } = { ...node.flow } as {
      [name in 'resultSelector' | 'resultPath' | 'outputPath' | 'assign' | 'output']?: Json;
    };
    // What follows from the result is the same as of a task; what came before has been seen.
    const after =
      language === 'jsonata'
        ? { language, ...given({ output, assign }) }
        : {
            language,
            inputPath: '$',
            resultPath: '$',
            outputPath: '$',
            ...given({ resultSelector, resultPath, outputPath, assign }),
          };
    const task = {
      kind: 'task',
      name: node.name,
      line: node.line,
      column: node.column,
      call: { kind: 'function', functionId: 'mock', agent: null, fallback: null },
      when: null,
      flow: after,
      loop: null,
      collects: false,
      timeoutMs: null,
      retry: node.retry,
      catch: node.catch,
      onFailure: 'fail',
      approval: null,
      sandbox: null,
      idempotent: false,
      next: node.next,
    } as unknown as TaskNode;
    // As recorded, a Map or Parallel in JSONata shows neither its items nor its result.
    const silent = ['input', 'afterInputPath', 'afterParameters', 'afterArguments'];
    return this.run(task, new Set(language === 'jsonata' ? [...silent, 'result'] : silent));
  }

  /** Null = its items or branches began, or there were none. */
  async #enterFork(node: ForkNode): Promise<TestedState | null> {
    const { flow } = node;
    // As AWS shows them: a Parallel tells its input once, a Map in JSONata nothing of its items.
    const silent = new Set(['result', ...(flow?.language === 'jsonata' ? ['afterItemsPath'] : [])]);
    if (flow?.language === 'jsonpath' && node.form === 'parallel') {
      silent.add('afterInputPath');
      if (flow.parameters === undefined) silent.add('afterParameters');
    }
    const { execution, visited } = this.#start(
      { ...endsOf(node), [this.#name]: node, ...lanesOf(node) },
      silent,
    );
    await this.#virtual(execution).play();
    const began = node.lanes.some(({ start }) => visited.includes(start));
    const isThrough =
      execution.head.status === 'completed' &&
      !visited.some((one) => one.startsWith(END) && wayOut(one).catcher !== null);
    // What follows from its items does not count: they are the mock's.
    return began || isThrough ? null : this.#resultOf(node, execution, visited, null);
  }

  async run(node: PlanNode, silent: ReadonlySet<string> = new Set()): Promise<TestedState> {
    const { execution, visited } = this.#start({ ...endsOf(node), [this.#name]: node }, silent);
    const run = this.#virtual(execution);
    const failure = this.#failure(node);
    const retries = this.#options.stateConfiguration?.retrierRetryCount ?? 0;
    let failed = 0;
    // Retries that have been made are made; the one the answer is about is not.
    await run.play(() => execution.nextTimerMs() !== null && node.kind !== 'wait' && ++failed > retries);
    if (execution.head.status === 'running') {
      const waitMs = (execution.nextTimerMs() ?? run.nowMs()) - run.nowMs();
      const retryIndex = 'retry' in node && failure !== null ? retrierIndex(node, failure) : 0;
      this.errorDetails = {
        errorDetails: { retryIndex, retryBackoffIntervalSeconds: Math.round(waitMs / 1000) },
      };
      return { status: 'RETRIABLE', ...failureOf(failure) };
    }
    return this.#resultOf(node, execution, visited, failure);
  }

  async #resultOf(
    node: PlanNode,
    execution: Execution,
    visited: readonly string[],
    failure: StepError | null,
  ): Promise<TestedState> {
    const { status, output, error } = execution.head;
    if (status !== 'completed') return { status: 'FAILED', ...failureOf(error) };
    const end = visited.find((one) => one.startsWith(END));
    const { catcher = null, target: nextState } = end === undefined ? {} : wayOut(end);
    if (catcher !== null) {
      this.errorDetails = { errorDetails: { catchIndex: catcher } };
      const words = failureOf(failure ?? (await this.#uncaught(node)));
      return { status: 'CAUGHT_ERROR', output, ...words, ...(nextState === undefined ? {} : { nextState }) };
    }
    return { status: 'SUCCEEDED', output, ...(nextState === undefined ? {} : { nextState }) };
  }

  /** What a catcher took, of a state that failed by itself. */
  async #uncaught(node: PlanNode): Promise<StepError | null> {
    const bare = { ...node, catch: [] } as PlanNode;
    const nodes = node.kind === 'fork' ? lanesOf(node) : {};
    const { execution } = this.#start({ ...endsOf(bare), [this.#name]: bare, ...nodes }, new Set());
    await this.#virtual(execution).play();
    return execution.head.error;
  }

  #start(
    nodes: Readonly<Record<string, PlanNode>>,
    silent: ReadonlySet<string>,
  ): { execution: Execution; visited: string[] } {
    const visited: string[] = [];
    const { variables } = this.#options;
    const set = parsed(variables ?? {}, 'variables');
    const execution = Execution.start(
      { ...this.#plan, start: this.#name, nodes },
      {
        runId: 'test-state',
        initiator: 'user:test',
        input: this.#input(),
        nowMs: this.#startMs,
        seed: SEED,
        isAlone: true,
        context: this.#context(),
        ...(isObject(set) ? { variables: set } : {}),
        trace: (stage, value, node) => {
          if (stage === 'input') {
            visited.push(node ?? '');
            if (node !== this.#name) return;
          }
          const isOver = visited.some((one) => one !== this.#name);
          // The inputs of all items, one by one.
          if (stage === 'afterItemSelector') {
            const before = this.#stages[stage];
            this.#stages[stage] = isList(before) ? [...before, value] : [value];
          } else if (!isOver && !silent.has(stage)) this.#stages[stage] ??= value;
        },
      },
    );
    return { execution, visited };
  }

  #input(): Json {
    const { input = {} } = this.#options;
    // A text that is no JSON text is a value of its own.
    return typeof input === 'string' && !/^\s*[[{"\d-]|^(true|false|null)$/.test(input)
      ? input
      : parsed(input, 'input');
  }

  #context(): { readonly given: JsonObject; readonly isWhole: boolean } {
    const { context, stateName, stateConfiguration } = this.#options;
    const whole = context === undefined ? null : parsed(context, 'context');
    // As it is; only the item of a Map is ours, or no selector could be tested.
    if (whole !== null && isObject(whole))
      return { given: whole, isWhole: this.#plan.nodes[this.#name]?.kind !== 'fork' };
    const time = new Date(this.#startMs).toISOString();
    const arn = 'arn:aws:states:us-east-1:111111111111';
    const given = {
      Execution: {
        Id: `${arn}:express:test:test`,
        Input: this.#input(),
        Name: 'test',
        RoleArn: 'arn:aws:iam::111111111111:role/test',
        StartTime: time,
      },
      StateMachine: { Id: `${arn}:stateMachine:test`, Name: 'test' },
      State: {
        Name: stateName ?? ALONE,
        EnteredTime: time,
        RetryCount: stateConfiguration?.retrierRetryCount ?? 0,
      },
    };
    return { given, isWhole: false };
  }

  /** What the mock fails with; null = it gives a result. */
  #failure(node: PlanNode): StepError | null {
    const { errorOutput } = this.#options.mock ?? {};
    if (errorOutput !== undefined) return mockError(errorOutput.error, errorOutput.cause);
    const fork = this.#plan.nodes[this.#name];
    const failures = this.#options.stateConfiguration?.mapIterationFailureCount ?? 0;
    if (node.kind !== 'task' || fork?.kind !== 'fork' || failures === 0) return null;
    const count = this.#stages['toleratedFailureCount'];
    const percentage = this.#stages['toleratedFailurePercentage'];
    const items = this.#stages['afterItemsPath'];
    const total = Array.isArray(items) ? items.length : failures;
    const toleratedCount = typeof count === 'number' ? count : null;
    const toleratedPercentage = typeof percentage === 'number' ? percentage : null;
    if (!isIntolerable({ failed: failures, toleratedCount, toleratedPercentage }, total)) return null;
    return mockError(
      'States.ExceedToleratedFailureThreshold',
      'The specified tolerated failure threshold was exceeded',
    );
  }

  #virtual(execution: Execution): VirtualRun {
    return new VirtualRun(execution, { player: this.#player(), startMs: this.#startMs });
  }

  #player(): MockPlayer {
    const { mock, stateConfiguration } = this.#options;
    const node = this.#plan.nodes[this.#name];
    const failure = this.#failure({ kind: 'task' } as PlanNode);
    const answer =
      failure !== null
        ? { throw: { error: failure.name, cause: failure.message } }
        : { return: mock?.result === undefined ? {} : parsed(mock.result, 'mock.result') };
    const times = (stateConfiguration?.retrierRetryCount ?? 0) + 1;
    const player = new MockPlayer({ [node?.name ?? '']: Array.from({ length: times }, () => answer) });
    const data = stateConfiguration?.mapItemReaderData;
    return data === undefined ? player : withReaderData(player, data);
  }
}

/** Whatever an itemReader asks for, it gets this. */
function withReaderData(player: MockPlayer, data: string): MockPlayer {
  const { files } = player;
  files.get = () => data;
  return player;
}

function retrierIndex(node: PlanNode & { readonly retry: TaskNode['retry'] }, failure: StepError): number {
  const index = node.retry.findIndex(({ errorEquals }) => errorMatches(errorEquals, failure, 'retry'));
  return Math.max(index, 0);
}

function given(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  );
}
