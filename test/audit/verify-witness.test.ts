// Witnesses against the verifier: the quorum a checkpoint needs, and the bound their times put on the entries.
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import {
  addSignatureLines,
  cosignatureLine,
  formatVkey,
  parseNote,
  parseVkey,
  verifyLog,
  type VerifyOptions,
  type VerifyReport,
} from '../../src/audit/index.js';
import { fastVerify, logOf, logOfSizes, MemoryDirectory, note, START_MS, testSigner } from './log-fixture.js';

const LOG = testSigner().vkey;
const PINNED: VerifyOptions = { vkeys: [LOG], verifySignature: fastVerify };
/** The second in which the fixtures' entries are written. */
const START_S = BigInt(START_MS / 1000);
const path = (size: number): string => `checkpoints/${`${size}`.padStart(20, '0')}`;

const witness = (seed: number) => {
  const secret = new Uint8Array(32).fill(seed);
  const vkey = formatVkey(`w${seed}.example`, 4, ed25519.getPublicKey(secret));
  return { vkey, key: parseVkey(vkey), sign: (message: Uint8Array) => ed25519.sign(message, secret) };
};
const [A, B, C] = [witness(1), witness(2), witness(3)];
type Witness = typeof A;

/** Adds cosignatures to a note in the directory. */
function cosign(directory: MemoryDirectory, file: string, at: readonly [Witness, bigint][]): void {
  const signed = directory.text(file);
  const { text } = parseNote(signed);
  const lines = at.map(([{ key, sign }, seconds]) => cosignatureLine(text, key, seconds, sign));
  directory.files.set(file, new TextEncoder().encode(addSignatureLines(signed, lines)));
}

const judge = (directory: MemoryDirectory, options: VerifyOptions = {}): Promise<VerifyReport> =>
  verifyLog(directory, { ...PINNED, ...options });
const quorum = (k: number, ...of: readonly Witness[]): VerifyOptions => ({
  witnesses: of.map(({ vkey }) => vkey),
  quorum: k,
});
const LATER = START_S + 60n;

describe('a quorum of witnesses', () => {
  it('is met by enough of them, and the report says who cosigned when', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [
      [A, LATER],
      [B, LATER + 1n],
    ]);
    const report = await judge(directory, quorum(2, A, B, C));
    expect(report).toMatchObject({
      verdict: 'verified',
      cosignatures: [
        { name: 'w1.example', keyId: A.key.keyId, time: LATER.toString() },
        { name: 'w2.example', keyId: B.key.keyId, time: (LATER + 1n).toString() },
      ],
    });
    expect((await judge(directory, quorum(1, C, A))).verdict).toBe('verified');
  });
  it('is missing one short, by name', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [[A, LATER]]);
    const report = await judge(directory, quorum(2, A, B, C));
    expect(report).toMatchObject({ verdict: 'quorum-missing', findings: [{ path: 'checkpoint' }] });
    expect(report.findings[0]?.message).toMatch(
      /cosigned by w1\.example\+.{8}; missing w2\.example\+.{8}, w3\.example\+.{8}; needed: 2 of/,
    );
    expect((await judge(directory, quorum(1, B))).findings[0]?.message).toContain('cosigned by nobody');
  });
  it('without a number means all of them', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [[A, LATER]]);
    expect((await judge(directory, { witnesses: [A.vkey] })).verdict).toBe('verified');
    expect((await judge(directory, { witnesses: [A.vkey, B.vkey] })).verdict).toBe('quorum-missing');
  });
  it('is needed on the newest checkpoint: on an earlier one it does not count', async () => {
    const { directory } = await logOfSizes(3, 5);
    cosign(directory, path(3), [[A, LATER]]);
    expect((await judge(directory, quorum(1, A))).verdict).toBe('quorum-missing');
  });
  it('does not count strangers, and nobody twice', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [
      [C, LATER],
      [A, LATER],
      [A, LATER + 1n],
    ]);
    const report = await judge(directory, quorum(2, A, B));
    expect(report.verdict).toBe('quorum-missing');
    expect(report.cosignatures).toMatchObject([{ name: 'w1.example', time: LATER.toString() }]);
  });
  it("never takes a witness for the log, nor the log's key for a witness", async () => {
    const { directory } = await logOfSizes(5);
    const { text } = parseNote(directory.text('checkpoint'));
    const line = cosignatureLine(text, A.key, LATER, A.sign);
    directory.files.set('checkpoint', new TextEncoder().encode(`${text}\n${line}`));
    expect((await judge(directory, quorum(1, A))).verdict).toBe('bad-signature');
    await expect(judge(directory, { vkeys: [A.vkey] })).rejects.toMatchObject({ code: 'AUDIT_KEY_INVALID' });
    await expect(judge(directory, { witnesses: [LOG] })).rejects.toMatchObject({
      code: 'AUDIT_POLICY_INVALID',
    });
  });
  it('is bad-signature when the line of a trusted witness fails, whoever else cosigned', async () => {
    const { directory } = await logOfSizes(3, 5);
    cosign(directory, 'checkpoint', [[B, LATER]]);
    const forged = cosignatureLine('other\n', A.key, LATER, A.sign);
    const add = (to: MemoryDirectory, file: string): MemoryDirectory => {
      to.files.set(file, new TextEncoder().encode(to.text(file) + forged));
      return to;
    };
    expect((await judge(add(directory.copy(), 'checkpoint'), quorum(1, A, B))).verdict).toBe('bad-signature');
    // Of a witness nobody trusts it is a line like any other.
    expect((await judge(add(directory.copy(), 'checkpoint'), quorum(1, B))).verdict).toBe('verified');
    expect(await judge(add(directory.copy(), path(3)), quorum(1, A, B))).toMatchObject({
      verdict: 'bad-signature',
      findings: [{ path: path(3) }],
    });
  });
  it('does not pin the log: without its key the verdict is unpinned', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [[A, LATER]]);
    expect((await judge(directory, { vkeys: [], ...quorum(1, A) })).verdict).toBe('unpinned');
    expect((await judge(directory, { vkeys: [], ...quorum(1, B) })).verdict).toBe('quorum-missing');
  });
  it('is checked before anything the entries say', async () => {
    const { directory } = await logOfSizes(5);
    directory.files.delete('tile/0/000.p/5');
    expect((await judge(directory, quorum(1, A))).findings.map(({ verdict }) => verdict)).toEqual([
      'quorum-missing',
      'missing',
    ]);
  });
});

describe('a policy', () => {
  const policy = `log ${LOG}\nwitness a ${A.vkey}\nwitness b ${B.vkey}\ngroup g any a b\nquorum g\n`;
  it('pins its logs and asks for its quorum', async () => {
    const { directory } = await logOfSizes(5);
    expect(await judge(directory, { vkeys: [], policy })).toMatchObject({ verdict: 'quorum-missing' });
    cosign(directory, 'checkpoint', [[B, LATER]]);
    expect(await judge(directory, { vkeys: [], policy })).toMatchObject({
      verdict: 'verified',
      cosignatures: [{ name: 'w2.example' }],
    });
  });
  it('of another log is bad-signature', async () => {
    const { directory } = await logOfSizes(5);
    const other = policy.replace(LOG, testSigner(undefined, 8).vkey);
    expect((await judge(directory, { vkeys: [], policy: other })).verdict).toBe('bad-signature');
  });
  it('with quorum none asks for no witness, and still reads their lines', async () => {
    const { directory } = await logOfSizes(5);
    const none = policy.replace('quorum g', 'quorum none');
    expect(await judge(directory, { vkeys: [], policy: none })).toMatchObject({
      verdict: 'verified',
      cosignatures: [],
    });
  });
  it('says that ML-DSA cosignatures do not count', async () => {
    const { directory } = await logOfSizes(5);
    const vkey = formatVkey('pq.example', 6, new Uint8Array(1312));
    const report = await judge(directory, { vkeys: [LOG], policy: `witness pq ${vkey}\nquorum pq\n` });
    expect(report.verdict).toBe('quorum-missing');
    expect(report.warnings[0]).toContain('pq are ML-DSA-44');
  });
  it('inside the log is a suggestion that is not read', async () => {
    const { directory } = await logOfSizes(5);
    directory.files.set('policy', new TextEncoder().encode(policy));
    const report = await judge(directory, { vkeys: [] });
    expect(report.verdict).toBe('unpinned');
    expect(report.warnings[0]).toContain('not read');
  });
  it('and witnesses together, or a quorum without witnesses, are refused', async () => {
    const { directory } = await logOfSizes(1);
    for (const options of [{ policy, ...quorum(1, A) }, { policy, quorum: 1 }, { quorum: 1 }]) {
      await expect(judge(directory, options)).rejects.toMatchObject({ code: 'USAGE' });
    }
    for (const options of [quorum(0, A), quorum(2, A), quorum(1, A, A), { policy: 'x\n' }]) {
      await expect(judge(directory, options)).rejects.toMatchObject({ code: 'AUDIT_POLICY_INVALID' });
    }
  });
});

describe('the time of entries', () => {
  // The last entry is written at START_MS: within the second START_S.
  it('may be anywhere in the second of the cosignature, and not after it', async () => {
    for (const [seconds, verdict] of [
      [START_S + 1n, 'verified'],
      [START_S, 'verified'],
      [START_S - 1n, 'chain-broken'],
    ] as const) {
      const { directory } = await logOf([note(1)], START_MS + 999);
      cosign(directory, 'checkpoint', [[A, seconds]]);
      const report = await judge(directory, quorum(1, A));
      expect([seconds, report.verdict]).toEqual([seconds, verdict]);
      if (verdict === 'chain-broken') expect(report.findings).toMatchObject([{ index: '1' }]);
    }
  });
  it('is bounded by the first cosigned checkpoint that holds the entry, wherever it lies in a tile', async () => {
    for (const [first, second] of [
      [2, 5],
      [256, 300],
      [300, 700],
      [512, 513],
    ] as const) {
      const { directory } = await logOfSizes(first, second);
      cosign(directory, path(first), [[A, START_S - 10n]]);
      cosign(directory, 'checkpoint', [[A, LATER]]);
      const report = await judge(directory, quorum(1, A));
      // Entry i is written i ms after START_MS: the latest below the cosigned size is its last.
      expect(report).toMatchObject({ verdict: 'chain-broken', findings: [{ index: `${first - 1}` }] });
      expect(report.findings).toHaveLength(1);
      expect(report.findings[0]?.message).toContain(`of size ${first}`);
    }
  });
  it('does not touch entries after the cosigned checkpoint', async () => {
    const { directory } = await logOfSizes(1, 5);
    cosign(directory, path(1), [[A, START_S]]);
    cosign(directory, 'checkpoint', [[A, LATER]]);
    expect((await judge(directory, quorum(1, A))).verdict).toBe('verified');
  });
  it('is bounded by the latest of the cosignatures: one slow or lying witness accuses nobody alone', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [
      [A, 1n],
      [B, LATER],
    ]);
    expect((await judge(directory, quorum(2, A, B, C))).verdict).toBe('verified');
    expect((await judge(directory, quorum(1, A, B))).verdict).toBe('verified');
    // With nobody else trusted it is the witness's word.
    expect((await judge(directory, quorum(1, A))).verdict).toBe('chain-broken');
  });
  it('is not bounded by fewer witnesses than the quorum, nor by strangers, nor without a quorum', async () => {
    const { directory } = await logOfSizes(3, 5);
    cosign(directory, path(3), [[A, 1n]]);
    cosign(directory, 'checkpoint', [
      [A, LATER],
      [B, LATER],
    ]);
    expect((await judge(directory, quorum(2, A, B))).verdict).toBe('verified');
    expect((await judge(directory, quorum(1, B))).verdict).toBe('verified');
    const policy = `log ${LOG}\nwitness a ${A.vkey}\nquorum none\n`;
    expect((await judge(directory, { vkeys: [], policy })).verdict).toBe('verified');
    expect((await judge(directory, quorum(1, A))).verdict).toBe('chain-broken');
  });
  it('is bounded by an old checkpoint from elsewhere as well', async () => {
    const { directory } = await logOfSizes(3, 5);
    const old = directory.copy();
    cosign(old, path(3), [[A, START_S - 1n]]);
    cosign(directory, 'checkpoint', [[A, LATER]]);
    const report = await judge(directory, { ...quorum(1, A), old: [old.text(path(3))] });
    expect(report).toMatchObject({ verdict: 'chain-broken', findings: [{ index: '2' }] });
  });
  it('may be bounded by the largest time a cosignature can have', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [[A, 2n ** 63n - 1n]]);
    expect((await judge(directory, quorum(1, A))).verdict).toBe('verified');
  });
  it('is not read from logs of other software', async () => {
    const { directory } = await logOfSizes(5);
    cosign(directory, 'checkpoint', [[A, 1n]]);
    expect((await judge(directory, { ...quorum(1, A), entries: 'opaque' })).verdict).toBe('verified');
  });
});
