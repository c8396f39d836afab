// The MCP servers of a project folder as an operator sees them: what a server offers now beside what is pinned, and
// writing new pins into mcp.yaml, its comments and everything else in it kept.
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMap, parseDocument } from 'yaml';
import { systemResolve } from './adapters/functions/egress.js';
import { parseMcpConfig, readMcpConfig, toolsFile } from './adapters/functions/mcp/mcp.js';
import { openMcpConnection } from './adapters/functions/mcp/connection.js';
import { describeTools, pinOf, readTools, type McpTool } from './adapters/functions/mcp/pin.js';
import { replaceFile } from './adapters/store/durable-file.js';
import { projectOf } from './agent-files.js';
import { digestOf } from './digest.js';
import { WritError } from './errors.js';
import { softwareVersion } from './init.js';
import { openSecrets } from './open.js';

export type { McpTool };

/** A tool as it is offered, and how that compares with its pin. */
export interface OfferedTool {
  readonly name: string;
  /** 64 hex digits; null for one that is gone. */
  readonly schemaSha256: string | null;
  readonly state: 'new' | 'same' | 'changed' | 'gone';
  /** As the server describes it now; null for one that is gone. */
  readonly tool: McpTool | null;
  /** What was pinned, as far as it is kept. */
  readonly before: McpTool | null;
}

export interface Offer {
  readonly tools: readonly OfferedTool[];
  /** Names of what the server offers besides, which no function can have. Attacker-controlled. */
  readonly leftOut: readonly string[];
}

export interface McpQuestion {
  readonly data: string;
  readonly policies: string;
  readonly server: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

const TIMEOUT_MS = 30_000;

/**
 * Connects to the server (a command runs), and asks what it offers. Throws NOT_FOUND for a server that mcp.yaml does
 * not name, CONFIG_INVALID, FUNCTION_UNAVAILABLE, FUNCTION_TEMPORARY.
 */
export async function offeredTools(question: McpQuestion): Promise<Offer> {
  const { data, policies, server: name, env, signal } = question;
  const folder = projectOf(policies);
  const file = join(folder, 'mcp.yaml');
  const servers = await readMcpConfig(file);
  const server = servers.get(name);
  if (server === undefined) {
    throw new WritError('NOT_FOUND', `${file} names no server "${name}"`, {
      hint:
        servers.size === 0
          ? 'name it there: servers: { NAME: { command: …, args: […] } }'
          : `servers: ${[...servers.keys()].join(', ')}`,
    });
  }
  const usesSecrets = JSON.stringify(server.at).includes('"secret":');
  const secrets = usesSecrets ? (await openSecrets(data)).current() : [];
  const connection = openMcpConnection(server, {
    ...{ env, digestOf, folder, resolve: systemResolve, version: await softwareVersion() },
    secret: (wanted) => secrets.find((one) => one.name === wanted)?.value ?? null,
  });
  try {
    const { tools, leftOut } = await connection.tools({ timeoutMs: TIMEOUT_MS, signal });
    const kept = await readTools(toolsFile(folder, name));
    const now = tools.map((tool): OfferedTool => {
      const pin = server.pins.get(tool.name);
      const schemaSha256 = pinOf(tool, digestOf);
      const state = pin === undefined ? 'new' : pin === schemaSha256 ? 'same' : 'changed';
      return { name: tool.name, schemaSha256, state, tool, before: kept.get(tool.name) ?? null };
    });
    const gone = [...server.pins.keys()].filter((pinned) => !tools.some((tool) => tool.name === pinned));
    const left = gone.map((pinned): OfferedTool => {
      return {
        name: pinned,
        schemaSha256: null,
        state: 'gone',
        tool: null,
        before: kept.get(pinned) ?? null,
      };
    });
    return { tools: [...now, ...left], leftOut };
  } finally {
    await connection.close();
  }
}

/**
 * Pins `offered` in mcp.yaml and keeps their descriptions; one that is gone loses its pin, tools that are not named stay
 * as they are. Each file is replaced whole, descriptions first: a crash in between leaves tools that are refused.
 */
export async function writePins(
  policies: string,
  server: string,
  offered: readonly OfferedTool[],
): Promise<void> {
  const folder = projectOf(policies);
  const file = join(folder, 'mcp.yaml');
  const kept = new Map(await readTools(toolsFile(folder, server)));
  const document = parseDocument(await readFile(file, 'utf8'));
  const at = ['servers', server, 'tools'];
  if (!isMap(document.getIn(at))) document.setIn(at, document.createNode({}));
  for (const { name, schemaSha256, tool } of offered) {
    if (schemaSha256 === null || tool === null) {
      kept.delete(name);
      document.deleteIn([...at, name]);
    } else {
      kept.set(name, tool);
      document.setIn([...at, name], document.createNode({ schemaSha256 }));
    }
  }
  const text = document.toString();
  // What is written is what is read: a file that would be refused is not left behind.
  parseMcpConfig(file, text);
  const described = toolsFile(folder, server);
  await mkdir(dirname(described), { recursive: true });
  const tools = [...kept.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  await replace(described, describeTools(tools));
  await replace(file, text);
}

/** Files of a project are read by the people who keep them. */
function replace(file: string, text: string): Promise<void> {
  return replaceFile(file, new TextEncoder().encode(text), { file: 0o644, directory: 0o755 });
}
