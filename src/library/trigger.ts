// `trigger`: workflows and runs by function id, in the two forms of the AgentOS page. It acts as the person
// whose Writ it belongs to and goes the way the command line goes; there is no function here that runs a step.
import { canonicalJson } from '../canonical-json.js';
import { WritError } from '../errors.js';
import type { JsonObject } from '../json.js';
import { newUuid } from '../runtime/ids.js';
import type { Page, Random, RunRecord } from '../runtime/ports.js';
import type { Principal, Writ } from '../runtime/writ.js';
import type { BackgroundRuns } from './background-runs.js';
import { runReport, type RunReport } from './run-report.js';
import {
  checkPayload,
  triggerFunctionId,
  type PagePayload,
  type RunListItem,
  type RunPayload,
  type StatusPayload,
  type TriggerFunctionId,
  type TriggerFunctions,
} from './trigger-request.js';

export interface TriggerOptions {
  /** Rejects with FUNCTION_TIMEOUT after so long; what was asked for goes on. Default: no limit. */
  readonly timeoutMs?: number;
}

export interface TriggerRequest<Id, Payload> extends TriggerOptions {
  readonly function_id: Id;
  readonly payload: Payload;
}

type Waits = RunPayload & { readonly wait: true };
type WaitsNot = RunPayload & { readonly wait?: false };
type Others = Exclude<TriggerFunctionId, 'workflow::run'>;

/**
 * Rejects with FUNCTION_NOT_FOUND for an id it does not know, FUNCTION_REQUEST_INVALID for a payload that does not fit,
 * FUNCTION_TIMEOUT, and with what the function rejects with: DOC_INVALID, NOT_FOUND, INPUT_INVALID, POLICY_*, …
 */
export interface Trigger {
  (id: 'workflow::run', payload: WaitsNot, options?: TriggerOptions): Promise<string>;
  (id: 'workflow::run', payload: Waits, options?: TriggerOptions): Promise<RunReport>;
  (id: 'workflow::run', payload: RunPayload, options?: TriggerOptions): Promise<string | RunReport>;
  <Id extends Others>(
    id: Id,
    payload: TriggerFunctions[Id]['payload'],
    options?: TriggerOptions,
  ): Promise<TriggerFunctions[Id]['result']>;
  (request: TriggerRequest<'workflow::run', WaitsNot>): Promise<string>;
  (request: TriggerRequest<'workflow::run', Waits>): Promise<RunReport>;
  (request: TriggerRequest<'workflow::run', RunPayload>): Promise<string | RunReport>;
  <Id extends Others>(
    request: TriggerRequest<Id, TriggerFunctions[Id]['payload']>,
  ): Promise<TriggerFunctions[Id]['result']>;
}

export interface TriggerParts {
  readonly writ: Writ;
  readonly principal: () => Promise<Principal>;
  readonly random: Random;
  readonly background: BackgroundRuns;
}

type Results = { [Id in TriggerFunctionId]: TriggerFunctions[Id]['result'] };
type Acts = {
  [Id in TriggerFunctionId]: (
    payload: TriggerFunctions[Id]['payload'],
    signal: AbortSignal,
  ) => Promise<Results[Id]>;
};

const LARGEST_TIMEOUT_MS = 2 ** 31 - 1;
const PAGE = { least: 1, most: 500, default: 50 };

/** `trigger` in both of its forms, over a Writ that opens when it is first needed. */
export function openTrigger(parts: () => Promise<TriggerParts>): Trigger {
  const call = async (first: unknown, second: unknown, third: unknown): Promise<unknown> => {
    const { id, payload, timeoutMs } = readCall(first, second, third);
    return within(id, timeoutMs, async (signal) => carryOut(await parts(), id, payload, signal));
  };
  // The overloads say of each id what `call` does with it.
  return call as Trigger;
}

interface TriggerCall {
  readonly id: TriggerFunctionId;
  readonly payload: unknown;
  readonly timeoutMs: number | null;
}

function readCall(first: unknown, second: unknown, third: unknown): TriggerCall {
  if (typeof first === 'string') {
    return {
      id: triggerFunctionId(first),
      payload: second ?? {},
      timeoutMs: readTimeout(
        fieldsOf(third ?? {}, 'the third argument of trigger', ['timeoutMs'])['timeoutMs'],
      ),
    };
  }
  const request = fieldsOf(first, 'the request of trigger', ['function_id', 'payload', 'timeoutMs']);
  const id = request['function_id'];
  if (typeof id !== 'string') {
    throw new WritError('FUNCTION_REQUEST_INVALID', 'trigger needs the id of a function', {
      hint: "trigger('workflow::run', {…}) or trigger({function_id: 'workflow::run', payload: {…}})",
    });
  }
  const { payload = {}, timeoutMs } = request;
  return { id: triggerFunctionId(id), payload, timeoutMs: readTimeout(timeoutMs) };
}

function fieldsOf(value: unknown, what: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  const fields: Readonly<Record<string, unknown>> | null =
    typeof value === 'object' && value !== null ? { ...value } : null;
  const extra = Object.keys(fields ?? {}).find((key) => !known.includes(key));
  if (fields !== null && extra === undefined) return fields;
  throw new WritError(
    'FUNCTION_REQUEST_INVALID',
    extra === undefined ? `${what} is no object` : `${what} has no field "${extra.slice(0, 80)}"`,
    { hint: `its fields: ${known.join(', ')}` },
  );
}

function readTimeout(value: unknown): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= LARGEST_TIMEOUT_MS) {
    return value;
  }
  throw new WritError('FUNCTION_REQUEST_INVALID', 'timeoutMs of trigger is no time', {
    hint: `a whole number of milliseconds, 1 to ${LARGEST_TIMEOUT_MS}`,
  });
}

/** Stops waiting after `timeoutMs`; the work itself is durable, or not begun, and nobody stops it. */
async function within<T>(
  id: string,
  timeoutMs: number | null,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  if (timeoutMs === null) return work(stop.signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new WritError('FUNCTION_TIMEOUT', `${id} has not answered within ${timeoutMs} ms`, {
        hint: 'what it asked for goes on; look again with workflow::status or workflow::runs',
      });
      stop.abort(error);
      reject(error);
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(stop.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function carryOut<Id extends TriggerFunctionId>(
  parts: TriggerParts,
  id: Id,
  given: unknown,
  signal: AbortSignal,
): Promise<Results[Id]> {
  return actsOf(parts)[id](checkPayload(id, given), signal);
}

function actsOf({ writ, principal, random, background }: TriggerParts): Acts {
  const report = async (runId: string): Promise<RunReport> => runReport(await writ.results(runId));
  const status = async ({ runId, nested }: StatusPayload): Promise<RunReport> =>
    runReport(await writ.results(runId, nested === undefined ? {} : { nested }));
  return {
    'workflow::create': async (definition) => {
      const source = { text: sourceOf(definition, random), file: null };
      const { id } = await writ.createWorkflow(source, await principal());
      return id;
    },
    'workflow::run': async ({ workflowId, input = {}, agentId, agents, data, wait }, signal) => {
      const own = agentId === undefined ? {} : { '*': agentId };
      const request = {
        ...{ workflow: workflowId, input, agents: { ...agents, ...own } },
        ...(data === undefined ? {} : { data }),
      };
      const runId = await writ.start(request, await principal());
      background.drive(runId);
      if (wait !== true) return runId;
      await background.ended(runId, signal);
      return report(runId);
    },
    'workflow::status': status,
    'workflow::get_run': status,
    'workflow::get_run_state': status,
    'workflow::list': async (payload) => {
      const page = pageOf(payload);
      const { workflows, total } = await writ.workflowsPage(page);
      return { workflows: workflows.map(({ source: _source, ...one }) => one), total, ...page };
    },
    'workflow::runs': async (payload) => {
      const page = pageOf(payload);
      const { workflowId } = payload;
      const { runs, total } = await writ.runsPage({
        ...page,
        ...(workflowId === undefined ? {} : { workflowId }),
      });
      return { runs: runs.map(listItem), total, ...page };
    },
    'workflow::results': async (payload) => (await status(payload)).results,
    'workflow::cancel': async ({ runId }) => {
      await writ.cancel(runId, await principal());
      return report(runId);
    },
    'workflow::redrive': async ({ runId, lost }) => {
      await writ.redrive(runId, await principal(), lost === undefined ? {} : { lost });
      background.drive(runId);
      return report(runId);
    },
    'workflow::resume': async ({ runId, lost }) => {
      await writ.resume(runId, await principal(), lost === undefined ? {} : { lost });
      background.drive(runId);
      return report(runId);
    },
  };
}

/** The document's text. One without an id gets a UUID: any two of those would take each other's place. */
function sourceOf(definition: JsonObject, random: Random): string {
  try {
    canonicalJson(definition);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    throw new WritError('DOC_INVALID', `the definition can't be a document: ${error.message}`, {
      hint: 'plain JSON: leave out what is undefined',
    });
  }
  const missing = missingName(definition);
  return JSON.stringify(
    missing === null ? definition : { [missing]: newUuid(random), ...definition },
    null,
    2,
  );
}

/** The field that would name it, in the form that it is in; null when it is there. The native form has to have its own. */
function missingName(definition: JsonObject): 'id' | 'name' | null {
  const has = (...keys: readonly string[]): boolean => keys.some((key) => Object.hasOwn(definition, key));
  if (has('steps')) return has('id') ? null : 'id';
  if (has('apiVersion', 'ApiVersion', 'spec', 'Spec')) return null;
  const version = definition['version'];
  const isCompact = typeof version === 'string' && version.startsWith('agentrc.workflow/');
  if (isCompact) return has('name', 'Name') ? null : 'name';
  return has('States', 'states') && !has('id', 'Id') ? 'id' : null;
}

function pageOf({ limit = PAGE.default, offset = 0 }: PagePayload): Page {
  return { limit: Math.min(PAGE.most, Math.max(PAGE.least, limit)), offset: Math.max(0, offset) };
}

/** Without plan and snapshot, which are nobody's contract. */
function listItem(run: RunRecord): RunListItem {
  const { id, workflowId, workflowHash, status, initiator, agents, createdAtMs, updatedAtMs } = run;
  return { runId: id, workflowId, workflowHash, status, initiator, agents, createdAtMs, updatedAtMs };
}
