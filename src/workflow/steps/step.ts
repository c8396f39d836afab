// One step of dialect 1 as a task (AgentOS page): every field is in the plan, defaults filled in.
import { BLOCKED_NAMES, FIXED_NAMES } from '../../expression/names.js';
import { templateVariables } from '../../expression/template/template.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { dataClassOf } from '../data-class.js';
import type { Findings } from '../diagnostic.js';
import { PROMPTED, takesNoPrompt } from '../functions.js';
import { approvalSpec, checkApproval, checkSandbox, sandboxSpec } from '../gate.js';
import { field, type Located, offsetOf, type Segments } from '../located.js';
import type { Each, Loop, Retrier, TaskNode } from '../plan.js';
import { type NameSpace, StepExpressions } from './expressions.js';
import { numberOf, objectOf, textOf } from './fields.js';
import { warnIgnored } from './ignored.js';
import type { StepPlace } from './names.js';
import { resolveTarget } from './target.js';

/** Milliseconds one attempt may take when the step does not say. */
export const DEFAULT_STEP_TIMEOUT_MS = 120_000;
/** Retry of a step whose errorMode is retry and that says no more. */
const DEFAULT_RETRY = {
  maxRetries: 3,
  initialMs: 500,
  factor: 2,
  maxMs: 30_000,
  jitter: 'full',
} as const;
export const DEFAULT_MAX_ITERATIONS = 10;
/** Items of a fanout step at once. */
export const DEFAULT_CONCURRENCY = 4;

export interface StepOptions {
  readonly functions: ReadonlySet<string> | 'any';
  readonly space: NameSpace;
  /** The workflow's agent for this step; null when it lists none. */
  readonly fallback: string | null;
  readonly next: string | null;
}

export interface CompiledStep {
  readonly task: TaskNode;
  /** Only for mode fanout; null = one call. */
  readonly each: Each | null;
}

export function compileStep(
  step: Located,
  where: Omit<StepPlace, 'each'>,
  options: StepOptions,
  findings: Findings,
): CompiledStep {
  const at = ['steps', where.index] as const;
  const fields = objectOf(step);
  const { mode } = where;
  const namesItem = requestNames(fields, 'item', options.space);
  const each = mode === 'fanout' && (fields['items'] !== undefined || namesItem);
  const target = resolveTarget(fields, at, options.functions, findings);
  const noPrompt = target.known && takesNoPrompt(target.functionId);
  const { functionId } = target;
  const timeoutMs = numberOf(fields['timeoutMs']) ?? DEFAULT_STEP_TIMEOUT_MS;
  warnIgnored(fields, { mode, functionId, noPrompt, timeoutMs, each, namesItem }, at, findings);
  checkOutputVar(textOf(fields['outputVar']), at, findings);
  if (mode === 'loop') warnUnbounded(fields, at, findings);
  const expressions = new StepExpressions(at, { ...where, each }, options.space, findings);
  expressions.check(step);
  const approval = approvalSpec(fields['approval']);
  checkApproval(approval, [...at, 'approval'], findings);
  const sandbox = sandboxSpec(fields['sandbox'] ?? target.sandbox ?? undefined);
  checkSandbox(fields['sandbox'], [...at, 'sandbox'], findings);
  const data = dataClassOf(fields['data']);
  return {
    task: {
      kind: 'task',
      name: textOf(fields['name']) ?? '',
      ...findings.placeOf(offsetOf(step, ['name']), at),
      call: {
        kind: 'function',
        functionId,
        agent: textOf(fields['agent']) ?? null,
        fallback: options.fallback,
      },
      when: textOf(fields['condition']) ?? null,
      flow: {
        language: 'template',
        prompt: promptOf(fields, target.functionId, where),
        config: target.config,
        outputVar: textOf(fields['outputVar']) ?? null,
      },
      loop: mode === 'loop' ? loopOf(step, fields, expressions) : null,
      collects: mode === 'collect',
      timeoutMs,
      retry: retriers(fields),
      catch: [],
      onFailure: fields['errorMode'] === 'skip' ? 'skip' : 'fail',
      approval,
      sandbox,
      ...(data === null ? {} : { data }),
      idempotent: fields['idempotent'] === true,
      next: options.next,
    },
    each: each ? eachOf(step, fields, expressions) : null,
  };
}

/** Does the step's own request, prompt or config, name the variable? */
function requestNames(fields: JsonObject, name: string, { names }: NameSpace): boolean {
  return [...texts(fields['promptTemplate'] ?? null), ...texts(fields['config'] ?? null)].some((text) =>
    templateVariables(text, names.all).some((variable) => variable.name === name),
  );
}

function* texts(value: Json): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null)
    for (const one of Object.values(value)) yield* texts(one);
}

function promptOf(fields: JsonObject, functionId: string, where: Omit<StepPlace, 'each'>): string | null {
  if (takesNoPrompt(functionId)) return null;
  const given = textOf(fields['promptTemplate']);
  if (given !== undefined || !PROMPTED.has(functionId)) return given ?? null;
  if (where.mode === 'collect') return '{{fanout}}';
  return where.together === 0 ? '{{input}}' : '{{output}}';
}

function loopOf(step: Located, fields: JsonObject, expressions: StepExpressions): Loop {
  const node = field(step, 'until')?.value;
  return {
    maxIterations: numberOf(fields['maxIterations']) ?? DEFAULT_MAX_ITERATIONS,
    until: node === undefined ? null : expressions.until(node),
    onExhausted: node !== undefined && fields['onExhausted'] === 'fail' ? 'fail' : 'continue',
  };
}

function eachOf(step: Located, fields: JsonObject, expressions: StepExpressions): Each {
  const concurrency = numberOf(fields['concurrency']) ?? DEFAULT_CONCURRENCY;
  const node = field(step, 'items')?.value;
  const items = fields['items'];
  if (Array.isArray(items)) return { items: { kind: 'list', list: items }, concurrency };
  const template =
    node !== undefined && typeof items === 'string' ? expressions.itemsTemplate(node, items) : null;
  return { items: template === null ? { kind: 'implied' } : { kind: 'template', template }, concurrency };
}

function checkOutputVar(name: string | undefined, at: Segments, findings: Findings): void {
  if (name === undefined || (!FIXED_NAMES.has(name) && !BLOCKED_NAMES.has(name))) return;
  findings.add({
    code: 'DOC_BAD_VALUE',
    message: `outputVar ${JSON.stringify(name)} is a reserved name`,
    hint: `choose another, such as ${name.replaceAll('_', '')}_result`,
    at: [...at, 'outputVar'],
  });
}

/** AgentOS page: "Always set maxIterations on loop steps". With an end of its own a loop may do without. */
function warnUnbounded(fields: JsonObject, at: Segments, findings: Findings): void {
  if (fields['until'] !== undefined || fields['maxIterations'] !== undefined) return;
  findings.add({
    code: 'DOC_MISSING_FIELD',
    severity: 'warning',
    message: `the loop has neither "until" nor "maxIterations": it runs ${DEFAULT_MAX_ITERATIONS} times, whatever it gives`,
    hint: 'write until: …, which ends it, and maxIterations: N, the most it may take',
    at: [...at, 'mode'],
  });
}

function retriers(fields: JsonObject): readonly Retrier[] {
  if (fields['errorMode'] !== 'retry') return [];
  const retry = isObject(fields['retry']) ? fields['retry'] : {};
  const maxAttempts = numberOf(fields['maxRetries']) ?? DEFAULT_RETRY.maxRetries;
  if (maxAttempts === 0) return [];
  return [
    {
      errorEquals: ['States.ALL'],
      intervalMs: numberOf(retry['initialMs']) ?? DEFAULT_RETRY.initialMs,
      maxAttempts,
      backoffRate: numberOf(retry['factor']) ?? DEFAULT_RETRY.factor,
      maxDelayMs: numberOf(retry['maxMs']) ?? DEFAULT_RETRY.maxMs,
      jitter: retry['jitter'] === 'none' ? 'none' : DEFAULT_RETRY.jitter,
    },
  ];
}
