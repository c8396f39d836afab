// Documents of dialect 2 in few words, and what is found in them.
import { expect } from 'vitest';
import { parseWorkflow, type ParseOptions, validate } from '../../src/workflow/parse.js';
import type { Plan } from '../../src/workflow/plan.js';

export const DIGEST = `sha256:${'a1'.repeat(32)}`;

/** Of a document without an error. */
export function planOf(text: string, options?: ParseOptions): Plan {
  const { plan, diagnostics } = parseWorkflow(text, options);
  expect(diagnostics.filter((one) => one.severity === 'error')).toEqual([]);
  if (plan === null) throw new Error('no plan');
  return plan;
}

/** `code line:column path` of every error. */
export function found(text: string, options?: ParseOptions): readonly string[] {
  return validate(text, options)
    .diagnostics.filter((one) => one.severity === 'error')
    .map((one) => `${one.code} ${one.line}:${one.column} ${one.path}`.trim());
}

/** The same of every warning. */
export function warned(text: string, options?: ParseOptions): readonly string[] {
  return validate(text, options)
    .diagnostics.filter((one) => one.severity === 'warning')
    .map((one) => `${one.code} ${one.line}:${one.column} ${one.path}`.trim());
}

/** A plain States Language document in YAML: line 3 holds the first of these lines, indented by two. */
export function machine(...lines: readonly string[]): string {
  return ['StartAt: A', 'States:', ...lines.map((line) => `  ${line}`)].join('\n');
}

/** The same in JSONata; the first state is on line 4. */
export function query(...lines: readonly string[]): string {
  return `QueryLanguage: JSONata\n${machine(...lines)}`;
}

/** Fields of a Map over nothing in particular: inline, and distributed. */
export const ITEMS = 'ItemProcessor: {StartAt: I, States: {I: {Type: Pass, End: true}}}';
export const RUNS =
  'ItemProcessor: {ProcessorConfig: {Mode: DISTRIBUTED, ExecutionType: STANDARD}, StartAt: I, States: {I: {Type: Pass, End: true}}}';
