// Rule 7: what the entries of a run say about one another. No step after a deny; an approval that was used was asked
// for, given for the same digest, alive, used once and directly before its intent; every outcome has its intent.
// Nothing is done in a run that has ended, unless it is redriven, nor in an attempt whose outcome is known; no approval is
// asked for twice in a log. Memory: what is open, the attempts of a run until it completes, the name of each run and of
// each approval.
import type { Json } from '../../json.js';
import { ownText } from '../own-text.js';
import { formatTime, parseTime } from '../time.js';
import type { EntryData, JudgedEntry } from './judged-entry.js';
import type { FindingList, OpenIntent } from './report.js';

interface Approval {
  readonly subjectDigest: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly expiresAtMs: number;
  /** Distinct approvers needed. */
  readonly needed: number;
  /** People whose approval counts, and those for whom one of them voted. */
  readonly approvers: Set<string>;
  /** Approvals that count: nobody's voice counts twice, their own or lent to somebody. */
  given: number;
  state: 'pending' | 'approved' | 'denied' | 'revoked' | 'expired' | 'withdrawn' | 'consumed';
  /** Key of the intent that used it; null before, or when that step has none. */
  idempotencyKey: string | null;
  /** The intent that used it was lost or stopped: an idempotent step may run again under it. */
  lost: boolean;
  /** The turn that used it has asked for calls: the attempt of this number, the next turn, may run under it. */
  nextTurn: number | null;
}

interface Intent {
  readonly index: bigint;
  readonly stepPath: string;
  readonly attempt: number;
  readonly approvalId: string | null;
}

/** An attempt that ends by an answer from outside. */
interface Wait {
  readonly taskId: string;
  readonly expiresAtMs: number;
  answer: 'success' | 'failure' | null;
  /** What was answered, as committed to. */
  output: string | null;
}

interface RunFacts {
  readonly approvals: Map<string, Approval>;
  /** By (stepPath, attempt), until its outcome. */
  readonly waits: Map<string, Wait>;
  /** Without an outcome, by leaf hash. */
  readonly intents: Map<string, Intent>;
  /** Latest decision about (stepPath, attempt), or CLOSED; a deny stays, and so does the latter. */
  readonly verdicts: Map<string, string>;
  sandboxStarted: boolean;
}

interface Consumption {
  readonly index: bigint;
  readonly run: string;
  readonly approvalId: string;
  readonly stepPath: string;
  readonly attempt: number;
}

/** An approver's signed decision as its entry tells it; everything in it is attacker-controlled. */
export interface SignedDecision {
  readonly approvalId: string;
  readonly subjectDigest: string;
  readonly decision: string;
  readonly approver: string;
  readonly at: string;
  readonly expiresAt: string;
  readonly reasonCommitment: string | null;
  /** Who delegated the vote; null = nobody. */
  readonly delegation: string | null;
  readonly breakGlass: true | null;
  /** As in approvers.yaml: `ed25519:<base64>`. */
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** In place of a verdict: the attempt's outcome is known, so it is over. */
const CLOSED = 'closed';
/** Assurances of votes that nobody signed. */
const UNSIGNED: ReadonlySet<unknown> = new Set(['os', 'oidc', 'token']);

/** What a run does; a refused vote or an erasure may still be noted after its end. */
const STEPS = /^(?:run|step|loop|sandbox|task)\.|^approval\.(?:requested|consumed)$|^secret\.used$/;

/** False for anything but a good signature by the named key; never throws. */
export type VerifyDecision = (decision: SignedDecision) => boolean;

export class Meaning {
  private readonly runs = new Map<string, RunFacts>();
  /** Runs whose `run.finished` was seen, and whether one may be redriven. */
  private readonly over = new Map<string, boolean>();
  /** Approvals that any run asked for: a signature under one counts there and nowhere else. */
  private readonly asked = new Set<string>();
  /** The entry right before, when it was an `approval.consumed` that holds. */
  private consumption: Consumption | null = null;
  /** The entry right before, when it was a `step.intended`. */
  private intent: { readonly index: bigint; readonly run: string; readonly step: string } | null = null;
  /** Approver signatures met. */
  signatures = 0;

  constructor(
    /** Data that lacks what its type requires. */
    private readonly shape: FindingList,
    private readonly findings: FindingList,
    private readonly verifyDecision: VerifyDecision | null,
  ) {}

  /** Entries in log order; `leafHash` is the one the tree holds, in hex. */
  observe(index: bigint, entry: JudgedEntry, leafHash: string): void {
    const before = this.consumption;
    this.consumption = null;
    const intent = this.intent;
    this.intent = null;
    const adjacent = before !== null && before.index + 1n === index ? before : null;
    if (before !== null && (adjacent === null || entry.type !== 'step.intended')) this.unused(before);
    if (entry.run === null) return;
    const run = this.runOf(entry.run);
    const facts = new Facts(index, entry, this.shape, this.findings);
    if (entry.type === 'run.redriven') {
      if (this.over.get(entry.run) !== true) facts.broken('it redrives a run that has not failed');
      else this.over.delete(entry.run);
      return;
    }
    if (this.over.has(entry.run) && STEPS.test(entry.type)) facts.broken("it stands after the run's end");
    switch (entry.type) {
      case 'authz.decided':
        return this.decided(run, facts);
      case 'approval.requested':
        return this.requested(run, facts);
      case 'approval.decided':
        return this.voted(run, facts, entry.commit['reason'] ?? null);
      case 'approval.expired':
        return this.ended(run, facts, 'expired');
      case 'approval.withdrawn':
        return this.ended(run, facts, 'withdrawn');
      case 'approval.consumed':
        return this.consumed(run, facts, entry.run);
      case 'step.intended':
        return this.intended(run, facts, entry.run, leafHash, adjacent);
      case 'step.finished':
        return this.finished(run, facts, entry.commit['output'] ?? null);
      case 'task.opened': {
        const isNext = intent !== null && intent.run === entry.run && intent.index + 1n === index;
        return this.waits(run, facts, isNext ? intent.step : null);
      }
      case 'task.answered':
        return this.answered(run, facts, entry.commit['output'] ?? null);
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
  passOver({ type, run, data }: JudgedEntry): void {
    const id = type !== 'approval.requested' || run === null ? undefined : data.get('approvalId');
    if (typeof id === 'string') this.asked.add(id);
  }

  /** Intents without an outcome, in log order. */
  finish(): OpenIntent[] {
    if (this.consumption !== null) this.unused(this.consumption);
    const open = [...this.runs].flatMap(([run, facts]) =>
      [...facts.intents.values()].map((i) => ({ run, ...i })),
    );
    return open
      .sort((a, b) => (a.index < b.index ? -1 : 1))
      .map(({ run, index, stepPath, attempt }) => ({ index: index.toString(), run, stepPath, attempt }));
  }

  private decided(run: RunFacts, facts: Facts): void {
    const verdict = facts.text('verdict');
    // Without an attempt it is about something else: a run's start, somebody's vote.
    if (facts.data.get('stepPath') === null || facts.data.get('attempt') === null) return;
    const step = facts.step();
    if (step === null || verdict === null) return;
    decide(run, step.key, verdict);
  }

  private requested(run: RunFacts, facts: Facts): void {
    const step = facts.step();
    const id = facts.text('approvalId');
    const subjectDigest = facts.text('subjectDigest');
    const expiresAtMs = facts.time('expiresAt');
    const needed = quorumSize(facts.data.get('quorum'));
    if (needed === null) facts.misshapen('quorum');
    if (step === null || id === null || subjectDigest === null || expiresAtMs === null || needed === null)
      return;
    if (this.asked.has(id)) return facts.broken(`approval ${id} is requested twice in this log`);
    this.asked.add(id);
    run.approvals.set(id, {
      subjectDigest,
      stepPath: step.stepPath,
      attempt: step.attempt,
      expiresAtMs,
      needed,
      approvers: new Set(),
      given: 0,
      state: 'pending',
      idempotencyKey: null,
      lost: false,
      nextTurn: null,
    });
  }

  private voted(run: RunFacts, facts: Facts, reason: string | null): void {
    const approval = this.approvalOf(run, facts);
    const approver = facts.text('approver');
    const decision = facts.text('decision');
    if (approval === null || approver === null || decision === null) return;
    this.checkSignature(facts, { approver, decision, expiresAtMs: approval.expiresAtMs }, reason);
    if (approval.state !== 'pending' && approval.state !== 'approved') {
      return facts.broken(`a decision on an approval that is ${approval.state}`);
    }
    if (decision === 'deny' || decision === 'revoke') {
      approval.state = decision === 'deny' ? 'denied' : 'revoked';
    } else if (decision === 'approve') {
      const delegation = facts.data.get('delegation');
      const voices = typeof delegation === 'string' ? [approver, delegation] : [approver];
      if (!voices.some((one) => approval.approvers.has(one))) approval.given += 1;
      for (const one of voices) approval.approvers.add(ownText(one));
      const enough = approval.given >= approval.needed;
      // The state may lag behind the count (a role is still missing), never run ahead of it.
      const claimed = facts.data.get('state') ?? (enough ? 'approved' : 'pending');
      if (claimed === 'approved' && !enough) {
        facts.broken(`approved by ${approval.given} of ${approval.needed} approvers`);
      } else if (claimed === 'approved') {
        approval.state = 'approved';
      }
    } else {
      facts.misshapen('decision');
    }
  }

  private checkSignature(
    facts: Facts,
    vote: { readonly approver: string; readonly decision: string; readonly expiresAtMs: number },
    reasonCommitment: string | null,
  ): void {
    // An unsigned vote says so by its assurance. Policy decides where that is enough.
    const assurance = facts.data.get('assurance');
    if (facts.data.get('signature') === null && UNSIGNED.has(assurance)) return;
    const signature = facts.text('signature');
    if (signature === null) return;
    this.signatures += 1;
    if (this.verifyDecision === null) return;
    const approvalId = facts.text('approvalId');
    const subjectDigest = facts.text('subjectDigest');
    const at = facts.text('at');
    const keyId = facts.text('keyId');
    if (approvalId === null || subjectDigest === null || at === null || keyId === null) return;
    const { approver, decision } = vote;
    // Signed over the expiry that was asked for, not over one that a later entry claims.
    const expiresAt = formatTime(vote.expiresAtMs);
    if (expiresAt === null) return;
    const [delegation, breakGlass] = [
      facts.data.get('delegation') ?? null,
      facts.data.get('breakGlass') ?? null,
    ];
    if (delegation !== null && typeof delegation !== 'string') return facts.misshapen('delegation');
    if (breakGlass !== null && breakGlass !== true) return facts.misshapen('breakGlass');
    const whose = { delegation, breakGlass } as const;
    const about = {
      approvalId,
      subjectDigest,
      decision,
      approver,
      at,
      expiresAt,
      reasonCommitment,
      ...whose,
    };
    if (!this.verifyDecision({ ...about, keyId, signature })) {
      facts.broken(`the signature of ${approver} does not hold`);
    }
  }

  private ended(run: RunFacts, facts: Facts, state: 'expired' | 'withdrawn'): void {
    const approval = this.approvalOf(run, facts);
    if (approval === null) return;
    if (approval.state !== 'pending' && approval.state !== 'approved') {
      facts.broken(`an approval that is ${approval.state} can't become ${state}`);
    } else {
      approval.state = state;
    }
  }

  private consumed(run: RunFacts, facts: Facts, runId: string): void {
    const step = facts.step();
    const approval = this.approvalOf(run, facts);
    const approvalId = facts.text('approvalId');
    if (step === null || approval === null || approvalId === null) return;
    if (approval.state !== 'approved') facts.broken(`an approval that is ${approval.state} is consumed`);
    // At the border it has expired.
    else if (facts.timeMs >= approval.expiresAtMs) facts.broken('an expired approval is consumed');
    else if (approval.stepPath !== step.stepPath || approval.attempt !== step.attempt) {
      facts.broken('an approval is consumed for another step or attempt than it was asked for');
    } else {
      approval.state = 'consumed';
      const { stepPath, attempt } = step;
      this.consumption = { index: facts.index, run: runId, approvalId, stepPath, attempt };
    }
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
      if (before !== null) this.unused(before);
      return;
    }
    const { stepPath, attempt } = step;
    this.intent = { index: facts.index, run: runId, step: step.key };
    run.intents.set(leafHash, { index: facts.index, stepPath, attempt, approvalId });
    const verdict = run.verdicts.get(step.key);
    if (verdict === 'deny') facts.broken(`step ${stepPath} attempt ${attempt} was denied`);
    else if (verdict === CLOSED) facts.broken(`step ${stepPath} attempt ${attempt} has its outcome`);
    else if (verdict === 'needs_approval' && approvalId === null) {
      facts.broken(`step ${stepPath} attempt ${attempt} needed an approval and names none`);
    }
    const ownConsumption =
      before !== null &&
      before.run === runId &&
      before.approvalId === approvalId &&
      before.stepPath === stepPath &&
      before.attempt === attempt;
    if (before !== null && !ownConsumption) this.unused(before);
    if (approvalId === null) return;
    const approval = run.approvals.get(approvalId);
    if (ownConsumption && approval !== undefined) {
      approval.idempotencyKey = idempotencyKey;
    } else if (approval?.state !== 'consumed') {
      facts.broken(`the approval ${approvalId} of step ${stepPath} was not consumed`);
    } else if (approval.stepPath !== stepPath) {
      facts.broken(`the approval ${approvalId} was consumed for step ${approval.stepPath}, not ${stepPath}`);
    } else if (
      (!approval.lost && approval.nextTurn !== attempt) ||
      idempotencyKey === null ||
      approval.idempotencyKey !== idempotencyKey
    ) {
      facts.broken(`the consumption of approval ${approvalId} does not stand directly before this intent`);
    } else {
      approval.lost = false;
      approval.nextTurn = null;
    }
  }

  /** `intended`: the step whose intent stands right before; null = there is none. */
  private waits(run: RunFacts, facts: Facts, intended: string | null): void {
    const step = facts.step();
    const taskId = facts.text('taskId');
    const expiresAtMs = facts.time('expiresAt');
    if (step === null || taskId === null || expiresAtMs === null) return;
    if (intended !== step.key)
      return facts.broken('it does not stand directly behind the intent of its step');
    run.waits.set(step.key, { taskId, expiresAtMs, answer: null, output: null });
  }

  private answered(run: RunFacts, facts: Facts, output: string | null): void {
    const step = facts.step();
    const taskId = facts.text('taskId');
    const answer = facts.text('answer');
    if (step === null || taskId === null || answer === null) return;
    if (answer !== 'success' && answer !== 'failure') return facts.misshapen('answer');
    const wait = run.waits.get(step.key);
    if (wait?.taskId !== taskId) return facts.broken(`no step waits for an answer to task ${taskId}`);
    if (wait.answer !== null) return facts.broken(`task ${taskId} is answered twice`);
    // At the border it is too late.
    if (facts.timeMs >= wait.expiresAtMs) return facts.broken(`task ${taskId} is answered after its time`);
    wait.answer = answer;
    wait.output = output;
  }

  private finished(run: RunFacts, facts: Facts, output: string | null): void {
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
    const wait = run.waits.get(step.key);
    run.waits.delete(step.key);
    if (wait !== undefined && status === 'succeeded') {
      if (wait.answer !== 'success') facts.broken(`task ${wait.taskId} succeeded without an answer`);
      else if (wait.output !== output)
        facts.broken(`the output is not what task ${wait.taskId} was answered with`);
    }
    const approval = intent.approvalId === null ? undefined : run.approvals.get(intent.approvalId);
    // Stopped with its process is as good as lost: what the step did is not known.
    if (status === 'indeterminate' || status === 'cancelled') {
      if (approval !== undefined) approval.lost = true;
      return;
    }
    if (status === 'succeeded' && isCount(facts.data.get('calls')) && approval?.state === 'consumed') {
      approval.nextTurn = step.attempt + 1;
    } else if (intent.approvalId !== null && approval?.state === 'consumed') {
      run.approvals.delete(intent.approvalId);
    }
    decide(run, step.key, CLOSED);
  }

  /** The approval an entry is about, when its digest is the requested one. */
  private approvalOf(run: RunFacts, facts: Facts): Approval | null {
    const id = facts.text('approvalId');
    const subjectDigest = facts.text('subjectDigest');
    if (id === null || subjectDigest === null) return null;
    const approval = run.approvals.get(id);
    if (approval === undefined) {
      facts.broken(`approval ${id} was not requested in this run, or is used up`);
      return null;
    }
    if (approval.subjectDigest !== subjectDigest) {
      facts.broken(`approval ${id} was requested for another subject digest`);
      return null;
    }
    return approval;
  }

  private unused(consumption: Consumption): void {
    const { index, approvalId } = consumption;
    this.findings.add(
      'order-broken',
      `entry ${index}: approval ${approvalId} is consumed without its intent`,
      {
        index,
      },
    );
  }

  private runOf(id: string): RunFacts {
    let run = this.runs.get(id);
    if (run === undefined) {
      run = {
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

/** Whether a run that has ended so may be redriven. */
function mayGoOn(status: Json | undefined): boolean {
  return status === 'failed' || status === 'cancelled';
}

function decide(run: RunFacts, step: string, verdict: string): void {
  const before = run.verdicts.get(step);
  if (before !== 'deny' && before !== CLOSED) run.verdicts.set(step, verdict);
}

/** Reads the data of one entry; what is absent or of another type becomes a finding. */
class Facts {
  readonly data: EntryData;

  constructor(
    readonly index: bigint,
    private readonly entry: JudgedEntry,
    private readonly shape: FindingList,
    private readonly order: FindingList,
  ) {
    this.data = entry.data;
  }

  get timeMs(): number {
    return this.entry.timeMs;
  }

  text(key: string): string | null {
    const value = this.data.get(key);
    if (typeof value === 'string') return value;
    this.misshapen(key);
    return null;
  }

  /** undefined when it is neither. */
  textOrNull(key: string): string | null | undefined {
    const value = this.data.get(key);
    if (typeof value === 'string' || value === null) return value;
    this.misshapen(key);
    return undefined;
  }

  time(key: string): number | null {
    const value = this.data.get(key);
    const timeMs = typeof value === 'string' ? parseTime(value) : null;
    if (timeMs === null) this.misshapen(key);
    return timeMs;
  }

  step(): { readonly stepPath: string; readonly attempt: number; readonly key: string } | null {
    const stepPath = this.text('stepPath');
    const attempt = this.data.get('attempt');
    if (typeof attempt !== 'number' || !Number.isSafeInteger(attempt)) {
      this.misshapen('attempt');
      return null;
    }
    return stepPath === null ? null : { stepPath, attempt, key: `${attempt} ${stepPath}` };
  }

  misshapen(key: string): void {
    const { index } = this;
    const message = `entry ${index} (${this.entry.type}) has no valid data.${key}`;
    this.shape.add('not-canonical', message, { index });
  }

  broken(reason: string): void {
    const { index } = this;
    this.order.add('order-broken', `entry ${index} (${this.entry.type}): ${reason}`, { index });
  }
}

/** Of calls that a turn of a conversation asks for. */
function isCount(value: Json | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

/** Distinct people needed: a count, or the sum over role factors, since one person fills one factor only. */
function quorumSize(quorum: Json | undefined): number | null {
  if (typeof quorum === 'number')
    return Number.isSafeInteger(quorum) && quorum >= 0 ? Math.max(1, quorum) : null;
  if (typeof quorum === 'string') return /^[0-9]{1,6}$/.test(quorum) ? Math.max(1, Number(quorum)) : null;
  if (!Array.isArray(quorum)) return null;
  let sum = 0;
  for (const factor of quorum as readonly Json[]) {
    const n = typeof factor === 'object' && factor !== null && 'n' in factor ? factor.n : null;
    if (typeof n !== 'number' || !Number.isSafeInteger(n) || n < 0) return null;
    sum += n;
  }
  return Number.isSafeInteger(sum) ? Math.max(1, sum) : null;
}
