// What an approval of a step is bound to: everything that its act would be.
import type { Subject } from '../../approval/subject.js';
import type { JsonObject } from '../../json.js';
import type { Decision } from '../../policy/decision/decision.js';
import type { Attempt } from './attempt.js';
import type { Callable } from '../call/callable.js';
import type { Guard } from '../guard-parts.js';
import { limitsJson, type StepLimits } from './limits.js';
import type { FunctionReach } from '../ports.js';
import { dataJson } from '../run/data.js';
import { mountsJson } from './sandbox-request.js';

export function subjectOf(
  guard: Guard,
  attempt: Attempt,
  callable: Callable,
  reach: FunctionReach,
  decision: Decision,
  limits: StepLimits,
): Subject {
  const sandbox =
    callable.kind === 'sandbox'
      ? {
          driver: callable.driver.kind,
          profile: 'strict',
          image: callable.request.program.digest,
          mounts: mountsJson(callable.request.mounts ?? []),
          network: [...reach.network].sort(),
        }
      : outsideOf(reach);
  const data = dataJson(attempt.data);
  return {
    tenant: guard.tenant,
    run: attempt.run.id,
    workflowHash: attempt.workflow.hash,
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    iteration: attempt.iteration,
    item: attempt.item,
    function: callable.resource,
    input: attempt.input,
    agentDigest: callable.agentDigest ?? reach.definition ?? null,
    sandbox,
    credentials: reach.credentials,
    policyHash: decision.policyHash,
    ceilingHash: decision.ceilingHash,
    limits: limitsJson(limits),
    ...(data === null ? {} : { data }),
  };
}

/** A function that runs outside a sandbox and reaches into the network is approved with the hosts that it reaches. */
function outsideOf({ network }: FunctionReach): JsonObject | null {
  if (network.length === 0) return null;
  return { driver: 'none', profile: 'none', image: null, mounts: [], network: [...network].sort() };
}
