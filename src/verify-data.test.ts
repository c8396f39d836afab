// Verifying a directory as the command line does: what is remembered of a good verdict, and only of that.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { logOf, logOfSizes, note, ORIGIN, testSigner, type TestLog } from '../test/audit/log-fixture.js';
import { commitment, SALT_BYTES } from './audit/commitment.js';
import { formatPayloadLine } from './audit/payload-line.js';
import { verifyData, type VerifyDataOptions } from './verify-data.js';
import { openReadable } from './verify-source.js';

const folder = mkdtempSync(join(tmpdir(), 'writ-verify-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
let place = '';
let count = 0;
beforeEach(() => {
  place = join(folder, String(count++));
});
const VKEY = testSigner().vkey;
const OTHER = testSigner(ORIGIN, 8).vkey;

function written({ directory }: TestLog, name = 'audit'): string {
  for (const [path, bytes] of directory.files) {
    mkdirSync(dirname(join(place, name, path)), { recursive: true });
    writeFileSync(join(place, name, path), bytes);
  }
  return join(place, name);
}
const trustFile = (): string => join(place, 'trust.json');
const trusted = (): unknown => {
  const { logs } = JSON.parse(readFileSync(trustFile(), 'utf8')) as { logs: Record<string, unknown> };
  return logs[ORIGIN];
};
const verify = (dir: string, options: Partial<VerifyDataOptions> = {}) =>
  verifyData({ dir, vkeys: [VKEY], old: [], trust: trustFile(), run: null, payloads: false, ...options });

describe('what is remembered', () => {
  it('is the checkpoint that was verified and the key, and pins the log from then on', async () => {
    const log = await logOfSizes(5);
    const dir = written(log);
    expect((await verify(dir, { vkeys: [] })).verdict).toBe('unpinned');
    expect((await verify(dir)).verdict).toBe('verified');
    expect(trusted()).toEqual({ vkey: VKEY, checkpoint: log.directory.text('checkpoint') });
    expect((await verify(dir, { vkeys: [] })).verdict).toBe('verified');
    expect((await verify(written(await logOfSizes(4), 'older'), { vkeys: [] })).verdict).toBe('rollback');
    expect(trusted()).toMatchObject({ checkpoint: log.directory.text('checkpoint') });
  });
  it('is nothing of one run, of what was found wanting, or when no trust store is used', async () => {
    const dir = written(await logOf([note(1, 'a')]));
    expect((await verify(dir, { run: 'a' })).verdict).toBe('verified');
    expect((await verify(dir, { run: 'b' })).verdict).toBe('missing');
    expect((await verify(dir, { trust: null })).verdict).toBe('verified');
    expect(trusted).toThrow('ENOENT');
  });
  it('is never another key, unless the log leads from the known one to it', async () => {
    const dir = written(await logOfSizes(5));
    const record = { vkey: OTHER, checkpoint: null };
    const before = `${JSON.stringify({ v: 1, logs: { [ORIGIN]: record } })}\n`;
    writeFileSync(trustFile(), before);
    const report = await verify(dir);
    expect(report.verdict).toBe('verified');
    expect(report.warnings[0]).toContain('another key');
    expect(readFileSync(trustFile(), 'utf8')).toBe(before);
  });
  it('takes nothing from the verdict when it can not be written', async () => {
    const dir = written(await logOfSizes(5));
    writeFileSync(join(place, 'file'), '');
    const report = await verify(dir, { trust: join(place, 'file', 'trust.json') });
    expect(report.verdict).toBe('verified');
    expect(report.warnings[0]).toContain('not remembered');
  });
});

describe('a checkpoint that is exchanged while the log is verified', () => {
  /** The first read of `checkpoint` gives these bytes; the following ones what lies in the directory. */
  const first = (bytes: Uint8Array) => async (dir: string) => {
    const directory = await openReadable(dir);
    let reads = 0;
    return {
      ...directory,
      get: (path: string) =>
        path === 'checkpoint' && reads++ === 0 ? Promise.resolve(bytes) : directory.get(path),
    };
  };
  const decoy = new TextEncoder().encode(`other.example/log\n0\n${'A'.repeat(43)}=\n\n`);
  const verifyWith = (dir: string, bytes: Uint8Array) =>
    verifyData({ dir, vkeys: [VKEY], old: [], trust: trustFile(), run: null, payloads: false }, first(bytes));

  it('never makes a rolled-back log verified: trust is looked up for the origin that is judged', async () => {
    await verify(written(await logOfSizes(5)));
    const before = readFileSync(trustFile(), 'utf8');
    const older = written(await logOfSizes(4), 'older');
    expect((await verify(older)).verdict).toBe('rollback');
    expect((await verifyWith(older, decoy)).verdict).toBe('rollback');
    expect(readFileSync(trustFile(), 'utf8')).toBe(before);
  });
  it('is remembered as it was judged, under its own origin', async () => {
    const log = await logOfSizes(5);
    expect((await verifyWith(written(log), decoy)).verdict).toBe('verified');
    expect(trusted()).toEqual({ vkey: VKEY, checkpoint: log.directory.text('checkpoint') });
    expect(readFileSync(trustFile(), 'utf8')).not.toContain('other.example');
  });
});

describe('payloads of an export', () => {
  const salt = new Uint8Array(SALT_BYTES).fill(3);
  const bytes = new TextEncoder().encode('{}');
  const hex = commitment(salt, 'input', bytes);
  const line = { commitment: hex, label: 'input', mediaType: 'application/json', run: 'run-1', salt, bytes };
  const judge = async (lines: readonly Uint8Array[]): Promise<unknown[]> => {
    const dir = written(await logOf([{ ...note(1), commit: { input: hex } }]));
    const file = join(place, 'payloads.jsonl');
    writeFileSync(file, Buffer.concat(lines));
    const { verdict, findings } = await verify(dir, { trust: null, payloads: file });
    return [verdict, findings[0]?.index];
  };
  it('are compared with what the log committed to', async () => {
    expect(await judge([formatPayloadLine(line)])).toEqual(['verified', undefined]);
    expect(await judge([formatPayloadLine({ ...line, bytes: salt })])).toEqual(['payload-mismatch', '1']);
    expect(await judge([formatPayloadLine({ ...line, salt: bytes })])).toEqual(['payload-mismatch', '1']);
  });
  it('that are absent or erased without an entry that says so are found', async () => {
    expect(await judge([])).toEqual(['erased-unlogged', '1']);
    expect(await judge([formatPayloadLine({ ...line, salt: null, bytes: null })])).toEqual([
      'erased-unlogged',
      '1',
    ]);
  });
  it('that can not be read are a usage error with the number of the line', async () => {
    await expect(judge([formatPayloadLine(line), formatPayloadLine(line)])).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('line 2'),
    });
  });
});
