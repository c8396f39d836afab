// Evidence bundles of one run.
import { createHash, createHmac } from 'node:crypto';
import { canonicalize, leafHash, treeHash } from '../../../audit/verify.mjs';
import { LOG, Log, NEXT, ORIGIN, START_S, STRANGER, W1, W2, base64, signed, textOf } from './log.mjs';
import {
  answered,
  authz,
  consumed,
  finished,
  formOpened,
  intended,
  logOf,
  requested,
  started,
  vote,
} from './run-lines.mjs';
import { consistency, shownEntries } from './tree-proof.mjs';
import { ok, single } from './vector-file.mjs';

export function evidence() {
  const { test, write } = single('evidence', 'evidence bundles of one run (writ.evidence/v1)');
  const [salt, input, subject] = [
    Buffer.alloc(32, 5),
    Buffer.from('the input'),
    Buffer.from('{"what":"deploy"}'),
  ];
  const commit = (label, bytes) =>
    createHmac('sha256', salt).update(`\0${label}\0`).update(bytes).digest('hex');
  const subjectDigest = createHash('sha256').update('writ.approval.v1\0').update(subject).digest('hex');
  const about = { approvalId: 'apr_1', subjectDigest };
  const committed = { input: commit('input', input) };
  const log = new Log().open();
  log.add('run.started', { initiator: 'user:alice', parentRun: null }, { commit: committed });
  log.notes(4, () => 'run-2').publish();
  const add = (line) => log.add(...(typeof line === 'function' ? line(hashes) : line));
  const hashes = [];
  for (const line of [
    authz('needs_approval'),
    requested(about),
    vote({ subjectDigest }, { subjectDigest }),
    consumed(about),
    intended({ approvalId: 'apr_1' }),
  ]) {
    const [type, data, over = {}] = line;
    hashes.push(
      add([
        type,
        data,
        type === 'approval.requested' ? { commit: { subject: commit('subject', subject) } } : over,
      ]),
    );
  }
  log.notes(10, () => 'run-2');
  add(finished(4));
  add(['run.finished', { exitCode: 0, reason: null, status: 'succeeded' }]);
  log.add(
    'payload.erased',
    { basis: 'b', commitment: committed.input, label: 'input', requester: 'user:alice' },
    { run: 'run-1' },
  );
  log.notes(15, () => 'run-2').publish({ witnesses: [[W1, START_S + 20]] });
  const leaves = log.entries.map(leafHash);
  const isOf = (run) => (bytes) => JSON.parse(bytes).run === run;
  const indices = log.entries.flatMap((bytes, i) => (isOf('run-1')(bytes) || i === 0 ? [i] : []));
  const shown = (...indices) => shownEntries(log.entries, indices);
  const certificate = { custodian: null, hash: 'SHA-256', method: 'm', tool: 'writ', version: '0' };
  const disclosed = (label, bytes) => ({
    bytes: base64(bytes),
    commitment: commit(label, bytes),
    label,
    mediaType: 'text/plain',
    salt: base64(salt),
  });
  const body = (over = {}) => ({
    certificate,
    checkpoint: log.note().toString(),
    disclosed: [disclosed('subject', subject)],
    entries: shown(...indices),
    erased: [{ commitment: committed.input, entry: String(12) }],
    first: null,
    format: 'writ.evidence/v1',
    origin: ORIGIN,
    policy: `log ${LOG.vkey}\nquorum none\n`,
    scope: { run: 'run-1' },
    ...over,
  });
  const digested = (value) => ({
    ...value,
    digest: createHash('sha256').update(canonicalize(value)).digest('hex'),
  });
  const of = (over) => ({ bundle: Buffer.from(canonicalize(digested(body(over)))) });
  const text = canonicalize(digested(body()));
  const raw = (changed) => ({ bundle: Buffer.from(changed) });
  const entries = body().entries;
  const first = { checkpoint: log.note(4).toString(), consistency: consistency(4, leaves).map(base64) };

  test('a run that is whole', of(), ok);
  test('no key from outside', of(), { verdict: 'unpinned' }, { vkeys: [] });
  test('another key', of(), { verdict: 'bad-signature' }, { vkeys: [STRANGER.vkey] });
  test(
    'the key inside is another, the pinned one holds',
    of({ policy: `log ${STRANGER.vkey}\nquorum none\n` }),
    ok,
  );
  test(
    'a suggestion that can not be read, and no key from outside',
    of({ policy: 'x' }),
    { verdict: 'unpinned' },
    { vkeys: [] },
  );
  test('the witness that was asked for', of(), ok, { witnesses: [W1.vkey] });
  test('a witness that is missing', of(), { verdict: 'quorum-missing' }, { witnesses: [W2.vkey] });
  test('the end is left out', of({ entries: entries.slice(0, -2), erased: [] }), ok);
  test('an entry in the middle is left out', of({ entries: shown(...indices.filter((_, i) => i !== 3)) }), {
    verdict: 'chain-broken',
    index: entries[4].index,
  });
  test('no entry of the run', of({ entries: entries.slice(0, 1), erased: [], disclosed: [] }), {
    verdict: 'missing',
  });
  test('an entry of another run', of({ entries: shown(...indices.slice(0, 2), 2, ...indices.slice(2)) }), {
    verdict: 'extra',
    index: '2',
  });
  test('entries in another order', of({ entries: shown(1, 0) }), {
    verdict: 'malformed',
    index: '0',
  });
  test(
    'an entry that was edited',
    of({
      entries: entries.map((one) =>
        one.index === '4'
          ? { ...one, bytes: base64(log.entries[4].toString().replace('needs_approval', 'allow')) }
          : one,
      ),
    }),
    { verdict: 'entry-mismatch', index: '4' },
  );
  test(
    'an entry under another index',
    of({ entries: entries.map((one) => (one.index === '4' ? { ...one, index: '3' } : one)) }),
    { verdict: 'entry-mismatch', index: '3' },
  );
  const cut = (proof) => of({ entries: [{ ...entries[0], proof }, ...entries.slice(1)] });
  const none = { verdict: 'entry-mismatch', index: '0' };
  test('a proof that lacks a hash', cut(entries[0].proof.slice(1)), none);
  test('a proof with a hash too many', cut([...entries[0].proof, entries[0].proof[0]]), none);
  test(
    'a proof that repeats what is shown',
    of({ entries: [...entries.slice(0, 1), shown(1)[0], ...entries.slice(2)] }),
    {
      verdict: 'entry-mismatch',
      index: '1',
    },
  );
  test('one entry alone with its whole proof', of({ entries: shown(12), erased: [], disclosed: [] }), {
    verdict: 'chain-broken',
    index: '12',
  });
  test(
    'a payload of another text',
    of({ disclosed: [{ ...disclosed('subject', subject), bytes: base64('{}') }] }),
    { verdict: 'payload-mismatch' },
  );
  test(
    'a payload under another label',
    of({ disclosed: [{ ...disclosed('subject', subject), label: 'input' }] }),
    { verdict: 'payload-mismatch' },
  );
  test('a payload nobody committed to', of({ disclosed: [disclosed('other', input)] }), {
    verdict: 'payload-mismatch',
  });
  test('an erased payload that is still shown', of({ disclosed: [disclosed('input', input)] }), ok);
  test(
    'an erasure that no entry says',
    of({ erased: [{ commitment: commit('subject', subject), entry: '12' }] }),
    { verdict: 'erased-unlogged', index: '12' },
  );
  test('an older checkpoint that is a prefix', of({ first }), ok);
  test(
    'an older checkpoint with a wrong proof',
    of({ first: { ...first, consistency: first.consistency.slice(1) } }),
    { verdict: 'fork' },
  );
  test(
    'an older checkpoint that is larger',
    of({ first: { checkpoint: signed(textOf(ORIGIN, 99, leafHash(Buffer.of(1))), LOG), consistency: [] } }),
    { verdict: 'rollback' },
  );
  test(
    'an older checkpoint that nobody signed',
    of({
      first: { ...first, checkpoint: signed(textOf(ORIGIN, 4, treeHash(leaves.slice(0, 4))), STRANGER) },
    }),
    { verdict: 'bad-signature' },
  );
  test(
    'a checkpoint kept elsewhere with another root',
    of(),
    { verdict: 'fork' },
    { old: [Buffer.from(signed(textOf(ORIGIN, 15, leafHash(Buffer.of(1))), LOG))] },
  );
  test('the bundle names another origin', of({ origin: 'log.example/else' }), { verdict: 'wrong-origin' });
  test(
    'the digest is another',
    raw(text.replace(/"digest":"[0-9a-f]{64}"/, `"digest":"${'0'.repeat(64)}"`)),
    { verdict: 'malformed' },
  );
  test('a certificate that was changed', raw(text.replace('"tool":"writ"', '"tool":"else"')), {
    verdict: 'malformed',
  });
  test('white space', raw(`${text}\n`), { verdict: 'not-canonical' });
  test('two equal keys', raw(text.replace('{', '{"certificate":1,')), { verdict: 'malformed' });
  test('an unknown key', of({ x: 1 }), { verdict: 'not-canonical' });
  test('another format', of({ format: 'writ.evidence/v2' }), { verdict: 'not-canonical' });
  test(
    'an index that is a number',
    of({ entries: entries.map((one) => ({ ...one, index: Number(one.index) })) }),
    { verdict: 'not-canonical' },
  );
  test(
    'base64 in another alphabet',
    of({ entries: [{ ...entries[0], bytes: `${entries[0].bytes.slice(0, -1)}-` }] }),
    { verdict: 'not-canonical' },
  );
  test('nothing', raw(''), { verdict: 'malformed' });
  test('a checkpoint that can not be read', of({ checkpoint: 'x' }), { verdict: 'malformed' });

  /** A log of these lines in run-1, bundled whole. */
  const whole = (log) => {
    const entries = shownEntries(log.entries, [...log.entries.keys()]);
    return of({ checkpoint: log.note().toString(), disclosed: [], entries, erased: [] });
  };
  test('a step after a deny', whole(logOf([authz('deny'), intended()])), {
    verdict: 'order-broken',
    index: '2',
  });
  test(
    'a step after the end of its run',
    whole(logOf([['run.finished', { status: 'succeeded' }], authz('allow'), intended()])),
    { verdict: 'order-broken', index: '3' },
  );
  test(
    'a redriven run',
    whole(
      logOf([
        ['run.finished', { status: 'failed' }],
        ['run.redriven', { previous: 'failed', redrive: 1 }],
        authz('allow', { attempt: 2 }),
        intended({ attempt: 2 }),
      ]),
    ),
    ok,
  );
  test(
    'a vote after the end of its run',
    whole(logOf([['run.finished', { status: 'failed' }], authz('deny', { attempt: null })])),
    ok,
  );
  const form = (answer) => whole(logOf([started(), authz('allow'), ...formOpened(), answer]));
  const isBad = { verdict: 'order-broken', index: '5' };
  test('a form that is filled in with a signature', form(answered()), ok);
  test('an answer with a signature for another one', form(answered({ commitment: 'd'.repeat(64) })), isBad);
  test('an answer whose signature was taken away', form(answered({}, { signature: null })), {
    verdict: 'not-canonical',
    index: '5',
  });
  test('a vote with a wrong signature', whole(logOf([requested(), vote({ approver: 'user:eve' })])), {
    verdict: 'order-broken',
    index: '2',
  });
  const other = [['approval.requested', requested()[1], { commit: { subject: commit('subject', subject) } }]];
  const misled = whole(logOf(other));
  test(
    'a subject that is committed to, and not what was approved',
    {
      bundle: Buffer.from(
        canonicalize(
          digested({
            ...without(JSON.parse(misled.bundle), 'digest'),
            disclosed: [disclosed('subject', subject)],
          }),
        ),
      ),
    },
    { verdict: 'payload-mismatch' },
  );

  const rotated = new Log().open();
  rotated.add('run.started', { initiator: 'user:alice', parentRun: null });
  rotated
    .publish()
    .rotate(NEXT)
    .notes(6, () => 'run-2')
    .publish();
  const rotatedLeaves = rotated.entries.map(leafHash);
  const bundle = (shown, over = {}) =>
    of({
      checkpoint: rotated.note().toString(),
      disclosed: [],
      entries: shownEntries(rotated.entries, shown),
      erased: [],
      first: {
        checkpoint: rotated.note(2).toString(),
        consistency: consistency(2, rotatedLeaves).map(base64),
      },
      ...over,
    });
  const pin = { vkeys: [NEXT.vkey] };
  test('an older checkpoint of a key that was replaced', bundle([0, 1, 2, 3]), ok, pin);
  test(
    'an older checkpoint of a key that was replaced, without the entry that says so',
    bundle([0, 1]),
    { verdict: 'bad-signature' },
    pin,
  );
  test('only the old key is pinned', bundle([0, 1, 2, 3]), { verdict: 'bad-signature' });
  test(
    'an older checkpoint of a key that was replaced, and no key from outside',
    bundle([0, 1, 2, 3], { policy: `log ${NEXT.vkey}\nquorum none\n` }),
    { verdict: 'unpinned' },
    { vkeys: [] },
  );
  const [later, early] = [rotated.note(), rotated.note(2)].map((note) => Buffer.from(note));
  const ofOldKey = of({
    checkpoint: early.toString(),
    disclosed: [],
    entries: shownEntries(rotated.entries.slice(0, 2), [0, 1]),
    erased: [],
  });
  test('a larger checkpoint of the key that followed was kept elsewhere', ofOldKey, ok, { old: [later] });
  test(
    'a larger checkpoint of a stranger was kept elsewhere',
    ofOldKey,
    { verdict: 'bad-signature' },
    { old: [Buffer.from(signed(textOf('log.example/else', 9, leafHash(Buffer.of(1))), STRANGER))] },
  );
  test(
    'a checkpoint of the same size is signed by a key that followed',
    ofOldKey,
    { verdict: 'bad-signature' },
    { old: [Buffer.from(signed(textOf(ORIGIN, 2, leafHash(Buffer.of(1))), NEXT))] },
  );
  write();
}

export const without = (object, name) =>
  Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
