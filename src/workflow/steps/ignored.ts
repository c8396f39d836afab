// Fields that have no effect as the step stands: told, so that nobody relies on them.
import { isObject, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import type { Segments } from '../located.js';

const ONLY: readonly (readonly [string, string])[] = [
  ['maxIterations', 'loop'],
  ['until', 'loop'],
  ['onExhausted', 'loop'],
  ['items', 'fanout'],
  ['concurrency', 'fanout'],
];

const MODES: ReadonlySet<string> = new Set(['sequential', 'fanout', 'collect', 'conditional', 'loop']);

export interface StepShape {
  readonly mode: string;
  readonly functionId: string;
  /** Its request has no place for a prompt. */
  readonly noPrompt: boolean;
  /** One attempt of it. */
  readonly timeoutMs: number;
  /** Runs once per item. */
  readonly each: boolean;
  /** Its request differs from item to item. */
  readonly namesItem: boolean;
}

export function warnIgnored(fields: JsonObject, shape: StepShape, at: Segments, findings: Findings): void {
  const { mode } = shape;
  const ignored = (name: string, why: string) => {
    findings.add({
      code: 'DOC_FIELD_IGNORED',
      severity: 'warning',
      message: `"${name}" has no effect: ${why}`,
      at: [...at, name],
      onKey: true,
    });
  };
  // A word that is no mode is told as such; which one was meant is not known.
  for (const [name, wanted] of MODES.has(mode) ? ONLY : []) {
    if (fields[name] !== undefined && mode !== wanted) {
      ignored(name, `it belongs to mode ${wanted}, this step is ${mode}`);
    }
  }
  if (mode === 'fanout' && fields['concurrency'] !== undefined && !shape.each) {
    ignored('concurrency', 'the step has no items and names no {{item}}, so it is one call');
  }
  if (mode === 'fanout' && fields['items'] !== undefined && !shape.namesItem) {
    ignored('items', 'nothing in the request names {{item}}, so every call is the same');
  }
  if (mode === 'loop' && fields['onExhausted'] !== undefined && fields['until'] === undefined) {
    ignored('onExhausted', 'without "until" the loop always runs to maxIterations');
  }
  if (fields['promptTemplate'] !== undefined && shape.noPrompt) {
    ignored('promptTemplate', `${shape.functionId} takes no prompt, its request is "config"`);
  }
  warnOfTime(fields, shape, at, findings);
  const errorMode = fields['errorMode'] ?? 'fail';
  const retries = errorMode === 'retry';
  if (!retries && errorMode !== 'fail' && errorMode !== 'skip') return;
  for (const name of ['maxRetries', 'retry']) {
    if (fields[name] !== undefined && !retries) ignored(name, 'errorMode is not retry');
  }
  if (retries && fields['maxRetries'] === 0) ignored('errorMode', 'maxRetries is 0');
}

/** A program is stopped with its step. */
function warnOfTime(
  { sandbox }: JsonObject,
  { timeoutMs }: StepShape,
  at: Segments,
  findings: Findings,
): void {
  const limits = isObject(sandbox) ? (sandbox['limits'] ?? null) : null;
  const ownMs = isObject(limits) ? limits['timeoutMs'] : undefined;
  if (typeof ownMs !== 'number' || ownMs <= timeoutMs) return;
  findings.add({
    code: 'DOC_FIELD_IGNORED',
    severity: 'warning',
    message: `"timeoutMs" of the sandbox has no effect: the step has ${timeoutMs} ms`,
    hint: 'give the step a timeoutMs as long',
    at: [...at, 'sandbox', 'limits', 'timeoutMs'],
    onKey: true,
  });
}
