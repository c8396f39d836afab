// Ceilings and requests made at random from one number: every field, over a vocabulary so small that they meet often. Plain
// code instead of arbitraries, because the laws want tens of thousands of each; the number gives the same one again.
import type { Json, JsonObject } from '../../src/json.js';
import {
  CLASSIFICATIONS,
  LIMIT_NAMES,
  MEASURED_NAMES,
  type Ceiling,
} from '../../src/policy/ceiling/ceiling.js';
import { parseCeilingSpec } from '../../src/policy/ceiling/spec.js';
import type { CeilingRequest, Facts, ObtainedApproval } from '../../src/policy/ceiling/facts.js';
import { composeCeilings } from '../../src/policy/ceiling/meet.js';

export const meet = (...all: readonly Ceiling[]): Ceiling => composeCeilings(all.map((spec) => ({ spec })));

/** Draws from a seed (mulberry32): the same seed, the same draws. */
export class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  seed(): number {
    return Math.floor(this.next() * 2 ** 31);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** From `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  one<T>(...values: readonly [T, ...T[]]): T {
    const found = values.slice(Math.floor(this.next() * values.length));
    return found.length > 0 ? (found[0] as T) : values[0];
  }

  /** Any of them, in their order. */
  some<T>(...values: readonly T[]): T[] {
    return values.filter(() => this.chance(0.5));
  }

  /** At least one of them: a rule about none is refused. */
  several<T>(first: T, ...others: readonly T[]): T[] {
    const found = this.some(first, ...others);
    return found.length > 0 ? found : [first];
  }

  /** Each field with that probability; what is undefined is absent. */
  fields(probability: number, all: Readonly<Record<string, () => Json>>): JsonObject {
    const found: Record<string, Json> = {};
    for (const [name, value] of Object.entries(all)) if (this.chance(probability)) found[name] = value();
    return found;
  }
}

const NAMES = ['tool::a', 'tool::b', 'tool::*', 'agent::?', '*'];
const MINIMA = ['async', 'sync', 'two-person'] as const;
export const DIGEST = `sha256:${'0'.repeat(64)}`;
const MOMENTS = [
  '2026-01-01T00:00:00Z',
  '2026-06-01T00:00:00Z',
  '2026-07-01T00:00:00Z',
  '2027-01-01T00:00:00Z',
];

/** `spec` of a ceiling document. `density`: how likely a field is there, in [0, 1]. */
export function specOf(draws: Draws, density: number): JsonObject {
  const half = 0.6;
  const names = (): JsonObject =>
    draws.fields(half, { allow: () => draws.some(...NAMES), deny: () => draws.some('tool::b', 'agent::*') });
  const hosts = () => draws.some('api.x:443', '*.x:*', 'other.y:80');
  const budget = (): JsonObject =>
    draws.fields(half, {
      usd: () => draws.one('0', '0.000002', '1'),
      tokens: () => draws.whole(0, 4),
      calls: () => draws.whole(0, 3),
      wallClockMs: () => draws.whole(0, 2),
    });
  const limits = draws.fields(
    0.3,
    Object.fromEntries(LIMIT_NAMES.map((name) => [name, limitOf(draws, name)])),
  );
  const clamp = Object.keys(limits).filter((name) => MEASURED.has(name) && draws.chance(0.3));
  return {
    ...draws.fields(density, {
      functions: names,
      tools: names,
      skills: names,
      mcp: names,
      memory: names,
      agents: () =>
        draws.fields(half, {
          allow: () => draws.some('reg/*', 'reg/a'),
          deny: () => draws.some('reg/b*'),
          requireDigest: () => draws.chance(0.5),
          requireSigners: () => draws.some('cosign:one', 'cosign:two'),
        }),
      delegation: () =>
        draws.fields(half, {
          allow: () => draws.some('*', 'host'),
          deny: () => draws.some('host'),
          maxDepth: () => draws.whole(0, 3),
          maxAgents: () => draws.whole(0, 3),
        }),
      network: () => {
        const written = draws.fields(half, { allow: hosts, deny: () => draws.some('api.x:*') });
        const mode = draws.one('none', 'open', ...('allow' in written ? ['allowlist'] : []));
        return draws.chance(half) ? { ...written, mode } : written;
      },
      mounts: () => ({
        allow: ['/', '/data', '/data/claims'].flatMap((path) =>
          draws.chance(0.4) ? [{ path, mode: draws.one('ro', 'rw') }] : [],
        ),
      }),
      credentials: () =>
        draws.fields(half, {
          mode: () => draws.one('none', 'broker', 'inherit'),
          allow: () => draws.some('db', '*'),
          deny: () => draws.some('db'),
        }),
      sandbox: () =>
        draws.fields(half, {
          allowed: () => draws.some('wasm', 'docker', 'none'),
          profile: () => ({ docker: 'strict' }),
          require: () => draws.some('nonRoot', 'noNetwork'),
        }),
      approval: () =>
        draws.fields(half, {
          minimum: () => draws.one('none', ...MINIMA),
          rules: () => Array.from({ length: draws.whole(0, 2) }, () => ruleOf(draws)),
        }),
      rates: () =>
        draws.some('tool::a', 'reg/*', '*').map((match) => ({
          ...{ match, count: draws.one(0, 5, 6), perSeconds: draws.one(60, 3600) },
        })),
      budget: () => ({ ...budget(), ...draws.fields(half, { perDay: budget }) }),
      data: () =>
        draws.fields(half, {
          labelsAllowed: () => draws.some('pii', 'phi', 'public'),
          maxClassification: () => draws.one(...CLASSIFICATIONS),
        }),
      audit: () => ({ required: draws.one('none', 'local', 'anchored') }),
      validity: () =>
        draws.fields(half, {
          notBefore: () => draws.one(MOMENTS[0] ?? '', MOMENTS[1] ?? ''),
          notAfter: () => draws.one(MOMENTS[2] ?? '', MOMENTS[3] ?? ''),
        }),
    }),
    limits,
    ...(clamp.length === 0 ? {} : { clamp }),
  };
}

const MEASURED: ReadonlySet<string> = new Set(MEASURED_NAMES);

function limitOf(draws: Draws, name: string): () => number {
  return () => (name === 'cpus' ? draws.one(0.5, 1, 2.5) : draws.whole(name === 'retries' ? 0 : 1, 4));
}

function ruleOf(draws: Draws): JsonObject {
  const roles = () => draws.one(['role:x'], ['role:y'], ['role:x', 'role:y'], ['role:any']);
  return {
    match: draws.fields(0.2, {
      functions: () => draws.several('tool::a', 'tool::*'),
      agents: () => draws.several('reg/a*', 'reg/b'),
      labels: () => draws.several('pii', 'phi'),
      sandbox: () => draws.several('wasm', 'docker'),
      network: () => draws.several('api.x:443', '*.x:*'),
      credentials: () => draws.several('db', '*'),
      costUsdAbove: () => draws.one('0', '0.000001'),
    }),
    minimum: draws.one(...MINIMA),
    ...draws.fields(0.4, {
      approverRoles: roles,
      quorum: () => draws.whole(1, 3),
      separationOfDuties: () => draws.chance(0.5),
      author: () => draws.chance(0.5),
      expiresSeconds: () => draws.one(60, 900, 3600),
      reasonRequired: () => draws.chance(0.5),
      escalation: () => [{ afterSeconds: draws.whole(1, 9), notifyRoles: roles(), addRoles: roles() }],
    }),
  };
}

/** Of so many documents: reading one takes far longer than what is asked about it. */
const DOCUMENTS = 2_000;
const read = new Map<number, Ceiling>();

/** That of document `at`: the same object each time. */
export function documentOf(at: number): Ceiling {
  const known = read.get(at);
  if (known !== undefined) return known;
  const draws = new Draws(at);
  const ceiling = parseCeilingSpec(specOf(draws, draws.one(0.05, 0.1, 0.5, 0.9)), `document ${at}`);
  read.set(at, ceiling);
  return ceiling;
}

/** A ceiling in normal form: one of a document, or the meet of two. */
export function ceilingOf(seed: number): Ceiling {
  const draws = new Draws(seed);
  const [first, second] = [documentOf(draws.whole(1, DOCUMENTS)), documentOf(draws.whole(1, DOCUMENTS))];
  return draws.chance(0.8) ? first : meet(first, second);
}

const CALLS = ['tool::a', 'tool::b', 'agent::x'].map((id) => ({
  ...({
    action: 'function.invoke',
    resource: id,
    functionId: id,
    agentName: null,
    agentDigest: null,
  } as const),
}));
const PACKAGES = ['reg/a', 'reg/b'].map((name) => {
  const resource = `${name}@${DIGEST}`;
  return {
    action: 'agent.invoke',
    resource,
    functionId: resource,
    agentName: name,
    agentDigest: DIGEST,
  } as const;
});
const EFFECTS = (
  [
    ...[['tool.invoke', 'tool::a'] as const, ['skill.invoke', 'tool::b'] as const],
    ...[['mcp.request', 'tool::b'] as const, ['memory.read', 'tool::a'] as const],
    ...[['memory.write', 'agent::x'] as const, ['agent.delegate', 'host'] as const],
    ...[['network.egress', 'api.x:443'] as const, ['secret.use', 'db'] as const],
    ...[['filesystem.read', '/data'] as const, ['filesystem.write', '/data/claims/1'] as const],
  ] as const
).map(([action, resource]) => ({
  ...{ action, resource, functionId: 'tool::a', agentName: null, agentDigest: null },
}));
const UNPINNED = {
  ...({ action: 'function.invoke', resource: 'tool::a', functionId: 'tool::a' } as const),
  ...{ agentName: 'reg/a', agentDigest: null },
};

const REQUESTS = 8_192;
const asked = new Map<number, CeilingRequest>();

/** A request that `decide` would take. */
export function requestOf(seed: number): CeilingRequest {
  const at = seed & (REQUESTS - 1);
  const known = asked.get(at) ?? newRequest(new Draws(at ^ 0x5eed));
  asked.set(at, known);
  return known;
}

function newRequest(draws: Draws): CeilingRequest {
  const [first = UNPINNED, ...rest] = draws.one<readonly Target[]>(CALLS, CALLS, PACKAGES, EFFECTS, [
    UNPINNED,
  ]);
  const { action, resource, ...call } = draws.one<Target>(first, ...rest);
  const busy = draws.one(0, 0.2, 0.6);
  const sometimes = <T>(value: () => T): T[] => (draws.chance(busy) ? [value()] : []);
  const facts: Facts = {
    ...call,
    sandbox: draws.one('wasm', 'docker', null),
    network: sometimes(() => draws.one('api.x:443', 'x:443', 'other.y:80')),
    mounts: sometimes(() => ({
      path: draws.one('/data', '/database', '/data/claims/1'),
      mode: draws.one('ro', 'rw'),
    })),
    credentials: sometimes(() => draws.one('db', 'other')),
    tools: sometimes(() => draws.one('tool::a', 'tool::b', 'agent::x')),
    limits: draws.fields(busy, Object.fromEntries(LIMIT_NAMES.map((name) => [name, askOf(draws, name)]))),
    labels: draws.chance(0.2) ? null : draws.some('pii', 'phi', 'public').filter(() => draws.chance(0.5)),
    ...(draws.chance(0.2) ? {} : { classification: draws.one(...CLASSIFICATIONS) }),
    agentSigners: draws.some('cosign:one', 'cosign:two', 'cosign:other'),
    ...(draws.chance(0.2) ? {} : { delegation: { depth: draws.whole(1, 3), agents: draws.whole(1, 3) } }),
    ...(draws.chance(0.1)
      ? {}
      : {
          estimate: draws.one(
            ...([
              { tokens: 0, costMicroUsd: 0 },
              { tokens: 0, costMicroUsd: 0 },
            ] as const),
            ...([
              { tokens: 2, costMicroUsd: 1 },
              { tokens: 1, costMicroUsd: null },
            ] as const),
          ),
        }),
  };
  const usedOf = () => ({
    ...{ calls: draws.whole(0, 2), tokens: draws.whole(0, 3) },
    ...{ costMicroUsd: draws.whole(0, 2), wallClockMs: draws.whole(0, 2) },
  });
  return {
    nowMs: Date.parse(draws.one('2025-12-31T23:59:59Z', '2026-06-15T00:00:00Z', ...MOMENTS)),
    action,
    resource,
    facts,
    approval: draws.chance(0.4) ? null : approvalOf(draws),
    used: { run: usedOf(), day: usedOf() },
  };
}

type Target = Pick<CeilingRequest, 'action' | 'resource'> &
  Pick<Facts, 'functionId' | 'agentName' | 'agentDigest'>;

function askOf(draws: Draws, name: string): () => number {
  return () => (name === 'cpus' ? draws.one(0.25, 1, 3) : draws.whole(1, 5));
}

function approvalOf(draws: Draws): ObtainedApproval {
  return {
    mode: draws.one(...MINIMA),
    votes: draws.whole(1, 3),
    approverRoles: draws.some('role:x', 'role:y'),
    separationOfDuties: draws.chance(0.7),
    ...(draws.chance(0.5) ? { author: true as const } : {}),
    reasonGiven: draws.chance(0.7),
    expiresSeconds: draws.one(30, 60, 900, 3600, 7200),
  };
}
