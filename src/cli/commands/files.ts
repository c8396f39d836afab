// The commands that look at workflow files and need no data directory: validate and simulate.
import { agentsOf, collectAgent, textsIn } from './options.js';
import type { Verb } from './verb.js';

export const validate: Verb = {
  name: 'validate',
  does: 'check workflow files: all problems in one pass',
  example: 'writ validate workflow.yaml',
  words: [['<file...>', 'workflow files, YAML or JSON']],
  action: async (context, files) => (await import('../workflow/validate.js')).validateFiles(context, files),
};

export const simulate: Verb = {
  name: 'simulate',
  does: 'run a workflow on a virtual clock with mocked functions: nothing is called, written or waited for',
  example: 'writ simulate workflow.yaml --input @input.json --mocks mocks.json',
  words: [['<file>', 'workflow file, YAML or JSON']],
  options: [
    ['--input <json>', 'the input: JSON, @FILE or @- for stdin'],
    ['--mocks <file>', 'what states answer: {"State": [{"return": …} | {"throw": {…}}] | "echo"}'],
    ['--as <principal>', 'who would start it, user:alice: then the policies decide every step'],
    ['--tenant <name>', 'with --as: the tenant whose policies apply'],
    ['--agent <role=instance>', 'with --as: who fills a role; may be given again', collectAgent],
  ],
  action: async (context, [file = ''], flags) =>
    (await import('../workflow/simulate.js')).simulateFile(context, file, {
      ...textsIn(flags, 'input', 'mocks', 'as', 'tenant'),
      agent: agentsOf(flags['agent']),
    }),
};
