// What a driver is asked for: program, limits, mounts, clock and the way out, as policy left them.
import { sha256 } from '../../audit/sha256.js';
import { WritError } from '../../errors.js';
import type { JsonObject } from '../../json.js';
import type { Decision } from '../../policy/decision/decision.js';
import type { TaskNode } from '../../workflow/plan.js';
import type { Attempt } from './attempt.js';
import type { SandboxedCallable } from '../call/callable.js';
import { egressDecided, type EntryContext } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import type { StepLimits } from './limits.js';
import type { SandboxMount, SandboxRequest } from '../ports.js';

export function sandboxRequest(
  guard: Guard,
  attempt: Attempt,
  context: EntryContext,
  callable: SandboxedCallable,
  decision: Decision,
  limits: StepLimits,
): SandboxRequest {
  const { egressBytes, egressRequests, ...ofSandbox } = limits;
  return {
    ...callable.request,
    ...fixedFor(guard, attempt, callable),
    ...requiredBy(decision),
    ...egressFor(guard, attempt, context, callable, limits),
    limits: ofSandbox,
    run: attempt.run.id,
  };
}

/** Throws CEILING_MOUNTS: a layer that says nothing of mounts forbids none, and one has to have said yes. */
export function requireListed({ verdict, effective }: Decision, node: TaskNode): void {
  if (effective.mounts !== 'unlisted' || verdict === 'deny') return;
  throw new WritError(
    'CEILING_MOUNTS',
    `"${node.name}" mounts folders of the host, and no ceiling lists any`,
    {
      hint: 'list them in policies/ceilings: mounts: { allow: [{ path: /data/claims, mode: ro }] }',
    },
  );
}

/** Throws CEILING_NETWORK: no ceiling of the operator has said yes to these hosts. */
export function requireListedHosts({ verdict, effective }: Decision, node: TaskNode): void {
  if (effective.network !== 'unlisted' || verdict === 'deny') return;
  throw new WritError(
    'CEILING_NETWORK',
    `"${node.name}" asks for hosts from a sandbox that no ceiling of the operator lists`,
    {
      hint: 'list them in policies/ceilings: network: { mode: allowlist, allow: [api.example:443] }, an address by itself',
    },
  );
}

/** The way out as a driver is asked for it: each decision of the proxy becomes an entry before anything is connected. */
function egressFor(
  { journal, tenant }: Guard,
  { stepPath, attempt, run }: Attempt,
  context: EntryContext,
  { agent, egress }: SandboxedCallable,
  { egressBytes: bytes, egressRequests: requests }: StepLimits,
): Pick<SandboxRequest, 'egress'> {
  if (egress === undefined) return {};
  if (bytes === undefined || requests === undefined)
    throw new WritError('INTERNAL', 'a way out without budget');
  const about = { stepPath, attempt, subject: run.initiator, agent, domain: tenant };
  return {
    egress: {
      ...{ ...egress, bytes, requests },
      record: async (decision) => {
        await journal.commit({ entries: egressDecided(context, about, decision) });
      },
    },
  };
}

/** As the log and an approval name them. */
export function mountsJson(mounts: readonly SandboxMount[]): JsonObject[] {
  return mounts.map(({ source, target, mode }) => ({ source, target, mode }));
}

function requiredBy({ effective }: Decision): Pick<SandboxRequest, 'require'> {
  return effective.require === undefined ? {} : { require: effective.require };
}

/** Clock and random bytes of a program that is to see the same each time this attempt is run. */
function fixedFor(
  { clock }: Guard,
  { idempotencyKey }: Attempt,
  { deterministic }: SandboxedCallable,
): Pick<SandboxRequest, 'deterministic'> {
  if (deterministic !== true) return {};
  const seed = Buffer.from(sha256(new TextEncoder().encode(idempotencyKey))).toString('hex');
  return { deterministic: { seed, nowMs: clock.nowMs() } };
}
