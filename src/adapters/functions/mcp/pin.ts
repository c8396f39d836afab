// What an MCP server says of its tools, and the hash that pins it: SHA-256 over RFC 8785 of {name, description,
// inputSchema, outputSchema} (description and outputSchema where they are given). Whatever a model or an approver is
// shown of a tool is what was pinned. Everything a server sends is attacker-controlled.
import { WritError } from '../../../errors.js';
import { isList, isObject, readJson, type Digest, type Json, type JsonObject } from '../../../json.js';
import { readConfigText } from '../config-file.js';
import type { DigestOf } from '../http/request.js';
import { MCP_NAME } from './config.js';

/** A tool as its server describes it; the part that is pinned. */
export interface McpTool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
}

/** The pinned part of a tool in a list; null for what is no tool, or has a name that no function can have. */
export function toolOf(listed: Json): McpTool | null {
  if (!isObject(listed)) return null;
  const { name, description, inputSchema, outputSchema } = listed;
  if (typeof name !== 'string' || !MCP_NAME.test(name) || !isObject(inputSchema)) return null;
  if (description !== undefined && typeof description !== 'string') return null;
  if (outputSchema !== undefined && !isObject(outputSchema)) return null;
  return {
    name,
    ...(description === undefined ? {} : { description }),
    inputSchema,
    ...(outputSchema === undefined ? {} : { outputSchema }),
  };
}

/** 64 hex digits; null for a tool that has no canonical form (nested too deeply, unpaired surrogates). */
export function pinOf(tool: McpTool, digestOf: DigestOf): string | null {
  let digest: Digest;
  try {
    digest = digestOf({ ...tool });
  } catch {
    // Such a tool can't be pinned, and so can't be called.
    return null;
  }
  return digest.slice('sha256:'.length);
}

/** The text of the file that keeps what was pinned, for people to read and to check requests with before a call. */
export function describeTools(tools: readonly McpTool[]): string {
  return `${JSON.stringify({ tools }, null, 2)}\n`;
}

/**
 * The descriptions kept in `file`, by tool; none when there is no such file. Each is hashed again before it is used.
 * Throws CONFIG_INVALID when it is no list of tools.
 */
export async function readTools(file: string): Promise<ReadonlyMap<string, McpTool>> {
  const text = await readConfigText(file);
  if (text === null) return new Map();
  const listed = listIn(text);
  const tools = (listed ?? []).map((one) => toolOf(one));
  if (listed === null || tools.includes(null)) {
    throw new WritError('CONFIG_INVALID', `${file} is not what writ mcp pin writes`, {
      hint: 'write it again: writ mcp pin SERVER --write',
    });
  }
  return new Map(tools.filter((tool) => tool !== null).map((tool) => [tool.name, tool]));
}

function listIn(text: string): readonly Json[] | null {
  let value: Json;
  try {
    value = readJson(text);
  } catch {
    // Said by the caller, with the file's name.
    return null;
  }
  const tools = isObject(value) ? value['tools'] : undefined;
  return isList(tools) ? tools : null;
}
