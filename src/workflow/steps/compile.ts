// Dialect 1 (agentos-dialect sections 1 to 3): a list of steps becomes a chain of task nodes. Known fields that this
// version does not run are refused, never dropped: the gate or sandbox a document asks for is in the plan.
import { FIXED_NAMES, BLOCKED_NAMES } from '../../expression/names.js';
import { nearest } from '../../expression/nearest.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { Findings } from '../diagnostic.js';
import { PROMPTED, REQUIRED_CONFIG, resolveFunction } from '../functions.js';
import { approvalSpec, checkApproval, sandboxSpec, unsupportedSandbox } from '../gate.js';
import { checkInputsSchema, declaredInputs } from '../input.js';
import { field, type Located, offsetOf, type Segments, textField, toJson } from '../located.js';
import type { Plan, PlanNode, Retrier, TaskNode } from '../plan.js';
import { checkShape } from '../shape.js';
import { checkExpressions, type NameSpace } from './expressions.js';
import { stepSlug, workflowNames, workflowSlug } from './names.js';

/** Milliseconds one attempt may take when the step does not say. */
export const DEFAULT_STEP_TIMEOUT_MS = 120_000;
/** Retry of a step whose errorMode is retry and that says no more. */
export const DEFAULT_RETRY = {
  maxRetries: 3,
  initialMs: 500,
  factor: 2,
  maxMs: 30_000,
  jitter: 'full',
} as const;

export interface StepsOptions {
  readonly source: string;
  readonly functions: ReadonlySet<string>;
  /** A bare list of steps: the id is `fragment` when there is none. */
  readonly fragment: boolean;
}

/** The plan of a document with `steps`; null when a finding is an error. */
export function compileSteps(root: Located, options: StepsOptions, findings: Findings): Plan | null {
  checkShape(root, 'steps', findings, [], unsupportedSandbox);
  const inputsNode = field(root, 'inputs')?.value;
  if (inputsNode?.kind === 'map') checkInputsSchema(inputsNode, ['inputs'], findings);
  const document = objectOf(root);
  const list = field(root, 'steps')?.value;
  const steps = list?.kind === 'list' ? list.items : [];
  const keys = stepKeys(steps, findings);
  const inputs = document['inputs'] ?? null;
  const declared = declaredInputs(inputs);
  const onMissing =
    document['onMissing'] === 'empty' || document['onMissing'] === 'keep' ? document['onMissing'] : 'error';
  const space: NameSpace = {
    source: options.source,
    names: workflowNames(
      steps.map((step) => ({ name: textField(step, 'name'), outputVar: textField(step, 'outputVar') })),
      (declared ?? []).filter((name) => !BLOCKED_NAMES.has(name)),
    ),
    closed: declared !== null && onMissing === 'error',
  };
  const nodes = steps.map((step, i) => compileStep(step, i, keys, options, space, findings));
  const identity = identityOf(document, options.fragment, findings);
  if (findings.hasErrors() || identity === null) return null;
  return {
    v: 1,
    dialect: 'steps',
    ...identity,
    description: textOf(document['description']) ?? '',
    start: keys[0] ?? '',
    nodes: Object.fromEntries(nodes.map((node, i): [string, PlanNode] => [keys[i] ?? '', node])),
    inputs,
    ceilings: document['ceilings'] ?? null,
    timeoutMs: numberOf(document['timeoutMs']) ?? null,
    agents: textsOf(document['agents']),
    onMissing,
  };
}

/** A part of one step: field names and types only. */
export function checkStepPart(root: Located, findings: Findings): void {
  checkShape(root, 'steps#/$defs/step', findings, [], (error, at) =>
    error.keyword === 'required' && at.length === 0 ? 'skip' : unsupportedSandbox(error, at),
  );
  refuseMode(textField(root, 'mode'), [], findings);
}

function identityOf(
  document: JsonObject,
  fragment: boolean,
  findings: Findings,
): { readonly id: string; readonly name: string } | null {
  const id = textOf(document['id']);
  const name = textOf(document['name']);
  if (id !== undefined) return { id, name: name ?? id };
  if (name === undefined) {
    if (fragment) return { id: 'fragment', name: 'fragment' };
    findings.add({
      code: 'DOC_MISSING_FIELD',
      message: 'the document has neither "id" nor "name"',
      hint: 'add id: my-workflow',
      at: [],
    });
    return null;
  }
  const slug = workflowSlug(name);
  if (slug !== '') return { id: slug, name };
  findings.add({
    code: 'DOC_MISSING_FIELD',
    message: `no id can be made of the name ${JSON.stringify(name)}`,
    hint: 'add id: my-workflow',
    at: ['name'],
  });
  return null;
}

function stepKeys(steps: readonly Located[], findings: Findings): readonly string[] {
  const first = new Map<string, string>();
  return steps.map((step, i) => {
    const name = textField(step, 'name');
    const key = name === undefined ? '' : stepSlug(name);
    const at = ['steps', i, 'name'];
    if (name === undefined || name === '') return `#${i}`; // the schema has said so
    if (key === '' || BLOCKED_NAMES.has(key) || BLOCKED_NAMES.has(name)) {
      findings.add({
        code: 'DOC_BAD_VALUE',
        message: `step name ${JSON.stringify(name)} can't be used`,
        hint: 'use letters and digits, and none of constructor, prototype, __proto__',
        at,
      });
      return `#${i}`;
    }
    const earlier = first.get(key);
    if (earlier !== undefined) {
      findings.add({
        code: 'DOC_DUPLICATE_FIELD',
        message: `step name ${JSON.stringify(name)} is taken by the step ${JSON.stringify(earlier)}`,
        hint: 'names must differ in letters or digits',
        at,
      });
    }
    first.set(key, earlier ?? name);
    return key;
  });
}

function compileStep(
  step: Located,
  index: number,
  keys: readonly string[],
  options: StepsOptions,
  space: NameSpace,
  findings: Findings,
): TaskNode {
  const at = ['steps', index] as const;
  const fields = objectOf(step);
  const name = textOf(fields['name']) ?? '';
  const mode = textOf(fields['mode']) ?? 'sequential';
  const runs = refuseMode(mode, at, findings);
  if (runs) warnIgnored(fields, mode, at, findings);
  if (mode === 'conditional' && fields['condition'] === undefined) {
    findings.add({
      code: 'DOC_MISSING_FIELD',
      message: `step ${JSON.stringify(name)} is conditional and has no "condition"`,
      at,
    });
  }
  checkOutputVar(textOf(fields['outputVar']), at, findings);
  checkExpressions(step, at, space, findings);
  const target = resolveTarget(fields, at, options.functions, findings);
  const prompted = PROMPTED.has(target.functionId) ? (index === 0 ? '{{input}}' : '{{output}}') : null;
  const approval = approvalSpec(fields['approval']);
  checkApproval(approval, [...at, 'approval'], findings);
  return {
    kind: 'task',
    name,
    ...findings.place(offsetOf(step, ['name'])),
    call: { kind: 'function', functionId: target.functionId, agent: textOf(fields['agent']) ?? null },
    when: textOf(fields['condition']) ?? null,
    input: {
      kind: 'template',
      prompt: textOf(fields['promptTemplate']) ?? prompted,
      config: target.config,
    },
    output: { kind: 'variable', name: textOf(fields['outputVar']) ?? null },
    timeoutMs: numberOf(fields['timeoutMs']) ?? DEFAULT_STEP_TIMEOUT_MS,
    retry: retriers(fields),
    catch: [],
    onFailure: fields['errorMode'] === 'skip' ? 'skip' : 'fail',
    approval,
    sandbox: sandboxSpec(fields['sandbox'] ?? target.sandbox ?? undefined),
    idempotent: fields['idempotent'] === true,
    next: keys[index + 1] ?? null,
  };
}

/** false when this version does not run the mode. */
function refuseMode(mode: string | undefined, at: Segments, findings: Findings): boolean {
  if (mode !== 'fanout' && mode !== 'collect' && mode !== 'loop') return true;
  findings.add({
    code: 'DOC_UNSUPPORTED',
    message: `mode ${mode}: this version runs sequential and conditional steps`,
    hint: 'use mode: sequential or mode: conditional',
    at: [...at, 'mode'],
  });
  return false;
}

const ONLY: readonly (readonly [string, string])[] = [
  ['maxIterations', 'loop'],
  ['until', 'loop'],
  ['onExhausted', 'loop'],
  ['items', 'fanout'],
  ['concurrency', 'fanout'],
];

function warnIgnored(fields: JsonObject, mode: string, at: Segments, findings: Findings): void {
  const ignored = (name: string, why: string) => {
    findings.add({
      code: 'DOC_FIELD_IGNORED',
      severity: 'warning',
      message: `"${name}" has no effect: ${why}`,
      at: [...at, name],
      onKey: true,
    });
  };
  for (const [name, wanted] of ONLY) {
    if (fields[name] !== undefined) ignored(name, `it belongs to mode ${wanted}, this step is ${mode}`);
  }
  const retries = fields['errorMode'] === 'retry';
  for (const name of ['maxRetries', 'retry']) {
    if (fields[name] !== undefined && !retries) ignored(name, 'errorMode is not retry');
  }
  if (retries && fields['maxRetries'] === 0) ignored('errorMode', 'maxRetries is 0');
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

interface Target {
  readonly functionId: string;
  readonly config: Json | null;
  readonly sandbox: string | null;
}

function resolveTarget(
  fields: JsonObject,
  at: Segments,
  functions: ReadonlySet<string>,
  findings: Findings,
): Target {
  const written = textOf(fields['functionId']) ?? '';
  const { functionId, handId, sandbox } = resolveFunction(written);
  const given = isObject(fields['config']) ? fields['config'] : null;
  if (written !== '' && !functions.has(functionId)) {
    findings.add({
      code: 'DOC_UNKNOWN_FUNCTION',
      message: `function ${JSON.stringify(written)} is not registered`,
      hint: nearest(written, functions) ?? `registered: ${[...functions].sort().join(', ')}`,
      at: [...at, 'functionId'],
    });
  }
  const clash = (name: string, value: string) => {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: `${written} means ${name} ${JSON.stringify(value)}, the step says otherwise`,
      hint: `take ${name} out of the step, or call ${functionId}`,
      at: [...at, 'functionId'],
    });
  };
  if (handId !== null && given !== null && given['handId'] !== undefined && given['handId'] !== handId) {
    clash('handId', handId);
  }
  const driver = isObject(fields['sandbox']) ? fields['sandbox']['driver'] : fields['sandbox'];
  if (sandbox !== null && driver !== undefined && driver !== sandbox) clash('sandbox', sandbox);
  const config = handId === null ? given : { ...given, handId };
  const required = REQUIRED_CONFIG.get(functionId) ?? [];
  if (required.length > 0 && !required.some((name) => config?.[name] !== undefined)) {
    findings.add({
      code: 'DOC_REQUEST_INCOMPLETE',
      severity: 'warning',
      message: `${functionId} needs ${required.map((name) => `config.${name}`).join(' or ')}; the step will fail`,
      hint: `add config: {${required[0] ?? ''}: …}`,
      at: [...at, 'functionId'],
    });
  }
  return { functionId, config, sandbox };
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

// Readers that give undefined for a wrong type: the schema has reported it, and the other checks go on.
function objectOf(node: Located): JsonObject {
  const json = toJson(node);
  return isObject(json) ? json : {};
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
