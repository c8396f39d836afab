// What ceilings permit at the borders of each field; the laws of their meet are test/property/ceiling-laws.test.ts.
import { describe, expect, it } from 'vitest';
import { plainFacts } from '../../../test/policy/facts.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { checkCeilingSpec, parseCeilingSpec } from './spec.js';
import { composeCeilings } from './meet.js';
import type { Ceiling } from './ceiling.js';
import type { CeilingRequest } from './facts.js';
import { effectiveLimits } from './amounts.js';
import { emptyFields, permits } from './permits.js';
import { widenings } from './widening.js';

const parse = (spec: Json): Ceiling => parseCeilingSpec(spec, 'test');
const meet = (...all: readonly Ceiling[]): Ceiling => composeCeilings(all.map((spec) => ({ spec })));
const DIGEST = `sha256:${'0'.repeat(64)}`;

const base: CeilingRequest = {
  nowMs: Date.parse('2026-06-01T00:00:00Z'),
  action: 'function.invoke',
  resource: 'tool::wasm',
  facts: plainFacts('tool::wasm', { sandbox: 'wasm' }),
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
    expect(fit({ sandbox: { require: ['nonRoot'] } }, { sandbox: null }).ok).toBe(false);
  });

  it('a step without a sandbox fits where `none` is named, in every layer that names anything', () => {
    const models = parse({ sandbox: { allowed: ['docker', 'none'], require: ['runtime:runsc'] } });
    const outside = { ...base, facts: { ...base.facts, sandbox: null } };
    expect(permits(models, outside).ok).toBe(true);
    expect(permits(models, base).violations[0]?.field).toBe('sandbox.allowed');
    expect(permits(meet(models, parse({ limits: { timeoutMs: 100 } })), outside).ok).toBe(true);
    for (const sandbox of [{ require: ['nonRoot'] }, { allowed: ['wasm', 'docker'] }, { allowed: [] }]) {
      expect(permits(meet(models, parse({ sandbox })), outside).ok).toBe(false);
    }
  });

  it('what is required of a sandbox adds no word that nobody wrote: locks and runs of before keep their hash', () => {
    expect(parse({ sandbox: { require: ['nonRoot'] } }).sandbox).toEqual({
      allowed: null,
      require: ['nonRoot'],
    });
    const required = parse({ sandbox: { require: ['nonRoot'] } });
    const docker = parse({ sandbox: { allowed: ['docker'] } });
    expect(widenings(required, docker)).toEqual([]);
    expect(meet(required, docker).sandbox).toEqual({ allowed: ['docker'], require: ['nonRoot'] });
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

  it('a validity of one second is one, and one that ends as it begins is refused', () => {
    const from = (notBefore: string) =>
      checkCeilingSpec({ validity: { notBefore, notAfter: '2026-01-01T00:00:01Z' } }).ok;
    expect(from('2026-01-01T00:00:00Z')).toBe(true);
    expect(from('2026-01-01T00:00:01Z')).toBe(false);
    expect(from('2026-01-01T00:00:02Z')).toBe(false);
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
