// `tool::http_request`: one request to a host that the operator has listed (http.yaml), and nothing else.
import type { WritError } from '../../../errors.js';
import type { Json } from '../../../json.js';
import type { FunctionProvider } from '../../../runtime/ports.js';
import { systemResolve, type Resolve } from '../egress.js';
import type { SecretByName } from '../header-secret.js';
import type { HttpHosts } from './config.js';
import { exchange } from './exchange.js';
import { HTTP_REQUEST_SCHEMA, parseHttpCall, reachOfCall, type DigestOf } from './request.js';

export { readHttpConfig } from './config.js';

export interface HttpParts {
  /** null = nothing is configured: every call is FUNCTION_UNAVAILABLE. An error is what every call gets. */
  readonly hosts: HttpHosts | WritError | null;
  readonly secret: SecretByName;
  readonly digestOf: DigestOf;
  /** Default: the operating system's. */
  readonly resolve?: Resolve;
}

const RESPONSE_SCHEMA = {
  type: 'object',
  required: ['status', 'headers', 'body', 'json', 'truncated'],
  properties: {
    status: { type: 'integer' },
    headers: { type: 'object', additionalProperties: { type: 'string' } },
    body: { type: 'string' },
    json: {},
    truncated: { type: 'boolean' },
  },
} as const;

/** Provider of `tool::http_request`. Starts nothing and keeps nothing open between calls. */
export function openHttpFunctions({
  hosts,
  secret,
  digestOf,
  resolve = systemResolve,
}: HttpParts): FunctionProvider {
  return {
    functionIds: ['tool::http_request'],
    describe: () => 'Sends one HTTP request to a host that the operator has listed, and gives the response.',
    schemas: () => ({ input: HTTP_REQUEST_SCHEMA, output: RESPONSE_SCHEMA }),
    reach: (_, input) =>
      Promise.resolve().then(() => reachOfCall(parseHttpCall(input, hosts, secret), digestOf)),
    async invoke({ input, idempotencyKey }, signal): Promise<Json> {
      const call = parseHttpCall(input, hosts, secret);
      return { ...(await exchange(call, idempotencyKey, { resolve, secret }, signal)) };
    },
  };
}
