// How an attempt ends: what is stored and shown of it, what the log says, and what the engine hears.
import { errorName, ERRORS, WritError, type ErrorCode } from '../../errors.js';
import type { StepError } from '../../engine/state.js';
import type { Json } from '../../json.js';
import type { Outcome } from './attempt.js';
import type { StepEnd } from '../log/entries.js';
import type { Usage } from '../ports.js';
import type { Redactor } from '../redaction.js';

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

/** All that is told of an attempt that the runner stopped. */
export function stopped(code: 'STEP_CANCELLED' | 'SANDBOX_CANCELLED', why: string): Failed {
  return failed(code, `it was stopped: ${why}`);
}

/**
 * Any thrown error as an end; foreign errors are failures of the function. What a stopped call throws says nothing
 * of it, and only the runner knows that it was stopped, and why; null = it was not.
 */
export function thrown(error: unknown, whyStopped: string | null): Acted {
  if (whyStopped !== null) return stopped('STEP_CANCELLED', whyStopped);
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

/** Left out when it is no usage: then nobody knows what the call has cost. */
export function readUsage(
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
