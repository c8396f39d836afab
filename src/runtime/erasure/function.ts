// `audit::erase`: salt and bytes go and `payload.erased` comes in one commit; then no file of the store holds them any
// more, and copies that can be reached are removed. It trusts nothing of what was true when the run was started: who
// asks, what it is about and the right to it are looked at again. Calling it twice erases once.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { checkAccess } from '../../policy/rbac/access.js';
import { eraseArtifacts } from './artifact-erasure.js';
import { policyRefusal } from '../authorize.js';
import { draft, type EntryContext } from '../log/entries.js';
import { erasableRun, parseErasureInput, payloadsLeft } from './erasure.js';
import { ERASE_FUNCTION, isErasure } from './workflow.js';
import { isBusy } from '../log/journal.js';
import type { Guard } from '../guard-parts.js';
import type { CopyFiles, EntryDraft, FunctionProvider, Locks, RunRecord } from '../ports.js';
import { entryContext, load } from '../run/context.js';
import { finishScrub, SCRUB_WAIT_MS } from './scrub.js';
import type { ErasureTarget } from '../writ.js';

export interface EraseParts {
  /** Asked for when it is called: the guard is what calls it. */
  readonly guard: () => Guard;
  readonly copies: CopyFiles;
  readonly locks: Locks;
  readonly publish: () => Promise<void>;
}

/** The provider of `audit::erase`. Refuses (POLICY_*) every caller but a run of the built-in workflow. */
export function eraseFunction(parts: EraseParts): FunctionProvider {
  return {
    functionIds: [ERASE_FUNCTION],
    async invoke({ run: runId, input }, signal) {
      const guard = parts.guard();
      const run = await load(guard, runId);
      const request = isErasure(run) ? parseErasureInput(input) : null;
      if (request === null) {
        throw new WritError(
          'POLICY_REQUEST_INVALID',
          `${ERASE_FUNCTION} is called by writ audit erase only`,
          {
            hint: 'writ audit erase --help',
          },
        );
      }
      const { basis, targets, artifacts } = request;
      mayErase(guard, run, [...targets, ...artifacts]);
      if (signal.aborted) throw new WritError('STEP_CANCELLED', 'cancelled before anything was erased');
      const now = await erase(guard, run, { targets, basis, signal });
      const taken = await guard.journal.orStop(() => eraseArtifacts(guard, artifacts));
      const scrubbing = { ...parts, store: guard.store };
      const scrubbed = await guard.journal.orStop(() => finishScrub(scrubbing, SCRUB_WAIT_MS));
      return {
        erased: await erasedEntries(guard, targets),
        erasedNow: now,
        artifactsErased: [...taken.erased],
        artifactsKept: [...taken.kept],
        clean: scrubbed.clean,
        reason: scrubbed.reason,
        copiesRemoved: [...scrubbed.removed],
        copiesOutOfReach: scrubbed.outOfReach.map((one) => ({ ...one })),
        payloadsLeft: (await payloadsLeft(guard, targets)).map((one) => ({ ...one })),
      };
    },
  };
}

/** Policy may have changed since the run was started and approved. */
function mayErase(guard: Guard, run: RunRecord, targets: readonly { readonly run: string }[]): void {
  for (const resource of new Set(targets.map((one) => one.run))) {
    const question = { subject: run.initiator, domain: guard.tenant, action: 'audit.erase', resource };
    const answer = checkAccess(guard.policy(), question);
    if (!answer.allowed) throw policyRefusal(answer);
  }
}

/** How many were erased by this call. */
async function erase(
  guard: Guard,
  by: RunRecord,
  {
    targets,
    basis,
    signal,
  }: { readonly targets: readonly ErasureTarget[]; readonly basis: string; readonly signal: AbortSignal },
): Promise<number> {
  for (;;) {
    const entries: EntryDraft[] = [];
    const runs = new Map<string, RunRecord>();
    const erasures: { readonly commitment: ErasureTarget['commitment']; readonly entry: number }[] = [];
    for (const target of targets) {
      const { commitment, label } = target;
      const payload = await guard.store.payload(commitment);
      if (payload?.label !== label || payload.run !== target.run) {
        throw new WritError('NOT_FOUND', `no payload ${commitment} labelled "${label}" in run ${target.run}`);
      }
      if (payload.erasedBy !== null) continue;
      const run = runs.get(target.run) ?? (await erasableRun(guard, target.run));
      runs.set(target.run, run);
      const context = contextOf(guard, run, by);
      erasures.push({ commitment, entry: entries.length });
      const data = { commitment, label, basis, requester: by.initiator, erasure: by.id };
      entries.push(draft(context, 'payload.erased', data));
    }
    if (entries.length === 0) return 0;
    try {
      // Raises their versions: a redrive that has looked at one of them before does not bring back what goes here.
      const touched = Array.from(runs.values(), (record) => ({ op: 'update' as const, record }));
      await guard.journal.commit({ runs: touched, entries, erasures });
      return entries.length;
    } catch (error) {
      if (isBusy(error) && !signal.aborted) {
        guard.journal.waits(error);
        continue;
      }
      // Another erasure took one of them at this moment, or a redrive: look again.
      if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    }
  }
}

/** In the chain of the run whose data goes: whoever reads that run sees what is gone and why. */
function contextOf(guard: Guard, run: RunRecord, by: RunRecord): EntryContext {
  return entryContext(guard, run, { id: by.initiator, via: 'runner' });
}

async function erasedEntries(guard: Guard, targets: readonly ErasureTarget[]): Promise<Json> {
  const found: Json[] = [];
  for (const { commitment, label, run } of targets) {
    const payload = await guard.store.payload(commitment);
    found.push({ commitment, label, run, entry: String(payload?.erasedBy ?? '') });
  }
  return found;
}
