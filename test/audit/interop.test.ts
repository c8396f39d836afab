// Logs and proofs between Writ and another implementation: golang.org/x/mod/sumdb, through the Go program beside this
// file. It reads what Writ publishes, and Writ verifies what it wrote.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import {
  appendLeaf,
  consistencyProof,
  inclusionProof,
  leafHash,
  rangeRoot,
  verifyLog,
} from '../../src/audit/index.js';
import { fastVerify, logOfSizes, testSigner } from './log-fixture.js';
import { writeLog } from './raw-log.js';

const SIZES = [0, 1, 2, 255, 256, 257, 600, 65_536, 70_000];
/** Debian: golang-go and golang-golang-x-mod-dev. */
const GOPATH = '/usr/share/gocode';
const HAVE_GO =
  existsSync(path.join(GOPATH, 'src/golang.org/x/mod/sumdb/tlog')) &&
  spawnSync('go', ['version']).status === 0;
const NOTE = HAVE_GO ? '' : ' (skipped: needs golang-go and golang-golang-x-mod-dev)';

const home = mkdtempSync(path.join(tmpdir(), 'writ-interop-'));
const program = path.join(home, 'interop');
const ours = path.join(home, 'ours');
const { vkey } = testSigner();
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const go = (words: readonly string[], input = ''): string =>
  execFileSync(program, words, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

describe.skipIf(!HAVE_GO)(`golang.org/x/mod/sumdb${NOTE}`, () => {
  beforeAll(async () => {
    execFileSync('go', ['build', '-o', program, path.join(import.meta.dirname, 'interop', 'main.go')], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        GOPATH,
        GOCACHE: path.join(home, 'cache'),
        GO111MODULE: 'off',
        CGO_ENABLED: '0',
      },
    });
    writeLog((await logOfSizes(...SIZES)).directory, ours);
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('verifies our checkpoints, entries, tiles and the proofs it makes of them, at every size', () => {
    const lines = go(['check', ours, vkey]).trim().split('\n');
    // The newest checkpoint is there twice: as itself and in the history.
    const records = [0, 1, 2, 255, 256, 257, 600, 136, 145, 145];
    expect(lines).toEqual([...SIZES, 70_000].map((size, i) => `${size} ${records[i]}`));
  });

  it('refuses our log with one changed bit', () => {
    for (const name of ['tile/0/100', 'tile/1/001.p/17', 'tile/entries/100', 'checkpoint']) {
      const file = path.join(ours, name);
      const bytes = readFileSync(file);
      const changed = Buffer.from(bytes);
      changed[40] = (changed[40] ?? 0) ^ 1;
      writeFileSync(file, changed);
      expect(() => go(['check', ours, vkey]), name).toThrow();
      writeFileSync(file, bytes);
    }
    expect(() => go(['check', ours, testSigner(undefined, 8).vkey])).toThrow();
  });

  it('verifies the proofs we make', () => {
    const size = 300;
    const leaves = Array.from({ length: size }, (_, i) => leafHash(Uint8Array.of(i >> 8, i & 255)));
    const roots: Uint8Array[] = [];
    for (let i = 0, range: Uint8Array[] = []; i < size; i++) {
      range = appendLeaf(range, BigInt(i), leaves[i] ?? new Uint8Array());
      roots.push(rangeRoot(range, BigInt(i + 1)));
    }
    const root = (of: number): string => base64(roots[of - 1] ?? new Uint8Array());
    const claims: object[] = [];
    for (let t = 1; t <= size; t++) {
      for (const n of new Set([0, 1, t >> 1, t - 2, t - 1])) {
        if (n < 0 || n >= t) continue;
        const p = inclusionProof(leaves, n, t).map(base64);
        claims.push({ t, th: root(t), n, h: base64(leaves[n] ?? new Uint8Array()), p });
        if (n === 0) continue;
        const path_ = consistencyProof(leaves, n, t).map(base64);
        claims.push({ tree: true, t, th: root(t), n, h: root(n), p: path_ });
      }
    }
    const lines = (list: readonly object[]): string => list.map((claim) => JSON.stringify(claim)).join('\n');
    expect(go(['proofs'], lines(claims))).toBe(`${claims.length}\n`);
    expect(() => go(['proofs'], lines([{ ...claims.at(-1), n: 7 }]))).toThrow();
  });

  it.each(SIZES)('writes a log of %i entries that we verify', async (size) => {
    const dir = path.join(home, `theirs-${size}`);
    const key = go(['write', dir, 'go.example/log', `${size}`]).trim();
    const source = openTileDirectory(dir);
    const options = { vkeys: [key], entries: 'opaque', verifySignature: fastVerify } as const;
    expect(await verifyLog(source, options)).toMatchObject({
      verdict: 'verified',
      origin: 'go.example/log',
      size: `${size}`,
      findings: [],
    });
    if (size === 0) return;
    const last = `tile/entries/${size > 256 ? `${Math.floor((size - 1) / 256)}`.padStart(3, '0') : '000'}`;
    const file = path.join(dir, size % 256 === 0 ? last : `${last}.p/${size % 256}`);
    const bytes = readFileSync(file);
    bytes[5] = (bytes[5] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    expect((await verifyLog(source, options)).verdict).toBe('entry-mismatch');
  });
});
