// How a task is named in approvals, attempts and the log: the step, and where it is when it is there more than once.
// The one place that knows how such a name is spelt; everything that reads one asks here.
import type { Plan, TaskNode } from '../workflow/plan.js';
import { taskAt } from '../workflow/state-gate.js';
import type { Frame } from './state.js';

/** Unique among all tasks of a run, whenever they run; the attempt's number is counted under it. */
export function stepPathOf(plan: Plan, frame: Frame): string {
  if (frame.call !== null) return frame.id;
  if (plan.dialect === 'steps') return frame.id === '' ? frame.node : frame.id;
  return frame.id === '' ? inPath(frame.node) : `${frame.id}/${inPath(frame.node)}`;
}

/** Id of a child: of lane `lane` whose first node is `start`, or of item `item` of it. */
export function childId(
  plan: Plan,
  parent: Frame,
  entry: number,
  child: { readonly lane: number; readonly item: number | null; readonly start: string },
): string {
  const { lane, item, start } = child;
  // A fanout group is entered once, and its steps are known by their own names.
  if (plan.dialect === 'steps') return item === null ? start : `${start}[${item}]`;
  const again = entry === 1 ? '' : `#${entry}`;
  return `${parent.id === '' ? '' : `${parent.id}/`}${inPath(parent.node)}${again}[${item ?? lane}]`;
}

/** Id, and step path, of the call number `n` (over all turns) that a conversation asks for. */
export function callId(plan: Plan, parent: Frame, n: number): string {
  return `${stepPathOf(plan, parent)}/call[${n}]`;
}

/** Step path of the write of a Map's results: of this entry into the state. */
export function writePath(plan: Plan, frame: Frame): string {
  const entry = frame.fork?.entry ?? 1;
  return `${stepPathOf(plan, frame)}${entry === 1 ? '' : `#${entry}`}/write`;
}

const CALL = /\/call\[\d+\]$/;

/** The step path of the conversation that asked for a call; null for everything else. */
export function askingPath(stepPath: string): string | null {
  const call = CALL.exec(stepPath);
  return call === null ? null : stepPath.slice(0, call.index);
}

/** Whether the path ends with a place: an item of a map, or a call. */
export function endsInPlace(stepPath: string): boolean {
  return /\[\d+\]$/.test(stepPath);
}

/** The path without the places of items: the same for all items of a map, and for the maps within them. */
export function withoutPlaces(stepPath: string): string {
  return stepPath.replace(/(?:#\d+)?\[\d+\]/g, '');
}

/** Places of items and calls, outermost first. */
export function placesOf(stepPath: string): readonly number[] {
  return Array.from(stepPath.matchAll(/\[(\d+)\]/g), ([, place]) => Number(place));
}

/** The path of the task itself: a call may have been asked for by a call. */
function taskPath(stepPath: string): string {
  const asking = askingPath(stepPath);
  return asking === null ? stepPath : taskPath(asking);
}

/** The path of the map that an item is of, or that the asking item of a call is of; null for everything else. */
export function mapOf(stepPath: string): string | null {
  const item = taskPath(stepPath);
  return endsInPlace(item) ? item.replace(/(?:#\d+)?\[\d+\]$/, '') : null;
}

/**
 * A step path for people: the name of the step in place of its key, with the places that follow it (`Check Status[2]`,
 * `Review call[0]`). `nameOf` gives the name of a key; null leaves the path as it is.
 */
export function stepLabel(nameOf: (key: string) => string | null, stepPath: string): string {
  const key = withoutPlaces(taskPath(stepPath));
  const name = stepPath.startsWith(key) ? nameOf(key) : null;
  return name === null ? stepPath : `${name}${stepPath.slice(key.length).replaceAll('/', ' ')}`;
}

/** Names for `stepLabel`. State names stand in their paths as they are. */
export function stepNames(plan: Plan): (key: string) => string | null {
  return (key) => {
    const node = plan.dialect === 'steps' && Object.hasOwn(plan.nodes, key) ? plan.nodes[key] : undefined;
    return node?.name ?? null;
  };
}

/** The node's name, as the document spells it, of a step path of this plan; the path itself when it names none. */
export function stepName(plan: Plan, stepPath: string): string {
  const call = CALL.exec(stepPath);
  if (call !== null) return `${stepName(plan, stepPath.slice(0, call.index))} ${call[0].slice(1)}`;
  return stepNode(plan, stepPath)?.name ?? stepPath;
}

/** The task that a step path of this plan stands for; null for a call of a conversation, and when it names none. */
export function stepNode(plan: Plan, stepPath: string): TaskNode | null {
  if (CALL.test(stepPath)) return null;
  const last = stepPath.slice(stepPath.lastIndexOf('/') + 1);
  const key = plan.dialect === 'steps' ? last.replace(/\[\d+\]$/, '') : fromPath(last);
  const node = Object.hasOwn(plan.nodes, key) ? plan.nodes[key] : undefined;
  return taskAt(node);
}

/** The node of a call: it acts as the step that asks, and has no more time, approval or retries than policy gives it. */
export function callNode(asking: TaskNode, functionId: string): TaskNode {
  const { name, line, column, call } = asking;
  const { agent, fallback } = call.kind === 'function' ? call : { agent: null, fallback: null };
  return {
    kind: 'task',
    name: `${name}: ${functionId}`,
    line,
    column,
    call: { kind: 'function', functionId, agent, fallback },
    when: null,
    flow: { language: 'template', prompt: null, config: null, outputVar: null },
    loop: null,
    collects: false,
    timeoutMs: null,
    retry: [],
    catch: [],
    onFailure: 'fail',
    approval: null,
    sandbox: null,
    idempotent: false,
    next: null,
  };
}

/** State names are any text; these characters have a meaning in a path. */
function inPath(name: string): string {
  return name.replace(/[%/[\]#]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

function fromPath(name: string): string {
  return name.replace(/%(25|2F|5B|5D|23)/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}
