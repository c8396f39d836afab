// Changes to a good log.
import { leafHash, nodeHash, treeHash } from '../../../audit/verify.mjs';
import { LOG, Log, NEXT, ORIGIN, STRANGER, checkpointPath, signed, textOf } from './log.mjs';
import { copy, flip, group, ok, put, remove, replace } from './vector-file.mjs';

export function tampered() {
  const { keep, test, write } = group(
    'tampered',
    'changes to a good log of 300 entries, published at 5 and 300',
  );
  const log = new Log().open().notes(5).publish().notes(300).publish();
  keep('good', log);
  const bundle = 'tile/entries/000';
  const first = log.entries.slice(0, 256);
  const offsetOf = (index) => first.slice(0, index).reduce((sum, bytes) => sum + 2 + bytes.length, 0) + 2;
  /** The bundle made of these ranges of its own entries. */
  const arrange = (...ranges) => [{ op: 'arrange', path: bundle, ranges }];
  const small = new Log().open().notes(5).publish();

  test('nothing was changed', 'good', ok);
  test('an entry was edited', 'good', { verdict: 'entry-mismatch', index: '17', path: bundle }, {}, [
    flip(bundle, offsetOf(17) + 40),
  ]);
  test(
    'the last entry was edited',
    'good',
    { verdict: 'entry-mismatch', index: '299', path: 'tile/entries/001.p/44' },
    {},
    [replace('tile/entries/001.p/44', '"s299"', '"t299"')],
  );
  test(
    'an entry was deleted',
    'good',
    { verdict: 'malformed', path: bundle },
    {},
    arrange([0, 9], [10, 256]),
  );
  test(
    'an entry was deleted and the rest moved up',
    'good',
    { verdict: 'entry-mismatch', index: '9', path: bundle },
    {},
    arrange([0, 9], [10, 256], [255, 256]),
  );
  test(
    'an entry was inserted',
    'good',
    { verdict: 'malformed', path: bundle },
    {},
    arrange([0, 10], [9, 256]),
  );
  test(
    'two entries were swapped',
    'good',
    { verdict: 'entry-mismatch', index: '30', path: bundle },
    {},
    arrange([0, 30], [31, 32], [30, 31], [32, 256]),
  );
  test(
    'two entries of different runs were swapped, far apart',
    'good',
    { verdict: 'entry-mismatch', index: '4', path: bundle },
    {},
    arrange([0, 4], [200, 201], [5, 200], [4, 5], [201, 256]),
  );
  test(
    'the halves were exchanged',
    'good',
    { verdict: 'entry-mismatch', index: '0', path: bundle },
    {},
    arrange([128, 256], [0, 128]),
  );
  test('the last bundle was cut off', 'good', { verdict: 'missing', path: 'tile/entries/001.p/44' }, {}, [
    remove('tile/entries/001.p/44'),
  ]);
  const changed = first.map((bytes, i) =>
    leafHash(i === 3 ? Buffer.from(bytes.toString().replace('"s3"', '"t3"')) : bytes),
  );
  const together = [replace(bundle, '"s3"', '"t3"'), put('tile/0/000', Buffer.concat(changed))];
  test(
    'entry and leaf were changed together',
    'good',
    { verdict: 'tile-mismatch', path: 'tile/0/000' },
    {},
    together,
  );
  test('entry, leaf and the tile above were changed together', 'good', { verdict: 'root-mismatch' }, {}, [
    ...together,
    put('tile/1/000.p/1', treeHash(changed)),
  ]);
  test('a leaf was changed in its tile', 'good', { verdict: 'tile-mismatch', path: 'tile/0/000' }, {}, [
    flip('tile/0/000', 99),
  ]);
  test('the tile above was changed', 'good', { verdict: 'tile-mismatch', path: 'tile/1/000.p/1' }, {}, [
    flip('tile/1/000.p/1', 0),
  ]);
  test(
    'a leaf of the last tile was changed',
    'good',
    { verdict: 'tile-mismatch', path: 'tile/0/001.p/44' },
    {},
    [flip('tile/0/001.p/44', 43 * 32)],
  );
  test('a tile has another length', 'good', { verdict: 'malformed', path: 'tile/0/000' }, {}, [
    { op: 'cut', path: 'tile/0/000', bytes: 32 },
  ]);
  test('a kept partial tile was changed', 'good', { verdict: 'tile-mismatch', path: 'tile/0/000.p/5' }, {}, [
    flip('tile/0/000.p/5', 0),
  ]);
  test(
    'a kept partial bundle was changed',
    'good',
    { verdict: 'entry-mismatch', index: '4', path: 'tile/entries/000.p/5' },
    {},
    [replace('tile/entries/000.p/5', '"s4"', '"t4"')],
  );
  for (const path of [
    'tile/0/002',
    'tile/0/001',
    'tile/0/001.p/45',
    'tile/entries/001.p/45',
    'tile/1/000',
    'tile/1/001.p/1',
    'tile/2/000.p/1',
    'tile/63/000',
    'tile/entries/x001/000',
    'notes.txt',
    'tile',
    'checkpoints/300',
    'checkpoints/00000000000000000007.tsr',
    'checkpoints/99999999999999999999',
    'checkpoint.bak',
    '.hidden',
  ])
    test(`an extra file ${path}`, 'good', { verdict: 'extra', path }, {}, [put(path, Buffer.alloc(45 * 32))]);
  for (const path of [
    'tile/0/0',
    'tile/0/1000',
    'tile/0/x000/001',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/05',
    'tile/00/000',
    'tile/64/000',
    'tile/x/000',
    'tile/entries/000.p/5/x',
  ])
    test(`a path that no tile has, ${path}`, 'good', { verdict: 'malformed', path }, {}, [
      put(path, Buffer.alloc(32)),
    ]);
  test('left-overs of unfinished writes mean nothing', 'good', ok, {}, [
    put('tile/0/000.p/5.123.tmp', Buffer.of(1)),
    put('checkpoint.tmp', Buffer.of(1)),
  ]);
  test('a suggested policy is not read', 'good', ok, {}, [put('policy', Buffer.from('nonsense'))]);
  test('a time stamp beside its checkpoint is not judged', 'good', ok, {}, [
    put(`${checkpointPath(5)}.tsr`, Buffer.of(1)),
  ]);

  test(
    'the log was rolled back to an earlier checkpoint, files and all',
    'good',
    { verdict: 'rollback' },
    { old: [log.note(300)] },
    [{ op: 'keep', paths: [...small.files.keys()] }, copy(checkpointPath(5), 'checkpoint')],
  );
  test(
    'only the newest checkpoint was rolled back',
    'good',
    { verdict: 'rollback', path: checkpointPath(300) },
    {},
    [copy(checkpointPath(5), 'checkpoint')],
  );
  const kept = new Log().open().notes(5).publish().notes(20).publish();
  const rewritten = new Log().open().notes(3);
  rewritten.add('secret.used', { host: 'h', name: 'another', stepPath: 'a' }, { run: 'run-0' });
  keep('rewritten', rewritten.notes(20).publish());
  const again = 'a history that was rewritten and signed again';
  test(`${again} stands alone`, 'rewritten', ok);
  test(
    `${again}, with the checkpoint of the same size kept elsewhere`,
    'rewritten',
    { verdict: 'fork' },
    { old: [kept.note(20)] },
  );
  test(
    `${again}, with an earlier checkpoint kept elsewhere`,
    'rewritten',
    { verdict: 'fork' },
    { old: [kept.note(5)] },
  );
  test(
    `${again}, with its own old checkpoint left behind`,
    'rewritten',
    { verdict: 'fork', path: checkpointPath(5) },
    {},
    [put(checkpointPath(5), kept.note(5))],
  );
  test(
    'an old checkpoint that is itself forged',
    'good',
    { verdict: 'bad-signature' },
    { old: [Buffer.from(log.note(5).toString().replace('\n5\n', '\n6\n'))] },
  );
  test(
    'an old checkpoint of another log',
    'good',
    { verdict: 'wrong-origin' },
    {
      vkeys: [LOG.vkey, STRANGER.vkey],
      old: [Buffer.from(signed(textOf('other.example', 1, leafHash(Buffer.of(1))), STRANGER))],
    },
  );

  const text = log.note(300).toString().split('\n\n')[0];
  test('the signature was stripped', 'good', { verdict: 'malformed', path: 'checkpoint' }, {}, [
    put('checkpoint', Buffer.from(`${text}\n\n`)),
  ]);
  test(
    'the signature was stripped with its empty line',
    'good',
    { verdict: 'malformed', path: 'checkpoint' },
    {},
    [put('checkpoint', Buffer.from(`${text}\n`))],
  );
  test('only a stranger signed', 'good', { verdict: 'bad-signature', path: 'checkpoint' }, {}, [
    put('checkpoint', Buffer.from(signed(`${text}\n`, STRANGER))),
  ]);
  test('a stranger signed as well', 'good', ok, {}, [
    put('checkpoint', Buffer.from(signed(`${text}\n`, LOG, STRANGER))),
  ]);
  test('the signature is of another text', 'good', { verdict: 'bad-signature', path: 'checkpoint' }, {}, [
    replace('checkpoint', '\n300\n', '\n299\n'),
  ]);
  test(
    'the signature of an older checkpoint is broken',
    'good',
    { verdict: 'bad-signature', path: checkpointPath(5) },
    {},
    [replace(checkpointPath(5), '\n5\n', '\n4\n')],
  );
  test(
    'an older checkpoint stands under another name',
    'good',
    { verdict: 'malformed', path: checkpointPath(6) },
    {},
    [copy(checkpointPath(5), checkpointPath(6))],
  );
  test(
    'the checkpoint is of another log that the same key signed',
    'good',
    { verdict: 'wrong-origin', path: 'checkpoint' },
    {},
    [put('checkpoint', Buffer.from(signed(`${text.replace(ORIGIN, 'log.example/else')}\n`, LOG)))],
  );
  test('the checkpoint has an extension line', 'good', ok, {}, [
    put('checkpoint', Buffer.from(signed(`${text}\nextension\n`, LOG))),
  ]);
  test(
    'the checkpoint has a size with a leading zero',
    'good',
    { verdict: 'malformed', path: 'checkpoint' },
    {},
    [put('checkpoint', Buffer.from(signed(`${text.replace('\n300\n', '\n0300\n')}\n`, LOG)))],
  );
  test(
    'the checkpoint has a root in another alphabet',
    'good',
    { verdict: 'malformed', path: 'checkpoint' },
    {},
    [put('checkpoint', Buffer.from(signed(`${ORIGIN}\n300\n${'-'.repeat(43)}=\n`, LOG)))],
  );
  test('a signed size that no file supports', 'good', { verdict: 'missing', path: 'tile/1/000' }, {}, [
    put('checkpoint', Buffer.from(signed(textOf(ORIGIN, 2n ** 63n - 1n, leafHash(Buffer.of(1))), LOG))),
  ]);
  test('a signed size beyond 2^63-1', 'good', { verdict: 'malformed', path: 'checkpoint' }, {}, [
    put('checkpoint', Buffer.from(signed(textOf(ORIGIN, 2n ** 63n, leafHash(Buffer.of(1))), LOG))),
  ]);
  test(
    'a signed root that is another',
    'good',
    { verdict: 'root-mismatch' },
    {},
    ['checkpoint', checkpointPath(300)].map((path) =>
      put(path, Buffer.from(signed(textOf(ORIGIN, 300, nodeHash(Buffer.alloc(32), Buffer.alloc(32))), LOG))),
    ),
  );

  test(
    'another key of the same name is pinned',
    'good',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { vkeys: [NEXT.vkey] },
  );
  test(
    'a key of another log is pinned',
    'good',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { vkeys: [STRANGER.vkey] },
  );
  test('the key is one of two that are pinned', 'good', ok, { vkeys: [STRANGER.vkey, LOG.vkey] });
  test('the vkey file names another key of the log', 'good', { verdict: 'bad-signature', path: 'vkey' }, {}, [
    put('vkey', Buffer.from(`${NEXT.vkey}\n`)),
  ]);
  test('the vkey file names another log', 'good', { verdict: 'wrong-origin', path: 'vkey' }, {}, [
    put('vkey', Buffer.from(`${STRANGER.vkey}\n`)),
  ]);
  test('the vkey file is no vkey', 'good', { verdict: 'malformed', path: 'vkey' }, {}, [
    put('vkey', Buffer.from('x')),
  ]);

  const pending = log.note(300);
  const interrupted = [copy(checkpointPath(5), 'checkpoint'), put('pending', pending)];
  test('a publication that is not finished', 'good', ok, {}, interrupted);
  test(
    'a publication that is not finished, with an extra file',
    'good',
    { verdict: 'extra', path: 'tile/0/001.p/7' },
    {},
    [...interrupted, put('tile/0/001.p/7', Buffer.alloc(7 * 32))],
  );
  test('a pending checkpoint nobody signed', 'good', { verdict: 'bad-signature', path: 'pending' }, {}, [
    ...interrupted,
    replace('pending', '\n300\n', '\n400\n'),
  ]);
  test('a pending checkpoint that can not be read', 'good', { verdict: 'malformed', path: 'pending' }, {}, [
    ...interrupted,
    put('pending', Buffer.from('nonsense')),
  ]);
  test('one run alone', 'good', ok, { run: 'run-1' });
  test('one run that is not there', 'good', { verdict: 'missing' }, { run: 'run-7' });
  write();
}
