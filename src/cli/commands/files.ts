// The commands that look at workflow files and need no data directory: validate and simulate.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { agentsOf, collectAgent, textsIn } from './options.js';

export function addValidateCommand(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'validate',
    'check workflow files: all problems in one pass',
    'writ validate workflow.yaml',
    async (context, files) => (await import('../workflow/validate.js')).validateFiles(context, files),
  ).argument('<file...>', 'workflow files, YAML or JSON');
}

export function addSimulateCommand(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'simulate',
    'run a workflow on a virtual clock with mocked functions: nothing is called, written or waited for',
    'writ simulate workflow.yaml --input @input.json --mocks mocks.json',
    async (context, [file = ''], flags) =>
      (await import('../workflow/simulate.js')).simulateFile(context, file, {
        ...textsIn(flags, 'input', 'mocks', 'as', 'tenant'),
        agent: agentsOf(flags['agent']),
      }),
  )
    .argument('<file>', 'workflow file, YAML or JSON')
    .option('--input <json>', 'the input: JSON, @FILE or @- for stdin')
    .option('--mocks <file>', 'what states answer: {"State": [{"return": …} | {"throw": {…}}] | "echo"}')
    .option('--as <principal>', 'who would start it, user:alice: then the policies decide every step')
    .option('--tenant <name>', 'with --as: the tenant whose policies apply')
    .option('--agent <role=instance>', 'with --as: who fills a role; may be given again', collectAgent);
}
