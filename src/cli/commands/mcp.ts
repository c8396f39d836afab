// The commands `writ mcp …`.
import { collectText, textsOf } from './options.js';
import type { Group } from './verb.js';

export const mcpCommands: Group = {
  name: 'mcp',
  does: 'MCP servers whose tools steps may call',
  example: 'writ mcp pin ledger',
  verbs: [
    {
      name: 'pin',
      does: 'show what a server says of its tools; with --write, pin that',
      example: 'writ mcp pin ledger --tool balance --write',
      words: [['<server>', 'its name in mcp.yaml; a server with a command is started']],
      options: [
        ['--tool <name>', 'only this tool; may be given again', collectText],
        ['--write', 'pin what is shown, in mcp.yaml'],
      ],
      action: async (context, [server = ''], flags) =>
        (await import('../mcp.js')).pinTools(context, server, {
          tools: textsOf(flags['tool']),
          write: flags['write'] === true,
        }),
    },
  ],
};
