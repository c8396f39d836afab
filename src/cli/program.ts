// The command tree: names, options, help texts; the groups stand in commands/. Statically it knows commander and
// the light files only; what a command needs is imported when it runs, so that `writ --help` stays fast.
import { Command, Option } from 'commander';
import { addAgentCommands } from './commands/agents.js';
import { addApprovalCommands } from './commands/approvals.js';
import { addArtifactCommands } from './commands/artifacts.js';
import { addAuditCommands } from './commands/audit.js';
import { addKeyCommands } from './commands/keys.js';
import type { Action, Flags, Leaf } from './commands/leaf.js';
import { addMcpCommands } from './commands/mcp.js';
import { filledOf } from './commands/options.js';
import { addPolicyCommands } from './commands/policy.js';
import { addDoctorCommand, addInitCommand, addServeCommand } from './commands/project.js';
import { addSandboxCommands } from './commands/sandbox.js';
import { addSecretCommands } from './commands/secrets.js';
import { addTaskCommands } from './commands/tasks.js';
import { addWitnessCommands } from './commands/witness.js';
import { addSimulateCommand, addValidateCommand } from './commands/files.js';
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

export function createProgram(terminal: Terminal, version: string): Program {
  let exitCode = 0;
  const program = rootCommand(terminal, version);

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
  addCommands(program, leaf);
  program.addHelpText(
    'after',
    '\nExample:\n  $ writ init && writ validate workflow.yaml && writ run workflow.yaml',
  );
  return { command: program, exitCode: () => exitCode };
}

/** In the order of the help. */
function addCommands(program: Command, leaf: Leaf): void {
  const group = (name: string, description: string, example: string): Command =>
    program
      .command(name)
      .helpCommand(false)
      .description(description)
      .addHelpText('after', `\nExample:\n  $ ${example}`);

  addInitCommand(program, leaf);
  addValidateCommand(program, leaf);
  addPlanCommand(program, leaf, 'writ plan workflow.yaml --input @input.json');
  addSimulateCommand(program, leaf);

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
  addMcpCommands(group('mcp', 'MCP servers whose tools steps may call', 'writ mcp pin ledger'), leaf);
  addServeCommand(program, leaf);
  addDoctorCommand(program, leaf);
}

/** `writ` with the options that every command has. */
function rootCommand(terminal: Terminal, version: string): Command {
  return (
    new Command('writ')
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
      .configureHelp({ showGlobalOptions: true })
  );
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
