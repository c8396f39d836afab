// From what a sandbox reports to what the workflow sees. Exit codes of packaged programs: 0 ok, 75 temporary
// failure (EX_TEMPFAIL), 77 denied (EX_NOPERM), anything else failed.
import { canonicalJson } from '../../canonical-json.js';
import { errorName, ERRORS, WritError, type ErrorCode } from '../../errors.js';
import type { StepError } from '../../engine/state.js';
import type { Json } from '../../json.js';
import type { Outcome } from './attempt.js';
import type { StepEnd } from '../log/entries.js';
import type { SandboxResult, Turn, Usage } from '../ports.js';
import type { Redactor } from '../redaction.js';
import type { SandboxedCallable } from '../call/callable.js';
import { SHELL_FILES_BYTES, SHELL_STDERR_BYTES, SHELL_STDOUT_BYTES, shellFiles } from '../call/shell-call.js';

const EXIT_TEMPORARY = 75;
const EXIT_DENIED = 77;
/** Characters of stderr that become the cause text. */
const CAUSE_TAIL = 2_000;
/** All that is told of an attempt that the runner stopped. */
export const STOPPED = 'it was stopped: the run was cancelled, or its process told to end';
/** All that is public of what a function throws. */
const FUNCTION_FAILED = 'the function failed';

/** An attempt's end. `summary` is public: it names codes and sizes, never what a program wrote. */
export type Acted = Succeeded | Failed;

export interface Succeeded {
  readonly ok: true;
  readonly output: Json;
  /** Set when it is a turn that ended with calls; then `output` holds them and the transcript. */
  readonly turn?: Extract<Outcome, { kind: 'asked' }>['turn'];
  readonly usage?: Usage;
}

export interface Failed {
  readonly ok: false;
  readonly error: StepError;
  readonly summary: string;
  /** What to do about it; absent = nobody said. */
  readonly hint?: string;
  /** What it had cost by then; absent = nobody knows. */
  readonly usage?: Usage;
  /** What it asks to be left alone for; absent = it has said nothing. */
  readonly retryAfterMs?: number;
}

export function failed(code: ErrorCode, summary: string, cause: string = summary): Failed {
  const { kind } = ERRORS[code];
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
  if (stopped) return failed('STEP_CANCELLED', STOPPED);
  // What a function says of it may hold the run's data: it goes where data goes, and only the code is public.
  if (error instanceof WritError && !isStop(error.code))
    return {
      ...failed(error.code, FUNCTION_FAILED, error.message),
      ...(error.hint === undefined ? {} : { hint: error.hint.toWellFormed() }),
      ...readUsage(error.details),
      ...readRetryAfter(error.details),
    };
  return failed('FUNCTION_FAILED', FUNCTION_FAILED, error instanceof Error ? error.message : String(error));
}

/** A function's output as a value of our own: later changes of it by the function reach nobody. */
export function readFunctionOutput(output: Json, outputBytes: number): Succeeded | Failed {
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

/** Characters of a transcript. Every turn carries all before it, so it is bounded by itself. */
const MAX_TRANSCRIPT = 8_388_608;
const MAX_CALLS = 32;
const MAX_NAME = 256;

/**
 * A turn as a value of our own. What it asks for comes from a model, attacker-controlled: a turn that is not of the
 * agreed shape fails the step.
 */
export function readTurn(turn: Turn, outputBytes: number): Acted {
  const usage = readUsage(turn.usage);
  if (turn.kind === 'done') {
    const read = readFunctionOutput(turn.output, outputBytes);
    return { ...read, ...usage };
  }
  const ids = new Set(turn.calls.map((call) => call.id));
  const isShaped =
    turn.calls.length >= 1 &&
    turn.calls.length <= MAX_CALLS &&
    ids.size === turn.calls.length &&
    turn.calls.every(({ id, functionId }) => isName(id) && isName(functionId));
  if (!isShaped) {
    const summary = `a turn has to ask for 1 to ${MAX_CALLS} calls with names of their own`;
    return { ...failed('FUNCTION_FAILED', summary), ...usage };
  }
  const calls = readFunctionOutput(
    turn.calls.map(({ id, functionId, input }) => ({ id, functionId, input })),
    outputBytes,
  );
  if (!calls.ok) return { ...calls, ...usage };
  const transcript = readFunctionOutput(turn.transcript, MAX_TRANSCRIPT);
  if (!transcript.ok) return { ...transcript, ...usage };
  // Made of the checked turn: the same calls, without anything that the provider may still change.
  const own = { calls: calls.output as unknown as typeof turn.calls, transcript: transcript.output };
  return { ok: true, output: { calls: calls.output, transcript: own.transcript }, turn: own, ...usage };
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= MAX_NAME;
}

/** Left out when it is no usage: then nobody knows what the call has cost. */
function readUsage(
  usage: { readonly [name in keyof Usage]?: unknown } | undefined,
): Pick<Succeeded, 'usage'> {
  const { inputTokens, outputTokens, costMicroUsd } = usage ?? {};
  return isCount(inputTokens) && isCount(outputTokens) && isCount(costMicroUsd)
    ? { usage: { inputTokens, outputTokens, costMicroUsd } }
    : {};
}

function readRetryAfter(
  details: { readonly retryAfterMs?: unknown } | null | undefined,
): Pick<Failed, 'retryAfterMs'> {
  const retryAfterMs = details?.retryAfterMs;
  return isCount(retryAfterMs) ? { retryAfterMs } : {};
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Nothing was used. */
export function isFree({ inputTokens, outputTokens, costMicroUsd }: Usage): boolean {
  return inputTokens === 0 && outputTokens === 0 && costMicroUsd === 0;
}

/** What a sandbox result is read with. */
export interface SandboxReading {
  readonly shape: SandboxedCallable['result'];
  /** By the runner. */
  readonly isStopped: boolean;
  /** The step may be run again by itself. */
  readonly isIdempotent: boolean;
}

export function readSandboxResult(
  result: SandboxResult,
  { shape, isStopped, isIdempotent }: SandboxReading,
): Acted {
  switch (result.status) {
    case 'exited':
      return result.exitCode === 0 ? readOutput(result, shape) : readExit(result, shape);
    case 'timeout':
      return failed('SANDBOX_TIMEOUT', result.reason ?? 'time limit reached');
    case 'oom':
      return failed('SANDBOX_OOM', result.reason ?? 'memory limit reached');
    case 'output-limit':
      return failed('SANDBOX_OUTPUT_LIMIT', result.reason ?? 'output limit reached');
    case 'output-refused':
      return failed('SANDBOX_OUTPUT_REFUSED', result.reason ?? 'an output was no regular file');
    case 'cancelled':
      // Taken for a stop it would run again for ever.
      if (!isStopped)
        return failed('SANDBOX_CRASHED', 'the sandbox stopped the program, and nobody had asked');
      return failed('SANDBOX_CANCELLED', STOPPED);
    case 'crashed':
      // As after a crash of the runner: only who looks can say what it has done.
      if (result.isLost === true && !isIdempotent)
        return failed('STEP_INDETERMINATE', result.reason ?? 'how it ended is not known');
      return failed('SANDBOX_CRASHED', result.reason ?? 'the program crashed');
    case 'unavailable':
      return failed('SANDBOX_UNAVAILABLE', result.reason ?? 'the sandbox is not available');
  }
}

/** What a program has printed, by handle. */
export function resultWithoutSecrets(result: SandboxResult, redact: Redactor): SandboxResult {
  const { stdout, stderr, outputs, reason } = result;
  return {
    ...result,
    ...(outputs === undefined
      ? {}
      : { outputs: outputs.map((file) => ({ ...file, bytes: redact.bytes(file.bytes) })) }),
    stdout: { ...stdout, bytes: redact.bytes(stdout.bytes) },
    stderr: { ...stderr, bytes: redact.bytes(stderr.bytes) },
    reason: reason === null ? null : redact.text(reason),
  };
}

/** What a program says is stored and shown by handle only. */
export function withoutSecrets(acted: Acted, redact: Redactor): Acted {
  if (acted.ok) return { ...acted, output: redact.json(acted.output), ...turnWithoutSecrets(acted, redact) };
  const { error, summary, usage, hint, retryAfterMs } = acted;
  return {
    ok: false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(hint === undefined ? {} : { hint: redact.text(hint) }),
    ...(usage === undefined ? {} : { usage }),
    error: { ...error, message: redact.text(error.message) },
    summary: redact.text(summary),
  };
}

function turnWithoutSecrets({ turn }: Succeeded, redact: Redactor): Pick<Succeeded, 'turn'> {
  if (turn === undefined) return {};
  const calls = turn.calls.map((call) => ({ ...call, input: redact.json(call.input) }));
  return { turn: { calls, transcript: redact.json(turn.transcript) } };
}

/** Characters of what is kept of an error's own words, and what ends them when they were cut. */
const ERROR_TEXT = 4_000;
const CUT = ' …(cut)';

/** What an attempt that failed says beyond its public summary, bounded; null when that is all. Attacker-controlled. */
export function errorText({ error, summary }: Failed): string | null {
  if (error.message === summary || error.message.trim() === '') return null;
  const text = summary === FUNCTION_FAILED ? error.message : `${summary}: ${error.message}`;
  return text.length <= ERROR_TEXT ? text : `${text.slice(0, ERROR_TEXT - CUT.length).toWellFormed()}${CUT}`;
}

/** What to do about it, bounded, for where its words are kept. */
export function hintOf(acted: Acted): { readonly hint?: string } {
  if (acted.ok || acted.hint === undefined) return {};
  return { hint: acted.hint.slice(0, ERROR_TEXT).toWellFormed() };
}

/** How the log names the end of an attempt. */
export function stepEnd(acted: Acted): StepEnd {
  if (acted.ok) return 'succeeded';
  const { code } = acted.error;
  if (code === 'SANDBOX_TIMEOUT' || code === 'STEP_TIMEOUT') return 'timed-out';
  if (code === 'STEP_INDETERMINATE') return 'indeterminate';
  return isStop(code) ? 'cancelled' : 'failed';
}

function isStop(code: string): boolean {
  return code === 'SANDBOX_CANCELLED' || code === 'STEP_CANCELLED';
}

/** What the engine hears of it. */
export function outcomeOf(acted: Acted): Outcome {
  if (acted.ok) {
    return acted.turn === undefined
      ? { kind: 'succeeded', output: acted.output }
      : { kind: 'asked', turn: acted.turn };
  }
  const { error, retryAfterMs } = acted;
  if (isStop(error.code) || error.code === 'STEP_INDETERMINATE') return { kind: 'cancelled' };
  return { kind: 'failed', error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

function readExit(result: SandboxResult, shape: SandboxedCallable['result']): Acted {
  const summary = `the program ended with exit code ${String(result.exitCode)}`;
  const tail = new TextDecoder().decode(result.stderr.bytes).trim().slice(-CAUSE_TAIL);
  const cause = tail === '' ? summary : tail;
  // A command knows nothing of our exit codes.
  if (shape === 'shell') return failed('SANDBOX_EXIT', summary, cause);
  if (result.exitCode === EXIT_TEMPORARY) return failed('SANDBOX_TEMPORARY', summary, cause);
  if (result.exitCode === EXIT_DENIED) return failed('POLICY_TOOL_DENIED', summary, cause);
  return failed('SANDBOX_EXIT', summary, cause);
}

function readOutput(result: SandboxResult, shape: SandboxedCallable['result']): Acted {
  if (shape === 'shell') return shellOutput(result);
  if (result.stdout.truncated) return failed('SANDBOX_OUTPUT_LIMIT', 'the output was cut at its limit');
  let stdout: string;
  try {
    stdout = new TextDecoder('utf-8', { fatal: true }).decode(result.stdout.bytes);
  } catch {
    return failed('STEP_OUTPUT_INVALID', 'the output is not UTF-8');
  }
  if (shape === 'tool') {
    const stderr = new TextDecoder().decode(result.stderr.bytes);
    const { exitCode, outputs } = result;
    const files = outputs === undefined ? null : shellFiles(outputs);
    if (outputs !== undefined && files === null)
      return failed('SANDBOX_OUTPUT_LIMIT', `the files have more than ${SHELL_FILES_BYTES} bytes`);
    const durationMs = Math.round(result.usage.wallMs);
    return {
      ok: true,
      output: { stdout, stderr, exitCode, durationMs, ...(files === null ? {} : { files }) },
    };
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

/**
 * As much as a step's output holds of what a command printed. Its result has to be text: bytes of another kind would be
 * lost without a word. What it says on stderr is for people; there they are replaced.
 */
function shellOutput({ stdout, stderr, exitCode, usage, outputs }: SandboxResult): Acted {
  const text = textOf(stdout.bytes, SHELL_STDOUT_BYTES);
  if (text === null) {
    return {
      ...failed('STEP_OUTPUT_INVALID', 'stdout of the command is not UTF-8'),
      hint: 'print it as base64, or write it to a file that `outputs` names',
    };
  }
  const files = outputs === undefined ? {} : { files: shellFiles(outputs) };
  if (files.files === null)
    return failed('SANDBOX_OUTPUT_LIMIT', `the files have more than ${SHELL_FILES_BYTES} bytes`);
  return accept({
    stdout: text,
    stderr: new TextDecoder().decode(stderr.bytes.subarray(0, SHELL_STDERR_BYTES)),
    exitCode,
    durationMs: Math.round(usage.wallMs),
    truncated: stdout.bytes.length > SHELL_STDOUT_BYTES || stderr.bytes.length > SHELL_STDERR_BYTES,
    ...files,
  });
}

/** The first `most` bytes, without a character that the cut has split; null = they are no UTF-8. */
function textOf(bytes: Uint8Array, most: number): string | null {
  const isCut = bytes.length > most;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, most), { stream: isCut });
  } catch {
    return null;
  }
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
