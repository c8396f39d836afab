import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { CLASSIFICATIONS, NO_CEILING } from './ceiling.js';
import { checkCeilingSpec, parseCeilingSpec } from './ceiling-spec.js';
import { composeCeilings } from './meet.js';
import type { Ceiling } from './ceiling.js';
import type { CeilingRequest, ObtainedApproval } from './facts.js';
import { effectiveLimits, emptyFields, permits } from './permits.js';

const RUNS = Number(process.env['WRIT_PROPERTY_RUNS'] ?? 10_000);

const parse = (spec: Json): Ceiling => parseCeilingSpec(spec, 'test');
const meet = (...all: readonly Ceiling[]): Ceiling => composeCeilings(all.map((spec) => ({ spec })));

// --- random ceilings and requests over a small vocabulary, so that they meet often ------------------------------------

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });
const subset = (...values: readonly string[]) => fc.subarray([...values]);
const NAMES = ['tool::a', 'tool::b', 'tool::*', 'agent::?', '*'];
const names = () => fc.record({ allow: maybe(subset(...NAMES)), deny: maybe(subset('tool::b', 'agent::*')) });
const amounts = {
  usd: maybe(fc.constantFrom('0', '0.000002', '1')),
  tokens: maybe(fc.integer({ min: 0, max: 4 })),
  calls: maybe(fc.integer({ min: 0, max: 3 })),
};
const roles = () => fc.subarray(['role:x', 'role:y'], { minLength: 1 });
const rule = fc.record({
  match: fc.record({
    functions: maybe(subset('tool::a', 'tool::*')),
    agents: maybe(subset('reg/a*', 'reg/b')),
    labels: maybe(subset('pii', 'phi')),
    sandbox: maybe(subset('wasm', 'docker')),
    network: maybe(subset('api.x:443', '*.x:*')),
    credentials: maybe(subset('db', '*')),
    costUsdAbove: maybe(fc.constantFrom('0', '0.000001')),
  }),
  minimum: fc.constantFrom('async', 'sync', 'two-person'),
  approverRoles: maybe(roles()),
  quorum: maybe(fc.integer({ min: 1, max: 3 })),
  separationOfDuties: maybe(fc.boolean()),
  expiresSeconds: maybe(fc.constantFrom(60, 900, 3600)),
  reasonRequired: maybe(fc.boolean()),
});
const spec = fc.record({
  functions: maybe(names()),
  tools: maybe(names()),
  skills: maybe(names()),
  mcp: maybe(names()),
  memory: maybe(names()),
  agents: maybe(
    fc.record({
      allow: maybe(subset('reg/*', 'reg/a')),
      deny: maybe(subset('reg/b*')),
      requireDigest: maybe(fc.boolean()),
      requireSigners: maybe(subset('cosign:one', 'cosign:two')),
    }),
  ),
  delegation: maybe(
    fc.record({
      allow: maybe(subset('*')),
      maxDepth: maybe(fc.integer({ min: 0, max: 2 })),
      maxAgents: maybe(fc.integer({ min: 0, max: 2 })),
    }),
  ),
  network: maybe(
    fc.record({
      mode: maybe(fc.constantFrom('none', 'open')),
      allow: maybe(subset('api.x:443', '*.x:*')),
      deny: maybe(subset('api.x:*')),
    }),
  ),
  mounts: maybe(
    fc.record({
      allow: fc.uniqueArray(
        fc.record({ path: fc.constantFrom('/', '/data', '/data/claims'), mode: fc.constantFrom('ro', 'rw') }),
        { maxLength: 3, selector: ({ path, mode }) => path + mode },
      ),
    }),
  ),
  credentials: maybe(
    fc.record({ mode: maybe(fc.constantFrom('none', 'broker', 'inherit')), allow: maybe(subset('db', '*')) }),
  ),
  sandbox: maybe(
    fc.record({
      allowed: maybe(subset('wasm', 'docker')),
      profile: maybe(fc.constant({ docker: 'strict' })),
      require: maybe(subset('nonRoot', 'noNetwork')),
    }),
  ),
  approval: maybe(
    fc.record({
      minimum: maybe(fc.constantFrom('none', 'async', 'sync', 'two-person')),
      rules: maybe(fc.array(rule, { maxLength: 2 })),
    }),
  ),
  limits: fc.record(
    { timeoutMs: fc.integer({ min: 1, max: 4 }), memoryMiB: fc.integer({ min: 1, max: 4 }) },
    { requiredKeys: [] },
  ),
  extent: fc.record(
    { fanoutWidth: fc.integer({ min: 1, max: 4 }), retries: fc.integer({ min: 0, max: 4 }) },
    { requiredKeys: [] },
  ),
  rates: maybe(
    fc.uniqueArray(
      fc.record({
        match: fc.constantFrom('tool::a', 'reg/*', '*'),
        count: fc.constantFrom(0, 5, 6),
        perSeconds: fc.constantFrom(60, 3600),
      }),
      { maxLength: 2, selector: (rate) => JSON.stringify(rate) },
    ),
  ),
  clampAll: fc.boolean(),
  budget: maybe(fc.record({ ...amounts, perDay: maybe(fc.record(amounts)) })),
  data: maybe(
    fc.record({
      labelsAllowed: maybe(subset('pii', 'phi', 'public')),
      maxClassification: maybe(fc.constantFrom(...CLASSIFICATIONS)),
    }),
  ),
  audit: maybe(fc.record({ required: fc.constantFrom('none', 'local', 'anchored') })),
  validity: maybe(
    fc.record({
      notBefore: maybe(fc.constantFrom('2026-01-01T00:00:00Z', '2026-06-01T00:00:00Z')),
      notAfter: maybe(fc.constantFrom('2026-07-01T00:00:00Z', '2027-01-01T00:00:00Z')),
    }),
  ),
});
const ceiling: fc.Arbitrary<Ceiling> = spec.map(({ clampAll, extent, ...rest }) => {
  const limits = { ...rest.limits, ...extent };
  const written = { ...rest, limits, ...(clampAll ? { clamp: Object.keys(rest.limits) } : {}) };
  // Through JSON, as a document is read: absent fields are absent.
  return parse(JSON.parse(JSON.stringify(written)) as Json);
});

const DIGEST = `sha256:${'0'.repeat(64)}`;
const target = fc.constantFrom(
  ...(['tool::a', 'tool::b', 'agent::x'] as const).map((id) => ({
    action: 'function.invoke' as const,
    resource: id,
    functionId: id,
    agentName: null,
    agentDigest: null,
  })),
  ...(['reg/a', 'reg/b'] as const).map((id) => ({
    action: 'agent.invoke' as const,
    resource: `${id}@${DIGEST}`,
    functionId: `${id}@${DIGEST}`,
    agentName: id,
    agentDigest: DIGEST,
  })),
  ...(
    [
      ['tool.invoke', 'tool::a'],
      ['skill.invoke', 'tool::b'],
      ['mcp.request', 'tool::a'],
      ['memory.write', 'agent::x'],
      ['agent.delegate', 'host'],
      ['network.egress', 'api.x:443'],
      ['secret.use', 'db'],
      ['filesystem.write', '/data/claims/1'],
    ] as const
  ).map(([action, resource]) => ({
    action,
    resource,
    functionId: 'tool::a',
    agentName: null,
    agentDigest: null,
  })),
  {
    action: 'function.invoke' as const,
    resource: 'tool::a',
    functionId: 'tool::a',
    agentName: 'reg/a',
    agentDigest: null,
  },
);
const approval: fc.Arbitrary<ObtainedApproval | null> = fc.option(
  fc.record({
    mode: fc.constantFrom('async' as const, 'sync' as const, 'two-person' as const),
    votes: fc.integer({ min: 1, max: 3 }),
    approverRoles: fc.subarray(['role:x', 'role:y']),
    separationOfDuties: fc.boolean(),
    reasonGiven: fc.boolean(),
    expiresSeconds: fc.constantFrom(30, 60, 900, 3600, 7200),
  }),
);
const used = fc.record({
  calls: fc.integer({ min: 0, max: 2 }),
  tokens: fc.integer({ min: 0, max: 3 }),
  costMicroUsd: fc.integer({ min: 0, max: 2 }),
});
const request: fc.Arbitrary<CeilingRequest> = fc
  .record({
    nowMs: fc.constantFrom(
      ...[
        '2025-12-31T23:59:59Z',
        '2026-01-01T00:00:00Z',
        '2026-06-15T00:00:00Z',
        '2026-07-01T00:00:00Z',
        '2027-01-01T00:00:00Z',
      ].map((t) => Date.parse(t)),
    ),
    target,
    sandbox: fc.constantFrom('wasm' as const, 'docker' as const, null),
    network: fc.subarray(['api.x:443', 'x:443', 'other.y:80']),
    mounts: fc.array(
      fc.record({
        path: fc.constantFrom('/data', '/database', '/data/claims/1'),
        mode: fc.constantFrom('ro' as const, 'rw' as const),
      }),
      { maxLength: 2 },
    ),
    credentials: fc.subarray(['db', 'other']),
    limits: fc.record(
      {
        timeoutMs: fc.integer({ min: 1, max: 5 }),
        memoryMiB: fc.integer({ min: 1, max: 5 }),
        fanoutWidth: fc.integer({ min: 1, max: 5 }),
        retries: fc.integer({ min: 1, max: 5 }),
      },
      { requiredKeys: [] },
    ),
    labels: fc.option(fc.subarray(['pii', 'phi', 'public'])),
    classification: maybe(fc.constantFrom(...CLASSIFICATIONS)),
    agentSigners: fc.subarray(['cosign:one', 'cosign:two', 'cosign:other']),
    approval,
    estimate: fc.constantFrom(
      { tokens: 0, costMicroUsd: 0 },
      { tokens: 0, costMicroUsd: 0 },
      { tokens: 2, costMicroUsd: 1 },
      { tokens: 1, costMicroUsd: null },
    ),
    used: fc.record({ run: used, day: used }),
  })
  .map(
    ({
      nowMs,
      target: { action, resource, ...call },
      approval: obtained,
      used,
      classification,
      ...facts
    }) => ({
      nowMs,
      action,
      resource,
      facts: { ...call, ...facts, ...(classification === undefined ? {} : { classification }) },
      approval: obtained,
      used,
    }),
  );

const runs = { numRuns: RUNS };

/** A normal form has one text: equal ceilings are the same JSON, and the same hash. */
const same = (a: Ceiling, b: Ceiling) => void expect(JSON.stringify(a)).toBe(JSON.stringify(b));

// Many runs on a machine that does other work too.
describe('laws of the meet', { timeout: 120_000 }, () => {
  it('1: meet(a, a) = a', () => {
    const law = (a: Ceiling) => same(meet(a, a), a);
    fc.assert(fc.property(ceiling, law), runs);
  });

  it('2: meet(a, b) = meet(b, a)', () => {
    const law = (a: Ceiling, b: Ceiling) => same(meet(a, b), meet(b, a));
    fc.assert(fc.property(ceiling, ceiling, law), runs);
  });

  it('3: meet(meet(a, b), c) = meet(a, meet(b, c))', () => {
    const law = (a: Ceiling, b: Ceiling, c: Ceiling) => same(meet(meet(a, b), c), meet(a, meet(b, c)));
    fc.assert(fc.property(ceiling, ceiling, ceiling, law), runs);
  });

  it('4: the empty ceiling is neutral', () => {
    expect(parse({})).toEqual(NO_CEILING);
    const law = (a: Ceiling) => same(meet(a, parse({})), a);
    fc.assert(fc.property(ceiling, law), runs);
  });

  it('5 and 6: the meet permits exactly what both permit', () => {
    const law = (a: Ceiling, b: Ceiling, r: CeilingRequest) =>
      void expect(permits(meet(a, b), r).ok).toBe(permits(a, r).ok && permits(b, r).ok);
    fc.assert(fc.property(ceiling, ceiling, request, law), runs);
  });

  it('7: a deny wins over every allow', () => {
    const law = (a: Ceiling, r: CeilingRequest) => {
      const deny = parse({ functions: { allow: ['*'], deny: [r.facts.functionId] } });
      if (r.action === 'function.invoke') expect(permits(meet(a, deny), r).ok).toBe(false);
    };
    fc.assert(fc.property(ceiling, request, law), runs);
  });

  it('8: a stricter request stays permitted', () => {
    const more: ObtainedApproval = {
      mode: 'two-person',
      votes: 3,
      approverRoles: ['role:x', 'role:y'],
      separationOfDuties: true,
      reasonGiven: true,
      expiresSeconds: 1,
    };
    const law = (a: Ceiling, r: CeilingRequest) => {
      if (!permits(a, r).ok) return;
      const stillFits = (facts: Partial<CeilingRequest['facts']>) =>
        void expect(permits(a, { ...r, facts: { ...r.facts, ...facts } }).ok).toBe(true);
      const limits = Object.entries(r.facts.limits).map(([name, value]) => [name, Math.max(1, value - 1)]);
      stillFits({ limits: Object.fromEntries(limits) as CeilingRequest['facts']['limits'] });
      stillFits({ labels: r.facts.labels?.slice(1) ?? null });
      stillFits({ network: r.facts.network.slice(1) });
      stillFits({ credentials: [], mounts: [] });
      stillFits({ estimate: { tokens: 0, costMicroUsd: 0 } });
      stillFits({ classification: 'public' });
      stillFits({ agentSigners: ['cosign:one', 'cosign:two', 'cosign:other'] });
      expect(permits(a, { ...r, used: {} }).ok).toBe(true);
      expect(permits(a, { ...r, approval: more }).ok).toBe(true);
    };
    fc.assert(fc.property(ceiling, request, law), runs);
  });

  it('9: the meet refuses if and only if some layer refuses, by a field of that layer', () => {
    const law = (a: Ceiling, b: Ceiling, r: CeilingRequest) => {
      const fields = (c: Ceiling) => permits(c, r).violations.map(({ field }) => field);
      const ofLayers = new Set([...fields(a), ...fields(b)]);
      const ofMeet = fields(meet(a, b));
      expect(ofMeet.length > 0).toBe(ofLayers.size > 0);
      for (const field of ofMeet) expect(ofLayers).toContain(field);
    };
    fc.assert(fc.property(ceiling, ceiling, request, law), runs);
  });

  it('are tried on requests that are refused and on requests that are permitted', () => {
    const seen = fc.sample(fc.tuple(ceiling, request), 2000).map(([a, r]) => permits(a, r).ok);
    expect(seen.filter(Boolean).length).toBeGreaterThan(50);
    expect(seen.filter((ok) => !ok).length).toBeGreaterThan(50);
  });
});

const base: CeilingRequest = {
  nowMs: Date.parse('2026-06-01T00:00:00Z'),
  action: 'function.invoke',
  resource: 'tool::wasm',
  facts: {
    functionId: 'tool::wasm',
    agentName: null,
    agentDigest: null,
    sandbox: 'wasm',
    network: [],
    mounts: [],
    credentials: [],
    limits: {},
    labels: [],
  },
  approval: null,
};
const fit = (written: Json, facts: Partial<CeilingRequest['facts']> = {}) =>
  permits(parse(written), { ...base, facts: { ...base.facts, ...facts } });

describe('permits at the borders', () => {
  it('an absent field restricts nothing, an empty allow refuses everything', () => {
    expect(fit({}).ok).toBe(true);
    expect(fit({ functions: {} }).ok).toBe(true);
    expect(fit({ functions: { allow: [] } }).violations[0]?.code).toBe('CEILING_EMPTY');
    expect(fit({ sandbox: { allowed: [] } }).violations[0]?.code).toBe('CEILING_EMPTY');
    expect(emptyFields(parse({ functions: { allow: [] }, sandbox: { allowed: [] } }))).toEqual([
      'functions',
      'sandbox',
    ]);
  });

  it('wasm and docker are not comparable: two layers that name one each leave nothing', () => {
    const both = meet(parse({ sandbox: { allowed: ['wasm'] } }), parse({ sandbox: { allowed: ['docker'] } }));
    expect(emptyFields(both)).toEqual(['sandbox']);
    expect(permits(both, base).violations[0]?.code).toBe('CEILING_EMPTY');
  });

  it('a step without a sandbox does not fit where kinds are named', () => {
    expect(fit({ sandbox: { allowed: ['wasm'] } }, { sandbox: null }).ok).toBe(false);
  });

  it('a limit fits up to its value', () => {
    expect(fit({ limits: { timeoutMs: 100 } }, { limits: { timeoutMs: 100 } }).ok).toBe(true);
    expect(fit({ limits: { timeoutMs: 100 } }, { limits: { timeoutMs: 101 } }).violations).toEqual([
      { field: 'limits.timeoutMs', code: 'CEILING_LIMITS', limit: '100', requested: '101' },
    ]);
    expect(fit({ limits: { timeoutMs: 100 } }, { limits: { timeoutMs: Number.NaN } }).ok).toBe(false);
  });

  it('a clamping layer lowers instead, and says so', () => {
    const clamping = parse({ limits: { timeoutMs: 100 }, clamp: ['timeoutMs'] });
    expect(permits(clamping, { ...base, facts: { ...base.facts, limits: { timeoutMs: 500 } } }).ok).toBe(
      true,
    );
    expect(effectiveLimits(clamping, { timeoutMs: 500 })).toEqual({
      limits: { timeoutMs: 100 },
      narrowed: ['timeoutMs'],
    });
    expect(effectiveLimits(clamping, {})).toEqual({ limits: { timeoutMs: 100 }, narrowed: [] });
    const both = meet(clamping, parse({ limits: { timeoutMs: 200 } }));
    expect(permits(both, { ...base, facts: { ...base.facts, limits: { timeoutMs: 201 } } }).ok).toBe(false);
    expect(effectiveLimits(both, { timeoutMs: 150 }).limits).toEqual({ timeoutMs: 100 });
  });

  it('a suffix does not match itself, and a path contains by segment', () => {
    const hosts = { network: { mode: 'allowlist', allow: ['*.x.example:443'] } };
    expect(fit(hosts, { network: ['a.x.example:443'] }).ok).toBe(true);
    expect(fit(hosts, { network: ['x.example:443'] }).ok).toBe(false);
    expect(fit(hosts, { network: ['ax.example:443'] }).ok).toBe(false);
    expect(fit(hosts, { network: ['a.x.example:444'] }).ok).toBe(false);
    const mounts = { mounts: { allow: [{ path: '/data', mode: 'ro' }] } };
    expect(fit(mounts, { mounts: [{ path: '/data/claims', mode: 'ro' }] }).ok).toBe(true);
    expect(fit(mounts, { mounts: [{ path: '/database', mode: 'ro' }] }).ok).toBe(false);
    expect(fit(mounts, { mounts: [{ path: '/data', mode: 'rw' }] }).ok).toBe(false);
  });

  it('a package without digest does not fit where one is required', () => {
    const required = { agents: { requireDigest: true } };
    expect(fit(required, { agentName: 'reg/a', agentDigest: null }).ok).toBe(false);
    expect(fit(required, { agentName: 'reg/a', agentDigest: DIGEST }).ok).toBe(true);
    expect(fit(required).ok).toBe(true);
  });

  it('unknown labels fit under no list of labels', () => {
    expect(fit({ data: { labelsAllowed: ['pii'] } }, { labels: null }).ok).toBe(false);
    expect(fit({ data: { labelsAllowed: ['pii'] } }, { labels: [] }).ok).toBe(true);
  });

  it('a classification fits up to the highest that is allowed, and an unknown one never', () => {
    const internal: Json = { data: { maxClassification: 'internal' } };
    expect(fit(internal, { classification: 'internal' }).ok).toBe(true);
    expect(fit(internal, { classification: 'confidential' }).violations).toMatchObject([
      { field: 'data.maxClassification', code: 'CEILING_DATA', limit: 'internal', requested: 'confidential' },
    ]);
    expect(fit(internal).ok).toBe(false);
    expect(fit({ data: { maxClassification: 'restricted' } }).ok).toBe(false);
  });

  it('a package needs every signer, and one whose signatures nobody verified has none', () => {
    const signed: Json = { agents: { requireSigners: ['cosign:one', 'cosign:two'] } };
    const call = { agentName: 'reg/a', agentDigest: DIGEST };
    expect(fit(signed, { ...call, agentSigners: ['cosign:two', 'cosign:one'] }).ok).toBe(true);
    expect(fit(signed, { ...call, agentSigners: ['cosign:one'] }).violations).toMatchObject([
      { field: 'agents.requireSigners', code: 'CEILING_AGENTS', limit: 'cosign:two' },
    ]);
    expect(fit(signed, call).violations).toHaveLength(2);
    expect(fit(signed).ok).toBe(true);
  });

  it('an approval may depend on the cost: above the bound, or not known', () => {
    const costly: Json = { approval: { rules: [{ match: { costUsdAbove: '0.50' }, minimum: 'sync' }] } };
    const at = (costMicroUsd: number | null) => fit(costly, { estimate: { tokens: 0, costMicroUsd } }).ok;
    expect([at(0), at(500_000), at(500_001), at(null), fit(costly).ok]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('validity includes its start and excludes its end', () => {
    const at = (nowMs: number) =>
      permits(parse({ validity: { notBefore: '2026-01-01T00:00:00Z', notAfter: '2026-02-01T00:00:00Z' } }), {
        ...base,
        nowMs,
      }).ok;
    expect(at(Date.parse('2025-12-31T23:59:59.999Z'))).toBe(false);
    expect(at(Date.parse('2026-01-01T00:00:00Z'))).toBe(true);
    expect(at(Date.parse('2026-01-31T23:59:59.999Z'))).toBe(true);
    expect(at(Date.parse('2026-02-01T00:00:00Z'))).toBe(false);
  });
});

describe('parseCeilingSpec', () => {
  it('throws the code of the document it belongs to, and names the field', () => {
    const thrown = (code?: 'POLICY_INVALID') => {
      try {
        parseCeilingSpec({ sandbox: { profile: { wasm: 'loose' } } }, 'workflow claims', code);
      } catch (error) {
        return error instanceof WritError ? error : null;
      }
      return null;
    };
    expect(thrown()?.code).toBe('DOC_BAD_VALUE');
    expect(thrown('POLICY_INVALID')?.code).toBe('POLICY_INVALID');
    expect(thrown()?.message).toBe(
      'workflow claims: ceiling /sandbox/profile/wasm: not enforced by this version: every sandbox has the profile strict',
    );
  });

  it('lists every problem', () => {
    const result = checkCeilingSpec({
      limits: { depth: 2 },
      clamp: ['depth', 'pids'],
      rates: [{ match: '*'.repeat(65), count: 1, perSeconds: 1 }],
      sandbox: { require: ['unicorns', 'nonRoot'], profile: { docker: 'loose', wasm: 'strict' } },
    });
    expect(result.ok ? [] : result.problems.map(({ pointer }) => pointer)).toEqual([
      '/sandbox/profile/docker',
      '/sandbox/require/0',
      '/clamp/0',
      '/clamp/1',
      '/rates/0/match',
    ]);
  });
});
