// Data that somebody gives to a run, before it is recorded: what no record has a form for is theirs to correct, and what
// is nested deeper than a run's data may be. The step would fail with what they were told is recorded.
import { canonicalJson } from '../../canonical-json.js';
import { withinLimits } from '../../engine/data-limit.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';

/**
 * How many bytes its RFC 8785 form has. `value` is attacker-controlled; `what` names it, say `the output`. Throws `code` for
 * what can't be recorded.
 */
export function recordedBytes(
  value: Json,
  what: string,
  code: 'INPUT_INVALID' | 'USAGE' = 'INPUT_INVALID',
): number {
  try {
    return Buffer.byteLength(canonicalJson(withinLimits(value)));
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    throw new WritError(code, `${what} can't be recorded: ${error.message}`);
  }
}

/**
 * `input` as it is, where a run's data may be so. From a library it may hold what JSON can't say, or itself: nothing
 * looks into it before. Throws INPUT_INVALID.
 */
export function recordable(input: Json): Json {
  try {
    // What is no JSON first: limits are those of JSON.
    canonicalJson(input);
    return withinLimits(input);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    throw new WritError('INPUT_INVALID', `the input can't be recorded: ${error.message}`, {
      hint: 'plain JSON, at most 60 levels deep, text in well-formed Unicode',
    });
  }
}
