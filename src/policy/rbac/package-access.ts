// RBAC about agent packages. The repository before a digest is the word of whoever wrote the document, so a deny holds
// under every repository, and who decides about a call needs the right under the repository that the verified bytes name as
// well: else a document would choose, by how it calls a package, who approves it.
import { checkAccess } from './access.js';
import type { AccessAnswer, AccessQuestion } from './access.js';
import { isAction, resourceProblem } from './action.js';
import { everyPackageName, honestPackageName } from '../ceiling/facts.js';
import type { CalledPackage, Facts } from '../ceiling/facts.js';
import type { PolicySnapshot } from '../snapshot.js';

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

/**
 * The answer to a question of which nobody has read the bytes: of a package they are taken to say what the question does,
 * as those of most packages do, so that a recall shows.
 */
export function checkAsNamed(snapshot: PolicySnapshot, question: AccessQuestion): AccessAnswer {
  const called = isAboutPackages(question) ? asNamed(question.resource) : null;
  return called === null ? checkAccess(snapshot, question) : checkPackage(snapshot, question, called);
}

/** Whether it may name agent packages; a function has `::` in it, and no package has. */
export function isAboutPackages({ action, resource }: Pick<AccessQuestion, 'action' | 'resource'>): boolean {
  return /^(?:\*|agent\.invoke|approval\..*)$/.test(action) && !resource.includes('::');
}

/** A package whose bytes say what its name in a document does; null = the name of none. */
function asNamed(resource: string): Required<CalledPackage> | null {
  const [, agentName = '', agentDigest = ''] = PACKAGE.exec(resource) ?? [];
  const agentOwnName = lastPart(agentName);
  return agentOwnName === '' ? null : { agentName, agentDigest, agentOwnName, agentRepository: agentName };
}

/** What a package of this repository is mostly called. */
export function lastPart(repository: string): string {
  return repository.slice(repository.lastIndexOf('/') + 1);
}

const PACKAGE = /^(.+)@(sha256:[0-9a-f]{64})$/;

function mayBeAsked(action: string, resource: string): boolean {
  return isAction(action) && resourceProblem(action, resource) === null;
}

/** What a person decides about: what is called, as its document says, and what the bytes of a package say of themselves. */
export interface DecidedCall {
  readonly functionId: string;
  /** Who acts, for a package by its own name; null = nobody knows yet, in a bare question. */
  readonly requester: string | null;
  /** The repository that the package names; absent = no package, or a request of a version that did not write it down. */
  readonly repository?: string;
}

/** As the facts of an act tell it; a package of which only a part is known is as one of which nothing is. */
export function decidedCall({ functionId, agentOwnName, agentRepository }: Facts): DecidedCall {
  if (agentOwnName === undefined || agentRepository === undefined) return { functionId, requester: null };
  return { functionId, requester: `agent:${agentOwnName}`, repository: agentRepository };
}

/** Whether somebody may decide (`approval.decide`, `approval.breakglass`) about the call. Never throws. */
export function checkDeciding(
  snapshot: PolicySnapshot,
  who: Omit<AccessQuestion, 'resource'>,
  call: DecidedCall,
): AccessAnswer {
  const called = packageOf(call);
  if (called === null) return checkAccess(snapshot, { ...who, resource: call.functionId });
  if (called.agentRepository === undefined) return unnamed(call);
  const answer = checkPackage(snapshot, { ...who, resource: call.functionId }, called);
  const own = honestPackageName(called);
  return own === null || !answer.allowed ? answer : checkAccess(snapshot, { ...who, resource: own });
}

/** The names under which somebody needs the right to decide: the document's, and that of the bytes where it is another. */
export function decidedNames(call: DecidedCall): readonly string[] {
  const called = packageOf(call);
  const own = called === null ? null : honestPackageName(called);
  return own === null ? [call.functionId] : [call.functionId, own];
}

/** Whether anybody could decide: not about a package of which a request does not say the repository that it names. */
export function isDecidable(call: DecidedCall): boolean {
  const called = packageOf(call);
  return called === null || called.agentRepository !== undefined;
}

function packageOf({ functionId, requester, repository }: DecidedCall): CalledPackage | null {
  const [, agentName, agentDigest] = PACKAGE.exec(functionId) ?? [];
  if (agentName === undefined || agentDigest === undefined || requester?.startsWith('agent:') !== true)
    return null;
  const named = repository === undefined ? {} : { agentRepository: repository };
  return { agentName, agentDigest, agentOwnName: requester.slice('agent:'.length), ...named };
}

/** Which right is needed is not known: the document's name alone would let it choose who decides. */
function unnamed({ functionId }: DecidedCall): AccessAnswer {
  return {
    ...{ allowed: false, effect: 'none', ruleId: null, code: 'POLICY_REQUEST_INVALID', rolePath: [] },
    message: `an older version asked for ${functionId} without the repository that the package itself names`,
    hint: 'have it asked for again: writ workflow resume RUN',
  };
}
