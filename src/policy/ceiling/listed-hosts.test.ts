// Hosts that a sandbox may reach have to be listed by the operator: what a workflow says of itself lists none.
import canonicalize from 'canonicalize';
import { describe, expect, it } from 'vitest';
import { plainFacts } from '../../../test/policy/facts.js';
import type { Json } from '../../json.js';
import { buildSnapshot, decide, MODEL_TEXT, parseCeilingSpec } from '../index.js';

const RULES = `apiVersion: writ/v1
kind: Rules
rules:
  - { id: R-1, effect: allow, subject: "role:adjuster", domain: bank, action: function.invoke, resource: "tool::*" }
`;
const ROLES =
  'apiVersion: writ/v1\nkind: Roles\ndomain: bank\nmembers: { "role:adjuster": ["user:alice"] }\n';
const APPROVERS = 'apiVersion: writ/v1\nkind: Approvers\npeople: [{ id: "user:alice", keys: [] }]\n';

async function asked(
  layer: string,
  operator: Json,
  hosts: readonly string[],
  own: Json = {},
  sandbox: 'docker' | null = 'docker',
): Promise<string> {
  const ceiling = {
    apiVersion: 'writ/v1',
    kind: 'Ceiling',
    metadata: { name: 'bank', layer },
    spec: operator,
  };
  const snapshot = await buildSnapshot({
    files: new Map([
      ['model.conf', MODEL_TEXT],
      ['rbac/r.yaml', RULES],
      ['roles/bank.yaml', ROLES],
      ['ceilings/bank.yaml', JSON.stringify(ceiling)],
      ['approvers.yaml', APPROVERS],
    ]),
    canonicalize: (value: Json) => canonicalize(value) ?? '',
  });
  const { verdict, effective } = decide(snapshot, {
    nowMs: 1_800_000_000_000,
    initiator: 'user:alice',
    agent: null,
    domain: 'bank',
    action: 'function.invoke',
    resource: 'tool::shell_exec',
    layers: [{ layer: 'workflow', name: 'w', spec: parseCeilingSpec(own, 'w') }],
    facts: plainFacts('tool::shell_exec', { sandbox, network: hosts }),
    approval: null,
  });
  return `${verdict} ${effective.network ?? '-'}`;
}

const allowing = (...allow: string[]): Json => ({ network: { mode: 'allowlist', allow } });

describe('hosts that a sandbox asks for', () => {
  it.each(['org', 'environment', 'tenant'])('are listed by a ceiling of the %s', async (layer) => {
    expect(await asked(layer, allowing('*.test:*', '10.1.2.3:443', '[::1]:*'), ['api.test:443'])).toBe(
      'allow listed',
    );
    expect(await asked(layer, allowing('10.1.2.3:443'), ['10.1.2.3:443'])).toBe('allow listed');
    expect(await asked(layer, allowing('[::1]:*'), ['[::1]:80'])).toBe('allow listed');
  });

  it.each<[Json, string[]]>([
    [{}, ['api.test:443']],
    [{ network: { mode: 'open' } }, ['api.test:443']],
  ])('are not listed by %j: %j', async (operator, hosts) => {
    expect(await asked('org', operator, hosts)).toBe('allow unlisted');
  });

  it('are not listed by the workflow that asks for them', async () => {
    expect(await asked('org', {}, ['api.test:443'], allowing('api.test:443'))).toBe('allow unlisted');
  });

  it('are denied where one layer does not hold them', async () => {
    expect(await asked('org', allowing('api.test:443'), ['api.test:443', 'api.test:80'])).toMatch(/^deny /);
    expect(await asked('org', { network: { mode: 'none' } }, ['api.test:443'])).toMatch(/^deny /);
  });

  it('are no question outside a sandbox, or where none is asked for', async () => {
    expect(await asked('org', {}, ['api.test:443'], {}, null)).toBe('allow -');
    expect(await asked('org', {}, [])).toBe('allow -');
  });
});
