// Writing at a reference path (`resultPath`). The document given is never changed; what is on the way is copied.
import { WritError } from '../../errors.js';
import { isList, type Json } from '../../json.js';
import { quoted } from './fault.js';
import type { Path } from './shape.js';

/**
 * A copy of `document` with `value` at `path`. Missing objects are created. Throws STEP_RESULT_PATH when a segment would
 * have to go into something that is not an object, or past a list.
 */
export function writePath(path: Path, document: Json, value: Json): Json {
  return writeAt(0, document);

  function writeAt(depth: number, target: Json | undefined): Json {
    const segment = path.segments[depth];
    if (segment === undefined) return value;
    if (typeof segment === 'object') throw unwritable(path, document, 'the path could mean several places');
    if (typeof segment === 'number') {
      if (target === undefined || !isList(target))
        throw unwritable(path, document, 'what is there is not a list');
      const index = segment < 0 ? target.length + segment : segment;
      const old = target[index];
      if (old === undefined) throw unwritable(path, document, 'the list has no such item');
      return target.with(index, writeAt(depth + 1, old));
    }
    if (target !== undefined && (typeof target !== 'object' || target === null || isList(target))) {
      throw unwritable(path, document, 'what is there is not an object');
    }
    const old = target !== undefined && Object.hasOwn(target, segment) ? target[segment] : undefined;
    // A computed key defines an own property even when it reads `__proto__`.
    return { ...target, [segment]: writeAt(depth + 1, old) };
  }
}

function unwritable(path: Path, document: Json, why: string): WritError {
  const { source } = path;
  return new WritError(
    'STEP_RESULT_PATH',
    `Unable to apply ReferencePath ${source} to input ${quoted(document)}`,
    {
      hint: `choose a resultPath below an object: ${why}`,
      details: { path: source },
    },
  );
}
