// Documents to plans: reads the text, finds out which dialect it is, and lets that dialect check and compile it.
// Never throws on bad input, reports everything in one pass, and gives a plan only when nothing is wrong.
import type { Json } from '../json.js';
import type { Diagnostic, Findings, Part, Place } from './diagnostic.js';
import { type BeforeSlip, readDocument } from './document.js';
import { KNOWN_FUNCTIONS } from './functions.js';
import { field, type Located, offsetOf, type Segments, textField, toJson } from './located.js';
import type { Plan } from './plan.js';
import { nearest } from '../expression/nearest.js';
import { compileStates } from './states/compile.js';
import { checkStepPart, compileSteps } from './steps/compile.js';

export interface ParseOptions {
  /** Where the text came from; the id of a plain States Language document is made of it. */
  readonly file?: string;
  /**
   * Function ids that are registered; another id is DOC_UNKNOWN_FUNCTION. `any` (dialect 2): every id is taken, as where
   * calls are mocked. Default: KNOWN_FUNCTIONS, and in a plain States Language document what AWS's own services may be called.
   */
  readonly functions?: ReadonlySet<string> | 'any';
  /** Dialect 2: an EXPRESS machine waits for no token and no job. Default STANDARD. */
  readonly type?: 'STANDARD' | 'EXPRESS';
  /** Dialect 2: false = JSONata is DOC_JSONATA_OFF. Default true. */
  readonly jsonata?: boolean;
  /** Also accept a bare list of steps (id `fragment`) and a part of one step (fields and types only, no plan). */
  readonly fragment?: boolean;
}

export interface ParsedWorkflow {
  /** null when there is an error, and for a part of a step. */
  readonly plan: Plan | null;
  /**
   * As much of a plan as can be made of a document with errors, for checks that look at its steps or states one by one
   * and are to be told in the same pass; never one to run. The plan itself when there is one.
   */
  readonly draft: Plan | null;
  /** The document as data, as its author spelled it; null when it can't be read. */
  readonly document: Json | null;
  /** In the order of the text. */
  readonly diagnostics: readonly Diagnostic[];
  /** Line and column of what the keys and indices lead to in the text; of the last of them that is there. */
  readonly place: (segments: Segments) => Place;
  /**
   * The step or state whose node in the plan has this place, or the first of its `fields`, in native names, that the
   * document has; null for any other place.
   */
  readonly partAt: (place: Place, fields: readonly Segments[]) => Part | null;
}

/** Reads a workflow of either dialect, YAML 1.2 or JSON. `text` is attacker-controlled; never throws for it. */
export function parseWorkflow(text: string, options: ParseOptions = {}): ParsedWorkflow {
  const { root, before, findings } = readDocument(text);
  if (before !== null) tellCertain(before, text, options, findings);
  const place = (segments: Segments) => findings.place(root === null ? 0 : offsetOf(root, segments));
  const partAt: ParsedWorkflow['partAt'] = (at, fields) => findings.partAt(at, fields);
  const draft = root === null ? null : compile(root, text, options, findings);
  const plan = findings.hasErrors() ? null : draft;
  const document = root === null ? null : toJson(root);
  return { plan, draft, document, diagnostics: findings.list(), place, partAt };
}

/** What is wrong with a step or a field whatever stands behind the first slip in the text. */
const OF_ONE_PLACE: ReadonlySet<Diagnostic['code']> = new Set<Diagnostic['code']>([
  'DOC_SYNTAX',
  'DOC_UNSUPPORTED',
  'DOC_UNKNOWN_FIELD',
  'DOC_DUPLICATE_FIELD',
  'DOC_MISSING_FIELD',
  'DOC_WRONG_TYPE',
  'DOC_BAD_VALUE',
  'DOC_UNKNOWN_FUNCTION',
  'DOC_COLLECT_WITHOUT_FANOUT',
]);

/** Tells what is wrong with the parts of a document that are whole; of the document itself nothing is certain. */
function tellCertain(
  { root, end, findings: own }: BeforeSlip,
  text: string,
  options: ParseOptions,
  findings: Findings,
): void {
  own.locateIn(root);
  compile(root, text, options, own);
  findings.adopt(own, end, ({ code, path }) => {
    const isOfStep = path.startsWith('steps[');
    return (
      OF_ONE_PLACE.has(code) && (isOfStep || (code !== 'DOC_MISSING_FIELD' && !/^(?:steps)?$/.test(path)))
    );
  });
}

/** Is the document without errors? Warnings do not count. */
export function validate(
  text: string,
  options: ParseOptions = {},
): { readonly ok: boolean; readonly diagnostics: readonly Diagnostic[] } {
  const { diagnostics } = parseWorkflow(text, options);
  return { ok: !diagnostics.some((diagnostic) => diagnostic.severity === 'error'), diagnostics };
}

function compile(root: Located, source: string, options: ParseOptions, findings: Findings): Plan | null {
  const functions = options.functions ?? KNOWN_FUNCTIONS;
  const fragment = options.fragment ?? false;
  const file = options.file ?? null;
  if (root.kind === 'list' && fragment) {
    const steps = { key: 'steps', keyOffset: root.offset, value: root };
    const wrapped: Located = { kind: 'map', offset: root.offset, entries: [steps] };
    findings.locateIn(wrapped);
    return compileSteps(wrapped, { source, functions, fragment }, findings);
  }
  if (root.kind !== 'map') {
    const message = 'a workflow is an object with fields';
    findings.add({ code: 'DOC_WRONG_TYPE', message, hint: 'begin with id: and steps:', at: [] });
    return null;
  }
  const form = formOf(root);
  switch (form) {
    case 'steps':
      return compileSteps(root, { source, functions, fragment }, findings);
    case 'native':
    case 'compact':
    case 'asl': {
      const { type = 'STANDARD', jsonata = true } = options;
      const isRegistry = options.functions !== undefined && options.functions !== 'any';
      return compileStates(root, { form, functions, isRegistry, jsonata, file, type }, findings);
    }
    case null:
      if (fragment) checkStepPart(root, findings);
      else refuseForm(root, findings);
      return null;
  }
}

function formOf(root: Located): 'steps' | 'native' | 'asl' | 'compact' | null {
  const has = (...keys: readonly string[]) => keys.some((key) => field(root, key) !== undefined);
  if (has('steps')) return 'steps';
  if (has('apiVersion', 'ApiVersion', 'spec', 'Spec')) return 'native';
  if (textField(root, 'version')?.startsWith('agentrc.workflow/') === true) return 'compact';
  return has('StartAt', 'startAt', 'States', 'states') ? 'asl' : null;
}

function refuseForm(root: Located, findings: Findings): void {
  const keys = root.kind === 'map' ? root.entries.map((entry) => entry.key) : [];
  const near = keys
    .map((key) => ({ key, hint: nearest(key, ['steps', 'apiVersion', 'StartAt']) }))
    .find((candidate) => candidate.hint !== undefined);
  if (near !== undefined) {
    const message = `the document knows no field ${JSON.stringify(near.key)}`;
    findings.add({ code: 'DOC_UNKNOWN_FIELD', message, hint: near.hint, at: [near.key], onKey: true });
    return;
  }
  findings.add({
    code: 'DOC_INVALID',
    message: 'this is no workflow: it has neither steps, nor apiVersion, nor StartAt',
    hint: 'begin with id: and steps:, or with apiVersion: agentrc.workflow/v0.1',
    at: [],
  });
}
