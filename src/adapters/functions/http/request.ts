// What `tool::http_request` is asked for: checked whole, and matched with what the operator has listed, before anything
// is sent. The request comes from a document or a model: attacker-controlled. No message holds more of it than its host.
import { WritError } from '../../../errors.js';
import type { Digest, Json } from '../../../json.js';
import type { FunctionReach } from '../../../runtime/ports.js';
import { schemaOf } from '../config-file.js';
import { returnsOf } from '../data-schema.js';
import { headerValues, secretNames, type SecretByName } from '../header-secret.js';
import { HTTP_METHODS, type HttpHost, type HttpHosts, type HttpMethod } from './config.js';

/** A body is read up to this by default, and never beyond the second. */
const DEFAULT_MAX_BYTES = 262_144;
const LARGEST_MAX_BYTES = 1_048_576;
const MAX_URL_LENGTH = 8_192;

interface HttpInput {
  readonly url: string;
  readonly method?: HttpMethod;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Json;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly failOn?: readonly FailingStatus[];
}

/** A status, or all that begin with its digit. */
export type FailingStatus = number | '4xx' | '5xx';

/** JSON Schema of the request. */
export const HTTP_REQUEST_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: {
      type: 'string',
      maxLength: MAX_URL_LENGTH,
      description: 'absolute, https unless the host is listed with http',
    },
    method: { enum: HTTP_METHODS, description: 'GET when there is no body, else POST' },
    headers: {
      type: 'object',
      maxProperties: 64,
      additionalProperties: { type: 'string', maxLength: 8_192 },
      description: 'no credentials: those are configured per host',
    },
    body: { description: 'text as it is; any other value is sent as JSON' },
    timeoutMs: { type: 'integer', minimum: 1, maximum: 86_400_000 },
    maxBytes: {
      type: 'integer',
      minimum: 1,
      maximum: LARGEST_MAX_BYTES,
      description: `the body is cut here; ${DEFAULT_MAX_BYTES} by default`,
    },
    failOn: {
      type: 'array',
      maxItems: 64,
      items: { anyOf: [{ type: 'integer', minimum: 100, maximum: 599 }, { enum: ['4xx', '5xx'] }] },
      description:
        'statuses (100 to 599), 4xx or 5xx that are no answer but a failure, which the step may retry or skip',
    },
  },
} as const;

const httpInput = schemaOf<HttpInput>(HTTP_REQUEST_SCHEMA);

/** SHA-256 of a value's canonical form (RFC 8785). */
export type DigestOf = (value: Json) => Digest;

/** A request that may be sent. */
export interface HttpCall {
  readonly host: HttpHost;
  readonly url: URL;
  readonly method: HttpMethod;
  /** Of the document; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly timeoutMs: number | null;
  readonly maxBytes: number;
  readonly failOn: readonly FailingStatus[];
}

/**
 * Throws FUNCTION_REQUEST_INVALID for a malformed request, FUNCTION_UNAVAILABLE when no host is configured at all or
 * a secret is missing, CONFIG_INVALID when http.yaml can't be used, POLICY_TOOL_DENIED when host or method are not
 * listed.
 */
export function parseHttpCall(
  input: Json,
  hosts: HttpHosts | WritError | null,
  secret: SecretByName,
): HttpCall {
  if (!httpInput.accepts(input)) {
    const field = httpInput.errors()[0]?.instancePath.split('/')[1];
    throw invalid(
      field === undefined ? 'the request is not {url, method, headers, body, …}' : `${field} can't be used`,
    );
  }
  const url = parseUrl(input.url);
  const host = listedHost(url, hosts);
  const { body, method = body === undefined ? 'GET' : 'POST', maxBytes = DEFAULT_MAX_BYTES } = input;
  if (!host.methods.includes(method)) {
    throw new WritError('POLICY_TOOL_DENIED', `http.yaml lists ${host.target.host} without ${method}`, {
      hint: `listed: ${host.methods.join(', ')}`,
    });
  }
  if (body !== undefined && (method === 'GET' || method === 'HEAD')) throw invalid(`${method} has no body`);
  const headers = ownHeaders(input.headers ?? {}, host);
  // A missing secret is found out now, before anybody approves; the value is read again when it is sent.
  headerValues(host.headers, secret);
  const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
  if (text !== null && typeof body !== 'string') headers['content-type'] ??= 'application/json';
  const { timeoutMs = null, failOn = [] } = input;
  return { host, url, method, headers, body: text, timeoutMs, maxBytes, failOn };
}

/** What the call uses: the one host, the names of the secrets it is sent with, and what the operator has listed. */
export function reachOfCall({ host }: Pick<HttpCall, 'host'>, digestOf: DigestOf): FunctionReach {
  const { target, methods, headers, data } = host;
  const listed = { origin: target.origin, private: target.isPrivate, methods, headers };
  return {
    network: [target.host],
    credentials: secretNames(headers),
    tools: [],
    definition: digestOf(['writ.http.v1', listed]),
    ...returnsOf(data),
  };
}

function parseUrl(text: string): URL {
  // The URL parser would drop tabs and line ends without a word.
  if (/[\s\p{Cc}]/u.test(text) || !URL.canParse(text)) throw invalid('url is no URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw invalid('url is neither https nor http');
  if (url.username !== '' || url.password !== '') throw invalid('url holds a user name or password');
  url.hash = '';
  return url;
}

function listedHost(url: URL, hosts: HttpHosts | WritError | null): HttpHost {
  if (hosts === null) {
    throw new WritError('FUNCTION_UNAVAILABLE', 'no host is configured that may be talked to', {
      hint: 'list it in http.yaml beside the policies folder',
    });
  }
  if (hosts instanceof WritError) throw hosts;
  const host = hosts.get(url.origin);
  if (host !== undefined) return host;
  throw new WritError('POLICY_TOOL_DENIED', `http.yaml does not list ${url.origin}`, {
    hint: 'the operator lists hosts one by one, with their port, and with http: true where it is not https',
  });
}

// Set by the connection itself; or a way to reach another host, another method, or to send a credential that
// approvers and the store would see.
const REFUSED_HEADERS =
  /^(?:host|content-length|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept-encoding|authorization|cookie|http2-settings|x-http-method|x-http-method-override|x-method-override|proxy-.*|:.*)$/u;

function ownHeaders(headers: Readonly<Record<string, string>>, host: HttpHost): Record<string, string> {
  const own: Record<string, string> = {};
  for (const [spelled, value] of Object.entries(headers)) {
    const name = spelled.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/u.test(name)) throw invalid('the name of a header is no token');
    if (REFUSED_HEADERS.test(name)) {
      throw invalid(
        `the header ${name} is not a document's to set`,
        'credentials are configured in http.yaml',
      );
    }
    if (Object.hasOwn(host.headers, name)) throw invalid(`the header ${name} is set in http.yaml`);
    if (Object.hasOwn(own, name)) throw invalid(`the header ${name} is there twice`);
    // Line ends would begin another header, or another request.
    if (!/^[\t\x20-\x7e\u0080-\u00ff]*$/u.test(value)) {
      throw invalid(`the header ${name} has a value that no header can have`);
    }
    own[name] = value;
  }
  return own;
}

function invalid(problem: string, hint = 'config: { url: https://…, method, headers, body }'): WritError {
  return new WritError('FUNCTION_REQUEST_INVALID', `tool::http_request: ${problem}`, { hint });
}
