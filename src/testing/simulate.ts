// A whole workflow on a virtual clock with mocked functions: the real engine, nothing outside, no waiting. Same
// definition, input and mocks give the same result: random numbers and UUIDs come from a fixed seed.
import { WritError } from '../errors.js';
import { Execution } from '../engine/index.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import type { AttemptSeen } from './attempt.js';
import { checkInput, type Plan } from '../workflow/index.js';
import { withDefaults } from '../workflow/input-default.js';
import { recordable } from '../runtime/run/recordable.js';
import { planOf } from './definition.js';
import type { Governed } from './governance.js';
import { MockPlayer, type Mocks } from './mocks.js';
import { VirtualRun } from './virtual-run.js';

export interface SimulateOptions {
  /** Default `{}`. */
  readonly input?: Json;
  readonly mocks?: Mocks;
  /** Sections of the context object; `Execution.StartTime` is where the clock starts (default 2020-01-01T00:00:00Z). */
  readonly context?: JsonObject;
  /**
   * Policies decide as they would for a run: a step that they deny fails with the refusal, and one that needs an approval
   * has it, unless its mock says `approve: false`. Absent: nothing is asked.
   */
  readonly policies?: Governed;
  readonly type?: 'STANDARD' | 'EXPRESS';
  /** Default 1,000,000. */
  readonly maxTransitions?: number;
}

export interface Simulated {
  readonly status: 'SUCCEEDED' | 'FAILED';
  readonly output?: Json;
  /** Absent when the workflow failed without a name (a Fail state without `error`). */
  readonly error?: string;
  readonly cause?: string;
  /** State or step names in the order in which they were entered. */
  readonly visited: readonly string[];
}

/** When the virtual clock starts where the context says nothing. */
export const START_MS = Date.UTC(2020, 0, 1);
/** Random numbers and UUIDs of a simulation. */
export const SEED = '77726974'.repeat(8);

/**
 * Runs `definition` (text, or an object in any form that `validate` takes) to its end. A fault of the workflow is a
 * result with status FAILED. Throws DOC_INVALID for an invalid definition, INPUT_INVALID for mocks that are none or of a
 * state that is not there, and for an input that the workflow's own schema refuses: no run of it would begin.
 */
export async function simulate(definition: unknown, options: SimulateOptions = {}): Promise<Simulated> {
  return simulatePlan(planOf(definition, options.type), options);
}

/** As `simulate`, of what is compiled; `entered` and `attempted` are told as it goes. */
export async function simulatePlan(
  plan: Plan,
  options: SimulateOptions,
  watch: {
    readonly entered?: (state: string) => void;
    readonly attempted?: (seen: AttemptSeen) => void;
  } = {},
): Promise<Simulated> {
  const player = new MockPlayer(options.mocks);
  player.requireStates(new Set(Object.values(plan.nodes).map(({ name }) => name)));
  const { context, input: given = {} } = options;
  const input = inputOf(plan, given);
  const startMs = startOf(context);
  const { policies } = options;
  const governance =
    policies === undefined ? null : (await import('./governance.js')).governanceOf(plan, policies);
  if (governance?.refusal != null) return { status: 'FAILED', ...failureOf(governance.refusal), visited: [] };
  const visited: string[] = [];
  const execution = Execution.start(plan, {
    runId: executionField(context, 'Id') ?? 'simulated',
    initiator: 'user:simulate',
    input,
    nowMs: startMs,
    seed: SEED,
    ...(context === undefined ? {} : { context: { given: context, isWhole: false } }),
    ...(options.maxTransitions === undefined ? {} : { maxTransitions: options.maxTransitions }),
    trace: (stage, _, node) => {
      const entered = node === undefined ? undefined : plan.nodes[node];
      // A group of dialect 1 is no step of its own.
      if (stage !== 'input' || entered === undefined || (entered.kind === 'fork' && entered.form === 'group'))
        return;
      const { name } = entered;
      visited.push(name);
      watch.entered?.(name);
    },
  });
  const world = { player, startMs, governance, attempted: watch.attempted };
  const hasEnded = await new VirtualRun(execution, world).play();
  const { status, output, error } = execution.head;
  if (status === 'completed') return { status: 'SUCCEEDED', output, visited };
  if (!hasEnded) {
    const cause = 'nothing is left to wait for: a step waits for people or for an outcome that is lost';
    return { status: 'FAILED', error: 'Simulate.Stuck', cause, visited };
  }
  return { status: 'FAILED', ...failureOf(error), visited };
}

/** As given, and what the workflow's `inputs` give where that says nothing. Throws INPUT_INVALID. */
function inputOf(plan: Plan, given: Json): Json {
  const input = plan.inputs === null ? recordable(given) : withDefaults(plan.inputs, recordable(given));
  const diagnostics = checkInput(plan, input);
  const [problem] = diagnostics;
  if (problem === undefined) return input;
  throw new WritError('INPUT_INVALID', `the input does not fit ${plan.id}: ${problem.message}`, {
    hint: "see the workflow's inputs schema",
    details: { diagnostics },
  });
}

/** A timeout has no cause, a Fail state may have no name. */
export function failureOf(
  error: { readonly name: string; readonly code: string; readonly message: string } | null,
): { readonly error?: string; readonly cause?: string } {
  const cause = error?.code === 'RUN_TIMEOUT' || error?.code === 'STEP_TIMEOUT' ? '' : (error?.message ?? '');
  const name = error?.name ?? '';
  return { ...(name === '' ? {} : { error: name }), ...(cause === '' ? {} : { cause }) };
}

function startOf(context: JsonObject | undefined): number {
  const startMs = Date.parse(executionField(context, 'StartTime') ?? '');
  return Number.isNaN(startMs) ? START_MS : startMs;
}

function executionField(context: JsonObject | undefined, name: string): string | undefined {
  const execution = context?.['Execution'];
  const value = isObject(execution) ? execution[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}
