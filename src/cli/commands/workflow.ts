// The commands about workflows and runs: `writ workflow …`, and the short forms `writ plan` and `writ run`.
import { Option } from 'commander';
import { WritError } from '../../errors.js';
import {
  APPROVER_KEY,
  FORMAT,
  MOST,
  agentsOf,
  approverKeyIn,
  collectAgent,
  dataOptions,
  dataSaid,
  itemsOf,
  numberOf,
  textsIn,
  wholeNumber,
} from './options.js';
import type { Group, OptionRow, Verb } from './verb.js';

const ITEMS: OptionRow = [
  '--items <n>',
  'items of a map, or calls of a step, that are told one by one (default: 20)',
  wholeNumber(0, MOST),
];

/** What `plan` and `run` are asked about. */
const WORKFLOW = [
  '<workflow>',
  'id of a registered workflow, or a file (with / or .yaml, .yml, .json)',
] as const;
const START: readonly OptionRow[] = [
  ['--input <json>', 'the input: JSON, @FILE or @- for stdin'],
  ['--agent <role=instance>', 'who fills a role; may be given again', collectAgent],
];

export const plan: Verb = {
  name: 'plan',
  does: 'show what would run, what decides each step and what needs approval; runs and writes nothing',
  example: 'writ plan workflow.yaml --input @input.json',
  words: [WORKFLOW],
  options: [...START, ...dataOptions('input')],
  action: async (context, [workflow = ''], flags) =>
    (await import('../run/plan.js')).planWorkflow(context, workflow, {
      ...textsIn(flags, 'input'),
      ...dataSaid(flags),
      agent: agentsOf(flags['agent']),
    }),
};

export const run: Verb = {
  name: 'run',
  does: 'start a run and drive it until it ends or waits for a person',
  example: 'writ run workflow.yaml --input \'{"claim": {"id": "C-1"}}\'',
  words: [WORKFLOW],
  options: [
    ...START,
    ['--detach', 'return as soon as the start is durable; a process in the background goes on'],
    APPROVER_KEY,
    ...dataOptions('input'),
  ],
  action: async (context, [workflow = ''], flags) =>
    (await import('../run/run.js')).runWorkflow(context, workflow, {
      ...textsIn(flags, 'input'),
      ...approverKeyIn(flags),
      ...dataSaid(flags),
      agent: agentsOf(flags['agent']),
      detach: flags['detach'] === true,
    }),
};

export const workflowCommands: Group = {
  name: 'workflow',
  does: 'create, run and look at workflows',
  example: 'writ workflow run workflow.yaml --input @input.json',
  verbs: [
    {
      name: 'create',
      does: 'register a workflow; prints its id',
      example: 'writ workflow create workflow.yaml',
      words: [['<file>', 'workflow file, YAML or JSON']],
      options: [['--validate', 'check only, register nothing']],
      action: async (context, [file = ''], flags) =>
        flags['validate'] === true
          ? (await import('../workflow/validate.js')).validateFiles(context, [file])
          : (await import('../workflow/workflow.js')).createWorkflow(context, file),
    },
    {
      name: 'list',
      does: 'list registered workflows, or runs',
      example: 'writ workflow list --runs',
      options: [
        ['--runs', 'list runs instead, newest first'],
        ['--limit <n>', 'at most so many, 1 to 500 (default: 50)', wholeNumber(1, 500)],
        ['--offset <n>', 'after the first n (default: 0)', wholeNumber(0, MOST)],
        FORMAT,
      ],
      action: async (context, _, flags) => {
        const { listRuns, listWorkflows } = await import('../workflow/workflow.js');
        const page = { limit: numberOf(flags['limit']) ?? 50, offset: numberOf(flags['offset']) ?? 0 };
        return flags['runs'] === true ? listRuns(context, page) : listWorkflows(context, page);
      },
    },
    {
      name: 'show',
      does: 'show a registered workflow',
      example: 'writ workflow show claims-review',
      words: [['<id>', 'workflow id']],
      options: [FORMAT],
      action: async (context, [id = '']) =>
        (await import('../workflow/workflow.js')).showWorkflow(context, id),
    },
    {
      name: 'graph',
      does: 'draw a workflow, or a run with its outcomes, as Mermaid text or SVG',
      example: 'writ workflow graph workflow.yaml --format svg > workflow.svg',
      words: [
        ['<workflow>', 'a file (with / or .yaml, .yml, .json), a run, or the id of a registered workflow'],
      ],
      options: [new Option('--format <form>', 'form').choices(['mermaid', 'svg']).default('mermaid')],
      action: async (context, [workflow = ''], flags) =>
        (await import('../run/graph.js')).drawGraph(
          context,
          workflow,
          flags['format'] === 'svg' ? 'svg' : 'mermaid',
        ),
    },
    {
      name: 'templates',
      does: 'list the workflows that ship with writ, or print one as YAML',
      example: 'writ workflow templates feature-build > feature-build.yaml',
      words: [['[name]', 'template to print']],
      action: async (context, [name]) =>
        (await import('../workflow/templates.js')).showTemplates(context, name),
    },
    { ...run, example: 'writ workflow run claims-review --input @claim.json' },
    { ...plan, example: 'writ workflow plan claims-review --input @claim.json' },
    {
      name: 'status',
      does: 'show a run',
      example: 'writ workflow status RUN',
      words: [['<run>', 'run id']],
      options: [FORMAT, ITEMS],
      action: async (context, [runId = ''], flags) =>
        (await import('../workflow/workflow.js')).showStatus(context, runId, itemsOf(flags)),
    },
    {
      name: 'watch',
      does: 'follow a run to its end, with its exit code: live on a terminal, else one JSON object a line',
      example: 'writ workflow watch RUN',
      words: [['<run>', 'run id']],
      action: async (context, [runId = '']) => (await import('../run/watch.js')).watchRun(context, runId),
    },
    {
      name: 'results',
      does: "show a run with its steps' outputs",
      example: 'writ workflow results RUN --json',
      words: [['<run>', 'run id']],
      options: [FORMAT, ITEMS],
      action: async (context, [runId = ''], flags) =>
        (await import('../workflow/workflow.js')).showResults(context, runId, itemsOf(flags)),
    },
    {
      name: 'resume',
      does: 'go on with a run that waited, was interrupted or lost an attempt',
      example: 'writ workflow resume RUN',
      words: [['[run]', 'run id; without it, every run that was interrupted or decided meanwhile']],
      options: [
        ['--from <step>', 'the step that it stands at: a lost attempt of it runs again'],
        ['--rerun-lost', 'run an attempt whose outcome is not known again'],
        ['--fail-lost', 'count an attempt whose outcome is not known as failed'],
        APPROVER_KEY,
      ],
      action: async (context, [runId], flags) => {
        if (runId !== undefined) {
          return (await import('../run/run.js')).resumeRun(context, runId, {
            ...textsIn(flags, 'from'),
            ...approverKeyIn(flags),
            rerunLost: flags['rerunLost'] === true,
            failLost: flags['failLost'] === true,
          });
        }
        if (['rerunLost', 'failLost', 'from'].some((name) => flags[name] !== undefined)) {
          throw new WritError(
            'USAGE',
            'where a run goes on, and what becomes of a lost attempt, is said for one run',
            { hint: 'name the run: writ workflow resume RUN --rerun-lost' },
          );
        }
        return (await import('../run/run.js')).resumeAll(context);
      },
    },
    {
      name: 'redrive',
      does: 'go on with a run that failed, was refused or cancelled: what has succeeded is not run again',
      example: 'writ workflow redrive RUN',
      words: [['<run>', 'run id']],
      options: [['--rerun-lost', 'make attempts whose outcome is not known again, too'], APPROVER_KEY],
      action: async (context, [runId = ''], flags) =>
        (await import('../run/run.js')).redriveRun(context, runId, {
          ...approverKeyIn(flags),
          rerunLost: flags['rerunLost'] === true,
        }),
    },
    {
      name: 'go-on',
      does: 'what the process of a detached run does',
      example: 'writ workflow run claims-review --detach',
      isHidden: true,
      words: [['<run>', 'run id']],
      action: async (context, [runId = '']) => (await import('../run/background.js')).goOn(context, runId),
    },
    {
      name: 'cancel',
      does: 'stop a run; its open approval requests are withdrawn',
      example: 'writ workflow cancel RUN',
      words: [['<run>', 'run id']],
      action: async (context, [runId = '']) =>
        (await import('../workflow/workflow.js')).cancelRun(context, runId),
    },
  ],
};
