// Bytes that somebody wrote into a log or a checkpoint against its reader, rightly hashed and rightly signed: JSON that
// two parsers read differently, numbers no double holds, text that is no text, notes at and beyond every limit. Each
// has its word; none is a crash, a hang or unbounded memory.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import {
  encodeBundle,
  leafHash,
  parseVkey,
  signNote,
  verifyLog,
  type Verdict,
  type VerifyReport,
} from '../../src/audit/index.js';
import { buildEntry } from '../../src/audit/entry.js';
import type { JsonObject } from '../../src/json.js';
import { environmentOf, MAIN } from '../cli/writ.js';
import { fastVerify, ORIGIN, START_MS, testSigner, type MemoryDirectory } from './log-fixture.js';
import { rawLog, writeLog } from './raw-log.js';

const signer = testSigner();
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const home = mkdtempSync(path.join(tmpdir(), 'writ-bytes-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

function entry(
  data: JsonObject,
  over: { run?: string | null; seq?: number; prev?: Uint8Array; type?: string } = {},
) {
  const { run = 'run-1', seq = 0, prev = null, type = 'secret.used' } = over;
  const actor = { id: 'user:alice', via: 'cli' };
  const fields = { type, run, tenant: 'default', actor, workflow: null, policy: null, data, commit: {} };
  return buildEntry(fields, { seq, prev, timeMs: START_MS });
}
const OPENED = entry(
  { origin: ORIGIN, vkey: signer.vkey, softwareVersion: '0' },
  { run: null, type: 'log.opened' },
);
const judge = (log: MemoryDirectory): Promise<VerifyReport> =>
  verifyLog(log, { vkeys: [signer.vkey], verifySignature: fastVerify });

/** An entry as text, with one piece of it replaced. */
const GOOD = new TextDecoder().decode(entry({ amount: 12, name: 'text' }));
const changed = (from: string, to: string): Uint8Array => {
  if (!GOOD.includes(from)) throw new Error(`${from} is not in the entry`);
  return utf8(GOOD.replace(from, to));
};
const raw = (...parts: (string | number)[]): Uint8Array =>
  Uint8Array.of(...parts.flatMap((part) => (typeof part === 'number' ? [part] : [...utf8(part)])));
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('an entry that was written against its reader', () => {
  it('is not refused when nothing is wrong with it', async () => {
    expect((await judge(rawLog([OPENED, utf8(GOOD)]))).verdict).toBe('verified');
  });

  const HALVES = GOOD.split('"text"');
  // prettier-ignore
  const cases: [string, Uint8Array, Verdict][] = [
    ['no bytes', new Uint8Array(), 'malformed'],
    ['one zero byte', Uint8Array.of(0), 'malformed'],
    ['65,535 zero bytes', new Uint8Array(65_535), 'malformed'],
    ['JSON that is no object', utf8('[]'), 'not-canonical'],
    ['null', utf8('null'), 'not-canonical'],
    ['an object without keys', utf8('{}'), 'not-canonical'],
    ['a byte order mark', raw(0xef, 0xbb, 0xbf, GOOD), 'malformed'],
    ['UTF-16', new Uint8Array(Buffer.from(GOOD, 'utf16le')), 'malformed'],
    ['a byte that is no UTF-8', raw(HALVES[0] ?? '', '"', 0xff, '"', HALVES[1] ?? ''), 'malformed'],
    ['an overlong encoding', raw(HALVES[0] ?? '', '"', 0xc0, 0x80, '"', HALVES[1] ?? ''), 'malformed'],
    ['a surrogate as UTF-8', raw(HALVES[0] ?? '', '"', 0xed, 0xa0, 0x80, '"', HALVES[1] ?? ''), 'malformed'],
    ['an escaped lone surrogate', changed('"text"', '"\\ud800"'), 'malformed'],
    ['surrogates in the wrong order', changed('"text"', '"\\udc00\\ud800"'), 'malformed'],
    ['a surrogate pair written as escapes', changed('"text"', '"\\ud83d\\ude00"'), 'not-canonical'],
    ['an escape that is not needed', changed('"text"', '"te\\u0078t"'), 'not-canonical'],
    ['an escaped slash', changed('"text"', '"\\/"'), 'not-canonical'],
    ['upper-case escape digits', changed('"text"', '"\\u001F"'), 'not-canonical'],
    ['a raw control character', changed('"text"', '"\u0001"'), 'malformed'],
    ['a key twice', changed('"amount":12', '"amount":12,"amount":12'), 'malformed'],
    ['a key twice, once escaped', changed('"amount":12', '"amount":12,"\\u0061mount":13'), 'malformed'],
    ['a second "type"', changed('"type":"secret.used"', '"type":"secret.used","type":"run.started"'), 'malformed'],
    ['a key __proto__', changed('"amount":12', '"__proto__":{"amount":13}'), 'verified'],
    ['a number beyond 2^53 that no double holds', changed('12', '9007199254740993'), 'malformed'],
    ['a number beyond 2^53-1 that a double holds', changed('12', '9007199254740992'), 'not-canonical'],
    ['2^53-1', changed('12', '9007199254740991'), 'verified'],
    ['a number of 400 digits', changed('12', '1'.repeat(400)), 'malformed'],
    ['a number of 60,000 digits', changed('12', '1'.repeat(60_000)), 'malformed'],
    ['a number that overflows', changed('12', '1e400'), 'malformed'],
    ['a number that vanishes', changed('12', '1e-400'), 'malformed'],
    ['an exponent of 60,000 digits', changed('12', `1e${'9'.repeat(60_000)}`), 'malformed'],
    ['minus zero', changed('12', '-0'), 'not-canonical'],
    ['a fraction of zero', changed('12', '12.0'), 'not-canonical'],
    ['an exponent', changed('12', '1.2e1'), 'not-canonical'],
    ['a plus sign', changed('12', '+12'), 'malformed'],
    ['a leading zero', changed('12', '012'), 'malformed'],
    ['hexadecimal', changed('12', '0x12'), 'malformed'],
    ['NaN', changed('12', 'NaN'), 'malformed'],
    ['a space', changed(':12', ': 12'), 'not-canonical'],
    ['a newline at the end', utf8(`${GOOD}\n`), 'not-canonical'],
    ['something after the value', utf8(`${GOOD}x`), 'malformed'],
    ['two values', utf8(GOOD + GOOD), 'malformed'],
    ['a comma too many', changed('"text"}', '"text",}'), 'malformed'],
    ['a comment', changed('12', '12/**/'), 'malformed'],
    ['keys out of order', changed('"amount":12,"name":"text"', '"name":"text","amount":12'), 'not-canonical'],
    ['a key more', changed('"v":1', '"v":1,"w":1'), 'not-canonical'],
    ['a key less', changed('"policy":null,', ''), 'not-canonical'],
    ['version 2', changed('"v":1', '"v":2'), 'not-canonical'],
    ['a day that does not exist', changed('2026-03-01T', '2026-02-30T'), 'not-canonical'],
    ['a leap second', changed('09:30:00.000Z', '23:59:60.000Z'), 'not-canonical'],
    ['nesting to the limit', changed('12', nested(62)), 'verified'],
    ['nesting beyond the limit', changed('12', nested(63)), 'malformed'],
    ['nesting 32,000 deep', changed('12', nested(32_000)), 'malformed'],
    ['65,000 openings', utf8('['.repeat(65_000)), 'malformed'],
    ['65,000 objects that begin', utf8('{"a":'.repeat(13_000)), 'malformed'],
    ['a string that does not end', utf8(`{"a":"${'x'.repeat(60_000)}`), 'malformed'],
    ['60,000 backslashes', changed('"text"', `"${'\\'.repeat(60_000)}"`), 'not-canonical'],
    ['5,000 keys', changed('"amount":12', Array.from({ length: 5_000 }, (_, i) => `"a${`${i}`.padStart(5, '0')}":0`).join()), 'verified'],
  ];
  it.each(cases)('with %s is judged', async (title, bytes, verdict) => {
    const log = rawLog([OPENED, bytes]);
    // As many backslashes as make a valid string are one in canonical form.
    const expected = title === '60,000 backslashes' ? 'verified' : verdict;
    expect((await judge(log)).verdict).toBe(expected);
    // To whoever does not read entries they are bytes.
    const opaque = await verifyLog(log, {
      vkeys: [signer.vkey],
      entries: 'opaque',
      verifySignature: fastVerify,
    });
    expect(opaque.verdict).toBe('verified');
  });

  it('may take a bundle apart in no other way than the tree says', async () => {
    const bundle = 'tile/entries/000.p/2';
    const log = rawLog([OPENED, utf8(GOOD)]);
    for (const bytes of [
      encodeBundle([OPENED, utf8(GOOD), new Uint8Array()]),
      encodeBundle([OPENED]),
      encodeBundle([raw(new TextDecoder().decode(OPENED), GOOD)]),
      Uint8Array.of(0xff, 0xff, ...OPENED),
      Uint8Array.of(0),
      new Uint8Array(),
    ]) {
      log.files.set(bundle, bytes);
      expect(await judge(log)).toMatchObject({ verdict: 'malformed', findings: [{ path: bundle }] });
    }
    log.files.set(bundle, encodeBundle([utf8(GOOD), OPENED]));
    expect(await judge(log)).toMatchObject({
      verdict: 'entry-mismatch',
      findings: [{ index: '0' }, { index: '1' }],
    });
  });
});

describe('a checkpoint that was written against its reader', () => {
  const good = (): MemoryDirectory => rawLog([OPENED]);
  const note = good().text('checkpoint');
  const [text = '', signatures = ''] = [note.split('\n\n')[0] + '\n', note.split('\n\n')[1]];
  const key = parseVkey(signer.vkey);
  const signed = (of: string): string => signNote(of, key, signer.sign);
  const root = text.split('\n')[2] ?? '';
  const of = (size: string, hash = root): string => `${ORIGIN}\n${size}\n${hash}\n`;
  const foreign = (i: number): string =>
    `\u2014 other${i}.example ${Buffer.alloc(68, i).toString('base64')}\n`;
  const many = (count: number): string => Array.from({ length: count }, (_, i) => foreign(i)).join('');

  // prettier-ignore
  it.each<[string, string | Uint8Array, Verdict]>([
    ['100 signatures', note + many(99), 'verified'],
    ['101 signatures', note + many(100), 'malformed'],
    ['5,000 signatures', note + many(5_000), 'malformed'],
    ['its signature twice', note + signatures, 'verified'],
    ['64 KiB of extension lines', signed(`${text}${'x'.repeat(65_536 - utf8(note).length - 1)}\n`), 'verified'],
    ['a byte more than 64 KiB', `${note}${'x'.repeat(65_537 - utf8(note).length)}`, 'malformed'],
    ['20 KB that no signature covers', `${note}${'x'.repeat(20_000)}\n`, 'malformed'],
    ['40,000 empty lines before it', `${'\n'.repeat(40_000)}${note}`, 'bad-signature'],
    ['nothing', '', 'malformed'],
    ['a newline', '\n', 'malformed'],
    ['no signature', text, 'malformed'],
    ['only signatures', `\n${signatures}`, 'malformed'],
    ['only those of strangers', `${text}\n${foreign(1)}`, 'bad-signature'],
    ['a byte order mark', `\ufeff${note}`, 'bad-signature'],
    ['carriage returns', note.replaceAll('\n', '\r\n'), 'malformed'],
    ['a null byte', note.replace('\n', '\0\n'), 'malformed'],
    ['a byte that is no UTF-8', new Uint8Array([...utf8(text), 0xff, ...utf8(`\n${signatures}`)]), 'malformed'],
    ['a size of 2^63-1', signed(of('9223372036854775807')), 'missing'],
    ['a size of 2^63', signed(of('9223372036854775808')), 'malformed'],
    ['a size of 2^64+1', signed(of('18446744073709551617')), 'malformed'],
    ['a size of 60,000 digits', signed(of('1'.repeat(60_000))), 'malformed'],
    ['a negative size', signed(of('-1')), 'malformed'],
    ['a signed size', signed(of('+1')), 'malformed'],
    ['a leading zero', signed(of('01')), 'malformed'],
    ['an exponent', signed(of('1e0')), 'malformed'],
    ['other digits', signed(of('\u0661')), 'malformed'],
    ['size 0 with a root', signed(of('0')), 'malformed'],
    ['a short root', signed(of('1', Buffer.alloc(31).toString('base64'))), 'malformed'],
    ['a root that is not canonical', signed(of('1', root.replace(/.=$/u, (end) => `${end === 'A=' ? 'B' : String.fromCharCode(end.charCodeAt(0) + 1)}=`))), 'malformed'],
    ['another root', signed(of('1', Buffer.alloc(32).toString('base64'))), 'fork'],
    ['another size', signed(of('2')), 'missing'],
    ['another origin', signed(text.replace(ORIGIN, 'other.example')), 'wrong-origin'],
    ['an empty origin', signed(`\n1\n${root}\n`), 'malformed'],
  ])('with %s is judged', async (_, bytes, verdict) => {
    const log = good();
    log.files.set('checkpoint', typeof bytes === 'string' ? utf8(bytes) : bytes);
    expect((await judge(log)).verdict).toBe(verdict);
  });
});

describe('a log that was made to fill the memory of its reader', () => {
  const COUNT = 1_500;
  const PAD = 'x'.repeat(60_000);
  const HEAP_MIB = 48;

  /** Rightly made entries, each of a run of its own, each with as much text beside what matters as fits. */
  const one = (i: number): Uint8Array =>
    i % 3 === 0
      ? entry(
          { stepPath: `step-${i}-of-a-run`, attempt: 1, verdict: 'needs_approval', pad: PAD },
          { run: `a-run-with-a-name-${i}`, type: 'authz.decided' },
        )
      : i % 3 === 1
        ? entry(
            {
              approvalId: `approval-of-run-${i}`,
              subjectDigest: 'ab'.repeat(32),
              stepPath: `step-${i}-of-a-run`,
              attempt: 1,
              expiresAt: '2026-03-02T09:30:00.000Z',
              quorum: 1,
              mode: 'sync',
              pad: PAD,
            },
            { run: `a-run-with-a-name-${i}`, type: 'approval.requested' },
          )
        : entry(
            {
              stepPath: `step-${i}-of-a-run`,
              attempt: 1,
              idempotencyKey: `key-of-the-step-${i}`,
              approvalId: null,
              function: 'f',
              pad: PAD,
            },
            { run: `a-run-with-a-name-${i}`, type: 'step.intended' },
          );

  it(`of ${COUNT} open runs and ${(COUNT * 60) / 1000} MB is verified with a heap of ${HEAP_MIB} MiB`, async () => {
    const dir = path.join(home, 'log');
    writeLog(rawLog([OPENED, ...Array.from({ length: COUNT }, (_, i) => one(i))]), dir);
    const { exitCode, stdout, stderr, stdio } = await execa(
      process.execPath,
      [
        `--max-old-space-size=${HEAP_MIB}`,
        '--import',
        path.join(import.meta.dirname, 'peak-memory.mjs'),
        MAIN,
      ].concat(['audit', 'verify', dir, '--vkey', signer.vkey, '--no-trust', '--json']),
      {
        extendEnv: false,
        env: environmentOf(home),
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        reject: false,
        timeout: 60_000,
      },
    );
    expect(stderr).toBe('');
    const report = JSON.parse(stdout) as VerifyReport;
    expect([exitCode, report.verdict, report.openIntents.length]).toEqual([0, 'verified', COUNT / 3]);
    expect(Number(stdio[3]) / 1024).toBeLessThan(300);
  });

  it('gives at most a hundred findings a rule, however much is wrong with it', async () => {
    const bad = Array.from({ length: 3_000 }, (_, i) =>
      entry({ i }, { run: 'one', seq: i, prev: leafHash(utf8(`${i}`)) }),
    );
    const report = await judge(rawLog([OPENED, ...bad]));
    expect(report.verdict).toBe('chain-broken');
    expect(report.findings).toHaveLength(100);
    expect(report.warnings).toContain('2900 more findings are not listed');
  });
});
