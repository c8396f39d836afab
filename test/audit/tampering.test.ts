// Any single changed byte of any file of a log is refused, with the word for that kind of file.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyLog, type Verdict } from '../../src/audit/index.js';
import { fastVerify, logOfSizes, testSigner, type MemoryDirectory } from './log-fixture.js';

const VKEY = testSigner().vkey;
const NOTE_WORDS: Verdict[] = ['malformed', 'bad-signature'];
const WORDS: [RegExp, Verdict[]][] = [
  [/^checkpoint/, NOTE_WORDS],
  [/^vkey$/, NOTE_WORDS],
  // A changed length makes a bundle unreadable.
  [/^tile\/entries\//, ['entry-mismatch', 'malformed']],
  [/^tile\/[0-9]/, ['tile-mismatch']],
];

async function verdictOfFlip(
  directory: MemoryDirectory,
  path: string,
  at: number,
  bit: number,
): Promise<Verdict> {
  const changed = directory.copy();
  const bytes = new Uint8Array(changed.files.get(path) ?? []);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  changed.files.set(path, bytes);
  const { verdict, ok } = await verifyLog(changed, {
    vkeys: [VKEY],
    verifySignature: fastVerify,
  });
  expect(ok).toBe(false);
  return verdict;
}

function wordsFor(path: string): Verdict[] {
  return WORDS.find(([pattern]) => pattern.test(path))?.[1] ?? [];
}

describe('a log of 5 entries, published at 2 and 5', () => {
  it('is refused with the right word for every byte of every file', async () => {
    const { directory } = await logOfSizes(2, 5);
    for (const [path, bytes] of directory.files) {
      for (let at = 0; at < bytes.length; at++) {
        const verdict = await verdictOfFlip(directory, path, at, at % 8);
        if (!wordsFor(path).includes(verdict))
          expect(`${path} byte ${at}: ${verdict}`).toBe(wordsFor(path).join());
      }
    }
  });
});

describe('a log of 300 entries, published at 1, 256 and 300', () => {
  let directory: MemoryDirectory;
  beforeAll(async () => {
    ({ directory } = await logOfSizes(1, 256, 300));
  });
  it('is refused with the right word for any byte of every file', async () => {
    for (const [path, bytes] of directory.files) {
      await fc.assert(
        fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
          expect(wordsFor(path)).toContain(await verdictOfFlip(directory, path, at, bit));
        }),
        { numRuns: 12 },
      );
    }
  });
  it('names the entry whose bytes were changed', async () => {
    const path = 'tile/entries/000';
    const changed = directory.copy();
    const bytes = new Uint8Array(changed.files.get(path) ?? []);
    const at = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0) + 2 + 2 + 10;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    changed.files.set(path, bytes);
    const report = await verifyLog(changed, { vkeys: [VKEY], verifySignature: fastVerify });
    expect(report.findings).toMatchObject([{ verdict: 'entry-mismatch', index: '1', path }]);
  });
});
