// The standalone verifier is a second opinion only if it shares nothing with the first, and worth something only if it
// comes to the same verdict: on the shared corpus, and on every single-byte change of a log with rich content.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  base64,
  corpus,
  CORPUS_NOTE,
  HAVE_CORPUS,
  hex,
  type CheckpointCase,
  type ConsistencyCase,
  type InclusionCase,
  type NoteCase,
} from './corpus.js';
import { MemoryDirectory } from './log-fixture.js';
import { decisive, judgeFirst, judgeSecond, second, SECOND_VERIFIER, type Given } from './second-verifier.js';

describe('the files of the second verifier', () => {
  const folder = path.dirname(SECOND_VERIFIER);
  const files = ['verify.mjs', ...readdirSync(path.join(folder, 'verify')).map((name) => `verify/${name}`)];
  it.each(files)('%s imports node:crypto, node:fs, node:path and its neighbours alone', (name) => {
    const text = readFileSync(path.join(folder, name), 'utf8');
    const imported = [...text.matchAll(/(?:from|import|import\()\s*'([^']+)'/g)].map(([, from]) => from);
    const allowed = /^(node:(crypto|fs|path)|\.\/(verify\/)?(tlog|trust|entries|evidence)\.mjs)$/;
    expect(imported.filter((from) => !allowed.test(from ?? ''))).toEqual([]);
    expect(text.split('\n').length - 1).toBeLessThan(400);
  });
});

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    // Only a refusal carries a verdict: a crash is not one.
    expect(error).toHaveProperty('verdict');
    return null;
  }
}

describe.skipIf(!HAVE_CORPUS)(`the shared vectors, by the second verifier${CORPUS_NOTE}`, () => {
  it.each(['inclusion.json', 'generated-inclusion.json'])('judges every proof of %s', (file) => {
    const tests = corpus<{ tests: InclusionCase[] }>(file).tests ?? [];
    for (const { name, leafIdx, treeSize, leafHash, root, proof, wantErr } of tests) {
      const claim = {
        index: leafIdx,
        size: treeSize,
        leafHash: base64(leafHash),
        root: base64(root),
        proof: proof?.map(base64) ?? null,
      };
      expect([name, second.verifyInclusion(claim)]).toEqual([name, !wantErr]);
    }
    expect(tests.length).toBeGreaterThan(20);
  });
  it.each(['consistency.json', 'generated-consistency.json'])('judges every proof of %s', (file) => {
    const tests = corpus<{ tests: ConsistencyCase[] }>(file).tests ?? [];
    for (const { name, size1, size2, root1, root2, proof, wantErr } of tests) {
      const claim = {
        size1,
        size2,
        root1: base64(root1),
        root2: base64(root2),
        proof: proof?.map(base64) ?? null,
      };
      expect([name, second.verifyConsistency(claim)]).toEqual([name, !wantErr]);
    }
    expect(tests.length).toBeGreaterThan(20);
  });
  it('gives the root of every size in roots.json and the hashes of hashes.json', () => {
    const leaves: Uint8Array[] = [];
    for (const [size, root] of (corpus<{ roots: string[] }>('roots.json').roots ?? []).entries()) {
      expect(Buffer.from(second.treeHash(leaves)).toString('hex')).toBe(root);
      leaves.push(second.leafHash(Buffer.from(`leaf ${size}`)));
    }
    const { leaf = [], node = [] } = corpus<{
      leaf: { data: string; hash: string }[];
      node: { left: string; right: string; hash: string }[];
    }>('hashes.json');
    for (const { data, hash } of leaf) expect(second.leafHash(hex(data))).toEqual(Buffer.from(hash, 'hex'));
    for (const { left, right, hash } of node)
      expect(second.nodeHash(hex(left), hex(right))).toEqual(Buffer.from(hash, 'hex'));
  });
  it.each(corpus<{ tests: NoteCase[] }>('notes.json').tests ?? [])('note: $name', (test) => {
    const note = attempt(() => second.openNote(base64(test.note_b64), test.vkeys));
    expect(note !== null).toBe(test.ok);
    if (note === null) return;
    expect(note.verified.map(({ name }) => name)).toEqual(test.verified);
    expect(note.unverified).toBe(test.unverified);
  });
  it('reads the vkeys of vkeys.json and no others', () => {
    for (const { vkey, ok } of corpus<{ tests: { vkey: string; ok: boolean }[] }>('vkeys.json').tests ?? [])
      expect([vkey, attempt(() => second.parseVkey(vkey)) !== null]).toEqual([vkey, ok]);
  });
  it.each(corpus<{ tests: CheckpointCase[] }>('checkpoints.json').tests ?? [])(
    'checkpoint: $name',
    (test) => {
      const read = attempt(() =>
        second.parseCheckpoint(second.openNote(base64(test.note_b64), [test.vkey]).text),
      );
      expect(read !== null).toBe(test.ok);
      if (read === null) return;
      expect(read.origin).toBe(second.parseVkey(test.vkey).name);
      expect(read.size).toBe(BigInt(test.size ?? -1));
      if (test.root !== undefined) expect(read.root).toEqual(Buffer.from(test.root, 'base64'));
    },
  );
  it('reads and writes the tile paths of tile-paths.json', () => {
    const { paths = [] } = corpus<{
      paths: { level?: number | 'entries'; n?: number | string; w?: number; path: string; ok: boolean }[];
    }>('tile-paths.json');
    for (const { level = 0, n = 0, w = 256, path: text, ok } of paths) {
      const tile = second.parseTilePath(text);
      expect([text, tile]).toEqual([text, ok ? { level, n: BigInt(n), width: w } : null]);
      if (ok) expect(second.tilePath(level, BigInt(n), w)).toBe(text);
    }
  });
  it('writes the canonical form as jcs.json says', () => {
    const { pairs = [], numbers = [] } = corpus<{
      pairs: { input_b64: string; output_b64: string }[];
      numbers: { ieee: string; text: string }[];
    }>('jcs.json');
    for (const { input_b64, output_b64 } of pairs)
      expect(second.canonicalize(base64(input_b64))).toBe(Buffer.from(output_b64, 'base64').toString());
    for (const { ieee, text } of numbers)
      expect(second.canonicalize(Buffer.from(ieee, 'hex').readDoubleBE(0))).toBe(text);
  });
});

interface VectorLogs {
  readonly logs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly tests: readonly { readonly log: string; readonly given: { readonly vkeys: readonly string[] } }[];
}

/** A good log of the vectors, and the keys its first test pins. */
function vectorLog(file: string, name: string): { directory: MemoryDirectory; vkeys: readonly string[] } {
  const text = readFileSync(path.join(path.dirname(SECOND_VERIFIER), `vectors/${file}.json`), 'utf8');
  const { logs, tests } = JSON.parse(text) as VectorLogs;
  const directory = new MemoryDirectory();
  for (const [where, bytes] of Object.entries(logs[name] ?? {}))
    directory.files.set(where, Buffer.from(bytes, 'base64'));
  return { directory, vkeys: tests.find(({ log }) => log === name)?.given.vkeys ?? [] };
}

/** Both verdicts on the log with one byte changed; neither may say that it is verified, and they are the same. */
async function agreeOnChange(
  { directory, vkeys }: ReturnType<typeof vectorLog>,
  given: Given,
  { file, at, mask }: { file: string; at: number; mask: number },
): Promise<void> {
  const changed = directory.copy();
  const bytes = Uint8Array.from(changed.files.get(file) ?? []);
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  changed.files.set(file, bytes);
  const first = await judgeFirst(changed, { vkeys, ...given });
  const other = judgeSecond(changed, { vkeys, ...given });
  const where = `${file} byte ${at} ^ ${mask}`;
  expect([where, decisive(other)]).toEqual([where, decisive(first)]);
  if (first.ok) expect([where, mayBeIgnored(changed, file, at)]).toEqual([where, true]);
}

/** A line of nobody known is ignored: a name or key id that was changed makes it one, beside another that holds. */
function mayBeIgnored(directory: MemoryDirectory, file: string, at: number): boolean {
  const text = Buffer.from(directory.files.get(file) ?? []).toString('latin1');
  const [, signatures] = /^checkpoint/.test(file) ? text.split('\n\n') : [];
  return (
    signatures !== undefined && signatures.split('\n').length > 2 && at >= text.length - signatures.length
  );
}

describe('one changed byte', () => {
  it.each([
    ['meaning', 'a signed vote with a reason'],
    ['payloads', 'erased'],
  ])('anywhere in a log of %s (%s) is refused by both, with the same word and place', async (group, name) => {
    const log = vectorLog(group, name);
    expect(log.directory.files.size).toBeGreaterThan(4);
    for (const [file, bytes] of log.directory.files)
      for (let at = 0; at < bytes.length; at++)
        await agreeOnChange(log, {}, { file, at, mask: 1 << (at % 8) });
  });

  const WITNESSES = JSON.parse(
    readFileSync(path.join(path.dirname(SECOND_VERIFIER), 'vectors/witnesses.json'), 'utf8'),
  ) as { tests: { given: { witnesses: string[]; quorum: number } }[] };
  it.each<[string, string, Given]>([
    ['tampered', 'good', {}],
    ['keys', 'three keys, one after the other', {}],
    ['meaning', 'lost and run again under the same key', {}],
    ['witnesses', 'cosigned', WITNESSES.tests[0]?.given ?? {}],
  ])(
    'somewhere in a log of %s (%s) is refused by both, with the same word and place',
    async (group, name, given) => {
      const log = vectorLog(group, name);
      const files = [...log.directory.files];
      const change = fc
        .nat(files.length - 1)
        .chain((i) => fc.tuple(fc.constant(files[i]?.[0] ?? ''), fc.nat((files[i]?.[1].length ?? 1) - 1)));
      await fc.assert(
        fc.asyncProperty(change, fc.integer({ min: 1, max: 255 }), async ([file, at], mask) =>
          agreeOnChange(log, given, { file, at, mask }),
        ),
        { numRuns: 300 },
      );
    },
  );
});
