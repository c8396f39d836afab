// What an attempt may use: what its step asks for, else the default, and never more than the ceilings leave. Defaults are
// applied once, after composing.
import type { JsonObject } from '../../json.js';
import type { TaskNode } from '../../workflow/plan.js';
import type { Limits, SandboxDriver, SandboxLimits } from '../ports.js';

/** Of a step: those of its sandbox, and what may pass through its way out, where it has one. */
export interface StepLimits extends SandboxLimits {
  /** Both ways together, of everything that passes. */
  readonly egressBytes?: number;
  /** Requests and tunnels, refused ones too. */
  readonly egressRequests?: number;
}

/** What holds where nobody says more; `driver` null = outside a sandbox. */
export function defaultLimits(
  driver: Pick<SandboxDriver, 'defaults'> | null,
  { sandbox }: Pick<TaskNode, 'sandbox'>,
): StepLimits {
  if (driver === null) return FUNCTION_DEFAULTS;
  return sandbox?.egress === undefined ? driver.defaults : { ...driver.defaults, ...EGRESS_DEFAULTS };
}

const FUNCTION_DEFAULTS: Limits = { timeoutMs: 120_000, memoryMiB: 0, outputBytes: 1_048_576 };
const EGRESS_DEFAULTS = { egressBytes: 64 * 1024 * 1024, egressRequests: 1_000 };

/** Some guests have none of these to take: where neither step nor default has a value, there is none. */
const OPTIONAL = ['cpus', 'pids', 'egressBytes', 'egressRequests'] as const;

/** What was asked, else the default, and what a ceiling says where that is less. */
export function effectiveLimits(
  defaults: StepLimits,
  asked: Partial<StepLimits>,
  ceiling: Partial<StepLimits>,
  timeLeftMs: number | null,
): StepLimits {
  const under = (name: (typeof OPTIONAL)[number] | keyof Limits, value: number): number =>
    Math.min(value, ceiling[name] ?? Number.MAX_SAFE_INTEGER);
  const pick = (name: keyof Limits): number => under(name, asked[name] ?? defaults[name]);
  const optional = OPTIONAL.flatMap((name) => {
    const value = asked[name] ?? defaults[name];
    return value === undefined ? [] : [[name, under(name, value)] as const];
  });
  return {
    timeoutMs: Math.min(pick('timeoutMs'), timeLeftMs ?? Number.MAX_SAFE_INTEGER),
    memoryMiB: pick('memoryMiB'),
    outputBytes: pick('outputBytes'),
    ...Object.fromEntries(optional),
  };
}

/** A number of cores may be a fraction, and the log holds whole numbers: it stands there as text. */
export function limitsJson({ cpus, ...limits }: StepLimits): JsonObject {
  return { ...limits, ...(cpus === undefined ? {} : { cpus: String(cpus) }) };
}
