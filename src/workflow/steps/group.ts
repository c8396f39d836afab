// The order of a workflow's steps as a chain of units: a step, or a group of adjacent fanout steps that begins together
// and becomes one fork with a lane per step.
import { type Located, textField } from '../located.js';
import type { ForkNode, PlanNode } from '../plan.js';
import type { CompiledStep } from './step.js';

/** Positions of steps that begin together; more than one only for adjacent fanout steps. */
export type Unit = readonly number[];

export function modeOf(step: Located | undefined): string {
  return textField(step, 'mode') ?? 'sequential';
}

export function unitsOf(steps: readonly Located[]): readonly Unit[] {
  const units: number[][] = [];
  steps.forEach((step, i) => {
    const together = modeOf(step) === 'fanout' && modeOf(steps[i - 1]) === 'fanout';
    const last = units.at(-1);
    if (together && last !== undefined) last.push(i);
    else units.push([i]);
  });
  return units;
}

/** Key of the node a unit begins with. A step's own key holds no colon. */
export function unitKey(unit: Unit, steps: readonly Located[], keys: readonly string[]): string {
  const first = unit[0] ?? 0;
  const key = keys[first] ?? '';
  return modeOf(steps[first]) === 'fanout' ? `group:${key}` : key;
}

const NAME_MAX = 200;

/** The fork of a fanout group, then its steps, by key. */
export function groupNodes(
  members: readonly { readonly key: string; readonly step: CompiledStep }[],
  key: string,
  next: string | null,
): readonly (readonly [string, PlanNode])[] {
  const first = members[0]?.step.task;
  const name = members.map(({ step }) => step.task.name).join(' + ');
  const fork: ForkNode = {
    kind: 'fork',
    form: 'group',
    name: name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name,
    line: first?.line ?? 1,
    column: first?.column ?? 1,
    lanes: members.map((member) => ({ start: member.key, each: member.step.each })),
    flow: null,
    retry: [],
    catch: [],
    next,
  };
  return [[key, fork], ...members.map((member): [string, PlanNode] => [member.key, member.step.task])];
}
