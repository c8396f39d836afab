// What a verification is given from outside, and that the platform's Ed25519 is as strict as the portable one.
import { ed25519 } from '@noble/curves/ed25519.js';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyEd25519 } from './audit/ed25519.js';
import { emptyRoot, formatVkey, MAX_POLICY_BYTES, signCheckpoint } from './audit/index.js';
import { readTrust, verifyWithNode, type TrustFiles } from './verify-trust.js';

const secret = new Uint8Array(32).fill(1);
const vkey = formatVkey('log.example', 1, ed25519.getPublicKey(secret));
const witness = formatVkey('w.example', 4, ed25519.getPublicKey(new Uint8Array(32).fill(2)));
const note = signCheckpoint(vkey, 0n, emptyRoot(), (message) => ed25519.sign(message, secret));
const NOTHING: TrustFiles = { vkeys: [], old: [] };

const folder = mkdtempSync(join(tmpdir(), 'writ-trust-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
let place = '';
let count = 0;
beforeEach(() => {
  place = join(folder, String(count++));
  mkdirSync(place);
});
const write = (name: string, content: string | Uint8Array): string => {
  const file = join(place, name);
  writeFileSync(file, content);
  return file;
};
const refused = (files: Partial<TrustFiles>, says: string | RegExp) =>
  expect(readTrust({ ...NOTHING, ...files })).rejects.toMatchObject({
    exitCode: 2,
    message: typeof says === 'string' ? expect.stringContaining(says) : expect.stringMatching(says),
  });

describe('keys and policies', () => {
  it('are read and handed on', async () => {
    const text = `log ${vkey}\nwitness w ${witness}\nquorum w\n`;
    const policy = write('policy', text);
    expect(await readTrust({ ...NOTHING, vkeys: [vkey], policy })).toEqual({
      vkeys: [vkey],
      policy: text,
      old: [],
    });
    expect(await readTrust({ ...NOTHING, witnesses: [witness], quorum: 1 })).toEqual({
      vkeys: [],
      witnesses: [witness],
      quorum: 1,
      old: [],
    });
  });
  it('that can not be read are a usage error, not a verdict', async () => {
    await refused({ vkeys: ['nonsense'] }, 'invalid vkey');
    await refused({ vkeys: [witness] }, "is a witness's");
    await refused({ witnesses: [vkey] }, 'is a log key');
    await refused({ witnesses: [witness, witness] }, 'given twice');
    await refused({ witnesses: [witness], quorum: 2 }, "can't be met");
    await refused({ quorum: 1 }, 'without witnesses');
    await refused({ policy: join(place, 'absent') }, 'there is no such file');
    await refused({ policy: place }, 'it is no regular file');
    await refused({ policy: write('latin1', Uint8Array.of(0x23, 0xe9, 0x0a)) }, 'not UTF-8');
    await refused({ policy: write('line', 'quorum none\nlogs\n') }, 'line 2');
    await refused({ policy: write('long', '#'.repeat(MAX_POLICY_BYTES + 1)) }, 'longer than 65536');
    const policy = write('policy', 'quorum none\n');
    await refused({ policy, witnesses: [witness] }, 'already says');
  });
});

describe('earlier checkpoints', () => {
  it('come from a file', async () => {
    expect((await readTrust({ ...NOTHING, old: [write('c', note)] })).old).toEqual([note]);
  });
  it('come from a folder of them', async () => {
    write('a', note);
    write('b', note);
    expect((await readTrust({ ...NOTHING, old: [place] })).old).toEqual([note, note]);
  });
  it('come from a copy of a log: the newest and all that were published, nothing else', async () => {
    write('checkpoint', note);
    write('vkey', `${vkey}\n`);
    mkdirSync(join(place, 'checkpoints'));
    write('checkpoints/00000000000000000000', note);
    write('checkpoints/00000000000000000000.tsr', 'a time stamp');
    expect((await readTrust({ ...NOTHING, old: [place] })).old).toEqual([note, note]);
  });
  it('that can not be read are a usage error that names the file', async () => {
    await refused({ old: [join(place, 'absent')] }, 'absent');
    await refused({ old: [place] }, 'holds no checkpoint');
    const bad = write('bad', 'nonsense\n');
    await refused({ old: [bad] }, bad);
    await refused({ old: [place] }, bad);
    const long = write('bad', `${note}${'x'.repeat(65_536)}`);
    await refused({ old: [long] }, 'longer than 65536');
  });
  it('in a folder are files: no link is followed, nothing is passed over', async () => {
    write('a', note);
    symlinkSync(join(place, 'a'), join(place, 'b'));
    await refused({ old: [place] }, 'it is no file');
  });
});

describe("the platform's Ed25519", () => {
  const message = new TextEncoder().encode('message');
  const good = ed25519.sign(message, secret);
  const key = ed25519.getPublicKey(secret);
  const agree = (publicKey: Uint8Array, signature: Uint8Array): boolean => {
    const verdict = verifyWithNode(publicKey, message, signature);
    expect(verifyEd25519(publicKey, message, signature)).toBe(verdict);
    return verdict;
  };
  it('accepts what the portable one accepts, and refuses every changed bit with it', () => {
    expect(agree(key, good)).toBe(true);
    for (let bit = 0; bit < 512; bit += 7) {
      const changed = good.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(agree(key, changed)).toBe(false);
    }
    expect(agree(key.subarray(1), good)).toBe(false);
    expect(agree(key, good.subarray(1))).toBe(false);
  });
  it('refuses keys of small order, under which anything would verify', () => {
    // The points of order 1, 2, 4 and 8, both signs; R of small order and S 0 fit them.
    const order8 = ed25519.Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    expect(order8.isSmallOrder()).toBe(true);
    const seen = new Set<string>();
    for (let i = 1n; i <= 8n; i++) {
      const point = i === 8n ? ed25519.Point.ZERO : order8.multiplyUnsafe(i);
      const bytes = point.toBytes();
      seen.add(Buffer.from(bytes).toString('hex'));
      for (const r of [bytes, ed25519.Point.ZERO.toBytes()]) {
        const signature = new Uint8Array(64);
        signature.set(r);
        expect(agree(bytes, signature)).toBe(false);
      }
    }
    expect(seen.size).toBe(8);
  });
  it('refuses keys in another encoding than their own', () => {
    // y = p + 1 is y = 1 once more.
    const bytes = new Uint8Array(32).fill(0xff);
    bytes[0] = 0xee;
    bytes[31] = 0x7f;
    const signature = new Uint8Array(64);
    signature[0] = 1;
    expect(agree(bytes, signature)).toBe(false);
  });
  it('refuses S that is not reduced', () => {
    const L = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(good.slice(32)).reverse().toString('hex')}`) + L;
    const signature = good.slice();
    signature.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(), 32);
    expect(agree(key, signature)).toBe(false);
  });
});
