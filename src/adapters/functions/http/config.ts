// `http.yaml` of the project folder: the hosts that functions may talk to, by which methods, and with which secrets.
// What is not listed is refused. A name is listed as it is spelled in a URL: no patterns, one entry per port.
import { WritError } from '../../../errors.js';
import { readConfig, schemaOf } from '../config-file.js';
import { DATA_SCHEMA, type WrittenData } from '../data-schema.js';
import { targetOf, type Target } from '../egress.js';
import { HEADERS_SCHEMA, type HeaderSource } from '../header-secret.js';

export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** A host that may be talked to. */
export interface HttpHost {
  readonly target: Target;
  readonly methods: readonly HttpMethod[];
  /** Sent with every request; a document can't set or change these. Names in lower case. */
  readonly headers: Readonly<Record<string, HeaderSource>>;
  /** What its answers carry; absent = nothing more than was sent. */
  readonly data?: WrittenData;
}

const DEFAULT_METHODS: readonly HttpMethod[] = ['GET', 'HEAD'];

/** Listed hosts by origin, as the URL parser writes it. */
export type HttpHosts = ReadonlyMap<string, HttpHost>;

interface HttpFile {
  readonly hosts: Readonly<
    Record<
      string,
      {
        readonly methods?: readonly HttpMethod[];
        readonly http?: boolean;
        readonly private?: boolean;
        readonly headers?: Readonly<Record<string, HeaderSource>>;
        readonly data?: WrittenData;
      }
    >
  >;
}

const fits = schemaOf<HttpFile>({
  type: 'object',
  additionalProperties: false,
  required: ['hosts'],
  properties: {
    hosts: {
      type: 'object',
      maxProperties: 1000,
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: {
          methods: { type: 'array', items: { enum: HTTP_METHODS }, minItems: 1, uniqueItems: true },
          http: { type: 'boolean' },
          private: { type: 'boolean' },
          headers: HEADERS_SCHEMA,
          data: DATA_SCHEMA,
        },
      },
    },
  },
});

/** What `file` lists; null when there is no such file, an error for one that can't be used. */
export async function readHttpConfig(file: string): Promise<HttpHosts | WritError | null> {
  try {
    const config = await readConfig(file, fits);
    return config === null ? null : hostsOf(file, config);
  } catch (error) {
    // It stands in the way of nobody but the calls that need it.
    if (error instanceof WritError && error.code === 'CONFIG_INVALID') return error;
    throw error;
  }
}

function hostsOf(file: string, { hosts }: HttpFile): HttpHosts {
  const listed = new Map<string, HttpHost>();
  for (const [name, { methods = DEFAULT_METHODS, http = false, headers = {}, ...host }] of Object.entries(
    hosts,
  )) {
    const origin = originOf(name, http);
    if (origin === null) {
      throw new WritError('CONFIG_INVALID', `${file}: "${name}" is not a host as a URL spells it`, {
        hint: 'write name or name:port, in lower case, without a trailing dot; names with other letters as xn--…',
      });
    }
    if (listed.has(origin.origin)) {
      throw new WritError('CONFIG_INVALID', `${file}: ${origin.origin} is listed twice`, {
        hint: 'write it once',
      });
    }
    const { data } = host;
    const target = targetOf(origin, host.private ?? false);
    listed.set(origin.origin, { target, methods, headers, ...(data === undefined ? {} : { data }) });
  }
  return listed;
}

/** A host as policies name it too; a URL parser takes more, `*` among it. */
const HOST = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])$/u;

/** The URL of a listed `name` or `name:port`; null when a URL parser would spell it in another way. */
function originOf(name: string, http: boolean): URL | null {
  const scheme = http ? 'http:' : 'https:';
  if (!URL.canParse(`${scheme}//${name}`)) return null;
  const url = new URL(`${scheme}//${name}`);
  // The scheme's own port is not part of a spelling; writing it out is no other host.
  const own = `${url.hostname}:${http ? 80 : 443}`;
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || !HOST.test(url.hostname)) return null;
  return name === url.host || name === own ? url : null;
}
