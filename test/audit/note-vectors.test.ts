import { describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import { openNote, parseCheckpoint, parseVkey, formatVkey } from '../../src/audit/index.js';
import { base64, corpus, CORPUS_NOTE, HAVE_CORPUS, type CheckpointCase, type NoteCase } from './corpus.js';

describe.skipIf(!HAVE_CORPUS)(`note, vkey and checkpoint vectors${CORPUS_NOTE}`, () => {
  it.each(corpus<{ tests: NoteCase[] }>('notes.json').tests ?? [])('note: $name', (test) => {
    const open = (): ReturnType<typeof openNote> => openNote(base64(test.note_b64), test.vkeys);
    if (!test.ok) {
      expect(codeOf(open)).toBe('AUDIT_NOTE_INVALID');
      return;
    }
    const { text, verified, unverified } = open();
    expect(verified.map((key) => key.name)).toEqual(test.verified);
    expect(unverified).toBe(test.unverified);
    expect(text.endsWith('\n')).toBe(true);
  });

  it.each(corpus<{ tests: { vkey: string; ok: boolean }[] }>('vkeys.json').tests ?? [])(
    'vkey $vkey is accepted: $ok',
    ({ vkey, ok }) => {
      if (!ok) {
        expect(codeOf(() => parseVkey(vkey))).toBe('AUDIT_KEY_INVALID');
        return;
      }
      const { name, type, publicKey } = parseVkey(vkey);
      expect(formatVkey(name, type, publicKey)).toBe(vkey);
    },
  );

  it.each(corpus<{ tests: CheckpointCase[] }>('checkpoints.json').tests ?? [])(
    'checkpoint: $name',
    (test) => {
      const read = (): ReturnType<typeof parseCheckpoint> =>
        parseCheckpoint(openNote(base64(test.note_b64), [test.vkey]).text);
      if (!test.ok) {
        expect(codeOf(read)).toBe('AUDIT_CHECKPOINT_INVALID');
        return;
      }
      const checkpoint = read();
      expect(checkpoint.size).toBe(BigInt(test.size ?? -1));
      expect(checkpoint.origin).toBe(parseVkey(test.vkey).name);
      if (test.origin !== undefined) expect(checkpoint.origin).toBe(test.origin);
      if (test.root !== undefined) expect(checkpoint.root).toEqual(base64(test.root));
      if (test.extensions !== undefined) expect(checkpoint.extensions).toEqual(test.extensions);
    },
  );
});

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof WritError) return error.code;
    throw error;
  }
  return 'accepted';
}
