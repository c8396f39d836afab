// The laws of ceilings, each tried 10,000 times and more, over ceilings with every
// field there is. Law 12 is policy-index.test.ts; budgets and rates with their meters have models of their own.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/canonical-json.js';
import { isObject, type Json } from '../../src/json.js';
import { NO_CEILING, type Ceiling, type CeilingLayer } from '../../src/policy/ceiling/ceiling.js';
import { ceilingSpec } from '../../src/policy/ceiling/shape.js';
import { parseCeilingSpec } from '../../src/policy/ceiling/spec.js';
import { decide } from '../../src/policy/decision/decide.js';
import type { DecisionRequest } from '../../src/policy/decision/decision.js';
import type { CeilingRequest, ObtainedApproval } from '../../src/policy/ceiling/facts.js';
import { effectiveLimits } from '../../src/policy/ceiling/amounts.js';
import { permits } from '../../src/policy/ceiling/permits.js';
import { buildSnapshot, MODEL_TEXT, type PolicySnapshot } from '../../src/policy/index.js';
import { ceilingOf, documentOf, Draws, meet, requestOf, specOf } from './ceilings.js';

const RUNS = Number(process.env['WRIT_PROPERTY_RUNS'] ?? 10_000);

const seed = fc.noShrink(fc.integer());
const runs = { numRuns: RUNS };

/** A law about so many ceilings and a request; a counterexample is the seed that gives them again. */
function law(count: number, holds: (ceilings: readonly Ceiling[], request: CeilingRequest) => boolean): void {
  let tried = 0;
  fc.assert(
    fc.property(seed, (at) => {
      tried += 1;
      const draws = new Draws(at);
      const ceilings = Array.from({ length: count }, () => ceilingOf(draws.seed()));
      return holds(ceilings, requestOf(draws.seed()));
    }),
    runs,
  );
  expect(tried).toBe(RUNS);
}

/** A normal form has one text: equal ceilings are the same JSON, and the same hash. */
const same = (a: Ceiling, b: Ceiling): boolean => JSON.stringify(a) === JSON.stringify(b);
const fields = (ceiling: Ceiling, request: CeilingRequest): readonly string[] =>
  permits(ceiling, request).violations.map(({ field }) => field);

describe('the laws of ceilings', () => {
  const one = (ceilings: readonly Ceiling[], at = 0): Ceiling => ceilings[at] ?? NO_CEILING;

  it('1: meet(a, a) = a', () => {
    law(1, ([a = NO_CEILING]) => same(meet(a, a), a));
  });

  it('2: meet(a, b) = meet(b, a)', () => {
    law(2, ([a = NO_CEILING, b = NO_CEILING]) => same(meet(a, b), meet(b, a)));
  });

  it('3: meet(meet(a, b), c) = meet(a, meet(b, c))', () => {
    law(3, (all) => {
      const [a, b, c] = [one(all), one(all, 1), one(all, 2)];
      return same(meet(meet(a, b), c), meet(a, meet(b, c)));
    });
  });

  it('4: the empty ceiling is neutral', () => {
    const empty = parseCeilingSpec({}, 'empty');
    expect(empty).toEqual(NO_CEILING);
    law(1, ([a = NO_CEILING]) => same(meet(a, empty), a) && same(meet(empty, a), a));
  });

  it('5: what the meet permits each of its layers permits', () => {
    law(2, ([a = NO_CEILING, b = NO_CEILING], request) =>
      permits(meet(a, b), request).ok ? permits(a, request).ok : true,
    );
  });

  it('6: the meet permits exactly what all permit, and gives the smallest of their limits', () => {
    law(2, ([a = NO_CEILING, b = NO_CEILING], request) => {
      const both = meet(a, b);
      const { limits } = request.facts;
      const twice = effectiveLimits(b, effectiveLimits(a, limits).limits).limits;
      return (
        permits(both, request).ok === (permits(a, request).ok && permits(b, request).ok) &&
        canonicalJson(effectiveLimits(both, limits).limits) === canonicalJson(twice)
      );
    });
  });

  it('7: a deny wins over every allow', () => {
    law(1, ([a = NO_CEILING], request) => {
      const { functionId, agentName } = request.facts;
      const everything = { allow: ['*'], deny: [] };
      const named: Json =
        request.action === 'agent.invoke'
          ? { agents: { allow: ['*'], deny: [agentName ?? ''] } }
          : request.action === 'function.invoke'
            ? { functions: { ...everything, deny: [functionId] } }
            : {
                ...Object.fromEntries(
                  ['tools', 'skills', 'mcp', 'memory', 'credentials', 'delegation'].map((kind) => [
                    kind,
                    { ...everything, deny: [request.resource] },
                  ]),
                ),
                network: { allow: ['api.x:443'], deny: ['api.x:443'] },
                mounts: { allow: [] },
              };
      return !permits(meet(a, parseCeilingSpec(named, 'deny')), request).ok;
    });
  });

  it('8: a stricter request stays permitted', () => {
    const most: ObtainedApproval = {
      ...{ mode: 'two-person', votes: 3, approverRoles: ['role:x', 'role:y'], separationOfDuties: true },
      ...{ author: true, reasonGiven: true, expiresSeconds: 1 },
    };
    law(1, ([a = NO_CEILING], request) => {
      if (!permits(a, request).ok) return true;
      const { facts } = request;
      const lower = Object.entries(facts.limits).map(([name, value]) => [name, value === 1 ? 1 : value / 2]);
      const stricter: readonly Partial<CeilingRequest['facts']>[] = [
        { limits: Object.fromEntries(lower) as typeof facts.limits },
        { limits: {} },
        { labels: facts.labels?.slice(1) ?? [] },
        { classification: 'public' },
        { network: facts.network.slice(1) },
        { credentials: [] },
        { mounts: facts.mounts.map((mount) => ({ ...mount, mode: 'ro' })) },
        { mounts: [] },
        { tools: [] },
        { estimate: { tokens: 0, costMicroUsd: 0 } },
        { delegation: { depth: 1, agents: 1 } },
        { agentSigners: ['cosign:one', 'cosign:two', 'cosign:other'] },
      ];
      // A bound of 0 lets nobody delegate: then what is permitted is no delegation, or is not bound.
      return (
        stricter.every((part) => permits(a, { ...request, facts: { ...facts, ...part } }).ok) &&
        permits(a, { ...request, approval: most }).ok &&
        permits(a, { ...request, used: {} }).ok
      );
    });
  });

  // Field by field: the others of a ceiling mostly refuse as well, and would hide one that got wider.
  it('9: the meet refuses if and only if some layer refuses, by exactly the fields that layers name', () => {
    law(3, (all, request) => {
      const ofLayers = new Set(all.flatMap((ceiling) => fields(ceiling, request)));
      const ofMeet = new Set(fields(meet(...all), request));
      return ofMeet.size === ofLayers.size && [...ofMeet].every((field) => ofLayers.has(field));
    });
  });
});

describe('what the laws are tried on', () => {
  const specs = Array.from({ length: 3_000 }, (_, at) => specOf(new Draws(at), 0.6));

  /** `limits.cpus`, `approval.rules.match.labels`, …: every field that a document may have. */
  function fieldsOf(schema: Json, path = ''): readonly string[] {
    if (!isObject(schema)) return [];
    const { properties, items } = schema;
    if (isObject(properties)) {
      return Object.entries(properties).flatMap(([name, inner]) => {
        return fieldsOf(inner, path === '' ? name : `${path}.${name}`);
      });
    }
    return isObject(items) && isObject(items['properties']) ? fieldsOf(items, path) : [path];
  }
  const isWritten = (value: Json | undefined, path: readonly string[]): boolean => {
    const [name, ...rest] = path;
    if (name === undefined) return value !== undefined;
    if (Array.isArray(value)) return value.some((item: Json) => isWritten(item, path));
    return isObject(value) && isWritten(value[name], rest);
  };

  it('is every field of the schema of ceilings', () => {
    const all = fieldsOf(ceilingSpec as Json);
    expect(all).toEqual(
      expect.arrayContaining(['limits.cpus', 'data.labelsAllowed', 'approval.rules.match.labels']),
    );
    expect(all.filter((field) => !specs.some((spec) => isWritten(spec, field.split('.'))))).toEqual([]);
  });

  it('is requests that every field refuses, and requests that are permitted', () => {
    const refused = new Map<string, number>();
    let permitted = 0;
    for (let at = 0; at < 5_000; at++) {
      const found = new Set(fields(ceilingOf(at), requestOf(at)));
      if (found.size === 0) permitted += 1;
      for (const field of found) refused.set(field, (refused.get(field) ?? 0) + 1);
    }
    const lists = [
      'functions',
      'tools',
      'skills',
      'mcp',
      'memory',
      'agents',
      'delegation',
      'network',
      'credentials',
    ];
    const wanted = [
      ...lists.flatMap((name) => [`${name}.allow`, `${name}.deny`]),
      ...['agents.requireDigest', 'agents.requireSigners', 'delegation.maxDepth', 'delegation.maxAgents'],
      ...['network.mode', 'credentials.mode', 'mounts.allow', 'sandbox.allowed', 'rates'],
      ...['timeoutMs', 'memoryMiB', 'outputBytes', 'cpus', 'pids'].map((name) => `limits.${name}`),
      ...['egressBytes', 'egressRequests'].map((name) => `limits.${name}`),
      ...['fanoutWidth', 'loopIterations', 'retries', 'depth'].map((name) => `limits.${name}`),
      ...['calls', 'tokens', 'usd', 'wallClockMs'].flatMap((name) => [
        `budget.${name}`,
        `budget.perDay.${name}`,
      ]),
      ...['data.labelsAllowed', 'data.maxClassification', 'validity.notBefore', 'validity.notAfter'],
      ...['minimum', 'quorum', 'separationOfDuties'].map((name) => `approval.${name}`),
      ...[
        'minimum',
        'quorum',
        'approverRoles',
        'separationOfDuties',
        'author',
        'reasonRequired',
        'expiresSeconds',
      ].map((name) => `approval.rules.${name}`),
    ];
    expect([...refused.keys()].toSorted()).toEqual(wanted.toSorted());
    expect(permitted).toBeGreaterThan(300);
  });
});

// --- laws of decisions ------------------------------------------------------------------------------------------------

const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });
const SUBJECTS = ['user:a', 'user:b', 'agent:x', 'role:r', 'role:s', 'role:any'] as const;
const ACTIONS = ['function.invoke', 'tool.invoke', '*'] as const;
const RESOURCES = ['tool::a', 'tool::b', 'tool::*', '*'] as const;

function ruleOf(draws: Draws, id: string, effect: 'allow' | 'deny'): Json {
  const rule = { id, effect, subject: draws.one(...SUBJECTS), domain: draws.one('bank', '*') };
  return { ...rule, action: draws.one(...ACTIONS), resource: draws.one(...RESOURCES) };
}

type Files = ReadonlyMap<string, Json>;

/** Rules, roles, people and ceilings; the same seed, the same policies. */
function policiesOf(at: number): Files {
  const draws = new Draws(at);
  const rules = Array.from({ length: draws.whole(2, 6) }, (_, i) =>
    ruleOf(draws, `R-${i}`, draws.chance(0.8) ? 'allow' : 'deny'),
  );
  const half = draws.whole(1, rules.length - 1);
  const ceiling = (name: string, layer: string) => ({
    ...{ ...header('Ceiling'), metadata: { name, layer } },
    spec: withoutApproval(specOf(draws, 0.1)),
  });
  return new Map<string, Json>([
    ['rbac/one.yaml', { ...header('Rules'), rules: rules.slice(0, half) }],
    ['rbac/two.yaml', { ...header('Rules'), rules: rules.slice(half) }],
    [
      'roles/bank.yaml',
      {
        ...{ ...header('Roles'), domain: 'bank' },
        members: { 'role:r': draws.some('user:a', 'agent:x'), 'role:s': draws.some('user:b', 'agent:x') },
        inherits: draws.chance(0.5) ? { 'role:r': ['role:s'] } : {},
      },
    ],
    ['ceilings/org.yaml', ceiling('org', 'org')],
    ['ceilings/prod.yaml', ceiling('prod', 'environment')],
  ]);
}

/** A quorum that nobody can reach is refused at load; what approvals do is the subject of the laws above. */
function withoutApproval(spec: Json): Json {
  if (!isObject(spec)) return spec;
  const { approval: _, ...rest } = spec;
  return rest;
}

const build = (files: Files): Promise<PolicySnapshot> =>
  buildSnapshot({
    files: new Map([
      ...Array.from(files, ([file, document]) => [file, JSON.stringify(document)] as const),
      ['model.conf', MODEL_TEXT],
    ]),
    canonicalize: canonicalJson,
  });

function decisionOf(at: number): DecisionRequest {
  const draws = new Draws(at ^ 0xdec1de);
  const { approval: _, used: __, ...request } = requestOf(at);
  return {
    ...request,
    ...{ initiator: draws.one('user:a', 'user:b', 'user:c'), agent: draws.one(null, null, 'agent:x') },
    ...{ domain: 'bank', approval: null, layers: [] },
  };
}

const POLICIES = 100;
let policies: readonly { readonly files: Files; readonly snapshot: PolicySnapshot }[] = [];
beforeAll(async () => {
  const made = Array.from({ length: POLICIES }, (_, at) => policiesOf(at));
  policies = await Promise.all(made.map(async (files) => ({ files, snapshot: await build(files) })));
});

const STRICT = { allow: 0, needs_approval: 1, deny: 2 } as const;

describe('the laws of decisions', () => {
  it('10: adding any layer never makes a decision milder', () => {
    const verdicts = { allow: 0, needs_approval: 0, deny: 0 };
    fc.assert(
      fc.property(seed, (at) => {
        const draws = new Draws(at);
        // Few of both: a meet and its hash are remembered, and the question is what becomes of the verdict.
        const { snapshot } = policies[draws.whole(0, 9)] ?? expect.fail('no such policies');
        const request = decisionOf(draws.seed());
        const layer = draws.one('workflow', 'agent', 'parent', 'step');
        const added: CeilingLayer = { layer, name: 'added', spec: documentOf(draws.whole(1, 200)) };
        const before = decide(snapshot, request).verdict;
        const after = decide(snapshot, { ...request, layers: [added] }).verdict;
        verdicts[before] += 1;
        return STRICT[after] >= STRICT[before];
      }),
      runs,
    );
    expect(Math.min(verdicts.allow, verdicts.deny)).toBeGreaterThan(RUNS / 100);
  });

  it('10: adding a deny, or an approval rule that matches, never makes a decision milder', async () => {
    let [asked, allowed, changed] = [0, 0, 0];
    for (const [at, { files, snapshot }] of policies.entries()) {
      const draws = new Draws(at + 1_000_000);
      const stricter = await build(withMore(files, draws));
      for (let i = 0; i < Math.ceil(RUNS / POLICIES); i++) {
        const request = decisionOf(at * RUNS + i);
        const [before, after] = [decide(snapshot, request).verdict, decide(stricter, request).verdict];
        if (STRICT[after] < STRICT[before]) expect({ at, i, before }).toEqual({ at, i, before: after });
        asked += 1;
        if (before === 'allow') allowed += 1;
        if (after !== before) changed += 1;
      }
    }
    expect(asked).toBeGreaterThanOrEqual(RUNS);
    expect(Math.min(allowed, changed)).toBeGreaterThan(RUNS / 200);
  });

  it('11: neither the order of files nor that of rules, keys or list items changes the hash or a verdict', async () => {
    let [asked, differing] = [0, 0];
    for (const [at, { files, snapshot }] of policies.entries()) {
      const draws = new Draws(at + 2_000_000);
      const turned = new Map(
        shuffled(draws, [...files]).map(([file, json]) => [file, reordered(draws, json)]),
      );
      const again = await build(turned);
      expect(again.policyHash).toBe(snapshot.policyHash);
      if (JSON.stringify([...turned]) !== JSON.stringify([...files])) differing += 1;
      for (let i = 0; i < Math.ceil(RUNS / POLICIES); i++) {
        const request = decisionOf(at * RUNS + i);
        const [a, b] = [decide(snapshot, request), decide(again, request)];
        // A rule keeps its id, and its line is where it stands now.
        const { message: _, hint: __, ...before } = a;
        const { message: ___, hint: ____, ...after } = b;
        if (canonicalJson(before as never) !== canonicalJson(after as never)) expect(after).toEqual(before);
        asked += 1;
      }
    }
    expect(asked).toBeGreaterThanOrEqual(RUNS);
    expect(differing).toBe(POLICIES);
  });
});

/** A deny more, and in an approval rule more everything that is asked for needs somebody's approval. */
function withMore(files: Files, draws: Draws): Files {
  const more = new Map(files);
  more.set('rbac/more.yaml', { ...header('Rules'), rules: [ruleOf(draws, 'MORE', 'deny')] });
  const spec = { approval: { rules: [{ match: {}, minimum: 'sync' }] } };
  more.set('ceilings/more.yaml', { ...header('Ceiling'), metadata: { name: 'more', layer: 'org' }, spec });
  more.set('approvers.yaml', { ...header('Approvers'), people: [{ id: 'user:boss', keys: [] }] });
  const rule = { id: 'BOSS', effect: 'allow', subject: 'user:boss', domain: 'bank', resource: '*' };
  more.set('rbac/boss.yaml', { ...header('Rules'), rules: [{ ...rule, action: 'approval.decide' }] });
  return more;
}

function shuffled<T>(draws: Draws, values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, at: draws.next() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** Every key and every list in another order: no list of these files has one that means anything. */
function reordered(draws: Draws, value: Json): Json {
  if (Array.isArray(value)) return shuffled(draws, value).map((item: Json) => reordered(draws, item));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    shuffled(draws, Object.entries(value)).map(([key, inner]) => [key, reordered(draws, inner)]),
  );
}
