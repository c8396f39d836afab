// `writ policy explain RUN [STEP]`: the truth about a run, from its log: rule, role, layer, approval, what was lowered, and
// what comes close to a denial.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hosted, newPlace, type Place } from './writ.js';

const MODEL = readFileSync(fileURLToPath(new URL('../../policies/model.conf', import.meta.url)), 'utf8');
const header = (kind: string) => ({ apiVersion: 'writ/v1', kind });
const rule = (id: string, subject: string, action: string, resource: string) => ({
  ...{ id, effect: 'allow', subject, domain: 'default', action, resource },
});
const workflow = (id: string, agent: string) => ({
  ...{ id, name: id, agents: [agent] },
  steps: [
    {
      ...{ name: 'Sum Up', functionId: 'tool::wasm' },
      sandbox: { driver: 'wasm', limits: { timeoutMs: 5000, memoryMiB: 256, outputBytes: 1000 } },
      config: { module: 'javascript', args: ['x.js'], files: { 'x.js': '1' } },
    },
  ],
});

interface Explained {
  readonly decisions: readonly { readonly policyHash: string; readonly startPolicy?: string | null }[];
}

let place: Place;
let waiting: string;
let denied: string;

const DAN = { env: { WRIT_KEY: 'dan.key' } };
const explain = (...words: readonly string[]) => place.run(['policy', 'explain', ...words], DAN);

beforeAll(async () => {
  place = newPlace(hosted);
  const write = (file: string, value: object): void => {
    mkdirSync(join(place.folder, file, '..'), { recursive: true });
    writeFileSync(join(place.folder, file), JSON.stringify(value));
  };
  await place.run(['keys', 'create', 'dan', '--out', 'dan.key']);
  const { publicKey } = JSON.parse(readFileSync(join(place.folder, 'dan.key'), 'utf8')) as {
    publicKey: string;
  };
  const rules = [
    rule('A-1', 'role:analyst', 'workflow.run', '*'),
    rule('A-2', 'role:analyst', 'function.invoke', 'tool::wasm'),
    rule('A-3', 'role:bot', 'function.invoke', 'tool::wasm'),
    rule('A-4', 'role:checker', 'approval.decide', 'tool::wasm'),
    rule('A-5', 'role:analyst', 'audit.read', '*'),
  ];
  write('policies/rbac/r.yaml', { ...header('Rules'), rules });
  const members = {
    ...{ 'role:analyst': ['user:dan'], 'role:checker': ['user:eve'], 'role:bot': ['agent:totals'] },
  };
  write('policies/roles/r.yaml', { ...header('Roles'), domain: 'default', members });
  const people = [
    { id: 'user:dan', keys: [publicKey] },
    { id: 'user:eve', keys: [] },
  ];
  write('policies/approvers.yaml', { ...header('Approvers'), people });
  const spec = {
    ...{ limits: { memoryMiB: 128 }, clamp: ['memoryMiB'] },
    approval: { rules: [{ match: { labels: ['pii'] }, minimum: 'sync', approverRoles: ['role:checker'] }] },
  };
  write('policies/ceilings/c.yaml', { ...header('Ceiling'), metadata: { name: 'acme', layer: 'org' }, spec });
  writeFileSync(join(place.folder, 'policies', 'model.conf'), MODEL);
  write('sum.yaml', workflow('sum', 'totals'));
  write('ghost.yaml', workflow('ghost', 'ghost'));
  expect(await place.run(['init'])).toMatchObject({ code: 0 });
  const idOf = (value: unknown) => (value as { id: string }).id;
  const first = await place.json(['run', 'sum.yaml', '--input', '{}'], DAN);
  expect(first.code).toBe(10);
  waiting = idOf(first.value);
  const second = await place.json(['run', 'ghost.yaml', '--input', '{}', '--unlabelled'], DAN);
  expect(second.code).toBe(3);
  denied = idOf(second.value);
});
afterAll(() => rmSync(place.folder, { recursive: true, force: true }));

describe('writ policy explain of a run', () => {
  it('tells the approval, which rule of which file asks for it, and what a ceiling has lowered', async () => {
    const { code, stdout } = await explain(waiting);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /allow {2}user:dan as user:dan > role:analyst: rule A-2 at policies\/rbac\/r\.yaml:1/u,
    );
    expect(stdout).toContain('lowered     memoryMiB to 128');
    expect(stdout).toContain('approval    sync, 1 x role:checker, within 1 h 0 min');
    expect(stdout).toContain(
      'asked by    ceiling acme (org): labels pii needs sync approval by role:checker (policies/ceilings/c.yaml:1)',
    );
    const { value } = await place.json(['policy', 'explain', waiting], DAN);
    expect(value).toMatchObject({
      decisions: [{ stepPath: 'sum_up', narrowed: { memoryMiB: 128 }, approval: { mode: 'sync' } }],
    });
  });

  it('takes a step by the name that it has in the document, as every other command shows it', async () => {
    for (const step of ['Sum Up', 'sum_up']) {
      expect(await explain(waiting, step)).toMatchObject({
        code: 0,
        stdout: (await explain(waiting)).stdout,
      });
    }
    const unknown = await explain(waiting, 'Sum');
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toContain('decided were: sum_up');
  });

  it('tells of a denial for want of a rule which ones come close', async () => {
    const { stdout } = await explain(denied);
    expect(stdout).toContain('deny  POLICY_NO_MATCH');
    expect(stdout).toContain('none   agent:ghost: no rule matches');
    expect(stdout).toMatch(
      /close A-3 for agent:ghost: role:bot .* not the subject \(policies\/rbac\/r\.yaml:1\)/u,
    );
  });

  it('names the policies that the run was started under, where another process goes on under others', async () => {
    const file = join(place.folder, 'policies', 'rbac', 'r.yaml');
    const before = readFileSync(file, 'utf8');
    const { rules, ...head } = JSON.parse(before) as { readonly rules: readonly object[] };
    const more = [...rules, rule('A-6', 'role:analyst', 'run.resume', '*')];
    writeFileSync(file, JSON.stringify({ ...head, rules: more }));
    const first = (await place.json(['policy', 'explain', waiting], DAN)).value as Explained;
    expect(await place.run(['workflow', 'resume', waiting], DAN)).toMatchObject({ code: 10 });
    const { decisions } = (await place.json(['policy', 'explain', waiting], DAN)).value as Explained;
    const [asked, again] = [first.decisions.at(-1), decisions.at(-1)];
    expect([asked?.startPolicy, again?.startPolicy]).toEqual([undefined, asked?.policyHash]);
    expect((await explain(waiting)).stdout).toContain(
      `others are in force since the run began: decided as well by those of its start, ${asked?.policyHash.slice(0, 12)}`,
    );
    writeFileSync(file, before);
  });

  it('refuses words that it would leave out', async () => {
    const { code, stderr } = await explain('user:dan', 'workflow.run', 'sum', 'more');
    expect([code, stderr]).toEqual([2, expect.stringContaining('up to three words, not 4')]);
  });
});

describe('writ policy check of a step', () => {
  const check = (...flags: readonly string[]) =>
    place.run(['policy', 'check', 'user:dan', 'function.invoke', 'tool::wasm', ...flags]);

  it('says that labels are taken as not known, where a ceiling asks for them', async () => {
    expect((await check()).stdout).toContain('labels not known (--label, --unlabelled)');
    expect((await check('--unlabelled')).stdout).not.toContain('labels');
    const { code, stdout } = await place.run(['policy', 'check', 'user:dan', 'workflow.run', 'sum']);
    expect([code, stdout]).toEqual([0, expect.not.stringContaining('labels')]);
  });

  it('says that no ceiling knows a label: a misspelt one escapes the rule about the right one', async () => {
    expect((await check('--label', 'PII')).stdout).toContain('names the label PII: no ceiling here does');
    expect((await check('--label', 'pii')).stdout).not.toContain('names the label');
  });
});
