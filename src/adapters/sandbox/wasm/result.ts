// What a run came to, in the words of the port: how the child says it ended, and what is written down about it.
import type { JsonObject } from '../../../json.js';
import type { SandboxResult } from '../../../runtime/ports.js';
import type { ChildEnd, ChildResult } from './child-run.js';
import { endEvidence } from './evidence.js';
import type { CheckedModule } from './module-check.js';
import type { Trap } from './protocol.js';

export function nothingRan(
  status: 'cancelled' | 'unavailable',
  reason: string,
  evidence: JsonObject,
): SandboxResult {
  const none = { bytes: new Uint8Array(0), truncated: false };
  const result = {
    status,
    exitCode: null,
    stdout: none,
    stderr: none,
    usage: { wallMs: 0 },
    limitHit: null,
    reason,
  };
  return { ...result, evidence: { ...evidence, ...endEvidence(result, null) } };
}

/** What the engine ends with where a module can't be started; a guest may also choose it. */
const NOT_STARTED = 45;

/** Of a trap before `_start` the engine tells no more than an exit code: it is read as one where there can be such a trap. */
function startTold(run: ChildResult, { canEndBeforeStart }: CheckedModule): ChildResult {
  const { end } = run;
  if (!canEndBeforeStart || end.kind !== 'exit' || end.code !== NOT_STARTED) return run;
  return { ...run, end: { kind: 'load-failed', isValid: true, isLoaded: true } };
}

interface Ran {
  readonly module: CheckedModule;
  /** What was arranged for it. */
  readonly evidence: JsonObject;
  readonly pooled: boolean;
  readonly bootMs: number;
  readonly wantsFiles: boolean;
}

export function resultOf(told: ChildResult, { module, evidence, ...child }: Ran): SandboxResult {
  const run = startTold(told, module);
  const { end } = run;
  const cut = end.kind === 'output-limit' ? end.stream : null;
  const result = {
    ...outcomeOf(end),
    exitCode: end.kind === 'exit' ? end.code : null,
    stdout: { bytes: run.stdout, truncated: cut === 'stdout' },
    stderr: { bytes: run.stderr, truncated: cut === 'stderr' },
    usage: { wallMs: run.wallMs, ...(run.cpuMs === null ? {} : { cpuMs: run.cpuMs }) },
    ...(end.kind === 'exit' && child.wantsFiles ? { outputs: end.files } : {}),
  };
  return {
    ...result,
    evidence: { ...evidence, ...endEvidence(result, { ...child, peakRssBytes: run.peakRssBytes }) },
  };
}

function outcomeOf(end: ChildEnd): Pick<SandboxResult, 'status' | 'limitHit' | 'reason'> {
  switch (end.kind) {
    case 'exit':
      return { status: 'exited', limitHit: null, reason: null };
    case 'timeout':
      return {
        status: 'timeout',
        limitHit: end.limit,
        reason: `killed at its ${end.limit === 'cpuMs' ? 'CPU time' : 'time'} limit`,
      };
    case 'cancelled':
      return { status: 'cancelled', limitHit: null, reason: 'cancelled' };
    case 'output-limit':
      return {
        status: 'output-limit',
        limitHit: 'outputBytes',
        reason: `${end.stream} reached the output limit`,
      };
    case 'disk-limit':
      return { status: 'output-limit', limitHit: 'diskMiB', reason: 'its files reached their limit' };
    case 'outputs': {
      const refused = end.error.code === 'SANDBOX_OUTPUT_REFUSED';
      return {
        status: refused ? 'output-refused' : 'output-limit',
        limitHit: refused ? null : 'outputs',
        reason: end.error.message,
      };
    }
    case 'oom':
      return { status: 'oom', limitHit: 'memoryMiB', reason: 'the process grew beyond its memory limit' };
    case 'trap':
      return { status: 'crashed', limitHit: null, reason: TRAP_REASONS[end.trap] };
    case 'load-failed':
      return { status: 'crashed', limitHit: null, reason: loadFailure(end) };
    case 'died':
      return end.outOfMemory
        ? { status: 'oom', limitHit: 'memoryMiB', reason: 'the engine ran out of memory' }
        : {
            status: 'crashed',
            limitHit: 'unknown',
            reason: `the process ended by itself${end.signal === null ? '' : ` (${end.signal})`}`,
          };
  }
}

function loadFailure({ isValid, isLoaded }: Extract<ChildEnd, { kind: 'load-failed' }>): string {
  if (isLoaded)
    return 'the module was stopped before _start: by its start function, its data or its elements';
  return isValid
    ? 'the engine could not load the module: it uses what this engine has not'
    : 'the engine could not load the module: it is not valid WebAssembly, or of a later version';
}

const TRAP_REASONS: Readonly<Record<Trap, string>> = {
  engine: 'the engine gave up, as a rule because its own memory was used up',
  unreachable: 'the guest trapped: unreachable',
  divide_by_zero: 'the guest trapped: divide_by_zero',
  integer_overflow: 'the guest trapped: integer_overflow, a number that its type can not hold',
  indirect_call: 'the guest trapped: indirect_call, of no function or one of another type',
  exception: 'the guest trapped: exception, one that it does not catch',
  atomic_wait: 'the guest trapped: atomic_wait, for another thread, and there is none',
  out_of_bounds: 'the guest trapped: out_of_bounds',
  stack_overflow: 'the guest trapped: stack_overflow',
  other: 'the guest trapped, and the engine has no name for why',
};
