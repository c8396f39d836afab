// Stages of a request: each time at which others are asked too, because it has waited for so long. A stage is a delivery of
// its own, of the event that made the request.
import type { ApprovalRecord, Escalation } from '../../runtime/ports.js';

/** Of one request. */
const MAX_STAGES = 20;
const STAGES = Array.from({ length: MAX_STAGES }, (_, at) => at + 1);

/** When others are asked too, in the order of the stages; from 1. */
export function stagesOf(record: ApprovalRecord): readonly { stage: number; dueMs: number }[] {
  const waits = [...new Set(record.quorum.flatMap(({ escalation = [] }) => escalation.map(afterMs)))];
  return waits
    .toSorted((a, b) => a - b)
    .slice(0, MAX_STAGES)
    .map((wait, at) => ({ stage: at + 1, dueMs: record.createdAtMs + wait }));
}

function afterMs({ afterSeconds }: Pick<Escalation, 'afterSeconds'>): number {
  return afterSeconds * 1_000;
}

/** Where the deliveries of a stage stand; no channel has a name like it. */
export function stageChannel(name: string, stage: number): string {
  return `${name}#${stage}`;
}

/** Under which names deliveries to the channel stand. */
export function channelsOf(name: string): readonly string[] {
  return [name, ...STAGES.map((stage) => stageChannel(name, stage))];
}

/** `stage` 0 = the event itself. */
export function partsOfChannel(channel: string): { readonly name: string; readonly stage: number } {
  const [name = '', stage] = channel.split('#');
  return { name, stage: Number(stage ?? 0) };
}

/** The roles that the stage brings in: whom to tell, and who may decide from now on. */
export function rolesOf(record: ApprovalRecord, stage: number) {
  const dueMs = stagesOf(record)[stage - 1]?.dueMs;
  const due = record.quorum
    .flatMap(({ escalation = [] }) => escalation)
    .filter((one) => record.createdAtMs + afterMs(one) === dueMs);
  const each = (of: (one: Escalation) => readonly string[]) => [...new Set(due.flatMap(of))];
  return { notifyRoles: each((one) => one.notifyRoles), addRoles: each((one) => one.addRoles) };
}
