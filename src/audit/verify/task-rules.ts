// Rule 7 for attempts that end by an answer from outside: asked right behind the intent, answered once and in time by
// somebody who may, signed unless the assurance says otherwise; a success goes on with just what was answered.
import type { Json } from '../../json.js';
import { isHex64 } from '../../json.js';
import { ownText } from '../own-text.js';
import { formatTime } from '../time.js';
import type { Facts, StepRef } from './facts.js';
import type { JudgedEntry } from './judged-entry.js';
import { isUnsigned } from './unsigned.js';

/** An attempt that waits for an answer. */
export interface Wait {
  readonly taskId: string;
  readonly expiresAtMs: number;
  /** A person fills in a form. */
  readonly isForm: boolean;
  /** Digest of the form; null where there is none. */
  readonly form: string | null;
  /** Commitment of the step's input, as its intent has it. */
  readonly input: string | null;
  readonly separationOfDuties: boolean;
  /** Who redrove the run last before it was asked; null = nobody, or the log does not say. */
  readonly redriver: string | null;
  answer: 'success' | 'failure' | null;
  /** What was answered, as committed to. */
  output: string | null;
}

/** Of one run, by (stepPath, attempt), until the outcome. */
export type Waits = Map<string, Wait>;

/** A person's signed answer as its entries tell it; everything in it is attacker-controlled. */
export interface SignedAnswer {
  readonly taskId: string;
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly form: string | null;
  readonly input: string | null;
  readonly expiresAt: string;
  readonly answer: 'success' | 'failure';
  readonly by: string;
  readonly at: string;
  readonly commitment: string;
  /** As in approvers.yaml: `ed25519:<base64>`. */
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** False for anything but a good signature by the named key; never throws. */
export type VerifyAnswer = (answer: SignedAnswer) => boolean;

/** The `step.intended` that stands right before an entry. */
export interface IntentBefore {
  readonly step: string;
  /** As in the entry: what few ask for stays there. */
  readonly entry: Pick<JudgedEntry, 'commit'>;
}

export class TaskRules {
  /** Signatures met. */
  signatures = 0;

  constructor(private readonly verifyAnswer: VerifyAnswer | null) {}

  /** `before`: the intent right before, of the same run; null = there is none. */
  opened(waits: Waits, facts: Facts, before: IntentBefore | null): void {
    const step = facts.step();
    const taskId = facts.text('taskId');
    const expiresAtMs = facts.time('expiresAt');
    const kind = facts.text('kind');
    if (step === null || taskId === null || expiresAtMs === null || kind === null) return;
    const asked = askedOf(facts, kind);
    if (asked === null) return;
    if (before?.step !== step.key)
      return facts.broken('it does not stand directly behind the intent of its step');
    const committed = before.entry.commit['input'];
    const input = committed === undefined ? null : ownText(committed);
    waits.set(step.key, { taskId, expiresAtMs, ...asked, input, answer: null, output: null });
  }

  /** `run` and who started it; null = its log does not say. */
  answered(
    waits: Waits,
    facts: Facts,
    run: { readonly id: string; readonly initiator: string | null },
  ): void {
    const step = facts.step();
    const taskId = facts.text('taskId');
    const answer = facts.text('answer');
    const by = facts.text('by');
    if (step === null || taskId === null || answer === null || by === null) return;
    if (answer !== 'success' && answer !== 'failure') return facts.misshapen('answer');
    const wait = waits.get(step.key);
    if (wait?.taskId !== taskId) return facts.broken(`no step waits for an answer to task ${taskId}`);
    this.checkSignature(facts, { wait, step, run: run.id, answer, by });
    if (wait.answer !== null) return facts.broken(`task ${taskId} is answered twice`);
    // At the border it is too late.
    if (facts.timeMs >= wait.expiresAtMs) return facts.broken(`task ${taskId} is answered after its time`);
    if (wait.isForm && !by.startsWith('user:')) facts.broken(`${by} is no person and fills in a form`);
    // Where the log does not say who started the run, nobody is shown to be another.
    if (wait.separationOfDuties && (run.initiator === null || by === run.initiator))
      facts.broken(`${by} is not shown to be another than who started the run`);
    if (wait.separationOfDuties && by === wait.redriver)
      facts.broken(`${by} redrove the run and answers for it`);
    wait.answer = answer;
    wait.output = facts.entry.commit['output'] ?? null;
  }

  private checkSignature(
    facts: Facts,
    about: {
      readonly wait: Wait;
      readonly step: StepRef;
      readonly run: string;
      readonly answer: 'success' | 'failure';
      readonly by: string;
    },
  ): void {
    if (isUnsigned(facts)) return;
    const signature = facts.text('signature');
    if (signature === null) return;
    this.signatures += 1;
    if (this.verifyAnswer === null) return;
    const at = facts.text('at');
    const keyId = facts.text('keyId');
    if (at === null || keyId === null) return;
    const { wait, step, run, answer, by } = about;
    const { taskId, form, input } = wait;
    const { stepPath, attempt } = step;
    // Signed over what was asked, not over what the answer claims of it.
    const expiresAt = formatTime(wait.expiresAtMs);
    const commitment = facts.entry.commit[answer === 'success' ? 'output' : 'error'];
    if (expiresAt === null || commitment === undefined)
      return facts.broken(`what ${by} answered is not committed to`);
    const asked = { taskId, run, stepPath, attempt, form, input, expiresAt };
    if (!this.verifyAnswer({ ...asked, answer, by, at, commitment, keyId, signature }))
      facts.broken(`the signature of ${by} does not hold`);
  }

  /** The outcome of an attempt; nothing waits for an answer to it any more. */
  finished(waits: Waits, facts: Facts, step: StepRef, status: string): void {
    const wait = waits.get(step.key);
    waits.delete(step.key);
    if (wait === undefined || status !== 'succeeded') return;
    const output = facts.entry.commit['output'] ?? null;
    if (wait.answer !== 'success') facts.broken(`task ${wait.taskId} succeeded without an answer`);
    else if (wait.output !== output)
      facts.broken(`the output is not what task ${wait.taskId} was answered with`);
  }
}

/** What the opening says of who may answer and in which form; null when it can't be read. */
function askedOf(
  facts: Facts,
  kind: string,
): Pick<Wait, 'isForm' | 'form' | 'separationOfDuties' | 'redriver'> | null {
  const given = facts.data.get('redriver');
  if (given !== undefined && typeof given !== 'string') {
    facts.misshapen('redriver');
    return null;
  }
  const redriver = given ?? null;
  if (kind === 'token') return { isForm: false, form: null, separationOfDuties: false, redriver };
  if (kind !== 'person') {
    facts.misshapen('kind');
    return null;
  }
  const form = facts.text('form');
  const [roles, separationOfDuties] = [facts.data.get('roles'), facts.data.get('separationOfDuties')];
  if (!isTexts(roles)) facts.misshapen('roles');
  if (typeof separationOfDuties !== 'boolean') facts.misshapen('separationOfDuties');
  if (form !== null && !isHex64(form)) facts.misshapen('form');
  if (form === null || !isHex64(form) || !isTexts(roles) || typeof separationOfDuties !== 'boolean')
    return null;
  return { isForm: true, form, separationOfDuties, redriver };
}

function isTexts(value: Json | undefined): boolean {
  return Array.isArray(value) && value.every((one: Json) => typeof one === 'string');
}
