// Dialect 1 (AgentOS page): a list of steps becomes a chain of tasks and of forks for its fanout
// groups. What the document asks for is in the plan, or there is no plan.
import { BLOCKED_NAMES } from '../../expression/names.js';
import type { JsonObject } from '../../json.js';
import { dataClassOf } from '../data-class.js';
import type { Findings } from '../diagnostic.js';
import { unsupportedSandbox } from '../gate.js';
import { checkInputsSchema, declaredInputs } from '../input.js';
import { field, type Located, textField } from '../located.js';
import type { Plan, PlanNode } from '../plan.js';
import { checkShape } from '../shape.js';
import type { NameSpace } from './expressions.js';
import { numberOf, objectOf, textOf, textsOf } from './fields.js';
import { groupNodes, modeOf, unitKey, unitsOf } from './group.js';
import { stepSlug, workflowNames, workflowSlug } from './names.js';
import { type CompiledStep, compileStep } from './step.js';

export interface StepsOptions {
  readonly source: string;
  /** `any`: every id is taken, as where calls are mocked. */
  readonly functions: ReadonlySet<string> | 'any';
  /** A bare list of steps: the id is `fragment` when there is none. */
  readonly fragment: boolean;
}

/** The plan of a document with `steps`; where a finding is an error, as much of one as there is: never one to run. */
export function compileSteps(root: Located, options: StepsOptions, findings: Findings): Plan {
  checkShape(root, 'steps', findings, [], unsupportedSandbox);
  const inputsNode = field(root, 'inputs')?.value;
  if (inputsNode?.kind === 'map') checkInputsSchema(inputsNode, ['inputs'], findings);
  const document = objectOf(root);
  const list = field(root, 'steps')?.value;
  const steps = list?.kind === 'list' ? list.items : [];
  const keys = stepKeys(steps, findings);
  const nodes = compileNodes(steps, keys, document, options, findings);
  const identity = identityOf(document, options.fragment, findings);
  const data = dataClassOf(document['data']);
  return {
    v: 3,
    dialect: 'steps',
    ...identity,
    description: textOf(document['description']) ?? '',
    start: nodes[0]?.[0] ?? '',
    nodes: Object.fromEntries(nodes),
    inputs: document['inputs'] ?? null,
    ceilings: document['ceilings'] ?? null,
    timeoutMs: numberOf(document['timeoutMs']) ?? null,
    maxDataBytes: null,
    ...(data === null ? {} : { data }),
    agents: textsOf(document['agents']),
    onMissing: onMissingOf(document),
  };
}

/** A part of one step: field names and types only. */
export function checkStepPart(root: Located, findings: Findings): void {
  checkShape(root, 'steps#/$defs/step', findings, [], (error, at) =>
    error.keyword === 'required' && at.length === 0 ? 'skip' : unsupportedSandbox(error, at),
  );
}

/** In the order of the document; a group's fork stands before its steps. */
function compileNodes(
  steps: readonly Located[],
  keys: readonly string[],
  document: JsonObject,
  options: StepsOptions,
  findings: Findings,
): readonly (readonly [string, PlanNode])[] {
  const agents = textsOf(document['agents']);
  const space = nameSpace(steps, document, options.source);
  warnTwice(steps, findings);
  const units = unitsOf(steps);
  let afterGroup = false;
  return units.flatMap((unit, u) => {
    const following = units[u + 1];
    const next = following === undefined ? null : unitKey(following, steps, keys);
    const mode = modeOf(steps[unit[0] ?? 0]);
    const compiled = unit.flatMap((index) => {
      const step = steps[index];
      if (step === undefined) return [];
      if (mode === 'collect' && !afterGroup) {
        findings.add({
          code: 'DOC_COLLECT_WITHOUT_FANOUT',
          message: 'the step collects, and no fanout step stands before it',
          hint: 'put a step of mode fanout before it, or use mode: sequential',
          at: ['steps', index, 'mode'],
        });
      }
      const place = { index, mode, together: unit[0] ?? index, afterGroup };
      const fallback = (agents.length === steps.length ? agents[index] : agents[0]) ?? null;
      const rest = { functions: options.functions, space, fallback, next: mode === 'fanout' ? null : next };
      return [{ key: keys[index] ?? '', step: compileStep(step, place, rest, findings) }];
    });
    afterGroup ||= mode === 'fanout';
    if (mode === 'fanout') return groupNodes(compiled, unitKey(unit, steps, keys), next);
    return compiled.map(({ key, step }): [string, CompiledStep['task']] => [key, step.task]);
  });
}

/** Alternatives, each under a condition of its own, may share a name: at most one of them is meant to give it. */
function warnTwice(steps: readonly Located[], findings: Findings): void {
  const first = new Map<string, { readonly step: string; readonly isAlternative: boolean }>();
  steps.forEach((step, index) => {
    const name = textField(step, 'outputVar');
    if (name === undefined) return;
    const isAlternative = textField(step, 'condition') !== undefined;
    const before = first.get(name);
    if (before === undefined) {
      first.set(name, { step: textField(step, 'name') ?? '', isAlternative });
      return;
    }
    if (before.isAlternative && isAlternative) return;
    findings.add({
      code: 'DOC_OUTPUT_VAR_TWICE',
      severity: 'warning',
      message: `the step ${JSON.stringify(before.step)} keeps its output as ${JSON.stringify(name)} too: this one takes its place`,
      hint: 'give one of them another outputVar',
      at: ['steps', index, 'outputVar'],
    });
  });
}

function nameSpace(steps: readonly Located[], document: JsonObject, source: string): NameSpace {
  const declared = declaredInputs(document['inputs'] ?? null);
  const inputs = (declared ?? []).filter((name) => !BLOCKED_NAMES.has(name));
  const named = steps.map((step) => ({
    name: textField(step, 'name'),
    outputVar: textField(step, 'outputVar'),
  }));
  return {
    source,
    names: workflowNames(named, inputs),
    unknown: declared === null ? 'open' : 'closed',
    isMissingAllowed: onMissingOf(document) !== 'error',
    inputs: document['inputs'] ?? null,
  };
}

function onMissingOf(document: JsonObject): Plan['onMissing'] {
  const { onMissing } = document;
  return onMissing === 'empty' || onMissing === 'keep' ? onMissing : 'error';
}

/** Of a document that a finding refuses for its name. */
const NAMELESS = { id: '', name: '' };

function identityOf(
  document: JsonObject,
  fragment: boolean,
  findings: Findings,
): { readonly id: string; readonly name: string } {
  const id = textOf(document['id']);
  const name = textOf(document['name']);
  if (id !== undefined) return { id, name: name ?? id };
  if (name === undefined) {
    if (fragment) return { id: 'fragment', name: 'fragment' };
    // What is there and is no text has been told.
    if (document['id'] !== undefined || document['name'] !== undefined) return NAMELESS;
    findings.add({
      code: 'DOC_MISSING_FIELD',
      message: 'the document has neither "id" nor "name"',
      hint: 'add id: my-workflow',
      at: [],
    });
    return NAMELESS;
  }
  const slug = workflowSlug(name);
  if (slug !== '') return { id: slug, name };
  findings.add({
    code: 'DOC_MISSING_FIELD',
    message: `no id can be made of the name ${JSON.stringify(name)}`,
    hint: 'add id: my-workflow',
    at: ['name'],
  });
  return NAMELESS;
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
