// Rule 7: what the entries of a run say about one another. No step after a deny; every outcome has its intent; nothing is
// done in a run that has ended, unless it is redriven, nor in an attempt whose outcome is known. Approvals and tasks have
// rules of their own. Memory: what is open, the attempts of a run until it completes, the name of each run and of each
// approval.
import type { Json } from '../../json.js';
import { ownText } from '../own-text.js';
import {
  ApprovalRules,
  spend,
  type Approvals,
  type Consumption,
  type VerifyDecision,
} from './approval-rules.js';
import { Facts } from './facts.js';
import type { JudgedEntry } from './judged-entry.js';
import type { FindingList, OpenIntent } from './report.js';
import { TaskRules, type IntentBefore, type VerifyAnswer, type Waits } from './task-rules.js';

interface Intent {
  readonly index: bigint;
  readonly stepPath: string;
  readonly attempt: number;
  readonly approvalId: string | null;
}

interface RunFacts {
  /** As the first `run.started` says; null before. */
  initiator: string | null;
  readonly approvals: Approvals;
  readonly waits: Waits;
  /** Without an outcome, by leaf hash. */
  readonly intents: Map<string, Intent>;
  /** Latest decision about (stepPath, attempt), or CLOSED; a deny stays, and so does the latter. */
  readonly verdicts: Map<string, string>;
  sandboxStarted: boolean;
}

/** In place of a verdict: the attempt's outcome is known, so it is over. */
const CLOSED = 'closed';

/** What a run does; a refused vote or an erasure may still be noted after its end. */
const STEPS = /^(?:run|step|loop|sandbox|task)\.|^approval\.(?:requested|consumed)$|^secret\.used$/;

/** How signatures of people are checked; null = they are counted only. */
export interface SignatureChecks {
  readonly decision: VerifyDecision | null;
  readonly answer: VerifyAnswer | null;
}

export class Meaning {
  private readonly runs = new Map<string, RunFacts>();
  /** Runs whose `run.finished` was seen, and whether one may be redriven. */
  private readonly over = new Map<string, boolean>();
  private readonly approvals: ApprovalRules;
  private readonly tasks: TaskRules;
  /** The entry right before, when it was a `step.intended`. */
  private intent: (IntentBefore & { readonly index: bigint; readonly run: string }) | null = null;

  constructor(
    /** Data that lacks what its type requires. */
    private readonly shape: FindingList,
    private readonly findings: FindingList,
    { decision, answer }: SignatureChecks,
  ) {
    this.approvals = new ApprovalRules(findings, decision);
    this.tasks = new TaskRules(answer);
  }

  /** Signatures met: of approvers, and of people who answered a task. */
  get signatures(): { readonly decisions: number; readonly answers: number } {
    return { decisions: this.approvals.signatures, answers: this.tasks.signatures };
  }

  /** Entries in log order; `leafHash` is the one the tree holds, in hex. */
  observe(index: bigint, entry: JudgedEntry, leafHash: string): void {
    const consumed = this.approvals.takeConsumption(index, entry.type);
    const intent = this.intent;
    this.intent = null;
    if (entry.run === null) {
      if (consumed !== null) this.approvals.unused(consumed);
      return;
    }
    const run = this.runOf(entry.run);
    const facts = new Facts(index, entry, this.shape, this.findings);
    if (entry.type === 'run.redriven') {
      if (this.over.get(entry.run) !== true) facts.broken('it redrives a run that has not failed');
      else this.over.delete(entry.run);
      return;
    }
    if (this.over.has(entry.run) && STEPS.test(entry.type)) facts.broken("it stands after the run's end");
    switch (entry.type) {
      case 'run.started': {
        const initiator = facts.data.get('initiator');
        if (typeof initiator === 'string') run.initiator ??= ownText(initiator);
        return;
      }
      case 'authz.decided':
        return decided(run, facts);
      case 'approval.requested':
        return this.approvals.requested(run.approvals, facts);
      case 'approval.decided':
        return this.approvals.voted(run.approvals, facts, run.initiator);
      case 'approval.expired':
        return this.approvals.ended(run.approvals, facts, 'expired');
      case 'approval.withdrawn':
        return this.approvals.ended(run.approvals, facts, 'withdrawn');
      case 'approval.consumed':
        return this.approvals.consumed(run.approvals, facts, entry.run);
      case 'step.intended':
        return this.intended(run, facts, entry.run, leafHash, consumed);
      case 'step.finished':
        return this.finished(run, facts);
      case 'task.opened': {
        const isNext = intent !== null && intent.run === entry.run && intent.index + 1n === index;
        return this.tasks.opened(run.waits, facts, isNext ? intent : null);
      }
      case 'task.answered':
        return this.tasks.answered(run.waits, facts, { id: entry.run, initiator: run.initiator });
      case 'sandbox.started':
        if (run.intents.size === 0) facts.broken('a sandbox started without an open intent');
        run.sandboxStarted = true;
        return;
      case 'sandbox.exited':
        if (!run.sandboxStarted) facts.broken('a sandbox exited that never started');
        return;
      case 'run.finished':
        // A redrive goes on with what has failed: no attempt of it, and no approval, may come a second time.
        this.over.set(ownText(entry.run), mayGoOn(facts.data.get('status')));
        if (run.intents.size === 0 && !mayGoOn(facts.data.get('status'))) this.runs.delete(entry.run);
        return;
      default:
        return;
    }
  }

  /** An entry of a run that is not judged: what it asked for is not free for another run. */
  passOver(entry: JudgedEntry): void {
    this.approvals.passOver(entry);
  }

  /** Intents without an outcome, in log order. */
  finish(): OpenIntent[] {
    this.approvals.finish();
    const open = [...this.runs].flatMap(([run, facts]) =>
      [...facts.intents.values()].map((i) => ({ run, ...i })),
    );
    return open
      .sort((a, b) => (a.index < b.index ? -1 : 1))
      .map(({ run, index, stepPath, attempt }) => ({ index: index.toString(), run, stepPath, attempt }));
  }

  private intended(
    run: RunFacts,
    facts: Facts,
    runId: string,
    leafHash: string,
    before: Consumption | null,
  ): void {
    const step = facts.step();
    const approvalId = facts.textOrNull('approvalId');
    const idempotencyKey = facts.textOrNull('idempotencyKey');
    if (step === null || approvalId === undefined || idempotencyKey === undefined) {
      if (before !== null) this.approvals.unused(before);
      return;
    }
    const { stepPath, attempt } = step;
    this.intent = { index: facts.index, run: runId, step: step.key, entry: facts.entry };
    run.intents.set(leafHash, { index: facts.index, stepPath, attempt, approvalId });
    const verdict = run.verdicts.get(step.key);
    if (verdict === 'deny') facts.broken(`step ${stepPath} attempt ${attempt} was denied`);
    else if (verdict === CLOSED) facts.broken(`step ${stepPath} attempt ${attempt} has its outcome`);
    else if (verdict === 'needs_approval' && approvalId === null) {
      facts.broken(`step ${stepPath} attempt ${attempt} needed an approval and names none`);
    }
    const use = { run: runId, step, approvalId, idempotencyKey };
    this.approvals.intended(run.approvals, facts, use, before);
  }

  private finished(run: RunFacts, facts: Facts): void {
    const step = facts.step();
    const hash = facts.text('intent');
    const status = facts.text('status');
    if (step === null || hash === null || status === null) return;
    const intent = run.intents.get(hash);
    if (intent === undefined) return facts.broken('an outcome without an open intent');
    run.intents.delete(hash);
    if (intent.stepPath !== step.stepPath || intent.attempt !== step.attempt) {
      facts.broken(`an outcome of step ${step.stepPath} names the intent of step ${intent.stepPath}`);
    }
    this.tasks.finished(run.waits, facts, step, status);
    const { attempt } = step;
    if (intent.approvalId !== null)
      spend(run.approvals, intent.approvalId, { status, attempt, calls: facts.data.get('calls') });
    if (status !== 'indeterminate' && status !== 'cancelled') decide(run, step.key, CLOSED);
  }

  private runOf(id: string): RunFacts {
    let run = this.runs.get(id);
    if (run === undefined) {
      run = {
        initiator: null,
        approvals: new Map(),
        waits: new Map(),
        intents: new Map(),
        verdicts: new Map(),
        sandboxStarted: false,
      };
      this.runs.set(ownText(id), run);
    }
    return run;
  }
}

function decided(run: RunFacts, facts: Facts): void {
  const verdict = facts.text('verdict');
  // Without an attempt it is about something else: a run's start, somebody's vote.
  if (facts.data.get('stepPath') === null || facts.data.get('attempt') === null) return;
  const step = facts.step();
  if (step === null || verdict === null) return;
  decide(run, step.key, verdict);
}

/** Whether a run that has ended so may be redriven. */
function mayGoOn(status: Json | undefined): boolean {
  return status === 'failed' || status === 'cancelled';
}

function decide(run: RunFacts, step: string, verdict: string): void {
  const before = run.verdicts.get(step);
  if (before !== 'deny' && before !== CLOSED) run.verdicts.set(step, verdict);
}
