// A machine that demands signatures, while it lives: a lock that was put in the place of another is read like any other
// change of the files, and brings in what its signers stand for, never what one of them alone does nor what was replaced.
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readPolicyDirectory } from '../../src/adapters/policy-directory.js';
import { canonicalJson } from '../../src/canonical-json.js';
import { lockMessage, lockOf, LOCK_FILE } from '../../src/policy/file/lock.js';
import { buildSnapshot } from '../../src/policy/snapshot.js';
import { keepPolicies, policyFingerprint } from '../../src/policy-reload.js';
import type { PolicyReload } from '../../src/runtime/live-policy.js';
import { eventually, steps, type Team, useTeam } from './fixture.js';

interface Signer {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

function signer(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return { keyId: `ed25519:${raw.toString('base64')}`, privateKey };
}

const here = useTeam();
const [ann, ben, eve] = [signer(), signer(), signer()];
const RULES = 'rbac/test.yaml';
const TWO = steps(['functionId: "tool::test_two"']);

/** Nobody may call tool::test_two any more. */
const narrow = (text: string): string =>
  text.replaceAll('function.invoke, resource: "tool::test_*"', 'function.invoke, resource: "tool::test_one"');

function change(team: Team, edit: (text: string) => string): void {
  const name = path.join(team.policies, RULES);
  writeFileSync(name, edit(readFileSync(name, 'utf8')));
}

/** The lock of the files as they are, as `writ policy lock --sign` leaves it: put in place as a whole. */
async function lock(team: Team, ...signers: readonly Signer[]): Promise<void> {
  rmSync(path.join(team.policies, LOCK_FILE), { force: true });
  const files = await readPolicyDirectory(team.policies);
  const { policyHash } = await buildSnapshot({ files, canonicalize: canonicalJson });
  const signatures = signers.map(({ keyId, privateKey }) => ({
    ...{ keyId, sig: sign(null, lockMessage(policyHash), privateKey).toString('base64') },
  }));
  const made = path.join(team.home, 'new.lock');
  writeFileSync(made, JSON.stringify({ ...lockOf(files, policyHash), signatures }));
  renameSync(made, path.join(team.policies, LOCK_FILE));
}

function demand(team: Team, policySigners?: object): void {
  const config = path.join(team.data, 'config.json');
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), policySigners }));
}

// What verifies the log of each test opens it, whatever has become of the policies.
afterEach(() => {
  demand(here.team);
  rmSync(path.join(here.team.policies, LOCK_FILE), { force: true });
});

/** Opened under policies that ann and ben have signed, on a machine that demands both. */
async function openSigned(team: Team) {
  // The people of the fixture are others than those of the shipped policy tests.
  rmSync(path.join(team.policies, 'tests'), { recursive: true });
  demand(team, { quorum: 2, signers: [ann.keyId, ben.keyId] });
  await lock(team, ann, ben);
  return team.open();
}

const loaded = async (team: Team): Promise<number> =>
  (await team.entries(null)).filter(({ type }) => type === 'policy.loaded').length;

describe('a reload on a machine that demands two signatures', () => {
  it('takes other files once their lock is signed by both, and decides under them', async () => {
    const { team } = here;
    const writ = await openSigned(team);
    const before = writ.policyHash;
    expect((await team.run(writ, TWO)).status).toBe('completed');
    change(team, narrow);
    await lock(team, ann, ben);
    const reload = await writ.reloadPolicies();
    expect([reload.status, reload.previous, reload.problem]).toEqual(['loaded', before, null]);
    expect((await team.run(writ, TWO)).error?.code).toBe('POLICY_NO_MATCH');
    expect(await loaded(team)).toBe(2);
  });

  it.each([
    [
      'HOLE: files that changed under the lock of before',
      [],
      'POLICY_INVALID',
      `${RULES} differs from the lock`,
    ],
    ['HOLE: a lock that nobody signed', [[]], 'POLICY_UNSIGNED', 'signed by 0 of the people'],
    ['HOLE: a lock that one of the two signed', [[ann]], 'POLICY_UNSIGNED', 'signed by 1 of the people'],
    ['HOLE: a lock that one signed twice', [[ann, ann]], 'POLICY_UNSIGNED', 'signed by 1 of the people'],
    [
      'HOLE: a lock signed by one and a stranger',
      [[ann, eve]],
      'POLICY_UNSIGNED',
      'signed by 1 of the people',
    ],
  ] as const)('%s: the policies of before stay, and why is said', async (_, locks, code, words) => {
    const { team } = here;
    const writ = await openSigned(team);
    const before = writ.policyHash;
    change(team, narrow);
    for (const signers of locks) await lock(team, ...signers);
    const { status, policyHash, problem } = await writ.reloadPolicies();
    expect([status, policyHash, writ.policyHash]).toEqual(['kept', before, before]);
    expect(problem).toMatchObject({ code, isPassing: false });
    expect(problem?.message).toContain(words);
    expect((await team.run(writ, TWO)).status).toBe('completed');
    expect(await loaded(team)).toBe(1);
  });

  it('HOLE: the lock is taken away with the files as they were: nobody stands for them', async () => {
    const { team } = here;
    const writ = await openSigned(team);
    rmSync(path.join(team.policies, LOCK_FILE));
    const { status, problem } = await writ.reloadPolicies();
    expect([status, problem?.code]).toEqual(['kept', 'POLICY_UNSIGNED']);
  });

  it('HOLE: files and lock of before, signed by both, bring nothing back that was replaced meanwhile', async () => {
    const { team } = here;
    const writ = await openSigned(team);
    const old = path.join(team.home, 'old');
    cpSync(team.policies, old, { recursive: true });
    change(team, narrow);
    await lock(team, ann, ben);
    const { policyHash } = await writ.reloadPolicies();
    cpSync(old, team.policies, { recursive: true });
    const back = await writ.reloadPolicies();
    expect([back.status, back.policyHash, back.problem?.code]).toEqual([
      'kept',
      policyHash,
      'POLICY_UNSIGNED',
    ]);
    expect(back.problem?.message).toContain('were replaced by others');
    expect((await team.run(writ, TWO)).error?.code).toBe('POLICY_NO_MATCH');
  });

  it('of the same files, with the lock signed anew in another order, changes nothing', async () => {
    const { team } = here;
    const writ = await openSigned(team);
    await lock(team, ben, ann);
    expect((await writ.reloadPolicies()).status).toBe('unchanged');
    expect(await loaded(team)).toBe(1);
  });

  it('is made when the lock alone is replaced, after the files were refused without it', async () => {
    const { team } = here;
    const writ = await openSigned(team);
    const told: PolicyReload[] = [];
    const keeper = keepPolicies(writ, team.policies, {
      since: await policyFingerprint(team.policies),
      told: (reload) => told.push(reload),
      failed: (error) => expect.fail(String(error)),
      everyMs: 5,
    });
    try {
      change(team, narrow);
      await eventually(() => told.some(({ status }) => status === 'kept') || null);
      await lock(team, ann, ben);
      await eventually(() => told.some(({ status }) => status === 'loaded') || null);
    } finally {
      await keeper.stop();
    }
    expect(told.filter(({ status }) => status === 'loaded')).toHaveLength(1);
    expect((await team.run(writ, TWO)).error?.code).toBe('POLICY_NO_MATCH');
  });
});
