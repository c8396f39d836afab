// The standalone verifier as an auditor runs it, beside the built command: the same exit code, verdict and first
// finding on directories, proofs and bundles, and exit 2 for arguments that can't be read.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { evidencePage } from '../../src/audit/evidence/page-file.js';
import { formatPayloadLine } from '../../src/audit/payload-line.js';
import type { VerifyReport } from '../../src/audit/index.js';
import type { Commitment } from '../../src/json.js';
import { environmentOf, hosted, MAIN } from '../cli/writ.js';
import { decisive, SECOND_VERIFIER } from './second-verifier.js';

interface Vectors {
  readonly logs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly tests: readonly {
    readonly name: string;
    readonly proof: string;
    readonly entry: string;
    readonly bundle: string;
    readonly given: {
      readonly vkeys: readonly string[];
      readonly witnesses: readonly string[];
      readonly payloads?: Readonly<Record<string, { readonly salt: string; readonly bytes: string }>>;
    };
  }[];
}
const vectors = (name: string): Vectors =>
  JSON.parse(
    readFileSync(path.join(path.dirname(SECOND_VERIFIER), `vectors/${name}.json`), 'utf8'),
  ) as Vectors;
const decode = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');

const home = mkdtempSync(path.join(tmpdir(), 'writ-second-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const at = (...parts: string[]): string => path.join(home, ...parts);
const VKEY = vectors('tampered').tests[0]?.given.vkeys[0] ?? '';
const [W1 = '', W2 = '', W3 = ''] = vectors('witnesses').tests[0]?.given.witnesses ?? [];

/** The vkey of the same key under another name; with `at`, of a key that differs in that byte. */
function renamed(vkey: string, name: string, at?: number): string {
  const key = Buffer.from(vkey.split('+').slice(2).join('+'), 'base64');
  if (at !== undefined) key[at] = (key[at] ?? 0) ^ 1;
  const id = createHash('sha256').update(`${name}\n`).update(key).digest('hex').slice(0, 8);
  return `${name}+${id}+${key.toString('base64')}`;
}

function writeVector(file: string, log: string, folder: string): void {
  for (const [name, bytes] of Object.entries(vectors(file).logs[log] ?? {})) {
    mkdirSync(path.dirname(at(folder, name)), { recursive: true });
    writeFileSync(at(folder, name), decode(bytes));
  }
}

interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}
async function run(words: readonly string[]): Promise<Ran> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, words, {
    cwd: home,
    extendEnv: false,
    env: environmentOf(home),
    reject: false,
  });
  return { code: exitCode, stdout, stderr };
}
const runSecond = (...words: string[]): Promise<Ran> => run([SECOND_VERIFIER, ...words]);

/** Both commands on the same words: exit code and what decides agree. */
async function agree(verdict: string, ...words: string[]): Promise<VerifyReport> {
  const [second, first] = await Promise.all([
    runSecond(...words, '--json'),
    hosted(home, ['audit', 'verify', ...words, '--no-trust', '--json'], {}),
  ]);
  expect([second.stderr, first.stderr]).toEqual(['', '']);
  const [ours, theirs] = [first, second].map(({ stdout }) => JSON.parse(stdout) as VerifyReport);
  if (ours === undefined || theirs === undefined) throw new Error('two reports were expected');
  expect([second.code, decisive(theirs)]).toEqual([first.code, decisive(ours)]);
  expect([theirs.verdict, second.code]).toEqual([verdict, verdict === 'verified' ? 0 : 5]);
  const fields = 'verdict,ok,origin,size,root,cosignatures,findings,warnings,openIntents,erased'.split(',');
  for (const field of fields) expect(theirs).toHaveProperty(field);
  return theirs;
}

beforeAll(() => {
  writeVector('tampered', 'good', 'good');
  writeVector('witnesses', 'cosigned', 'cosigned');
  writeVector('payloads', 'committed', 'committed');
});

describe('a log directory', () => {
  beforeEach(() => {
    rmSync(at('log'), { recursive: true, force: true });
    cpSync(at('good'), at('log'), { recursive: true });
  });
  it('is verified, and unpinned without a key', async () => {
    await agree('verified', 'log', '--vkey', VKEY);
    await agree('verified', 'log', `--vkey=${VKEY}`, '--run', 'run-1');
    await agree('unpinned', 'log');
    symlinkSync(at('log'), at('alias'));
    await agree('verified', 'alias', '--vkey', VKEY);
    unlinkSync(at('alias'));
  });
  it('is judged with earlier checkpoints from a file, a folder and a copy of the log', async () => {
    mkdirSync(at('kept'));
    cpSync(at('log/checkpoints/00000000000000000005'), at('kept/five'));
    await agree('verified', 'log', '--vkey', VKEY, '--old', 'kept/five', '--old', 'kept', '--old', 'good');
    rmSync(at('log/checkpoints/00000000000000000300'));
    cpSync(at('log/checkpoints/00000000000000000005'), at('log/checkpoint'));
    await agree('rollback', 'log', '--vkey', VKEY, '--old', 'good');
  });
  it.each([
    ['checkpoint', 'missing'],
    ['tile', 'missing'],
    ['tile/entries/000', 'missing'],
    ['checkpoints/00000000000000000005', 'missing'],
    ['tile/0/000.p/5', 'extra'],
    ['policy', 'verified'],
  ])('whose %s is a link: %s', async (name, verdict) => {
    rmSync(at('log', name), { recursive: true, force: true });
    symlinkSync(at('good', name), at('log', name));
    await agree(verdict, 'log', '--vkey', VKEY);
  });
  it.each([
    ['an extra folder', 'x/y', 'extra'],
    ['a folder deeper than a log', 'a/b/c/d/e/f/g/h/i/j/k/l/m/n', 'extra'],
    ['a hidden file', '.x', 'extra'],
    ['a name with a line end', 'tile/0/0\n', 'malformed'],
    ['a left-over', 'x.tmp', 'verified'],
  ])('with %s: %s', async (_name, name, verdict) => {
    mkdirSync(path.dirname(at('log', name)), { recursive: true });
    writeFileSync(at('log', name), 'x');
    await agree(verdict, 'log', '--vkey', VKEY);
  });
  it('with a note longer than any note, and a tile longer than any tile', async () => {
    writeFileSync(at('log/checkpoint'), Buffer.alloc(70_000, 'x'));
    await agree('malformed', 'log', '--vkey', VKEY);
    cpSync(at('good/checkpoint'), at('log/checkpoint'));
    writeFileSync(at('log/tile/0/000'), Buffer.alloc(20_000_000));
    await agree('malformed', 'log', '--vkey', VKEY);
  });
  it('with witnesses, from flags and from a policy', async () => {
    const pin = ['cosigned', '--vkey', VKEY];
    await agree('verified', ...pin, '--witness', W1, '--witness', W2);
    await agree('verified', ...pin, '--witness', W1, '--witness', W3, '--quorum', '1');
    await agree('quorum-missing', ...pin, '--witness', W1, '--witness', W3);
    writeFileSync(
      at('policy'),
      `log ${VKEY}\nwitness w1 ${W1}\nwitness w3 ${W3}\ngroup g all w1 w3\nquorum g\n`,
    );
    await agree('quorum-missing', 'cosigned', '--policy', 'policy');
  });
  it('with an export of its payloads', async () => {
    const payloads = Object.entries(vectors('payloads').tests[0]?.given.payloads ?? {});
    const lines = payloads.map(([commitment, { salt, bytes }]) =>
      formatPayloadLine({
        commitment: commitment as Commitment,
        label: 'input',
        mediaType: 'text/plain',
        run: 'run-1',
        salt: decode(salt),
        bytes: decode(bytes),
      }),
    );
    writeFileSync(at('payloads'), Buffer.concat(lines));
    await agree('verified', 'committed', '--vkey', VKEY, '--payloads', 'payloads');
    writeFileSync(at('payloads'), '');
    await agree('erased-unlogged', 'committed', '--vkey', VKEY, '--payloads', 'payloads');
  });
  it('is told to people in words, with control characters made visible', async () => {
    expect(await runSecond('log', '--vkey', VKEY)).toMatchObject({ code: 0, stderr: '' });
    writeFileSync(at('log/\u001b[31m\u202e'), 'x');
    const { code, stdout } = await runSecond('log', '--vkey', VKEY);
    expect(code).toBe(5);
    expect(stdout).toMatch(/^extra\n/);
    expect(stdout).toContain('\\u{1b}[31m\\u{202e}');
  });
});

describe('a file', () => {
  it('with a proof is judged with the entry beside it, or the one that is named', async () => {
    const [proof] = vectors('proofs').tests;
    writeFileSync(at('p.tlog-proof'), decode(proof?.proof));
    writeFileSync(at('p.entry'), decode(proof?.entry));
    writeFileSync(at('other'), '{}');
    await agree('verified', 'p.tlog-proof', '--vkey', VKEY);
    await agree('entry-mismatch', 'p.tlog-proof', '--vkey', VKEY, '--entry', 'other');
  });
  it('with evidence is judged as JSON and as a page', async () => {
    const json = decode(vectors('evidence').tests[0]?.bundle);
    writeFileSync(at('e.json'), json);
    const page = Buffer.from(evidencePage(json, { script: '0', style: '' }));
    writeFileSync(at('e.html'), page);
    await agree('verified', 'e.json', '--vkey', VKEY);
    await agree('verified', 'e.html', '--vkey', VKEY);
    await agree('unpinned', 'e.html');
    writeFileSync(at('e.html'), Buffer.concat([page, page]));
    await agree('malformed', 'e.html', '--vkey', VKEY);
    writeFileSync(at('e.html'), '<!doctype html>');
    await agree('malformed', 'e.html', '--vkey', VKEY);
  });
});

describe('a bundle that costs more than its bytes is refused before it is built:', () => {
  it.each([
    ['a string of 32 MB of escapes', () => `"${'\\n'.repeat(16_000_000)}"`],
    ['60 million lists in one another', () => '['.repeat(60_000_000)],
    ['12 million empty objects', () => `[${'{},'.repeat(12_000_000)}{}]`],
  ])('%s', async (_name, text) => {
    writeFileSync(at('costly.json'), text());
    const heap = '--max-old-space-size=700';
    const words = ['costly.json', '--vkey', VKEY, '--json'];
    const [second, first] = [
      await run([heap, SECOND_VERIFIER, ...words]),
      await run([heap, MAIN, 'audit', 'verify', ...words, '--no-trust']),
    ];
    rmSync(at('costly.json'));
    expect([second.code, second.stderr, first.code, first.stderr]).toEqual([5, '', 5, '']);
    const reports = [first, second].map(({ stdout }) => JSON.parse(stdout) as VerifyReport);
    expect(reports.map(decisive)[0]).toEqual(reports.map(decisive)[1]);
  });
});

it('says how it is used when it is asked', async () => {
  const asked = await execa(process.execPath, [SECOND_VERIFIER, '--help'], { reject: false });
  expect(asked).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('usage: verify.mjs DIR') });
});

describe('arguments that can not be read are exit 2', () => {
  it.each<[string, readonly string[]]>([
    ['nothing to verify', []],
    ['two things', ['good', 'good']],
    ['a directory that is not there', ['absent']],
    ['a file that is no log', ['alone']],
    ['an unknown flag', ['good', '--nonsense']],
    ['a flag without its value', ['good', '--vkey']],
    ['a vkey that is none', ['good', '--vkey', 'x']],
    ['a witness key as log key', ['good', '--vkey', W1]],
    ['a log key as witness', ['good', '--witness', VKEY]],
    ['a quorum without witnesses', ['good', '--quorum', '1']],
    ['a quorum of 0', ['good', '--witness', W1, '--quorum', '0']],
    ['a quorum above its witnesses', ['good', '--witness', W1, '--quorum', '2']],
    ['a policy and witnesses', ['good', '--policy', 'none', '--witness', W1]],
    ['a policy that is not there', ['good', '--policy', 'absent']],
    ['a policy that can not be read', ['good', '--policy', 'alone']],
    ['an old checkpoint that is not there', ['good', '--old', 'absent']],
    ['an old checkpoint that is none', ['good', '--old', 'alone']],
    ['a folder with something else than checkpoints', ['good', '--old', 'good/tile/entries']],
    ['payloads that are not there', ['committed', '--payloads', 'absent']],
    ['payloads that are none', ['committed', '--payloads', 'alone']],
    ['a proof that is not there', ['absent.tlog-proof']],
    ['evidence that is not there', ['absent.json']],
    ['a witness given twice', ['good', '--witness', W1, '--witness', W1]],
    ['one witness under two names', ['good', '--witness', W1, '--witness', renamed(W1, 'else.example')]],
    ['a folder of no checkpoints', ['good', '--old', 'empty']],
    ['an entry beside a directory', ['good', '--entry', 'alone']],
    ['a run of a proof', ['p.tlog-proof', '--run', 'run-1']],
    ['payloads of a proof', ['p.tlog-proof', '--payloads', 'payloads']],
    ['a run of a bundle', ['e.json', '--run', 'run-1']],
    ['payloads of a bundle', ['e.json', '--payloads', 'payloads']],
    ['an entry beside a bundle', ['e.json', '--entry', 'alone']],
    ['two runs', ['good', '--run', 'run-1', '--run', 'run-2']],
    ['two policies', ['good', '--policy', 'none', '--policy', 'none']],
    ['a key and the policy of another log', ['good', '--vkey', VKEY, '--policy', 'elsewhere']],
    ['a key and a policy of its log and another', ['good', '--vkey', VKEY, '--policy', 'both']],
    ['a named pipe as payloads', ['committed', '--payloads', 'pipe']],
    ['a named pipe as policy', ['good', '--policy', 'pipe']],
    ['a named pipe as old checkpoint', ['good', '--old', 'pipe']],
    ['a named pipe as entry', ['p.tlog-proof', '--entry', 'pipe']],
  ])('%s', async (_name, words) => {
    writeFileSync(at('alone'), 'nonsense\n');
    writeFileSync(at('none'), 'quorum none\n');
    writeFileSync(at('payloads'), '');
    writeFileSync(at('p.tlog-proof'), decode(vectors('proofs').tests[0]?.proof));
    writeFileSync(at('e.json'), decode(vectors('evidence').tests[0]?.bundle));
    const other = renamed(VKEY, 'log.example/elsewhere', 32);
    writeFileSync(at('elsewhere'), `log ${other}\nquorum none\n`);
    writeFileSync(at('both'), `log ${VKEY}\nlog ${other}\nquorum none\n`);
    mkdirSync(at('empty'), { recursive: true });
    if (!existsSync(at('pipe'))) await execa('mkfifo', [at('pipe')]);
    const [second, first] = await Promise.all([
      runSecond(...words),
      hosted(home, ['audit', 'verify', ...(words.length > 0 ? words : ['absent']), '--no-trust'], {}),
    ]);
    expect([second.code, second.stdout, first.code]).toEqual([2, '', 2]);
    expect(second.stderr).toContain('verify.mjs: error: ');
    expect(second.stderr).not.toContain('    at ');
  });
});
