// A run as it is stored now, and what all its log entries have in common.
import type { EntryContext } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import { logTime } from '../log/log.js';
import { notFound } from '../not-found.js';
import type { RunRecord } from '../ports.js';

/** `actor` defaults to the initiator, through the runner. */
export function entryContext(guard: Guard, run: RunRecord, actor?: EntryContext['actor']): EntryContext {
  return {
    tenant: run.tenant,
    run: run.id,
    workflow: { id: run.workflowId, hash: run.workflowHash },
    policy: guard.policy().policyHash,
    actor: actor ?? { id: run.initiator, via: 'runner' },
  };
}

/** Now, as the log counts it: it never goes back. Expiry is judged by it, so that a clock set back revives nothing. */
export async function logTimeMs(guard: Guard): Promise<number> {
  return logTime(guard.clock.nowMs(), (await guard.store.log()).lastTimeMs);
}

/** Throws NOT_FOUND. */
export async function load(guard: Guard, runId: string): Promise<RunRecord> {
  const run = await guard.store.run(runId);
  if (run !== null) return run;
  throw notFound('run', runId);
}
