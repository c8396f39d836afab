// One immutable reading of the policy directory: rules, roles, ceilings, people, their hashes, and the judge.
// Built aside and complete, or not at all: a caller swaps one reference, so no question ever sees half a policy.
// Unknown files are refused: a deny rule in a misnamed file must not be overlooked.
import type { Hex, Json } from '../json.js';
import { demandText, minimumText } from './ceiling/approval-duty.js';
import { checkApproverNames } from './rbac/approver-names.js';
import { labelOf, LAYERS } from './ceiling/ceiling.js';
import { checkCeilingSpec, normalizeRule } from './ceiling/spec.js';
import type { Ceiling, CeilingLayer } from './ceiling/ceiling.js';
import { collectDelegations } from './rbac/delegation.js';
import type { BreakGlass, Delegation } from './rbac/delegation.js';
import { checkDemands } from './ceiling/demand-check.js';
import { compareText, FILE_START, Problems } from './file/diagnostic.js';
import { pointerSegment, readDocument } from './file/document.js';
import type { SourceDocument } from './file/document.js';
import { createJudge } from './rbac/enforcer.js';
import type { Judge } from './rbac/enforcer.js';
import { frozen } from './frozen.js';
import { collectGrants } from './rbac/grant.js';
import type { Grant } from './rbac/grant.js';
import { layerStacks } from './ceiling/layer-stack.js';
import type { LayerStacks } from './ceiling/layer-stack.js';
import { checkLockedFiles, LOCK_FILE } from './file/lock.js';
import type { PolicyLock } from './file/lock.js';
import { MODEL_HASH, MODEL_TEXT, sha256Hex } from './rbac/model.js';
import { collectPackageSigners } from './package-signer.js';
import type { PackageSigner } from './package-signer.js';
import { collectPeople } from './rbac/person.js';
import type { Person } from './rbac/person.js';
import { policyHashOf, type Hashing } from './file/policy-hash.js';
import { ANY_ROLE, collectRoles } from './rbac/role.js';
import type { RoleEdge, RoleGraph } from './rbac/role.js';
import { collectRules, sortedRules } from './rbac/rule.js';
import type { Rule } from './rbac/rule.js';
import { checkShape } from './file/shape.js';
import { besidesInCeiling, soundRules } from './file/sound-part.js';
import type { CeilingDocument } from './ceiling/shape.js';
import type {
  ApproversDocument,
  PackageSignersDocument,
  RolesDocument,
  RulesDocument,
  ShapeProblem,
  Shapes,
} from './file/shape.js';

export interface LoadedCeiling extends CeilingLayer {
  readonly layer: 'org' | 'environment' | 'tenant';
  readonly spec: Ceiling;
  readonly hash: Hex;
  readonly file: string;
  /** Where in its file the rule stands that demands an approval in these words (`demandedBy`); null = none does. */
  readonly lineOfDemand: (text: string) => number | null;
}

export interface PolicySnapshot {
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
  /** Sorted by id. */
  readonly people: readonly Person[];
  /** Who may vote for whom. */
  readonly delegations: readonly Delegation[];
  /** Who may approve in an emergency; null = nobody. */
  readonly breakGlass: BreakGlass | null;
  /** Standing approvals. Sorted by id. */
  readonly grants: readonly Grant[];
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

const MAX_FILES = 200;
const RESTORE_MODEL = 'restore the shipped model.conf; change rules, never the matcher';

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
  const people =
    sources.approvers === null
      ? []
      : collectPeople(sources.approvers.source, sources.approvers.document, problems);
  const delegations =
    sources.approvers === null
      ? []
      : collectDelegations(sources.approvers.source, sources.approvers.document, people, problems);
  const grants =
    sources.approvers === null
      ? []
      : collectGrants(sources.approvers.source, sources.approvers.document, problems);
  if (sources.approvers !== null) {
    checkApproverNames(sources.approvers.source, sources.approvers.document, roles, problems);
  }
  const breakGlass = sources.approvers?.document.breakGlass ?? null;
  const packageSigners =
    sources.packageSigners === null
      ? []
      : collectPackageSigners(sources.packageSigners.source, sources.packageSigners.document, problems);
  const hashOf = (ceiling: Ceiling) => sha256Hex(canonicalize(ceiling), sha256);
  const ceilings = collectCeilings(sources.ceilings, roles, people, hashOf, problems);
  problems.throwIfAny(root);

  const byName = rules.filter(({ subject }) => !subject.startsWith('role:'));
  const named = (effect: Rule['effect']) =>
    byName.filter((rule) => rule.effect === effect).map(({ subject }) => subject);
  // Whom only a deny names is known to nobody else: it must not be what gives them `role:any`.
  const known = new Set([...roles.members, ...people.map((person) => person.id), ...named('allow')]);
  const principals = new Set([...known, ...named('deny')]);
  const everybody = [...known].map((member) => ({ member, role: ANY_ROLE, domain: '*' }));
  const judge = await createJudge(rules, [...roles.edges, ...everybody], pause);
  await pause?.();
  const layers = layerStacks(frozen(ceilings), hashOf);
  const byKey = new Map(people.flatMap((person) => person.keys.map((key) => [key, person] as const)));
  const byOsUser = new Map(people.map((person) => [person.osUser, person] as const));
  await pause?.();
  // A domain where nobody holds a role is one where rules for `*` hold: it decides, though no edge names it.
  const peopled = new Set(roles.edges.map(({ domain }) => domain));
  const bare = [...roles.domains].filter((domain) => !peopled.has(domain));
  const others = {
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
  const policyHash = await policyHashOf(others, rules, hashing);
  await pause?.();
  if (lock !== null && lock.policyHash !== policyHash) {
    const hint = 'look at what has changed, then lock again: writ policy lock';
    problems.add(LOCK_FILE, FILE_START, 'the lock names another policy hash than these files have', hint);
    problems.throwIfAny(root);
  }
  const rolesOf = (subject: string, domain: string): ReadonlySet<string> => {
    const held = new Set(roles.rolesOf(subject, domain));
    return known.has(subject) ? held.add(ANY_ROLE) : held;
  };
  return Object.freeze<PolicySnapshot>({
    policyHash,
    lock: frozen(lock),
    modelHash: MODEL_HASH,
    rules,
    ruleById: (id) => byId.get(id) ?? null,
    domains: roles.domains,
    rolesIn: (domain) => roles.rolesIn(domain),
    roleEdges: frozen(roles.edges),
    principals: Object.freeze([...principals].toSorted(compareText)),
    ceilings,
    people: frozen(people),
    delegations: frozen(delegations),
    breakGlass: frozen(breakGlass),
    grants: frozen(grants),
    packageSigners: frozen(packageSigners),
    rolesOf,
    grantRolesOf: rolesOf,
    rolePath: (subject, ruleSubject, domain) => {
      if (ruleSubject === ANY_ROLE) return known.has(subject) ? [subject, ANY_ROLE] : null;
      return roles.path(subject, ruleSubject, domain);
    },
    personByKey: (publicKey) => byKey.get(publicKey) ?? null,
    personByOsUser: (name) => byOsUser.get(name) ?? null,
    personByOidc: (iss, sub) => people.find(({ oidc }) => oidc?.iss === iss && oidc.sub === sub) ?? null,
    ceilingHash: (ceiling) => layers.hash(ceiling),
    layers,
    judge,
  });
}

// --- files --------------------------------------------------------------------------------------------------------

interface Read<T> {
  readonly source: SourceDocument;
  readonly document: T;
}

interface Sources {
  readonly rules: Read<RulesDocument>[];
  readonly roles: Read<RolesDocument>[];
  readonly ceilings: (Read<CeilingDocument> & { readonly spec: Ceiling })[];
  approvers: Read<ApproversDocument> | null;
  packageSigners: Read<PackageSignersDocument> | null;
}

async function readSources(
  files: ReadonlyMap<string, string>,
  problems: Problems,
  { sha256, pause }: Hashing,
): Promise<Sources> {
  const sources: Sources = { rules: [], roles: [], ceilings: [], approvers: null, packageSigners: null };
  if (files.size > MAX_FILES) {
    problems.add('', FILE_START, `${files.size} files, at most ${MAX_FILES} are read`);
    return sources;
  }
  if (!files.has('model.conf')) problems.add('model.conf', FILE_START, 'file is missing', RESTORE_MODEL);
  for (const [file, text] of [...files].toSorted(([a], [b]) => compareText(a, b))) {
    await pause?.();
    const folder = /^(rbac|roles|ceilings)\/[^/]+\.yaml$/.exec(file)?.[1];
    if (file === 'model.conf') {
      checkModel(text, problems, sha256);
    } else if (folder === 'ceilings') {
      const read = await readShaped('Ceiling', file, text, problems, pause);
      const result = read === null ? null : checkCeilingSpec(read.document.spec as Json);
      if (read === null || result === null) continue;
      if (result.ok) sources.ceilings.push({ ...read, spec: result.ceiling });
      else addShapeProblems(read.source, result.problems, problems, '/spec');
    } else if (folder === 'rbac') {
      const read = await readShaped('Rules', file, text, problems, pause, soundRules);
      if (read !== null) sources.rules.push(read);
    } else if (folder === 'roles') {
      const read = await readShaped('Roles', file, text, problems, pause);
      if (read !== null) sources.roles.push(read);
    } else if (file === 'approvers.yaml') {
      sources.approvers = await readShaped('Approvers', file, text, problems, pause);
    } else if (file === 'package-signers.yaml') {
      sources.packageSigners = await readShaped('PackageSigners', file, text, problems, pause);
    } else if (file !== LOCK_FILE && !/^[^/]+\.md$|^tests\/[^/]+\.yaml$/.test(file)) {
      const hint =
        'policies live in rbac/*.yaml, roles/*.yaml, ceilings/*.yaml, approvers.yaml, package-signers.yaml and tests/*.yaml';
      problems.add(file, FILE_START, 'unknown file in the policy directory', hint);
    }
  }
  // Stock Casbin allows everything that equals nothing when it has no rows.
  if (!problems.any && sources.rules.length === 0) {
    problems.add('rbac', FILE_START, 'no rules: there is no *.yaml file in rbac/', 'add rbac/NAME.yaml');
  }
  return sources;
}

async function readShaped<K extends 'Rules' | 'Roles' | 'Approvers' | 'PackageSigners' | 'Ceiling'>(
  kind: K,
  file: string,
  text: string,
  problems: Problems,
  pause: PolicySource['pause'],
  sound?: (value: Json, wrong: readonly ShapeProblem[]) => Shapes[K] | null,
): Promise<Read<Shapes[K]> | null> {
  const source = readDocument(file, text, problems);
  if (source === null) return null;
  await pause?.();
  const shape = checkShape(kind, source.value);
  if (shape.ok) return { source, document: shape.document };
  addShapeProblems(source, shape.problems, problems);
  const document = sound?.(source.value, shape.problems) ?? null;
  if (document !== null) return { source, document };
  if (kind === 'Ceiling') addShapeProblems(source, besidesInCeiling(source.value, shape.problems), problems);
  return null;
}

function addShapeProblems(
  source: SourceDocument,
  found: readonly { pointer: string; key: boolean; message: string; hint?: string }[],
  problems: Problems,
  under = '',
): void {
  for (const { pointer, key, message, hint } of found) {
    const place = key ? source.keyPlace(under + pointer) : source.place(under + pointer);
    problems.add(source.file, place, message, hint);
  }
}

function checkModel(text: string, problems: Problems, sha256: Hashing['sha256']): void {
  if ([text, MODEL_TEXT].every((one) => sha256Hex(one, sha256) === MODEL_HASH)) return;
  const isOfWindows = text.replaceAll('\r\n', '\n') === MODEL_TEXT;
  const expected = MODEL_TEXT.split('\n');
  const line = text.split('\n').findIndex((actual, index) => actual !== expected[index]);
  problems.add(
    'model.conf',
    { line: Math.max(line, 0) + 1, column: 1 },
    'the model is frozen and this file differs from it',
    isOfWindows ? 'only its line ends differ: save it with LF in place of CR LF' : RESTORE_MODEL,
  );
}

// --- ceilings -----------------------------------------------------------------------------------------------------

function collectCeilings(
  sources: Sources['ceilings'],
  roles: RoleGraph,
  people: readonly Person[],
  hashOf: (ceiling: Ceiling) => Hex,
  problems: Problems,
): readonly LoadedCeiling[] {
  const byName = new Map<string, LoadedCeiling>();
  for (const { source, document, spec } of sources) {
    const { name, layer } = document.metadata;
    if (layer === 'tenant' && !roles.domains.has(name)) {
      const hint = 'a tenant ceiling is named after its domain; use layer org for all';
      problems.add(source.file, source.place('/metadata/name'), `unknown domain "${name}"`, hint);
    }
    const earlier = byName.get(name);
    if (earlier !== undefined) {
      const message = `duplicate ceiling name ${name}, first in ${earlier.file}`;
      problems.add(source.file, source.place('/metadata/name'), message);
      continue;
    }
    const domains = layer === 'tenant' ? [name] : [...roles.domains];
    checkDemands({ source, approval: document.spec.approval, domains, roles, people }, problems);
    const lineOfDemand = (text: string): number | null =>
      lineOf(text, { layer, name }, source, document.spec);
    byName.set(name, { layer, name, spec, hash: hashOf(spec), file: source.file, lineOfDemand });
  }
  return [...byName.values()].toSorted(
    (a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer) || compareText(a.name, b.name),
  );
}

function lineOf(
  text: string,
  ceiling: Pick<LoadedCeiling, 'layer' | 'name'>,
  source: SourceDocument,
  { approval }: Sources['ceilings'][number]['document']['spec'],
): number | null {
  const label = labelOf(ceiling);
  if (text === minimumText(label, approval?.minimum ?? 'none'))
    return source.place('/spec/approval/minimum').line;
  const index = (approval?.rules ?? []).findIndex((rule) => demandText(label, normalizeRule(rule)) === text);
  return index < 0 ? null : source.place(`/spec/approval/rules${pointerSegment(index)}`).line;
}
