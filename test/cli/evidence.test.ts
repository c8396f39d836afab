// `writ audit bundle | certify` and the verification of what they write: who may, what the files hold, and that somebody
// with nothing but the files and the vkey can judge them.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Desk, FLOW, LOW, newDesk } from './claims-desk.js';
import { hosted } from './writ.js';

const AUDREY = { env: { WRIT_KEY: 'audrey.key' } };

let desk: Desk;
let run: string;
let vkey: string;

beforeAll(async () => {
  desk = await newDesk(hosted);
  await desk.enrol('audrey');
  writeFileSync(desk.at('old.checkpoint'), readFileSync(desk.at('.writ', 'audit', 'checkpoint')));
  run = ((await desk.json(['run', FLOW, '--input', LOW])).value as { id: string }).id;
  vkey = (await desk.run(['audit', 'vkey'])).stdout.trim();
});
afterAll(() => {
  desk.remove();
});

const bundle = (...flags: string[]) => desk.json(['audit', 'bundle', run, ...flags], AUDREY);
const verify = (file: string, ...flags: string[]) =>
  desk.json(['audit', 'verify', file, '--no-trust', ...flags]);

describe('writ audit bundle', () => {
  it('writes a page and its JSON, private, that verify under the pinned key and under no other', async () => {
    const made = await bundle('--out', 'e.html', '--old', 'old.checkpoint', '--custodian', 'Maria Ruiz');
    expect(made.code).toBe(0);
    expect(made.value).toMatchObject({
      html: 'e.html',
      json: 'e.json',
      vkey,
      report: { verdict: 'verified', run, completeness: { state: 'closed' }, payloads: { withheld: 0 } },
    });
    for (const file of ['e.html', 'e.json']) {
      expect(statSync(desk.at(file)).mode & 0o777).toBe(0o600);
      expect(await verify(file, '--vkey', vkey)).toMatchObject({ code: 0, value: { verdict: 'verified' } });
      expect(await verify(file)).toMatchObject({ code: 5, value: { verdict: 'unpinned' } });
    }
    const hash = createHash('sha256')
      .update(readFileSync(desk.at('e.json')))
      .digest('hex');
    expect(made.value).toMatchObject({ sha256: hash });
  });

  it('can be judged by the log directory the key came from: the trust file knows it', async () => {
    const { code, value } = await desk.json(['audit', 'verify', 'e.json']);
    expect([code, value]).toMatchObject([0, { verdict: 'verified' }]);
  });

  it('tells people which run was verified, how far it is shown and how much of its data', async () => {
    const { code, stdout } = await desk.run(['audit', 'verify', 'e.json', '--no-trust', '--vkey', vkey]);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`\nrun     ${run}\nshown   closed: all `)]);
    expect(stdout).toMatch(/^verified\nbundle {2}e\.json\n/u);
    expect(stdout).toMatch(/^data {4}[1-9]\d* disclosed, 0 erased, 0 withheld$/mu);
  });

  it('refuses a changed file with its word, and a page whose code was changed with a warning', async () => {
    const json = readFileSync(desk.at('e.json'), 'utf8');
    writeFileSync(desk.at('bad.json'), json.replace('Maria Ruiz', 'Mario Ruiz'));
    expect(await verify('bad.json', '--vkey', vkey)).toMatchObject({
      code: 5,
      value: { verdict: 'malformed' },
    });
    const html = readFileSync(desk.at('e.html'), 'utf8');
    writeFileSync(desk.at('bad.html'), html.replace('Not checked', 'Verified'));
    const own = await verify('e.html', '--vkey', vkey);
    const other = await verify('bad.html', '--vkey', vkey);
    expect((own.value as { warnings: string[] }).warnings.join()).not.toContain('the page around');
    expect((other.value as { warnings: string[] }).warnings.join()).toContain('the page around');
    writeFileSync(desk.at('none.html'), '<html></html>');
    expect(await verify('none.html', '--vkey', vkey)).toMatchObject({
      code: 5,
      value: { verdict: 'malformed' },
    });
  });

  it('shows no data, or only data under the labels asked for', async () => {
    const none = await bundle('--out', 'none-shown.html', '--no-payloads');
    expect(none.value).toMatchObject({ report: { ok: true, payloads: { disclosed: 0 } } });
    const some = await bundle('--out', 'some.html', '--payload-labels', 'output');
    const labels = (
      JSON.parse(readFileSync(desk.at('some.json'), 'utf8')) as { disclosed: { label: string }[] }
    ).disclosed;
    expect(some.code).toBe(0);
    expect(new Set(labels.map(({ label }) => label))).toEqual(new Set(['output']));
  });

  it('is refused, exit 3, without the right, and leaves no file', async () => {
    const { code, stderr } = await desk.run(['audit', 'bundle', run, '--out', 'no.html']);
    expect(code).toBe(3);
    expect(stderr).toContain('audit.export');
    expect([existsSync(desk.at('no.html')), existsSync(desk.at('no.json'))]).toEqual([false, false]);
  });

  it.each([
    [['--out', 'e.html'], 'exists already'],
    [['--out', 'e.json'], 'ends in .html'],
    [[], 'ends in .html'],
    [['--out', 'x.html', '--no-payloads', '--payload-labels', 'input'], 'contradict'],
    [['--out', 'x.html', '--payload-labels', ','], 'no list of labels'],
    [['--out', 'x.html', '--payload-labels', 'output,bogus'], 'its labels: input, output'],
    [['--out', 'x.html', '--old', 'nowhere'], 'nowhere'],
  ])('is exit 2 for %j', async (flags, says) => {
    const { code, stderr } = await desk.run(['audit', 'bundle', run, ...flags], AUDREY);
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
    expect(existsSync(desk.at('x.html'))).toBe(false);
  });

  it('is exit 2 for a run that is not there, and overwrites only when asked', async () => {
    expect((await desk.run(['audit', 'bundle', 'run_none', '--out', 'x.html'], AUDREY)).code).toBe(2);
    expect((await bundle('--out', 'e.html', '--force')).code).toBe(0);
  });

  it('is refused for an older checkpoint of another log', async () => {
    const text = readFileSync(desk.at('old.checkpoint'), 'utf8');
    const [origin = '', size = ''] = text.split('\n');
    const other = `${origin}\n${size}\n${Buffer.alloc(32, 1).toString('base64')}\n${text.slice(text.indexOf('\n\n') + 1)}`;
    writeFileSync(desk.at('other.checkpoint'), other);
    const { code, stderr } = await desk.run(
      ['audit', 'bundle', run, '--out', 'x.html', '--old', 'other.checkpoint'],
      AUDREY,
    );
    expect([code, stderr]).toEqual([5, expect.stringContaining('no prefix of this log')]);
  });
});

describe('writ audit certify', () => {
  it('certifies the newest bundle of the run, by its hash', async () => {
    expect((await bundle('--out', 'c.html')).code).toBe(0);
    const { code, stdout } = await desk.run(['audit', 'certify', run, '--custodian', 'Maria Ruiz'], AUDREY);
    const hash = createHash('sha256')
      .update(readFileSync(desk.at('c.json')))
      .digest('hex');
    expect(code).toBe(0);
    expect(stdout).toContain(`SHA-256    ${hash}`);
    expect(stdout).toContain('I, Maria Ruiz, am the custodian');
    expect(stdout).toContain(vkey);
  });

  it('writes the same text to a file that is not there yet', async () => {
    const words = ['audit', 'certify', run, '--bundle', 'c.json', '--out', 'c.txt'];
    expect((await desk.run(words, AUDREY)).code).toBe(0);
    expect(readFileSync(desk.at('c.txt'), 'utf8')).toContain('It found: verified.');
    expect((await desk.run(words, AUDREY)).code).toBe(2);
  });

  it('takes the run from the bundle where none is named, and says so in its help', async () => {
    const { code, value } = await desk.json(['audit', 'certify', '--bundle', 'c.json'], AUDREY);
    expect([code, value]).toMatchObject([0, { bundle: 'c.json' }]);
    expect((value as { text: string }).text).toContain(run);
    expect((await desk.run(['audit', 'certify', '--bundle', 'bad.json'], AUDREY)).code).toBe(5);
    expect((await desk.run(['audit', 'certify', '--bundle', 'c.json'])).code).toBe(3);
    expect((await desk.run(['audit', 'certify'], AUDREY)).code).toBe(2);
    expect((await desk.run(['audit', 'certify', '--help'])).stdout).toContain('the one --bundle is about');
  });

  it('takes a custodian on one line, and the JSON, not the page', async () => {
    const of = (...words: string[]) => desk.run(['audit', 'certify', run, ...words], AUDREY);
    for (const name of ['a\nb', ' ', 'x'.repeat(201)]) {
      expect(await of('--custodian', name)).toMatchObject({ code: 2, stdout: '' });
      expect((await bundle('--out', 'name.html', '--custodian', name)).code).toBe(2);
    }
    expect(existsSync(desk.at('name.html'))).toBe(false);
    const page = await of('--bundle', 'c.html');
    expect([page.code, page.stderr]).toEqual([2, expect.stringContaining('--bundle c.json')]);
  });

  it('certifies nothing that does not verify, and nothing without the right', async () => {
    const bad = await desk.run(['audit', 'certify', run, '--bundle', 'bad.json', '--out', 'bad.txt'], AUDREY);
    expect(bad.code).toBe(5);
    expect(existsSync(desk.at('bad.txt'))).toBe(false);
    expect((await desk.run(['audit', 'certify', run])).code).toBe(3);
  });
});
