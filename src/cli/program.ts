// The command tree: names, options, help texts. Statically it knows commander and the light files only; what a
// command needs is imported when it runs, so that `writ --help` stays fast.
import { WritError } from '../errors.js';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_DATA, DEFAULT_POLICIES, type Context } from './context.js';
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

type Flags = Record<string, unknown>;
type Action = (context: Context, args: readonly string[], flags: Flags) => Promise<number>;

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
      new Option('--key <file>', 'your private key; without it you are the system user').env('WRIT_KEY'),
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
  ): Command => {
    const command = parent
      .command(usage)
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

  const workflow = group(
    'workflow',
    'create, run and look at workflows',
    'writ workflow run workflow.yaml --input @input.json',
  );
  addWorkflowCommands(workflow, leaf);
  addRunCommand(program, leaf, 'writ run workflow.yaml --input \'{"claim": {"id": "C-1"}}\'');

  addApprovalCommands(group('approvals', 'see and decide approval requests', 'writ approvals list'), leaf);
  addAuditCommands(group('audit', 'verify the log', 'writ audit verify'), leaf);
  addKeyCommands(group('keys', 'make and look at personal keys', 'writ keys create alice'), leaf);

  leaf(program, 'doctor', 'check what this machine can do', 'writ doctor', async (context) =>
    (await import('./doctor.js')).doctor(context),
  );
  program.addHelpText(
    'after',
    '\nExample:\n  $ writ init && writ validate workflow.yaml && writ run workflow.yaml',
  );
  return { command: program, exitCode: () => exitCode };
}

type Leaf = (parent: Command, usage: string, description: string, example: string, action: Action) => Command;

function addWorkflowCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'create',
    'register a workflow; prints its id',
    'writ workflow create workflow.yaml',
    async (context, [file = ''], flags) => {
      if (flags['validate'] === true) return (await import('./validate.js')).validateFiles(context, [file]);
      return (await import('./workflow.js')).createWorkflow(context, file);
    },
  )
    .argument('<file>', 'workflow file, YAML or JSON')
    .option('--validate', 'check only, register nothing');

  const list = leaf(
    parent,
    'list',
    'list registered workflows, or runs',
    'writ workflow list --runs',
    async (context, _, flags) => {
      const { listRuns, listWorkflows } = await import('./workflow.js');
      return flags['runs'] === true ? listRuns(context) : listWorkflows(context);
    },
  ).option('--runs', 'list runs instead');
  withFormat(list);

  withFormat(
    leaf(
      parent,
      'show',
      'show a registered workflow',
      'writ workflow show claims-review',
      async (context, [id = '']) => (await import('./workflow.js')).showWorkflow(context, id),
    ).argument('<id>', 'workflow id'),
  );
  addRunCommand(parent, leaf, 'writ workflow run claims-review --input @claim.json');
  withFormat(
    leaf(parent, 'status', 'show a run', 'writ workflow status RUN', async (context, [run = '']) =>
      (await import('./workflow.js')).showStatus(context, run),
    ).argument('<run>', 'run id'),
  );
  withFormat(
    leaf(
      parent,
      'results',
      "show a run with its steps' outputs",
      'writ workflow results RUN --json',
      async (context, [run = '']) => (await import('./workflow.js')).showResults(context, run),
    ).argument('<run>', 'run id'),
  );
  leaf(
    parent,
    'resume',
    'go on with a run that waited, was interrupted or lost an attempt',
    'writ workflow resume RUN',
    async (context, [run], flags) => {
      if (run === undefined) {
        if (flags['rerunLost'] === true || flags['failLost'] === true) {
          throw new WritError('USAGE', 'what becomes of a lost attempt is said for one run', {
            hint: 'name the run: writ workflow resume RUN --rerun-lost',
          });
        }
        return (await import('./run.js')).resumeAll(context);
      }
      const approverKey = filledOf(flags['approverKey']);
      return (await import('./run.js')).resumeRun(context, run, {
        rerunLost: flags['rerunLost'] === true,
        failLost: flags['failLost'] === true,
        ...(approverKey === undefined ? {} : { approverKey }),
      });
    },
  )
    .argument('[run]', 'run id; without it, every run that was interrupted or decided meanwhile')
    .option('--rerun-lost', 'run an attempt whose outcome is not known again')
    .option('--fail-lost', 'count an attempt whose outcome is not known as failed')
    .addOption(approverKeyOption());
  leaf(
    parent,
    'cancel',
    'stop a run; its open approval requests are withdrawn',
    'writ workflow cancel RUN',
    async (context, [run = '']) => (await import('./workflow.js')).cancelRun(context, run),
  ).argument('<run>', 'run id');
}

function addRunCommand(parent: Command, leaf: Leaf, example: string): void {
  leaf(
    parent,
    'run',
    'start a run and drive it until it ends or waits for a person',
    example,
    async (context, [workflow = ''], flags) => {
      const input = textOf(flags['input']);
      const approverKey = filledOf(flags['approverKey']);
      return (await import('./run.js')).runWorkflow(context, workflow, {
        ...(input === undefined ? {} : { input }),
        ...(approverKey === undefined ? {} : { approverKey }),
        agent: agentsOf(flags['agent']),
        detach: flags['detach'] === true,
      });
    },
  )
    .argument('<workflow>', 'id of a registered workflow, or a file (with / or .yaml, .yml, .json)')
    .option('--input <json>', 'the input: JSON, @FILE or @- for stdin')
    .option('--agent <role=instance>', 'who fills a role; may be given again', collectAgent)
    .option('--detach', 'return as soon as the start is durable')
    .addOption(approverKeyOption());
}

function addApprovalCommands(parent: Command, leaf: Leaf): void {
  withFormat(
    leaf(parent, 'list', 'list pending approval requests', 'writ approvals list', async (context, _, flags) =>
      (await import('./approvals.js')).listApprovals(context, { all: flags['all'] === true }),
    ).option('--all', 'decided and expired ones too'),
  );
  withFormat(
    leaf(
      parent,
      'show',
      'show exactly what would run, and its digest',
      'writ approvals show ID',
      async (context, [id = '']) => (await import('./approvals.js')).showApproval(context, id),
    ).argument('<id>', 'approval id'),
  );
  const approve = leaf(
    parent,
    'approve',
    'approve one request, then go on with its run',
    'writ approvals approve ID --digest HEX64 --key alice.key',
    async (context, [id = ''], flags) =>
      (await import('./approvals.js')).approve(context, id, decideFlags(flags)),
  );
  const deny = leaf(
    parent,
    'deny',
    'deny one request for good, then go on with its run',
    "writ approvals deny ID --reason 'amount is wrong'",
    async (context, [id = ''], flags) =>
      (await import('./approvals.js')).deny(context, id, decideFlags(flags)),
  );
  for (const command of [approve, deny]) {
    command
      .argument('<id>', 'approval id')
      .option('--digest <hex64>', 'subject digest of what you saw, in full')
      .option('--reason <text>', 'why; kept as a payload, only its commitment is logged')
      .option('--no-continue', 'record the decision only, do not advance the run here');
  }
}

function addAuditCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'verify',
    'verify a log directory; needs neither store nor network',
    'writ audit verify --vkey "$(cat writ.vkey)"',
    async (context, [directory], flags) => {
      const run = textOf(flags['run']);
      return (await import('./audit.js')).verifyAudit(context, directory, {
        vkey: textsOf(flags['vkey']),
        old: textsOf(flags['old']),
        trust: typeof flags['trust'] === 'string' ? flags['trust'] : flags['trust'] !== false,
        ...(run === undefined ? {} : { run }),
        payloads: flags['payloads'] === true,
      });
    },
  )
    .argument('[dir]', "log directory (default: the data directory's audit/)")
    .option('--vkey <vkey>', "the log's key, from outside; may be given again", collectText)
    .option('--old <file>', 'an earlier checkpoint; may be given again', collectText)
    .option('--trust <file>', 'trust file (default: the one of this user)')
    .option('--no-trust', 'use no trust file')
    .option('--run <id>', 'check that this run is complete')
    .option('--payloads', 'check every payload against its commitment');
  leaf(parent, 'vkey', "print the log's vkey alone", 'writ audit vkey > writ.vkey', async (context) =>
    (await import('./audit.js')).printVkey(context),
  );
}

function addKeyCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'create',
    'make your signing key',
    'writ keys create alice',
    async (context, [name = ''], flags) => {
      const out = textOf(flags['out']);
      return (await import('./keys.js')).createKey(context, name, out === undefined ? {} : { out });
    },
  )
    .argument('<name>', 'a label, e.g. your user name')
    .option('--out <file>', 'where to (default: your configuration directory)');
  leaf(
    parent,
    'show',
    'show the public half of a key file',
    'writ keys show alice.key',
    async (context, [file = '']) => (await import('./keys.js')).showKey(context, file),
  ).argument('<file>', 'key file');
  leaf(parent, 'list', 'list your keys', 'writ keys list', async (context) =>
    (await import('./keys.js')).listKeys(context),
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

function withFormat(command: Command): void {
  command.addOption(
    new Option('--format <format>', 'table, or json as with --json').choices(['table', 'json']),
  );
}

function approverKeyOption(): Option {
  return new Option('--approver-key <file>', 'key to decide with when asked at this terminal').env(
    'WRIT_APPROVER_KEY',
  );
}

function decideFlags(flags: Flags): { digest?: string; reason?: string; continue: boolean } {
  const [digest, reason] = [textOf(flags['digest']), textOf(flags['reason'])];
  return {
    ...(digest === undefined ? {} : { digest }),
    ...(reason === undefined ? {} : { reason }),
    continue: flags['continue'] !== false,
  };
}

function collectText(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function collectAgent(value: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, role, instance] = /^([^=]+)=(.+)$/su.exec(value) ?? [];
  if (role === undefined || instance === undefined) {
    throw new InvalidArgumentError('It has the form role=instance.');
  }
  if (Object.hasOwn(before, role)) throw new InvalidArgumentError(`The role ${role} is given twice.`);
  return { ...before, [role]: instance };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function filledOf(value: unknown): string | undefined {
  return value === '' ? undefined : textOf(value);
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function agentsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** An optional argument that was not given is undefined. */
function isText(value: unknown): value is string {
  return typeof value === 'string';
}
