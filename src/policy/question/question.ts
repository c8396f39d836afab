// A question as people write it: in policies/tests, on the command line, in a program of somebody else. What it leaves
// out is taken as the plain case where that can't widen anything, and as the worst where it could: no sandbox, no
// network, labels and cost not known. Unknown fields are refused, never ignored.
import type { Json } from '../../json.js';
import type { ApprovalAsk } from '../ceiling/approval-duty.js';
import { microUsd, NO_COST } from '../ceiling/budget.js';
import type { Estimate } from '../ceiling/budget.js';
import { LAYERS } from '../ceiling/ceiling.js';
import { momentMs } from '../ceiling/moment.js';
import { checkCeilingSpec } from '../ceiling/spec.js';
import type {
  CeilingLayer,
  Classification,
  LayerName,
  LimitSet,
  MountGrant,
  SandboxKind,
} from '../ceiling/ceiling.js';
import type { DecisionRequest } from '../decision/decision.js';
import type { Facts } from '../ceiling/facts.js';
import { lastPart } from '../rbac/package-access.js';
import { isSettled } from '../ceiling/ceiling.js';
import { type AskedApproval } from './shape.js';
import { checkShape } from '../file/shape.js';

/** Everything but who asks, where and for what may be left out. */
export interface PolicyQuestion {
  readonly initiator: string;
  /** Who acts for the initiator; absent = nobody, and RBAC is asked once. */
  readonly agent?: string;
  /** Who wrote the workflow, for rules with `author: true`; absent = nobody who could decide. */
  readonly author?: string;
  readonly domain: string;
  readonly action: string;
  readonly resource: string;
  /** When it is asked: a time such as 2026-01-31T00:00:00Z. */
  readonly at?: string;
  /** As `at`, in milliseconds since the Unix epoch; wins over it. */
  readonly nowMs?: number;
  readonly sandbox?: SandboxKind;
  readonly network?: readonly string[];
  readonly mounts?: readonly MountGrant[];
  readonly credentials?: readonly string[];
  readonly tools?: readonly string[];
  readonly limits?: LimitSet;
  /** Absent = not known, which meets every rule about labels; [] = none. */
  readonly labels?: readonly string[];
  /** How secret the data is; absent = not known. */
  readonly classification?: Classification;
  /** Who has signed the package. */
  readonly agentSigners?: readonly string[];
  /** How far it hands work on (`agent.delegate`); absent = not known, which fits under no bound. */
  readonly delegation?: { readonly depth: number; readonly agents: number };
  /** What it will cost at least; absent = nothing, except for `agent::` functions, whose cost is then not known. */
  readonly estimate?: { readonly tokens?: number; readonly usd?: string };
  /** What the step asks for. */
  readonly approval?: AskedApproval;
  /** Layers beyond those of the policy directory; `spec` as in a ceiling document, null = an absent layer. */
  readonly layers?: readonly { readonly layer: LayerName; readonly name: string; readonly spec: unknown }[];
}

/** The question as `decide` takes it, or why it is none. `nowMs` counts where the question names no time. */
export function readQuestion(
  value: unknown,
  nowMs: number,
):
  | { readonly ok: true; readonly request: DecisionRequest }
  | { readonly ok: false; readonly problem: string } {
  if (typeof value !== 'object' || value === null) return { ok: false, problem: 'the question is no object' };
  const { layers = [], ...fields } = value as Readonly<Record<string, unknown>>;
  // undefined is what a program says for absent.
  const given = Object.fromEntries(Object.entries(fields).filter(([, field]) => field !== undefined));
  const shape = checkShape('Question', given as Json);
  if (!shape.ok) {
    const [first] = shape.problems;
    return { ok: false, problem: `${first.pointer} ${first.message}`.trim() };
  }
  const { at } = shape.document;
  if (at !== undefined && momentMs(at) === null) return { ok: false, problem: `there is no time ${at}` };
  const read = readLayers(layers);
  if (typeof read === 'string') return { ok: false, problem: read };
  return { ok: true, request: requestOf(shape.document, read, nowMs) };
}

function requestOf(
  question: Omit<PolicyQuestion, 'layers'>,
  layers: readonly CeilingLayer[],
  nowMs: number,
): DecisionRequest {
  const { initiator, agent, author, domain, action, resource, at, approval } = question;
  return {
    nowMs: question.nowMs ?? (at === undefined ? nowMs : Date.parse(at)),
    initiator,
    agent: agent ?? null,
    ...(author === undefined ? {} : { author }),
    domain,
    action,
    resource,
    layers,
    facts: packagedFacts(factsOf(question)),
    approval: approval === undefined ? null : askOf(approval),
  };
}

/** The facts of an act that its action and resource already tell, and what the question adds. */
export function factsOf(question: Omit<PolicyQuestion, 'layers' | 'initiator' | 'domain'>): Facts {
  const { action, resource, sandbox, network, mounts, credentials, tools, limits, labels, estimate } =
    question;
  const [, name = null, digest = null] =
    action === 'agent.invoke' ? (/^(.+)@(sha256:[0-9a-f]{64})$/.exec(resource) ?? [null, resource]) : [];
  return {
    functionId: resource,
    agentName: name,
    agentDigest: digest,
    sandbox: sandbox ?? null,
    network: network ?? [],
    mounts: mounts ?? [],
    credentials: credentials ?? [],
    tools: tools ?? [],
    limits: limits ?? {},
    labels: labels ?? null,
    ...(question.classification === undefined ? {} : { classification: question.classification }),
    ...(question.delegation === undefined ? {} : { delegation: question.delegation }),
    ...(question.agentSigners === undefined ? {} : { agentSigners: question.agentSigners }),
    ...estimateOf(estimate, resource),
  };
}

/**
 * What the bytes of a package say of themselves is not asked here. They are taken to say what the question does, as those of
 * most packages do: what is denied by the name alone is denied in the answer, too.
 */
function packagedFacts(facts: Facts): Facts {
  const { agentName } = facts;
  const agentOwnName = agentName === null ? '' : lastPart(agentName);
  return agentName === null || agentOwnName === ''
    ? facts
    : { ...facts, agentOwnName, agentRepository: agentName };
}

/** A model's cost is never taken for nothing because nobody said it. */
function estimateOf(
  estimate: PolicyQuestion['estimate'],
  resource: string,
): { readonly estimate?: Estimate } {
  if (estimate === undefined) return resource.startsWith('agent::') ? {} : { estimate: NO_COST };
  const { tokens = null, usd } = estimate;
  return { estimate: { tokens, costMicroUsd: usd === undefined ? null : microUsd(usd) } };
}

function askOf(approval: NonNullable<PolicyQuestion['approval']>): ApprovalAsk {
  const { mode, approverRoles, quorum, expiresSeconds, reasonRequired, separationOfDuties } = approval;
  return {
    mode,
    approverRoles: approverRoles ?? [],
    quorum: quorum ?? null,
    expiresSeconds: expiresSeconds ?? null,
    reasonRequired: reasonRequired ?? false,
    separationOfDuties: separationOfDuties ?? null,
    ...(approval.author === true ? { author: true } : {}),
  };
}

/** Layers in normal form, or the first problem in words. */
function readLayers(value: unknown): readonly CeilingLayer[] | string {
  if (!Array.isArray(value)) return 'layers is no list';
  const layers: CeilingLayer[] = [];
  for (const [index, one] of (value as unknown[]).entries()) {
    const read = readLayer(one);
    if (typeof read === 'string') return `layer ${index + 1}: ${read}`;
    layers.push(read);
  }
  return layers;
}

function readLayer(value: unknown): CeilingLayer | string {
  if (typeof value !== 'object' || value === null) return 'is no object';
  const { layer, name, spec, ...others } = value as Readonly<Record<string, unknown>>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `unknown field "${unknown}"`;
  const known = LAYERS.find((candidate) => candidate === layer);
  if (known === undefined) return `layer must be exactly one of ${LAYERS.join(', ')}`;
  if (typeof name !== 'string') return 'name is no text';
  if (spec === null) return { layer: known, name, spec: null };
  const ceiling = readSpec(spec);
  return typeof ceiling === 'string' ? ceiling : { layer: known, name, spec: ceiling };
}

/** `spec` of a ceiling document, or a ceiling made here; else the first problem in words. */
export function readSpec(spec: unknown): NonNullable<CeilingLayer['spec']> | string {
  if (typeof spec !== 'object' || spec === null) return 'spec is no object';
  if (isSettled(spec as NonNullable<CeilingLayer['spec']>)) return spec as NonNullable<CeilingLayer['spec']>;
  const result = checkCeilingSpec(spec as Json);
  if (result.ok) return result.ceiling;
  const [first] = result.problems;
  return `spec${first?.pointer ?? ''}: ${first?.message ?? 'is no ceiling'}`;
}
