// The commands about workflows and runs: `writ workflow …`, and the short forms `writ plan` and `writ run`.
import { type Command, Option } from 'commander';
import { WritError } from '../../errors.js';
import type { Leaf } from './leaf.js';
import {
  MOST,
  agentsOf,
  approverKeyOption,
  collectAgent,
  dataSaid,
  filledOf,
  itemsOf,
  numberOf,
  onlyOnce,
  textOf,
  wholeNumber,
  withData,
  withFormat,
  textsIn,
} from './options.js';

/** Registers them at `parent`. */
export function addWorkflowCommands(parent: Command, leaf: Leaf): void {
  addCreate(parent, leaf);
  const list = addList(parent, leaf);
  withFormat(list);
  addShow(parent, leaf);
  addGraph(parent, leaf);
  addTemplates(parent, leaf);
  addRunCommand(parent, leaf, 'writ workflow run claims-review --input @claim.json');
  addPlanCommand(parent, leaf, 'writ workflow plan claims-review --input @claim.json');
  const status = addStatus(parent, leaf);
  addWatch(parent, leaf);
  const results = addResults(parent, leaf);
  for (const command of [status, results]) {
    withFormat(command);
    command.option(
      '--items <n>',
      'items of a map, or calls of a step, that are told one by one (default: 20)',
      wholeNumber(0, MOST),
    );
  }
  addResume(parent, leaf);
  addRedrive(parent, leaf);
  addGoOn(parent, leaf);
  addCancel(parent, leaf);
}

function addCreate(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'create',
    'register a workflow; prints its id',
    'writ workflow create workflow.yaml',
    async (context, [file = ''], flags) => {
      if (flags['validate'] === true)
        return (await import('../workflow/validate.js')).validateFiles(context, [file]);
      return (await import('../workflow/workflow.js')).createWorkflow(context, file);
    },
  )
    .argument('<file>', 'workflow file, YAML or JSON')
    .option('--validate', 'check only, register nothing');
}

function addList(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'list',
    'list registered workflows, or runs',
    'writ workflow list --runs',
    async (context, _, flags) => {
      const { listRuns, listWorkflows } = await import('../workflow/workflow.js');
      const page = { limit: numberOf(flags['limit']) ?? 50, offset: numberOf(flags['offset']) ?? 0 };
      return flags['runs'] === true ? listRuns(context, page) : listWorkflows(context, page);
    },
  )
    .option('--runs', 'list runs instead, newest first')
    .option('--limit <n>', 'at most so many, 1 to 500 (default: 50)', wholeNumber(1, 500))
    .option('--offset <n>', 'after the first n (default: 0)', wholeNumber(0, MOST));
}

function addShow(parent: Command, leaf: Leaf): void {
  withFormat(
    leaf(
      parent,
      'show',
      'show a registered workflow',
      'writ workflow show claims-review',
      async (context, [id = '']) => (await import('../workflow/workflow.js')).showWorkflow(context, id),
    ).argument('<id>', 'workflow id'),
  );
}

function addGraph(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'graph',
    'draw a workflow, or a run with its outcomes, as Mermaid text or SVG',
    'writ workflow graph workflow.yaml --format svg > workflow.svg',
    async (context, [workflow = ''], flags) =>
      (await import('../run/graph.js')).drawGraph(
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
}

function addTemplates(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'templates',
    'list the workflows that ship with writ, or print one as YAML',
    'writ workflow templates feature-build > feature-build.yaml',
    async (context, [name]) => (await import('../workflow/templates.js')).showTemplates(context, name),
  ).argument('[name]', 'template to print');
}

function addStatus(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'status',
    'show a run',
    'writ workflow status RUN',
    async (context, [run = ''], flags) =>
      (await import('../workflow/workflow.js')).showStatus(context, run, itemsOf(flags)),
  ).argument('<run>', 'run id');
}

function addWatch(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'watch',
    'follow a run to its end, with its exit code: live on a terminal, else one JSON object a line',
    'writ workflow watch RUN',
    async (context, [run = '']) => (await import('../run/watch.js')).watchRun(context, run),
  ).argument('<run>', 'run id');
}

function addResults(parent: Command, leaf: Leaf): Command {
  return leaf(
    parent,
    'results',
    "show a run with its steps' outputs",
    'writ workflow results RUN --json',
    async (context, [run = ''], flags) =>
      (await import('../workflow/workflow.js')).showResults(context, run, itemsOf(flags)),
  ).argument('<run>', 'run id');
}

function addResume(parent: Command, leaf: Leaf): void {
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
        return (await import('../run/run.js')).resumeAll(context);
      }
      const approverKey = filledOf(flags['approverKey']);
      return (await import('../run/run.js')).resumeRun(context, run, {
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
}

function addRedrive(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'redrive',
    'go on with a run that failed, was refused or cancelled: what has succeeded is not run again',
    'writ workflow redrive RUN',
    async (context, [run = ''], flags) => {
      const approverKey = filledOf(flags['approverKey']);
      return (await import('../run/run.js')).redriveRun(context, run, {
        rerunLost: flags['rerunLost'] === true,
        ...(approverKey === undefined ? {} : { approverKey }),
      });
    },
  )
    .argument('<run>', 'run id')
    .option('--rerun-lost', 'make attempts whose outcome is not known again, too')
    .addOption(approverKeyOption());
}

function addGoOn(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'go-on',
    'what the process of a detached run does',
    'writ workflow run claims-review --detach',
    async (context, [run = '']) => (await import('../run/background.js')).goOn(context, run),
    { hidden: true },
  ).argument('<run>', 'run id');
}

function addCancel(parent: Command, leaf: Leaf): void {
  leaf(
    parent,
    'cancel',
    'stop a run; its open approval requests are withdrawn',
    'writ workflow cancel RUN',
    async (context, [run = '']) => (await import('../workflow/workflow.js')).cancelRun(context, run),
  ).argument('<run>', 'run id');
}

/** Registers them at `parent`. */
export function addPlanCommand(parent: Command, leaf: Leaf, example: string): void {
  const plan = leaf(
    parent,
    'plan',
    'show what would run, what decides each step and what needs approval; runs and writes nothing',
    example,
    async (context, [workflow = ''], flags) =>
      (await import('../run/plan.js')).planWorkflow(context, workflow, {
        ...textsIn(flags, 'input'),
        ...dataSaid(flags),
        agent: agentsOf(flags['agent']),
      }),
  )
    .argument('<workflow>', 'id of a registered workflow, or a file (with / or .yaml, .yml, .json)')
    .option('--input <json>', 'the input: JSON, @FILE or @- for stdin')
    .option('--agent <role=instance>', 'who fills a role; may be given again', collectAgent);
  withData(plan);
}

/** Registers them at `parent`. */
export function addRunCommand(parent: Command, leaf: Leaf, example: string): void {
  const run = leaf(
    parent,
    'run',
    'start a run and drive it until it ends or waits for a person',
    example,
    async (context, [workflow = ''], flags) => {
      const input = textOf(flags['input']);
      const approverKey = filledOf(flags['approverKey']);
      return (await import('../run/run.js')).runWorkflow(context, workflow, {
        ...(input === undefined ? {} : { input }),
        ...(approverKey === undefined ? {} : { approverKey }),
        agent: agentsOf(flags['agent']),
        ...dataSaid(flags),
        detach: flags['detach'] === true,
      });
    },
  )
    .argument('<workflow>', 'id of a registered workflow, or a file (with / or .yaml, .yml, .json)')
    .option('--input <json>', 'the input: JSON, @FILE or @- for stdin')
    .option('--agent <role=instance>', 'who fills a role; may be given again', collectAgent)
    .option('--detach', 'return as soon as the start is durable; a process in the background goes on')
    .addOption(approverKeyOption());
  withData(run);
}
