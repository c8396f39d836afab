// `tool::health_check`: is this runner well, one part of it, or a host? What is unwell is an answer, so that a workflow
// can act on it; what may not be asked is a refusal as anywhere else. Worst check counts.
import { WritError } from '../../errors.js';
import { isObject, type Json } from '../../json.js';
import type { FunctionProvider } from '../../runtime/ports.js';
import { schemaOf } from './config-file.js';
import { systemResolve } from './egress.js';
import type { HttpParts } from './http/http.js';
import { exchange } from './http/exchange.js';
import { parseHttpCall, reachOfCall, type HttpCall } from './http/request.js';

export type Health = 'healthy' | 'degraded' | 'critical';

export interface HealthCheck {
  readonly name: string;
  readonly status: Health;
  readonly message?: string;
}

/** The checks of the runner itself, names unique; asked anew by every call. */
export type SelfChecks = () => Promise<readonly HealthCheck[]>;

interface HealthInput {
  readonly url?: string;
  readonly service?: string;
}

const REQUEST_SCHEMA = {
  description:
    'Says whether this runner (store, audit log, sandboxes), one part of it, or a listed host is well.',
  type: ['object', 'null'],
  additionalProperties: false,
  maxProperties: 1,
  properties: {
    url: {
      type: 'string',
      description: 'asked by GET, under the rules of tool::http_request; well when it answers 2xx',
    },
    service: { type: 'string', description: 'one part of the runner, such as store' },
  },
} as const;

const RESPONSE_SCHEMA = {
  type: 'object',
  required: ['status', 'checks'],
  properties: {
    status: { enum: ['healthy', 'degraded', 'critical'] },
    checks: { type: 'array', items: { type: 'object', required: ['name', 'status'] } },
  },
} as const;

const healthInput = schemaOf<HealthInput | null>(REQUEST_SCHEMA);
/** A host that has not answered by then is not well. */
const PATIENCE_MS = 10_000;

/** Provider of `tool::health_check`. */
export function openHealthFunctions(
  selfChecks: SelfChecks,
  { hosts, secret, digestOf, resolve = systemResolve }: HttpParts,
): FunctionProvider {
  const callOf = (url: string): HttpCall =>
    parseHttpCall({ url, method: 'GET', timeoutMs: PATIENCE_MS, maxBytes: 1024 }, hosts, secret);
  return {
    functionIds: ['tool::health_check'],
    idempotent: ['tool::health_check'],
    describe: () => 'Says whether this runner, one part of it, or a listed host is well.',
    schemas: () => ({ input: REQUEST_SCHEMA, output: RESPONSE_SCHEMA }),
    reach: (_, input) =>
      Promise.resolve().then(() => {
        const { url } = parse(input);
        return url === undefined
          ? { network: [], credentials: [], tools: [] }
          : reachOfCall(callOf(url), digestOf);
      }),
    async invoke({ input, idempotencyKey }, signal): Promise<Json> {
      const { url, service } = parse(input);
      const checks =
        url === undefined
          ? await own(selfChecks, service)
          : [await ask(callOf(url), (call) => exchange(call, idempotencyKey, { resolve, secret }, signal))];
      return { status: worst(checks), checks: checks.map((check) => ({ ...check })) };
    },
  };
}

function parse(input: Json): HealthInput {
  if (healthInput.accepts(input)) return isObject(input) ? input : {};
  throw new WritError('FUNCTION_REQUEST_INVALID', 'tool::health_check takes url or service, or neither', {
    hint: 'config: { url: https://… }, or { service: store }',
  });
}

async function own(selfChecks: SelfChecks, service: string | undefined): Promise<readonly HealthCheck[]> {
  const checks = await selfChecks();
  const asked = service === undefined ? checks : checks.filter(({ name }) => name === service);
  if (asked.length > 0) return asked;
  throw new WritError('FUNCTION_REQUEST_INVALID', 'tool::health_check: the runner has no such part', {
    hint: `parts: ${checks.map(({ name }) => name).join(', ')}`,
  });
}

async function ask(
  call: HttpCall,
  send: (call: HttpCall) => Promise<{ readonly status: number }>,
): Promise<HealthCheck> {
  const name = call.host.target.host;
  try {
    const { status } = await send(call);
    if (status >= 200 && status <= 299) return { name, status: 'healthy' };
    return { name, status: 'critical', message: `answered with status ${status}` };
  } catch (error) {
    if (!(error instanceof WritError) || error.kind !== 'failure') throw error;
    return { name, status: 'critical', message: error.message };
  }
}

function worst(checks: readonly HealthCheck[]): Health {
  if (checks.some(({ status }) => status === 'critical')) return 'critical';
  return checks.some(({ status }) => status === 'degraded') ? 'degraded' : 'healthy';
}
