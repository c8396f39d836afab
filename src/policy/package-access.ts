// RBAC about agent packages. The repository before a digest is the word of whoever wrote the document, so a deny holds
// under every repository, and who decides about a call needs the right under the package's own name as well: else a
// document would choose, by how it calls a package, who approves it.
import { checkAccess } from './access.js';
import type { AccessAnswer, AccessQuestion } from './access.js';
import { isAction, resourceProblem } from './action.js';
import { everyPackageName, honestPackageName } from './facts.js';
import type { CalledPackage } from './facts.js';
import type { PolicySnapshot } from './snapshot.js';

/** As `checkAccess`; a rule that denies the package by any of its names denies it. Never throws. */
export function checkPackage(
  snapshot: PolicySnapshot,
  question: AccessQuestion,
  called: CalledPackage,
): AccessAnswer {
  const answer = checkAccess(snapshot, question);
  if (!answer.allowed) return answer;
  for (const resource of everyPackageName(called)) {
    if (resource === question.resource || !mayBeAsked(question.action, resource)) continue;
    const other = checkAccess(snapshot, { ...question, resource });
    // That nobody allows this name is no word against the call; a deny, and any error, is.
    if (!other.allowed && other.code !== 'POLICY_NO_MATCH') return other;
  }
  return answer;
}

function mayBeAsked(action: string, resource: string): boolean {
  return isAction(action) && resourceProblem(action, resource) === null;
}

/** What a person decides about: what is called, as its document says, and who acts, for a package by its own name. */
export interface DecidedCall {
  readonly functionId: string;
  readonly requester: string | null;
}

/** Whether somebody may decide (`approval.decide`, `approval.breakglass`) about the call. Never throws. */
export function checkDeciding(
  snapshot: PolicySnapshot,
  who: Omit<AccessQuestion, 'resource'>,
  call: DecidedCall,
): AccessAnswer {
  const called = packageOf(call);
  if (called === null) return checkAccess(snapshot, { ...who, resource: call.functionId });
  const answer = checkPackage(snapshot, { ...who, resource: call.functionId }, called);
  const own = honestPackageName(called);
  return own === null || !answer.allowed ? answer : checkAccess(snapshot, { ...who, resource: own });
}

/** The names under which somebody needs the right to decide: the document's, and the package's own where it is another. */
export function decidedNames(call: DecidedCall): readonly string[] {
  const called = packageOf(call);
  const own = called === null ? null : honestPackageName(called);
  return own === null ? [call.functionId] : [call.functionId, own];
}

function packageOf({ functionId, requester }: DecidedCall): CalledPackage | null {
  const [, agentName, agentDigest] = /^(.+)@(sha256:[0-9a-f]{64})$/.exec(functionId) ?? [];
  if (agentName === undefined || agentDigest === undefined || requester?.startsWith('agent:') !== true)
    return null;
  return { agentName, agentDigest, agentOwnName: requester.slice('agent:'.length) };
}
