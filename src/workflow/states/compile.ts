// Dialect 2: a state machine in native, compact or plain States Language form becomes
// a plan. One pass finds everything; where something is wrong there is as much of a plan as can be made.
import type { ErrorObject } from 'ajv/dist/2020.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { dataClassOf } from '../data-class.js';
import type { Finding, Findings } from '../diagnostic.js';
import { checkInputsSchema } from '../input.js';
import { field, type Located, type Segments, toJson } from '../located.js';
import type { Plan, PlanNode } from '../plan.js';
import { checkShape, describe, type SchemaName, unknownField } from '../shape.js';
import { workflowSlug } from '../steps/names.js';
import { type AgentReference, parseAgentReference } from './agent-reference.js';
import type { DocumentFacts } from './document-facts.js';
import { compileScopes, jsonataOff } from './scope.js';
import { spellingOf } from './as-written.js';
import { compactSpelling, machineSpelling, nativeSpelling } from './spelling.js';
import { unsupported } from './unsupported.js';

/** AWS: largest input, output or result of a state, in bytes. */
const AWS_MAX_DATA_BYTES = 262_144;

export interface StatesOptions extends Pick<DocumentFacts, 'form' | 'functions' | 'isRegistry' | 'jsonata'> {
  /** File name, for the id of a document that has none. */
  readonly file: string | null;
  /** EXPRESS: nothing waits for a token or a job. */
  readonly type: 'STANDARD' | 'EXPRESS';
}

const SCHEMAS: Readonly<Record<StatesOptions['form'], SchemaName>> = {
  native: 'states',
  compact: 'states#/$defs/compact',
  asl: 'states#/$defs/machine',
};

/**
 * The plan of a state machine; where a finding is an error, of the states that can be read: never one to run. null when
 * a state can't be read and no finding says why.
 */
export function compileStates(written: Located, options: StatesOptions, findings: Findings): Plan | null {
  const native = options.form === 'native';
  findings.spellAs(spellingOf(written));
  const root = spelled(written, options.form, findings);
  findings.locateIn(root);
  const at: Segments = native ? ['spec'] : [];
  const document = objectOf(toJson(root));
  const machine = native ? objectOf(document['spec']) : document;
  checkShape(root, SCHEMAS[options.form], findings, [], translate);
  const node = native ? field(root, 'spec')?.value : root;
  const inputs = field(node, 'inputs')?.value;
  if (inputs?.kind === 'map') checkInputsSchema(inputs, [...at, 'inputs'], findings);
  if (native && machine['id'] !== undefined) {
    const hint = 'the workflow is called by metadata.name';
    findings.add({ ...unknownField('id', at, []), hint });
  }
  const jsonata = machine['queryLanguage'] === 'JSONata';
  if (jsonata && !options.jsonata) findings.add(jsonataOff([...at, 'queryLanguage']));
  const facts: DocumentFacts = {
    root,
    findings,
    form: options.form,
    functions: options.functions,
    isRegistry: options.isRegistry,
    agents: agentsOf(document, options.form, findings),
    queryLanguage: jsonata ? 'JSONata' : 'JSONPath',
    jsonata: options.jsonata,
  };
  const nodes = node === undefined ? [] : [...compileScopes(facts, node, at, options.type === 'EXPRESS')];
  const valid = nodes.filter((entry): entry is [string, PlanNode] => entry[1] !== null);
  if (valid.length < nodes.length && !findings.hasErrors()) return null;
  const metadata = objectOf(document['metadata']);
  const id = text(native ? metadata['name'] : document[options.form === 'compact' ? 'name' : 'id']);
  const { timeoutSeconds, awsLimits } = machine;
  const data = dataClassOf(machine['data']);
  const limited = typeof awsLimits === 'boolean' ? awsLimits : options.form === 'asl';
  return {
    v: 3,
    dialect: 'states',
    id: id === '' ? idOfFile(options.file) : id,
    name: id === '' ? idOfFile(options.file) : id,
    description: text(native ? metadata['description'] : document['description']) || text(machine['comment']),
    start: text(machine['startAt']),
    nodes: Object.fromEntries(valid),
    inputs: machine['inputs'] ?? null,
    ceilings: machine['ceilings'] ?? null,
    timeoutMs: typeof timeoutSeconds === 'number' ? timeoutSeconds * 1000 : null,
    maxDataBytes: limited ? AWS_MAX_DATA_BYTES : null,
    ...(data === null ? {} : { data }),
    ...(options.form === 'asl' ? { context: 'aws' as const } : {}),
    agents: [],
    onMissing: 'error',
  };
}

function spelled(written: Located, form: StatesOptions['form'], findings: Findings): Located {
  if (form === 'native') return nativeSpelling(written, findings);
  return form === 'asl' ? machineSpelling(written, findings) : withStart(compactSpelling(written, findings));
}

/** A compact document that names no first state begins with the one written first. */
function withStart(root: Located): Located {
  const states = field(root, 'states')?.value;
  const first = states?.kind === 'map' ? states.entries[0] : undefined;
  if (root.kind !== 'map' || first === undefined || field(root, 'startAt') !== undefined) return root;
  const offset = first.keyOffset;
  const value: Located = { kind: 'scalar', offset, value: first.key };
  return { ...root, entries: [...root.entries, { key: 'startAt', keyOffset: offset, value }] };
}

function agentsOf(
  document: JsonObject,
  form: StatesOptions['form'],
  findings: Findings,
): ReadonlyMap<string, AgentReference | null> {
  const agents = form === 'compact' ? objectOf(document['agents']) : {};
  return new Map(
    Object.entries(agents).map(([alias, reference]) => {
      const parsed = parseAgentReference(text(reference), ['agents', alias]);
      if (!('code' in parsed)) return [alias, parsed];
      if (typeof reference === 'string') findings.add(parsed);
      return [alias, null];
    }),
  );
}

// A number or an expression: a text that is neither is told as the wrong type it is.
function translate(error: ErrorObject, at: Segments): Finding | null {
  const { title, type } = error.parentSchema as { title?: string; type?: unknown };
  if (error.keyword !== 'pattern' || (title !== 'Amount' && title !== 'Condition'))
    return unsupported(error, at);
  const [kind] = Array.isArray(type) ? (type as readonly unknown[]) : [];
  const wanted = kind === 'boolean' ? 'true or false' : kind === 'number' ? 'a number' : 'a whole number';
  return {
    code: 'DOC_WRONG_TYPE',
    message: `${JSON.stringify(at.at(-1))} must be ${wanted}, or an expression {% … %}, not ${describe(error.data)}`,
    at,
  };
}

function idOfFile(file: string | null): string {
  const name = (file ?? '').split(/[/\\]/).at(-1) ?? '';
  return workflowSlug(name.replace(/(?:\.asl)?\.(?:json|ya?ml)$/i, '')) || 'workflow';
}

function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
