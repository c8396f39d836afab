// `writ workflow run` and `resume`: start durably, then drive in this process, showing what was committed. Where the
// run waits for a person, that person is asked here if they sit at this terminal; otherwise the exact command to
// decide is printed and the process ends, for a waiting run needs no process.
import { openLocks } from '../../adapters/store/locks.js';
import { isServed } from '../../adapters/store/serving.js';
import { pathsOf } from '../../data-directory.js';
import { WritError } from '../../errors.js';
import type { ApprovalRecord } from '../../runtime/ports.js';
import type { DataDeclaration } from '../../runtime/run/data.js';
import type { Principal, RunView, StartRequest, Writ } from '../../runtime/writ.js';
import { askDuringRun, type Asked, type Session } from '../approvals/approver.js';
import { commandLine } from '../command-line.js';
import {
  canRedraw,
  isInteractive,
  whoActs,
  withPublishedWrit,
  untilSignal,
  widthOf,
  type Context,
} from '../context.js';
import { noteFailure, withPlace } from '../failure.js';
import { printable, type Output } from '../output.js';
import { showProgress } from './show-progress.js';
import { renderPending, renderRun, renderState } from './render.js';
import { readRunInput } from './input.js';
import { runJson } from './json.js';
import { explainingDiagnostics, looksLikeFile, readWorkflowSource } from '../workflow/source.js';

export interface RunFlags {
  readonly input?: string;
  readonly agent: Readonly<Record<string, string>>;
  /** What the input carries; absent = nothing is said. */
  readonly data?: DataDeclaration;
  readonly detach?: boolean;
  readonly approverKey?: string;
}

export async function runWorkflow(context: Context, workflow: string, flags: RunFlags): Promise<number> {
  const { output } = context;
  const source = looksLikeFile(workflow) ? await readWorkflowSource(workflow) : null;
  const input = await readRunInput(flags.input, context.stdin);
  const { data } = flags;
  const said = data === undefined ? {} : { data };
  const request = { workflow: source ?? workflow, input, agents: flags.agent, ...said };
  const explained = <T>(start: () => Promise<T>): Promise<T> =>
    source === null ? start() : explainingDiagnostics(output, source, start);
  if (flags.detach === true) return runDetached(context, request, explained);
  return drive(context, flags, async (writ, initiator) => {
    const runId = await explained(() => startOrGoOn(context, writ, { request, initiator }));
    tellRunId(output, runId);
    return runId;
  });
}

/**
 * Drives the run that `begin` starts, or makes go on. Whoever may be asked at this terminal is known first: a key that
 * can't be read starts nothing.
 */
async function drive(
  context: Context,
  { approverKey }: { readonly approverKey?: string },
  begin: (writ: Writ, principal: Principal) => Promise<string>,
): Promise<number> {
  return withPublishedWrit(context, { drives: true }, async (writ) => {
    const principal = await whoActs(context, writ);
    const person = approverKey === undefined ? principal : await whoActs(context, writ, approverKey);
    const approver = isInteractive(context) ? person : null;
    return follow({ context, writ, runId: await begin(writ, principal), approver });
  });
}

/** First of all, before anything runs: whoever reads this can find the run whatever happens. */
function tellRunId(output: Output, runId: string): void {
  if (output.json) output.note(`run ${printable(runId)}`);
  else output.line(printable(runId));
}

/** The start is durable when this process ends; another one goes on with it. */
async function runDetached(
  context: Context,
  request: StartRequest,
  explained: (start: () => Promise<string>) => Promise<string>,
): Promise<number> {
  const { output } = context;
  const view = await withPublishedWrit(context, { drives: false }, async (writ) => {
    const initiator = await whoActs(context, writ);
    const runId = await explained(() => writ.start(request, initiator));
    tellRunId(output, runId);
    return writ.status(runId);
  });
  const { goOnInBackground } = await import('./background.js');
  const { log } = await goOnInBackground(context, view.id);
  if (output.json) output.value(runJson(view));
  output.note(`goes on in the background; what it tells is in ${printable(log)}`);
  output.note(`follow it: ${commandLine(context, 'workflow', 'watch', view.id)}`);
  return 0;
}

/** The same start again after a crash goes on with the run it made, instead of doing everything twice. */
async function startOrGoOn(
  context: Context,
  writ: Writ,
  { request, initiator }: { readonly request: StartRequest; readonly initiator: Principal },
): Promise<string> {
  const interrupted = await writ.interrupted(request, initiator);
  if (interrupted === null) return writ.start(request, initiator);
  await writ.resume(interrupted, initiator);
  context.output.note(`goes on with run ${printable(interrupted)}, which was interrupted`);
  return interrupted;
}

export interface ResumeFlags {
  readonly rerunLost?: boolean;
  readonly failLost?: boolean;
  /** The step that the run stands at. */
  readonly from?: string;
  readonly approverKey?: string;
}

export async function resumeRun(context: Context, runId: string, flags: ResumeFlags): Promise<number> {
  if (flags.rerunLost === true && flags.failLost === true) {
    throw new WritError('USAGE', '--rerun-lost and --fail-lost exclude each other', {
      hint: 'give one of them',
    });
  }
  return drive(context, flags, async (writ, principal) => {
    const lost = flags.rerunLost === true ? 'rerun' : flags.failLost === true ? 'fail' : null;
    const from = flags.from === undefined ? {} : { from: flags.from };
    await writ.resume(runId, principal, { ...(lost === null ? {} : { lost }), ...from });
    return runId;
  });
}

export interface RedriveFlags {
  readonly rerunLost?: boolean;
  readonly approverKey?: string;
}

/** A run that ended without success goes on where it stood, as `resumeRun` drives it. */
export async function redriveRun(context: Context, runId: string, flags: RedriveFlags): Promise<number> {
  return drive(context, flags, async (writ, principal) => {
    await writ.redrive(runId, principal, flags.rerunLost === true ? { lost: 'rerun' } : {});
    return runId;
  });
}

/**
 * Every run that a crash interrupted or whose decision has come meanwhile: each as far as it goes, nobody is asked.
 * Exit 6 when one lacks its witnesses, 10 when one waits for a person, 1 when one failed or needs a choice, else 0.
 */
export async function resumeAll(context: Context): Promise<number> {
  const { output } = context;
  return withPublishedWrit(context, { drives: true }, async (writ) => {
    const principal = await whoActs(context, writ);
    const views: RunView[] = [];
    let unwitnessed = false;
    const interrupted = await untilSignal(async (signal) => {
      for (const { id } of await writ.unfinishedRuns()) {
        if (signal.aborted) return;
        const held = await goOnWith({ context, writ, runId: id }, principal, signal);
        unwitnessed ||= held?.code === 'AUDIT_WITNESS_UNAVAILABLE';
        views.push(await writ.status(id));
      }
    });
    if (output.json) output.value({ runs: views.map(runJson) });
    else for (const view of views) output.line(`${printable(view.id)}  ${view.status}`);
    if (views.length === 0) output.note('no run is unfinished');
    const codes = views.map((view) => view.exitCode);
    if (interrupted !== null || unwitnessed) return interrupted ?? 6;
    return codes.includes(10) ? 10 : Math.min(1, Math.max(0, ...codes));
  });
}

/** One of many: what this run can't do is said (and given back), and the others go on. */
async function goOnWith(
  { context, writ, runId }: Omit<DrivenRun, 'approver'>,
  principal: Principal,
  signal: AbortSignal,
): Promise<WritError | null> {
  const stop = await showProgress(context, writ, runId);
  try {
    await writ.resume(runId, principal);
    await writ.drive(runId, { stopAt: 'waiting', signal });
    return null;
  } catch (thrown) {
    const error = withPlace(context, runId, thrown);
    if (!(error instanceof WritError) || (error.kind === 'fatal' && error.code !== 'INTERNAL')) throw error;
    noteFailure(context.output, error, 'warning');
    return error;
  } finally {
    stop();
  }
}

/** A run that goes on in this process. */
export interface DrivenRun {
  readonly context: Context;
  readonly writ: Writ;
  readonly runId: string;
  /** Who is asked at this terminal; null where nobody can be. */
  readonly approver: Principal | null;
}

/** How the run goes on: as rows of this terminal where it redraws, else as lines on stderr. */
async function openProgress(
  { context, writ, runId }: DrivenRun,
  interrupt: () => void,
): Promise<{ close(): Promise<void> }> {
  if (canRedraw(context)) {
    const { openLiveRun } = await import('./live-run.js');
    const foot = 'Ctrl+C stops it here; it can be resumed';
    return openLiveRun(context, writ, { runId, foot, onInterrupt: interrupt });
  }
  const stop = await showProgress(context, writ, runId);
  return { close: async () => stop() };
}

/** Drives until the run ends or waits for a person who is not here. Gives the exit code. */
export async function follow(run: DrivenRun): Promise<number> {
  const { context, writ, runId, approver } = run;
  const left = new Set<string>();
  const interrupted = await untilSignal(async (signal, interrupt) => {
    for (let next: Asked['outcome'] = 'changed'; next === 'changed' || next === 'recorded';) {
      const shown = await openProgress(run, interrupt);
      try {
        await writ.drive(runId, { stopAt: 'waiting', signal });
      } finally {
        await shown.close();
      }
      if (signal.aborted) return;
      next = approver === null ? 'left' : await askAbout({ context, writ, approver, signal }, runId, left);
      if (next === 'interrupted' && !signal.aborted) interrupt();
    }
  }).catch((error: unknown) => {
    throw withPlace(context, runId, error);
  });
  const view = context.output.json ? await writ.results(runId) : await writ.status(runId);
  if (interrupted !== null) await noteInterrupted(context, view);
  await showRun(context, writ, view);
  return interrupted ?? view.exitCode;
}

/**
 * One request after the other, in the order they were made; those in `left` were offered before. `left` where there is
 * nothing more to ask, or nothing this person may say.
 */
async function askAbout(session: Session, runId: string, left: Set<string>): Promise<Asked['outcome']> {
  const { writ, approver } = session;
  const { noticeOf } = await import('../../tui/queue-row.js');
  const pending = await writ.approvals({ run: runId, states: ['pending'] });
  for (const record of [...pending].sort(byTimeAndStep)) {
    if (left.has(record.id) || noticeOf(record, approver.id) !== null) continue;
    const outcome = await askDuringRun(session, record.id);
    if (outcome !== 'left') return outcome;
    left.add(record.id);
  }
  return 'left';
}

/** Requests of one moment, as items of a map make them, in the order of their items. */
function byTimeAndStep(one: ApprovalRecord, other: ApprovalRecord): number {
  const later = one.createdAtMs - other.createdAtMs;
  return later === 0 ? one.stepPath.localeCompare(other.stepPath, 'en', { numeric: true }) : later;
}

async function noteInterrupted(context: Context, { id, status }: RunView): Promise<void> {
  if (status === 'completed' || status === 'failed' || status === 'cancelled') return;
  const resume = commandLine(context, 'workflow', 'resume', id);
  const cancel = commandLine(context, 'workflow', 'cancel', id);
  const served = status === 'running' && (await isServed(openLocks(pathsOf(context.data).locks)));
  context.output.note(
    served
      ? `interrupted; writ serve goes on with it, unless you say: ${cancel}`
      : `interrupted; ${resume} goes on`,
  );
}

/** The run as it stands, on stdout; for a waiting run also every open request with the command to decide it. */
export async function showRun(context: Context, writ: Writ, view: RunView): Promise<void> {
  const { output } = context;
  if (output.json) {
    output.value(runJson(view));
    return;
  }
  const isWaiting = view.status === 'waiting';
  const requests = isWaiting ? await writ.approvals({ run: view.id, states: ['pending'] }) : [];
  const [colors, columns] = [output.colors, widthOf(context)];
  output.line();
  // Each request says itself where to look.
  const isToldBelow = requests.length > 0 && view.waitingFor?.kind === 'approval';
  output.line(isToldBelow ? renderState(view, colors, columns) : renderRun(context, view, colors, columns));
  for (const approval of requests) {
    output.line();
    output.line(renderPending(context, approval, context.nowMs()));
  }
}
