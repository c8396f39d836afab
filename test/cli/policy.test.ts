// `writ policy` as its users meet it: verdicts, reasons, tests, lint, diff, locks, and their exit codes.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hosted, newPlace, type Place } from './writ.js';

const SHIPPED = fileURLToPath(new URL('../../policies', import.meta.url));
const DIGEST = `sha256:${'a'.repeat(64)}`;
const TRIAGE = `ghcr.io/bank/claims-triage@${DIGEST}`;

let place: Place;
beforeAll(() => {
  place = newPlace(hosted);
});
afterAll(() => rmSync(place.folder, { recursive: true, force: true }));
beforeEach(() => {
  for (const name of ['policies', 'changed']) {
    rmSync(join(place.folder, name), { recursive: true, force: true });
    cpSync(SHIPPED, join(place.folder, name), { recursive: true });
  }
});

function edit(file: string, change: (text: string) => string): void {
  const path = join(place.folder, file);
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

const errorOf = (value: unknown) => (value as { error: { code: string; message: string } }).error;

describe('writ policy check', () => {
  it('says yes with the rule, exit 0, and no with what would change it, exit 3', async () => {
    const yes = await place.run(['policy', 'check', 'user:alice', 'workflow.run', 'claims-review']);
    expect(yes).toMatchObject({ code: 0, stderr: '' });
    expect(yes.stdout).toMatch(/^allow {2}rule CL-001 \(rbac\/claims\.yaml:\d+\) allows user:alice/u);
    const no = await place.run(['policy', 'check', 'user:bob', 'workflow.run', 'claims-review']);
    expect(no).toMatchObject({ code: 3, stderr: '' });
    expect(no.stdout).toContain('POLICY_NO_MATCH');
    expect(no.stdout).toContain('add user:bob to role:adjuster in roles of domain default');
  });

  it('judges the labels and the classification that a question says its data carries', async () => {
    edit('policies/ceilings/org.yaml', (text) =>
      text.replace('spec:\n', 'spec:\n  data: { labelsAllowed: [pii], maxClassification: internal }\n'),
    );
    const check = (...flags: readonly string[]) =>
      place.run([
        'policy',
        'check',
        'user:alice',
        'function.invoke',
        'tool::wasm',
        '--sandbox',
        'wasm',
        ...flags,
      ]);
    const internal = ['--classification', 'internal'];
    expect((await check('--label', 'pii', ...internal)).code).toBe(0);
    expect((await check('--unlabelled', ...internal)).code).toBe(0);
    const unknown = await check();
    expect(unknown).toMatchObject({ code: 3 });
    expect(unknown.stdout).toContain(
      'data.labelsAllowed is pii, the request asks for labels that are not known',
    );
    const above = await check('--label', 'pii', '--classification', 'restricted');
    expect(above.stdout).toContain('data.maxClassification is internal, the request asks for restricted');
    expect((await check('--label', 'phi', ...internal)).code).toBe(3);
    expect((await check('--classification', 'secret')).code).toBe(2);
  });

  it('prints one value under --json, for a denial too', async () => {
    const asked = ['policy', 'check', 'user:alice', 'agent.invoke', TRIAGE, '--agent', 'claims-triage'];
    const yes = await place.json(asked);
    expect(yes.code).toBe(0);
    expect(yes.value).toMatchObject({
      verdict: 'allow',
      ruleId: 'CL-010',
      rules: [
        { subject: 'user:alice', rolePath: ['user:alice', 'role:adjuster'], file: 'rbac/claims.yaml' },
        { subject: 'agent:claims-triage', ruleId: 'CL-011' },
      ],
      layers: [{ layer: 'org', ok: true }, { layer: 'environment', hash: null }, { layer: 'tenant' }],
    });
    const no = await place.json([...asked, '--network', 'api.example:443']);
    expect(no).toMatchObject({ code: 3, stderr: '' });
    expect(no.value).toMatchObject({
      verdict: 'deny',
      code: 'CEILING_NETWORK',
      layers: [
        { layer: 'org', ok: false, field: 'network.mode', limit: 'none', requested: 'api.example:443' },
        {},
        {},
      ],
    });
  });

  it('counts the time that a step asks for which names none, and says so', async () => {
    const words = ['policy', 'check', 'user:alice', 'function.invoke', 'tool::wasm'];
    edit('policies/ceilings/org.yaml', (text) => text.replace('timeoutMs: 300000', 'timeoutMs: 60000'));
    const { code, value } = await place.json(words);
    const { assumed } = value as { assumed: readonly string[] };
    expect([code, (value as { code: string }).code]).toEqual([3, 'CEILING_LIMITS']);
    expect(assumed).toContain('timeout 120000 ms, of a step that names none (--timeout-ms)');
    const named = await place.json([...words, '--timeout-ms', '60000']);
    expect((named.value as { assumed: readonly string[] }).assumed.join()).not.toContain('timeout');
    expect(named.code).toBe(0);
  });

  it('asks about the sandbox that it would run in, not about one that happens to be allowed', async () => {
    edit('policies/ceilings/org.yaml', (text) =>
      text.replace('allowed: [wasm, docker]', 'allowed: [docker]'),
    );
    const module = await place.run(['policy', 'check', 'user:alice', 'function.invoke', 'tool::wasm']);
    expect(module).toMatchObject({ code: 3 });
    expect(module.stdout).toContain('sandbox.allowed is docker, the request asks for wasm');
    edit('policies/rbac/claims.yaml', (text) =>
      text.replace('resource: tool::wasm', 'resource: agent::chat'),
    );
    const chat = await place.run(['policy', 'check', 'user:alice', 'function.invoke', 'agent::chat']);
    expect(chat).toMatchObject({ code: 3 });
    expect(chat.stdout).toContain('the request asks for no sandbox');
  });

  it('asks about mounts, and says of a time at which a ceiling does not hold what to do about it', async () => {
    edit('policies/ceilings/org.yaml', (text) =>
      text.replace(
        'spec:',
        "spec:\n  mounts: { allow: [{ path: /data/vendor, mode: ro }] }\n  validity: { notAfter: '2040-01-01T00:00:00Z' }",
      ),
    );
    const asked = (...more: readonly string[]) =>
      place.run(['policy', 'check', 'user:alice', 'function.invoke', 'tool::wasm', ...more]);
    expect((await asked('--mount', '/data/vendor/in:ro')).code).toBe(0);
    for (const mount of ['/data/vendor:rw', '/data/vendors:ro', '/data:ro']) {
      const { code, stdout } = await asked('--mount', '/data/vendor:ro', '--mount', mount);
      expect([code, stdout], mount).toEqual([3, expect.stringContaining('mounts.allow')]);
    }
    const wrong = await asked('--mount', '/data/vendor');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('PATH:ro or PATH:rw')]);
    const late = await asked('--at', '2040-01-01T00:00:01Z');
    expect([late.code, late.stdout]).toEqual([3, expect.stringMatching(/^hint {4}.*let it hold longer/mu)]);
  });

  it('says which action or domain was meant where one is misspelt, else which there are', async () => {
    const asked = async (action: string, ...more: readonly string[]) =>
      (await place.run(['policy', 'check', 'user:alice', action, 'claims-x', ...more])).stdout;
    expect(await asked('function.invok')).toMatch(/^hint {4}did you mean "function\.invoke"\?$/mu);
    expect(await asked('dance')).toMatch(/^hint {4}actions are .*function\.invoke/mu);
    const meant = await asked('workflow.run', '--domain', 'defualt');
    expect(meant).toMatch(/^hint {4}did you mean "default"\?$/mu);
    const other = await asked('workflow.run', '--domain', 'elsewhere');
    expect(other).toMatch(/^hint {4}domains of roles\/\*\.yaml: default$/mu);
    const words = ['policy', 'check', 'user:alice', 'workflow.run', 'claims-x'];
    const late = await place.run([...words, '--timeout-ms', 'soon']);
    expect([late.code, late.stderr]).toEqual([2, expect.stringContaining('--timeout-ms is "soon"')]);
  });

  it('says that a person has to approve, exit 0', async () => {
    const review = `ghcr.io/bank/human-review-assistant@${DIGEST}`;
    const { code, stdout } = await place.run(['policy', 'check', 'user:alice', 'agent.invoke', review]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^needs approval {2}needs sync approval: ceiling org-default/u);
  });

  it.each([
    ['role:admin', 'policy.edit', 'x'],
    ['user:alice', 'workflow.rum', 'claims-review'],
    ['user:al\u200bice', 'workflow.run', 'claims-review'],
    ['alice', 'workflow.run', 'claims-review'],
    ['', '', ''],
    ['user:alice', 'workflow.run', 'x'.repeat(100_000)],
  ])('denies a question that is none (%#)', async (...words) => {
    const { code, value } = await place.json(['policy', 'check', ...words]);
    expect(code).toBe(3);
    expect(value).toMatchObject({ verdict: 'deny', code: 'POLICY_REQUEST_INVALID' });
  });

  it('refuses a subject of look-alike letters, and shows what it is made of', async () => {
    // The second letter is Cyrillic.
    const { code, value } = await place.json([
      'policy',
      'check',
      'user:аlice',
      'workflow.run',
      'claims-review',
    ]);
    expect([code, (value as { code: string }).code]).toEqual([3, 'POLICY_REQUEST_INVALID']);
    expect(JSON.stringify(value)).toContain('u{430}lice');
  });

  it('decides nothing under policies with a problem, exit 2, and names the line', async () => {
    edit('policies/rbac/claims.yaml', (text) => text.replace('effect: allow', 'effect: Allow'));
    const { code, value } = await place.json([
      'policy',
      'check',
      'user:alice',
      'workflow.run',
      'claims-review',
    ]);
    expect([code, errorOf(value).code]).toEqual([2, 'POLICY_INVALID']);
    expect(errorOf(value).message).toMatch(
      /rbac\/claims\.yaml:7:\d+: "effect" must be exactly one of allow, deny/u,
    );
  });
});

describe('writ policy explain', () => {
  it('tells a question that is not whole as far as it goes, and takes half a request for no run', async () => {
    const half = await place.run(['policy', 'explain', JSON.stringify({ initiator: 'user:alice' })]);
    expect(half.code).toBe(3);
    expect(half.stdout).toContain('user:alice asks for no action on no resource in no domain\n');
    for (const words of [['user:alice'], ['user:alice', 'function.invoke']]) {
      const { code, value } = await place.json(['policy', 'explain', ...words]);
      expect([code, errorOf(value).code]).toEqual([2, 'USAGE']);
      expect(errorOf(value).message).toContain('a resource');
    }
  });

  it('tells rules, roles, every layer and the approval', async () => {
    const { code, stdout } = await place.run(['policy', 'explain', 'user:alice', 'agent.invoke', TRIAGE]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /allow {2}user:alice as user:alice > role:adjuster: rule CL-010 at policies\/rbac\/claims\.yaml:\d+/u,
    );
    expect(stdout).toMatch(/ok {4}org {9}org-default/u);
  });

  it('names the nearest rules, and by what they miss the question, where none matched', async () => {
    const { code, value } = await place.json(['policy', 'explain', 'user:alice', 'workflow.run', 'payments']);
    expect(code).toBe(3);
    expect(value).toMatchObject({
      nearest: [{ ruleId: 'CL-001', for: 'user:alice', differs: ['resource'] }],
    });
  });

  it('takes a whole question, from a file or as it is', async () => {
    const question = {
      initiator: 'user:alice',
      domain: 'default',
      action: 'function.invoke',
      resource: 'tool::wasm',
    };
    const file = join(place.folder, 'question.json');
    writeFileSync(file, JSON.stringify({ ...question, sandbox: 'wasm', limits: { timeoutMs: 300_001 } }));
    const denied = await place.json(['policy', 'explain', `@${file}`]);
    expect(denied.value).toMatchObject({ verdict: 'deny', code: 'CEILING_LIMITS' });
    const allowed = await place.json(['policy', 'explain', JSON.stringify({ ...question, sandbox: 'wasm' })]);
    expect(allowed.value).toMatchObject({ verdict: 'allow' });
    const unknown = await place.json([
      'policy',
      'explain',
      JSON.stringify({ ...question, sandboks: 'wasm' }),
    ]);
    expect(unknown.value).toMatchObject({ verdict: 'deny', code: 'POLICY_REQUEST_INVALID' });
  });
});

describe('writ policy test', () => {
  it('asks every cell of the shipped table, and every rule decides one', async () => {
    const { code, value } = await place.json(['policy', 'test', '--min-coverage', '100']);
    expect(code).toBe(0);
    expect(value).toMatchObject({ ok: true, coverage: { uncovered: [], percent: 100 } });
    expect((value as { cases: unknown[] }).cases.length).toBeGreaterThanOrEqual(132);
  });

  it('fails with exit 1 on a wrong verdict or another rule, and says where', async () => {
    edit('policies/tests/ceilings.yaml', (text) => text.replace('by: CL-011', 'by: CL-999'));
    edit('policies/roles/default.yaml', (text) => text.replace('[user:alice]', '[user:alice, user:bob]'));
    const { code, stdout } = await place.run(['policy', 'test']);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^failed policies\/tests\/roles\.yaml:\d+ {2}reviewer, workflow\.run on claims-review$/mu,
    );
    expect(stdout).toMatch(/^ {2}expected deny, got allow: /mu);
    expect(stdout).toMatch(/^ {2}expected it by CL-999, it was by CL-010, CL-011$/mu);
  });

  it('fails with exit 1 on a request that nobody can ask, and says how to go on', async () => {
    edit('policies/tests/ceilings.yaml', (text) =>
      text.replace(
        'action: function.invoke, resource: tool::wasm }',
        'action: function.invok, resource: tool::wasm }',
      ),
    );
    edit('policies/tests/ceilings.yaml', (text) => text.replace('by: org-default:sandbox', '# by'));
    const { code, stdout } = await place.run(['policy', 'test']);
    expect(code).toBe(1);
    expect(stdout).toContain('nobody can ask that, so it is denied whatever the policies say');
    expect(stdout).toContain('by: POLICY_REQUEST_INVALID');
  });

  it('fails with exit 1 without tests or under the coverage that is asked, and 2 for a broken file', async () => {
    edit('policies/tests/roles.yaml', (text) => text.slice(0, text.indexOf('  # workflow.run on payments')));
    const few = await place.json(['policy', 'test', '--min-coverage', '100']);
    expect([few.code, (few.value as { ok: boolean }).ok]).toEqual([1, false]);
    edit('policies/tests/roles.yaml', (text) => text.replace('expect: allow', 'expect: yes'));
    expect((await place.run(['policy', 'test'])).code).toBe(2);
    rmSync(join(place.folder, 'policies', 'tests'), { recursive: true });
    expect((await place.run(['policy', 'test'])).code).toBe(1);
  });
});

describe('writ policy lint', () => {
  it('finds no error in the shipped policies, and warns of approvers without a key', async () => {
    const { code, value } = await place.json(['policy', 'lint']);
    expect(code).toBe(0);
    const { findings } = value as { findings: { code: string; severity: string }[] };
    expect(findings.every(({ severity }) => severity === 'warning')).toBe(true);
    expect(findings.map((one) => one.code)).toContain('approver-without-key');
    expect((await place.run(['policy', 'lint', '--strict'])).code).toBe(1);
  });

  it('exits 1 where an approval can never be given', async () => {
    edit('policies/rbac/claims.yaml', (text) =>
      text.replace('resource: ghcr.io/bank/human-review-assistant*', 'resource: ghcr.io/bank/nobody*'),
    );
    const { code, stdout } = await place.run(['policy', 'lint']);
    expect(code).toBe(1);
    expect(stdout).toContain('nobody can approve ghcr.io/bank/human-review-assistant in default');
  });
});

describe('writ policy diff', () => {
  it('says which decisions change, and nothing of a comment', async () => {
    edit('changed/rbac/claims.yaml', (text) => `${text}# only words\n`);
    const same = await place.json(['policy', 'diff', 'policies', 'changed', '--exit-code']);
    expect([same.code, (same.value as { same: boolean }).same]).toEqual([0, true]);
    edit('changed/roles/default.yaml', (text) => text.replace('role:admin: [user:ada]', 'role:admin: []'));
    edit('changed/ceilings/org.yaml', (text) => text.replace('memoryMiB: 256', 'memoryMiB: 512'));
    const { code, value } = await place.json(['policy', 'diff', 'policies', 'changed', '--exit-code']);
    expect(code).toBe(1);
    const { decisions, ceilings } = value as { decisions: object[]; ceilings: { what: string }[] };
    expect(decisions).toContainEqual({
      ...{ subject: 'user:ada', domain: 'default', action: 'audit.rotate_key', resource: 'x' },
      before: { verdict: 'allow', ruleId: 'AD-003' },
      after: { verdict: 'deny', ruleId: null },
    });
    expect(ceilings.map(({ what }) => what)).toEqual(['ceiling org-default (org) limits']);
    const text = await place.run(['policy', 'diff', 'policies', 'changed']);
    expect([text.code, text.stdout]).toEqual([0, expect.stringMatching(/^allow {2}deny {2}user:ada/mu)]);
    expect(text.stdout).toContain('role:admin in default: ["user:ada"] -> null');
  });
});

describe('writ policy lock and verify', () => {
  const key = (name: string) => join(place.folder, `${name}.key`);
  beforeAll(async () => {
    for (const name of ['ann', 'ben', 'eve']) await place.run(['keys', 'create', name, '--out', key(name)]);
  });
  const publicOf = async (name: string): Promise<string> =>
    ((await place.json(['keys', 'show', key(name)])).value as { publicKey: string }).publicKey;
  const sign = (name: string) => place.run(['policy', 'lock', '--sign', '--key', key(name)]);

  it('with a lock, no command decides under files that differ from it', async () => {
    expect((await place.run(['policy', 'verify'])).code).toBe(3);
    expect((await place.run(['policy', 'lock'])).code).toBe(0);
    expect((await place.run(['policy', 'verify'])).code).toBe(0);
    edit('policies/roles/default.yaml', (text) => text.replace('[user:alice]', '[user:alice, user:eve]'));
    for (const words of [['verify'], ['check', 'user:alice', 'workflow.run', 'claims-review'], ['test']]) {
      const { code, value } = await place.json(['policy', ...words]);
      expect([code, errorOf(value).code]).toEqual([2, 'POLICY_INVALID']);
      expect(errorOf(value).message).toContain('roles/default.yaml differs from the lock');
    }
    rmSync(join(place.folder, 'policies', 'ceilings'), { recursive: true });
    expect(errorOf((await place.json(['policy', 'verify'])).value).message).toContain(
      'ceilings/org.yaml is missing',
    );
  });

  it('demands two different people who are known from elsewhere, over what really decides', async () => {
    const [ann, ben, eve] = [await publicOf('ann'), await publicOf('ben'), await publicOf('eve')];
    const known = ['--signer', ann, '--signer', ben, '--require-signed-policy', '2'];
    const verify = async () => {
      const { code, value } = await place.json(['policy', 'verify', ...known]);
      return code === 0 ? (value as { signers: string[] }).signers.length : errorOf(value).code;
    };
    await sign('ann');
    expect(await verify()).toBe('POLICY_UNSIGNED');
    await sign('ann');
    await sign('eve');
    expect(await verify()).toBe('POLICY_UNSIGNED');
    await sign('ben');
    expect(await verify()).toBe(2);
    // Words may change under a signature, what decides may not.
    edit('policies/rbac/claims.yaml', (text) => `${text}# only words\n`);
    await place.run(['policy', 'lock']);
    expect(await verify()).toBe(2);
    edit('policies/roles/default.yaml', (text) => text.replace('[user:alice]', '[user:alice, user:eve]'));
    await place.run(['policy', 'lock']);
    expect(await verify()).toBe('POLICY_UNSIGNED');
    const tooMany = await place.json(['policy', 'verify', '--signer', eve, '--require-signed-policy', '2']);
    expect([tooMany.code, errorOf(tooMany.value).code]).toEqual([2, 'USAGE']);
  });

  it('HOLE: an old lock, signed by all who must, brings nothing back that was replaced', async () => {
    const [ann, ben] = [await publicOf('ann'), await publicOf('ben')];
    await place.run(['init', '--data', 'kept']);
    const demand = (more: object) => {
      edit('kept/config.json', (text) => {
        const policySigners = { quorum: 2, signers: [ann, ben], ...more };
        return JSON.stringify({ ...JSON.parse(text), policySigners });
      });
    };
    demand({});
    const list = () => place.json(['workflow', 'list', '--data', 'kept']);
    const verify = () => place.json(['policy', 'verify', '--data', 'kept']);
    await sign('ann');
    await sign('ben');
    expect((await list()).code).toBe(0);
    const old = join(place.folder, 'old');
    cpSync(join(place.folder, 'policies'), old, { recursive: true });
    edit('policies/roles/default.yaml', (text) => text.replace('[user:alice]', '[user:alice, user:eve]'));
    await sign('ann');
    await sign('ben');
    expect([(await list()).code, (await verify()).code]).toEqual([0, 0]);
    cpSync(old, join(place.folder, 'policies'), { recursive: true });
    for (const { code, value } of [await list(), await verify()]) {
      expect([code, errorOf(value).code]).toEqual([3, 'POLICY_UNSIGNED']);
      expect(errorOf(value).message).toContain('were replaced by others');
    }
    const { policyHash } = JSON.parse(readFileSync(join(old, 'policies.lock'), 'utf8')) as {
      policyHash: string;
    };
    demand({ mayReturnTo: policyHash });
    expect([(await list()).code, (await verify()).code]).toEqual([0, 0]);
    demand({ mayReturnTo: 'the last ones' });
    expect(errorOf((await list()).value).code).toBe('STORE_UNAVAILABLE');
  });

  it('a machine that demands signatures opens nothing without them', async () => {
    const [ann, ben] = [await publicOf('ann'), await publicOf('ben')];
    await place.run(['init', '--data', 'prod']);
    edit('prod/config.json', (text) =>
      JSON.stringify({ ...JSON.parse(text), policySigners: { quorum: 2, signers: [ann, ben] } }),
    );
    const list = () => place.json(['workflow', 'list', '--data', 'prod']);
    await sign('ann');
    const refused = await list();
    expect([refused.code, errorOf(refused.value).code]).toEqual([3, 'POLICY_UNSIGNED']);
    await sign('ben');
    expect((await list()).code).toBe(0);
    edit('prod/config.json', (text) => text.replace('"quorum":2', '"quorum":3'));
    expect(errorOf((await list()).value).code).toBe('STORE_UNAVAILABLE');
  });
});
