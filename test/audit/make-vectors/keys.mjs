// Logs whose key was replaced, as it must be and otherwise.
import { LOG, Log, NEXT, STRANGER, THIRD, base64, checkpointPath, signed } from './log.mjs';
import { group, ok, put } from './vector-file.mjs';

export function keys() {
  const { keep, test, write } = group('keys', 'logs whose key was replaced, as it must be and otherwise');
  const rotated = () => new Log().open().notes(3).publish().rotate(NEXT).notes(7).publish();
  const pin = { vkeys: [NEXT.vkey] };
  keep('rotated', rotated());
  test('the new key is pinned', 'rotated', ok, pin);
  test('both keys are pinned', 'rotated', ok, { vkeys: [LOG.vkey, NEXT.vkey] });
  test('only the old key is pinned', 'rotated', { verdict: 'bad-signature', path: 'checkpoint' });
  test('no key is pinned', 'rotated', { verdict: 'unpinned' }, { vkeys: [] });
  test('an old checkpoint of the old key is given', 'rotated', ok, { ...pin, old: [rotated().note(3)] });
  test('an old checkpoint of both keys is given', 'rotated', ok, { ...pin, old: [rotated().note(5)] });
  test(
    'the newest checkpoint is the one of both keys',
    new Log().open().notes(3).publish().rotate(NEXT),
    ok,
    pin,
  );
  test(
    'the newest checkpoint is the one of both keys and the old one is pinned',
    new Log().open().notes(3).publish().rotate(NEXT),
    { verdict: 'bad-signature', path: 'vkey' },
  );
  test(
    'three keys, one after the other',
    new Log().open().notes(3).publish().rotate(NEXT).notes(7).publish().rotate(THIRD).notes(12).publish(),
    ok,
    { vkeys: [THIRD.vkey] },
  );
  test(
    'three keys, the middle one pinned',
    new Log().open().notes(3).publish().rotate(NEXT).notes(7).publish().rotate(THIRD).notes(12).publish(),
    { verdict: 'bad-signature', path: 'checkpoint' },
    pin,
  );
  const fork = new Log().open().notes(2);
  fork.add('secret.used', { host: 'h', name: 'other', stepPath: 'a' });
  test(
    'a checkpoint of the old key that is no prefix',
    'rotated',
    { verdict: 'fork' },
    { ...pin, old: [fork.publish().note(3)] },
  );
  const byOld = rotated();
  const afterwards = Buffer.from(signed(byOld.text, LOG));
  test(
    'the old key signs after its time',
    'rotated',
    { verdict: 'bad-signature', path: checkpointPath(7) },
    { vkeys: [NEXT.vkey] },
    [put(checkpointPath(7), afterwards)],
  );
  test(
    'the old key signs the newest checkpoint after its time',
    'rotated',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { vkeys: [LOG.vkey, NEXT.vkey] },
    ['checkpoint', checkpointPath(7)].map((path) => put(path, afterwards)),
  );
  test('vkey is still the old one', 'rotated', { verdict: 'bad-signature', path: 'vkey' }, pin, [
    put('vkey', Buffer.from(`${LOG.vkey}\n`)),
  ]);
  const bad = (name, rotation, index = '3', given = pin, edits = []) =>
    test(
      name,
      new Log()
        .open()
        .notes(3)
        .rotate(NEXT, { keys: [NEXT], ...rotation })
        .publish(),
      { verdict: 'order-broken', index },
      given,
      edits,
    );
  bad('the old key did not sign', { data: { signatureByOld: base64(Buffer.alloc(64)) } });
  bad('the new key did not sign', { data: { signatureByNew: base64(Buffer.alloc(64)) } });
  bad('the signatures are exchanged', {
    data: (({ signatureByOld, signatureByNew }) => ({
      signatureByOld: signatureByNew,
      signatureByNew: signatureByOld,
    }))(JSON.parse(rotated().entries[3]).data),
  });
  bad('another old key is named', { data: { oldVkey: THIRD.vkey } });
  bad('the key is given to itself', { data: { newVkey: LOG.vkey } });
  bad('no keys are named', { data: { newVkey: null } });
  bad('a key of another name takes over', { data: { newVkey: STRANGER.vkey } });
  const third = [put('vkey', Buffer.from(`${THIRD.vkey}\n`))];
  bad(
    'the log is opened with another key',
    { opened: { vkey: THIRD.vkey } },
    '4',
    { vkeys: [NEXT.vkey, THIRD.vkey] },
    third,
  );
  const unopened = new Log()
    .open()
    .notes(3)
    .rotate(NEXT, { keys: [NEXT] });
  unopened.entries.pop();
  unopened.files = new Map();
  test(
    'nothing opens the log with the new key',
    unopened.publish(),
    { verdict: 'order-broken', index: '3' },
    { vkeys: [LOG.vkey, NEXT.vkey] },
    [put('vkey', Buffer.from(`${LOG.vkey}\n`))],
  );
  const back = new Log().open().notes(3).rotate(NEXT).rotate(LOG);
  test('a key that was replaced comes back', back.publish(), { verdict: 'order-broken', index: '5' }, {});
  write();
}
