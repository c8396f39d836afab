// `writ workflow create | list | show | status | results | cancel`: everything about workflows and runs that does
// not drive one (run.ts does).
import { WritError } from '../../errors.js';
import { notFound } from '../../runtime/not-found.js';
import type { RunRecord, WorkflowRecord } from '../../runtime/ports.js';
import type { RunView, StepView } from '../../runtime/writ.js';
import { whoActs, withPublishedWrit, withWrit, widthOf, type Context } from '../context.js';
import { printable, shortReference } from '../output.js';
import { renderResults, statusWord } from '../run/render.js';
import { showRun } from '../run/run.js';
import { runJson } from '../run/json.js';
import { renderTable } from '../table.js';
import { timeText } from '../time-text.js';
import { explainingDiagnostics, looksLikeFile, readWorkflowSource } from './source.js';

export async function createWorkflow(context: Context, file: string): Promise<number> {
  const { output } = context;
  const source = await readWorkflowSource(file);
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const principal = await whoActs(context, writ);
    const record = await explainingDiagnostics(output, source, () => writ.createWorkflow(source, principal));
    if (output.json) output.value(summaryOf(record));
    else output.line(printable(record.id));
    output.note(`version ${record.version}, hash ${record.hash}`);
    return 0;
  });
}

/** Part of a list; as `workflow::list` of the library. */
export interface PageFlags {
  readonly limit: number;
  readonly offset: number;
}

export async function listWorkflows(context: Context, page: PageFlags): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const { workflows, total } = await writ.workflowsPage(page);
    if (output.json) {
      output.value({ workflows: workflows.map(summaryOf), total, ...page });
      return 0;
    }
    const rows = workflows.map((one) => [
      one.id,
      String(one.version),
      one.hash.slice(0, 12),
      timeText(one.createdAtMs),
      one.name,
    ]);
    showPage(context, ['id', 'version', 'hash', 'created', 'name'], rows, {
      ...page,
      total,
      none: 'no workflow is registered',
    });
    return 0;
  });
}

/** Newest first. */
export async function listRuns(context: Context, page: PageFlags): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const { runs, total } = await writ.runsPage(page);
    if (output.json) {
      output.value({ runs: runs.map(runSummary), total, ...page });
      return 0;
    }
    const rows = runs.map((run) => [
      run.id,
      run.workflowId,
      { styled: statusWord(run.status, output.colors) },
      run.initiator,
      timeText(run.createdAtMs),
    ]);
    showPage(context, ['run', 'workflow', 'status', 'initiator', 'started'], rows, {
      ...page,
      total,
      none: 'there is no run',
    });
    return 0;
  });
}

function showPage(
  { output }: Context,
  head: readonly string[],
  rows: Parameters<typeof renderTable>[2],
  { limit, offset, total, none }: PageFlags & { readonly total: number; readonly none: string },
): void {
  if (total === 0) output.note(none);
  if (rows.length > 0) output.line(renderTable(output.colors, head, rows));
  const end = offset + rows.length;
  if (total > rows.length) {
    const more = end < total ? `; more: --offset ${offset + limit}` : '';
    output.note(`${rows.length === 0 ? 'none' : `${offset + 1} to ${end}`} of ${total}${more}`);
  }
}

export async function showWorkflow(context: Context, id: string): Promise<number> {
  const { output } = context;
  if (looksLikeFile(id)) {
    throw new WritError('USAGE', `${id} is a file, not a workflow id`, {
      hint: 'writ validate checks a file',
    });
  }
  return withWrit(context, async (writ) => {
    const view = await writ.workflowView(id);
    if (view === null) throw notFound('workflow', id);
    const { record, versions, steps, diagnostics } = view;
    if (output.json) {
      output.value({ ...record, versions, steps, diagnostics });
      return 0;
    }
    output.line(`id         ${printable(record.id)}`);
    output.line(`name       ${printable(record.name)}`);
    output.line(`version    ${record.version}${versions.length > 1 ? ` of ${versions.length}` : ''}`);
    output.line(`hash       ${record.hash}`);
    output.line(`created    ${timeText(record.createdAtMs)}`);
    if (record.file !== null) output.line(`from       ${printable(record.file)}`);
    for (const one of versions.slice(0, -1).reverse().slice(0, OLDER_SHOWN)) {
      output.line(
        `before     version ${one.version}, ${one.hash.slice(0, 12)}, ${timeText(one.createdAtMs)}`,
      );
    }
    for (const { severity, code, message } of diagnostics) {
      output.line(`${severity.padEnd(11)}${code}: ${printable(message)}`);
    }
    const rows = steps.flatMap(({ kind, name, mode, calls, principal }) =>
      kind === 'task' ? [[name, mode ?? '', shortReference(calls ?? ''), principal ?? '-']] : [],
    );
    output.line();
    if (rows.length > 0) output.line(renderTable(output.colors, ['step', 'mode', 'calls', 'as'], rows));
    output.line();
    output.line(record.source.trimEnd());
    return 0;
  });
}

/** Earlier versions that are told; --json tells all. */
const OLDER_SHOWN = 5;

/** How many items of a map, or calls of a step, are told one by one. */
export interface ItemsFlag {
  readonly items?: number;
}

function nestedOf({ items }: ItemsFlag): { readonly nested?: number } {
  return items === undefined ? {} : { nested: items };
}

export async function showStatus(context: Context, runId: string, flags: ItemsFlag = {}): Promise<number> {
  return withWrit(context, async (writ) => {
    await showRun(context, writ, await writ.status(runId, nestedOf(flags)));
    return 0;
  });
}

/** One result for each step (AgentOS page). */
export async function showResults(context: Context, runId: string, flags: ItemsFlag = {}): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const view = await writ.results(runId, nestedOf(flags));
    if (output.json) {
      output.value(runJson(view));
      return 0;
    }
    output.line(renderResults(context, view, output.colors, widthOf(context)));
    const isTold = (one: StepView): boolean => one.outputCommitment !== null || one.output !== null;
    for (const step of view.steps.filter(isTold)) {
      output.line();
      output.line(`${printable(step.name)}:`);
      output.line(dataLines(step));
    }
    // `null` is what a run gives only when it has come to its end.
    if (view.status === 'completed' || view.output !== null || view.outputErasedBy !== undefined) {
      output.line();
      output.line('output:');
      output.line(dataLines(view));
    }
    return 0;
  });
}

export async function cancelRun(context: Context, runId: string): Promise<number> {
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const view = await writ.cancel(runId, await whoActs(context, writ));
    await showRun(context, writ, view);
    return 0;
  });
}

function dataLines({ output, outputErasedBy }: Pick<RunView, 'output' | 'outputErasedBy'>): string {
  return outputErasedBy === undefined ? jsonLines(output) : `  (erased, entry ${outputErasedBy})`;
}

function jsonLines(value: unknown): string {
  return JSON.stringify(value, null, 2)
    .split('\n')
    .map((line) => `  ${printable(line)}`)
    .join('\n');
}

function summaryOf(record: WorkflowRecord): Omit<WorkflowRecord, 'source'> {
  const { source: _source, ...summary } = record;
  return summary;
}

/** Without plan and snapshot, which are nobody's contract. */
function runSummary(run: RunRecord): Omit<RunRecord, 'plan' | 'state' | 'version'> {
  const { plan: _plan, state: _state, version: _version, ...summary } = run;
  return summary;
}
