// One MCP server: connected when it is first needed, one connection at a time, opened anew by the next call after it
// was lost. What its tools say of themselves is asked before every call and compared with what was pinned: a tool that
// has changed is not called.
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js';
import { WritError } from '../../../errors.js';
import { isObject, type Json, type JsonObject } from '../../../json.js';
import { causeCode } from '../egress.js';
import type { DigestOf } from '../http/request.js';
import type { McpServerConfig } from './config.js';
import { pinOf, toolOf, type McpTool } from './pin.js';
import { MAX_WORDS, openTransport, type TransportParts } from './transport.js';

export interface McpParts extends TransportParts {
  readonly digestOf: DigestOf;
  /** Told to servers. */
  readonly version: string;
}

export interface McpConnection {
  /**
   * What the tool answers. Throws INTEGRITY_DIGEST when it is not what was pinned, FUNCTION_UNAVAILABLE when the server
   * can't be started, FUNCTION_TEMPORARY when it can't be reached, FUNCTION_FAILED when it ends or errs.
   */
  call(tool: string, pin: string, input: JsonObject, limits: CallLimits): Promise<McpResult>;
  /** Everything the server offers, as it says now. */
  tools(limits: CallLimits): Promise<OfferedList>;
  /** Resolves when the server's process, if it is one of ours, has ended. */
  close(): Promise<void>;
}

export interface OfferedList {
  readonly tools: readonly McpTool[];
  /** Names of what can't be pinned, and so can't be called; attacker-controlled. */
  readonly leftOut: readonly string[];
}

export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface McpResult {
  readonly isError: boolean;
  readonly content: readonly JsonObject[];
  readonly structuredContent: JsonObject | null;
}

interface Open {
  readonly client: Client;
  /** Calls under way. */
  users: number;
  /** Closed by its last user; nobody else gets it. */
  isBroken: boolean;
  /** Why the connection ended, as far as it is known, where `code` says that it did. */
  lastProblem(code: number): string | null;
  close(): Promise<void>;
}

const MAX_PAGES = 50;
const MAX_TOOLS = 500;
const CONNECT_MS = 30_000;
/** Of the name of a tool that can't be called. */
const MAX_NAME = 200;

/** Connects to nothing yet. */
export function openMcpConnection(server: McpServerConfig, parts: McpParts): McpConnection {
  let current: Promise<Open> | null = null;
  const stop = new AbortController();

  /** The one connection, which is everybody's: who stops waiting for it leaves it to the others. */
  const connected = (): Promise<Open> => {
    if (current !== null) return current;
    const opening: Promise<Open> = connect(server, parts, stop.signal, () => {
      forget(opening);
    });
    current = opening;
    opening.catch(() => {
      forget(opening);
    });
    return opening;
  };
  const forget = (one: Promise<Open>): void => {
    if (current === one) current = null;
  };

  const retire = (open: Open, opening: Promise<Open>): void => {
    open.isBroken = true;
    forget(opening);
  };

  const asked = async <T>(signal: AbortSignal, ask: (client: Client) => Promise<T>): Promise<T> => {
    const opening = connected();
    const open = await opening;
    if (signal.aborted) throw new WritError('FUNCTION_FAILED', `stopped while ${server.name} was started`);
    open.users++;
    try {
      return await ask(open.client);
    } catch (error) {
      if (error instanceof WritError) throw error;
      const { ErrorCode, McpError } = await import('@modelcontextprotocol/sdk/types.js');
      if (error instanceof McpError) {
        // The SDK stops waiting, and leaves the answer that is not coming its socket: the others get fresh ones.
        if (error.code === Number(ErrorCode.RequestTimeout) && server.at.kind === 'url')
          retire(open, opening);
        const said = (open.lastProblem(error.code) ?? error.message).slice(0, MAX_WORDS);
        throw new WritError('FUNCTION_FAILED', `the MCP server ${server.name}: ${said}`);
      }
      // The way to it is broken, or its session is gone: the next call opens another.
      retire(open, opening);
      throw new WritError(
        'FUNCTION_TEMPORARY',
        `the MCP server ${server.name} gave no answer (${causeCode(error)})`,
      );
    } finally {
      open.users--;
      if (open.isBroken && open.users === 0) await open.close();
    }
  };

  return {
    call: (tool, pin, input, limits) =>
      asked(limits.signal, async (client) => {
        const { tools } = await listTools(client, limits);
        requirePinned(server.name, tool, pin, { tools, digestOf: parts.digestOf });
        return callTool(client, tool, input, limits);
      }),
    tools: (limits) => asked(limits.signal, (client) => listTools(client, limits)),
    async close() {
      const open = current;
      current = null;
      stop.abort();
      // One that could not be opened has nothing to close.
      await (await open?.catch(() => null))?.close();
    },
  };
}

/** The server offers the tool, and says of it what was pinned. Throws INTEGRITY_DIGEST. */
function requirePinned(
  server: string,
  tool: string,
  pin: string,
  { tools, digestOf }: Pick<OfferedList, 'tools'> & Pick<McpParts, 'digestOf'>,
): void {
  const offered = tools.find(({ name }) => name === tool);
  if (offered === undefined) {
    throw new WritError('INTEGRITY_DIGEST', `the MCP server ${server} no longer offers ${tool}`, {
      hint: `see what it offers: writ mcp pin ${server}`,
    });
  }
  if (pinOf(offered, digestOf) === pin) return;
  throw new WritError('INTEGRITY_DIGEST', `${tool} of the MCP server ${server} is not what was pinned`, {
    hint: `see what changed: writ mcp pin ${server}; it was not called`,
  });
}

async function connect(
  server: McpServerConfig,
  parts: McpParts,
  stop: AbortSignal,
  lost: () => void,
): Promise<Open> {
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
  const client = new Client({ name: 'writ', version: parts.version }, { capabilities: {} });
  const { transport, end, problem } = await openTransport(server, parts, (error) => {
    client.onerror?.(error instanceof Error ? error : new Error(String(error)));
    // Rejects whatever waits for an answer.
    void client.close();
  });
  let problemSeen: string | null = null;
  client.onerror = (error) => {
    problemSeen = error.message;
  };
  try {
    const signal = AbortSignal.any([stop]);
    await client.connect(transport, { timeout: CONNECT_MS, maxTotalTimeout: CONNECT_MS, signal });
  } catch (error) {
    await end();
    throw problem(error, problemSeen);
  }
  client.onclose = () => {
    lost();
    void end();
  };
  const { ErrorCode } = await import('@modelcontextprotocol/sdk/types.js');
  return {
    client,
    lastProblem: (code) => (code === Number(ErrorCode.ConnectionClosed) ? problemSeen : null),
    users: 0,
    isBroken: false,
    async close() {
      await client.close();
      await end();
    },
  };
}

/** attacker-controlled: bounded in pages and tools; what is no tool that can be pinned is left out. */
async function listTools(client: Client, limits: CallLimits): Promise<OfferedList> {
  const { ResultSchema } = await import('@modelcontextprotocol/sdk/types.js');
  const tools: McpTool[] = [];
  const leftOut: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const params = cursor === undefined ? {} : { cursor };
    // Taken as it is: the SDK's own schema of a tool would drop fields, and the hash is over what the server said.
    const result: Readonly<Record<string, unknown>> = await client.request(
      { method: 'tools/list', params },
      ResultSchema,
      requestOptions(limits),
    );
    const listed = Array.isArray(result['tools']) ? (result['tools'] as readonly Json[]) : [];
    for (const one of listed) {
      const tool = toolOf(one);
      if (tool !== null) tools.push(tool);
      else leftOut.push(nameOf(one).slice(0, MAX_NAME));
    }
    if (tools.length + leftOut.length > MAX_TOOLS) throw new Error(`it offers more than ${MAX_TOOLS} tools`);
    const next = result['nextCursor'];
    if (typeof next !== 'string') return { tools, leftOut };
    cursor = next;
  }
  throw new Error(`its list of tools has more than ${MAX_PAGES} pages`);
}

function nameOf(listed: Json): string {
  const name = isObject(listed) ? listed['name'] : null;
  return typeof name === 'string' ? name : '(no name)';
}

async function callTool(
  client: Client,
  tool: string,
  input: JsonObject,
  limits: CallLimits,
): Promise<McpResult> {
  const { CallToolResultSchema } = await import('@modelcontextprotocol/sdk/types.js');
  const result = await client.request(
    { method: 'tools/call', params: { name: tool, arguments: { ...input } } },
    CallToolResultSchema,
    requestOptions(limits),
  );
  return {
    isError: result.isError === true,
    // Came as JSON, and was checked by the SDK's schema.
    content: result.content as readonly JsonObject[],
    structuredContent: (result.structuredContent ?? null) as JsonObject | null,
  };
}

/** The SDK never stops listening to a signal: each request gets a follower of its own. */
function requestOptions({ timeoutMs, signal }: CallLimits): RequestOptions {
  return { timeout: timeoutMs, maxTotalTimeout: timeoutMs, signal: AbortSignal.any([signal]) };
}
