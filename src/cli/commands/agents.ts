// The commands `writ agent …`.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { textsIn } from './options.js';

/** Registers them at `parent`. */
export function addAgentCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'import',
    "turn AgentOS's agent.toml or HAND.toml into a file of writ, and say what is left out",
    'writ agent import hands/researcher/HAND.toml --out .',
    async (context, [file = ''], flags) =>
      (await import('../workflow/agent.js')).importAgentFile(context, file, textsIn(flags, 'out')),
  )
    .argument('<file>', 'agent.toml or HAND.toml')
    .option('--out <dir>', 'write DIR/agents/NAME.yaml or DIR/hands/ID.yaml instead of printing');
  leaf(
    parent,
    'check',
    'check agents, hands and models.yaml beside the policies: all problems in one pass',
    'writ agent check',
    async (context) => (await import('../workflow/agent.js')).checkAgentFiles(context),
  );
}
