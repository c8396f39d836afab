// `writ mcp pin SERVER`: what an MCP server says of its tools, for a person to read and to pin. Nothing is pinned
// without --write, and a pin is what a person has read: descriptions are shown in full, hidden characters made visible.
import { WritError } from '../errors.js';
import type { McpTool, OfferedTool } from '../mcp-project.js';
import { untilSignal, type Context } from './context.js';
import { printable } from './output.js';

export interface PinFlags {
  /** Only these; empty = all. */
  readonly tools: readonly string[];
  readonly write: boolean;
}

export async function pinTools(context: Context, server: string, flags: PinFlags): Promise<number> {
  const { data, policies, env, output } = context;
  const { offeredTools, writePins } = await import('../mcp-project.js');
  let offered: readonly OfferedTool[] = [];
  let leftOut: readonly string[] = [];
  const interrupted = await untilSignal(async (signal) => {
    const offer = await offeredTools({ data, policies, server, env, signal });
    offered = chosen(offer.tools, flags.tools, server);
    ({ leftOut } = offer);
  });
  if (interrupted !== null) return interrupted;
  if (flags.write) await writePins(policies, server, offered);
  if (output.json) {
    const tools = offered.map(({ name, schemaSha256, state, tool }) => ({
      name,
      functionId: `mcp::${server}::${name}`,
      schemaSha256,
      state,
      ...(tool === null ? {} : { definition: tool }),
    }));
    output.value({ server, written: flags.write, tools, leftOut });
    return 0;
  }
  for (const { name, schemaSha256, state, tool, before } of offered) {
    output.line(`mcp::${printable(server)}::${printable(name)}  ${state}`);
    if (schemaSha256 !== null) output.line(`  schemaSha256: ${schemaSha256}`);
    if (tool === null) continue;
    // Of a tool that changed both are shown: what it said when it was pinned, and what it says now.
    if (state === 'changed' && before !== null) describe(context, 'was', before);
    describe(context, 'says', tool);
  }
  for (const name of leftOut)
    output.note(`left out, as no function can have such a name or such schemas: ${printable(name)}`);
  if (offered.length === 0) output.note(`${printable(server)} offers no tool that can be called`);
  else if (flags.write) output.note(`pinned in mcp.yaml; a tool that changes is refused from now on`);
  else output.note(`nothing is pinned yet: when you have read it, writ mcp pin ${printable(server)} --write`);
  return 0;
}

function describe({ output }: Context, label: string, tool: McpTool): void {
  output.line(`  ${label}: ${printable(tool.description ?? '(nothing)')}`);
  output.line(`    takes: ${printable(JSON.stringify(tool.inputSchema))}`);
  if (tool.outputSchema !== undefined) {
    output.line(`    gives: ${printable(JSON.stringify(tool.outputSchema))}`);
  }
}

function chosen(
  offered: readonly OfferedTool[],
  names: readonly string[],
  server: string,
): readonly OfferedTool[] {
  if (names.length === 0) return offered;
  const absent = names.find((name) => !offered.some((tool) => tool.name === name));
  if (absent === undefined) return offered.filter(({ name }) => names.includes(name));
  throw new WritError('NOT_FOUND', `${server} offers no tool "${absent}"`, {
    hint: `it offers: ${offered.map(({ name }) => name).join(', ')}`,
  });
}
