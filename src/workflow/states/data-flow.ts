// How a state takes its data and what it leaves (ASL: input and output), in the form of its query language.
import type { Flow } from '../plan.js';
import type { Fields } from './fields.js';

/** The flow of a state. `items`: a Map, whose `parameters` are for its items. */
export function flowOf(fields: Fields, items = false): Flow {
  fields.checkLanguage();
  const assign = fields.variables('assign');
  const assigned = assign === undefined ? {} : { assign };
  if (fields.language === 'jsonata') {
    const given = fields.payload('arguments');
    const output = fields.payload('output');
    return {
      language: 'jsonata',
      ...(given === undefined ? {} : { arguments: given }),
      ...(output === undefined ? {} : { output }),
      ...assigned,
    };
  }
  const parameters = items ? undefined : fields.payload('parameters');
  const resultSelector = fields.payload('resultSelector');
  return {
    language: 'jsonpath',
    inputPath: pathOf(fields, 'inputPath', 'read'),
    ...(parameters === undefined ? {} : { parameters }),
    ...(resultSelector === undefined ? {} : { resultSelector }),
    resultPath: pathOf(fields, 'resultPath', 'result'),
    outputPath: pathOf(fields, 'outputPath', 'read'),
    ...assigned,
  };
}

/** Absent = `$`, null stays null. */
function pathOf(fields: Fields, name: string, use: 'read' | 'result'): string | null {
  const path = fields.path(name, use);
  return path === undefined ? '$' : path;
}
