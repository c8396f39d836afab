// `writ/policy` of the built package, as a program imports it: load, decide, compose, permit.
import { execa } from 'execa';
import { cpSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const DIGEST = `sha256:${'a'.repeat(64)}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-policy-'));
  cpSync(join(REPOSITORY, 'policies'), join(folder, 'policies'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a program prints as JSON; the policies are `policies` beside it. */
async function says(program: string): Promise<unknown> {
  const source = `import { loadPolicies, decide, composeCeilings, permits } from 'writ/policy';
const print = (value) => process.stdout.write(JSON.stringify(value));
const failure = (act) => { try { return act(); } catch ({ code, message }) { return { code, message }; } };
${program}`;
  // The package resolves its own name from its own folder.
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', source], {
    cwd: REPOSITORY,
    env: { POLICIES: join(folder, 'policies'), FOLDER: folder },
  });
  return JSON.parse(stdout) as unknown;
}

describe('writ/policy', () => {
  it('loads a directory and decides what people ask in plain words', async () => {
    const found = await says(`
      const snapshot = await loadPolicies(process.env.POLICIES);
      const ask = (initiator, action, resource, more = {}) => {
        const { verdict, code, rbac } = decide(snapshot, { initiator, domain: 'default', action, resource, ...more });
        return [verdict, code, rbac[0]?.ruleId ?? null];
      };
      const wasm = { sandbox: 'wasm', agent: 'agent:claims-triage' };
      print([
        ask('user:alice', 'workflow.run', 'claims-review'),
        ask('user:bob', 'workflow.run', 'claims-review'),
        ask('user:alice', 'agent.invoke', 'ghcr.io/bank/claims-triage@${DIGEST}', wasm),
        ask('user:alice', 'agent.invoke', 'ghcr.io/bank/human-review-assistant@${DIGEST}', wasm),
        ask('user:alice', 'function.invoke', 'tool::wasm', { ...wasm, network: ['a.example:443'] }),
        ask('user:alice', 'function.invoke', 'tool::raw_x', wasm),
      ]);`);
    expect(found).toEqual([
      ['allow', null, 'CL-001'],
      ['deny', 'POLICY_NO_MATCH', null],
      ['allow', null, 'CL-010'],
      ['needs_approval', null, 'CL-010'],
      ['deny', 'CEILING_NETWORK', 'CL-012'],
      ['deny', 'POLICY_DENY_RULE', 'CL-900'],
    ]);
  });

  it('denies what it does not understand, whatever it is given, and never throws', async () => {
    const found = await says(`
      const snapshot = await loadPolicies(process.env.POLICIES);
      const good = { initiator: 'user:alice', domain: 'default', action: 'workflow.run', resource: 'claims-review' };
      print([
        null, undefined, 7, 'x', [], {}, { ...good, sandboxx: 'wasm' }, { ...good, initiator: ['user:alice'] },
        { ...good, initiator: 'role:admin' }, { ...good, action: '' }, { ...good, resource: new String('claims-review') },
        { ...good, layers: [{ layer: 'workflow', name: 'w', spec: { networks: {} } }] },
        { ...good, initiator: 'user:al\\u200bice' },
      ].map((request) => decide(snapshot, request).verdict + ' ' + decide(snapshot, request).code));`);
    expect(found).toEqual(Array.from({ length: 13 }, () => 'deny POLICY_REQUEST_INVALID'));
  });

  it('composes ceilings by narrowing, from specs and layers, and says which field refuses', async () => {
    const found = await says(`
      const org = { layer: 'org', name: 'org', spec: { functions: { allow: ['tool::*'] }, limits: { timeoutMs: 1000 } } };
      const team = { functions: { allow: ['*::wasm'], deny: ['tool::raw_*'] }, limits: { timeoutMs: 500 } };
      const both = composeCeilings([org, team, {}, { layer: 'agent', name: '', spec: null }]);
      const ask = (resource, timeoutMs) =>
        permits(both, { action: 'function.invoke', resource, limits: { timeoutMs } }).violations.map(({ field }) => field);
      print([
        ask('tool::wasm', 500), ask('tool::wasm', 501), ask('tool::shell', 1), ask('agent::wasm', 1),
        failure(() => composeCeilings([{ function: {} }])),
        failure(() => composeCeilings([{ network: null }])).code,
        failure(() => permits(both, { action: 'function.invoke', resource: 'tool::wasm', colour: 'red' })).code,
        JSON.stringify(composeCeilings([team, org])) === JSON.stringify(both),
      ]);`);
    expect(found).toMatchObject([
      [],
      ['limits.timeoutMs'],
      ['functions.allow'],
      ['functions.allow'],
      { code: 'POLICY_INVALID' },
      'POLICY_INVALID',
      'POLICY_REQUEST_INVALID',
      true,
    ]);
  });

  it('refuses directories that are missing, empty, half-written or writable by everybody', async () => {
    const half = join(folder, 'half');
    cpSync(join(folder, 'policies'), half, { recursive: true });
    writeFileSync(
      join(half, 'rbac', 'claims.yaml'),
      'apiVersion: writ/v1\nkind: Rules\nrules:\n  - id: CL-0',
    );
    const open = join(folder, 'open');
    cpSync(join(folder, 'policies'), open, { recursive: true });
    chmodSync(join(open, 'rbac', 'claims.yaml'), 0o666);
    const openFolder = join(folder, 'open-folder');
    cpSync(join(folder, 'policies'), openFolder, { recursive: true });
    chmodSync(join(openFolder, 'rbac'), 0o777);
    const empty = mkdtempSync(join(folder, 'empty-'));
    const found = await says(`
      const tries = [];
      for (const directory of ${JSON.stringify([join(folder, 'none'), empty, half, open, openFolder])}) {
        tries.push(await loadPolicies(directory).then(() => 'loaded', ({ code, message }) => code + ' ' + message));
      }
      print(tries);`);
    expect(found).toEqual([
      expect.stringMatching(/^POLICY_INVALID policy directory .*none does not exist/u),
      expect.stringMatching(/^POLICY_INVALID .*model\.conf:1:1: file is missing/u),
      expect.stringMatching(/^POLICY_INVALID .*half\/rbac\/claims\.yaml:4/u),
      expect.stringMatching(/^POLICY_INVALID .*rbac\/claims\.yaml: everybody on this machine may write/u),
      expect.stringMatching(/^POLICY_INVALID .*rbac: everybody on this machine may write/u),
    ]);
  });
});
