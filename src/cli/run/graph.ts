// `writ workflow graph FILE|RUN|ID`: the picture of a workflow, or of a run with what became of its steps.
import { WritError } from '../../errors.js';
import { stepStatus, type StepStatus } from '../../runtime/view/step-status.js';
import type { RunView, StepView, Writ } from '../../runtime/writ.js';
import type { GraphOutcome, Plan } from '../../workflow/index.js';
import { withWrit, type Context } from '../context.js';
import { looksLikeFile, explainingDiagnostics, readWorkflowSource } from '../workflow/source.js';

/** Items and calls of one step that are looked at: what all of them came to is told of the step itself. */
const NESTED = 1_000;

interface Drawn {
  readonly plan: Plan;
  readonly outcomes: ReadonlyMap<string, GraphOutcome>;
}

/** The picture on stdout, as text; with --json as `{format, graph}`. */
export async function drawGraph(
  context: Context,
  workflow: string,
  format: 'mermaid' | 'svg',
): Promise<number> {
  const { output } = context;
  const { plan, outcomes } = looksLikeFile(workflow)
    ? await ofFile(context, workflow)
    : await withWrit(context, (writ) => ofRunOrWorkflow(writ, workflow), { drives: false, asksOnly: true });
  const { graphOf, toMermaid, toSvg } = await import('../../workflow/index.js');
  const graph = graphOf(plan, outcomes);
  const drawn = format === 'svg' ? toSvg(graph) : toMermaid(graph);
  if (output.json) output.value({ format, graph: drawn });
  else output.line(drawn.trimEnd());
  return 0;
}

/** Functions need not be registered: nothing is called. */
async function ofFile({ output }: Context, file: string): Promise<Drawn> {
  const source = await readWorkflowSource(file);
  return explainingDiagnostics(output, source, async () => ({
    plan: await compiled(source.text, file),
    outcomes: new Map(),
  }));
}

async function compiled(text: string, file: string | null): Promise<Plan> {
  const { parseWorkflow } = await import('../../workflow/index.js');
  const { plan, diagnostics } = parseWorkflow(text, { functions: 'any', ...(file === null ? {} : { file }) });
  if (plan !== null) return plan;
  throw new WritError('DOC_INVALID', `${file ?? 'the workflow'} is invalid`, { details: { diagnostics } });
}

async function ofRunOrWorkflow(writ: Writ, id: string): Promise<Drawn> {
  const run = await found(() => writ.status(id, { nested: NESTED }));
  if (run !== null) {
    const plan = await writ.compiled(id);
    return { plan, outcomes: withStandings(outcomesOf(run), plan, await writ.standings(id)) };
  }
  const view = await writ.workflowView(id);
  if (view !== null)
    return { plan: await compiled(view.record.source, view.record.file), outcomes: new Map() };
  throw new WritError('NOT_FOUND', `there is no run and no workflow ${JSON.stringify(id)}`, {
    hint: 'writ workflow list --runs shows runs; a file has a / or ends in .yaml, .yml or .json',
  });
}

async function found<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof WritError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

/** The most telling of what became of a state that was entered more than once. */
const TELLING: readonly GraphOutcome[] = [
  'indeterminate',
  'failed',
  'waiting',
  'running',
  'cancelled',
  'completed',
  'skipped',
];

function outcomesOf(run: RunView): ReadonlyMap<string, GraphOutcome> {
  const outcomes = new Map<string, GraphOutcome>();
  const tell = (name: string, outcome: GraphOutcome | null): void => {
    const before = outcomes.get(name);
    if (outcome === null) return;
    if (before === undefined || TELLING.indexOf(outcome) < TELLING.indexOf(before))
      outcomes.set(name, outcome);
  };
  const visit = (step: StepView): void => {
    tell(step.name, outcomeOf(stepStatus(step.status)));
    step.nested?.forEach(visit);
  };
  run.steps.forEach(visit);
  return outcomes;
}

/** And of states that call nothing; one that failed with what its call gave has failed, though the call has not. */
function withStandings(
  byName: ReadonlyMap<string, GraphOutcome>,
  plan: Plan,
  standings: ReadonlyMap<string, StepStatus>,
): ReadonlyMap<string, GraphOutcome> {
  const outcomes = new Map(byName);
  for (const [key, status] of standings) {
    const outcome = outcomeOf(status);
    const told = byName.get(key) ?? byName.get(plan.nodes[key]?.name ?? '');
    const isMore = told === undefined || (told === 'completed' && outcome === 'failed');
    if (isMore && outcome !== null) outcomes.set(key, outcome);
  }
  return outcomes;
}

function outcomeOf(status: StepStatus): GraphOutcome | null {
  return status === 'pending' ? null : status;
}
