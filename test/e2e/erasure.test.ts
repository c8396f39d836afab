// Erasing and redaction as people meet them: the built command, kill -9 at the worst moment, and another program that
// holds the database open.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FLOW, LOW, newDesk, type Desk } from '../cli/claims-desk.js';
import { environmentOf, hosted } from '../cli/writ.js';
import { filesWith } from '../runtime/stored-bytes.js';

const CLAIMANT = 'Erika Mustermann, Ünterstraße 5';
const BASIS = 'GDPR art. 17, case 2026-31';
const ADA = { env: { WRIT_KEY: 'ada.key' } };
const CAROL = { env: { WRIT_KEY: 'carol.key' } };
const BOB = { env: { WRIT_KEY: 'bob.key' } };

let first: Desk;
let desk: Desk;
let run: string;

beforeAll(async () => {
  first = await newDesk(hosted);
  for (const person of ['ada', 'carol']) await first.enrol(person);
  // A claim that names somebody.
  const { claim } = JSON.parse(readFileSync(first.at(LOW.slice(1)), 'utf8')) as { claim: object };
  writeFileSync(first.at('named.json'), JSON.stringify({ claim: { ...claim, notes: CLAIMANT } }));
  const ran = await first.json(['run', FLOW, '--input', '@named.json']);
  expect(ran.code).toBe(0);
  run = (ran.value as { id: string }).id;
});
beforeEach(() => {
  desk = first.copy();
  return () => {
    desk.remove();
  };
});
afterAll(() => {
  first.remove();
});

const vkey = (): string => readFileSync(desk.at('.writ', 'audit', 'vkey'), 'utf8').trim();

const erase = (...words: string[]) => desk.json(['audit', 'erase', ...words, '--basis', BASIS], ADA);

/** Bob and carol approve what waits; only the last one goes on with the run, if at all. Gives what carol is told. */
async function approve(last: readonly string[] = []): Promise<string> {
  const list = await desk.json(['approvals', 'list']);
  const { approvals } = list.value as { approvals: { id: string; subjectDigest: string }[] };
  const [{ id, subjectDigest } = { id: '', subjectDigest: '' }] = approvals;
  const vote = ['approvals', 'approve', id, '--digest', subjectDigest];
  expect((await desk.run([...vote, '--no-continue'], BOB)).code).toBe(0);
  return (await desk.run([...vote, ...last], CAROL)).stdout;
}

describe('writ audit erase', () => {
  it('waits for two people, and their last word erases; proofs made before still verify', async () => {
    expect(filesWith(desk.at('.writ'), CLAIMANT)).not.toEqual([]);
    const proof = await desk.run(['audit', 'verify', '--payloads']);
    expect(proof.code).toBe(0);
    const asked = await erase('--run', run);
    expect(asked).toMatchObject({ code: 10, value: { status: 'waiting' } });
    expect(asked.stderr).toContain('nothing is erased yet');
    expect(filesWith(desk.at('.writ'), CLAIMANT)).not.toEqual([]);
    writeFileSync(desk.at('old'), readFileSync(desk.at('.writ', 'audit', 'checkpoint')));

    await approve();
    expect(filesWith(desk.at('.writ'), CLAIMANT)).toEqual([]);
    const verified = await desk.run(['audit', 'verify', '--payloads', '--old', 'old']);
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.stdout).toMatch(/erased: payload [0-9a-f]{64}, logged in entry \d+/);
    expect((await desk.run(['workflow', 'results', run])).stdout).toMatch(/\(erased, entry \d+\)/);
    const again = await erase('--run', run);
    expect(again).toMatchObject({ code: 0, value: { run: null, erased: [], clean: true } });
  });

  it('shows what it did to whoever gave the last vote, and to whoever asks for it again', async () => {
    const asked = await erase('--run', run, '--label', 'input');
    const { id } = asked.value as { id: string };
    const said = await approve();
    // Two payloads of one run: the input is gone, the output is left.
    const left = /still there, and perhaps with the same data in them:\n {2}[0-9a-f]{64} {2}\w+ of run_/;
    expect(said).toMatch(/^erased {6}[0-9a-f]{64} {2}input of run_/m);
    const again = await desk.run(['audit', 'erase', '--run', run, '--label', 'input', '--basis', BASIS], ADA);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('erased before:') as string });
    for (const shown of [said, again.stdout]) {
      expect(shown).toMatch(left);
      expect(shown).toMatch(new RegExp(`^by run +${id}$`, 'm'));
      expect(shown).toContain('not reached: backups of the data directory, and copies that people made');
    }
  });

  it('goes on with the same command when nobody else did, and lists what was erased', async () => {
    await erase('--run', run, '--label', 'input');
    await approve(['--no-continue']);
    expect(filesWith(desk.at('.writ'), CLAIMANT)).not.toEqual([]);
    const done = await desk.run(['audit', 'erase', '--run', run, '--label', 'input', '--basis', BASIS], ADA);
    expect(done.code).toBe(0);
    expect(done.stdout).toMatch(/^erased {6}[0-9a-f]{64} {2}input of run_/m);
    expect(done.stdout).toContain('still there, and perhaps with the same data in them:');
    expect(done.stdout).toContain('not reached: backups');
  });

  it('removes the copies of the payloads that this installation made', async () => {
    const rules = desk.at('policies', 'rbac', 'export.yaml');
    writeFileSync(
      rules,
      'apiVersion: writ/v1\nkind: Rules\nrules:\n  - { id: X-1, effect: allow, subject: "user:ada", domain: default, action: audit.export, resource: "*", reason: test }\n',
    );
    const made = await desk.run(['audit', 'export', '--out', 'copy', '--payloads', 'payloads.jsonl'], ADA);
    expect(made.code).toBe(0);
    expect((await desk.run(['audit', 'bundle', run, '--out', 'claim.html'], ADA)).code).toBe(0);
    const copies = ['claim.html', 'claim.json', 'payloads.jsonl'].map((name) => desk.at(name));
    expect(copies.map((file) => existsSync(file))).toEqual([true, true, true]);
    const asked = await erase('--run', run);
    expect(asked.code, asked.stdout + asked.stderr).toBe(10);
    await approve(['--no-continue']);
    const done = await erase('--run', run);
    expect(done.code).toBe(0);
    expect((done.value as { copiesRemoved: string[] }).copiesRemoved.toSorted()).toEqual(copies);
    expect(copies.map((file) => existsSync(file))).toEqual([false, false, false]);
    expect(filesWith(desk.at('copy'), CLAIMANT)).toEqual([]);
    // A bundle made afterwards says what is gone.
    expect((await desk.run(['audit', 'bundle', run, '--out', 'after.html'], ADA)).code).toBe(0);
    const after = await desk.json(['audit', 'verify', 'after.json', '--vkey', vkey()]);
    expect(after).toMatchObject({ code: 0, value: { payloads: { disclosed: 0 } } });
    expect((after.value as { erased: unknown[] }).erased.length).toBeGreaterThan(0);
  });

  it.each([
    [2, ['--run', 'run_none']],
    [2, ['--payload', 'ab'.repeat(32)]],
    [2, ['--payload', 'xyz']],
    [2, []],
    [2, ['--expired', '--run', 'x']],
    [2, ['--label', 'input', '--payload', 'ab'.repeat(32)]],
  ])('ends with %i for %j', async (code, words) => {
    expect((await erase(...words)).code).toBe(code);
  });

  it('ends with 3 for somebody without the right, and with 2 without a basis', async () => {
    expect((await desk.run(['audit', 'erase', '--run', run, '--basis', 'x'], BOB)).code).toBe(3);
    expect((await desk.run(['audit', 'erase', '--run', run], ADA)).code).toBe(2);
  });
});

describe('killed between the erasure and the scrubbing', () => {
  it('leaves bytes in the files that the next command takes out', async () => {
    await erase('--run', run);
    await approve(['--no-continue']);
    const script = `
      import { openWrit, identify } from ${JSON.stringify(new URL('../../dist/open.js', import.meta.url).href)};
      const writ = await openWrit({ data: '.writ', policies: 'policies', wasmPool: 0 });
      // Told once it is durable, before anything else is done.
      writ.onEntry(({ type }) => { if (type === 'payload.erased') process.kill(process.pid, 'SIGKILL'); });
      const what = { kind: 'run', run: ${JSON.stringify(run)}, label: null };
      const { run } = await writ.erase({ what, basis: ${JSON.stringify(BASIS)} }, await identify(writ, 'ada.key'));
      await writ.drive(run, { stopAt: 'waiting', signal: new AbortController().signal });`;
    const killed = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: desk.folder,
      env: environmentOf(desk.folder),
    }).catch((error: { signal?: string }) => error);
    expect(killed).toMatchObject({ signal: 'SIGKILL' });
    expect(filesWith(desk.at('.writ'), CLAIMANT)).not.toEqual([]);
    expect((await desk.run(['workflow', 'status', run])).code).toBe(0);
    expect(filesWith(desk.at('.writ'), CLAIMANT)).toEqual([]);
    expect((await erase('--run', run)).code).toBe(0);
    expect((await desk.run(['audit', 'verify', '--payloads'])).code).toBe(0);
  });
});

describe('another program that reads an old state of the database', () => {
  it('is named as the reason, exit 6, and the same command finishes once it is gone', async () => {
    await erase('--run', run);
    await approve(['--no-continue']);
    const reader = spawn(
      process.execPath,
      [
        '-e',
        `const Database = require(${JSON.stringify(createRequire(import.meta.url).resolve('better-sqlite3'))});
         const db = new Database(process.argv[1], { readonly: true });
         db.exec('BEGIN'); db.prepare('SELECT count(*) FROM payload').get();
         process.stdout.write('reading'); process.stdin.resume().on('end', () => process.exit(0));`,
        desk.at('.writ', 'writ.db'),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const exit = once(reader, 'exit');
    await once(reader.stdout, 'data');
    const stuck = await erase('--run', run);
    expect(stuck).toMatchObject({ code: 6, value: { clean: false } });
    expect(stuck.stderr).toContain('still reads its old state');
    expect((await desk.run(['audit', 'verify', '--payloads'])).stdout).toContain('may still be in the store');
    reader.stdin.end();
    await exit;
    expect((await erase('--run', run)).code).toBe(0);
    expect(filesWith(desk.at('.writ'), CLAIMANT)).toEqual([]);
  });
});

describe('a payload taken out of the database by hand', () => {
  it('is erased-unlogged, exit 5', async () => {
    const db = new Database(desk.at('.writ', 'writ.db'));
    db.prepare("UPDATE payload SET salt = NULL, bytes = NULL WHERE label = 'input'").run();
    db.close();
    const found = await desk.run(['audit', 'verify', '--payloads']);
    expect([found.code, found.stdout.split('\n')[0]]).toEqual([5, 'erased-unlogged']);
  });
});

describe('writ audit retention', () => {
  it('shows, changes and refuses', async () => {
    expect((await desk.json(['audit', 'retention'])).value).toMatchObject({ days: 183 });
    expect((await desk.run(['audit', 'retention', '--days', '30'], ADA)).code).toBe(2);
    const short = ['audit', 'retention', '--days', '30', '--override-minimum', 'law X'];
    expect((await desk.run(short)).code).toBe(3);
    expect((await desk.run(short, ADA)).code).toBe(0);
    expect((await desk.run(['audit', 'retention'])).stdout).toContain('30 days');
    expect((await desk.run(['audit', 'verify'])).code).toBe(0);
  });
});

describe('writ secrets', () => {
  const SECRET = 'c0rrect/horse "battery"';

  it('keeps a value out of every file and off the screen, and never prints it', async () => {
    const set = await desk.run(['secrets', 'set', 'horse'], { input: `${SECRET}\n` });
    expect(set).toMatchObject({ code: 0 });
    expect(readFileSync(desk.at('.writ', 'secrets', 'horse'), 'utf8')).toBe(SECRET);
    const { claim } = JSON.parse(readFileSync(desk.at('named.json'), 'utf8')) as { claim: object };
    writeFileSync(desk.at('leak.json'), JSON.stringify({ claim: { ...claim, notes: `pw ${SECRET}` } }));
    const ran = await desk.json(['run', FLOW, '--input', '@leak.json']);
    expect(ran.code).toBe(0);
    const listed = await desk.run(['secrets', 'list']);
    expect(listed.stdout).toBe('horse');
    for (const { stdout, stderr } of [set, ran, listed]) expect(stdout + stderr).not.toContain('battery');
    expect(filesWith(desk.at('.writ'), SECRET)).toEqual([
      `${desk.at('.writ', 'secrets', 'horse')}: as it is`,
    ]);
    const id = (ran.value as { id: string }).id;
    expect((await desk.run(['workflow', 'results', id])).stdout).not.toContain('battery');
    expect((await desk.run(['secrets', 'remove', 'horse'])).code).toBe(0);
    expect((await desk.run(['secrets', 'remove', 'horse'])).code).toBe(2);
  });

  it.each([
    ['short', 'horse', '1234567'],
    ['no value', 'horse', ''],
    ['a path for a name', '../x', SECRET],
  ])('refuses %s', async (_, name, input) => {
    expect((await desk.run(['secrets', 'set', name], { input })).code).toBe(2);
  });
});
