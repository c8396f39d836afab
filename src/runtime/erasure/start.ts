// Starting an erasure: whoever asks must hold `audit.erase` on every run concerned before anything is said about one;
// then what it is about is settled. Where nothing is left to erase, what an earlier erasure still has to scrub is
// finished instead.
import { WritError } from '../../errors.js';
import { artifactsGoing } from './artifact-erasure.js';
import { requireAuditRight, WHOLE_LOG } from '../log/access.js';
import {
  checkBasis,
  erasureInput,
  findPayload,
  MAX_TARGETS,
  openErasure,
  payloadsLeft,
  planErasure,
} from './erasure.js';
import type { Guard } from '../guard-parts.js';
import type { Prepared } from '../workflow/register.js';
import { expiredBeforeMs, type RetentionSetting } from './retention.js';
import { finishScrub, SCRUB_WAIT_MS, type ScrubParts } from './scrub.js';
import { inputOf, type RunStart } from '../run/start.js';
import type { Erasure, EraseScope, Principal } from '../writ.js';

export interface ErasureStart {
  readonly guard: Guard;
  readonly retention: RetentionSetting;
  readonly scrubbing: Omit<ScrubParts, 'store'>;
  /** The one workflow that may call `audit::erase`. */
  readonly prepare: () => Promise<Prepared>;
  readonly keep: (prepared: Prepared) => Promise<void>;
  /** Makes the run durable; its id. */
  readonly begin: (start: RunStart) => Promise<string>;
}

/**
 * The erasing run, to be driven: a new one, or the one that the same person has asked for already; null when nothing is
 * left to erase. Throws as `Writ.erase`.
 */
export async function startErasure(
  parts: ErasureStart,
  { what, basis: given }: { readonly what: EraseScope; readonly basis: string },
  initiator: Principal,
): Promise<Erasure> {
  const { guard } = parts;
  const basis = guard.redact.text(given);
  checkBasis(basis);
  for (const resource of await resourcesOf(guard, what)) {
    await requireAuditRight(guard, initiator, 'audit.erase', resource);
  }
  const isExpired = what.kind === 'expired';
  const beforeMs = isExpired ? await expiredBeforeMs(guard, parts.retention) : 0;
  const { targets, before, more } = await planErasure(guard, isExpired ? { ...what, beforeMs } : what);
  const runs = new Set([...targets, ...before].map((one) => one.run));
  const artifacts = await artifactsGoing(guard, runs, targets);
  if (targets.length === 0 && artifacts.length === 0) {
    const scrubbing = { store: guard.store, ...parts.scrubbing };
    const scrub = await guard.journal.orStop(() => finishScrub(scrubbing, SCRUB_WAIT_MS));
    return { run: null, before, more, left: await payloadsLeft(guard, before), scrub };
  }
  const prepared = await parts.prepare();
  const { plan, record } = prepared;
  const input = erasureInput(targets, artifacts, basis);
  const open = await openErasure(guard, record.id, initiator.id, input, (run) => inputOf(guard, run));
  const start: RunStart = {
    workflow: record,
    plan,
    input,
    agents: {},
    initiator,
    isAllowed: true,
    keep: () => parts.keep(prepared),
  };
  return { run: open ?? (await parts.begin(start)), before, more, left: [], scrub: null };
}

/**
 * What the right is asked for: the run of each payload, and the whole log for a payload that is none, so that nobody
 * without the right learns which exist. Throws USAGE for what is no commitment and for too many.
 */
async function resourcesOf(guard: Guard, what: EraseScope): Promise<readonly string[]> {
  if (what.kind === 'expired') return [WHOLE_LOG];
  if (what.kind === 'run') return [what.run];
  if (what.commitments.length > MAX_TARGETS) {
    throw new WritError('USAGE', `one erasure takes at most ${MAX_TARGETS} payloads`);
  }
  const resources = new Set<string>();
  for (const hex of what.commitments) resources.add((await findPayload(guard, hex))?.run ?? WHOLE_LOG);
  return [...resources].sort();
}
