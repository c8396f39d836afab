import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { plainFacts } from '../../../test/policy/facts.js';
import type { Json } from '../../json.js';
import type { ApprovalAsk, CeilingLayer, DecisionRequest, PolicySnapshot } from '../index.js';
import { buildSnapshot, decide, MODEL_TEXT, parseCeilingSpec } from '../index.js';

const FILES = {
  'model.conf': MODEL_TEXT,
  'rbac/r.yaml': `apiVersion: writ/v1
kind: Rules
rules:
  - { id: R-1, effect: allow, subject: "role:adjuster", domain: bank, action: function.invoke, resource: "tool::*" }
  - { id: R-2, effect: allow, subject: "role:bot", domain: bank, action: function.invoke, resource: "tool::*" }
  - { id: R-3, effect: deny, subject: "role:bot", domain: bank, action: function.invoke, resource: "tool::raw" }
  - { id: R-4, effect: allow, subject: "role:reviewer", domain: bank, action: approval.decide, resource: "tool::*" }
  - { id: R-5, effect: allow, subject: "role:medical", domain: bank, action: approval.decide, resource: "tool::*" }
`,
  'roles/bank.yaml': `apiVersion: writ/v1
kind: Roles
domain: bank
members:
  "role:adjuster": ["user:alice", "user:bob"]
  "role:bot": ["agent:triage"]
  "role:reviewer": ["user:bob", "user:carol"]
  "role:medical": ["user:carol", "user:dora"]
  "role:idle": ["user:erin"]
`,
  'roles/other.yaml': 'apiVersion: writ/v1\nkind: Roles\ndomain: other\n',
  'ceilings/org.yaml':
    'apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: org-test, layer: org }\nspec: { limits: { timeoutMs: 1000 } }\n',
  'ceilings/bank.yaml':
    'apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: bank, layer: tenant }\nspec: { limits: { memoryMiB: 64 } }\n',
  'ceilings/other.yaml':
    'apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: other, layer: tenant }\nspec: { functions: { allow: [] } }\n',
  'approvers.yaml': `apiVersion: writ/v1
kind: Approvers
people: [{ id: "user:alice", keys: [] }, { id: "user:bob", keys: [] }, { id: "user:carol", keys: [] }, { id: "user:dora", keys: [] }, { id: "user:erin", keys: [] }]
`,
};

let snapshot: PolicySnapshot;
beforeAll(async () => {
  snapshot = await buildSnapshot({
    files: new Map(Object.entries(FILES)),
    canonicalize: (value: Json) => canonicalize(value) ?? '',
  });
});

const base: DecisionRequest = {
  nowMs: 1_800_000_000_000,
  initiator: 'user:alice',
  agent: 'agent:triage',
  domain: 'bank',
  action: 'function.invoke',
  resource: 'tool::wasm',
  layers: [],
  facts: plainFacts('tool::wasm', { sandbox: 'wasm' }),
  approval: null,
};
const nothing: ApprovalAsk = {
  mode: 'none',
  approverRoles: [],
  quorum: null,
  expiresSeconds: null,
  reasonRequired: false,
  separationOfDuties: null,
};
const layer = (spec: Json, name = 'flow', where: CeilingLayer['layer'] = 'workflow'): CeilingLayer => ({
  layer: where,
  name,
  spec: parseCeilingSpec(spec, name),
});
const asked = (ask: Partial<ApprovalAsk>, changes: Partial<DecisionRequest> = {}) =>
  decide(snapshot, { ...base, ...changes, approval: { ...nothing, ...ask } });
const call = (functionId: string): Partial<DecisionRequest> => ({
  resource: functionId,
  facts: { ...base.facts, functionId },
});

describe('decide', () => {
  it('allows what initiator, agent and every layer allow, and names the rules', () => {
    const decision = decide(snapshot, base);
    expect(decision).toMatchObject({ verdict: 'allow', code: null, hint: null });
    expect(decision.rbac.map(({ ruleId }) => ruleId)).toEqual(['R-1', 'R-2']);
    expect(decision.effective).toEqual({
      approval: null,
      limits: { timeoutMs: 1000, memoryMiB: 64 },
      narrowed: [],
      audit: 'local',
    });
    expect(decision.policyHash).toMatch(/^[0-9a-f]{64}$/);
    expect(decision.ceilingHash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('asks once where no agent acts', () => {
    expect(decide(snapshot, { ...base, agent: null }).rbac).toHaveLength(1);
  });

  it('an agent may not exceed its caller, nor a caller borrow from an agent', () => {
    expect(decide(snapshot, { ...base, initiator: 'user:dora' }).code).toBe('POLICY_NO_MATCH');
    const raw = decide(snapshot, { ...base, ...call('tool::raw') });
    expect(raw.code).toBe('POLICY_DENY_RULE');
    expect(raw.rbac.map(({ effect }) => effect)).toEqual(['allow', 'deny']);
    expect(raw.message).toContain('R-3');
  });

  it('records every layer, absent ones too, and each violated field', () => {
    const decision = decide(snapshot, {
      ...base,
      layers: [
        { layer: 'step', name: 'Triage', spec: null },
        layer({ network: { mode: 'none' }, limits: { timeoutMs: 10 } }),
        layer({ sandbox: { allowed: ['docker'] } }, 'pkg', 'agent'),
      ],
      facts: { ...base.facts, network: ['api.x:443'], limits: { timeoutMs: 20 } },
    });
    expect(decision.code).toBe('CEILING_NETWORK');
    expect(decision.message).toBe(
      'ceiling flow (workflow): network.mode is none, the request asks for api.x:443',
    );
    expect(decision.ceiling.map(({ layer: where, ok, field }) => [where, ok, field ?? null])).toEqual([
      ['org', true, null],
      ['environment', true, null],
      ['tenant', true, null],
      ['workflow', false, 'network.mode'],
      ['workflow', false, 'limits.timeoutMs'],
      ['agent', false, 'sandbox.allowed'],
      ['step', true, null],
    ]);
    expect(decision.ceiling.map(({ hash }) => hash === null)).toEqual([
      false,
      true,
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it('applies a tenant ceiling to its own domain only', () => {
    expect(decide(snapshot, base).ceiling.find(({ layer: where }) => where === 'tenant')?.name).toBe('bank');
  });

  it('refuses a limit one above the ceiling, unless the layer clamps', () => {
    const limit = (timeoutMs: number, layers: CeilingLayer[] = []) =>
      decide(snapshot, { ...base, layers, facts: { ...base.facts, limits: { timeoutMs } } });
    expect(limit(1000).verdict).toBe('allow');
    expect(limit(1001).code).toBe('CEILING_LIMITS');
    const clamping = layer({ limits: { timeoutMs: 500 }, clamp: ['timeoutMs'] });
    expect(limit(900, [clamping])).toMatchObject({
      verdict: 'allow',
      effective: { limits: { timeoutMs: 500 }, narrowed: ['timeoutMs'] },
    });
  });

  it('gives one ceilingHash to the same layers in any order, another to other layers', () => {
    const a = layer({ limits: { timeoutMs: 10 } }, 'a');
    const b = layer({ network: { mode: 'none' } }, 'b', 'step');
    const hash = (layers: CeilingLayer[]) => decide(snapshot, { ...base, layers }).ceilingHash;
    expect(hash([a, b])).toBe(hash([b, a]));
    expect(hash([a])).not.toBe(hash([b]));
    expect(hash([a, a])).toBe(hash([a]));
  });
});

describe('the approval a step needs', () => {
  it('is what the step asks, with defaults applied once', () => {
    const decision = asked({ mode: 'sync' });
    expect(decision.verdict).toBe('needs_approval');
    expect(decision.effective.approval).toEqual({
      mode: 'sync',
      quorum: [{ role: 'role:any', n: 1 }],
      separationOfDuties: true,
      expiresSeconds: 3600,
      reasonRequired: false,
    });
    expect(decision.demandedBy).toEqual(['step asks for sync']);
  });

  it('lets whoever started the run decide only where the step says so in words', () => {
    const ask = (separationOfDuties: boolean | null) => asked({ mode: 'sync', separationOfDuties });
    expect(ask(null).effective.approval?.separationOfDuties).toBe(true);
    expect(ask(true).effective.approval?.separationOfDuties).toBe(true);
    expect(ask(false).effective.approval?.separationOfDuties).toBe(false);
  });

  it('keeps who wrote the workflow out where a step or a rule says author: true', () => {
    const rule = layer({ approval: { rules: [{ match: {}, minimum: 'sync', author: true }] } });
    expect(asked({ mode: 'sync' }).effective.approval).not.toHaveProperty('author');
    expect(asked({ mode: 'sync', author: true }).effective.approval?.author).toBe(true);
    expect(asked({ mode: 'sync' }, { layers: [rule] }).effective.approval?.author).toBe(true);
  });

  it('can not be given by the author, nor where nobody knows the author', () => {
    const one = { mode: 'sync', approverRoles: ['role:reviewer'], author: true } as const;
    expect(asked(one, { author: 'user:dora' }).verdict).toBe('needs_approval');
    expect(asked({ ...one, quorum: 2 }, { author: 'user:dora' }).verdict).toBe('needs_approval');
    for (const unreachable of [
      asked({ ...one, quorum: 2 }, { author: 'user:bob' }),
      asked(one, { author: null }),
    ]) {
      expect([unreachable.verdict, unreachable.code]).toEqual(['deny', 'APPROVAL_QUORUM_UNREACHABLE']);
    }
    expect(asked({ mode: 'sync' }, { author: null }).verdict).toBe('needs_approval');
  });

  it('is the join of the step and every matching rule, never less than either', () => {
    const rules = layer({
      approval: {
        rules: [
          {
            match: { functions: ['tool::*'] },
            minimum: 'sync',
            approverRoles: ['role:reviewer'],
            expiresSeconds: 900,
          },
          { match: {}, minimum: 'async', reasonRequired: true, expiresSeconds: 7200 },
          { match: { functions: ['hand::*'] }, minimum: 'two-person' },
        ],
      },
    });
    const decision = asked(
      { mode: 'async', approverRoles: ['role:medical'], expiresSeconds: 5000 },
      { layers: [rules] },
    );
    expect(decision.effective.approval).toEqual({
      mode: 'sync',
      quorum: [
        { role: 'role:medical', n: 1 },
        { role: 'role:reviewer', n: 1 },
      ],
      separationOfDuties: true,
      expiresSeconds: 900,
      reasonRequired: true,
    });
    expect(decision.demandedBy).toHaveLength(3);
    expect(decision.demandedBy).toContain(
      'ceiling flow (workflow): functions tool::* needs sync approval by role:reviewer',
    );
  });

  it('two-person is two distinct people and separation of duties', () => {
    expect(
      asked({ mode: 'two-person', approverRoles: ['role:reviewer'] }, { initiator: 'user:alice' }),
    ).toMatchObject({
      verdict: 'needs_approval',
      effective: { approval: { quorum: [{ role: 'role:reviewer', n: 2 }], separationOfDuties: true } },
    });
    const minimum = layer({ approval: { minimum: 'two-person' } });
    expect(asked({ mode: 'none' }, { layers: [minimum] }).effective.approval?.quorum).toEqual([
      { role: 'role:any', n: 2 },
    ]);
    // One of the two must be a reviewer, the other anyone who may decide.
    expect(
      asked({ mode: 'sync', approverRoles: ['role:reviewer'] }, { layers: [minimum] }).effective.approval
        ?.quorum,
    ).toEqual([
      { role: 'role:any', n: 1 },
      { role: 'role:reviewer', n: 1 },
    ]);
  });

  it('alternatives stay one factor', () => {
    const decision = asked({ mode: 'sync', approverRoles: ['role:reviewer', 'role:medical'], quorum: 3 });
    expect(decision.verdict).toBe('needs_approval');
    expect(decision.effective.approval?.quorum).toEqual([{ role: 'role:medical|role:reviewer', n: 3 }]);
  });

  it('is refused when it can not be reached', () => {
    const code = (ask: Partial<ApprovalAsk>, initiator = 'user:alice') => asked(ask, { initiator }).code;
    const reviewers = { mode: 'sync', approverRoles: ['role:reviewer'] } as const;
    expect(code({ ...reviewers, quorum: 2 })).toBeNull();
    expect(code({ ...reviewers, quorum: 3 })).toBe('APPROVAL_QUORUM_UNREACHABLE');
    // bob reviews, and started the run: carol alone is left.
    expect(code({ ...reviewers, quorum: 2, separationOfDuties: false }, 'user:bob')).toBeNull();
    expect(code({ ...reviewers, quorum: 2 }, 'user:bob')).toBe('APPROVAL_QUORUM_UNREACHABLE');
    expect(code({ ...reviewers, quorum: 1, separationOfDuties: true }, 'user:bob')).toBeNull();
    expect(code({ mode: 'sync', approverRoles: ['role:nobody'] })).toBe('APPROVAL_QUORUM_UNREACHABLE');
    // erin holds the role, but RBAC doesn't let her decide.
    expect(code({ mode: 'sync', approverRoles: ['role:idle'] })).toBe('APPROVAL_QUORUM_UNREACHABLE');
    // Anyone who may decide: bob, carol, dora.
    expect(code({ mode: 'sync', quorum: 3 })).toBeNull();
    expect(code({ mode: 'sync', quorum: 4 })).toBe('APPROVAL_QUORUM_UNREACHABLE');
  });

  it('one person fills one factor: carol can be reviewer or medical, not both', () => {
    const minimum = layer({
      approval: { rules: [{ match: {}, minimum: 'sync', approverRoles: ['role:reviewer'], quorum: 2 }] },
    });
    const medical = (quorum: number) =>
      asked({ mode: 'sync', approverRoles: ['role:medical'], quorum }, { layers: [minimum] });
    expect(medical(1).verdict).toBe('needs_approval');
    expect(medical(2).code).toBe('APPROVAL_QUORUM_UNREACHABLE');
  });

  it('unknown labels meet every rule about labels', () => {
    const rules = layer({ approval: { rules: [{ match: { labels: ['phi'] }, minimum: 'sync' }] } });
    const verdict = (labels: readonly string[] | null) =>
      decide(snapshot, { ...base, layers: [rules], facts: { ...base.facts, labels } }).verdict;
    expect(verdict([])).toBe('allow');
    expect(verdict(['phi'])).toBe('needs_approval');
    expect(verdict(null)).toBe('needs_approval');
  });
});

describe('decide fails closed', () => {
  const code = (changes: object) => decide(snapshot, { ...base, ...changes }).code;
  const facts = (changes: object) => code({ facts: { ...base.facts, ...changes } });

  it.each([
    ['a role as initiator', { initiator: 'role:adjuster' }],
    ['an initiator that is an array', { initiator: ['user:alice'] }],
    ['an empty initiator', { initiator: '' }],
    ['a person as agent', { agent: 'user:alice' }],
    ['an agent that is undefined', { agent: undefined }],
    ['an unknown action', { action: 'function.call' }],
    ['an inherited property as action', { action: 'constructor' }],
    ['a resource that is not the function', { resource: 'tool::other' }],
    ['an agent.invoke without a package', { action: 'agent.invoke', resource: `a@sha256:${'0'.repeat(64)}` }],
    ['a time that is no number', { nowMs: Number.NaN }],
    ['a layer nobody knows', { layers: [{ layer: 'other', name: 'x', spec: null }] }],
    ['an expiry above 30 days', { approval: { ...nothing, expiresSeconds: 30 * 86_400 + 1 } }],
    ['an approval mode nobody knows', { approval: { ...nothing, mode: 'later' } }],
    ['an approver role that is a person', { approval: { ...nothing, approverRoles: ['user:bob'] } }],
  ])('denies %s', (_, changes) => {
    expect(code(changes)).toBe('POLICY_REQUEST_INVALID');
  });

  it.each([
    ['an upper-case host', { network: ['API.x:443'] }],
    ['a host with a trailing dot', { network: ['api.x.:443'] }],
    ['a path that climbs', { mounts: [{ path: '/data/../etc', mode: 'ro' }] }],
    ['a path with an empty segment', { mounts: [{ path: '/data//x', mode: 'ro' }] }],
    ['a limit below 1', { limits: { timeoutMs: 0 } }],
    ['a limit that is no number', { limits: { timeoutMs: '5' } }],
    ['a limit that is unknown', { limits: { width: 1 } }],
    ['a sandbox nobody knows', { sandbox: 'host' }],
    ['a digest that is none', { agentDigest: 'sha256:x' }],
  ])('denies %s', (_, changes) => {
    expect(facts(changes)).toBe('POLICY_REQUEST_INVALID');
  });

  it('denies with POLICY_ERROR when policy code throws, whatever throws', () => {
    const boom = () => {
      throw new Error('boom');
    };
    for (const broken of [{ judge: boom }, { ruleById: boom }, { rolePath: boom }]) {
      expect(decide({ ...snapshot, ...broken }, base)).toMatchObject({
        verdict: 'deny',
        code: 'POLICY_ERROR',
      });
    }
    const hole = { layer: 'step', name: 'x', spec: {} } as unknown as CeilingLayer;
    expect(decide(snapshot, { ...base, layers: [hole] })).toMatchObject({
      verdict: 'deny',
      code: 'POLICY_ERROR',
    });
    expect(facts({ network: null })).toBe('POLICY_ERROR');
  });
});

describe('adding a layer', () => {
  // So many runs, however long this machine takes for them.
  it('never turns a deny into an allow, nor takes an approval away (law 10)', { timeout: 0 }, () => {
    const rank = { deny: 2, needs_approval: 1, allow: 0 };
    const spec = fc.record(
      {
        functions: fc.record({ deny: fc.subarray(['tool::wasm', 'tool::x']) }, { requiredKeys: [] }),
        sandbox: fc.record({ allowed: fc.subarray(['wasm', 'docker']) }),
        approval: fc.record({
          minimum: fc.constantFrom('none', 'async', 'sync', 'two-person'),
          rules: fc.array(
            fc.record({
              match: fc.record(
                { functions: fc.subarray(['tool::*', 'tool::x'], { minLength: 1 }) },
                { requiredKeys: [] },
              ),
              minimum: fc.constantFrom('async', 'sync', 'two-person'),
              approverRoles: fc.subarray(['role:reviewer', 'role:medical', 'role:idle'], { minLength: 1 }),
              quorum: fc.integer({ min: 1, max: 3 }),
            }),
            { maxLength: 2 },
          ),
        }),
        limits: fc.record({ timeoutMs: fc.integer({ min: 1, max: 3 }) }),
      },
      { requiredKeys: [] },
    );
    const layers = fc.array(
      spec.map((written) => layer(written as Json)),
      { maxLength: 3 },
    );
    const law = (some: CeilingLayer[], extra: CeilingLayer[]) => {
      const verdict = (all: CeilingLayer[]) =>
        rank[
          decide(snapshot, { ...base, layers: all, facts: { ...base.facts, limits: { timeoutMs: 2 } } })
            .verdict
        ];
      expect(verdict([...some, ...extra])).toBeGreaterThanOrEqual(verdict(some));
    };
    fc.assert(fc.property(layers, layers, law), {
      numRuns: Number(process.env['WRIT_PROPERTY_RUNS'] ?? 10_000),
    });
  });
});
