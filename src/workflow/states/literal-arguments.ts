// Arguments that a document gives an intrinsic function as they stand: a text where only a number can be is told at load,
// as the service does. What comes from data is judged in the run.
import { type IntrinsicCall, isIntrinsic, parseIntrinsic } from '../../expression/intrinsic/intrinsic.js';

import { isList, type Json } from '../../json.js';
import type { Finding } from '../diagnostic.js';
import type { Segments } from '../located.js';

const NUMERIC: ReadonlySet<string> = new Set(['MathAdd', 'MathRandom']);

/** Of a payload template without syntax errors. */
export function* checkLiteralArguments(template: Json, at: Segments): Generator<Finding> {
  if (typeof template !== 'object' || template === null) return;
  for (const [key, value] of isList(template) ? template.entries() : Object.entries(template)) {
    const here = [...at, key];
    if (typeof key !== 'string' || !key.endsWith('.$') || typeof value !== 'string') {
      yield* checkLiteralArguments(value, here);
    } else if (isIntrinsic(value)) {
      const text = textOfNumber(parseIntrinsic(value));
      if (text === null) continue;
      const message = `${text.call.name} takes numbers, not the text ${JSON.stringify(text.text)}`;
      yield { code: 'DOC_EXPRESSION', message, hint: 'write the number without quotes', at: here };
    }
  }
}

function textOfNumber(call: IntrinsicCall): { readonly call: IntrinsicCall; readonly text: string } | null {
  for (const argument of call.args) {
    if ('text' in argument && NUMERIC.has(call.name)) return { call, text: argument.text };
    const inner = 'call' in argument ? textOfNumber(argument.call) : null;
    if (inner !== null) return inner;
  }
  return null;
}
