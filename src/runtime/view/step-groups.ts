// The attempts of a run put in order for people: by step, the items of a map together, the calls of a conversation
// below the step that asked for them.
import { askingPath, endsInPlace, placesOf, withoutPlaces } from '../../engine/step-path.js';
import type { Plan } from '../../workflow/plan.js';
import type { AttemptRecord, AttemptStatus } from '../ports.js';

/** A step, or all items of a map. */
export interface StepGroup {
  /** The step path, without the places of items. */
  readonly key: string;
  readonly isMap: boolean;
  /** In item order for a map; never empty. */
  readonly members: readonly StepMember[];
}

/** One step path. */
export interface StepMember {
  /** In order; the row of a step that was skipped has number 0. Never empty. */
  readonly attempts: readonly AttemptRecord[];
  /** In the order in which they were asked for. */
  readonly calls: readonly StepMember[];
}

/** `attempts` as the store gives them: in order of each step path's first start. */
export function groupSteps(plan: Plan, attempts: readonly AttemptRecord[]): readonly StepGroup[] {
  const members = new Map<string, { attempts: AttemptRecord[]; calls: StepMember[] }>();
  for (const attempt of attempts) {
    const own = members.get(attempt.stepPath) ?? { attempts: [], calls: [] };
    own.attempts.push(attempt);
    members.set(attempt.stepPath, own);
  }
  const groups = new Map<string, { isMap: boolean; members: StepMember[] }>();
  for (const [stepPath, member] of members) {
    const asking = members.get(askingPath(stepPath) ?? '');
    if (asking !== undefined) {
      asking.calls.push(member);
      continue;
    }
    const isMap = member.attempts.some((one) => one.item !== null) || isItem(plan, stepPath);
    const key = isMap ? withoutPlaces(stepPath) : stepPath;
    const group = groups.get(key) ?? { isMap, members: [] };
    group.members.push(member);
    groups.set(key, group);
  }
  // A call that was refused never started: the store tells it after those that did.
  for (const member of members.values()) member.calls = inItemOrder(member.calls);
  return Array.from(groups, ([key, group]) => ({
    key,
    isMap: group.isMap,
    members: inItemOrder(group.members),
  }));
}

/** Of the attempts of a step path, the one that counts. */
export function lastOf({ attempts }: StepMember): AttemptRecord {
  const last = attempts.at(-1);
  // A member is made of at least one attempt.
  if (last === undefined) throw new TypeError('a step without attempts');
  return last;
}

/** Attempts that were made. The turns of a conversation are one attempt: each that asked for calls was gone on with. */
export function attemptsOf({ attempts }: StepMember): number {
  const last = attempts.at(-1);
  return attempts.filter((one) => one.attempt > 0 && (one.status !== 'asked' || one === last)).length;
}

export function statusOf(member: StepMember): AttemptStatus {
  return member.attempts.some((one) => one.status === 'skipped') ? 'skipped' : lastOf(member).status;
}

/** It failed, and `errorMode: skip` went on without it; else its condition was false. */
export function isSkippedForError(member: StepMember): boolean {
  return statusOf(member) === 'skipped' && (attemptsOf(member) > 0 || lastOf(member).error !== null);
}

export function isDone(status: AttemptStatus): boolean {
  return status === 'succeeded' || status === 'skipped';
}

export function isFailed(status: AttemptStatus): boolean {
  return status === 'failed' || status === 'refused' || status === 'timed-out';
}

/** One word for all items of a map, of which `total` are known. */
export function together(statuses: readonly AttemptStatus[], total: number): AttemptStatus {
  const has = (...wanted: readonly AttemptStatus[]): boolean => statuses.some((one) => wanted.includes(one));
  if (has('intended', 'asked')) return 'intended';
  if (has('indeterminate')) return 'indeterminate';
  if (has('waiting')) return 'waiting';
  if (has('suspended')) return 'suspended';
  if (statuses.some(isFailed)) return 'failed';
  if (has('cancelled')) return 'cancelled';
  // Between two items nothing runs, and the map is not over.
  if (statuses.length < total) return 'intended';
  return statuses.every((one) => one === 'skipped') ? 'skipped' : 'succeeded';
}

/** A skipped item has no attempt that says so; only its path does. */
function isItem(plan: Plan, stepPath: string): boolean {
  return plan.dialect === 'steps' && endsInPlace(stepPath);
}

function inItemOrder(members: StepMember[]): StepMember[] {
  if (members.length < 2) return members;
  const places = new Map(members.map((one) => [one, placesOf(lastOf(one).stepPath)]));
  return members.toSorted((a, b) => comparePlaces(places.get(a) ?? [], places.get(b) ?? []));
}

function comparePlaces(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((place, index) => place !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
