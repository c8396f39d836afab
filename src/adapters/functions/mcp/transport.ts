// How one MCP server is reached: as a process that is started here, with the variables its configuration names and no
// others, or over HTTP at an address that may be reached.
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { Pool } from 'undici';
import { WritError } from '../../../errors.js';
import { causeCode, openEgress, type Resolve } from '../egress.js';
import { headerValues, type SecretByName } from '../header-secret.js';
import type { McpProcess, McpServerConfig, VariableSource } from './config.js';

export interface TransportParts {
  readonly secret: SecretByName;
  readonly resolve: Resolve;
  /** The runner's environment: PATH, and what a configuration names. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where servers are started that name no folder: that of mcp.yaml. */
  readonly folder: string;
}

/** Characters of a server's own words in an error. */
export const MAX_WORDS = 2_000;

interface OpenTransport {
  readonly transport: Parameters<Client['connect']>[0];
  /** Ends process or connections. */
  readonly end: () => Promise<void>;
  /** Why it could not be connected to; `seen` is the last that went wrong before. */
  readonly problem: (error: unknown, seen: string | null) => WritError;
}

/** Throws FUNCTION_UNAVAILABLE for a variable or a secret that is not there. */
export async function openTransport(
  { name, at }: McpServerConfig,
  parts: TransportParts,
  broken: (error: unknown) => void,
): Promise<OpenTransport> {
  if (at.kind === 'process') {
    const { ProcessTransport } = await import('./process.js');
    const { command, args } = at;
    const env = variables(at, parts);
    const transport = new ProcessTransport({ command, args, env, cwd: at.cwd ?? parts.folder });
    return {
      transport,
      end: () => transport.close(),
      problem: (error) => {
        const said = transport.stderr === '' ? '' : `: ${transport.stderr}`;
        return new WritError('FUNCTION_UNAVAILABLE', `the MCP server ${name} did not start${said}`, {
          hint: `see that its command in mcp.yaml runs (${causeCode(error)})`,
          cause: error,
        });
      },
    };
  }
  const never = new AbortController().signal;
  const pool: Pool = await openEgress(at.target, parts.resolve, never);
  const { openHttpTransport } = await import('./http.js');
  // A transport of the SDK's own: its optional fields are not ours to spell.
  const transport = (await openHttpTransport(
    { name, url: at.url },
    headerValues(at.headers, parts.secret),
    pool,
    broken,
  )) as OpenTransport['transport'];
  return {
    transport,
    end: () => pool.destroy(),
    problem: (error, seen) => {
      // It is there, and has asked to be left alone for a while.
      if (error instanceof WritError) return error;
      const code = causeCode(error);
      // The network has a code for what went wrong. Without one somebody answered, and the words are theirs.
      const said = code === 'no code' && seen !== null ? `: ${seen.slice(0, MAX_WORDS)}` : ` (${code})`;
      return new WritError(
        'FUNCTION_TEMPORARY',
        `the MCP server ${name} can't be reached at ${at.target.host}${said}`,
        { hint: 'see that it speaks streamable HTTP at the url in mcp.yaml', cause: error },
      );
    },
  };
}

/** Everything the process will see of variables. Throws FUNCTION_UNAVAILABLE for one that is not there. */
export function variables(
  at: McpProcess,
  { env, secret }: Pick<TransportParts, 'env' | 'secret'>,
): Record<string, string> {
  const own = Object.entries(at.env).map(([name, source]) => [name, variable(source, env, secret)] as const);
  return { PATH: env['PATH'] ?? '', ...Object.fromEntries(own) };
}

function variable(source: VariableSource, env: TransportParts['env'], secret: SecretByName): string {
  if (typeof source === 'string') return source;
  if ('secret' in source) return secretVariable(source.secret, secret);
  const value = env[source.env];
  if (value !== undefined) return value;
  throw new WritError('FUNCTION_UNAVAILABLE', `the environment variable ${source.env} is not set`, {
    hint: 'mcp.yaml passes it to a server',
  });
}

function secretVariable(name: string, secret: SecretByName): string {
  const value = secret(name);
  const text = value === null ? null : Buffer.from(value).toString();
  // A variable ends at NUL; bytes that are no text would arrive as others than those that are recognised.
  if (text !== null && !text.includes('\0') && Buffer.from(text).equals(Buffer.from(value ?? [])))
    return text;
  const problem = text === null ? 'is not known here' : 'is no text that a variable can hold';
  throw new WritError('FUNCTION_UNAVAILABLE', `the secret ${name} ${problem}`, {
    hint: `writ secrets set ${name}`,
  });
}
