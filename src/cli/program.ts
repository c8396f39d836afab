// The command tree: names, options, help texts; the groups stand in commands/. Statically it knows commander and
// the light files only; what a command needs is imported when it runs, so that `writ --help` stays fast.
import { Command, Option } from 'commander';
import { addAgentCommands } from './commands/agents.js';
import { addApprovalCommands } from './commands/approvals.js';
import { addArtifactCommands } from './commands/artifacts.js';
import { addAuditCommands } from './commands/audit.js';
import { addKeyCommands } from './commands/keys.js';
import type { Action, Flags } from './commands/leaf.js';
import {
  agentsOf,
  collectAgent,
  collectText,
  filledOf,
  textOf,
  textsIn,
  textsOf,
} from './commands/options.js';
import { addPolicyCommands } from './commands/policy.js';
import { addSandboxCommands } from './commands/sandbox.js';
import { addSecretCommands } from './commands/secrets.js';
import { addTaskCommands } from './commands/tasks.js';
import { addWitnessCommands } from './commands/witness.js';
import { addPlanCommand, addRunCommand, addWorkflowCommands } from './commands/workflow.js';
import { type Context, DEFAULT_DATA, DEFAULT_POLICIES } from './context.js';
import { createOutput, type Environment } from './output.js';

/** The edges of the process. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Environment;
  nowMs(): number;
}

export interface Program {
  readonly command: Command;
  /** Exit code of the command that ran; 0 before. */
  exitCode(): number;
}

const DEFAULT_LISTEN = '127.0.0.1:8080';

export function createProgram(terminal: Terminal, version: string): Program {
  let exitCode = 0;
  const program = new Command('writ')
    .description(
      'runs workflows whose every step is authorized, under every ceiling, approved and logged first',
    )
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .addOption(new Option('--data <dir>', 'data directory').env('WRIT_DATA').default(DEFAULT_DATA))
    .addOption(
      new Option('--policies <dir>', 'policies directory').env('WRIT_POLICIES').default(DEFAULT_POLICIES),
    )
    .addOption(
      new Option(
        '--key <file>',
        'your private key, or ssh-agent[:NAME]; without it you are the system user',
      ).env('WRIT_KEY'),
    )
    .option('--json', 'print one JSON value on stdout, on failure too')
    .exitOverride()
    // Failures are printed in one place, in one form (failure.ts).
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: () => undefined,
    })
    .configureHelp({ showGlobalOptions: true });

  /** Registers a leaf: its action gets the context of the global options, and its help ends with an example. */
  const leaf = (
    parent: Command,
    usage: string,
    description: string,
    example: string,
    action: Action,
    { hidden = false, isDefault = false } = {},
  ): Command => {
    const command = parent
      .command(usage, { hidden, isDefault })
      .description(description)
      .addHelpText('after', `\nExample:\n  $ ${example}`);
    command.action(async () => {
      const flags: Flags = command.optsWithGlobals();
      exitCode = await action(contextOf(terminal, flags), command.processedArgs.flat().filter(isText), flags);
    });
    return command;
  };
  const group = (name: string, description: string, example: string): Command =>
    program
      .command(name)
      .helpCommand(false)
      .description(description)
      .addHelpText('after', `\nExample:\n  $ ${example}`);

  leaf(
    program,
    'init',
    'make a data directory: log key, store, first log entry',
    'writ init',
    async (context, _, flags) => {
      const { init } = await import('./init.js');
      const origin = textOf(flags['origin']);
      return init(context, {
        ...(origin === undefined ? {} : { origin }),
        tenant: textOf(flags['tenant']) ?? 'default',
      });
    },
  )
    .option('--origin <name>', 'name of the log, e.g. audit.example.com/claims')
    .option('--tenant <name>', 'tenant whose policies apply', 'default');

  leaf(
    program,
    'validate',
    'check workflow files: all problems in one pass',
    'writ validate workflow.yaml',
    async (context, files) => (await import('./validate.js')).validateFiles(context, files),
  ).argument('<file...>', 'workflow files, YAML or JSON');

  addPlanCommand(program, leaf, 'writ plan workflow.yaml --input @input.json');

  leaf(
    program,
    'simulate',
    'run a workflow on a virtual clock with mocked functions: nothing is called, written or waited for',
    'writ simulate workflow.yaml --input @input.json --mocks mocks.json',
    async (context, [file = ''], flags) =>
      (await import('./simulate.js')).simulateFile(context, file, {
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

  const workflow = group(
    'workflow',
    'create, run and look at workflows',
    'writ workflow run workflow.yaml --input @input.json',
  );
  addWorkflowCommands(workflow, leaf);
  addRunCommand(program, leaf, 'writ run workflow.yaml --input \'{"claim": {"id": "C-1"}}\'');

  addApprovalCommands(group('approvals', 'see and decide approval requests', 'writ approvals'), leaf);
  addTaskCommands(
    group('task', 'answer what waits for an answer from outside: forms and tokens', 'writ task list'),
    leaf,
  );
  const audit = group('audit', 'read, prove, hand out, verify and erase', 'writ audit verify');
  addAuditCommands(audit, leaf);
  addWitnessCommands(
    audit
      .command('witness')
      .helpCommand(false)
      .description('be a witness of a log, or see what the witnesses of this one have cosigned')
      .addHelpText('after', '\nExample:\n  $ writ audit witness status'),
    leaf,
  );
  addPolicyCommands(
    group(
      'policy',
      'ask, explain, test and lock policies',
      'writ policy check user:alice workflow.run claims-review',
    ),
    leaf,
  );
  addSandboxCommands(
    group('sandbox', 'try a sandbox by hand', 'writ sandbox exec --driver docker -- sh -c id'),
    leaf,
  );
  addKeyCommands(group('keys', 'make and look at personal keys', 'writ keys create alice'), leaf);

  addSecretCommands(
    group('secrets', 'values that are stored and shown by handle only', 'writ secrets list'),
    leaf,
  );
  addAgentCommands(
    group('agent', 'agents and hands as files', 'writ agent import agents/coder/agent.toml --out .'),
    leaf,
  );
  addArtifactCommands(
    group('artifact', 'files that distributed Maps read and write', 'writ artifact list'),
    leaf,
  );
  leaf(
    group('mcp', 'MCP servers whose tools steps may call', 'writ mcp pin ledger'),
    'pin',
    'show what a server says of its tools; with --write, pin that',
    'writ mcp pin ledger --tool lookup --write',
    async (context, [server = ''], flags) =>
      (await import('./mcp.js')).pinTools(context, server, {
        tools: textsOf(flags['tool']),
        write: flags['write'] === true,
      }),
  )
    .argument('<server>', 'its name in mcp.yaml; a server with a command is started')
    .option('--tool <name>', 'only this tool; may be given again', collectText)
    .option('--write', 'pin what is shown, in mcp.yaml');
  leaf(
    program,
    'serve',
    'approvals and answers to tasks over HTTP, approvals by webhook; runs that were decided or answered go on here',
    'writ serve --listen 127.0.0.1:8080',
    async (context, _, flags) => {
      const { listDeliveries, serve } = await import('./serve.js');
      if (flags['deliveries'] === true) return listDeliveries(context);
      return serve(context, {
        listen: textOf(flags['listen']) ?? DEFAULT_LISTEN,
        allowLoopback: flags['allowLoopbackWebhooks'] === true,
      });
    },
  )
    .option('--deliveries', 'show the newest webhooks that were sent, or are due; serve nothing')
    .option(
      '--listen <host:port>',
      'address; behind a proxy that ends TLS, or of this machine',
      DEFAULT_LISTEN,
    )
    .option(
      '--allow-loopback-webhooks',
      'webhooks and key sets may be on this host, without TLS: for a trial',
    );
  leaf(program, 'doctor', 'check what this machine can do', 'writ doctor', async (context) =>
    (await import('./doctor.js')).doctor(context),
  );
  program.addHelpText(
    'after',
    '\nExample:\n  $ writ init && writ validate workflow.yaml && writ run workflow.yaml',
  );
  return { command: program, exitCode: () => exitCode };
}

/** The output of an invocation whose options are known. */
function contextOf(terminal: Terminal, flags: Flags): Context {
  const { stdin, stdout, stderr, env } = terminal;
  const json = flags['json'] === true || flags['format'] === 'json';
  return {
    output: createOutput({ stdout, stderr, json, env }),
    // An environment variable set to nothing counts as not set.
    data: filledOf(flags['data']) ?? DEFAULT_DATA,
    policies: filledOf(flags['policies']) ?? DEFAULT_POLICIES,
    keyFile: filledOf(flags['key']) ?? null,
    env,
    stdin,
    stdout,
    nowMs: () => terminal.nowMs(),
  };
}

/** Whether --json was asked for, where the command line could not be parsed. */
export function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, at) =>
      word === '--json' || word === '--format=json' || (word === 'json' && argv[at - 1] === '--format'),
  );
}

/** An optional argument that was not given is undefined. */
function isText(value: unknown): value is string {
  return typeof value === 'string';
}
