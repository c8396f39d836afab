// A log made of any bytes, straight from the pure functions: tiles, bundles and signed checkpoints as a hostile (or
// another) writer could make them, in memory or on a disk. What the product would refuse to write is written here.
import { createPrivateKey, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  appendLeaf,
  checkpointPath,
  encodeBundle,
  encodeTile,
  leafHash,
  rangeRoot,
  signCheckpoint,
  tilePath,
  tilesOfSize,
} from '../../src/audit/index.js';
import type { Signer } from '../../src/runtime/ports.js';
import { MemoryDirectory, testSigner } from './log-fixture.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** As `testSigner()`, with the platform's Ed25519: tests sign many logs. */
const fastSigner = ((): Signer => {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 7)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return { vkey: testSigner().vkey, sign: (message) => sign(null, message, key) };
})();

/** The whole directory of a log with these entries, as it is after publishing each of `sizes` (default: all). */
export function rawLog(
  entries: readonly Uint8Array[],
  options: { readonly signer?: Signer; readonly sizes?: readonly number[] } = {},
): MemoryDirectory {
  const signer = options.signer ?? fastSigner;
  const directory = new MemoryDirectory();
  const levels: Uint8Array[][] = [];
  const sizes = options.sizes ?? [entries.length];
  const wanted = new Set(sizes);
  const roots = new Map([[0, rangeRoot([], 0n)]]);
  let range: Uint8Array[] = [];
  entries.forEach((entry, i) => {
    const hash = leafHash(entry);
    (levels[0] ??= []).push(hash);
    range = appendLeaf(range, BigInt(i), hash, (level, _, node) => {
      if (level % 8 === 0) (levels[level / 8] ??= []).push(node);
    });
    if (wanted.has(i + 1)) roots.set(i + 1, rangeRoot(range, BigInt(i + 1)));
  });
  const put = (path: string, bytes: Uint8Array): void => void directory.files.set(path, bytes);
  put('vkey', utf8(`${signer.vkey}\n`));
  for (const size of sizes) {
    for (const { level, full, partial } of tilesOfSize(BigInt(size))) {
      for (let n = 0n; n < full + (partial > 0 ? 1n : 0n); n++) {
        const width = n < full ? 256 : partial;
        const first = Number(n) * 256;
        const path = tilePath({ level, n, width });
        if (directory.files.has(path)) continue;
        put(path, encodeTile((levels[level] ?? []).slice(first, first + width)));
        if (level > 0) continue;
        put(tilePath({ level: 'entries', n, width }), encodeBundle(entries.slice(first, first + width)));
      }
    }
    const root = roots.get(size);
    if (root === undefined) throw new Error(`a log of ${entries.length} entries never had ${size}`);
    const note = utf8(signCheckpoint(signer.vkey, BigInt(size), root, signer.sign));
    put(checkpointPath(BigInt(size)), note);
    put('checkpoint', note);
  }
  return directory;
}

/** Writes the files below `folder`, which is made. */
export function writeLog(directory: MemoryDirectory, folder: string): void {
  for (const [path, bytes] of directory.files) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
}
