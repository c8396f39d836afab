// Whoever writes policies is told of every fault at once, each at its place, with what was probably meant.
import { describe, expect, it } from 'vitest';
import { PEOPLE, refusal, ROLES, RULES } from '../../test/policy/claims-policies.js';
import type { PolicyDiagnostic } from './index.js';

async function told(changes: Readonly<Record<string, string | null>>): Promise<readonly string[]> {
  const { details } = await refusal(changes);
  const diagnostics = details?.['diagnostics'] as readonly PolicyDiagnostic[];
  return diagnostics.map(
    ({ file, line, column, message, hint }) =>
      `${file}:${line}:${column} ${message}${hint === undefined ? '' : ` | ${hint}`}`,
  );
}
const rule = (id: string, change: Readonly<Record<string, string>> = {}): string => {
  const fields = {
    ...{ effect: 'allow', subject: '"role:adjuster"', domain: 'bank', action: 'function.invoke' },
    ...{ resource: '"tool::x"', ...change },
  };
  return `  - { id: ${id}, ${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')} }\n`;
};
const ceiling = (...lines: readonly string[]): string =>
  `apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: x, layer: org }\nspec:\n${lines.map((line) => `  ${line}\n`).join('')}`;

describe('faults of policies', () => {
  it('are told of every file and every row, whatever is wrong with others', async () => {
    const found = await told({
      'rbac/claims.yaml':
        RULES +
        rule('R-3', { effect: 'Allow' }) +
        rule('R-4', { action: 'funtion.invoke', domain: 'bnak' }) +
        rule('R-1') +
        rule('R-6', { subject: '"role:ajuster"', resource: '"a b"' }),
      'rbac/other.yaml': RULES.replaceAll('R-', 'O-').replace('reason', '').replace('effect:', 'efect:'),
      'ceilings/x.yaml': ceiling('functoins: {}', 'network: { mode: allowlist }', 'clamp: [timeoutMs]'),
    });
    expect(found).toEqual([
      'ceilings/x.yaml:5:3 unknown field "functoins" | did you mean "functions"?',
      'ceilings/x.yaml:6:12 mode allowlist needs allow | list the hosts, or use mode none',
      'ceilings/x.yaml:7:11 clamps timeoutMs, which has no value in limits',
      'rbac/claims.yaml:6:24 "effect" must be exactly one of allow, deny, not "Allow" | did you mean "allow"?',
      'rbac/claims.yaml:7:65 unknown domain "bnak" | did you mean "bank"?',
      'rbac/claims.yaml:7:79 unknown action "funtion.invoke" | did you mean "function.invoke"?',
      'rbac/claims.yaml:8:11 duplicate rule id R-1, first in rbac/claims.yaml:4',
      'rbac/claims.yaml:9:40 unknown role "role:ajuster" in domain bank | did you mean "role:adjuster"?',
      expect.stringMatching(/^rbac\/claims\.yaml:9:\d+ rule R-6 can never match/),
      'rbac/other.yaml:4:5 field "effect" is missing',
      'rbac/other.yaml:4:16 unknown field "efect" | did you mean "effect"?',
    ]);
  });

  it('are told of approvers and roles the same way', async () => {
    const people = `${PEOPLE}grants: [{ id: g, functions: ["*"], subjects: ["role:reviwer"], domains: [bank], notBefore: "2026-01-01T00:00:00Z", notAfter: "2026-03-01T00:00:00Z", reason: x }]
delegations: [{ from: "user:zed", to: "user:zed", scope: { roles: ["role:lead"], domains: [bank] }, notAfter: "2026-02-30T00:00:00Z" }]
`;
    expect(await told({ 'approvers.yaml': people })).toEqual([
      expect.stringContaining('6:31 a grant names functions'),
      expect.stringContaining('unknown role "role:reviwer" | did you mean "role:reviewer"?'),
      expect.stringContaining('a grant holds for up to 30 days, this one for 59'),
      expect.stringContaining('7:23 user:zed is none of the people of this file'),
      expect.stringContaining('7:39 user:zed is none of the people of this file'),
      expect.stringContaining('7:39 nobody delegates to themselves'),
      expect.stringContaining('there is no time 2026-02-30T00:00:00Z'),
    ]);
    const roles = ROLES.replace('["role:adjuster"]', '["role:adjutser"]');
    expect(await told({ 'roles/bank.yaml': roles })).toEqual([
      expect.stringContaining('unknown role "role:adjutser" | did you mean "role:adjuster"?'),
    ]);
  });

  it('leave out what only follows: of files that everything refers to, and of text that is no YAML', async () => {
    expect(await told({ 'roles/bank.yaml': null })).toEqual([
      'roles:1:1 no domains: there is no *.yaml file in roles/ | add roles/NAME.yaml',
    ]);
    const broken = await told({
      'roles/bank.yaml': 'kind: Roles\n',
      'rbac/claims.yaml': RULES + rule('R-1'),
    });
    expect(broken.every((one) => one.startsWith('roles/bank.yaml:1:1 field '))).toBe(true);
    const tab = RULES.replace('rules:\n', 'rules:\n  - id: A\n\teffect: allow\n');
    expect(await told({ 'rbac/claims.yaml': tab })).toEqual([
      'rbac/claims.yaml:5:1 Tabs are not allowed as indentation',
    ]);
    const twice = `${ROLES}domain: other\n"kind": Roles\n'inherits': {}\n`;
    expect(await told({ 'roles/bank.yaml': twice })).toEqual([
      'roles/bank.yaml:6:1 "domain" is given twice',
      'roles/bank.yaml:7:1 "kind" is given twice',
      'roles/bank.yaml:8:1 "inherits" is given twice',
    ]);
    const role = `${ROLES.split('members')[0]}members:\n  role:x: []\n  role:x: []\n`;
    expect(await told({ 'roles/bank.yaml': role })).toEqual(['roles/bank.yaml:6:3 "role:x" is given twice']);
  });

  it('say how a value is written, and that only line ends differ', async () => {
    const found = await told({
      'ceilings/x.yaml': ceiling('budget: { usd: 20 }', 'agents: { requireDigest: yes }'),
      'model.conf': (await import('./index.js')).MODEL_TEXT.replaceAll('\n', '\r\n'),
    });
    expect(found).toEqual([
      'ceilings/x.yaml:5:18 "usd" must be of type string, not 20 | write it in quotes: "20"',
      'ceilings/x.yaml:6:28 "requireDigest" must be of type boolean, not "yes" | write true or false',
      'model.conf:1:1 the model is frozen and this file differs from it | only its line ends differ: save it with LF in place of CR LF',
    ]);
  });

  it('are bounded: a directory with very many says the first two hundred', async () => {
    const many = Array.from({ length: 5000 }, (_, at) => rule(`R-${at + 10}`, { subject: '"role:ajuster"' }));
    expect(await told({ 'rbac/claims.yaml': RULES + many.join('') })).toHaveLength(200);
    const shapes = Array.from({ length: 5000 }, (_, at) => rule(`R-${at + 10}`, { effect: 'Allow' }));
    expect(await told({ 'rbac/claims.yaml': RULES + shapes.join('') })).toHaveLength(200);
  });
});
