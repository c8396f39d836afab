// A secret that this installation knows by handle is in no file but its own, whoever pasted, echoed or built it.
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import { openSecrets } from '../../src/open.js';
import { FakeSandbox, field, refusalOf, states, steps, useTeam } from './fixture.js';
import { filesWith } from './stored-bytes.js';

const held = useTeam();

const SECRET = 'hunter2 "ünd/mehr"+=';
const HANDLE = '«secret claims-db»';

beforeEach(async () => {
  (await openSecrets(held.team.data)).set('claims-db', new Uint8Array(Buffer.from(SECRET)));
});

/** Every file with the value but the one that is there to hold it. */
function leaks(value = SECRET, name = 'claims-db'): readonly string[] {
  const own = path.join(held.team.data, 'secrets', name);
  return filesWith(held.team.data, value).filter((found) => !found.startsWith(own));
}

describe('the value of a secret', () => {
  it('pasted into an input is replaced before anything sees it: shown, approved, run and stored are one', async () => {
    const { team } = held;
    const writ = await team.open();
    team.functions.answer('tool::test_one', ({ input }) => ({ said: input }));
    const run = await team.run(
      writ,
      steps([
        'functionId: tool::test_one, promptTemplate: "{{ask}}", config: { ask: "{{ask}}" }, approval: { mode: async }',
      ]),
      { ask: `use ${SECRET}, or ${Buffer.from(SECRET).toString('base64')}` },
    );
    const approval = await team.pending(writ, run.id);
    const shown = (await writ.approval(approval.id)).display.join('\n');
    expect(shown).toContain(HANDLE);
    expect(leaks()).toEqual([]);
    await team.approve(writ, approval);
    const done = await team.drive(writ, run.id);
    expect(done.status).toBe('completed');
    expect(JSON.stringify(team.functions.calls[0]?.input)).toContain(HANDLE);
    expect(JSON.stringify(team.functions.calls[0]?.input)).not.toContain('hunter2');
    expect(JSON.stringify(done)).not.toContain('hunter2');
    expect(leaks()).toEqual([]);
  });

  it('echoed by a function, in any spelling, is replaced in outputs and in what comes after', async () => {
    const { team } = held;
    const writ = await team.open();
    const json = JSON.stringify({ nested: JSON.stringify({ SECRET }) });
    team.functions.answer('tool::test_one', () => ({
      [SECRET]: [SECRET, json, encodeURIComponent(SECRET), Buffer.from(`u:${SECRET}`).toString('base64')],
    }));
    const run = await team.run(
      writ,
      states('A', {
        A: { type: 'Task', resource: 'tool::test_one', next: 'B' },
        B: { type: 'Task', resource: 'tool::test_two', end: true },
      }),
    );
    expect(run.status).toBe('completed');
    expect(JSON.stringify(team.functions.calls[1]?.input)).not.toContain('hunter2');
    expect(leaks()).toEqual([]);
  });

  it('in an error is replaced in the message, the log and the run', async () => {
    const { team } = held;
    const writ = await team.open();
    const throws = [
      () => Promise.reject(new Error(`login with ${SECRET} failed`)),
      () => Promise.reject(new WritError('FUNCTION_FAILED', `login with ${SECRET} failed`)),
    ];
    for (const fail of throws) {
      team.functions.answer('tool::test_one', fail);
      const run = await team.run(writ, steps(['functionId: tool::test_one, promptTemplate: x']));
      expect(run.error?.message).toBe(`login with ${HANDLE} failed`);
      expect(JSON.stringify(run)).not.toContain('hunter2');
    }
    expect(leaks()).toEqual([]);
  });

  it('printed by a sandboxed program is replaced in stdout, stderr, its cause and its reason', async () => {
    const { team } = held;
    const sandbox = new FakeSandbox();
    const bytes = (text: string) => ({ bytes: new Uint8Array(Buffer.from(text)), truncated: false });
    const stderr = {
      bytes: new Uint8Array(Buffer.concat([Buffer.of(0xff, 0xc3), Buffer.from(SECRET)])),
      truncated: false,
    };
    sandbox.results = [
      { stdout: bytes(`{"a":${JSON.stringify(SECRET)}}`), stderr },
      // The last 2,000 characters become the cause: the cut goes through the secret.
      { exitCode: 3, stderr: bytes(`${SECRET}${'x'.repeat(2_000 - 8)}`) },
      { status: 'crashed', reason: `it said ${SECRET}`, evidence: { note: SECRET } },
    ];
    const writ = await team.open({ sandbox });
    for (const status of ['completed', 'failed', 'failed']) {
      const run = await team.run(writ, steps(['functionId: tool::wasm, config: { module: fake }']));
      expect(run.status).toBe(status);
      expect(JSON.stringify(run)).not.toContain('hunter2');
      expect(JSON.stringify(run)).not.toContain('mehr');
    }
    expect(leaks()).toEqual([]);
  });

  it('put together by a template is replaced before it is approved or run', async () => {
    const { team } = held;
    const writ = await team.open();
    const half = SECRET.length / 2;
    const run = await team.run(
      writ,
      steps([
        'functionId: tool::test_one, promptTemplate: x, config: { both: "{{a}}{{b}}" }, approval: { mode: async }',
      ]),
      { a: SECRET.slice(0, half), b: SECRET.slice(half) },
    );
    const approval = await team.pending(writ, run.id);
    expect((await writ.approval(approval.id)).display.join('\n')).toContain(HANDLE);
    await team.approve(writ, approval);
    await team.drive(writ, run.id);
    expect(JSON.stringify(team.functions.calls[0]?.input)).toContain(HANDLE);
    expect(leaks()).toEqual([]);
  });

  it('in a workflow is replaced in its text, with a warning; hidden behind escapes it is refused', async () => {
    const { team } = held;
    const writ = await team.open();
    const plain = 'hunter3hunter3';
    (await openSecrets(team.data)).set('plain', new Uint8Array(Buffer.from(plain)));
    const text = steps([`functionId: tool::test_one, config: { key: "${plain}" }`]);
    const checked = await writ.validate({ text, file: null });
    expect(checked).toMatchObject({ ok: true, diagnostics: [{ severity: 'warning' }] });
    const run = await team.run(writ, text);
    expect(run.status).toBe('completed');
    expect(JSON.stringify(team.functions.calls[0]?.input)).toContain('«secret plain»');
    expect(filesWith(path.join(team.data, 'audit'), plain)).toEqual([]);
    expect((await writ.workflow(run.workflow.id))?.source).not.toContain(plain);

    const hidden = text.replace(plain, '\\x68unter3hunter3');
    const refused = await writ.validate({ text: hidden, file: null });
    expect(refused.ok).toBe(false);
    expect(JSON.stringify(refused)).not.toContain(plain);
    expect((await refusalOf(team.start(writ, hidden))).code).toBe('DOC_INVALID');
  });

  it('in the reason of a decision is replaced', async () => {
    const { team } = held;
    const writ = await team.open();
    const run = await team.run(
      writ,
      steps(['functionId: tool::test_one, promptTemplate: x, approval: { mode: async }']),
    );
    const { id, subjectDigest } = await team.pending(writ, run.id);
    const vote = { decision: 'approve', digest: subjectDigest, reason: `I used ${SECRET}` } as const;
    await writ.decide(id, vote, await team.as(writ, 'bob'));
    expect(leaks()).toEqual([]);
  });

  it('in the basis of an erasure is replaced', async () => {
    const { team } = held;
    const writ = await team.open();
    const run = await team.run(writ, steps(['functionId: tool::test_one, promptTemplate: x']));
    const what = { kind: 'run', run: run.id, label: null } as const;
    const { run: erasure } = await writ.erase(
      { what, basis: `leak of ${SECRET}` },
      await team.as(writ, 'ada'),
    );
    await team.drive(writ, erasure ?? '');
    expect(leaks()).toEqual([]);
    expect(
      field((await writ.approval((await team.pending(writ, erasure ?? '')).id)).subject, 'input'),
    ).toMatchObject({
      basis: `leak of ${HANDLE}`,
    });
  });
});

describe('the value of a secret outside every payload', () => {
  const named = 'hunter2-not-a-name';
  beforeEach(async () => {
    (await openSecrets(held.team.data)).set('plain', new Uint8Array(Buffer.from(named)));
  });

  it('as the name of an agent instance is refused, and the refusal does not say it', async () => {
    const { team } = held;
    const writ = await team.open();
    const alice = await team.as(writ, 'alice');
    const source = steps(['functionId: tool::test_one, promptTemplate: x']);
    const error = await refusalOf(
      writ.start(
        { workflow: { text: source, file: null }, input: {}, agents: { 'claims-triage': named } },
        alice,
      ),
    );
    expect(error.code).toBe('USAGE');
    expect(`${error.message} ${error.hint}`).not.toContain(named);
    expect(leaks(named, 'plain')).toEqual([]);
  });

  it('in the reason of a short retention is replaced in the config file too', async () => {
    const { team } = held;
    const writ = await team.open();
    await writ.changeRetention({ days: 30, override: `as ${named} says` }, await team.as(writ, 'ada'));
    expect((await writ.retention()).override).toBe('as «secret plain» says');
    expect(leaks(named, 'plain')).toEqual([]);
  });

  it("in a custodian's name is replaced in the bundle", async () => {
    const { team } = held;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => 'done');
    const run = await team.run(writ, steps(['functionId: tool::test_one, promptTemplate: x']));
    const bundle = await writ.evidence(
      { run: run.id, first: null, payloads: 'all', custodian: `Ann ${named}`, files: [] },
      await team.as(writ, 'audrey'),
    );
    const text = Buffer.from(bundle).toString();
    expect(text).toContain('Ann «secret plain»');
    expect(text).not.toContain(named);
  });
});

describe('a secret made known while a run waits', () => {
  it('takes the approval with it: what would run is no longer what was approved', async () => {
    const { team } = held;
    const writ = await team.open();
    const late = 'known-only-later';
    const run = await team.run(
      writ,
      steps([
        'functionId: tool::test_one, promptTemplate: x, config: { key: "{{key}}" }, approval: { mode: async }',
      ]),
      { key: late },
    );
    const first = await team.pending(writ, run.id);
    await team.approve(writ, first);
    (await openSecrets(team.data)).set('late', new Uint8Array(Buffer.from(late)));
    const asked = await team.drive(writ, run.id);
    expect(asked.status).toBe('waiting');
    expect((await writ.approval(first.id)).record.state).toBe('withdrawn');
    await team.approve(writ, await team.pending(writ, run.id));
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
    expect(JSON.stringify(team.functions.calls[0]?.input)).toContain('«secret late»');
    const [intent] = (await team.entries(run.id)).filter((entry) => entry.type === 'step.intended');
    const committed = await team.stored((store) => store.payload(intent?.commit['input'] as never));
    expect(Buffer.from(committed?.bytes ?? []).toString()).toContain('«secret late»');
  });
});

describe('a secret that a function makes while it runs', () => {
  const minted = (n: number): string => `minted-value-${n}-abcdef`;
  const mint = (n: number): void => {
    writeFileSync(path.join(held.team.data, 'secrets', `minted-${n}`), minted(n), { mode: 0o600 });
  };

  it('is heard by nobody who watches, and is in no output', async () => {
    const { team } = held;
    const writ = await team.open();
    const heard: string[] = [];
    writ.onProgress(({ text }) => heard.push(text));
    team.functions.answer('tool::test_one', ({ progress }) => {
      progress?.('begun');
      mint(1);
      progress?.(`got ${minted(1)}`);
      return { got: minted(1) };
    });
    const run = await team.run(writ, steps(['functionId: tool::test_one']));
    expect(heard).toEqual(['begun', 'got «secret minted-1»']);
    expect(run.output).toEqual({ got: '«secret minted-1»' });
    expect(leaks(minted(1), 'minted-1')).toEqual([]);
  });

  it('is in no artifact, although a hundred items go on at once', async () => {
    const { team } = held;
    const policies = team.policiesWith('rbac/test.yaml', (document) => {
      const rule = { id: 'ART-1', effect: 'allow', subject: 'role:adjuster', domain: 'default' };
      document.addIn(
        ['rules'],
        document.createNode({ ...rule, action: 'artifact.write', resource: '*', reason: 'test' }),
      );
    });
    const writ = await team.open({ policies });
    const alice = await team.as(writ, 'alice');
    const put: Promise<{ readonly isRedacted: boolean }>[] = [];
    team.functions.answer('tool::test_one', ({ input }) => {
      const n = Number(field(input, 'n'));
      mint(n);
      put.push(writ.artifacts.put(new TextEncoder().encode(`x ${minted(n)} y`), null, alice));
      return { n };
    });
    await team.run(
      writ,
      steps(['functionId: tool::test_one, mode: fanout, items: [1, 2, 3, 4], config: { n: "{{item}}" }']),
    );
    expect((await Promise.all(put)).map(({ isRedacted }) => isRedacted)).toEqual([true, true, true, true]);
    for (const n of [1, 2, 3, 4]) expect(leaks(minted(n), `minted-${n}`)).toEqual([]);
  });
});

describe('a secret file that others may read', () => {
  it('stops the installation: its value may be known, or could be missed', async () => {
    const { team } = held;
    const file = path.join(team.data, 'secrets', 'claims-db');
    chmodSync(file, 0o644);
    expect((await refusalOf(team.open())).code).toBe('SECRET_UNREADABLE');
    chmodSync(file, 0o600);
    const writ = await team.open();
    writeFileSync(path.join(team.data, 'secrets', 'short'), 'x', { mode: 0o600 });
    const error = await refusalOf(team.run(writ, steps(['functionId: tool::test_one, promptTemplate: x'])));
    expect(error.code).toBe('SECRET_UNREADABLE');
    expect(team.functions.calls).toEqual([]);
    (await import('node:fs')).rmSync(path.join(team.data, 'secrets', 'short'));
  });
});
