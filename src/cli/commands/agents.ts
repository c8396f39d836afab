// The commands `writ agent …`.
import { textsIn } from './options.js';
import type { Group } from './verb.js';

export const agentCommands: Group = {
  name: 'agent',
  does: 'agents and hands as files',
  example: 'writ agent import agents/coder/agent.toml --out .',
  verbs: [
    {
      name: 'import',
      does: "turn AgentOS's agent.toml or HAND.toml into a file of writ, and say what is left out",
      example: 'writ agent import hands/researcher/HAND.toml --out .',
      words: [['<file>', 'agent.toml or HAND.toml']],
      options: [['--out <dir>', 'write DIR/agents/NAME.yaml or DIR/hands/ID.yaml instead of printing']],
      action: async (context, [file = ''], flags) =>
        (await import('../workflow/agent.js')).importAgentFile(context, file, textsIn(flags, 'out')),
    },
    {
      name: 'check',
      does: 'check agents, hands and models.yaml beside the policies: all problems in one pass',
      example: 'writ agent check',
      action: async (context) => (await import('../workflow/agent.js')).checkAgentFiles(context),
    },
  ],
};
