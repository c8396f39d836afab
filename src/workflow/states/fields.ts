// The fields of one object of a state machine: reads them, and checks the expressions in them by the query language the
// state is in (ASL: input and output). A wrong type reads as absent: the schema has reported it, other checks go on.
import { WritError } from '../../errors.js';
import { isIntrinsic, parseIntrinsic } from '../../expression/intrinsic/intrinsic.js';
import { isDefinite, parsePath, parseReferencePath } from '../../expression/path/path.js';
import { payloadFaults } from '../../expression/template/payload-template.js';

import { isList, isObject, type Json, type JsonObject } from '../../json.js';
import type { Finding, Findings } from '../diagnostic.js';
import type { Segments } from '../located.js';
import type { Amount, Wording } from '../plan.js';
import { describe } from '../shape.js';
import { checkLiteralArguments } from './literal-arguments.js';
import { checkQueries, isQuery } from './query-text.js';

export type Language = 'jsonpath' | 'jsonata';

/** `read`: any path. `one`: gives one value. `result`: can be written to. `text`: a path or an intrinsic call. */
export type PathUse = 'read' | 'one' | 'result' | 'text';

const ONLY: Readonly<Record<Language, ReadonlySet<string>>> = {
  jsonpath: new Set([
    'inputPath',
    'outputPath',
    'parameters',
    'result',
    'resultSelector',
    'resultPath',
    'itemsPath',
    'variable',
    'and',
    'or',
    'not',
    ...['error', 'cause', 'seconds', 'timestamp', 'timeoutSeconds', 'heartbeatSeconds', 'maxConcurrency'].map(
      (name) => `${name}Path`,
    ),
    ...['toleratedFailureCount', 'toleratedFailurePercentage', 'maxItems'].map((name) => `${name}Path`),
    ...['maxItemsPerBatch', 'maxInputBytesPerBatch'].map((name) => `${name}Path`),
  ]),
  jsonata: new Set(['arguments', 'output', 'items', 'condition']),
};
const NAMES: Readonly<Record<Language, string>> = { jsonpath: 'JSONPath', jsonata: 'JSONata' };

export class Fields {
  constructor(
    readonly values: JsonObject,
    readonly at: Segments,
    readonly language: Language,
    readonly findings: Findings,
  ) {}

  has(name: string): boolean {
    return this.values[name] !== undefined;
  }

  text(name: string): string | null {
    const value = this.values[name];
    return typeof value === 'string' ? value : null;
  }

  number(name: string): number | null {
    const value = this.values[name];
    return typeof value === 'number' ? value : null;
  }

  inner(name: string): Fields | null {
    const value = this.values[name];
    return isObject(value) ? this.of(value, name) : null;
  }

  /** One for each item of the list; an item that is no object has no fields. */
  each(name: string): readonly Fields[] {
    const value = this.values[name];
    if (value === undefined || !isList(value)) return [];
    return value.map((item, i) => this.of(isObject(item) ? item : {}, name, i));
  }

  private of(values: JsonObject, ...at: Segments): Fields {
    return new Fields(values, [...this.at, ...at], this.language, this.findings);
  }

  /** A path field: absent = undefined. */
  path(name: string, use: PathUse): string | null | undefined {
    const value = this.values[name];
    if (value === null || value === undefined || this.language === 'jsonata')
      return value === null ? null : undefined;
    if (typeof value !== 'string') return undefined;
    this.checkPath(value, use, name);
    return value;
  }

  checkPath(value: string, use: PathUse, ...at: Segments): void {
    const place = [...this.at, ...at];
    try {
      if (use === 'text' && isIntrinsic(value)) parseIntrinsic(value);
      else if (use === 'result') parseReferencePath(value);
      else if (use !== 'read' && !isDefinite(parsePath(value))) {
        const message = `${JSON.stringify(value.slice(0, 200))} is not the path of one value`;
        const hint = 'use names and single indices, such as $.items[0].id';
        this.findings.add({ code: 'DOC_EXPRESSION', message, hint, at: place });
      } else parsePath(value);
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      this.findings.add({ code: error.code, message: error.message, hint: error.hint, at: place });
    }
  }

  /** A field that is filled in the run: a payload template in JSONPath, JSON with expressions in JSONata. */
  payload(name: string): Json | undefined {
    const value = this.values[name];
    if (value === undefined) return undefined;
    const at = [...this.at, name];
    if (this.language === 'jsonata') {
      for (const finding of checkQueries(value, at, this.absent(name))) this.findings.add(finding);
    } else {
      const faults = payloadFaults(value);
      for (const fault of faults) this.findings.add({ ...fault, at: [...at, ...fault.at] });
      if (faults.length > 0) return value;
      for (const finding of checkLiteralArguments(value, at)) this.findings.add(finding);
    }
    return value;
  }

  /** Members of `$states` that an expression in this field can't read: AWS refuses them when a machine is created. */
  private absent(name: string): readonly string[] {
    if (this.at.at(-2) === 'catch') return [];
    const { type } = this.values;
    const hasResult = type === 'Task' || type === 'Parallel' || type === 'Map';
    const isAfter = name === 'output' || name === 'assign';
    return hasResult && isAfter ? ['errorOutput'] : ['errorOutput', 'result'];
  }

  /** As payload, for a field that has to be an object. */
  variables(name: string): JsonObject | undefined {
    const value = this.payload(name);
    return isObject(value) ? value : undefined;
  }

  /** `name`, or in JSONPath `<name>Path`; not both. */
  amount(name: string): Amount | null {
    const pathName = `${name}Path`;
    this.exclusive(name, pathName);
    const value = this.values[name];
    const path = this.path(pathName, 'one');
    if (typeof path === 'string') {
      if (path.startsWith('$$') && OF_MAP.has(name)) {
        const hint = 'name a place in the input, such as $.limit, or a variable';
        this.add({
          code: 'DOC_EXPRESSION',
          message: `"${pathName}" does not read the context`,
          hint,
          at: [pathName],
        });
      }
      return { path };
    }
    if (typeof value === 'number') return value;
    if (typeof value !== 'string' || !isQuery(value)) return null;
    if (this.language === 'jsonata') {
      this.payload(name);
      return { query: value };
    }
    this.add({
      code: 'DOC_WRONG_TYPE',
      message: `"${name}" must be a number in a JSONPath state, not ${describe(value)}`,
      hint: `write ${pathName}, or queryLanguage: JSONata`,
      at: [name],
    });
    return null;
  }

  /** As amount, for a text. */
  wording(name: string, use: PathUse): Wording | null {
    const pathName = `${name}Path`;
    this.exclusive(name, pathName);
    const value = this.values[name];
    const path = this.path(pathName, use);
    if (typeof path === 'string') return { path };
    if (typeof value !== 'string') return null;
    if (this.language === 'jsonpath') return { text: value };
    this.payload(name);
    return isQuery(value) ? { query: value } : { text: value };
  }

  /** At most one of the fields is there; the later one is told. */
  exclusive(...names: readonly string[]): void {
    const [first, second] = names.filter((name) => this.has(name));
    if (first === undefined || second === undefined) return;
    this.wrong(`"${first}" and "${second}" exclude each other`, 'keep one of them', [second], true);
  }

  /** No field belongs to the other query language. */
  checkLanguage(): void {
    const other: Language = this.language === 'jsonpath' ? 'jsonata' : 'jsonpath';
    for (const name of Object.keys(this.values)) {
      if (!ONLY[other].has(name)) continue;
      this.add({
        code: 'DOC_UNKNOWN_FIELD',
        message: `"${name}" is a field of ${NAMES[other]}, and this state is in ${NAMES[this.language]}`,
        hint: HINTS[name] ?? `take it out, or write queryLanguage: ${NAMES[other]} on the state`,
        at: [name],
        onKey: true,
      });
    }
  }

  wrong(message: string, hint: string, at: Segments = [], onKey = false): null {
    return this.add({ code: 'DOC_BAD_VALUE', message, hint, at, onKey });
  }

  missing(message: string, hint?: string, at: Segments = []): null {
    return this.add({ code: 'DOC_MISSING_FIELD', message, hint, at, onKey: true });
  }

  ignored(message: string, hint: string, at: Segments): void {
    this.add({ code: 'DOC_FIELD_IGNORED', severity: 'warning', message, hint, at, onKey: true });
  }

  /** `at` counts from this object. */
  add(finding: Finding): null {
    this.findings.add({ ...finding, at: [...this.at, ...finding.at] });
    return null;
  }
}

/** Numbers of a Map, which AWS takes by reference path only. */
const OF_MAP: ReadonlySet<string> = new Set([
  ...['maxConcurrency', 'toleratedFailureCount', 'toleratedFailurePercentage', 'maxItems'],
  ...['maxItemsPerBatch', 'maxInputBytesPerBatch'],
]);

const HINTS: Readonly<Record<string, string>> = {
  arguments: 'write parameters in JSONPath',
  output: 'write resultSelector, resultPath or outputPath in JSONPath',
  items: 'write itemsPath in JSONPath',
  condition: 'write variable and an operator in JSONPath',
  parameters: 'write arguments in JSONata',
  result: 'write output in JSONata',
  resultSelector: 'write output in JSONata',
  resultPath: 'write output or assign in JSONata',
  outputPath: 'write output in JSONata',
  inputPath: 'write $states.input.… in an expression',
  itemsPath: 'write items in JSONata',
  variable: 'write condition in JSONata',
};
