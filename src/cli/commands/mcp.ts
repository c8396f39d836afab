// The commands `writ mcp …`.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { collectText, textsOf } from './options.js';

/** Registers them at `parent`. */
export function addMcpCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'pin',
    'show what a server says of its tools; with --write, pin that',
    'writ mcp pin ledger --tool balance --write',
    async (context, [server = ''], flags) =>
      (await import('../mcp.js')).pinTools(context, server, {
        tools: textsOf(flags['tool']),
        write: flags['write'] === true,
      }),
  )
    .argument('<server>', 'its name in mcp.yaml; a server with a command is started')
    .option('--tool <name>', 'only this tool; may be given again', collectText)
    .option('--write', 'pin what is shown, in mcp.yaml');
}
