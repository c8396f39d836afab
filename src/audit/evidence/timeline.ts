// What happened in a run, told from its entries alone: the line of events, who approved and answered what, which rule decided,
// which ceilings held, what the sandbox kept. A sentence here says no more than the entry it stands for; texts are the
// log's (attacker-controlled) and are made harmless where they are shown.
import type { JsonObject } from '../../json.js';
import { momentOf, type Moment } from './moment.js';
import { approvalsOf, type ShownApproval } from './shown-approval.js';
import { ceilingOf, type ShownCeiling } from './shown-ceiling.js';
import { decisionOf, type ShownDecision } from './shown-decision.js';
import { payloadsOf, type ShownPayload } from './shown-payload.js';
import { tasksOf, type ShownTask } from './shown-task.js';
import { countOf, shown, textOf } from './shown-value.js';
import type { ShownEntry } from './report.js';

export interface ShownSandbox {
  readonly index: string;
  readonly event: 'started' | 'exited';
  readonly step: string;
  readonly attempt: number | null;
  readonly data: JsonObject;
}

export interface RunStory {
  readonly run: string;
  readonly workflow: { readonly id: string; readonly hash: string } | null;
  readonly tenant: string | null;
  readonly initiator: string | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** As `run.finished` says; null without one. */
  readonly status: string | null;
  readonly moments: readonly Moment[];
  /** Entries about the log itself that the bundle holds. */
  readonly log: readonly Moment[];
  readonly approvals: readonly ShownApproval[];
  readonly tasks: readonly ShownTask[];
  readonly decisions: readonly ShownDecision[];
  readonly ceilings: readonly ShownCeiling[];
  readonly sandboxes: readonly ShownSandbox[];
  readonly payloads: readonly ShownPayload[];
}

const ENDS: ReadonlySet<string> = new Set(['run.finished', 'run.redriven']);

/** The story of `run` from entries in log order; `disclosed` = commitments whose payloads the bundle shows. */
export function storyOf(
  run: string,
  entries: readonly ShownEntry[],
  disclosed: ReadonlySet<string>,
): RunStory {
  const own = entries.filter(({ entry }) => entry.run === run);
  const first = own[0]?.entry;
  const started = own.find(({ entry }) => entry.type === 'run.started')?.entry;
  // Its last end: a run that was redriven after it is open again.
  const end = own.findLast(({ entry }) => ENDS.has(entry.type))?.entry;
  const finished = end?.type === 'run.finished' ? end : undefined;
  const only = (type: string): readonly ShownEntry[] => own.filter(({ entry }) => entry.type === type);
  return {
    run,
    workflow: first?.workflow ?? null,
    tenant: first?.tenant ?? null,
    initiator: started === undefined ? null : textOf(started.data.initiator),
    startedAt: started?.time ?? null,
    finishedAt: finished?.time ?? null,
    status: finished === undefined ? null : textOf(finished.data.status),
    moments: own.map(momentOf),
    log: entries.filter(({ entry }) => entry.run !== run).map((one) => ({ ...momentOf(one), seq: null })),
    approvals: approvalsOf(own),
    tasks: tasksOf(only('task.opened'), only('task.answered')),
    decisions: only('authz.decided').map(decisionOf),
    ceilings: only('ceiling.composed').map(ceilingOf),
    sandboxes: own.flatMap(sandboxOf),
    payloads: payloadsOf(own, entries, disclosed),
  };
}

function sandboxOf({ index, entry: { type, data } }: ShownEntry): ShownSandbox[] {
  const event = type === 'sandbox.started' ? 'started' : type === 'sandbox.exited' ? 'exited' : null;
  if (event === null) return [];
  const { stepPath, attempt } = data;
  return [{ index: index.toString(), event, step: shown(stepPath), attempt: countOf(attempt), data }];
}
