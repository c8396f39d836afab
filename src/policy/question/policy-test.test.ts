// A policy test proves something about the policies, or it fails: what nobody can ask is denied by any of them.
import canonicalize from 'canonicalize';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { buildSnapshot, MODEL_TEXT, runPolicyTests } from '../index.js';
import type { PolicyCase, PolicySnapshot } from '../index.js';

const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });
const rule = { id: 'R-1', effect: 'allow', subject: 'role:a', domain: 'bank', action: 'function.invoke' };
const REVIEW = { match: { functions: ['tool::x'] }, minimum: 'sync', separationOfDuties: false };
const DECIDE = { id: 'R-2', subject: 'user:b', action: 'approval.decide', resource: 'tool::x' };
const ASKED = { initiator: 'user:a', domain: 'bank', action: 'function.invoke', resource: 'tool::y' };

let snapshot: PolicySnapshot;
beforeAll(async () => {
  snapshot = await buildSnapshot({
    files: new Map([
      ['model.conf', MODEL_TEXT],
      [
        'rbac/r.yaml',
        JSON.stringify({
          ...header('Rules'),
          rules: [
            { ...rule, resource: 'tool::x' },
            { ...rule, ...DECIDE },
          ],
        }),
      ],
      [
        'ceilings/c.yaml',
        JSON.stringify({
          ...header('Ceiling'),
          ...{ metadata: { name: 'c', layer: 'org' }, spec: { approval: { rules: [REVIEW] } } },
        }),
      ],
      ['approvers.yaml', JSON.stringify({ ...header('Approvers'), people: [{ id: 'user:b', keys: [] }] })],
      [
        'roles/r.yaml',
        JSON.stringify({ ...header('Roles'), domain: 'bank', members: { 'role:a': ['user:a'] } }),
      ],
    ]),
    canonicalize: (value: Json) => canonicalize(value) ?? '',
  });
});

function resultOf(change: object, by: string | null = null, expect: PolicyCase['expect'] = 'deny') {
  const request = { ...ASKED, ...change };
  const one: PolicyCase = { file: 'tests/t.yaml', line: 1, name: 't', request, expect, by };
  return runPolicyTests(snapshot, [one], 0).cases[0];
}

describe('a policy test that expects a deny', () => {
  it('passes where the policies say no', () => {
    expect(resultOf({})).toMatchObject({ ok: true, verdict: 'deny' });
  });

  it.each<[string, object]>([
    ['an action', { action: 'function.invok' }],
    ['a domain', { domain: 'bnak' }],
    ['a person', { initiator: 'alice' }],
    ['a function', { resource: 'tool:x' }],
    ['a host', { network: ['Api.example:443'] }],
    ['a limit', { limits: { timeoutMS: 1 } }],
    ['a time', { at: '2026-02-30T00:00:00Z' }],
  ])('fails where it misspells %s: no policy was asked', (_, change) => {
    expect(resultOf(change)).toMatchObject({
      ok: false,
      verdict: 'deny',
      decidedBy: ['POLICY_REQUEST_INVALID'],
    });
  });

  it('passes where it says that nobody can ask that', () => {
    expect(resultOf({ domain: 'bnak' }, 'POLICY_REQUEST_INVALID')?.ok).toBe(true);
    expect(resultOf({}, 'POLICY_REQUEST_INVALID')?.ok).toBe(false);
  });
});

describe('a policy test that expects an approval', () => {
  const asked = { resource: 'tool::x' };

  it('may say which ceiling asks for it', () => {
    expect(resultOf(asked, 'c:approval', 'needs_approval')).toMatchObject({
      ...{ ok: true, decidedBy: ['R-1', 'c:approval'] },
    });
    expect(resultOf(asked, 'other:approval', 'needs_approval')?.ok).toBe(false);
    expect(resultOf({}, 'c:approval')?.ok).toBe(false);
  });
});
