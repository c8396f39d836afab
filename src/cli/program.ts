// The command tree: names, options, help texts; the groups stand in commands/. Statically it knows commander and
// the light files only; what a command needs is imported when it runs, so that `writ --help` stays fast.
import { Command, Option } from 'commander';
import { agentCommands } from './commands/agents.js';
import { approvalCommands } from './commands/approvals.js';
import { artifactCommands } from './commands/artifacts.js';
import { auditCommands } from './commands/audit.js';
import { simulate, validate } from './commands/files.js';
import { refuseSecondValues } from './commands/given-twice.js';
import { keyCommands } from './commands/keys.js';
import { mcpCommands } from './commands/mcp.js';
import { filledOf } from './commands/options.js';
import { policyCommands } from './commands/policy.js';
import { doctor, init, serve } from './commands/project.js';
import { sandboxCommands } from './commands/sandbox.js';
import { secretCommands } from './commands/secrets.js';
import { taskCommands } from './commands/tasks.js';
import type { Flags, Group, OptionRow, Verb } from './commands/verb.js';
import { plan, run, workflowCommands } from './commands/workflow.js';
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

/** In the order of the help. */
const COMMANDS: readonly (Verb | Group)[] = [
  init,
  validate,
  plan,
  simulate,
  workflowCommands,
  run,
  approvalCommands,
  taskCommands,
  auditCommands,
  policyCommands,
  sandboxCommands,
  keyCommands,
  secretCommands,
  agentCommands,
  artifactCommands,
  mcpCommands,
  serve,
  doctor,
];

export function createProgram(terminal: Terminal, version: string): Program {
  let exitCode = 0;
  const program = rootCommand(terminal, version);
  for (const one of COMMANDS) {
    addCommand(program, one, async (verb, words, flags) => {
      exitCode = await verb.action(contextOf(terminal, flags), words, flags);
    });
  }
  refuseSecondValues(program);
  program.addHelpText(
    'after',
    exampleText('writ init && writ validate workflow.yaml && writ run workflow.yaml'),
  );
  return { command: program, exitCode: () => exitCode };
}

type CarryOut = (verb: Verb, words: readonly string[], flags: Flags) => Promise<void>;

function addCommand(parent: Command, one: Verb | Group, carryOut: CarryOut): void {
  if ('verbs' in one) addGroup(parent, one, carryOut);
  else addVerb(parent, one, carryOut);
}

function addGroup(parent: Command, group: Group, carryOut: CarryOut): void {
  const { name, does, example, verbs } = group;
  const command = parent.command(name).helpCommand(false);
  command.description(does).addHelpText('after', exampleText(example));
  for (const verb of verbs) addCommand(command, verb, carryOut);
}

function addVerb(parent: Command, verb: Verb, carryOut: CarryOut): void {
  const { name, does, example, isHidden = false, isDefault = false } = verb;
  const command = parent.command(name, { hidden: isHidden, isDefault });
  command.description(does).addHelpText('after', exampleText(example));
  for (const [word, says] of verb.words ?? []) command.argument(word, says);
  for (const row of verb.options ?? []) command.addOption(optionOf(row));
  if (verb.usage !== undefined) command.usage(verb.usage);
  command.action(() =>
    carryOut(verb, command.processedArgs.flat().filter(isText), command.optsWithGlobals()),
  );
}

function optionOf(row: OptionRow): Option {
  if (row instanceof Option) return row;
  const [flags, says, parse] = row;
  const option = new Option(flags, says);
  return parse === undefined ? option : option.argParser(parse);
}

function exampleText(example: string): string {
  return `\nExample:\n  $ ${example}`;
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
