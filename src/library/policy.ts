// What a program gets from `writ/policy`: the policy room, with the directory of a machine in front of it and questions
// and ceilings as people write them. Nothing is decided here: what can't be understood is denied or refused.
import { readPolicyDirectory } from '../adapters/policy-directory.js';
import { platformSha256 } from '../adapters/hash.js';
import { canonicalJson } from '../canonical-json.js';
import { WritError } from '../errors.js';
import {
  buildSnapshot,
  composeCeilings as composeSettled,
  decide as decideRequest,
  factsOf,
  isAction,
  permits as permitsRequest,
  readQuestion,
  readSpec,
  refuseQuestion,
  requestProblem,
} from '../policy/index.js';
import type {
  Ceiling,
  CeilingRequest,
  Decision,
  DecisionRequest,
  ObtainedApproval,
  PolicyQuestion,
  PolicySnapshot,
  Violation,
} from '../policy/index.js';

export * from '../policy/index.js';

/**
 * Reads, checks and indexes a policy directory; immutable, and never of a directory with a problem. Throws
 * POLICY_INVALID with `details.diagnostics` (file, line, column), POLICY_ERROR when the engine fails its canaries.
 */
export async function loadPolicies(directory: string): Promise<PolicySnapshot> {
  const files = await readPolicyDirectory(directory);
  return buildSnapshot({ files, canonicalize: canonicalJson, sha256: platformSha256, root: directory });
}

/**
 * Decides one act: RBAC for initiator and agent, every ceiling layer, the approval it needs. Takes a question as people
 * write it (asked now, unless it names a time) or a whole request. Never throws: what it can't judge is a deny.
 */
export function decide(snapshot: PolicySnapshot, request: PolicyQuestion | DecisionRequest): Decision {
  if (isWholeRequest(request)) return decideRequest(snapshot, request);
  const read = readQuestion(request, Date.now());
  return read.ok ? decideRequest(snapshot, read.request) : refuseQuestion(snapshot, read.problem);
}

/** A caller in JavaScript may hand in anything. */
function isWholeRequest(request: unknown): request is DecisionRequest {
  return typeof request === 'object' && request !== null && 'facts' in request;
}

/** A layer or document with its `spec`, or the spec itself: as written in a document, or composed before. */
export type CeilingInput = { readonly spec: unknown } | Ceiling | Readonly<Record<string, unknown>>;

/**
 * The meet: permits what every one of them permits, in any order. `spec: null` is an absent layer. Throws
 * POLICY_INVALID where a spec has an unknown field or value, so that nothing is left out by mistake.
 */
export function composeCeilings(layers: readonly CeilingInput[]): Ceiling {
  return composeSettled(layers.map((layer, index) => ({ spec: specOf(layer, `layer ${index + 1}`) })));
}

function specOf(layer: CeilingInput, where: string): Ceiling | null {
  const spec: unknown = 'spec' in layer ? layer.spec : layer;
  if (spec === null) return null;
  const read = readSpec(spec);
  if (typeof read !== 'string') return read;
  throw new WritError('POLICY_INVALID', `${where}: ${read}`, {
    hint: 'the fields of a ceiling are listed in policies/README.md',
  });
}

/** A question to one ceiling: who asks is nothing to it, and the approval is the one that was really given. */
export type CeilingQuestion = Omit<
  PolicyQuestion,
  'initiator' | 'agent' | 'domain' | 'approval' | 'layers'
> & {
  readonly approval?: ObtainedApproval | null;
};

/**
 * Whether the request fits, with every field that refuses it. Exact: the meet permits what all its parts permit.
 * Throws POLICY_INVALID for a ceiling, POLICY_REQUEST_INVALID for a request that can't be understood.
 */
export function permits(
  ceiling: CeilingInput,
  request: CeilingQuestion | CeilingRequest,
): { readonly ok: boolean; readonly violations: readonly Violation[] } {
  const spec = composeCeilings([ceiling]);
  if ('facts' in request) return permitsRequest(spec, request);
  const { approval = null, ...question } = request;
  // Somebody and somewhere, so that the same check of the fields holds for both kinds of question.
  const read = readQuestion({ initiator: 'service:permits', domain: 'any', ...question }, Date.now());
  const { action, resource } = question;
  const facts = read.ok ? read.request.facts : factsOf(question);
  const problem = read.ok ? requestProblem(action, resource, facts) : read.problem;
  if (!read.ok || problem !== null || !isAction(action)) {
    const words = problem ?? `action ${JSON.stringify(action)} is unknown`;
    throw new WritError('POLICY_REQUEST_INVALID', words, { hint: 'ask with known fields and values' });
  }
  return permitsRequest(spec, { nowMs: read.request.nowMs, action, resource, facts, approval });
}
