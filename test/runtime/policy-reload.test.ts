// Policies put in force while a process lives: the last good ones stay whatever is wrong with the new ones, and what is
// put in force only tightens what runs that have begun may still do.
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPolicyDirectory } from '../../src/adapters/policy-directory.js';
import { canonicalJson } from '../../src/canonical-json.js';
import { WritError } from '../../src/errors.js';
import { keepPolicies, policyFingerprint } from '../../src/policy-reload.js';
import { buildSnapshot } from '../../src/policy/snapshot.js';
import { LivePolicy, type PolicyReload } from '../../src/runtime/live-policy.js';
import type { Writ } from '../../src/runtime/writ.js';
import { replacing } from '../contract/fault-store.js';
import { eventually, refusalOf, rules, steps, type Team, useTeam } from './fixture.js';

const here = useTeam();

/** The people of the fixture are others than those of the shipped policy tests. */
function withoutTests(team: Team): void {
  rmSync(path.join(team.policies, 'tests'), { recursive: true });
}

const RULES = 'rbac/test.yaml';

function change(team: Team, file: string, edit: (text: string) => string): void {
  const name = path.join(team.policies, file);
  writeFileSync(name, edit(readFileSync(name, 'utf8')));
}

const TWO = steps(['functionId: "tool::test_one", approval: sync', 'functionId: "tool::test_two"']);
const more = rules(
  ['adjuster', 'function.invoke', 'tool::late'],
  ['claims-agent', 'function.invoke', 'tool::late'],
).replaceAll('TEST-', 'MORE-');

/** Nobody may call tool::test_two any more. */
const narrow = (text: string): string =>
  text.replaceAll('function.invoke, resource: "tool::test_*"', 'function.invoke, resource: "tool::test_one"');

describe('a reload', () => {
  it('is in force for the next question, and in the log before', async () => {
    const { team } = here;
    withoutTests(team);
    const writ = await team.open();
    const before = writ.policyHash;
    expect(await writ.reloadPolicies()).toEqual({
      ...{ status: 'unchanged', policyHash: before, previous: before, problem: null },
    });
    change(team, RULES, (text) =>
      text.replace('workflow.run, resource: "test*"', 'workflow.run, resource: "tests*"'),
    );
    const { status, policyHash, previous } = await writ.reloadPolicies();
    expect([status, previous, policyHash === before]).toEqual(['loaded', before, false]);
    expect(writ.policyHash).toBe(policyHash);
    await expect(team.run(writ, TWO)).rejects.toMatchObject({ code: 'POLICY_NO_MATCH' });
    const loaded = (await team.entries(null)).filter(({ type }) => type === 'policy.loaded');
    expect(loaded.map(({ data }) => [data['policyHash'], data['previous']])).toEqual([
      [before, null],
      [policyHash, before],
    ]);
  });

  it('denies the steps of a run that have not begun, when a rule is gone', async () => {
    const { team } = here;
    withoutTests(team);
    const writ = await team.open();
    const run = await team.run(writ, TWO);
    change(team, RULES, narrow);
    expect((await writ.reloadPolicies()).status).toBe('loaded');
    // The approval was asked for under other policies, so it is asked for again.
    await team.drive(writ, run.id);
    await team.approve(writ, await team.pending(writ, run.id));
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 3 });
    expect(team.functions.calls.map(({ functionId }) => functionId)).toEqual(['tool::test_one']);
  });

  it('gives a run that has begun nothing that it did not have, and a new one what it says', async () => {
    const { team } = here;
    withoutTests(team);
    const wide = readFileSync(path.join(team.policies, RULES), 'utf8');
    change(team, RULES, narrow);
    const writ = await team.open();
    const old = await team.run(writ, TWO);
    expect(old.status).toBe('waiting');
    change(team, RULES, () => wide);
    expect((await writ.reloadPolicies()).status).toBe('loaded');
    await team.drive(writ, old.id);
    await team.approve(writ, await team.pending(writ, old.id));
    expect(await team.drive(writ, old.id)).toMatchObject({
      status: 'failed',
      error: { code: 'POLICY_NO_MATCH' },
    });
    expect(team.functions.calls.map(({ functionId }) => functionId)).toEqual(['tool::test_one']);
    const young = await team.run(writ, TWO);
    await team.approve(writ, await team.pending(writ, young.id));
    expect((await team.drive(writ, young.id)).status).toBe('completed');
  });

  it('keeps the duty of an approval for a run that began with it', async () => {
    const { team } = here;
    withoutTests(team);
    const duty = `      - { match: { functions: ['tool::test_two'] }, minimum: sync, approverRoles: [role:reviewer] }\n`;
    change(team, 'ceilings/org.yaml', (text) => text.replace(/( *rules:\n)/u, `$1${duty}`));
    const writ = await team.open();
    const run = await team.run(writ, TWO);
    change(team, 'ceilings/org.yaml', (text) => text.replace(duty, ''));
    expect((await writ.reloadPolicies()).status).toBe('loaded');
    await team.drive(writ, run.id);
    await team.approve(writ, await team.pending(writ, run.id));
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect((await team.pending(writ, run.id)).stepPath).toContain('s2');
    expect(team.functions.calls).toHaveLength(1);
  });

  it.each([
    ['half-written', (text: string) => text.slice(0, text.length - 40)],
    ['misspelt', (text: string) => text.replace('effect: allow', 'effect: Allow')],
    ['empty', () => ''],
  ])('of %s files changes nothing, and says why', async (_, edit) => {
    const { team } = here;
    withoutTests(team);
    const writ = await team.open();
    const good = writ.policyHash;
    const text = readFileSync(path.join(team.policies, RULES), 'utf8');
    change(team, RULES, edit);
    const { status, policyHash, problem } = await writ.reloadPolicies();
    expect([status, policyHash, problem?.code]).toEqual(['kept', good, 'POLICY_INVALID']);
    expect(problem?.message).toContain(RULES);
    // The same files would be refused again.
    expect(problem?.isPassing).toBe(false);
    // The last good ones decide on.
    expect((await team.run(writ, steps(['functionId: "tool::test_one"']))).status).toBe('completed');
    change(team, RULES, () => `${text}# whole again\n`);
    expect((await writ.reloadPolicies()).status).toBe('unchanged');
    expect((await team.entries(null)).filter(({ type }) => type === 'policy.loaded')).toHaveLength(1);
  });

  it('of a folder that is gone changes nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    const good = writ.policyHash;
    const aside = `${team.policies}-aside`;
    renameSync(team.policies, aside);
    const { status, policyHash, problem } = await writ.reloadPolicies();
    expect([status, policyHash, problem?.code]).toEqual(['kept', good, 'POLICY_INVALID']);
    expect((await team.run(writ, steps(['functionId: "tool::test_one"']))).status).toBe('completed');
    renameSync(aside, team.policies);
  });

  it('of policies that fail their own tests changes nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    // Carol is an adjuster here, and the ceiling of the shipped tests is another one.
    appendFileSync(path.join(team.policies, RULES), '# touched\n');
    const { status, problem } = await writ.reloadPolicies();
    expect(status).toBe('kept');
    expect(problem?.message).toMatch(
      /^tests\/ceilings\.yaml:\d+: "no step runs without a sandbox" expects deny and gets allow/u,
    );
  });

  it('is taken however often there was one: only what an unfinished run began under is kept', async () => {
    const { team } = here;
    withoutTests(team);
    const writ = await team.open();
    const run = await team.run(writ, TWO);
    for (let round = 0; round < 70; round++) {
      change(team, RULES, (text) => text.replace(/tests?\d*\*/u, `test${round}*`));
      expect((await writ.reloadPolicies()).status).toBe('loaded');
    }
    change(team, RULES, narrow);
    expect((await writ.reloadPolicies()).status).toBe('loaded');
    await team.drive(writ, run.id);
    await team.approve(writ, await team.pending(writ, run.id));
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 3 });
  });

  it('by several at once happens one after the other', async () => {
    const { team } = here;
    withoutTests(team);
    const writ = await team.open();
    writeFileSync(path.join(team.policies, 'rbac', 'more.yaml'), more);
    const all = await Promise.all([writ.reloadPolicies(), writ.reloadPolicies(), writ.reloadPolicies()]);
    expect(all.map(({ status }) => status)).toEqual(['loaded', 'unchanged', 'unchanged']);
  });
});

describe('HOLE: a change of the policies that meets a passing hindrance', () => {
  /** Keeps as a server does, while `act` changes the files once, until the new ones are in force. */
  async function kept(
    team: Team,
    writ: Pick<Writ, 'reloadPolicies' | 'policyMaxAgeMs'>,
  ): Promise<{ readonly told: readonly PolicyReload[]; readonly failures: readonly unknown[] }> {
    const [told, failures]: [PolicyReload[], unknown[]] = [[], []];
    const keeper = keepPolicies(writ, team.policies, {
      since: await policyFingerprint(team.policies),
      told: (reload) => told.push(reload),
      failed: (error) => failures.push(error),
      everyMs: 5,
    });
    try {
      change(team, RULES, narrow);
      await eventually(() => told.some(({ status }) => status === 'loaded') || null);
    } finally {
      await keeper.stop();
    }
    return { told, failures };
  }

  it('is taken once the store is not busy any more, with no further change of the files, and said once', async () => {
    const { team } = here;
    withoutTests(team);
    let [isBusy, tries] = [false, 0];
    const writ = await team.open({
      store: (inner) =>
        replacing(inner, {
          commit: (given) => {
            if (!isBusy || !given.entries.some(({ type }) => type === 'policy.loaded'))
              return inner.commit(given);
            tries += 1;
            isBusy = tries < 3;
            return Promise.reject(new WritError('STORE_BUSY', 'another process is writing'));
          },
        }),
    });
    const before = writ.policyHash;
    isBusy = true;
    const { told, failures } = await kept(team, writ);
    expect([tries, told.map(({ status }) => status)]).toEqual([3, ['loaded']]);
    expect(failures).toMatchObject([{ code: 'STORE_BUSY' }]);
    expect(writ.policyHash).not.toBe(before);
    const { error } = await team.run(writ, steps(['functionId: "tool::test_two"']));
    expect(error?.code).toBe('POLICY_NO_MATCH');
  });

  it.each([
    ['too many files are open', 'POLICY_INVALID', { code: 'EMFILE', syscall: 'open' }],
    ['a disk fails for a moment', 'POLICY_INVALID', { code: 'EIO', syscall: 'read' }],
    ['the store is busy', 'STORE_BUSY', {}],
  ] as const)('is taken once that is over: %s', async (message, code, system) => {
    const { team } = here;
    withoutTests(team);
    const load = async () => {
      const files = await readPolicyDirectory(team.policies);
      return { snapshot: await buildSnapshot({ files, canonicalize: canonicalJson }), files };
    };
    const live = new LivePolicy(await load(), { nowMs: 0 });
    let failing = 3;
    const reloadPolicies = () =>
      live.reload({
        load: () => {
          failing -= 1;
          if (failing < 0) return load();
          const cause = Object.assign(new Error(message), system);
          return Promise.reject(new WritError(code, message, { cause }));
        },
        record: async () => false,
        publish: () => Promise.reject(new Error('there is nothing to publish')),
        nowMs: () => 0,
      });
    const { told, failures } = await kept(team, { reloadPolicies, policyMaxAgeMs: null });
    expect(told.map(({ status, problem }) => [status, problem?.isPassing ?? null])).toEqual([
      ['kept', true],
      ['loaded', null],
    ]);
    expect(failures).toEqual([]);
  });

  it('is in force when its entry is in the log and could not be published, and that is said', async () => {
    const { team } = here;
    withoutTests(team);
    let isBusy = false;
    const writ = await team.open({
      locks: (inner) =>
        replacing(inner, {
          hold: (name, timeoutMs) => {
            if (!isBusy || name !== 'publish') return inner.hold(name, timeoutMs);
            isBusy = false;
            return Promise.reject(new WritError('STORE_BUSY', 'another process publishes'));
          },
        }),
    });
    const before = writ.policyHash;
    change(team, RULES, narrow);
    isBusy = true;
    expect((await refusalOf(writ.reloadPolicies())).code).toBe('STORE_BUSY');
    expect(writ.policyHash).not.toBe(before);
    const loaded = (await team.entries(null)).filter(({ type }) => type === 'policy.loaded');
    expect(loaded.at(-1)?.data['policyHash']).toBe(writ.policyHash);
    const { error } = await team.run(writ, steps(['functionId: "tool::test_two"']));
    expect(error?.code).toBe('POLICY_NO_MATCH');
    expect((await writ.reloadPolicies()).status).toBe('unchanged');
  });
});

describe('policies of which nobody knows whether they still hold', () => {
  const configure = (team: Team, settings: object): void => {
    const name = path.join(team.data, 'config.json');
    writeFileSync(
      name,
      JSON.stringify({ ...(JSON.parse(readFileSync(name, 'utf8')) as object), ...settings }),
    );
  };
  const ONE = steps(['functionId: "tool::test_one"']);

  it('let no step begin after policyMaxAgeSeconds without a good look at the files, to the millisecond', async () => {
    const { team } = here;
    withoutTests(team);
    configure(team, { policyMaxAgeSeconds: 60 });
    const writ = await team.open();
    expect(writ.policyMaxAgeMs).toBe(60_000);
    team.clock.advance(60_000);
    expect((await team.run(writ, ONE)).status).toBe('completed');
    team.clock.advance(1);
    const stale = await team.run(writ, ONE);
    expect(stale).toMatchObject({ exitCode: 3, error: { code: 'POLICY_STALE' } });
    expect(team.functions.calls).toHaveLength(1);
    const good = readFileSync(path.join(team.policies, RULES), 'utf8');
    change(team, RULES, () => 'broken');
    expect((await writ.reloadPolicies()).status).toBe('kept');
    expect((await team.run(writ, ONE)).error?.code).toBe('POLICY_STALE');
    change(team, RULES, () => good);
    expect((await writ.reloadPolicies()).status).toBe('unchanged');
    expect((await team.run(writ, ONE)).status).toBe('completed');
  });

  it('HOLE: are too old for a clock that says no time', async () => {
    const files = await readPolicyDirectory(here.team.policies);
    const snapshot = await buildSnapshot({ files, canonicalize: canonicalJson });
    const live = new LivePolicy({ snapshot, files }, { maxAgeMs: 60_000, nowMs: 0 });
    expect(live.staleness(60_000)).toBeNull();
    expect(live.staleness(Number.NaN)?.code).toBe('POLICY_STALE');
  });

  it.each([{ policyMaxAgeSeconds: 0 }, { policyMaxAgeSeconds: '60' }, { policyPin: 'latest' }])(
    'are no setting that can not be understood: %o',
    async (settings) => {
      const name = path.join(here.team.data, 'config.json');
      const good = readFileSync(name, 'utf8');
      configure(here.team, settings);
      await expect(here.team.open()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      writeFileSync(name, good);
    },
  );

  it('decide alone where the installation says policyPin: current', async () => {
    const { team } = here;
    withoutTests(team);
    configure(team, { policyPin: 'current' });
    const wide = readFileSync(path.join(team.policies, RULES), 'utf8');
    change(team, RULES, narrow);
    const writ = await team.open();
    const run = await team.run(writ, TWO);
    change(team, RULES, () => wide);
    expect((await writ.reloadPolicies()).status).toBe('loaded');
    await team.drive(writ, run.id);
    await team.approve(writ, await team.pending(writ, run.id));
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });
});
