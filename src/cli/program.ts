// The command tree: names, options, help texts. Statically it knows commander and the light files only; what a
// command needs is imported when it runs, so that `writ --help` stays fast.
import { WritError } from '../errors.js';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_DATA, DEFAULT_POLICIES, type Context } from './context.js';
import { createOutput, type Environment } from './output.js';
import type { QuestionFlags } from './policy-question.js';

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
      (await import('./simulate.js')).simulateFile(context, file, textsIn(flags, 'input', 'mocks')),
  )
    .argument('<file>', 'workflow file, YAML or JSON')
    .option('--input <json>', 'the input: JSON, @FILE or @- for stdin')
    .option('--mocks <file>', 'what states answer: {"State": [{"return": …} | {"throw": {…}}] | "echo"}');

  const workflow = group(
    'workflow',
    'create, run and look at workflows',
    'writ workflow run workflow.yaml --input @input.json',
  );
  addWorkflowCommands(workflow, leaf);
  addRunCommand(program, leaf, 'writ run workflow.yaml --input \'{"claim": {"id": "C-1"}}\'');

  addApprovalCommands(group('approvals', 'see and decide approval requests', 'writ approvals'), leaf);
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
    'approvals over HTTP and by webhook; runs that were decided go on here',
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

type Leaf = (
  parent: Command,
  usage: string,
  description: string,
  example: string,
  action: Action,
  /** Not for people; what the group does without a verb. */
  how?: { readonly hidden?: boolean; readonly isDefault?: boolean },
) => Command;

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
      const page = { limit: numberOf(flags['limit']) ?? 50, offset: numberOf(flags['offset']) ?? 0 };
      return flags['runs'] === true ? listRuns(context, page) : listWorkflows(context, page);
    },
  )
    .option('--runs', 'list runs instead, newest first')
    .option('--limit <n>', 'at most so many, 1 to 500 (default: 50)', wholeNumber(1, 500))
    .option('--offset <n>', 'after the first n (default: 0)', wholeNumber(0, MOST));
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
  leaf(
    parent,
    'graph',
    'draw a workflow, or a run with its outcomes, as Mermaid text or SVG',
    'writ workflow graph workflow.yaml --format svg > workflow.svg',
    async (context, [workflow = ''], flags) =>
      (await import('./graph.js')).drawGraph(
        context,
        workflow,
        flags['format'] === 'svg' ? 'svg' : 'mermaid',
      ),
  )
    .argument(
      '<workflow>',
      'a file (with / or .yaml, .yml, .json), a run, or the id of a registered workflow',
    )
    .addOption(new Option('--format <form>', 'form').choices(['mermaid', 'svg']).default('mermaid'));
  leaf(
    parent,
    'templates',
    'list the workflows that ship with writ, or print one as YAML',
    'writ workflow templates feature-build > feature-build.yaml',
    async (context, [name]) => (await import('./templates.js')).showTemplates(context, name),
  ).argument('[name]', 'template to print');
  addRunCommand(parent, leaf, 'writ workflow run claims-review --input @claim.json');
  addPlanCommand(parent, leaf, 'writ workflow plan claims-review --input @claim.json');
  const status = leaf(
    parent,
    'status',
    'show a run',
    'writ workflow status RUN',
    async (context, [run = ''], flags) =>
      (await import('./workflow.js')).showStatus(context, run, itemsOf(flags)),
  ).argument('<run>', 'run id');
  leaf(
    parent,
    'watch',
    'follow a run to its end, with its exit code: live on a terminal, else one JSON object a line',
    'writ workflow watch RUN',
    async (context, [run = '']) => (await import('./watch.js')).watchRun(context, run),
  ).argument('<run>', 'run id');
  const results = leaf(
    parent,
    'results',
    "show a run with its steps' outputs",
    'writ workflow results RUN --json',
    async (context, [run = ''], flags) =>
      (await import('./workflow.js')).showResults(context, run, itemsOf(flags)),
  ).argument('<run>', 'run id');
  for (const command of [status, results]) {
    withFormat(command);
    command.option(
      '--items <n>',
      'items of a map, or calls of a step, that are told one by one (default: 20)',
      wholeNumber(0, MOST),
    );
  }
  leaf(
    parent,
    'resume',
    'go on with a run that waited, was interrupted or lost an attempt',
    'writ workflow resume RUN',
    async (context, [run], flags) => {
      if (run === undefined) {
        const given = ['rerunLost', 'failLost', 'from'].some((name) => flags[name] !== undefined);
        if (given) {
          throw new WritError(
            'USAGE',
            'where a run goes on, and what becomes of a lost attempt, is said for one run',
            {
              hint: 'name the run: writ workflow resume RUN --rerun-lost',
            },
          );
        }
        return (await import('./run.js')).resumeAll(context);
      }
      const approverKey = filledOf(flags['approverKey']);
      return (await import('./run.js')).resumeRun(context, run, {
        rerunLost: flags['rerunLost'] === true,
        failLost: flags['failLost'] === true,
        ...textsIn(flags, 'from'),
        ...(approverKey === undefined ? {} : { approverKey }),
      });
    },
  )
    .argument('[run]', 'run id; without it, every run that was interrupted or decided meanwhile')
    .option('--from <step>', 'the step that it stands at: a lost attempt of it runs again', onlyOnce)
    .option('--rerun-lost', 'run an attempt whose outcome is not known again')
    .option('--fail-lost', 'count an attempt whose outcome is not known as failed')
    .addOption(approverKeyOption());
  leaf(
    parent,
    'go-on',
    'what the process of a detached run does',
    'writ workflow run claims-review --detach',
    async (context, [run = '']) => (await import('./background.js')).goOn(context, run),
    { hidden: true },
  ).argument('<run>', 'run id');
  leaf(
    parent,
    'cancel',
    'stop a run; its open approval requests are withdrawn',
    'writ workflow cancel RUN',
    async (context, [run = '']) => (await import('./workflow.js')).cancelRun(context, run),
  ).argument('<run>', 'run id');
}

function addPlanCommand(parent: Command, leaf: Leaf, example: string): void {
  leaf(
    parent,
    'plan',
    'show what would run, what decides each step and what needs approval; runs and writes nothing',
    example,
    async (context, [workflow = ''], flags) =>
      (await import('./plan.js')).planWorkflow(context, workflow, {
        ...textsIn(flags, 'input'),
        agent: agentsOf(flags['agent']),
      }),
  )
    .argument('<workflow>', 'id of a registered workflow, or a file (with / or .yaml, .yml, .json)')
    .option('--input <json>', 'the input: JSON, @FILE or @- for stdin')
    .option('--agent <role=instance>', 'who fills a role; may be given again', collectAgent);
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
    .option('--detach', 'return as soon as the start is durable; a process in the background goes on')
    .addOption(approverKeyOption());
}

function addApprovalCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'inbox',
    'work off what waits for a decision at this terminal; what the group does without a verb',
    'writ approvals',
    async (context, [verb]) => {
      if (verb !== undefined) throw await unknownVerb(parent, verb);
      return (await import('./inbox.js')).openInbox(context);
    },
    { isDefault: true },
  )
    // What is no verb comes here too.
    .argument('[verb...]', 'none')
    .usage('[options]');
  withFormat(
    leaf(parent, 'list', 'list pending approval requests', 'writ approvals list', async (context, _, flags) =>
      (await import('./approvals.js')).listApprovals(context, {
        all: flags['all'] === true,
        reviews: flags['reviews'] === true,
        stats: flags['stats'] === true,
      }),
    )
      .option('--all', 'decided and expired ones too')
      .option('--reviews', 'emergency decisions that nobody has reviewed')
      .option('--stats', 'requests per run, decision time, share approved within 2 s'),
  );
  withFormat(
    leaf(
      parent,
      'show',
      'show exactly what would run, and its digest',
      'writ approvals show ID',
      async (context, ids) => (await import('./approvals.js')).showApprovals(context, ids),
    ).argument('<id...>', 'approval id; several of one step show the digest that approves them together'),
  );
  const approve = leaf(
    parent,
    'approve',
    'approve one request, then go on with its run',
    'writ approvals approve ID --digest HEX64 --key alice.key',
    async (context, ids, flags) => {
      const [id = ''] = ids;
      const approvals = await import('./approvals.js');
      if (ids.length > 1) return approvals.approveBatch(context, ids, decideFlags(flags));
      return approvals.approve(context, id, decideFlags(flags));
    },
  ).argument('<id...>', 'approval id; several of one step are approved together, each with its own vote');
  const deny = leaf(
    parent,
    'deny',
    'deny one request for good, then go on with its run',
    "writ approvals deny ID --reason 'amount is wrong'",
    async (context, [id = ''], flags) =>
      (await import('./approvals.js')).deny(context, id, decideFlags(flags)),
  ).argument('<id>', 'approval id');
  leaf(
    parent,
    'revoke',
    'take back an approval that its step has not used yet',
    "writ approvals revoke ID --reason 'the amount is disputed'",
    async (context, [id = ''], flags) =>
      (await import('./approvals.js')).revoke(context, id, decideFlags(flags)),
  )
    .argument('<id>', 'approval id')
    .option('--reason <text>', 'why; kept as a payload, only its commitment is logged')
    .option('--no-continue', 'record the decision only, do not advance the run here');
  leaf(
    parent,
    'edit',
    'change the input of a pending request; another person approves the new one',
    'writ approvals edit ID --digest HEX64 --input \'{"amount": 900}\'',
    async (context, [id = ''], flags) =>
      (await import('./approvals.js')).editRequest(context, id, {
        ...textsIn(flags, 'digest', 'input'),
        continue: flags['continue'] !== false,
      }),
  )
    .argument('<id>', 'approval id')
    .option('--digest <hex64>', 'subject digest of what you saw, in full')
    .option('--input <json>', 'what the input is to be: JSON, @FILE or @- for stdin')
    .option('--no-continue', 'record the change only, do not advance the run here');
  leaf(
    parent,
    'review',
    'say what became of an emergency decision, and close its review',
    "writ approvals review ID --reason 'the outage was real'",
    async (context, [id = ''], flags) =>
      (await import('./approvals.js')).review(context, id, textsIn(flags, 'reason')),
  )
    .argument('<id>', 'approval id')
    .option('--reason <text>', 'what you found; kept as a payload, only its commitment is logged');
  for (const command of [approve, deny]) {
    command
      .option('--for <person>', 'vote for somebody who has delegated it to you, such as user:alice')
      .option('--break-glass', 'vote under the emergency role; needs a reason and opens a review')
      .option('--digest <hex64>', 'subject digest of what you saw, in full')
      .option('--reason <text>', 'why; kept as a payload, only its commitment is logged')
      .option('--no-continue', 'record the decision only, do not advance the run here');
  }
}

function addAuditCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'verify',
    'verify a log directory, a proof or a bundle; needs neither store nor network',
    'writ audit verify --vkey "$(cat writ.vkey)"',
    async (context, [directory], flags) => {
      const [run, policy, quorum] = [textOf(flags['run']), textOf(flags['policy']), textOf(flags['quorum'])];
      const entry = textOf(flags['entry']);
      return (await import('./audit.js')).verifyAudit(context, directory, {
        vkey: textsOf(flags['vkey']),
        ...(policy === undefined ? {} : { policy }),
        witness: textsOf(flags['witness']),
        ...(quorum === undefined ? {} : { quorum }),
        old: textsOf(flags['old']),
        trust: typeof flags['trust'] === 'string' ? flags['trust'] : flags['trust'] !== false,
        ...(run === undefined ? {} : { run }),
        payloads: textOf(flags['payloads']) ?? flags['payloads'] === true,
        ...(entry === undefined ? {} : { entry }),
      });
    },
  )
    .argument('[path]', "log directory (default: the data directory's audit/), .tlog-proof, .json or .html")
    .option('--vkey <vkey>', "the log's key, from outside; may be given again", collectText)
    .option('--policy <file>', 'trusted logs, witnesses and quorum: a C2SP tlog-policy', onlyOnce)
    .option('--witness <vkey>', 'a trusted witness, instead of a policy; may be given again', collectText)
    .option('--quorum <k>', 'how many of them must have cosigned (default: all)', onlyOnce)
    .option('--old <path>', 'an earlier checkpoint, or a directory of them; may be given again', collectText)
    .option('--trust <file>', 'trust file (default: the one of this user)')
    .option('--no-trust', 'use no trust file')
    .option('--run <id>', 'check that this run is complete', onlyOnce)
    .option(
      '--payloads [file]',
      'check every payload against its commitment; FILE: an export of them',
      onlyOnce,
    )
    .option('--entry <file>', "a proof's entry (default: the file beside it)", onlyOnce);
  leaf(
    parent,
    'vkey',
    "print the log's vkey alone",
    'writ audit vkey > writ.vkey',
    async (context, _, flags) =>
      flags['all'] === true
        ? (await import('./rotate.js')).printVkeys(context)
        : (await import('./audit.js')).printVkey(context),
  ).option('--all', 'former vkeys too, and the entries that replaced them');
  withFormat(
    leaf(
      parent,
      'show',
      "show a run's entries as the log holds them",
      'writ audit show RUN',
      async (context, [run], flags) => {
        const index = textOf(flags['index']);
        return (await import('./audit-show.js')).showAudit(
          context,
          run,
          index === undefined ? {} : { index },
        );
      },
    )
      .argument('[run]', 'run id')
      .option('--index <n>', 'one entry in full, by its index in the log'),
  );
  leaf(
    parent,
    'prove',
    'prove that the log holds an entry, to somebody without the log',
    'writ audit prove 12 --out entry-12.tlog-proof',
    async (context, [entry], flags) => {
      const [index, out] = [textOf(flags['index']), textOf(flags['out'])];
      return (await import('./prove.js')).proveEntry(context, entry, {
        ...(index === undefined ? {} : { index }),
        ...(out === undefined ? {} : { out }),
      });
    },
  )
    .argument('[entry]', 'its index, or its leaf hash (64 hex digits)')
    .option('--index <n>', 'its index')
    .option('--out <file>', "the proof's file, ending in .tlog-proof; the entry is written beside it");
  leaf(
    parent,
    'export',
    'copy the published log to a new directory, and verify the copy',
    'writ audit export --out /media/usb/log',
    async (context, _, flags) => {
      const [out, payloads, size] = ['out', 'payloads', 'size'].map((name) => textOf(flags[name]));
      return (await import('./export.js')).exportAudit(context, {
        ...(out === undefined ? {} : { out }),
        ...(payloads === undefined ? {} : { payloads }),
        ...(size === undefined ? {} : { size }),
      });
    },
  )
    .option('--out <dir>', 'a new or empty directory')
    .option('--payloads <file>', 'the payloads too, as JSON lines in a new private file')
    .option('--size <n>', 'the log as it was when it was signed at this size');
  leaf(
    parent,
    'bundle',
    'evidence of a run for somebody else: a page that checks itself, and JSON',
    'writ audit bundle RUN --out claim-7.html',
    async (context, [run], flags) => {
      return (await import('./bundle.js')).bundleRun(context, runOf(run, flags), {
        ...textsIn(flags, 'out', 'payloadLabels', 'old', 'custodian'),
        payloads: flags['payloads'] !== false,
        force: flags['force'] === true,
      });
    },
  )
    .argument('[run]', 'run id')
    .option('--run <id>', 'the same')
    .option('--out <file>', 'the page, ending in .html; the .json is written beside it')
    .option('--no-payloads', 'show no data: entries, decisions and commitments only')
    .option('--payload-labels <labels>', 'show only data under these labels, e.g. input,reason')
    .option('--old <file>', 'an earlier checkpoint: prove that the log has only grown since')
    .option('--custodian <name>', 'who keeps the records, for the certificate')
    .option('--force', 'overwrite files that are there');
  leaf(
    parent,
    'certify',
    'a certificate for a bundle, to be signed by the custodian of the records',
    'writ audit certify RUN --custodian "Maria Ruiz, Records" --out claim-7.txt',
    async (context, [given], flags) => {
      const isNamed = given !== undefined || flags['run'] !== undefined || flags['bundle'] === undefined;
      const run = isNamed ? runOf(given, flags) : null;
      return (await import('./bundle.js')).certifyRun(context, run, {
        ...textsIn(flags, 'out', 'bundle', 'custodian'),
        force: flags['force'] === true,
      });
    },
  )
    .argument('[run]', 'run id (default: the one --bundle is about)')
    .option('--run <id>', 'the same')
    .option('--bundle <file>', "the bundle's .json (default: the newest one made of this run)")
    .option('--custodian <name>', 'who will sign; a blank without it')
    .option('--out <file>', 'where to (default: print it)')
    .option('--force', 'overwrite a file that is there');
  leaf(
    parent,
    'erase',
    "erase payloads of finished runs for good; their commitments stay, and the log's proofs hold",
    'writ audit erase --run RUN --label input --basis "GDPR art. 17, case 2026-31"',
    async (context, _, flags) => {
      const [run, label, basis] = ['run', 'label', 'basis'].map((name) => textOf(flags[name]));
      return (await import('./erase.js')).eraseAudit(context, {
        payload: textsOf(flags['payload']),
        ...(run === undefined ? {} : { run }),
        ...(label === undefined ? {} : { label }),
        expired: flags['expired'] === true,
        ...(basis === undefined ? {} : { basis }),
      });
    },
  )
    .option('--payload <hex>', 'a payload, by its commitment; may be given again', collectText)
    .option('--run <id>', 'all payloads of this run')
    .option('--label <label>', 'with --run: only those with this label (input, output, subject, …)')
    .option('--expired', 'payloads of runs that finished longer ago than the retention')
    .option('--basis <text>', 'why; public, and in the log for ever: name a rule or a case, no person');
  leaf(
    parent,
    'retention',
    'show how long payloads are kept, or change it; every change is logged',
    'writ audit retention --days 365',
    async (context, _, flags) => {
      const [days, override] = [textOf(flags['days']), textOf(flags['overrideMinimum'])];
      return (await import('./retention.js')).showRetention(context, {
        ...(days === undefined ? {} : { days }),
        ...(override === undefined ? {} : { overrideMinimum: override }),
      });
    },
  )
    .option('--days <n>', 'keep payloads this long after their run finished')
    .option(
      '--override-minimum <reason>',
      'why fewer days than the minimum; public, and in the log for ever',
    );
  leaf(
    parent,
    'rotate-key',
    "replace the log's signing key; the old one signs for the new one and is deleted",
    'writ audit rotate-key',
    async (context) => (await import('./rotate.js')).rotateKey(context),
  );
}

function addWitnessCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'serve',
    'cosign checkpoints of logs over HTTP (C2SP tlog-witness), each consistent with the last',
    'writ audit witness serve --log "$(cat writ.vkey)" --key w1.key --state w1.state --listen 127.0.0.1:8090',
    async (context, _, flags) =>
      (await import('./witness.js')).serve(context, {
        log: textsOf(flags['log']),
        state: textOf(flags['state']) ?? '',
        listen: textOf(flags['listen']) ?? '',
      }),
  )
    .option('--log <vkey>', 'key of a log to cosign; may be given again', collectText)
    .requiredOption('--state <file>', 'what this witness has cosigned; never restore it from a copy')
    .requiredOption('--listen <host:port>', 'where to listen, plain HTTP; port 0 takes a free one');
  leaf(
    parent,
    'key',
    'make a witness key and print its vkey',
    'writ audit witness key w1.key --name witness.example.com/w1',
    async (context, [file = ''], flags) =>
      (await import('./witness.js')).makeKey(context, file, textOf(flags['name'])),
  )
    .argument('<file>', 'key file to make, mode 0600')
    .option('--name <name>', 'name of the witness, e.g. witness.example.com/w1');
  leaf(
    parent,
    'vkey',
    'print the vkey of a witness key',
    'writ audit witness vkey w1.key',
    async (context, [file = '']) => (await import('./witness.js')).showVkey(context, file),
  ).argument('<file>', 'key file');
  leaf(
    parent,
    'anchor',
    'have the newest checkpoint cosigned and stamped now',
    'writ audit witness anchor',
    async (context) => (await import('./witness.js')).anchor(context),
  );
  leaf(
    parent,
    'status',
    'what each witness of this log has cosigned, and whether the quorum is met',
    'writ audit witness status',
    async (context) => (await import('./witness.js')).status(context),
  );
}

function addPolicyCommands(parent: Command, leaf: Leaf): void {
  const check = leaf(
    parent,
    'check',
    'may SUBJECT do ACTION on RESOURCE? RBAC and every ceiling of the directory; exit 3 = no',
    'writ policy check user:alice agent.invoke ghcr.io/bank/claims-triage@sha256:… --agent claims-triage',
    async (context, words, flags) =>
      (await import('./policy.js')).checkPolicy(context, words, questionFlags(flags)),
  )
    .argument('<subject>', 'user:NAME, agent:NAME or service:NAME')
    .argument('<action>', 'such as workflow.run or function.invoke')
    .argument('<resource>', 'workflow id, function id, package, …');
  const explain = leaf(
    parent,
    'explain',
    'which rule, layer and field decides a request, or has decided in a run or a step of it',
    'writ policy explain user:bob workflow.run claims-review',
    async (context, words, flags) =>
      (await import('./policy.js')).explainPolicy(context, words, questionFlags(flags)),
  ).argument('<what...>', 'SUBJECT ACTION RESOURCE; or @FILE or JSON of a question; or RUN [STEP]');
  for (const command of [check, explain]) {
    command
      .option('--domain <name>', "tenant (default: the data directory's)", onlyOnce)
      .option('--agent <name>', 'the agent or service that acts for the subject', onlyOnce)
      .option('--sandbox <kind>', 'wasm, docker or none (default: one that the ceilings allow)', onlyOnce)
      .option('--network <host:port>', 'it reaches; may be given again', collectText)
      .option('--credential <name>', 'it uses; may be given again', collectText)
      .option('--label <name>', 'its data carries; may be given again (default: not known)', collectText)
      .option('--timeout-ms <n>', 'it asks for', onlyOnce)
      .option('--memory-mib <n>', 'it asks for', onlyOnce)
      .option('--at <time>', 'when, e.g. 2026-01-31T00:00:00Z (default: now)', onlyOnce);
  }
  leaf(
    parent,
    'lint',
    'what is allowed in the policies and likely a mistake; exit 1 for what can never work',
    'writ policy lint --strict',
    async (context, _, flags) =>
      (await import('./policy-tests.js')).lintHere(context, { strict: flags['strict'] === true }),
  ).option('--strict', 'exit 1 for warnings too');
  leaf(
    parent,
    'test',
    'ask the cases of tests/*.yaml; exit 1 where a verdict is another one',
    'writ policy test --coverage',
    async (context, _, flags) =>
      (await import('./policy-tests.js')).testPolicies(context, {
        coverage: flags['coverage'] === true,
        minCoverage: numberOf(flags['minCoverage']) ?? null,
      }),
  )
    .option('--coverage', 'list the rules that decide no case')
    .option('--min-coverage <percent>', 'exit 1 when fewer rules decide a case', wholeNumber(0, 100));
  leaf(
    parent,
    'diff',
    'which decisions change from one policy directory to another',
    'writ policy diff policies policies.new',
    async (context, words, flags) =>
      (await import('./policy-tests.js')).diffPolicies(context, words, {
        exitCode: flags['exitCode'] === true,
      }),
  )
    .argument('<before>', 'policy directory')
    .argument('<after>', 'policy directory')
    .option('--exit-code', 'exit 1 when anything differs');
  leaf(
    parent,
    'lock',
    'write policies.lock: from now on files that differ from it are refused',
    'writ policy lock --sign --key alice.key',
    async (context, _, flags) =>
      (await import('./policy-lock.js')).lockPolicies(context, { sign: flags['sign'] === true }),
  ).option('--sign', 'sign it with --key');
  leaf(
    parent,
    'verify',
    'check the files against policies.lock, and who signed it',
    'writ policy verify --require-signed-policy 2 --signer ed25519:…',
    async (context, _, flags) =>
      (await import('./policy-lock.js')).verifyPolicies(context, {
        signer: textsOf(flags['signer']),
        requireSignedPolicy: numberOf(flags['requireSignedPolicy']) ?? null,
      }),
  )
    .option('--signer <key>', 'a public key that may sign; may be given again', collectText)
    .option('--require-signed-policy <n>', 'so many of them must have signed', wholeNumber(0, 100));
}

function questionFlags(flags: Flags): QuestionFlags {
  return {
    ...textsIn(flags, 'domain', 'agent', 'sandbox', 'timeoutMs', 'memoryMib', 'at'),
    network: textsOf(flags['network']),
    credential: textsOf(flags['credential']),
    label: textsOf(flags['label']),
  };
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
  leaf(
    parent,
    'token',
    'a bearer token for writ serve, made with your key; it ends after 5 minutes',
    'writ keys token alice.key --audience https://writ.example.com',
    async (context, [file = ''], flags) =>
      (await import('./keys.js')).showToken(context, file, textOf(flags['audience']) ?? ''),
  )
    .argument('<file>', 'key file')
    .requiredOption('--audience <name>', 'what writ serve says at its start');
  leaf(parent, 'list', 'list your keys', 'writ keys list', async (context) =>
    (await import('./keys.js')).listKeys(context),
  );
}

function addSandboxCommands(parent: Command, leaf: Leaf): void {
  const exec = leaf(
    parent,
    'exec',
    'run one program in a sandbox, governed and logged as a step',
    'writ sandbox exec --driver docker --image default --timeout-ms 2000 --json -- sh -c "id; ls -l /"',
    async (context, argv, flags) => {
      const { memoryMib: memoryMiB, diskMib: diskMiB } = textsIn(flags, 'memoryMib', 'diskMib');
      return (await import('./sandbox.js')).execInSandbox(context, argv, {
        driver: flags['driver'] === 'wasm' ? 'wasm' : 'docker',
        ...textsIn(flags, 'image', 'module', 'profile', 'runtime', 'cwd', 'stdin', 'outDir'),
        deterministic: flags['deterministic'] === true,
        egress: textsOf(flags['egress']),
        mount: textsOf(flags['mount']),
        env: textsOf(flags['env']),
        file: textsOf(flags['file']),
        out: textsOf(flags['out']),
        limits: {
          ...textsIn(flags, 'timeoutMs', 'cpuMs', 'cpus', 'pids', 'outputBytes'),
          ...(memoryMiB === undefined ? {} : { memoryMiB }),
          ...(diskMiB === undefined ? {} : { diskMiB }),
        },
      });
    },
  )
    .argument('[argv...]', 'program and arguments, after --; a WASM module gets the arguments')
    .addOption(new Option('--driver <kind>', 'the sandbox').choices(['docker', 'wasm']).makeOptionMandatory())
    .option(
      '--image <image>',
      "docker: a name of docker.yaml, or sha256:… (default: docker.yaml's default)",
      onlyOnce,
    )
    .option(
      '--module <module>',
      'wasm: a shipped module, sha256:… of a kept one, or a FILE.wasm to keep',
      onlyOnce,
    )
    .option('--profile <name>', 'strict, the only one', onlyOnce)
    .option('--runtime <name>', 'docker: the container runtime it must be', onlyOnce)
    .option('--cwd <dir>', 'docker: /work or below', onlyOnce)
    .option('--timeout-ms <n>', 'wall time', onlyOnce)
    .option('--memory-mib <n>', 'memory, files in it included', onlyOnce)
    .option('--output-bytes <n>', 'stdout and stderr together', onlyOnce);
  for (const [flag, what] of [
    ['--cpu-ms', 'CPU time of all processes and threads'],
    ['--cpus', 'docker: cores'],
    ['--pids', 'docker: processes and threads'],
    ['--disk-mib', 'files in /work (wasm: /workspace)'],
  ]) {
    exec.option(`${flag ?? ''} <n>`, what ?? '', onlyOnce);
  }
  exec
    .option('--env <name=value>', 'a variable; may be given again', collectText)
    .option('--file <host=name>', 'put a file into /work (wasm: /workspace); may be given again', collectText)
    .option('--out <pattern>', 'bring files back from there; may be given again', collectText)
    .option('--out-dir <dir>', 'write what --out brought back to this folder', onlyOnce)
    .option(
      '--mount <source:target>',
      'docker: a folder that a ceiling lists, at /mnt/…; :rw to write',
      collectText,
    )
    .option('--egress <host:port>', 'refused: no sandbox has a way out', collectText)
    .option('--deterministic', 'wasm: a clock that stands still, and random bytes from the attempt alone')
    .option('--stdin <file>', 'a file, or - for stdin', onlyOnce);
}

function addSecretCommands(parent: Command, leaf: Leaf): void {
  leaf(parent, 'list', 'list the handles of known secrets', 'writ secrets list', async (context) =>
    (await import('./secrets.js')).listSecrets(context),
  );
  leaf(
    parent,
    'set',
    'make a secret known by a handle; its value comes from stdin and is never stored elsewhere',
    'pass show claims-db | writ secrets set claims-db',
    async (context, [name = '']) => (await import('./secrets.js')).setSecret(context, name),
  ).argument('<name>', 'the handle: letters, digits, dots, hyphens, underscores');
  leaf(
    parent,
    'remove',
    'forget a secret; what was stored by handle stays so',
    'writ secrets remove claims-db',
    async (context, [name = '']) => (await import('./secrets.js')).removeSecret(context, name),
  ).argument('<name>', 'the handle');
}

function addArtifactCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'put',
    'store a file; prints its digest',
    'writ artifact put claims.csv --name claims/2026/open.csv',
    async (context, [file = ''], flags) =>
      (await import('./artifact.js')).putArtifact(context, file, textsIn(flags, 'name')),
  )
    .argument('<file>', 'any file up to 64 MiB; - for stdin')
    .option('--name <bucket/key>', 'the name by which workflows read it; it then refers to this file');
  leaf(
    parent,
    'list',
    'list the names that you may read',
    'writ artifact list claims/2026/',
    async (context, [prefix = '']) => (await import('./artifact.js')).listArtifacts(context, prefix),
  ).argument('[prefix]', 'only names that begin so: a bucket, a / and the beginning of a key');
  leaf(
    parent,
    'get',
    'write the bytes of an artifact to a pipe or a new file',
    'writ artifact get claims/2026/open.csv --out open.csv',
    async (context, [which = ''], flags) =>
      (await import('./artifact.js')).getArtifact(context, which, textsIn(flags, 'out')),
  )
    .argument('<artifact>', 'its name, or sha256: and 64 hex digits')
    .option('--out <file>', 'a new file');
}

function addAgentCommands(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'import',
    "turn AgentOS's agent.toml or HAND.toml into a file of writ, and say what is left out",
    'writ agent import hands/researcher/HAND.toml --out .',
    async (context, [file = ''], flags) =>
      (await import('./agent.js')).importAgentFile(context, file, textsIn(flags, 'out')),
  )
    .argument('<file>', 'agent.toml or HAND.toml')
    .option('--out <dir>', 'write DIR/agents/NAME.yaml or DIR/hands/ID.yaml instead of printing');
  leaf(
    parent,
    'check',
    'check agents, hands and models.yaml beside the policies: all problems in one pass',
    'writ agent check',
    async (context) => (await import('./agent.js')).checkAgentFiles(context),
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

/** As commander says it of a group that does nothing without a verb. */
async function unknownVerb(group: Command, word: string): Promise<WritError> {
  const { closest, distance } = await import('fastest-levenshtein');
  const near = closest(
    word,
    group.commands.map((one) => one.name()),
  );
  const hint = distance(word, near) <= 3 ? `did you mean ${near}?` : 'add --help to see what is possible';
  return new WritError('USAGE', `unknown command '${word}'`, { hint });
}

function decideFlags(flags: Flags): {
  digest?: string;
  reason?: string;
  for?: string;
  breakGlass: boolean;
  continue: boolean;
} {
  const [digest, reason] = [textOf(flags['digest']), textOf(flags['reason'])];
  return {
    ...(digest === undefined ? {} : { digest }),
    ...(reason === undefined ? {} : { reason }),
    ...textsIn(flags, 'for'),
    breakGlass: flags['breakGlass'] === true,
    continue: flags['continue'] !== false,
  };
}

const MOST = Number.MAX_SAFE_INTEGER;

function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,16}$/u.test(value) ? Number(value) : NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(
      most === MOST ? `It is a whole number from ${least} on.` : `It is a whole number, ${least} to ${most}.`,
    );
  };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function itemsOf(flags: Flags): { readonly items?: number } {
  const items = numberOf(flags['items']);
  return items === undefined ? {} : { items };
}

/** A second value would take the place of the first without a word. */
function onlyOnce(value: string, before: unknown): string {
  if (before !== undefined) throw new InvalidArgumentError('The option is given twice.');
  return value;
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

/** Those of the options `names` that were given, as they were given. */
function textsIn<Name extends string>(
  flags: Flags,
  ...names: readonly Name[]
): { readonly [key in Name]?: string } {
  const texts: { [key in Name]?: string } = {};
  for (const name of names) {
    const text = textOf(flags[name]);
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

/** A run named as an argument or with --run, once. */
function runOf(argument: string | undefined, flags: Flags): string {
  const option = textOf(flags['run']);
  const run = argument ?? option;
  if (run !== undefined && (argument === undefined || option === undefined)) return run;
  throw new WritError('USAGE', 'name one run', { hint: 'list them: writ workflow list --runs' });
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
