// What `trigger` can be asked for: each function's payload, checked against a JSON Schema before anything happens, and
// its result (AgentOS page). A payload is attacker-controlled; an unknown field is an error.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { WritError } from '../errors.js';
import { nearest } from '../expression/nearest.js';
import type { Json, JsonObject } from '../json.js';
import type { RunRecord, RunStatus, WorkflowRecord } from '../runtime/ports.js';
import type { DataDeclaration } from '../runtime/run/data.js';
import type { RunReport, StepResult } from './run-report.js';

/** A run of a workflow. */
export interface RunPayload {
  readonly workflowId: string;
  /** Default `{}`. */
  readonly input?: Json;
  /** The agent that acts in steps that name none. */
  readonly agentId?: string;
  /** role -> instance. */
  readonly agents?: Readonly<Record<string, string>>;
  /** What the input carries, as ceilings judge it: labels ([] = none), and how secret it is. Absent = not said. */
  readonly data?: DataDeclaration;
  /**
   * Absent or false: the result is the run's id, once the start is durable; this process drives the run on. True: the
   * result is the run as it has ended, however long its approvals take (`timeoutMs` bounds the waiting, not the run).
   */
  readonly wait?: boolean;
}

export interface RunIdPayload {
  readonly runId: string;
}

export interface StatusPayload extends RunIdPayload {
  /** How many items of a map, or calls of a step, are told one by one: 0-10000, default 20. */
  readonly nested?: number;
}

export interface ResumePayload extends RunIdPayload {
  /** What becomes of attempts whose outcome was lost in a crash: run again, or count as failed. */
  readonly lost?: 'rerun' | 'fail';
}

export interface RedrivePayload extends RunIdPayload {
  /** Attempts whose outcome is not known are made again too. */
  readonly lost?: 'rerun';
}

export interface PagePayload {
  /** 1-500, default 50; a number outside is taken for the nearest inside. */
  readonly limit?: number;
  /** Default 0. */
  readonly offset?: number;
}

export interface RunsPayload extends PagePayload {
  readonly workflowId?: string;
}

interface Listed {
  /** Of the whole list. */
  readonly total: number;
  /** As it was applied. */
  readonly limit: number;
  readonly offset: number;
}

/** The newest version of each workflow, by id. */
export interface WorkflowList extends Listed {
  readonly workflows: readonly Omit<WorkflowRecord, 'source'>[];
}

/** Newest first. */
export interface RunList extends Listed {
  readonly runs: readonly RunListItem[];
}

export interface RunListItem {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowHash: string;
  readonly status: RunStatus;
  readonly initiator: string;
  readonly agents: RunRecord['agents'];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** Every function that `trigger` knows. */
export interface TriggerFunctions {
  /** The definition as a document of either language; without `id` it gets a UUID. The result is its id. */
  'workflow::create': { readonly payload: JsonObject; readonly result: string };
  'workflow::run': { readonly payload: RunPayload; readonly result: string | RunReport };
  'workflow::status': { readonly payload: StatusPayload; readonly result: RunReport };
  /** The same as `workflow::status`. */
  'workflow::get_run': { readonly payload: StatusPayload; readonly result: RunReport };
  /** The same as `workflow::status`. */
  'workflow::get_run_state': { readonly payload: StatusPayload; readonly result: RunReport };
  'workflow::list': { readonly payload: PagePayload; readonly result: WorkflowList };
  'workflow::runs': { readonly payload: RunsPayload; readonly result: RunList };
  'workflow::results': { readonly payload: StatusPayload; readonly result: readonly StepResult[] };
  /** Resolves when the run is `cancelled`. */
  'workflow::cancel': { readonly payload: RunIdPayload; readonly result: RunReport };
  /** Resolves once the run may go on; this process drives it. */
  'workflow::resume': { readonly payload: ResumePayload; readonly result: RunReport };
  /** A run that failed or was cancelled goes on where it stood; resolves once it may, and this process drives it. */
  'workflow::redrive': { readonly payload: RedrivePayload; readonly result: RunReport };
}

export type TriggerFunctionId = keyof TriggerFunctions;

const text = { type: 'string', minLength: 1, maxLength: 256 } as const;
const integer = { type: 'integer' } as const;
const page = { limit: integer, offset: integer } as const;

function fields(properties: JsonObject, ...required: readonly string[]): JsonObject {
  return { type: 'object', additionalProperties: false, properties, required };
}

const RUN_ID = fields({ runId: text }, 'runId');
const STATUS = fields({ runId: text, nested: { type: 'integer', minimum: 0, maximum: 10_000 } }, 'runId');
const SCHEMAS: { readonly [Id in TriggerFunctionId]: JsonObject } = {
  // The document's own rules are those of the workflow room.
  'workflow::create': { type: 'object' },
  'workflow::run': fields(
    {
      workflowId: text,
      input: {},
      agentId: text,
      agents: { type: 'object', additionalProperties: text, maxProperties: 1_000 },
      data: fields({
        labels: { type: 'array', maxItems: 100, items: text },
        classification: { enum: ['public', 'internal', 'confidential', 'restricted'] },
      }),
      wait: { type: 'boolean' },
    },
    'workflowId',
  ),
  'workflow::status': STATUS,
  'workflow::get_run': STATUS,
  'workflow::get_run_state': STATUS,
  'workflow::list': fields(page),
  'workflow::runs': fields({ ...page, workflowId: text }),
  'workflow::results': STATUS,
  'workflow::cancel': RUN_ID,
  'workflow::resume': fields({ runId: text, lost: { enum: ['rerun', 'fail'] } }, 'runId'),
  'workflow::redrive': fields({ runId: text, lost: { enum: ['rerun'] } }, 'runId'),
};

const compiled = new Map<TriggerFunctionId, ValidateFunction>();

/** Compiled at first use: importing writ costs nothing of it. */
function checkOf(id: TriggerFunctionId): ValidateFunction {
  const known = compiled.get(id) ?? new Ajv2020({ strict: true }).compile(SCHEMAS[id]);
  compiled.set(id, known);
  return known;
}

/** Throws FUNCTION_NOT_FOUND. */
export function triggerFunctionId(id: string): TriggerFunctionId {
  if (isTriggerFunctionId(id)) return id;
  throw new WritError('FUNCTION_NOT_FOUND', `trigger has no function "${id.slice(0, 200)}"`, {
    hint:
      nearest(id, Object.keys(SCHEMAS)) ??
      `it has ${Object.keys(SCHEMAS).join(', ')}; a function of your own is called by a step of a workflow`,
  });
}

function isTriggerFunctionId(id: string): id is TriggerFunctionId {
  return Object.hasOwn(SCHEMAS, id);
}

/** Absent fields and `undefined` ones are the same. Throws FUNCTION_REQUEST_INVALID, which names no value. */
export function checkPayload<Id extends TriggerFunctionId>(
  id: Id,
  given: unknown,
): TriggerFunctions[Id]['payload'] {
  const check = checkOf(id);
  const payload: unknown = isRecord(given) ? withoutUndefined(given) : given;
  if (check(payload)) return payload as TriggerFunctions[Id]['payload'];
  const [error] = check.errors ?? [];
  const field = error?.instancePath.slice(1) ?? '';
  const extra: unknown = error?.params['additionalProperty'];
  const what = `${field === '' ? 'the payload' : field} ${error?.message ?? 'is not valid'}`;
  const known = Object.keys(SCHEMAS[id]['properties'] ?? {});
  throw new WritError(
    'FUNCTION_REQUEST_INVALID',
    typeof extra === 'string' ? `${id} has no field "${extra.slice(0, 80)}"` : `${id}: ${what}`,
    {
      hint:
        (typeof extra === 'string' ? nearest(extra, known) : undefined) ??
        (known.length > 0 ? `its fields: ${known.join(', ')}` : 'give the definition as an object'),
    },
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutUndefined(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
