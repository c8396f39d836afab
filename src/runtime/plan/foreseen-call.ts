// What a step would call, as far as that is known before anything has run: the callable as it is found now, what it would
// reach, and what is wrong with it. Nothing is called.
import { WritError } from '../../errors.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { actingAgent, resolveCallable, type Callable } from '../call/callable.js';
import type { Foresight, KnownRequest } from './foresight.js';
import type { Guard } from '../guard-parts.js';
import { NOWHERE, reachOf, sandboxReach } from '../attempt/judge.js';
import { referenceOf } from './outline.js';
import type { FunctionReach } from '../ports.js';

/** A workflow with the agents that would act in it, and what is known of its data. */
export interface Outlook {
  readonly guard: Guard;
  readonly plan: Plan;
  readonly agents: Readonly<Record<string, string>>;
  readonly foresight: Foresight;
}

export interface ForeseenCall {
  readonly facts: CallFacts;
  /** Null where it was not found. */
  readonly callable: Callable | null;
  /** What of its data has yet to come. */
  readonly needs: KnownRequest['needs'];
  /** Null where that is not known. */
  readonly reach: FunctionReach | null;
  /** Why the step would fail for another reason than policy; null = nothing is known of any. */
  readonly problem: WritError | null;
}

/** What policy is asked about. */
export type CallFacts = Pick<
  Callable,
  'resource' | 'action' | 'agent' | 'agentDigest' | 'package' | 'approval'
>;

export async function foresee(outlook: Outlook, key: string, node: TaskNode): Promise<ForeseenCall> {
  const request = outlook.foresight.request(key, node);
  const { facts, callable, problem } = await find(outlook, node, request);
  const { reach, problem: unreachable } = await foreseenReach(callable, request);
  return { facts, callable, needs: request.needs, reach, problem: request.problem ?? problem ?? unreachable };
}

async function find(
  { guard, plan, agents }: Outlook,
  node: TaskNode,
  request: KnownRequest,
): Promise<Pick<ForeseenCall, 'facts' | 'callable' | 'problem'>> {
  try {
    const callable = await resolveCallable(guard.callables, plan, { agents }, node, request.value);
    return { facts: callable, callable, problem: null };
  } catch (error) {
    return { facts: factsOf(plan, agents, node), callable: null, problem: problemOf(error, request) };
  }
}

/** Null for a request that is not whole yet: it says nothing about the one that will be. Throws what is a fault of ours. */
function problemOf(error: unknown, { needs }: KnownRequest): WritError | null {
  if (!(error instanceof WritError) || error.code === 'INTERNAL') throw error;
  return error.code === 'FUNCTION_REQUEST_INVALID' && needs.length > 0 ? null : error;
}

/** What policy can be asked about although the callable itself was not found. */
export function factsOf(plan: Plan, agents: Readonly<Record<string, string>>, node: TaskNode): CallFacts {
  const { call, approval } = node;
  return {
    resource: referenceOf(call),
    action: call.kind === 'agent' ? 'agent.invoke' : 'function.invoke',
    agent: agentOf(plan, agents, node),
    agentDigest: call.kind === 'agent' ? call.digest : null,
    package: null,
    approval,
  };
}

function agentOf(plan: Plan, agents: Readonly<Record<string, string>>, node: TaskNode): string | null {
  try {
    return actingAgent(plan, { agents }, node);
  } catch (error) {
    // Nobody acts; that is the problem which is told.
    if (error instanceof WritError) return null;
    throw error;
  }
}

async function foreseenReach(
  callable: Callable | null,
  request: KnownRequest,
): Promise<Pick<ForeseenCall, 'reach' | 'problem'>> {
  if (callable === null) return { reach: null, problem: null };
  const { value, needs } = request;
  try {
    if (needs.length === 0) return { reach: await reachOf(callable, value), problem: null };
    if (callable.kind !== 'function') return { reach: sandboxReach(callable), problem: null };
    const { provider, functionId, agent } = callable;
    return { reach: (await provider.reach?.(functionId, value, agent)) ?? NOWHERE, problem: null };
  } catch (error) {
    return { reach: null, problem: problemOf(error, request) };
  }
}
