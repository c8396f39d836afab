// `writ audit verify` with everything it can be given: witnesses, policies, old checkpoints, exports of payloads; and
// exit 2 for each argument that can't be read, where a log that can't be read is a verdict.
import { ed25519 } from '@noble/curves/ed25519.js';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addSignatureLines,
  cosignatureLine,
  formatVkey,
  parseNote,
  parseVkey,
} from '../../src/audit/index.js';
import { hosted, newPlace, type Place } from './writ.js';

const witness = (seed: number) => {
  const secret = new Uint8Array(32).fill(seed);
  const vkey = formatVkey(`w${seed}.example`, 4, ed25519.getPublicKey(secret));
  return { vkey, key: parseVkey(vkey), sign: (message: Uint8Array) => ed25519.sign(message, secret) };
};
const [A, B] = [witness(1), witness(2)];
/** Later than any entry of these tests, in every clock. */
const SECONDS = 4_102_444_800n;

let place: Place;
let vkey = '';
const at = (...names: string[]): string => join(place.folder, ...names);
const verify = (...words: string[]) => place.json(['audit', 'verify', ...words]);
const verdictOf = async (...words: string[]): Promise<unknown[]> => {
  const { code, value } = await verify(...words);
  return [code, (value as { verdict?: string }).verdict];
};
const refused = async (words: readonly string[], says: string, code = 'USAGE'): Promise<void> => {
  const { code: exit, value } = await verify(...words);
  expect([words, exit, value]).toMatchObject([
    words,
    2,
    { error: { code, message: expect.stringContaining(says) } },
  ]);
};

beforeAll(async () => {
  place = newPlace(hosted);
  await place.run(['init', '--origin', 'audit.example.com/claims']);
  vkey = (await place.run(['audit', 'vkey'])).stdout;
  cpSync(at('.writ', 'audit'), at('copy'), { recursive: true });
  const note = readFileSync(at('copy', 'checkpoint'), 'utf8');
  const line = cosignatureLine(parseNote(note).text, A.key, SECONDS, A.sign);
  writeFileSync(at('copy', 'checkpoint'), addSignatureLines(note, [line]));
  const policy = (quorum: string): string =>
    `log ${vkey}\nwitness a ${A.vkey}\nwitness b ${B.vkey}\ngroup two all a b\nquorum ${quorum}\n`;
  writeFileSync(at('one.policy'), policy('a'));
  writeFileSync(at('two.policy'), policy('two'));
});
afterAll(() => {
  rmSync(place.folder, { recursive: true });
});

describe('witnesses', () => {
  it('of a policy that cosigned are shown, with their times', async () => {
    const { code, value } = await verify('copy', '--policy', 'one.policy', '--no-trust');
    expect([code, value]).toMatchObject([
      0,
      { verdict: 'verified', cosignatures: [{ name: 'w1.example', time: SECONDS.toString() }] },
    ]);
    const { stdout } = await place.run(['audit', 'verify', 'copy', '--policy', 'one.policy', '--no-trust']);
    expect(stdout).toContain(`witness w1.example+${A.key.keyId} at 2100-01-01T00:00:00Z`);
  });
  it('that are missing are named, exit 5', async () => {
    const { code, value } = await verify('copy', '--policy', 'two.policy', '--no-trust');
    expect([code, value]).toMatchObject([
      5,
      { verdict: 'quorum-missing', findings: [{ message: expect.stringContaining('missing b') }] },
    ]);
  });
  it('may be given as keys with a number', async () => {
    const given = ['copy', '--vkey', vkey, '--no-trust', '--witness', A.vkey, '--witness', B.vkey];
    expect(await verdictOf(...given, '--quorum', '1')).toEqual([0, 'verified']);
    expect(await verdictOf(...given, '--quorum', '2')).toEqual([5, 'quorum-missing']);
    expect(await verdictOf(...given)).toEqual([5, 'quorum-missing']);
  });
});

describe('what is trusted on this machine', () => {
  it('is set by the first verification under a key from outside, and then finds an older log', async () => {
    const trust = ['--trust', 'trust.json'];
    expect(await verdictOf('copy', ...trust)).toEqual([5, 'unpinned']);
    expect(await verdictOf('copy', ...trust, '--vkey', vkey)).toEqual([0, 'verified']);
    expect(await verdictOf('copy', ...trust)).toEqual([0, 'verified']);
    const trusted = JSON.parse(readFileSync(at('trust.json'), 'utf8')) as { logs: Record<string, unknown> };
    expect(trusted.logs['audit.example.com/claims']).toEqual({
      vkey,
      checkpoint: readFileSync(at('copy', 'checkpoint'), 'utf8'),
    });
  });
  it('is not touched by a verification of one run, nor by one that found something', async () => {
    const trust = ['--trust', 'other.json', '--vkey', vkey];
    await verdictOf('copy', ...trust, '--run', 'no-such-run');
    expect(await verdictOf('copy', ...trust, '--witness', B.vkey)).toEqual([5, 'quorum-missing']);
    expect(() => readFileSync(at('other.json'))).toThrow('ENOENT');
  });
});

describe('earlier checkpoints', () => {
  const pinned = (): string[] => ['copy', '--vkey', vkey, '--no-trust'];
  it('may be a file, a copy of the log or a folder', async () => {
    mkdirSync(at('kept'));
    cpSync(at('.writ', 'audit', 'checkpoint'), at('kept', 'monday'));
    for (const old of [join('kept', 'monday'), 'kept', join('.writ', 'audit')]) {
      expect([old, await verdictOf(...pinned(), '--old', old)]).toEqual([old, [0, 'verified']]);
    }
  });
  it('that are no checkpoints are exit 2', async () => {
    await refused([...pinned(), '--old', 'absent'], 'absent');
    await refused([...pinned(), '--old', 'one.policy'], 'one.policy');
  });
});

describe('payloads', () => {
  it('may come from a file of lines, and are missing from an empty one without consequence', async () => {
    // The log of this test commits to nothing; what a line says is compared in test/audit.
    writeFileSync(at('none.jsonl'), '');
    expect(await verdictOf('copy', '--vkey', vkey, '--no-trust', '--payloads', 'none.jsonl')).toEqual([
      0,
      'verified',
    ]);
    expect(await verdictOf('--vkey', vkey, '--no-trust', '--payloads')).toEqual([0, 'verified']);
  });
  it('that can not be read are exit 2', async () => {
    writeFileSync(at('bad.jsonl'), '{}\n');
    await refused(['copy', '--vkey', vkey, '--payloads', 'bad.jsonl'], 'line 1');
    await refused(['--vkey', vkey, '--payloads', 'copy'], 'is a directory');
  });
});

describe('arguments that can not be read are exit 2', () => {
  it('as keys and policies', async () => {
    await refused(['--vkey', 'nonsense'], 'invalid vkey');
    await refused(['--witness', A.vkey, '--quorum', '2'], "can't be met", 'AUDIT_POLICY_INVALID');
    await refused(['--witness', A.vkey, '--quorum', 'all'], 'number of witnesses');
    writeFileSync(at('bad.policy'), `log ${vkey}\nquorum a\n`);
    await refused(['--policy', 'bad.policy'], 'line 2', 'AUDIT_POLICY_INVALID');
  });
  it('as what is to be verified', async () => {
    await refused(['absent'], 'absent');
    await refused(['absent.tlog-proof'], 'absent');
    await refused(['one.policy'], 'neither a log directory nor a file');
  });
  it('when they are for something else than what is given: what is not checked must not look checked', async () => {
    writeFileSync(at('x.json'), '{}');
    await refused(['copy', '--entry', 'one.policy'], '--entry is for a .tlog-proof');
    await refused(['x.json', '--run', 'r'], '--run is for a log directory');
    await refused(['x.json', '--payloads'], '--payloads is for a log directory');
  });
  it('but a bundle or proof that holds nonsense is a verdict', async () => {
    writeFileSync(at('x.tlog-proof'), 'nonsense\n');
    writeFileSync(at('x.entry'), '');
    writeFileSync(at('x.html'), '<html></html>');
    writeFileSync(at('y.json'), '{');
    for (const file of ['x.tlog-proof', 'x.html', 'y.json']) {
      expect([file, await verdictOf(file, '--vkey', vkey)]).toEqual([file, [5, 'malformed']]);
    }
    rmSync(at('x.entry'));
    await refused(['x.tlog-proof'], 'x.entry');
  });
});

describe('what people are shown', () => {
  const shown = (...words: string[]) => place.run(['audit', 'verify', ...words]);
  it('names the directory that was judged', async () => {
    const own = await shown('--vkey', vkey, '--no-trust');
    expect(own.stdout).toMatch(/^verified\nlog {5}\.writ\/audit\n/u);
    expect((await shown('copy', '--vkey', vkey, '--no-trust')).stdout).toContain('log     copy\n');
  });
  it('tells a data directory that is not there from a damaged log: exit 2, with the path', async () => {
    const { code, stderr } = await place.run(['--data', at('none'), 'audit', 'verify']);
    expect([code, stderr]).toEqual([2, expect.stringContaining(at('none', 'audit'))]);
  });
  it('asks whether the log inside a data directory was meant, and says where a log usually is', async () => {
    const { code, stdout, stderr } = await shown('.writ', '--no-trust');
    expect([code, stdout]).toEqual([5, expect.stringContaining('log     .writ\n')]);
    expect(stderr).toContain(`did you mean ${join('.writ', 'audit')}?`);
    mkdirSync(at('empty'));
    expect((await shown('empty', '--no-trust')).stderr).toContain('<data>/audit');
  });
  it('says what to do with an older copy that the trust store calls a rollback', async () => {
    cpSync(at('.writ', 'audit'), at('older'), { recursive: true });
    await place.run(['audit', 'retention', '--days', '200']);
    const trust = ['--trust', 'later.json', '--vkey', vkey];
    expect(await verdictOf(...trust)).toEqual([0, 'verified']);
    const { code, stdout, stderr } = await shown('older', ...trust);
    expect([code, stdout]).toEqual([5, expect.stringMatching(/^rollback/u)]);
    expect(stderr).toContain('--no-trust with --vkey V judges it alone');
    expect(await verdictOf('older', '--no-trust', '--vkey', vkey)).toEqual([0, 'verified']);
  });
  it('is how many payloads were checked', async () => {
    const { stdout } = await shown('--vkey', vkey, '--no-trust', '--payloads');
    expect(stdout).toMatch(/payloads checked against their commitments: \d+ hold/u);
    expect((await shown('--vkey', vkey, '--no-trust')).stdout).not.toContain('payloads checked');
  });
  it('is where payloads come from when no store lies beside the log', async () => {
    mkdirSync(at('away'));
    cpSync(at('.writ', 'audit'), at('away', 'log'), { recursive: true });
    const { code, stderr } = await shown(join('away', 'log'), '--vkey', vkey, '--no-trust', '--payloads');
    expect([code, stderr]).toEqual([2, expect.stringContaining('give --payloads FILE')]);
  });
  it('is ten findings of a log that has more', async () => {
    cpSync(at('.writ', 'audit'), at('flood'), { recursive: true });
    for (let i = 0; i < 25; i++) writeFileSync(at('flood', `extra-${i}`), '');
    const { stdout } = await shown('flood', '--vkey', vkey, '--no-trust');
    expect(stdout.match(/^extra/gmu)).toHaveLength(1 + 10);
    expect(stdout).toContain('and 15 more findings (--json shows them)');
    expect(
      ((await verify('flood', '--vkey', vkey, '--no-trust')).value as { findings: unknown[] }).findings,
    ).toHaveLength(25);
  });
  it('is which of many old checkpoints is signed by nobody', async () => {
    const note = readFileSync(at('copy', 'checkpoint'), 'utf8');
    const [origin, size = ''] = note.split('\n');
    writeFileSync(at('foreign'), note.replaceAll(String(origin), 'other.example/log'));
    const { stdout } = await shown('copy', '--vkey', vkey, '--no-trust', '--old', 'foreign');
    expect(stdout).toContain(`old checkpoint 1 (size ${size}): `);
  });
  it('is a message about sizes for a size that is none', async () => {
    const { code, stderr } = await place.run(['audit', 'export', '--out', 'out', '--size', 'x']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('"x" is no size of a log')]);
    expect(stderr).not.toContain('index');
  });
});
