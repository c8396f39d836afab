// From what a sandbox reports to what the workflow sees. Exit codes of packaged programs: 0 ok, 75 temporary
// failure (EX_TEMPFAIL), 77 denied (EX_NOPERM), anything else failed.
import { canonicalJson } from '../canonical-json.js';
import { errorName, WritError, type ErrorCode } from '../errors.js';
import type { StepError } from '../engine/state.js';
import type { Json } from '../json.js';
import type { Outcome } from './attempt.js';
import type { StepEnd } from './entries.js';
import type { SandboxResult } from './ports.js';
import type { Redactor } from './redaction.js';

const EXIT_TEMPORARY = 75;
const EXIT_DENIED = 77;
/** Characters of stderr that become the cause text. */
const CAUSE_TAIL = 2_000;

/** An attempt's end. `summary` is public: it names codes and sizes, never what a program wrote. */
export type Acted = { readonly ok: true; readonly output: Json } | Failed;

export interface Failed {
  readonly ok: false;
  readonly error: StepError;
  readonly summary: string;
}

export function failed(code: ErrorCode, summary: string, cause: string = summary): Failed {
  const kind = new WritError(code, summary).kind;
  // Text of a program: cut, or never UTF-16 to begin with. What can't be recorded must not stop the recording.
  const message = cause.toWellFormed();
  return {
    ok: false,
    error: { name: errorName(code), code, kind, message },
    summary: summary.toWellFormed(),
  };
}

/**
 * Any thrown error as an end; foreign errors are failures of the function. What a stopped call throws says nothing
 * of it, and only the runner knows that it was stopped.
 */
export function thrown(error: unknown, stopped: boolean): Acted {
  if (stopped) return failed('SANDBOX_CANCELLED', 'cancelled');
  // What a function says of it may hold the run's data: it goes where data goes, and only the code is public.
  if (error instanceof WritError && error.code !== 'SANDBOX_CANCELLED')
    return failed(error.code, 'the function failed', error.message);
  return failed(
    'FUNCTION_FAILED',
    'the function failed',
    error instanceof Error ? error.message : String(error),
  );
}

/** A function's output as a value of our own: later changes of it by the function reach nobody. */
export function readFunctionOutput(output: Json, outputBytes: number): Acted {
  let text: string;
  try {
    text = canonicalJson(output);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return failed('STEP_OUTPUT_INVALID', `the function's output is not JSON: ${error.message}`);
  }
  const size = Buffer.byteLength(text);
  if (size > outputBytes)
    return failed('SANDBOX_OUTPUT_LIMIT', `the output has ${size} bytes, the limit is ${outputBytes}`);
  return { ok: true, output: JSON.parse(text) as Json };
}

/** `agent`: stdout is the JSON result. `tool`: {stdout, stderr, exitCode, durationMs}. `stopped` = by the runner. */
export function readSandboxResult(result: SandboxResult, shape: 'agent' | 'tool', stopped: boolean): Acted {
  switch (result.status) {
    case 'exited':
      return result.exitCode === 0 ? readOutput(result, shape) : readExit(result);
    case 'timeout':
      return failed('SANDBOX_TIMEOUT', result.reason ?? 'time limit reached');
    case 'oom':
      return failed('SANDBOX_OOM', result.reason ?? 'memory limit reached');
    case 'output-limit':
      return failed('SANDBOX_OUTPUT_LIMIT', result.reason ?? 'output limit reached');
    case 'cancelled':
      // Taken for a stop it would run again for ever.
      if (!stopped) return failed('SANDBOX_CRASHED', 'the sandbox stopped the program, and nobody had asked');
      return failed('SANDBOX_CANCELLED', 'cancelled');
    case 'crashed':
      return failed('SANDBOX_CRASHED', result.reason ?? 'the program crashed');
    case 'unavailable':
      return failed('SANDBOX_UNAVAILABLE', result.reason ?? 'the sandbox is not available');
  }
}

/** What a program has printed, by handle. */
export function resultWithoutSecrets(result: SandboxResult, redact: Redactor): SandboxResult {
  const { stdout, stderr, reason } = result;
  return {
    ...result,
    stdout: { ...stdout, bytes: redact.bytes(stdout.bytes) },
    stderr: { ...stderr, bytes: redact.bytes(stderr.bytes) },
    reason: reason === null ? null : redact.text(reason),
  };
}

/** What a program says is stored and shown by handle only. */
export function withoutSecrets(acted: Acted, redact: Redactor): Acted {
  if (acted.ok) return { ok: true, output: redact.json(acted.output) };
  const { error, summary } = acted;
  return {
    ok: false,
    error: { ...error, message: redact.text(error.message) },
    summary: redact.text(summary),
  };
}

/** How the log names the end of an attempt. */
export function stepEnd(acted: Acted): StepEnd {
  if (acted.ok) return 'succeeded';
  const { code } = acted.error;
  if (code === 'SANDBOX_TIMEOUT' || code === 'STEP_TIMEOUT') return 'timed-out';
  return code === 'SANDBOX_CANCELLED' ? 'cancelled' : 'failed';
}

/** What the engine hears of it. */
export function outcomeOf(acted: Acted): Outcome {
  if (acted.ok) return { kind: 'succeeded', output: acted.output };
  return acted.error.code === 'SANDBOX_CANCELLED'
    ? { kind: 'cancelled' }
    : { kind: 'failed', error: acted.error };
}

function readExit(result: SandboxResult): Acted {
  const summary = `the program ended with exit code ${String(result.exitCode)}`;
  const tail = new TextDecoder().decode(result.stderr.bytes).trim().slice(-CAUSE_TAIL);
  const cause = tail === '' ? summary : tail;
  if (result.exitCode === EXIT_TEMPORARY) return failed('SANDBOX_TEMPORARY', summary, cause);
  if (result.exitCode === EXIT_DENIED) return failed('POLICY_TOOL_DENIED', summary, cause);
  return failed('SANDBOX_EXIT', summary, cause);
}

function readOutput(result: SandboxResult, shape: 'agent' | 'tool'): Acted {
  if (result.stdout.truncated) return failed('SANDBOX_OUTPUT_LIMIT', 'the output was cut at its limit');
  let stdout: string;
  try {
    stdout = new TextDecoder('utf-8', { fatal: true }).decode(result.stdout.bytes);
  } catch {
    return failed('STEP_OUTPUT_INVALID', 'the output is not UTF-8');
  }
  if (shape === 'tool') {
    const stderr = new TextDecoder().decode(result.stderr.bytes);
    const { exitCode } = result;
    return { ok: true, output: { stdout, stderr, exitCode, durationMs: Math.round(result.usage.wallMs) } };
  }
  let output: Json;
  try {
    // attacker-controlled: data only, never evaluated; the byte limit has been enforced by the driver.
    output = JSON.parse(stdout) as Json;
  } catch {
    const size = `${result.stdout.bytes.length} bytes`;
    return failed('STEP_OUTPUT_INVALID', `the program's output (${size}) is not JSON`);
  }
  return accept(output);
}

/** What the log can't hold (nesting above 64, unpaired surrogates, no JSON at all) fails the step, not the runner. */
function accept(output: Json): Acted {
  try {
    canonicalJson(output);
    return { ok: true, output };
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return failed('STEP_OUTPUT_INVALID', `the output can't be recorded: ${error.message}`);
  }
}
