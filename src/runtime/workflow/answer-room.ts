// Whether an answer that a step asks for has room in its output: told before anything runs, not by the step that fails
// once an answer is as long as it may be.
import type { CeilingLayer } from '../../policy/ceiling/ceiling.js';
import { isObject } from '../../json.js';
import type { TaskNode } from '../../workflow/plan.js';
import { defaultLimits } from '../attempt/limits.js';
import { writtenRequest } from './written-request.js';

const HTTP_REQUEST = 'tool::http_request';
/** Of an answer beside its body: status and headers. */
const BESIDE_BODY_BYTES = 16_384;

/** What to say of `maxBytes`; null = an answer of that length fits, or none is written. */
export function roomForAnswer(
  node: TaskNode,
  layers: readonly CeilingLayer[],
): { readonly message: string; readonly hint: string } | null {
  const { call } = node;
  const request = writtenRequest(node.flow);
  if (call.kind !== 'function' || call.functionId !== HTTP_REQUEST || !isObject(request)) return null;
  const { maxBytes } = request;
  if (typeof maxBytes !== 'number') return null;
  const ceilings = layers.flatMap(({ spec }) =>
    [spec?.limits, spec?.clampedLimits].map((limits) => limits?.outputBytes ?? Infinity),
  );
  const limit = Math.min(defaultLimits(null, node).outputBytes, ...ceilings);
  const most = Math.max(0, Math.floor((limit - BESIDE_BODY_BYTES) / 2));
  if (maxBytes <= most) return null;
  return {
    message: `an answer of maxBytes ${maxBytes} may fail the step: an output has at most ${limit} bytes, and JSON stands in it twice, as body and as json`,
    hint: `write maxBytes: ${most}, or less, where the host answers in JSON`,
  };
}
