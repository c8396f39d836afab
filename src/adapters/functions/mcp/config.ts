// `mcp.yaml` of the project folder: the MCP servers that functions `mcp::<server>::<tool>` call, and of each tool the
// hash of what it said of itself when the operator pinned it. A tool that is not pinned is no function here. A server
// with a command runs as a process on this host, outside every sandbox, because the operator says so in this file.
import { WritError } from '../../../errors.js';
import { parseConfig, readConfigText, schemaOf } from '../config-file.js';
import { DATA_SCHEMA, type WrittenData } from '../data-schema.js';
import { targetOf, type Target } from '../egress.js';
import { HEADERS_SCHEMA, type HeaderSource } from '../header-secret.js';

/**
 * The value of an environment variable: text, a secret by name, or the runner's own variable of that name, which counts
 * as a secret too.
 */
export type VariableSource = string | { readonly secret: string } | { readonly env: string };

/** A server that is started here and spoken to over its standard streams. */
export interface McpProcess {
  readonly kind: 'process';
  readonly command: string;
  readonly args: readonly string[];
  /** All it gets, beside PATH. */
  readonly env: Readonly<Record<string, VariableSource>>;
  /** Working directory; null = the folder of mcp.yaml. */
  readonly cwd: string | null;
}

/** A server that is spoken to over streamable HTTP. */
export interface McpUrl {
  readonly kind: 'url';
  readonly url: string;
  readonly target: Target;
  readonly headers: Readonly<Record<string, HeaderSource>>;
}

export interface McpServerConfig {
  readonly name: string;
  readonly at: McpProcess | McpUrl;
  /** tool -> SHA-256, 64 lower-case hex digits (pin.ts). */
  readonly pins: ReadonlyMap<string, string>;
  /** What its answers carry; absent = nothing more than was sent. */
  readonly data?: WrittenData;
}

interface McpFile {
  readonly servers: Readonly<
    Record<
      string,
      {
        readonly command?: string;
        readonly args?: readonly string[];
        readonly env?: Readonly<Record<string, VariableSource>>;
        readonly cwd?: string;
        readonly url?: string;
        readonly http?: boolean;
        readonly private?: boolean;
        readonly headers?: Readonly<Record<string, HeaderSource>>;
        readonly tools?: Readonly<Record<string, { readonly schemaSha256: string }>>;
        readonly data?: WrittenData;
      }
    >
  >;
}

/** What a server and a tool may be called: what a function id can hold. */
export const MCP_NAME = /^[A-Za-z0-9_.-]{1,128}$/u;

const SECRET = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' } as const;
const VARIABLE = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' } as const;
const TEXT = { type: 'string', maxLength: 8192, pattern: '^[^\\u0000]*$' } as const;
const tools = {
  type: 'object',
  maxProperties: 500,
  propertyNames: { pattern: MCP_NAME.source },
  additionalProperties: {
    type: 'object',
    additionalProperties: false,
    required: ['schemaSha256'],
    properties: { schemaSha256: { type: 'string', pattern: '^[0-9a-f]{64}$' } },
  },
} as const;

const fits = schemaOf<McpFile>({
  type: 'object',
  additionalProperties: false,
  required: ['servers'],
  properties: {
    servers: {
      type: 'object',
      maxProperties: 100,
      propertyNames: { pattern: MCP_NAME.source },
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: {
          command: { ...TEXT, minLength: 1 },
          args: { type: 'array', maxItems: 100, items: TEXT },
          env: {
            type: 'object',
            maxProperties: 100,
            propertyNames: { pattern: VARIABLE.pattern },
            additionalProperties: {
              anyOf: [
                TEXT,
                {
                  type: 'object',
                  additionalProperties: false,
                  required: ['secret'],
                  properties: { secret: SECRET },
                },
                {
                  type: 'object',
                  additionalProperties: false,
                  required: ['env'],
                  properties: { env: VARIABLE },
                },
              ],
            },
          },
          cwd: { ...TEXT, minLength: 1 },
          url: { type: 'string', maxLength: 2048 },
          http: { type: 'boolean' },
          private: { type: 'boolean' },
          headers: HEADERS_SCHEMA,
          data: DATA_SCHEMA,
          tools,
        },
      },
    },
  },
});

/** The servers of `file` by name; none when there is no such file. Throws CONFIG_INVALID. */
export async function readMcpConfig(file: string): Promise<ReadonlyMap<string, McpServerConfig>> {
  const text = await readConfigText(file);
  return text === null ? new Map<string, McpServerConfig>() : parseMcpConfig(file, text);
}

/** Variables of the runner's environment that servers are given. */
export function passedVariables(servers: ReadonlyMap<string, McpServerConfig>): readonly string[] {
  return [...servers.values()].flatMap(({ at }) =>
    at.kind === 'url'
      ? []
      : Object.values(at.env).flatMap((source) =>
          typeof source === 'object' && 'env' in source ? [source.env] : [],
        ),
  );
}

/** As `readMcpConfig`, of a text. */
export function parseMcpConfig(file: string, text: string): ReadonlyMap<string, McpServerConfig> {
  const { servers } = parseConfig(file, text, fits);
  return new Map(
    Object.entries(servers).map(([name, server]) => {
      const pins = Object.entries(server.tools ?? {}).map(([tool, pin]) => [tool, pin.schemaSha256] as const);
      const data = server.data === undefined ? {} : { data: server.data };
      return [name, { name, at: whereOf(file, name, server), pins: new Map(pins), ...data }];
    }),
  );
}

function whereOf(file: string, name: string, server: McpFile['servers'][string]): McpProcess | McpUrl {
  const { command, args = [], env = {}, cwd = null, url, http = false, headers = {} } = server;
  const refuse = (problem: string, hint: string): WritError =>
    new WritError('CONFIG_INVALID', `${file}: servers.${name} ${problem}`, { hint });
  const has = (...fields: (keyof typeof server)[]): boolean =>
    fields.some((field) => server[field] !== undefined);
  if (command !== undefined) {
    if (has('url', 'http', 'private', 'headers')) {
      throw refuse('has a command and a url, or fields of both', 'a server is started here, or is elsewhere');
    }
    return { kind: 'process', command, args, env, cwd };
  }
  if (url === undefined) throw refuse('has neither command nor url', 'say how it is reached');
  if (has('args', 'env', 'cwd')) throw refuse('has fields of a command beside url', 'take them out');
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const isWanted = parsed?.protocol === 'https:' || (http && parsed?.protocol === 'http:');
  if (
    parsed === null ||
    !isWanted ||
    parsed.username !== '' ||
    parsed.password !== '' ||
    parsed.hash !== ''
  ) {
    throw refuse(
      'has a url that is no https URL',
      'http is used where http: true says so; no user, password or fragment',
    );
  }
  return { kind: 'url', url: parsed.href, target: targetOf(parsed, server.private ?? false), headers };
}
