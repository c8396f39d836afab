// The shipped agents as they run: from their package, in the sandbox, on the example's claims. Rules at their borders.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { openModuleManifest, openOciLayout } from '../../src/adapters/packages/index.js';
import { openWasmDriver } from '../../src/adapters/sandbox/wasm/index.js';
import { isObject, type Json, type JsonObject } from '../../src/json.js';
import type { AgentPackage, SandboxDriver } from '../../src/runtime/ports.js';
import { digest } from './packages.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLE = `${ROOT}examples/claims-review/`;
const FILES = readdirSync(`${EXAMPLE}claims`);

function claimOf(file: string): Record<string, Json> {
  return JSON.parse(readFileSync(`${EXAMPLE}claims/${file}`, 'utf8')) as Record<string, Json>;
}

describe('the committed modules and packages', () => {
  it('are what the build makes of their sources, and what the workflow pins', async () => {
    const { stderr } = await promisify(execFile)(process.execPath, [`${ROOT}sandbox/build.mjs`, '--check']);
    expect(stderr).toBe('');
  });

  it('resolve through the digests the workflow pins, with the modules of the manifest', async () => {
    const text = readFileSync(`${EXAMPLE}workflow.yaml`, 'utf8');
    const store = openOciLayout([`${EXAMPLE}packages`]);
    const modules = openModuleManifest(`${ROOT}sandbox/wasm`);
    const pins = [...text.matchAll(/agent: (\S+)@(sha256:\S+)/g)];
    expect(pins).toHaveLength(3);
    for (const [, repository = '', pinned = ''] of pins) {
      const found = await store.resolve(digest(pinned));
      expect(repository.endsWith(`/${found?.name}`)).toBe(true);
      expect((await modules.module(found?.name ?? ''))?.digest).toBe(found?.module.digest);
    }
  });

  it('call by name in the steps flow only modules the manifest has', async () => {
    const steps = (
      parseYaml(readFileSync(`${EXAMPLE}steps.yaml`, 'utf8')) as { steps: { config: JsonObject }[] }
    ).steps;
    const names = await openModuleManifest(`${ROOT}sandbox/wasm`).names();
    expect(
      steps
        .map((step) => step.config['module'])
        .every((name) => typeof name === 'string' && names.includes(name)),
    ).toBe(true);
  });
});

describe('the agents', () => {
  let driver: SandboxDriver;
  const modules = new Map<string, AgentPackage['module']>();
  beforeAll(async () => {
    const store = openModuleManifest(`${ROOT}sandbox/wasm`);
    for (const name of await store.names()) {
      const module = await store.module(name);
      if (module !== null) modules.set(name, module);
    }
    driver = openWasmDriver({ poolSize: 2, shipped: [...modules.values()] });
    await driver.preflight();
  });
  afterAll(() => driver.close());

  async function run(
    name: string,
    input: Json | Uint8Array,
  ): Promise<{ code: number | null; out: JsonObject; err: string }> {
    const module = modules.get(name);
    if (module === undefined) throw new Error(`no module ${name}`);
    const stdin = input instanceof Uint8Array ? input : Buffer.from(JSON.stringify(input));
    const request = {
      argv: [name],
      env: {},
      stdin,
      program: { kind: 'module', ...module } as const,
      limits: driver.defaults,
    };
    const result = await driver.run(request, new AbortController().signal);
    expect(result.status).toBe('exited');
    const text = Buffer.from(result.stdout.bytes).toString('utf8');
    const out = text === '' ? {} : (JSON.parse(text) as Json);
    if (!isObject(out)) throw new Error('an agent wrote something other than an object');
    return { code: result.exitCode, out, err: Buffer.from(result.stderr.bytes).toString('utf8') };
  }
  const rules = (out: JsonObject): string[] =>
    (out['reasons'] as readonly { rule: string; severity: string }[]).map(
      (reason) => `${reason.rule}:${reason.severity}`,
    );

  /** The clean claim with some fields changed; `policy.limit` style paths. */
  function claim(changes: Readonly<Record<string, Json | undefined>> = {}): JsonObject {
    const value = claimOf('clean-collision.json');
    for (const [path, change] of Object.entries(changes)) {
      const [head = '', tail] = path.split('.');
      const outer: Record<string, Json> = tail === undefined ? value : { ...(value[head] as JsonObject) };
      if (change === undefined) delete outer[tail ?? head];
      else outer[tail ?? head] = change;
      if (tail !== undefined) value[head] = outer;
    }
    return value;
  }

  it.each(FILES.filter((file) => !file.startsWith('malformed')))(
    'triages %s as its name says',
    async (file) => {
      const { code, out } = await run('claims-triage', claimOf(file));
      expect(code).toBe(0);
      expect(out['claimId']).toBe(claimOf(file)['id']);
      if (file.startsWith('clean')) expect(out).toMatchObject({ risk: 'low', reasons: [] });
      else expect(['medium', 'high']).toContain(out['risk']);
      if (file.startsWith('high')) expect(out['risk']).toBe('high');
      if (file.startsWith('medium')) expect(out['risk']).toBe('medium');
    },
  );

  it.each(FILES.filter((file) => file.startsWith('malformed')))(
    'refuses %s with exit 65 and a line',
    async (file) => {
      const { code, out, err } = await run('claims-triage', claimOf(file));
      expect({ code, out }).toEqual({ code: 65, out: {} });
      expect(err).toMatch(/^claim\.[a-zA-Z.]+ [ -~]+\n$/);
    },
  );

  const borders: readonly (readonly [
    string,
    Readonly<Record<string, Json | undefined>>,
    readonly string[],
  ])[] = [
    ['amount at the review threshold', { amount: 2999.99 }, []],
    ['amount one cent above it', { amount: 3000.01 }, ['T01:medium']],
    ['amount one cent above the high threshold', { amount: 15000.01 }, ['T01:high']],
    ['amount at the limit', { amount: 1999.99, 'policy.limit': 1999.99 }, []],
    ['amount one cent above the limit', { amount: 1999.99, 'policy.limit': 1999.98 }, ['T02:high']],
    ['a missing document', { documents: ['photos', 'repair-estimate'] }, ['T03:medium']],
    ['two missing documents', { documents: ['photos'] }, ['T03:high']],
    ['incident on the last day of the policy', { 'policy.endDate': '2026-02-11' }, []],
    ['incident a day after it', { 'policy.endDate': '2026-02-10' }, ['T04:high']],
    ['incident on the first day', { 'policy.startDate': '2026-02-11' }, ['T05:medium']],
    ['incident on day 14', { 'policy.startDate': '2026-01-28' }, ['T05:medium']],
    ['incident on day 15', { 'policy.startDate': '2026-01-27' }, []],
    ['filed on the day', { filedDate: '2026-02-11' }, []],
    ['filed the day before', { filedDate: '2026-02-10' }, ['T06:high']],
    ['filed after 60 days', { filedDate: '2026-04-12' }, []],
    ['filed after 61 days', { filedDate: '2026-04-13' }, ['T06:medium']],
    ['two recent claims', { 'claimant.recentClaims': 2 }, []],
    ['three recent claims', { 'claimant.recentClaims': 3 }, ['T07:medium']],
    ['six recent claims', { 'claimant.recentClaims': 6 }, ['T07:high']],
    ['a round amount', { amount: 1500 }, ['T08:medium']],
    ['a small round amount', { amount: 500 }, []],
    ['a shared account', { 'payout.accountSharedWith': 1 }, ['T09:high']],
    ['a kind not covered', { 'policy.type': 'home' }, ['T10:high']],
    ['an amount that is the deductible', { amount: 300, 'policy.deductible': 300 }, ['T11:medium']],
  ];
  it.each(borders)('finds for %s', async (_what, changes, expected) => {
    const { code, out, err } = await run('claims-triage', claim(changes));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(rules(out)).toEqual(expected);
    const high = expected.some((rule) => rule.endsWith('high'));
    expect(out['risk']).toBe(high ? 'high' : expected.length > 0 ? 'medium' : 'low');
  });

  it('makes three medium findings high', async () => {
    const two = { amount: 1500, 'claimant.recentClaims': 3 };
    expect((await run('claims-triage', claim(two))).out['risk']).toBe('medium');
    const three = { ...two, 'policy.startDate': '2026-02-01' };
    expect((await run('claims-triage', claim(three))).out['risk']).toBe('high');
  });

  it.each([
    '',
    '{',
    '[]',
    '"x"',
    'null',
    '{"id":1}',
    '{"a":1,"a":2}',
    '{"a":01}',
    `${'['.repeat(200)}${']'.repeat(200)}`,
  ])('calls input %# no claim', async (text) => {
    expect(await run('claims-triage', Buffer.from(text))).toMatchObject({ code: 65, out: {} });
  });

  it('refuses more than a megabyte of input', async () => {
    const { code, err } = await run('claims-triage', Buffer.alloc((1 << 20) + 1, ' '));
    expect({ code, err }).toEqual({ code: 65, err: 'input has more than 1 MiB\n' });
  });

  it('approves low risk with what the policy pays: limit, then deductible', async () => {
    const low = { claimId: 'CLM-2026-0101', risk: 'low' };
    const paid = await run('approval-agent', { claim: claim(), triage: low });
    expect(paid).toMatchObject({ code: 0, out: { decision: 'approved', amount: 984.6, currency: 'EUR' } });
    const capped = await run('approval-agent', { claim: claim({ 'policy.limit': 1000 }), triage: low });
    expect(capped.out['amount']).toBe(700);
    expect(capped.out['reference']).not.toBe(paid.out['reference']);
  });

  it.each([
    ['high', { risk: 'high', claimId: 'CLM-2026-0101' }],
    ['medium', { risk: 'medium', claimId: 'CLM-2026-0101' }],
    ['absent', undefined],
    ['of another claim', { risk: 'low', claimId: 'CLM-2026-0999' }],
    ['a list', ['low']],
  ])('is refused by the approval agent (77) when triage is %s', async (_what, triage) => {
    const input = triage === undefined ? { claim: claim() } : { claim: claim(), triage };
    expect(await run('approval-agent', input)).toMatchObject({ code: 77, out: {} });
  });

  it('accepts triage as text, as a steps flow hands it on', async () => {
    const triage = JSON.stringify({ risk: 'low', claimId: 'CLM-2026-0101' });
    expect(await run('approval-agent', { claim: claim(), triage })).toMatchObject({ code: 0 });
  });

  it('writes a review memo from the findings', async () => {
    const subject = claimOf('suspicious-new-policy.json');
    const triage = (await run('claims-triage', subject)).out;
    const { code, out } = await run('human-review-assistant', { claim: subject, triage });
    expect(code).toBe(0);
    expect(out).toMatchObject({ decision: 'reviewed', claimId: 'CLM-2026-0109' });
    expect(out['summary']).toContain('triage risk high');
    expect((out['checklist'] as string[]).filter((line) => line.startsWith('check T'))).toHaveLength(3);
  });

  it.each(FILES.filter((file) => file.startsWith('malformed')))(
    'writes a memo for %s, which triage refused',
    async (file) => {
      const error = { Error: 'Tool.Failed', Cause: 'claim.amount is missing' };
      const { code, out } = await run('human-review-assistant', { claim: claimOf(file), error });
      expect(code).toBe(0);
      expect(out['summary']).toContain('triage failed with Tool.Failed');
    },
  );

  it('keeps what a claim says as data', async () => {
    const id = 'CLM-"\\\u0007\n🌍</script>';
    const { out } = await run('human-review-assistant', { claim: claim({ id }), triage: { risk: 'high' } });
    expect(out['claimId']).toBe(id);
  });
});
