// The tasks of a run that wait for people, as the process that holds the run's lock knows them, and which of them are
// due: their approval was decided, has expired, or was asked for under another policy.
import { isExpired } from '../../approval/ballot.js';
import type { Task } from '../../engine/command.js';
import { isDecidable } from '../../policy/rbac/package-access.js';
import type { Guard } from '../guard-parts.js';
import { logTimeMs } from './context.js';
import type { Wait } from './settlement.js';

export class Waits {
  readonly #byStep = new Map<string, Wait>();
  readonly #due = new Set<string>();
  /** Requests whose commit is still on its way: nobody looks for them in the store. */
  readonly #unstored = new Set<string>();

  get byStep(): ReadonlyMap<string, Wait> {
    return this.#byStep;
  }

  /** By step path. */
  get due(): ReadonlySet<string> {
    return this.#due;
  }

  /** The step's approval is being looked at. */
  taken(stepPath: string): void {
    this.#due.delete(stepPath);
  }

  /** When the first approval expires, but for those of steps under way; null = none is waited for. */
  firstExpiryMs(executing: ReadonlySet<string>): number | null {
    let first: number | null = null;
    for (const { expiresAtMs, stepPath } of this.#byStep.values()) {
      if (this.#due.has(stepPath) || executing.has(stepPath)) continue;
      if (first === null || expiresAtMs < first) first = expiresAtMs;
    }
    return first;
  }

  /** The task that stands at `stepPath` now; null = none that goes on. */
  note(stepPath: string, task: Pick<Task, 'approval'> | null): void {
    if (task?.approval == null) {
      this.#byStep.delete(stepPath);
      this.#due.delete(stepPath);
      return;
    }
    const { approvalId, expiresAtMs } = task.approval;
    this.#byStep.set(stepPath, { approvalId, stepPath, expiresAtMs });
  }

  /** The request is on its way to the store. */
  sent(approvalId: string): void {
    this.#unstored.add(approvalId);
  }

  /** The request's commit is over, well or not. */
  landed(approvalId: string): void {
    this.#unstored.delete(approvalId);
  }

  /** Before the run is read again. What is on its way stays so. */
  clear(): void {
    this.#byStep.clear();
    this.#due.clear();
  }

  /** Finds who is due. False when some could not be looked at yet: it may be decided before anybody looks again. */
  async look(guard: Guard, run: string, executing: ReadonlySet<string>): Promise<boolean> {
    const { store, policy } = guard;
    const waits = [...this.#byStep.values()];
    const unstored = new Set(this.#unstored);
    const timeMs = await logTimeMs(guard);
    const pending = new Map(
      (await store.approvals({ run, states: ['pending'] })).map((one) => [one.id, one]),
    );
    let isWhole = true;
    for (const wait of waits) {
      const { stepPath, approvalId } = wait;
      if (this.#byStep.get(stepPath) !== wait) continue;
      if (executing.has(stepPath) || unstored.has(approvalId)) {
        // It may be decided as soon as it is stored, before the step that asks has let go.
        isWhole = false;
        continue;
      }
      const record = pending.get(approvalId);
      const isOpen =
        record !== undefined &&
        !isExpired(record, timeMs) &&
        record.policyHash === policy().policyHash &&
        isDecidable(record);
      if (!isOpen) this.#due.add(stepPath);
    }
    return isWhole;
  }
}
