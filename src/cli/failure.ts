// How a failed command ends: `writ: error: …`, then `writ: hint: …`; with --json the same as {"error": …} on
// stdout. The exit code is the error's own.
import { WritError } from '../errors.js';
import { commandLine } from './command-line.js';
import { printable, type Output } from './output.js';

/** Any thrown value as a WritError; what we did not foresee is INTERNAL. */
export function asWritError(thrown: unknown): WritError {
  if (thrown instanceof WritError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new WritError('INTERNAL', message === '' ? 'an unexpected error without a message' : message, {
    hint: 'this is a defect of writ; set WRIT_DEBUG=1 to see where it happened',
    cause: thrown,
  });
}

/** Prints the failure and gives the exit code. */
export function printFailure(output: Output, thrown: unknown, debug: boolean): number {
  const error = asWritError(thrown);
  if (output.json) output.value({ error: error.toJSON() });
  else noteFailure(output, error);
  if (debug) output.note(stackOf(thrown));
  return error.exitCode;
}

/** As `error`, with the flags of this place in the command its hint says to resume the run with. */
export function withPlace(place: Parameters<typeof commandLine>[0], runId: string, error: unknown): unknown {
  const bare = `writ workflow resume ${runId}`;
  if (!(error instanceof WritError) || error.hint?.includes(bare) !== true) return error;
  const { code, message, hint, details, cause } = error;
  const command = commandLine(place, 'workflow', 'resume', runId);
  return new WritError(code, message, {
    hint: hint.replace(bare, () => command),
    ...(details === undefined ? {} : { details }),
    cause,
  });
}

/** The two lines on stderr; for a failure that does not end the command, too. */
export function noteFailure(output: Output, error: WritError, severity: 'error' | 'warning' = 'error'): void {
  output.note(`writ: ${severity}: ${printable(error.message)}`);
  for (const line of furtherProblems(error)) output.note(printable(line));
  if (error.hint !== undefined) output.note(`writ: hint: ${printable(error.hint)}`);
}

/** Problems of the policy files beyond the first, which the message already tells. */
function furtherProblems(error: WritError): readonly string[] {
  const found = error.code === 'POLICY_INVALID' ? error.details?.['diagnostics'] : undefined;
  if (!Array.isArray(found)) return [];
  const known = new Set([error.hint]);
  return found.slice(1).flatMap(({ file, line, column, message, hint }: PolicyProblem) => {
    const told = `  ${file}:${line}:${column}: ${message}`;
    // What one hint has said already is not said with every line below it.
    return hint === undefined || known.size === known.add(hint).size ? [told] : [told, `    ${hint}`];
  });
}

interface PolicyProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string;
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : `\ncaused by ${stackOf(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}
