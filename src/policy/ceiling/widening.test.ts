import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { NO_CEILING } from './ceiling.js';
import { parseCeilingSpec } from './spec.js';
import { widenings } from './widening.js';

const parse = (spec: Json) => parseCeilingSpec(spec, 'test');
const wider = (own: Json, above: Json) => widenings(parse(own), parse(above), own).map(({ field }) => field);

describe('a ceiling under another one', () => {
  it.each<[string, Json, Json, Json]>([
    ['functions.allow', { functions: { allow: ['tool::*'] } }, ['tool::a', '*'], ['tool::b*', 'tool::a']],
    ['agents.allow', { agents: { allow: ['ghcr.io/bank/*'] } }, ['ghcr.io/*'], ['ghcr.io/bank/a*']],
  ])('is wider by a name of %s that no pattern above covers', (field, above, more, fewer) => {
    const [name = ''] = field.split('.');
    expect(new Set(wider({ [name]: { allow: more } }, above))).toEqual(new Set([field]));
    expect(wider({ [name]: { allow: fewer } }, above)).toEqual([]);
  });

  it.each<[string, Json, Json]>([
    ['limits.timeoutMs', { limits: { timeoutMs: 10 } }, { limits: { timeoutMs: 11 } }],
    ['limits.retries', { limits: { retries: 0 } }, { limits: { retries: 1 } }],
    ['limits.pids', { limits: { pids: 5 }, clamp: ['pids'] }, { limits: { pids: 6 } }],
    ['limits.egressBytes', { limits: { egressBytes: 5 } }, { limits: { egressBytes: 6 } }],
    [
      'limits.egressRequests',
      { limits: { egressRequests: 5 }, clamp: ['egressRequests'] },
      { limits: { egressRequests: 6 } },
    ],
    ['delegation.maxDepth', { delegation: { maxDepth: 0 } }, { delegation: { maxDepth: 1 } }],
    ['budget.usd', { budget: { usd: '1.00' } }, { budget: { usd: '1.000001' } }],
    ['budget.perDay.calls', { budget: { perDay: { calls: 1 } } }, { budget: { perDay: { calls: 2 } } }],
    ['network.mode', { network: { mode: 'none' } }, { network: { mode: 'allowlist', allow: ['a.x:443'] } }],
    ['network.allow', { network: { allow: ['*.x:443'] } }, { network: { allow: ['*.x:*'] } }],
    ['network.allow', { network: { allow: ['*.x:443'] } }, { network: { allow: ['x:443'] } }],
    ['credentials.mode', { credentials: { mode: 'none' } }, { credentials: { mode: 'broker' } }],
    // The widest mode is what saying nothing comes to, and still more than is allowed where a document says it.
    ['network.mode', { network: { mode: 'none' } }, { network: { mode: 'open' } }],
    ['network.mode', { network: { mode: 'allowlist', allow: ['a.x:443'] } }, { network: { mode: 'open' } }],
    ['credentials.mode', { credentials: { mode: 'broker' } }, { credentials: { mode: 'inherit' } }],
    [
      'mounts.allow',
      { mounts: { allow: [{ path: '/data', mode: 'ro' }] } },
      { mounts: { allow: [{ path: '/data/x', mode: 'rw' }] } },
    ],
    [
      'mounts.allow',
      { mounts: { allow: [{ path: '/data', mode: 'rw' }] } },
      { mounts: { allow: [{ path: '/database', mode: 'ro' }] } },
    ],
    ['sandbox.allowed', { sandbox: { allowed: ['wasm'] } }, { sandbox: { allowed: ['wasm', 'docker'] } }],
    ['data.labelsAllowed', { data: { labelsAllowed: ['pii'] } }, { data: { labelsAllowed: ['phi'] } }],
    [
      'data.maxClassification',
      { data: { maxClassification: 'internal' } },
      { data: { maxClassification: 'confidential' } },
    ],
    [
      'validity.notAfter',
      { validity: { notAfter: '2026-01-01T00:00:00Z' } },
      { validity: { notAfter: '2026-01-01T00:00:01Z' } },
    ],
    [
      'validity.notBefore',
      { validity: { notBefore: '2026-01-01T00:00:00Z' } },
      { validity: { notBefore: '2025-12-31T23:59:59Z' } },
    ],
  ])('is wider by %s, and not when it says what is above it', (field, above, own) => {
    expect(wider(own, above)).toContain(field);
    expect(wider(above, above)).toEqual([]);
    expect(widenings(NO_CEILING, parse(above))).toEqual([]);
    expect(widenings(parse(own), NO_CEILING)).toEqual([]);
  });

  it('is not wider by a mode that it leaves out', () => {
    const above = { network: { mode: 'none' }, credentials: { mode: 'none' } };
    expect(wider({ network: { deny: ['a.x:443'] }, credentials: {} }, above)).toEqual([]);
  });

  it('is not wider by what adds up: denials, approvals, rates and requirements', () => {
    const own: Json = {
      functions: { deny: ['tool::x'] },
      approval: { minimum: 'async' },
      rates: [{ match: '*', count: 1000, perSeconds: 1 }],
      sandbox: { require: ['nonRoot'] },
      audit: { required: 'none' },
    };
    const above: Json = {
      functions: { deny: ['tool::y'] },
      approval: { minimum: 'two-person' },
      rates: [{ match: '*', count: 1, perSeconds: 1 }],
      audit: { required: 'anchored' },
    };
    expect(wider(own, above)).toEqual([]);
  });
});
