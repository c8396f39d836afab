// Logs on which the two verifiers once differed, or let something pass; each is named after what was wrong. Both are
// asked, and both have to say the same word about the same place. Then logs and bundles that were changed at random.
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import { digestOfSubjectBytes } from '../../src/approval/subject.js';
import { verifyEvidence } from '../../src/audit/evidence/verify.js';
import {
  canonicalBytes,
  checkpointPath,
  commitment,
  formatVkey,
  parseCheckpoint,
  parseNote,
  parseVkey,
  signNote,
  type VerifyReport,
} from '../../src/audit/index.js';
import { rotationData } from '../../src/audit/key-rotation.js';
import type { Json, JsonObject } from '../../src/json.js';
import type { EntryDraft } from '../../src/runtime/ports.js';
import { editEntries, entryEdit } from './changed-entries.js';
import { change, changed, directoryOf, type Base } from './changed-log.js';
import { bundleOf, evidenceLog, RUN } from './evidence-fixture.js';
import {
  draftOf,
  logOf,
  logOfSizes,
  opened,
  ORIGIN,
  START_MS,
  testSigner,
  MemoryStore,
  type MemoryDirectory,
} from './log-fixture.js';
import { rawLog, writeLog } from './raw-log.js';
import { decisive, judgeFirst, judgeSecond, second, SIGNATURES, type Given } from './second-verifier.js';

const DIGEST = 'a'.repeat(64);
const PINNED: Given = { vkeys: [testSigner().vkey] };
const NEXT = testSigner(ORIGIN, 8);

async function expectBoth(
  directory: MemoryDirectory,
  expected: ReturnType<typeof decisive>,
  given: Given = PINNED,
): Promise<void> {
  const [first, other] = [await judgeFirst(directory, given), judgeSecond(directory, given)];
  expect([decisive(first), decisive(other)]).toEqual([expected, expected]);
}

const requested = (over: JsonObject = {}): EntryDraft =>
  draftOf('approval.requested', {
    ...{ approvalId: 'x', subjectDigest: DIGEST, stepPath: 'a', attempt: 1, mode: 'sync', quorum: 1 },
    ...{ expiresAt: '2027-01-01T00:00:00.000Z', ...over },
  });

describe('what entries say', () => {
  it('a decision that is none is refused, whatever else its entry holds', async () => {
    const words = { one: '1', of: '1', 'approve,': '1', 'deny,': '1', revoke: '1' };
    const vote = { approvalId: 'x', subjectDigest: DIGEST, approver: 'user:bob', decision: 'maybe' };
    const unsigned = { assurance: 'os', keyId: null, signature: null, state: 'pending' };
    const { directory } = await logOf([
      requested(),
      draftOf('approval.decided', { ...vote, ...unsigned, ...words }),
    ]);
    await expectBoth(directory, { verdict: 'not-canonical', index: '2' });
  });

  it('an erasure of nothing is told behind what is out of order', async () => {
    const { directory } = await logOf([
      draftOf('payload.erased', { commitment: 'none', label: 'input', basis: 'b', requester: 'user:a' }),
      draftOf('sandbox.exited', { status: 'exited' }),
    ]);
    await expectBoth(directory, { verdict: 'order-broken', index: '2' });
    const { directory: alone } = await logOf([
      draftOf('payload.erased', { commitment: 'none', label: 'input', basis: 'b', requester: 'user:a' }),
    ]);
    await expectBoth(alone, { verdict: 'not-canonical', index: '1' });
  });

  it.each([
    'secret.used',
    'sandbox.started',
    'authz.decided',
    'approval.requested',
    'task.opened',
    'step.finished',
  ])('a %s with what no text can be made of is judged, and ends no verifier', async (type) => {
    for (const odd of [{ toString: null }, [{ toString: 0, valueOf: 0 }]]) {
      for (const field of ['stepPath', 'attempt', 'expiresAt', 'quorum', 'kind', 'intent', 'verdict']) {
        const { directory } = await logOf([
          draftOf(type, { ...requested().data, taskId: 't', [field]: odd }),
        ]);
        const reports = [await judgeFirst(directory, PINNED), judgeSecond(directory, PINNED)];
        expect(told(reports[1])).toEqual(told(reports[0]));
      }
    }
  });

  it('a log.opened of another log says nothing of this one’s keys', async () => {
    const { directory } = await logOf([opened('log.example/other', NEXT.vkey)]);
    await expectBoth(directory, { verdict: 'wrong-origin', index: '1' });
  });
});

describe('a log without a key', () => {
  it('whose vkey was taken away misses it; its checkpoints are not called badly signed', async () => {
    const { directory } = await logOf([requested()]);
    directory.files.delete('vkey');
    await expectBoth(directory, { verdict: 'missing', path: 'vkey' }, {});
  });

  it('is still no continuation of a checkpoint with another root', async () => {
    const { directory } = await logOf([requested(), draftOf('step.skipped', { stepPath: 'a' })]);
    directory.files.delete('vkey');
    const forged = `${ORIGIN}\n2\n${Buffer.alloc(32, 1).toString('base64')}\n`;
    directory.files.set(checkpointPath(2n), noteBy(8, forged));
    await expectBoth(directory, { verdict: 'fork', path: checkpointPath(2n) }, {});
  });
});

describe('checkpoints from before the key was replaced', () => {
  /** Opened, given to another key, opened again, and one entry more; a checkpoint after each. */
  function rotated(): MemoryDirectory {
    const rotation = rotationData(ORIGIN, testSigner(), NEXT);
    const store = new MemoryStore();
    store.append([opened()]);
    store.append([draftOf('key.rotated', rotation, { run: null }), opened(ORIGIN, NEXT.vkey)]);
    store.append([draftOf('step.skipped', { stepPath: 'a' })]);
    const directory = rawLog(
      store.rows.map((row) => row.bytes),
      { sizes: [1, 2, 3, 4] },
    );
    directory.files.set('vkey', new TextEncoder().encode(`${NEXT.vkey}\n`));
    resign(directory, checkpointPath(4n), 8);
    resign(directory, 'checkpoint', 8);
    return directory;
  }
  const TODAY: Given = { vkeys: [NEXT.vkey] };

  it('hold', async () => {
    await expectBoth(rotated(), { verdict: 'verified' }, TODAY);
  });

  it('of another log, by the former key, are signed by nobody', async () => {
    const directory = rotated();
    const other = parseNote(textOf(directory, checkpointPath(2n))).text.replace(ORIGIN, 'log.example/other');
    directory.files.set(checkpointPath(2n), noteBy(7, other));
    await expectBoth(directory, { verdict: 'bad-signature', path: checkpointPath(2n) }, TODAY);
  });

  it('and by nobody known are told after those that claim no former key', async () => {
    const directory = rotated();
    resign(directory, checkpointPath(1n), 9);
    const forged = textOf(directory, checkpointPath(3n)).replace(/\u2014 \S+/, '\u2014 log.example/none');
    directory.files.set(checkpointPath(3n), new TextEncoder().encode(forged));
    await expectBoth(directory, { verdict: 'bad-signature', path: checkpointPath(3n) }, TODAY);
  });

  it('are known by the names of their files, as long as nobody’s signature vouches for what they say', async () => {
    const directory = rotated();
    const { root } = parseCheckpoint(parseNote(textOf(directory, checkpointPath(1n))).text);
    const text = `${ORIGIN}\n9\n${Buffer.from(root).toString('base64')}\n`;
    directory.files.set(checkpointPath(1n), noteBy(9, text));
    // What a damaged tree says of keys is not asked, and the file claims a size that the log has.
    directory.files.set('tile/0/000.p/4', new Uint8Array(128));
    await expectBoth(directory, { verdict: 'tile-mismatch', path: 'tile/0/000.p/4' }, TODAY);
  });

  it('with a former key’s line that fails are refused, though a key of today has signed them too', async () => {
    const directory = rotated();
    const path = checkpointPath(4n);
    const lineOf = (note: string): string => note.split('\n\n')[1] ?? '';
    const { text } = parseNote(textOf(directory, path));
    const ofAnother = new TextDecoder().decode(noteBy(7, `${text}and more\n`));
    const note = `${textOf(directory, path)}${lineOf(ofAnother)}`;
    for (const size of [1n, 3n]) directory.files.delete(checkpointPath(size));
    directory.files.set(path, new TextEncoder().encode(note));
    await expectBoth(directory, { verdict: 'bad-signature', path }, TODAY);
  });

  it('that were given are told before those in the log', async () => {
    const directory = rotated();
    const old = noteBy(9, parseNote(textOf(directory, checkpointPath(2n))).text);
    resign(directory, checkpointPath(1n), 9);
    await expectBoth(directory, { verdict: 'bad-signature' }, { ...TODAY, old: [old] });
  });
});

describe('a bundle', () => {
  it('shows no subject beside an approval with another digest, though a second approval shows it too', async () => {
    const log = await evidenceLog();
    const shown = new TextEncoder().encode('{"pay":"1"}');
    const salt = new Uint8Array(32).fill(77);
    const subject = commitment(salt, 'subject', shown);
    const ask = (approvalId: string, subjectDigest: string): EntryDraft => ({
      ...requested({ approvalId, subjectDigest }),
      ...{ run: RUN, commit: { subject } },
    });
    const told = await evidenceLog({
      finished: false,
      more: [ask('apr_8', DIGEST), ask('apr_9', digestOfSubjectBytes(shown))],
      payloads: [
        { commitment: subject, label: 'subject', salt, bytes: shown, mediaType: 'application/json' },
      ],
    });
    const verdicts = (bytes: Uint8Array): readonly string[] => [
      verifyEvidence(bytes, { vkeys: [log.vkey], subjectDigest: digestOfSubjectBytes }).report.verdict,
      second.verifyEvidence(bytes, { vkeys: [log.vkey] }).verdict,
    ];
    expect(verdicts(bundleOf(told))).toEqual(['payload-mismatch', 'payload-mismatch']);
    expect(verdicts(bundleOf(log))).toEqual(['verified', 'verified']);
  });
});

describe('checkpoints of one size', () => {
  it('are told in their order: one that was given, then the one in the log that can not be read', async () => {
    const { directory } = await logOf([requested()]);
    const forged = noteBy(7, `${ORIGIN}\n2\n${Buffer.alloc(32, 1).toString('base64')}\n`);
    directory.files.set(checkpointPath(2n), noteBy(9, 'nothing\n'));
    await expectBoth(directory, { verdict: 'fork' }, { ...PINNED, old: [forged] });
  });

  it('and larger than the log are told once, though nobody trusted signed them', async () => {
    const { directory } = await logOf([requested()]);
    const path = checkpointPath(9n);
    directory.files.set(path, noteBy(9, parseNote(textOf(directory, 'checkpoint')).text));
    for (const { findings } of [await judgeFirst(directory, PINNED), judgeSecond(directory, PINNED)])
      expect(findings).toMatchObject([{ verdict: 'bad-signature', path }]);
  });
});

describe('entries that are not their leaves', () => {
  it('are all told by both', async () => {
    const { directory } = await logOfSizes(5);
    const leaves = Uint8Array.from(directory.files.get('tile/0/000.p/5') ?? []);
    for (const at of [1, 3]) leaves[at * 32] = (leaves[at * 32] ?? 0) ^ 1;
    const bundle = Uint8Array.from(directory.files.get('tile/entries/000.p/5') ?? []);
    directory.files.set('tile/0/000.p/5', leaves);
    bundle[20] = (bundle[20] ?? 0) ^ 1;
    directory.files.set('tile/entries/000.p/5', bundle);
    const reports = [await judgeFirst(directory, PINNED), judgeSecond(directory, PINNED)];
    for (const { findings } of reports)
      expect(findings.map(({ index }) => index)).toEqual(['0', '1', '3', undefined]);
  });
});

/**
 * All that two verifiers have to agree on: the verdict and its place, then every other file and entry they name, in any
 * order. What entries mean is not compared behind one that can't be read: what it would have said is anybody's guess.
 */
function told(report: VerifyReport | undefined): Json {
  if (report === undefined) return null;
  const { verdict, ok, origin, size, root, cosignatures, findings, openIntents, erased } = report;
  const isUnread = findings.some((one) => one.verdict === 'not-canonical' || one.verdict === 'malformed');
  const compared = findings.filter((one) => !isUnread || one.verdict !== 'order-broken');
  const others = new Set(compared.map((one) => `${one.verdict} ${one.index ?? ''} ${one.path ?? ''}`));
  // Without a checkpoint that can be read there is only what a bundle says of itself.
  const of =
    size === null ? {} : { origin, size, root, cosignatures: cosignatures.map((one) => ({ ...one })) };
  return {
    ...{ ok, first: { ...decisive(report) }, others: [...others].sort(), ...of, verdict },
    // Both are warnings, and say nothing of a log that is refused.
    ...(ok ? { open: openIntents.length, erased: erased.length } : {}),
  };
}

/** A bundle with the digest of what it holds, as whoever changes one would give it; other bytes as they are. */
function sealed(bytes: Uint8Array): Uint8Array {
  try {
    const { digest: _, ...held } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, Json>;
    return canonicalBytes({
      ...held,
      digest: createHash('sha256').update(canonicalBytes(held)).digest('hex'),
    });
  } catch {
    return bytes;
  }
}

/** A run with approvals, payloads and witnesses; a log that had three keys; one of more than one tile. */
async function realLogs(): Promise<readonly Base[]> {
  const log = await evidenceLog({ form: { signature: null }, plainSteps: 2 });
  const entries = log.store.rows.map(({ bytes }) => bytes);
  const later = BigInt(START_MS / 1000) + 60n;
  const witnessed = [
    { size: 3, by: [7], cosigned: [[21, later] as const] },
    { size: entries.length, by: [7], cosigned: [[21, later] as const, [22, later + 5n] as const] },
  ];
  const payloads = Object.fromEntries(log.payloads.map((one) => [one.commitment, one]));
  const [one, two, three] = [testSigner(), NEXT, testSigner(ORIGIN, 10)];
  const store = new MemoryStore();
  store.append([opened()]);
  store.append([draftOf('run.started', { initiator: 'user:alice' })]);
  store.append([
    draftOf('key.rotated', rotationData(ORIGIN, one, two), { run: null }),
    opened(ORIGIN, two.vkey),
  ]);
  store.append([draftOf('step.skipped', { stepPath: 'a' })]);
  store.append([
    draftOf('key.rotated', rotationData(ORIGIN, two, three), { run: null }),
    opened(ORIGIN, three.vkey),
  ]);
  store.append([draftOf('step.skipped', { stepPath: 'b' })]);
  const signers = [
    [1, [7]],
    [4, [7, 8]],
    [5, [8]],
    [7, [8, 10]],
    [8, [10]],
  ] as const;
  const rotated = signers.map(([size, by]) => ({ size, by }));
  const many = (await logOfSizes(300)).store.rows.map(({ bytes }) => bytes);
  return [
    { entries, published: witnessed, given: { vkeys: [log.vkey], payloads } },
    { entries: store.rows.map(({ bytes }) => bytes), published: rotated, given: { vkeys: [three.vkey] } },
    { entries: many, published: [1, 256, 300].map((size) => ({ size, by: [7] })), given: PINNED },
  ];
}

describe('whatever somebody changed', () => {
  it('in a real log, both verifiers say the same word, and name the same files and entries', async () => {
    const logs = await realLogs();
    for (const { entries, published, given } of logs) {
      await expectBoth(directoryOf(entries, published), { verdict: 'verified' }, given);
    }
    const which = fc.constantFrom(...[0, 0, 0, 1, 1, 2].map((i) => i % logs.length));
    await fc.assert(
      fc.asyncProperty(which, change, async (at, what) => {
        const base = logs[at];
        if (base === undefined) throw new Error('no such log');
        const { directory, given } = changed(base, what);
        const first = await judgeFirst(directory, given);
        expect(told(judgeSecond(directory, given))).toEqual(told(first));
      }),
      { numRuns: 100 },
    );
  });

  it('in a bundle, both verifiers say the same word', async () => {
    const log = await evidenceLog({ form: { signature: null } });
    const good = bundleOf(log, { first: true });
    const edits = fc.array(entryEdit, { minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(edits, fc.boolean(), (changes, isSealed) => {
        const held = [good];
        for (const edit of changes) editEntries(held, edit);
        const [bytes = new Uint8Array()] = isSealed ? held.map(sealed) : held;
        const given = { vkeys: [log.vkey] };
        const first = verifyEvidence(bytes, {
          ...given,
          subjectDigest: digestOfSubjectBytes,
          ...SIGNATURES,
        }).report;
        expect(told(second.verifyEvidence(bytes, given))).toEqual(told(first));
      }),
      { numRuns: 100 },
    );
  });

  it('by what stands in a folder instead of a file, both verifiers say the same word', async () => {
    const home = mkdtempSync(path.join(tmpdir(), 'writ-agree-'));
    const { directory } = await logOfSizes(3, 5);
    const names = [
      ...directory.files.keys(),
      'pending',
      'tile/0/000.p/7',
      'checkpoints',
      'tile/0',
      'tile',
      'more',
    ];
    const at = (...parts: string[]): string => path.join(home, ...parts);
    try {
      writeLog(directory, at('good'));
      for (const [i, name] of names.entries()) {
        for (const kind of ['nothing', 'link', 'link to nothing', 'folder', 'file', 'pipe'] as const) {
          const dir = at(`${i} ${kind}`);
          writeLog(directory, dir);
          rmSync(path.join(dir, name), { recursive: true, force: true });
          if (kind === 'link') symlinkSync(at('good', name), path.join(dir, name));
          if (kind === 'link to nothing') symlinkSync(at('none'), path.join(dir, name));
          if (kind === 'folder') mkdirSync(path.join(dir, name, 'inner'), { recursive: true });
          if (kind === 'file') writeFileSync(path.join(dir, name), 'x');
          if (kind === 'pipe') execFileSync('mkfifo', [path.join(dir, name)]);
          const first = await judgeFirst(openTileDirectory(dir), PINNED);
          const other = second.verifyLog(second.directorySource(dir), { vkeys: PINNED.vkeys });
          expect([name, kind, told(other)]).toEqual([name, kind, told(first)]);
          rmSync(dir, { recursive: true });
        }
      }
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

function textOf(directory: MemoryDirectory, path: string): string {
  return new TextDecoder().decode(directory.files.get(path));
}

/** `text` signed by the key that `testSigner(ORIGIN, seed)` has. */
function noteBy(seed: number, text: string): Uint8Array {
  const secret = new Uint8Array(32).fill(seed);
  const key = parseVkey(formatVkey(ORIGIN, 1, ed25519.getPublicKey(secret)));
  return new TextEncoder().encode(signNote(text, key, (message) => ed25519.sign(message, secret)));
}

function resign(directory: MemoryDirectory, path: string, seed: number): void {
  directory.files.set(path, noteBy(seed, parseNote(textOf(directory, path)).text));
}
