// Drafts of log entries, one function per event type. `data` holds public facts only; whatever a person typed, a
// rendered input or an output is a payload and appears as a commitment. What every attempt has lists its keys as the log
// does, in alphabetical order: then nobody has to sort them.
import { readJson, type Commitment, type Hex, type Json, type JsonObject } from '../../json.js';
import type { EgressDecision, EntryDraft, SandboxResult, Usage } from '../ports.js';

/** What every entry of one run has in common. */
export interface EntryContext {
  readonly tenant: string;
  readonly run: string | null;
  readonly workflow: { readonly id: string; readonly hash: Hex } | null;
  readonly policy: Hex | null;
  readonly actor: { readonly id: string; readonly via: string };
}

/** Entries about the log itself. */
export function logContext(tenant: string): EntryContext {
  return { tenant, run: null, workflow: null, policy: null, actor: { id: 'service:writ', via: 'open' } };
}

/** Which attempt of which step an entry speaks of. */
export interface AttemptRef {
  readonly stepPath: string;
  readonly attempt: number;
}

export function draft(
  context: EntryContext,
  type: string,
  data: JsonObject,
  commit: Readonly<Record<string, Commitment>> = {},
): EntryDraft {
  const { tenant, run, workflow, policy, actor } = context;
  return { type, run, tenant, actor, workflow, policy, data, commit };
}

export interface StepIntent extends AttemptRef {
  readonly iteration: number | null;
  readonly item: number | null;
  readonly functionId: string;
  readonly agentDigest: string | null;
  readonly sandbox: string | null;
  readonly idempotencyKey: string;
  readonly approvalId: string | null;
}

export function stepIntended(context: EntryContext, intent: StepIntent, input: Commitment): EntryDraft {
  const { stepPath, attempt, iteration, item, functionId, agentDigest, sandbox, idempotencyKey, approvalId } =
    intent;
  const data: JsonObject = {
    agentDigest,
    approvalId,
    attempt,
    function: functionId,
    idempotencyKey,
    item,
    iteration,
    sandbox,
    stepPath,
  };
  return draft(context, 'step.intended', data, { input });
}

export type StepEnd = 'succeeded' | 'failed' | 'cancelled' | 'timed-out' | 'indeterminate';

export function stepFinished(
  context: EntryContext,
  ref: AttemptRef,
  end: {
    readonly status: StepEnd;
    readonly intent: string;
    readonly code: string | null;
    readonly durationMs: number;
    /** What the call has cost; left out when that is nothing. */
    readonly usage?: Usage;
    /** A turn of a conversation: how many calls it asks for before the next attempt goes on with it. */
    readonly calls?: number;
  },
  commit: Readonly<Record<string, Commitment>>,
): EntryDraft {
  const { stepPath, attempt } = ref;
  const { status, intent, code, durationMs, usage, calls } = end;
  const ended: JsonObject = { attempt, code, durationMs, intent, status, stepPath };
  const asked = calls === undefined ? ended : { ...ended, calls };
  const data = usage === undefined ? asked : { ...asked, usage: { ...usage } };
  return draft(context, 'step.finished', data, commit);
}

/**
 * What a program in a sandbox asked the network for. `attempt` is null: it is a decision about no step, so that one that
 * was refused says nothing about whether the step may run.
 */
export function egressDecided(
  context: EntryContext,
  {
    stepPath,
    attempt,
    ...who
  }: AttemptRef & { readonly subject: string; readonly agent: string | null; readonly domain: string },
  { host, verdict, reason, credentials }: EgressDecision,
): EntryDraft[] {
  const data = {
    stepPath,
    attempt: null,
    ofAttempt: attempt,
    ...who,
    action: 'network.egress',
    resource: host ?? 'unreadable',
    verdict,
    ruleId: null,
    code: verdict === 'deny' ? 'CEILING_NETWORK' : null,
    ...(reason === null ? {} : { reason }),
  };
  return [
    draft(context, 'authz.decided', data),
    ...credentials.map((name) => draft(context, 'secret.used', { stepPath, attempt, name, host })),
  ];
}

export function sandboxExited(context: EntryContext, ref: AttemptRef, result: SandboxResult): EntryDraft {
  const { stepPath, attempt } = ref;
  const { status, exitCode, limitHit, evidence } = result;
  return draft(context, 'sandbox.exited', {
    stepPath,
    attempt,
    status,
    exitCode,
    oomKilled: status === 'oom',
    limitHit,
    evidence,
  });
}

export function approvalEnded(
  context: EntryContext,
  type: 'approval.expired' | 'approval.withdrawn',
  approval: { readonly id: string; readonly subjectDigest: string },
  cause: string,
): EntryDraft {
  return draft(context, type, { approvalId: approval.id, subjectDigest: approval.subjectDigest, cause });
}

/** RFC 3339, UTC, milliseconds, `Z`. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** Drops nothing: a plain JSON copy of readonly data for an entry. */
export function asJson(value: unknown): Json {
  return readJson(JSON.stringify(value));
}
