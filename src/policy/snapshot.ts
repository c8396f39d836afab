// One immutable reading of the policy directory: rules, roles, ceilings, people, their hashes, and the judge.
// Built aside and complete, or not at all: a caller swaps one reference, so no question ever sees half a policy.
import type { Hex, JsonObject } from '../json.js';
import type { Ceiling } from './ceiling/ceiling.js';
import { layerStacks, type LayerStacks } from './ceiling/layer-stack.js';
import { collectCeilings, type LoadedCeiling } from './ceiling/loaded.js';
import { compareText, FILE_START, Problems } from './file/diagnostic.js';
import { checkLockedFiles, LOCK_FILE, type PolicyLock } from './file/lock.js';
import { policyHashOf, type Hashing } from './file/policy-hash.js';
import { readSources } from './file/sources.js';
import { frozen } from './frozen.js';
import { collectPackageSigners, type PackageSigner } from './package-signer.js';
import { collectApprovers, type Approvers } from './rbac/approvers.js';
import { createJudge, type Judge } from './rbac/enforcer.js';
import { MODEL_HASH, sha256Hex } from './rbac/model.js';
import type { Person } from './rbac/person.js';
import { ANY_ROLE, collectRoles, type RoleEdge, type RoleGraph } from './rbac/role.js';
import { collectRules, sortedRules, type Rule } from './rbac/rule.js';

export interface PolicySnapshot extends Approvers {
  /** SHA-256 of the canonical form of rows, edges, ceilings, people and modelHash; formatting doesn't change it. */
  readonly policyHash: Hex;
  readonly modelHash: Hex;
  /** policies.lock, which these files fit; null = there is none. Its signatures are for the caller to verify. */
  readonly lock: PolicyLock | null;
  /** Sorted by id. */
  readonly rules: readonly Rule[];
  ruleById(id: string): Rule | null;
  readonly domains: ReadonlySet<string>;
  /** Roles that are defined in a domain, sorted; without `role:any`. */
  rolesIn(domain: string): readonly string[];
  /** Who holds what, sorted; without `role:any`. */
  readonly roleEdges: readonly RoleEdge[];
  /** Everybody a file names, sorted. */
  readonly principals: readonly string[];
  /** Sorted by layer, then name. A tenant layer holds for the domain of its name only. */
  readonly ceilings: readonly LoadedCeiling[];
  /** Whose signatures of packages count. Sorted by name. */
  readonly packageSigners: readonly PackageSigner[];
  /** Roles of a subject in a domain, inherited ones too; `role:any` for everybody whom more than a deny names. */
  rolesOf(subject: string, domain: string): ReadonlySet<string>;
  /** The roles by which a standing approval may name a subject: as `rolesOf`, and never more than a run began with. */
  grantRolesOf(subject: string, domain: string): ReadonlySet<string>;
  /** Shortest chain from subject to a rule's subject; null when there is none. */
  rolePath(subject: string, ruleSubject: string, domain: string): readonly string[] | null;
  /** `publicKey` as in approvers.yaml: `ed25519:<base64>`. */
  personByKey(publicKey: string): Person | null;
  personByOsUser(name: string): Person | null;
  /** By issuer and subject, both exactly. */
  personByOidc(iss: string, sub: string): Person | null;
  /** Hash of a ceiling, or of a composed one, in its normal form. */
  ceilingHash(ceiling: Ceiling): Hex;
  /** The layers of this directory for a domain, and the meet of any layers. */
  readonly layers: LayerStacks;
  /** The bare RBAC question; `checkAccess` and `decide` validate, explain and fail closed around it. */
  readonly judge: Judge;
}

export interface PolicySource extends Hashing {
  /** Relative path (`rbac/claims.yaml`) -> text. */
  readonly files: ReadonlyMap<string, string>;
  /** Directory named in messages; default `policies`. */
  readonly root?: string;
}

/** Throws POLICY_INVALID with `details.diagnostics`; never gives a snapshot of a directory with a problem. */
export async function buildSnapshot({
  files,
  root = 'policies',
  ...hashing
}: PolicySource): Promise<PolicySnapshot> {
  const { canonicalize, sha256, pause } = hashing;
  const problems = new Problems();
  const lock = checkLockedFiles(files, problems, sha256);
  const sources = await readSources(files, problems, hashing);
  // What follows compares files with these: with one of them unreadable it would only report consequences.
  if (problems.anyIn(/^$|^roles\/|^approvers\.yaml$/)) problems.throwIfAny(root);
  const roles = collectRoles(sources.roles, problems);
  await pause?.();
  const byId = await collectRules(sources.rules, roles, problems, pause);
  await pause?.();
  // Without domains nobody has roles either, and each file would say so.
  if (roles.domains.size === 0) problems.throwIfAny(root);
  const rules = sortedRules(byId);
  const approvers = collectApprovers(sources.approvers, roles, problems);
  const { people } = approvers;
  const packageSigners =
    sources.packageSigners === null ? [] : collectPackageSigners(sources.packageSigners, problems);
  const hashOf = (ceiling: Ceiling) => sha256Hex(canonicalize(ceiling), sha256);
  const ceilings = collectCeilings(sources.ceilings, { roles, people }, problems).map((ceiling) => ({
    ...ceiling,
    hash: hashOf(ceiling.spec),
  }));
  problems.throwIfAny(root);

  const { known, principals } = namedIn(rules, roles, people);
  const everybody = [...known].map((member) => ({ member, role: ANY_ROLE, domain: '*' }));
  const judge = await createJudge(rules, [...roles.edges, ...everybody], pause);
  await pause?.();
  const layers = layerStacks(frozen(ceilings), hashOf);
  const policyHash = await policyHashOf(
    besidesRules({ roles, ceilings, approvers, packageSigners }),
    rules,
    hashing,
  );
  await pause?.();
  if (lock !== null && lock.policyHash !== policyHash) {
    const hint = 'look at what has changed, then lock again: writ policy lock';
    problems.add(LOCK_FILE, FILE_START, 'the lock names another policy hash than these files have', hint);
    problems.throwIfAny(root);
  }
  return Object.freeze<PolicySnapshot>({
    ...frozen(approvers),
    policyHash,
    lock: frozen(lock),
    modelHash: MODEL_HASH,
    rules,
    ruleById: (id) => byId.get(id) ?? null,
    domains: roles.domains,
    rolesIn: (domain) => roles.rolesIn(domain),
    roleEdges: frozen(roles.edges),
    principals,
    ceilings,
    packageSigners: frozen(packageSigners),
    ...rolesWithEverybody(roles, known),
    ...identities(people),
    ceilingHash: (ceiling) => layers.hash(ceiling),
    layers,
    judge,
  });
}

/** Who is somebody, and everybody whom a file names, sorted. */
function namedIn(
  rules: readonly Rule[],
  roles: RoleGraph,
  people: readonly Person[],
): { readonly known: ReadonlySet<string>; readonly principals: readonly string[] } {
  const byName = rules.filter(({ subject }) => !subject.startsWith('role:'));
  const named = (effect: Rule['effect']) =>
    byName.filter((rule) => rule.effect === effect).map(({ subject }) => subject);
  // Whom only a deny names is known to nobody else: it must not be what gives them `role:any`.
  const known = new Set([...roles.members, ...people.map((person) => person.id), ...named('allow')]);
  const principals = new Set([...known, ...named('deny')]);
  return { known, principals: Object.freeze([...principals].toSorted(compareText)) };
}

function rolesWithEverybody(
  roles: RoleGraph,
  known: ReadonlySet<string>,
): Pick<PolicySnapshot, 'rolesOf' | 'grantRolesOf' | 'rolePath'> {
  const rolesOf = (subject: string, domain: string): ReadonlySet<string> => {
    const held = new Set(roles.rolesOf(subject, domain));
    return known.has(subject) ? held.add(ANY_ROLE) : held;
  };
  return {
    rolesOf,
    grantRolesOf: rolesOf,
    rolePath: (subject, ruleSubject, domain) => {
      if (ruleSubject === ANY_ROLE) return known.has(subject) ? [subject, ANY_ROLE] : null;
      return roles.path(subject, ruleSubject, domain);
    },
  };
}

function identities(
  people: readonly Person[],
): Pick<PolicySnapshot, 'personByKey' | 'personByOsUser' | 'personByOidc'> {
  const byKey = new Map(people.flatMap((person) => person.keys.map((key) => [key, person] as const)));
  const byOsUser = new Map(people.map((person) => [person.osUser, person] as const));
  return {
    personByKey: (publicKey) => byKey.get(publicKey) ?? null,
    personByOsUser: (name) => byOsUser.get(name) ?? null,
    personByOidc: (iss, sub) => people.find(({ oidc }) => oidc?.iss === iss && oidc.sub === sub) ?? null,
  };
}

/** What the policy hash is of, beside the rules. */
function besidesRules({
  roles,
  ceilings,
  approvers: { people, delegations, breakGlass, grants },
  packageSigners,
}: {
  readonly roles: RoleGraph;
  readonly ceilings: readonly LoadedCeiling[];
  readonly approvers: Approvers;
  readonly packageSigners: readonly PackageSigner[];
}): JsonObject {
  // A domain where nobody holds a role is one where rules for `*` hold: it decides, though no edge names it.
  const peopled = new Set(roles.edges.map(({ domain }) => domain));
  const bare = [...roles.domains].filter((domain) => !peopled.has(domain));
  return {
    modelHash: MODEL_HASH,
    ...(bare.length === 0 ? {} : { domains: bare }),
    roles: roles.edges.map(({ member, role, domain }) => [member, role, domain]),
    ceilings: ceilings.map(({ layer, name, spec }) => ({ layer, name, spec })),
    approvers: people.map(({ id, keys, osUser, oidc, assurance }) => ({
      ...{ id, keys, osUser, assurance },
      ...(oidc === null ? {} : { oidc }),
    })),
    ...(delegations.length === 0 ? {} : { delegations: delegations.map((one) => ({ ...one })) }),
    ...(breakGlass === null ? {} : { breakGlass: { ...breakGlass } }),
    ...(grants.length === 0 ? {} : { grants: grants.map((one) => ({ ...one })) }),
    ...(packageSigners.length === 0 ? {} : { packageSigners: packageSigners.map((one) => ({ ...one })) }),
  };
}
