// A role that nobody defined is a misspelling, wherever people who decide are named.
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { buildSnapshot, MODEL_TEXT } from '../index.js';

const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });
const RULE = { id: 'R-1', effect: 'allow', subject: 'role:r', domain: 'd', action: 'function.invoke' };

async function problemsOf(approvers: object, ceiling: object = {}): Promise<readonly string[]> {
  const people = ['user:bo', 'user:ca'].map((id) => ({ id, keys: [] }));
  const documents: readonly (readonly [string, object])[] = [
    ['rbac/r.yaml', { ...header('Rules'), rules: [{ ...RULE, resource: 'tool::x' }] }],
    ['roles/r.yaml', { ...header('Roles'), domain: 'd', members: { 'role:r': ['user:bo', 'user:ca'] } }],
    ['approvers.yaml', { ...header('Approvers'), people, ...approvers }],
    ['ceilings/c.yaml', { ...header('Ceiling'), metadata: { name: 'c', layer: 'org' }, spec: ceiling }],
  ];
  const files = new Map(documents.map(([file, document]) => [file, JSON.stringify(document)]));
  try {
    await buildSnapshot({
      files: files.set('model.conf', MODEL_TEXT),
      canonicalize: (value: Json) => canonicalize(value) ?? '',
    });
    return [];
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    const { diagnostics } = error.details as { diagnostics: { file: string; message: string }[] };
    return diagnostics.map(({ file, message }) => `${file} ${message}`);
  }
}

const delegation = (roles: string, domains: string) => ({
  ...{ from: 'user:bo', to: 'user:ca', notAfter: '2027-01-01T00:00:00Z' },
  scope: { roles: [roles], domains: [domains] },
});
const grant = (subject: string, domain: string) => ({
  ...{ id: 'g', functions: ['tool::x'], subjects: [subject], domains: [domain], reason: 'x' },
  ...{ notBefore: '2026-11-01T00:00:00Z', notAfter: '2026-11-20T00:00:00Z' },
});
const escalating = (field: string, role: string) => ({
  approval: {
    rules: [
      {
        ...{ match: {}, minimum: 'sync', approverRoles: ['role:r'] },
        escalation: [{ afterSeconds: 5, [field]: [role] }],
      },
    ],
  },
});

describe('a role that roles/*.yaml does not define', () => {
  const ROLE = 'approvers.yaml unknown role "role:nope"';
  it.each<[string, object, readonly string[]]>([
    ['the role of a delegation', { delegations: [delegation('role:nope', 'd')] }, [ROLE]],
    ['the role of an emergency', { breakGlass: { role: 'role:nope', reviewWithinHours: 2 } }, [ROLE]],
    ['the role of a standing approval', { grants: [grant('role:nope', 'd')] }, [ROLE]],
  ])('is refused as %s', async (_, approvers, problems) => {
    expect([...(await problemsOf(approvers))].sort()).toEqual(problems);
  });

  it.each(['addRoles', 'notifyRoles'])('is refused in %s of an escalation', async (field) => {
    const found = await problemsOf({}, escalating(field, 'role:nope'));
    expect(found).toEqual(['ceilings/c.yaml unknown role "role:nope"']);
    expect(await problemsOf({}, escalating(field, 'role:r'))).toEqual([]);
  });

  it("is none where it is defined, or everybody, also for a domain that is another machine's", async () => {
    const approvers = {
      delegations: [delegation('role:r', 'elsewhere')],
      breakGlass: { role: 'role:r', reviewWithinHours: 2 },
      grants: [grant('role:any', 'd')],
    };
    expect(await problemsOf(approvers)).toEqual([]);
  });
});
