// Proofs of one entry.
import { leafHash } from '../../../audit/verify.mjs';
import { LOG, Log, ORIGIN, START_S, STRANGER, W1, W2, at, base64, signed, textOf } from './log.mjs';
import { inclusion } from './tree-proof.mjs';
import { ok, single } from './vector-file.mjs';

export function proofs() {
  const { test, write } = single('proofs', 'proofs of one entry (.tlog-proof), with the entry beside them');
  const log = new Log()
    .open()
    .notes(4)
    .publish()
    .notes(11)
    .publish({ witnesses: [[W1, START_S + 20]] });
  const hashes = log.entries.map(leafHash);
  const make = (index, { extra = [], note = log.note(), path = inclusion(index, hashes), at = index } = {}) =>
    Buffer.from(
      ['c2sp.org/tlog-proof@v1', ...extra, `index ${at}`, ...path.map(base64), '', note].join('\n'),
    );
  const good = make(6);
  const entry = log.entries[6];
  for (const index of [0, 1, 6, 7, 8, 10])
    test(`entry ${index} of 11`, { proof: make(index), entry: log.entries[index] }, ok);
  const wrong = { verdict: 'entry-mismatch', index: '6' };
  const unreadable = { verdict: 'malformed' };
  const text = good.toString();
  test('no key from outside', { proof: good, entry }, { verdict: 'unpinned' }, { vkeys: [] });
  test('another key', { proof: good, entry }, { verdict: 'bad-signature' }, { vkeys: [STRANGER.vkey] });
  test('another entry', { proof: good, entry: log.entries[5] }, wrong);
  test(
    'an entry with one byte changed',
    { proof: good, entry: Buffer.from(entry.toString().replace('"s6"', '"t6"')) },
    wrong,
  );
  test('another index', { proof: make(6, { at: 7 }), entry }, { verdict: 'entry-mismatch', index: '7' });
  test(
    'an index beyond the tree',
    { proof: make(6, { at: 11 }), entry },
    { verdict: 'entry-mismatch', index: '11' },
  );
  test(
    'an index at the border of 2^63',
    { proof: make(6, { at: 2n ** 63n - 1n }), entry },
    { verdict: 'entry-mismatch', index: String(2n ** 63n - 1n) },
  );
  test('an index beyond 2^63-1', { proof: make(6, { at: 2n ** 63n }), entry }, unreadable);
  test('an index with a leading zero', { proof: make(6, { at: '06' }), entry }, unreadable);
  test('a hash too few', { proof: make(6, { path: inclusion(6, hashes).slice(1) }), entry }, wrong);
  test('a hash too many', { proof: make(6, { path: [...inclusion(6, hashes), hashes[0]] }), entry }, wrong);
  test(
    'hashes in another order',
    { proof: make(6, { path: inclusion(6, hashes).toReversed() }), entry },
    wrong,
  );
  test('a hash of another length', { proof: make(6, { path: [Buffer.alloc(31)] }), entry }, unreadable);
  test('sixty-four hashes', { proof: make(6, { path: Array(64).fill(hashes[0]) }), entry }, unreadable);
  test('extra data means nothing', { proof: make(6, { extra: ['extra AAAA'] }), entry }, ok);
  test('extra data that is not base64', { proof: make(6, { extra: ['extra A'] }), entry }, unreadable);
  test('extra data twice', { proof: make(6, { extra: ['extra AAAA', 'extra AAAA'] }), entry }, unreadable);
  test('another first line', { proof: Buffer.from(text.replace('@v1', '@v2')), entry }, unreadable);
  test('no index', { proof: Buffer.from(text.replace('index 6\n', '')), entry }, unreadable);
  test('no empty line', { proof: Buffer.from(text.replace('\n\n', '\n')), entry }, unreadable);
  test(
    'a checkpoint that was changed',
    { proof: Buffer.from(text.replace('\n11\n', '\n12\n')), entry },
    { verdict: 'bad-signature' },
  );
  test('a checkpoint that can not be read', { proof: make(6, { note: 'x\n' }), entry }, unreadable);
  test(
    'an entry that is proven and no entry',
    { proof: rawProof(), entry: Buffer.from('{}') },
    { verdict: 'not-canonical', index: '0' },
  );
  test(
    'a checkpoint of the same size with another root was seen',
    { proof: good, entry },
    { verdict: 'fork' },
    { old: [Buffer.from(signed(textOf(ORIGIN, 11, leafHash(Buffer.of(1))), LOG))] },
  );
  test('an older checkpoint can not be compared', { proof: good, entry }, ok, { old: [log.note(4)] });
  test('the witness that was asked for', { proof: good, entry }, ok, { witnesses: [W1.vkey] });
  test(
    'a witness that is missing',
    { proof: good, entry },
    { verdict: 'quorum-missing' },
    { witnesses: [W2.vkey] },
  );
  const late = new Log().open();
  late.add('secret.used', { name: 'x' }, { time: at(30_000) });
  late.publish({ witnesses: [[W1, START_S + 20]] });
  test(
    'a time after the cosignature',
    {
      proof: make(1, { note: late.note(), path: inclusion(1, late.entries.map(leafHash)) }),
      entry: late.entries[1],
    },
    { verdict: 'chain-broken', index: '1' },
    { witnesses: [W1.vkey] },
  );
  write();

  function rawProof() {
    const raw = new Log();
    raw.raw(Buffer.from('{}'));
    return make(0, { note: raw.publish().note(), path: [] });
  }
}
