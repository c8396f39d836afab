// What a program in a sandbox leaves becomes an attempt's end. All of it is attacker-controlled: read as data, never
// evaluated. Exit codes of packaged programs: 0 ok, 75 temporary failure (EX_TEMPFAIL), 77 denied (EX_NOPERM), anything
// else failed.
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import { readJson, type Json } from '../../json.js';
import type { SandboxedCallable } from '../call/callable.js';
import { SHELL_FILES_BYTES, SHELL_STDERR_BYTES, SHELL_STDOUT_BYTES, shellFiles } from '../call/shell-call.js';
import type { SandboxResult } from '../ports.js';
import type { Redactor } from '../redaction.js';
import { failed, stopped, type Acted } from './outcome.js';

const EXIT_TEMPORARY = 75;
const EXIT_DENIED = 77;
/** Characters of stderr that become the cause text. */
const CAUSE_TAIL = 2_000;

/** What a sandbox result is read with. */
export interface SandboxReading {
  readonly shape: SandboxedCallable['result'];
  /** Why the runner has stopped it; null = it has not. */
  readonly whyStopped: string | null;
  /** What ends the words of a time that is over. */
  readonly wholeTime: string;
  /** The step may be run again by itself. */
  readonly isIdempotent: boolean;
}

export function readSandboxResult(
  result: SandboxResult,
  { shape, whyStopped, wholeTime, isIdempotent }: SandboxReading,
): Acted {
  switch (result.status) {
    case 'exited':
      return result.exitCode === 0 ? readOutput(result, shape) : readExit(result, shape);
    case 'timeout':
      return failed('SANDBOX_TIMEOUT', `${result.reason ?? 'time limit reached'}${wholeTime}`);
    case 'oom':
      return failed('SANDBOX_OOM', result.reason ?? 'memory limit reached');
    case 'output-limit':
      return failed('SANDBOX_OUTPUT_LIMIT', result.reason ?? 'output limit reached');
    case 'output-refused':
      return failed('SANDBOX_OUTPUT_REFUSED', result.reason ?? 'an output was no regular file');
    case 'cancelled':
      // Taken for a stop it would run again for ever.
      if (whyStopped === null)
        return failed('SANDBOX_CRASHED', 'the sandbox stopped the program, and nobody had asked');
      return stopped('SANDBOX_CANCELLED', whyStopped);
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
    output = readJson(stdout);
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
