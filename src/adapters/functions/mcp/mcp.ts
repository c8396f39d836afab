// `mcp::<server>::<tool>`: the pinned tools of the servers in mcp.yaml. Nothing is started or connected to before the
// first call; what policy, approvers and models are told of a tool is what was pinned.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { join } from 'node:path';
import { WritError } from '../../../errors.js';
import { isObject, type Json, type JsonObject } from '../../../json.js';
import type { FunctionProvider, FunctionReach } from '../../../runtime/ports.js';
import { returnsOf } from '../data-schema.js';
import { headerValues, secretNames } from '../header-secret.js';
import type { McpProcess, McpServerConfig } from './config.js';
import { openMcpConnection, type McpConnection, type McpParts, type McpResult } from './connection.js';
import { pinOf, readTools, type McpTool } from './pin.js';
import { variables } from './transport.js';

export { parseMcpConfig, passedVariables, readMcpConfig } from './config.js';

/** Where the descriptions of a server's pinned tools are kept, beside mcp.yaml. */
export function toolsFile(folder: string, server: string): string {
  return join(folder, 'mcp', `${server}.json`);
}

interface PinnedTool {
  readonly server: McpServerConfig;
  readonly connection: McpConnection;
  readonly name: string;
  readonly pin: string;
  /** null = no description is kept; `mismatch` = the one that is kept is not the pinned one. */
  readonly described: McpTool | 'mismatch' | null;
  /** Made when they are first needed: many tools are never called. */
  readonly checks: () => ToolChecks;
}

interface ToolChecks {
  /** The same object each time: the guard compiles it once. */
  readonly input: Json;
  readonly output: ValidateFunction | null;
}

/** Provider of every pinned tool; `close` ends the servers. Throws CONFIG_INVALID for a file of descriptions. */
export async function openMcpFunctions(
  servers: ReadonlyMap<string, McpServerConfig>,
  parts: McpParts,
): Promise<FunctionProvider & { close(): Promise<void> }> {
  const pinned = await pinnedTools(servers, parts);
  const find = (functionId: string): PinnedTool => {
    const tool = pinned.get(functionId);
    if (tool !== undefined) return tool;
    throw new WritError('FUNCTION_NOT_FOUND', `${functionId} is not pinned in mcp.yaml`);
  };
  return {
    functionIds: [...pinned.keys()],
    describe: (functionId) => descriptionOf(find(functionId))?.description ?? null,
    schemas: (functionId) => ({
      input: find(functionId).checks().input,
      output: RESPONSE_SCHEMA,
    }),
    async reach(functionId, input) {
      const tool = find(functionId);
      if (tool.described === 'mismatch') {
        throw new WritError('INTEGRITY_DIGEST', `what is kept of ${functionId} is not what was pinned`, {
          hint: `see what the server offers: writ mcp pin ${tool.server.name}`,
        });
      }
      argumentsOf(functionId, input);
      return reachOf(tool, parts);
    },
    async invoke({ functionId, input, timeoutMs }, signal): Promise<Json> {
      const tool = find(functionId);
      const result = await tool.connection.call(tool.name, tool.pin, argumentsOf(functionId, input), {
        timeoutMs,
        signal,
      });
      return outputOf(functionId, result, tool.checks().output);
    },
    async close() {
      // One that can't be closed in good order must not keep the others open, or the store.
      const connections = new Set([...pinned.values()].map(({ connection }) => connection));
      await Promise.allSettled([...connections].map((connection) => connection.close()));
    },
  };
}

/** By function id. */
async function pinnedTools(
  servers: ReadonlyMap<string, McpServerConfig>,
  parts: McpParts,
): Promise<ReadonlyMap<string, PinnedTool>> {
  const pinned = new Map<string, PinnedTool>();
  for (const server of servers.values()) {
    if (server.pins.size === 0) continue;
    const connection = openMcpConnection(server, parts);
    const kept = await readTools(toolsFile(parts.folder, server.name));
    for (const [name, pin] of server.pins) {
      const tool = kept.get(name) ?? null;
      const described = tool === null || pinOf(tool, parts.digestOf) === pin ? tool : 'mismatch';
      let made: ToolChecks | null = null;
      const checks = (): ToolChecks => (made ??= checksOf(described === 'mismatch' ? null : described));
      pinned.set(`mcp::${server.name}::${name}`, { server, connection, name, pin, described, checks });
    }
  }
  return pinned;
}

/** What is missing is found out here, before anybody approves. */
function reachOf({ server, name, pin }: PinnedTool, parts: McpParts): FunctionReach {
  const { at } = server;
  const definition = parts.digestOf(['writ.mcp.v1', placeOf(server), name, pin]);
  const told = { tools: [], definition, ...returnsOf(server.data) };
  if (at.kind === 'url') {
    headerValues(at.headers, parts.secret);
    return { network: [at.target.host], credentials: secretNames(at.headers), ...told };
  }
  variables(at, parts);
  return { network: [], credentials: secretsOf(at.env), ...told };
}

function descriptionOf({ described }: PinnedTool): McpTool | null {
  return described === 'mismatch' ? null : described;
}

/** What decides who is called: a change of it is another act than the one that was approved. */
function placeOf({ name, at }: McpServerConfig): Json {
  if (at.kind === 'process') return { name, command: at.command, args: at.args, env: at.env, cwd: at.cwd };
  return { name, url: at.url, private: at.target.isPrivate, headers: at.headers };
}

function secretsOf(env: McpProcess['env']): readonly string[] {
  const names = Object.values(env).flatMap((source) =>
    typeof source === 'string' ? [] : ['secret' in source ? source.secret : source.env],
  );
  return [...new Set(names)].sort();
}

function argumentsOf(functionId: string, input: Json): JsonObject {
  if (input === null) return {};
  if (isObject(input)) return input;
  throw new WritError('FUNCTION_REQUEST_INVALID', `${functionId} takes an object`, {
    hint: "config holds the tool's arguments",
  });
}

const RESPONSE_SCHEMA = {
  type: 'object',
  required: ['content', 'structuredContent', 'parts'],
  properties: {
    content: { type: 'string' },
    structuredContent: { type: ['object', 'null'] },
    parts: { type: 'array', items: { type: 'object' } },
  },
} as const;

/** Throws FUNCTION_FAILED for an error of the tool, STEP_OUTPUT_INVALID when it breaks its own pinned schema. */
function outputOf(functionId: string, result: McpResult, fits: ValidateFunction | null): Json {
  const texts = result.content.flatMap(({ type, text }) =>
    type === 'text' && typeof text === 'string' ? [text] : [],
  );
  const content = texts.join('\n');
  if (result.isError) {
    // The tool's own words: data of the run, as its output would be.
    throw new WritError(
      'FUNCTION_FAILED',
      content === '' ? 'the tool failed without a word' : content.slice(0, 2_000),
    );
  }
  const { structuredContent } = result;
  if (fits !== null && !fits(structuredContent)) {
    const [error] = fits.errors ?? [];
    const place = error === undefined ? '' : ` (${error.instancePath || 'it'} ${error.message ?? ''})`;
    throw new WritError('STEP_OUTPUT_INVALID', `the output of ${functionId} does not fit its schema${place}`);
  }
  const parts = result.content.filter(({ type }) => type !== 'text');
  return { content, structuredContent, parts: parts.map(({ _meta, annotations, ...part }) => part) };
}

/** The input schema without its dialect, and null where it is in another than 2020-12: the tool checks itself then. */
function checksOf(tool: McpTool | null): ToolChecks {
  if (tool === null) return { input: null, output: null };
  const { inputSchema, outputSchema } = tool;
  const { $schema, ...input } = inputSchema;
  return {
    input: compiled(input) === null ? null : input,
    output: outputSchema === undefined ? null : compiled(outputSchema),
  };
}

/** null where it can't be compiled; the tool checks its own input then. */
function compiled({ $schema, ...schema }: JsonObject): ValidateFunction | null {
  const ajv = new Ajv2020({ strict: false, logger: false });
  formats.default(ajv);
  try {
    return ajv.compile(schema);
  } catch {
    // Another draft, a reference to elsewhere: nothing of it is fetched.
    return null;
  }
}
