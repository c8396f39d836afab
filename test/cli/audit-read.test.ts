// `writ audit show | prove | export | rotate-key | vkey --all`: what leaves the log, who may take it, and that somebody
// without this installation can check it.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Desk, FLOW, LOW, newDesk } from './claims-desk.js';
import { hosted } from './writ.js';

const AUDREY = { env: { WRIT_KEY: 'audrey.key' } };
const ADA = { env: { WRIT_KEY: 'ada.key' } };

interface ShownEntry {
  readonly index: string;
  readonly leafHash: string;
  readonly open: boolean;
  readonly entry: { readonly type: string; readonly seq: number };
}

let desk: Desk;
let run: string;
let shown: { readonly run: string; readonly size: string; readonly entries: readonly ShownEntry[] };

beforeAll(async () => {
  desk = await newDesk(hosted);
  for (const person of ['audrey', 'ada']) await desk.enrol(person);
  const ran = await desk.json(['run', FLOW, '--input', LOW]);
  run = (ran.value as { id: string }).id;
  shown = (await desk.json(['audit', 'show', run], AUDREY)).value as typeof shown;
});
afterAll(() => {
  desk.remove();
});

const last = (): ShownEntry => {
  const entry = shown.entries.at(-1);
  if (entry === undefined) throw new Error('the run has entries');
  return entry;
};

describe('writ audit show', () => {
  it('prints the entries of a run as one JSON value', () => {
    expect(shown.run).toBe(run);
    expect(shown.entries.map(({ entry }) => entry.seq)).toEqual(shown.entries.map((_, seq) => seq));
    expect(shown.entries[0]?.entry.type).toBe('run.started');
    expect(last().entry.type).toBe('run.finished');
    expect(shown.entries.some(({ open }) => open)).toBe(false);
  });

  it('prints them for people: time, type, actor, step, what decided, index and leaf hash', async () => {
    const { code, stdout } = await desk.run(['audit', 'show', run], AUDREY);
    expect(code).toBe(0);
    for (const { index, leafHash, entry } of shown.entries) {
      expect(stdout).toMatch(
        new RegExp(String.raw`^ *${index}  \S+Z  ${entry.type.replace('.', '\\.')} `, 'mu'),
      );
      expect(stdout).toContain(`leaf ${leafHash}`);
    }
    expect(stdout).toMatch(
      /authz\.decided {2}user:alice \(runner\) {2}step Triage attempt 1\n.*verdict allow.*\n.*ruleId CL-010/u,
    );
    expect(stdout).toContain('layers [org org-default;');
  });

  it('prints one entry in full', async () => {
    const { value } = await desk.json(['audit', 'show', '--index', last().index], AUDREY);
    expect(value).toEqual(last());
    const { stdout } = await desk.run(['audit', 'show', '--index', last().index], AUDREY);
    expect(stdout).toContain('"type": "run.finished"');
  });

  it.each<[string, readonly string[], number]>([
    ['neither run nor index', ['audit', 'show'], 2],
    ['both', ['audit', 'show', 'run_x', '--index', '1'], 2],
    ['an index that is no number', ['audit', 'show', '--index', '1e3'], 2],
    ['an index beyond the log', ['audit', 'show', '--index', '99999'], 2],
    ['a run that is not there', ['audit', 'show', 'run_x'], 2],
  ])('ends with 2 for %s', async (_, words, code) => {
    expect((await desk.run(words, AUDREY)).code).toBe(code);
  });

  it('ends with 3 for whoever has no right to read the log', async () => {
    const { code, stdout, stderr } = await desk.run(['audit', 'show', run]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('role:auditor');
  });
});

describe('writ audit prove', () => {
  it('writes a proof and its entry, which verify without the log', async () => {
    const place = desk.copy();
    const { index, leafHash } = last();
    const made = await place.json(['audit', 'prove', index, '--out', 'a.tlog-proof'], AUDREY);
    expect(made.value).toMatchObject({ index, leafHash, proof: 'a.tlog-proof', entry: 'a.entry' });
    const vkey = (await place.run(['audit', 'vkey'])).stdout;
    const good = await place.json(['audit', 'verify', 'a.tlog-proof', '--vkey', vkey, '--no-trust']);
    expect(good).toMatchObject({ code: 0, value: { verdict: 'verified', index, leafHash } });
    const unpinned = await place.json(['audit', 'verify', 'a.tlog-proof', '--no-trust']);
    expect(unpinned).toMatchObject({ code: 5, value: { verdict: 'unpinned' } });
    const people = await place.run(['audit', 'verify', 'a.tlog-proof', '--no-trust']);
    expect(people.stdout).toMatch(/^unpinned\nproof {3}a\.tlog-proof\n/u);
    expect(people.stdout).toContain(`\nentry   ${index}\nleaf    ${leafHash}`);
    expect(people.stderr).toContain('another source than the file');
    expect(people.stderr).not.toContain('this directory');
    writeFileSync(place.at('b.entry'), `${readFileSync(place.at('a.entry'), 'utf8')} `);
    const other = ['audit', 'verify', 'a.tlog-proof', '--entry', 'b.entry', '--vkey', vkey, '--no-trust'];
    expect(await place.json(other)).toMatchObject({ code: 5, value: { verdict: 'entry-mismatch' } });
    const byLeaf = await place.json(['audit', 'prove', leafHash, '--out', 'c.tlog-proof'], AUDREY);
    expect(byLeaf.value).toMatchObject({ index });
    place.remove();
  });

  it.each<[string, readonly string[]]>([
    ['no entry', ['audit', 'prove', '--out', 'x.tlog-proof']],
    ['two entries', ['audit', 'prove', '1', '--index', '2', '--out', 'x.tlog-proof']],
    ['no file', ['audit', 'prove', '1']],
    ['another ending', ['audit', 'prove', '1', '--out', 'x.proof']],
    ['an entry beyond the log', ['audit', 'prove', '--index', '99999', '--out', 'x.tlog-proof']],
    ['a leaf hash that is none', ['audit', 'prove', 'a'.repeat(64), '--out', 'x.tlog-proof']],
    ['half a leaf hash', ['audit', 'prove', 'a'.repeat(32), '--out', 'x.tlog-proof']],
  ])('ends with 2 for %s and writes nothing', async (_, words) => {
    expect((await desk.run(words, AUDREY)).code).toBe(2);
    expect(existsSync(desk.at('x.tlog-proof'))).toBe(false);
  });

  it('overwrites nothing', async () => {
    writeFileSync(desk.at('mine.entry'), 'mine');
    const ran = await desk.run(['audit', 'prove', '1', '--out', 'mine.tlog-proof'], AUDREY);
    expect(ran.code).toBe(2);
    expect(readFileSync(desk.at('mine.entry'), 'utf8')).toBe('mine');
  });
});

describe('writ audit export', () => {
  it('copies the log and its payloads, which verify elsewhere', async () => {
    const place = desk.copy();
    const made = await place.json(['audit', 'export', '--out', 'copy', '--payloads', 'p.jsonl'], AUDREY);
    expect(made).toMatchObject({ code: 0, value: { dir: 'copy', report: { verdict: 'verified' } } });
    expect(statSync(place.at('p.jsonl')).mode & 0o777).toBe(0o600);
    const { vkey } = made.value as { vkey: string };
    const words = ['audit', 'verify', 'copy', '--vkey', vkey, '--no-trust', '--payloads', 'p.jsonl'];
    expect(await place.json(words)).toMatchObject({ code: 0, value: { verdict: 'verified' } });
    const again = await place.run(['audit', 'export', '--out', 'copy'], AUDREY);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('not empty');
    place.remove();
  });

  it('is not for everybody, and asks where to', async () => {
    expect((await desk.run(['audit', 'export', '--out', 'mine'])).code).toBe(3);
    expect(existsSync(desk.at('mine'))).toBe(false);
    expect((await desk.run(['audit', 'export'], AUDREY)).code).toBe(2);
    expect((await desk.run(['audit', 'export', '--out', 'mine', '--size', '7777'], AUDREY)).code).toBe(2);
  });
});

describe('writ audit rotate-key', () => {
  it('replaces the key: this machine goes on, new pins verify, old ones are told what to do', async () => {
    const place = desk.copy();
    const old = (await place.run(['audit', 'vkey'])).stdout;
    const before = await place.run(['audit', 'prove', '1', '--out', 'before.tlog-proof'], AUDREY);
    expect(before.code).toBe(0);
    const { runs } = (await place.json(['workflow', 'list', '--runs'])).value as { runs: { id: string }[] };
    const bundle = ['audit', 'bundle', runs[0]?.id ?? '', '--out'];
    expect((await place.run([...bundle, 'before.html'], AUDREY)).code).toBe(0);
    await place.run(['audit', 'export', '--out', 'kept'], AUDREY);
    const made = await place.json(['audit', 'rotate-key'], ADA);
    expect(made).toMatchObject({ code: 0, value: { former: old } });
    const { vkey, entry } = made.value as { vkey: string; entry: string };
    expect((await place.run(['audit', 'vkey'])).stdout).toBe(vkey);
    expect((await place.run(['run', FLOW, '--input', LOW])).code).toBe(0);
    const verify = (...words: string[]) => place.json(['audit', 'verify', ...words]);
    expect(await verify()).toMatchObject({ code: 0, value: { verdict: 'verified' } });
    expect(await verify('--vkey', vkey, '--no-trust')).toMatchObject({ code: 0 });
    const pinned = await verify('--vkey', old, '--no-trust');
    expect(pinned).toMatchObject({ code: 5, value: { verdict: 'bad-signature' } });
    expect(pinned.stdout).toContain('pin');
    expect(await verify('before.tlog-proof', '--vkey', old, '--no-trust')).toMatchObject({ code: 0 });
    await place.run(['audit', 'prove', entry, '--out', 'after.tlog-proof'], AUDREY);
    expect(await verify('after.tlog-proof', '--vkey', vkey, '--no-trust')).toMatchObject({ code: 0 });
    expect(await verify('after.tlog-proof', '--vkey', old, '--no-trust')).toMatchObject({ code: 5 });
    // Evidence of before: under the key of its time, on this machine too, which has seen a larger log of the new key.
    expect(await verify('before.json', '--vkey', old)).toMatchObject({ code: 0 });
    const renewed = await verify('before.json', '--vkey', vkey);
    expect([renewed.code, renewed.stdout]).toEqual([5, expect.stringContaining("the bundle's time")]);
    // Evidence of after, shown to grow from a checkpoint of before: unpinned is not refused.
    await place.run([...bundle, 'after.html', '--old', 'kept/checkpoint'], AUDREY);
    expect(await verify('after.json', '--vkey', vkey)).toMatchObject({ code: 0 });
    expect(await verify('after.json', '--no-trust')).toMatchObject({ value: { verdict: 'unpinned' } });
    const all = await place.json(['audit', 'vkey', '--all']);
    expect(all.value).toMatchObject({ vkey, former: [{ vkey: old, entry }] });
    expect((await place.run(['audit', 'vkey', '--all'])).stdout).toMatch(
      /\n.* {2}replaced by entry [0-9]+, /u,
    );
    place.remove();
  });

  it('is refused to everybody else', async () => {
    const { code, stderr } = await desk.run(['audit', 'rotate-key'], AUDREY);
    expect(code).toBe(3);
    expect(stderr).toContain('audit.rotate_key');
  });
});
