// `writ workflow create | list | show | status | results | cancel`: everything about workflows and runs that does
// not drive one (run.ts does).
import { WritError } from '../errors.js';
import type { RunRecord, WorkflowRecord } from '../runtime/ports.js';
import type { RunView } from '../runtime/writ.js';
import { whoActs, withPublishedWrit, withWrit, type Context } from './context.js';
import { printable } from './output.js';
import { renderRun, statusWord } from './render-run.js';
import { showRun } from './run.js';
import { renderTable } from './table.js';
import { timeText } from './time-text.js';
import { explainingDiagnostics, looksLikeFile, readWorkflowSource } from './workflow-source.js';

export async function createWorkflow(context: Context, file: string): Promise<number> {
  const { output } = context;
  const source = await readWorkflowSource(file);
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const record = await explainingDiagnostics(output, source, () => writ.createWorkflow(source));
    if (output.json) output.value(summaryOf(record));
    else output.line(printable(record.id));
    output.note(`version ${record.version}, hash ${record.hash}`);
    return 0;
  });
}

export async function listWorkflows(context: Context): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const records = await writ.workflows();
    if (output.json) {
      output.value({ workflows: records.map(summaryOf) });
      return 0;
    }
    if (records.length === 0) {
      output.note('no workflow is registered');
      return 0;
    }
    const rows = records.map((one) => [
      one.id,
      String(one.version),
      one.hash.slice(0, 12),
      timeText(one.createdAtMs),
      one.name,
    ]);
    output.line(renderTable(output.colors, ['id', 'version', 'hash', 'created', 'name'], rows));
    return 0;
  });
}

export async function listRuns(context: Context): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const runs = await writ.runs();
    if (output.json) {
      output.value({ runs: runs.map(runSummary) });
      return 0;
    }
    if (runs.length === 0) {
      output.note('there is no run');
      return 0;
    }
    const rows = runs.map((run) => [
      run.id,
      run.workflowId,
      { styled: statusWord(run.status, output.colors) },
      run.initiator,
      timeText(run.createdAtMs),
    ]);
    output.line(renderTable(output.colors, ['run', 'workflow', 'status', 'initiator', 'started'], rows));
    return 0;
  });
}

export async function showWorkflow(context: Context, id: string): Promise<number> {
  const { output } = context;
  if (looksLikeFile(id)) {
    throw new WritError('USAGE', `${id} is a file, not a workflow id`, {
      hint: 'writ validate checks a file',
    });
  }
  return withWrit(context, async (writ) => {
    const record = await writ.workflow(id);
    if (record === null) {
      throw new WritError('NOT_FOUND', `there is no workflow ${id}`, {
        hint: 'writ workflow list shows them',
      });
    }
    if (output.json) {
      output.value(record);
      return 0;
    }
    output.line(`id         ${printable(record.id)}`);
    output.line(`name       ${printable(record.name)}`);
    output.line(`version    ${record.version}`);
    output.line(`hash       ${record.hash}`);
    output.line(`created    ${timeText(record.createdAtMs)}`);
    if (record.file !== null) output.line(`from       ${printable(record.file)}`);
    output.line();
    output.line(record.source.trimEnd());
    return 0;
  });
}

export async function showStatus(context: Context, runId: string): Promise<number> {
  return withWrit(context, async (writ) => {
    await showRun(context, writ, await writ.status(runId));
    return 0;
  });
}

export async function showResults(context: Context, runId: string): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const view = await writ.results(runId);
    if (output.json) {
      output.value(view);
      return 0;
    }
    output.line(renderRun(context, view, output.colors));
    for (const step of view.steps.filter((one) => one.outputCommitment !== null)) {
      output.line();
      output.line(`${printable(step.name)}:`);
      output.line(dataLines(step));
    }
    output.line();
    output.line('output:');
    output.line(dataLines(view));
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
