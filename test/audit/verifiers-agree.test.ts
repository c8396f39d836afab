// Logs on which the two verifiers once differed, or let something pass; each is named after what was wrong. Both are
// asked, and both have to say the same word about the same place.
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { digestOfSubjectBytes } from '../../src/approval/subject.js';
import { verifyEvidence } from '../../src/audit/evidence/verify.js';
import {
  checkpointPath,
  commitment,
  formatVkey,
  parseCheckpoint,
  parseNote,
  parseVkey,
  signNote,
} from '../../src/audit/index.js';
import { rotationData } from '../../src/audit/key-rotation.js';
import type { JsonObject } from '../../src/json.js';
import type { EntryDraft } from '../../src/runtime/ports.js';
import { bundleOf, evidenceLog, RUN } from './evidence-fixture.js';
import {
  draftOf,
  logOf,
  opened,
  ORIGIN,
  testSigner,
  MemoryStore,
  type MemoryDirectory,
} from './log-fixture.js';
import { rawLog } from './raw-log.js';
import { decisive, judgeFirst, judgeSecond, second, type Given } from './second-verifier.js';

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
