// What a request says about the act itself, beside who asks and what for. Ceilings are judged on these facts
// alone; the same facts must be what the sandbox enforces, or the decision is about another act.
import type { Action } from '../rbac/action.js';
import { isAction, resourceProblem } from '../rbac/action.js';
import type { BudgetName, BudgetPeriod, Estimate } from './budget.js';
import { CLASSIFICATIONS, LIMIT_NAMES } from './ceiling.js';
import type { Classification, LimitSet, MountMode, SandboxKind } from './ceiling.js';
import { isVisible, MAX_TEXT_LENGTH, quoted } from '../file/text.js';

export interface Facts {
  /** `tool::wasm`, or the package reference with digest. */
  readonly functionId: string;
  /** Repository of the agent package that is called (`ghcr.io/bank/claims-triage`); null = no package. */
  readonly agentName: string | null;
  /** `sha256:…` of that package; null = not pinned. */
  readonly agentDigest: string | null;
  /** What that package calls itself, as its verified bytes say; absent = not known. The document wrote the repository. */
  readonly agentOwnName?: string;
  /** The repository that its verified bytes name; absent = not known. */
  readonly agentRepository?: string;
  /** null = runs without a sandbox; then a ceiling that names sandbox kinds refuses it. */
  readonly sandbox: SandboxKind | null;
  /** `host:port`, lower case; empty = no network. */
  readonly network: readonly string[];
  readonly mounts: readonly { readonly path: string; readonly mode: MountMode }[];
  /** Names; empty = none. */
  readonly credentials: readonly string[];
  /** Functions that the called one may ask for; absent = none. */
  readonly tools?: readonly string[];
  /** What the step asks for; an absent name = it takes what the ceilings give. */
  readonly limits: LimitSet;
  /** Labels of the input; null = not known, then every rule about labels holds against the request. */
  readonly labels: readonly string[] | null;
  /** How secret the data is; absent = not known, and then no ceiling of it fits. */
  readonly classification?: Classification;
  /** Whose signatures of the called package hold; absent = nobody's. */
  readonly agentSigners?: readonly string[];
  /** Of an act that hands work on to another agent; absent = nobody counts it, and no bound of delegation fits. */
  readonly delegation?: Delegated;
  /** What the call will use at least of tokens and money; absent = not known, and then no budget of either fits. */
  readonly estimate?: Estimate;
}

/** What of the facts says which package is called. */
export type CalledPackage = Pick<Facts, 'agentName' | 'agentDigest' | 'agentOwnName' | 'agentRepository'>;

/** How far work is handed on. */
export interface Delegated {
  /** 1: from the agent of the step to another one; one more each time it is handed on from there. */
  readonly depth: number;
  /** Different agents that the step has handed work to, this one included. */
  readonly agents: number;
}

/** One question with its facts, as ceilings judge it. */
export interface CeilingRequest {
  readonly nowMs: number;
  readonly action: Action;
  readonly resource: string;
  readonly facts: Facts;
  /** The approval actually obtained; null = none. `decide` leaves it out: it raises the duty instead. */
  readonly approval: ObtainedApproval | null;
  /** What is used of the ceiling's budgets already; absent = nothing. `decide` leaves it to `underMeters`. */
  readonly used?: { readonly [period in BudgetPeriod]?: { readonly [name in BudgetName]?: number } };
}

/** Before anybody was asked for an approval. */
export type UnapprovedRequest = Omit<CeilingRequest, 'approval'>;

export interface ObtainedApproval {
  readonly mode: 'async' | 'sync' | 'two-person';
  /** Distinct people who approved. */
  readonly votes: number;
  /** Roles that every approver held. */
  readonly approverRoles: readonly string[];
  readonly separationOfDuties: boolean;
  /** Nobody of them wrote the workflow; absent = not known. */
  readonly author?: true;
  readonly reasonGiven: boolean;
  readonly expiresSeconds: number;
}

/** `audit::…` is done by the runner, `human::…` by a person: called by no document, registered by no embedding program. */
export function isRunnersOwn(functionId: string): boolean {
  return /^(?:audit|human)::/.test(functionId);
}

/** Every form by which ceilings may name the called package: its repository, and with its digest. */
export function packageNames(facts: CalledPackage): readonly string[] {
  if (facts.agentName === null) return [];
  return facts.agentDigest === null
    ? [facts.agentName]
    : [facts.agentName, `${facts.agentName}@${facts.agentDigest}`];
}

/**
 * As `packageNames`, and the package by its own name under every part of the path, and by the repository that its bytes name:
 * for what forbids or asks for more.
 * Which repository a package comes from is the word of the document alone, and its bytes are the same under any: who
 * writes `ghcr.io/bank/other` before the digest of a denied package still calls that package. Never for what allows.
 */
export function everyPackageName(facts: CalledPackage): readonly string[] {
  const names = packageNames(facts);
  return [
    ...new Set([...ownNames(facts).flatMap((own) => packageNames({ ...facts, agentName: own })), ...names]),
  ];
}

/**
 * The package by its own name, from that alone to the whole path of its reference, and by its own repository; empty where
 * neither is known.
 */
function ownNames({ agentName, agentOwnName: own, agentRepository }: CalledPackage): readonly string[] {
  if (agentName === null || own === undefined) return [];
  const path = agentName.split('/');
  const names = path.map((_, length) => [...path.slice(0, length), own].join('/'));
  return agentRepository === undefined ? names : [...names, agentRepository];
}

/**
 * What the package is called by its own repository, where that is known, else as if its reference ended in its own name, with
 * its digest where it has one; null = it is called so, or nobody knows. What stands for a person's approval has to name the package by both.
 */
export function honestPackageName(facts: CalledPackage): string | null {
  const agentName = ownNames(facts).at(-1);
  if (agentName === undefined || agentName === facts.agentName) return null;
  return packageNames({ ...facts, agentName }).at(-1) ?? null;
}

/**
 * Why the question can't be judged, or null. The value is attacker-controlled as far as types go (a caller in
 * JavaScript): arrays, numbers and String objects in place of strings are refused (trap 5).
 */
export function requestProblem(action: unknown, resource: unknown, facts: Facts): string | null {
  if (!isAction(action)) return `action ${quoted(action)} is unknown`;
  if (!isName(resource)) return `resource ${quoted(resource)} is not a visible, non-empty string`;
  const form = resourceProblem(action, resource);
  if (form !== null) return form;
  if (!isName(facts.functionId))
    return `functionId ${quoted(facts.functionId)} is not a visible, non-empty string`;
  if (facts.agentName !== null && !isName(facts.agentName))
    return `agentName ${quoted(facts.agentName)} is no name`;
  if (facts.agentRepository !== undefined && !isName(facts.agentRepository))
    return `agentRepository ${quoted(facts.agentRepository)} is no name`;
  if (facts.agentOwnName !== undefined && !isName(facts.agentOwnName))
    return `agentOwnName ${quoted(facts.agentOwnName)} is no name`;
  if (facts.agentDigest !== null && !DIGEST.test(String(facts.agentDigest))) {
    return `agentDigest ${quoted(facts.agentDigest)} is not sha256:<64 hex>`;
  }
  if (facts.sandbox !== null && facts.sandbox !== 'wasm' && facts.sandbox !== 'docker') {
    return `sandbox ${quoted(facts.sandbox)} is unknown`;
  }
  const host = facts.network.find(
    (value) => !isName(value) || resourceProblem('network.egress', value) !== null,
  );
  if (host !== undefined) return `network ${quoted(host)} is not host:port in lower case`;
  const mount = facts.mounts.find(
    ({ path, mode }) =>
      !isName(path) || resourceProblem('filesystem.read', path) !== null || (mode !== 'ro' && mode !== 'rw'),
  );
  if (mount !== undefined)
    return `mount ${quoted(mount.path)} is not an absolute, normalised path with mode ro or rw`;
  const credential = facts.credentials.find((value) => !isName(value));
  if (credential !== undefined) return `credential ${quoted(credential)} is no name`;
  const tool = (facts.tools ?? []).find((value) => !isName(value));
  if (tool !== undefined) return `tool ${quoted(tool)} is no name`;
  const label = (facts.labels ?? []).find((value) => !isName(value));
  if (label !== undefined) return `label ${quoted(label)} is no name`;
  const { classification, agentSigners = [] } = facts;
  if (classification !== undefined && !CLASSIFICATIONS.includes(classification)) {
    return `classification ${quoted(classification)} is unknown`;
  }
  const signer = agentSigners.find((value) => !isName(value));
  if (signer !== undefined) return `signer ${quoted(signer)} is no name`;
  for (const [name, value] of Object.entries(facts.delegation ?? {})) {
    if (!(Number.isSafeInteger(value) && value >= 1)) {
      return `delegation ${name} ${quoted(value)} is not a whole number from 1`;
    }
  }
  for (const [name, value] of Object.entries(facts.estimate ?? {})) {
    if (value !== null && !(Number.isSafeInteger(value) && value >= 0)) {
      return `estimate of ${name} ${quoted(value)} is not a whole number from 0`;
    }
  }
  for (const [name, value] of Object.entries(facts.limits)) {
    if (!(LIMIT_NAMES as readonly string[]).includes(name)) return `limit ${name} is unknown`;
    const isWhole = name === 'cpus' ? Number.isFinite(value) : Number.isSafeInteger(value);
    if (typeof value !== 'number' || !isWhole || value <= 0) {
      return `limit ${name} ${quoted(value)} is not a ${name === 'cpus' ? '' : 'whole '}number above 0`;
    }
  }
  return mismatch(action, resource, facts);
}

/** RBAC judges the resource and ceilings the facts: they must be about the same thing. */
function mismatch(action: Action, resource: string, facts: Facts): string | null {
  if (action === 'function.invoke' && resource !== facts.functionId) {
    return `resource "${resource}" is not the function "${facts.functionId}"`;
  }
  if (action === 'agent.invoke' && resource !== packageNames(facts).at(-1)) {
    return `resource "${resource}" is not the package ${quoted(packageNames(facts).at(-1) ?? null)}`;
  }
  return null;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_LENGTH && isVisible(value);
}
