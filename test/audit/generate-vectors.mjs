// Writes audit/vectors: logs, good and tampered, with the verdict a verifier must reach. Keys are made of
// fixed seeds and time is fixed, so the same bytes come out each time: `node test/audit/generate-vectors.mjs`, then look at
// what changed. Hashes and paths come from the second verifier; nothing of src is used.
import { createHash, createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalize, hex, leafHash, nodeHash, tilePath, treeHash } from '../../audit/verify.mjs';

const ORIGIN = 'log.example/vectors';
const START_MS = Date.parse('2026-03-01T09:30:00.000Z');
const START_S = START_MS / 1000;
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const at = (ms) => new Date(START_MS + ms).toISOString();

// Keys and notes

/** An Ed25519 key whose secret is 32 equal bytes; type 1 signs as a log, 4 as a witness. */
function keyOf(name, seed, type = 1) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(12);
  return {
    ...namedKey(name, type, publicKey),
    publicKey,
    sign: (text) => sign(null, Buffer.from(text), secret),
  };
}
function namedKey(name, type, publicKey) {
  const key = Buffer.concat([Buffer.of(type), publicKey]);
  const id = createHash('sha256').update(`${name}\n`).update(key).digest().subarray(0, 4);
  return { name, id, vkey: `${name}+${hex(id)}+${base64(key)}` };
}
const line = (key, signature) => `\u2014 ${key.name} ${base64(Buffer.concat([key.id, signature]))}\n`;
const textOf = (origin, size, root) => `${origin}\n${size}\n${base64(root)}\n`;
const signed = (text, ...keys) => `${text}\n${keys.map((key) => line(key, key.sign(text))).join('')}`;
function cosigned(text, key, seconds) {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  return line(key, Buffer.concat([time, key.sign(`cosignature/v1\ntime ${seconds}\n${text}`)]));
}

const LOG = keyOf(ORIGIN, 1);
const NEXT = keyOf(ORIGIN, 2);
const THIRD = keyOf(ORIGIN, 3);
const STRANGER = keyOf('other.example', 4);
const [W1, W2, W3] = [1, 2, 3].map((i) => keyOf(`witness${i}.example`, 10 + i, 4));
const BOB = keyOf('bob', 21);

// Logs

/** A log in memory; `files` is what it has published. */
class Log {
  entries = [];
  files = new Map();
  tails = new Map();

  constructor(key = LOG) {
    this.key = key;
  }
  /** Appends an entry that follows its run; `over` replaces any of its fields. */
  add(type, data = {}, over = {}) {
    const { run = 'run-1', ...rest } = over;
    const { seq, prev } = this.tails.get(run) ?? { seq: 0, prev: null };
    const time = at(this.entries.length);
    const plain = {
      actor: { id: 'user:alice', via: 'cli' },
      commit: {},
      policy: null,
      tenant: 'default',
      workflow: null,
    };
    return this.raw(
      Buffer.from(canonicalize({ ...plain, data, prev, run, seq, time, type, v: 1, ...rest })),
      run,
      seq,
    );
  }
  /** Appends any bytes; returns the entry's leaf hash in hex. */
  raw(bytes, run = 'run-1', seq = 0) {
    const prev = hex(leafHash(bytes));
    this.entries.push(bytes);
    this.tails.set(run, { seq: seq + 1, prev });
    return prev;
  }
  open(over = {}, data = {}) {
    this.add(
      'log.opened',
      { origin: ORIGIN, softwareVersion: '0', vkey: this.key.vkey, ...data },
      { run: null, ...over },
    );
    return this;
  }
  notes(count, run = (i) => `run-${i % 3}`) {
    for (let i = this.entries.length; i < count; i++)
      this.add('secret.used', { host: 'h', name: `s${i}`, stepPath: 'a' }, { run: run(i) });
    return this;
  }
  get text() {
    return textOf(ORIGIN, this.entries.length, treeHash(this.entries.map(leafHash)));
  }
  /** Publishes what is there: tiles, `checkpoints/<size>`, `checkpoint`, `vkey`. */
  publish({ keys = [this.key], witnesses = [], text = this.text } = {}) {
    const size = this.entries.length;
    this.files.set('vkey', Buffer.from(`${this.key.vkey}\n`));
    const put = (level, items) => {
      for (let n = 0; n * 256 < items.length; n++) {
        const part = items.slice(n * 256, n * 256 + 256);
        this.files.set(tilePath(level, n, part.length), Buffer.concat(part));
      }
    };
    const framed = this.entries.map((bytes) =>
      Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]),
    );
    put('entries', framed);
    for (let level = 0, hashes = this.entries.map(leafHash); hashes.length > 0; level++) {
      put(level, hashes);
      const full = Math.floor(hashes.length / 256);
      hashes = Array.from({ length: full }, (_, n) => treeHash(hashes.slice(n * 256, n * 256 + 256)));
    }
    const cosignatures = witnesses.map(([key, seconds]) => cosigned(text, key, seconds)).join('');
    const note = Buffer.from(signed(text, ...keys) + cosignatures);
    this.files.set(checkpointPath(size), note);
    this.files.set('checkpoint', note);
    return this;
  }
  /** Gives the log on to another key: `key.rotated` and `log.opened`, published under both keys. */
  rotate(key, { data = {}, opened = {}, keys = [this.key, key] } = {}) {
    const [old, { vkey }] = [this.key, key];
    const text = `writ.key-rotation.v1\0${canonicalize({ newVkey: vkey, oldVkey: old.vkey, origin: ORIGIN })}`;
    const signatures = { signatureByNew: base64(key.sign(text)), signatureByOld: base64(old.sign(text)) };
    this.add('key.rotated', { newVkey: vkey, oldVkey: old.vkey, ...signatures, ...data }, { run: null });
    this.key = key;
    return this.open({}, opened).publish({ keys });
  }
  note(size = this.entries.length) {
    return this.files.get(checkpointPath(size));
  }
}
const checkpointPath = (size) => `checkpoints/${String(size).padStart(20, '0')}`;

/** A file of vectors: logs by name, and what is done to them. */
function group(name, about) {
  const [logs, tests] = [{}, []];
  const keep = (name, log) => {
    logs[name] = Object.fromEntries(
      [...log.files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, bytes]) => [path, base64(bytes)]),
    );
  };
  /** `edits` are applied in order; `given` is what the verifier is told; `expect` the first finding. */
  const test = (name, log, expect, given = {}, edits = []) => {
    if (log instanceof Log && !(name in logs)) keep(name, log);
    const { vkeys = [LOG.vkey], old = [], ...rest } = given;
    tests.push({
      name,
      log: log instanceof Log ? name : log,
      edits,
      given: { vkeys, old: old.map(base64), ...rest },
      expect,
    });
  };
  const write = () => {
    const head = { about, generator: 'test/audit/generate-vectors.mjs', logs, tests };
    // One log or test a line: long, and still a diff.
    const lines = (items) => items.join(',\n');
    const logLines = lines(
      Object.entries(logs).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`),
    );
    const testLines = lines(head.tests.map((value) => JSON.stringify(value)));
    const text = `{\n"about": ${JSON.stringify(about)},\n"logs": {\n${logLines}\n},\n"tests": [\n${testLines}\n]\n}\n`;
    writeFileSync(join(import.meta.dirname, '../../audit/vectors', `${name}.json`), text);
  };
  return { keep, test, write };
}
const put = (path, bytes) => ({ op: 'put', path, base64: base64(bytes) });
const remove = (path) => ({ op: 'remove', path });
const flip = (path, at, bit = 0) => ({ op: 'flip', path, at, bit });
const copy = (from, path) => ({ op: 'copy', from, path });
/** The first occurrence of a text in a file, replaced by one of the same or another length. */
const replace = (path, from, to) => ({ op: 'replace', path, from, to });
const ok = { verdict: 'verified' };

// ---- sizes.json

const SIZES = [0, 1, 2, 255, 256, 257, 600];
/** One log that published at each size; a smaller log is the same one with what came later taken away. */
function sizes() {
  const { keep, test, write } = group('sizes', 'one log at the sizes where tiles begin and end');
  const log = new Log();
  const [listed, all] = [new Map(), new Map()];
  for (const size of SIZES) {
    if (size > 0 && log.entries.length === 0) log.open();
    log.notes(size);
    log.files = new Map();
    log.publish();
    listed.set(size, [...log.files.keys()]);
    for (const [path, bytes] of log.files) all.set(path, bytes);
  }
  log.files = all;
  keep('grown', log);
  test('a log of 600 entries that was published at every size', 'grown', ok);
  for (const size of SIZES) {
    const edits = [copy(checkpointPath(size), 'checkpoint'), { op: 'keep', paths: listed.get(size) }];
    test(`a log of ${size} entries`, 'grown', ok, {}, edits);
    test(
      `a log of ${size} entries without any key from outside`,
      'grown',
      { verdict: 'unpinned' },
      { vkeys: [] },
      edits,
    );
    test(
      `a log of ${size} entries and all its earlier checkpoints`,
      'grown',
      ok,
      { old: SIZES.filter((old) => old <= size).map((old) => all.get(checkpointPath(old))) },
      edits,
    );
    if (size > 0) {
      const last = listed
        .get(size)
        .filter((path) => path.startsWith('tile/entries/'))
        .sort()
        .at(-1);
      test(
        `a log of ${size} entries whose last bundle lacks a byte`,
        'grown',
        { verdict: 'malformed', path: last },
        {},
        [...edits, { op: 'cut', path: last, bytes: 1 }],
      );
      test(
        `a log of ${size} entries whose last bundle is missing`,
        'grown',
        { verdict: 'missing', path: last },
        {},
        [...edits, remove(last)],
      );
    }
    for (const path of listed.get(size)) {
      if (path !== 'checkpoint' && !path.startsWith('tile/entries'))
        test(`a log of ${size} entries without ${path}`, 'grown', { verdict: 'missing', path }, {}, [
          ...edits,
          remove(path),
        ]);
    }
  }
  write();
}

// ---- tampered.json

function tampered() {
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

// ---- entries.json

function entries() {
  const { test, write } = group(
    'entries',
    'logs whose one or few entries are not what they must be, signed all the same',
  );
  const text = new Log().open().entries[0].toString();
  const of = (...all) => {
    const log = new Log();
    for (const one of all) log.raw(Buffer.from(one));
    return log.publish();
  };
  const cases = [
    ['two equal keys', text.replace('"v":1', '"v":1,"v":1'), 'malformed'],
    ['two keys that are equal after unescaping', text.replace('"v":1', '"v":1,"\\u0076":1'), 'malformed'],
    [
      'two equal keys deep inside',
      text.replace('"softwareVersion":"0"', '"softwareVersion":{"a":1,"a":2}'),
      'malformed',
    ],
    ['a trailing newline', `${text}\n`, 'not-canonical'],
    ['a trailing value', `${text}{}`, 'malformed'],
    ['white space', text.replace(':', ': '), 'not-canonical'],
    ['a byte order mark', `\ufeff${text}`, 'malformed'],
    [
      'bytes that are not UTF-8',
      Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.of(0xff), Buffer.from('}')]),
      'malformed',
    ],
    ['an escaped letter', text.replace('alice', '\\u0061lice'), 'not-canonical'],
    ['an upper-case escape', text.replace('alice', '\\u000B'), 'not-canonical'],
    ['a raw control character', text.replace('alice', 'al\u0001ice'), 'malformed'],
    ['an unpaired surrogate', text.replace('alice', '\\ud800'), 'malformed'],
    [
      'keys in another order',
      text.replace('"v":1,"workflow":null', '"workflow":null,"v":1'),
      'not-canonical',
    ],
    ['a fraction of zero', text.replace('"seq":0', '"seq":0.0'), 'not-canonical'],
    ['a minus zero', text.replace('"seq":0', '"seq":-0'), 'not-canonical'],
    ['an exponent', text.replace('"seq":0', '"seq":0e0'), 'not-canonical'],
    [
      'an integer that no double holds',
      text.replace('"softwareVersion":"0"', '"softwareVersion":9007199254740993'),
      'malformed',
    ],
    [
      'an integer beyond 2^53-1 that a double holds',
      text.replace('"softwareVersion":"0"', '"softwareVersion":9007199254740992'),
      'not-canonical',
    ],
    [
      'a number that overflows',
      text.replace('"softwareVersion":"0"', '"softwareVersion":1e400'),
      'malformed',
    ],
    [
      'a number that vanishes',
      text.replace('"softwareVersion":"0"', '"softwareVersion":1e-400'),
      'malformed',
    ],
    [
      'nesting that is too deep',
      text.replace('"softwareVersion":"0"', `"softwareVersion":${'['.repeat(63)}${']'.repeat(63)}`),
      'malformed',
    ],
    ['no object', '[]', 'not-canonical'],
    ['nothing', '', 'malformed'],
    ['an unknown key', text.replace('"workflow":null', '"workflow":null,"x":1'), 'not-canonical'],
    ['a missing key', text.replace(',"workflow":null', ''), 'not-canonical'],
    ['an actor with another key', text.replace('"via":"cli"', '"via":"cli","x":1'), 'not-canonical'],
    ['another version', text.replace('"v":1', '"v":2'), 'not-canonical'],
    ['a type without a dot', text.replace('log.opened', 'logopened'), 'not-canonical'],
    ['an empty tenant', text.replace('"tenant":"default"', '"tenant":""'), 'not-canonical'],
    ['a run that is a number', text.replace('"run":null', '"run":1'), 'not-canonical'],
    ['a negative seq', text.replace('"seq":0', '"seq":-1'), 'not-canonical'],
    ['a commit that is no hex', text.replace('"commit":{}', '"commit":{"a":"b"}'), 'not-canonical'],
    [
      'a commit with a label that has a space',
      text.replace('"commit":{}', `"commit":{"a b":"${'0'.repeat(64)}"}`),
      'not-canonical',
    ],
    ['data that is a list', text.replace(/"data":\{[^}]*\}/, '"data":[]'), 'not-canonical'],
    [
      'a policy hash in upper case',
      text.replace('"policy":null', `"policy":"${'A'.repeat(64)}"`),
      'not-canonical',
    ],
    ['a workflow without hash', text.replace('"workflow":null', '"workflow":{"id":"x"}'), 'not-canonical'],
    ['a time without milliseconds', text.replace('.000Z', 'Z'), 'not-canonical'],
    ['a day that does not exist', text.replace('2026-03-01', '2026-02-30'), 'not-canonical'],
    ['a leap second', text.replace('09:30:00', '09:30:60'), 'not-canonical'],
    ['a seq that begins at 1', text.replace('"seq":0', '"seq":1'), 'chain-broken'],
    [
      'a predecessor for the first',
      text.replace('"prev":null', `"prev":"${'0'.repeat(64)}"`),
      'chain-broken',
    ],
    ['another origin', text.replace(`"origin":"${ORIGIN}"`, '"origin":"log.example/else"'), 'wrong-origin'],
    ['no vkey', text.replace(/,"vkey":"[^"]*"/, ''), 'not-canonical'],
  ];
  for (const [name, entry, verdict] of cases) {
    if (String(entry) === text) throw new Error(`"${name}" changes nothing`);
    test(`an entry with ${name}`, of(entry), { verdict, index: '0' });
  }
  const deep = new Log().open();
  deep.add('secret.used', { deep: JSON.parse(`${'['.repeat(62)}${']'.repeat(62)}`) });
  test('an entry that is nested 64 deep', deep.publish(), ok);
  const strange = new Log().open();
  strange.add('secret.used', {
    '\u20ac': 1,
    '\r': 2,
    '\ufb33': 3,
    1: 4,
    '\ud83d\ude00': 5,
    '\u0080': 6,
    '\u00f6': 7,
    __proto__x: 8,
    small: 1e-7,
    half: 0.5,
    text: '\b\t\n\f\r"\\\u007f\u2028</script>',
  });
  test('an entry with keys and numbers that are easy to write wrong', strange.publish(), ok);
  const proto = new Log().open();
  proto.raw(
    Buffer.from(
      proto.entries[0]
        .toString()
        .replace(/"data":\{[^}]*\}/, '"data":{"__proto__":1,"constructor":2}')
        .replace('log.opened', 'secret.used')
        .replace('"run":null', '"run":"run-1"'),
    ),
  );
  test('an entry with a key __proto__', proto.publish(), ok);

  const five = () => new Log().open().notes(4);
  test('a seq that leaves one out', withEntry(five(), { seq: 2 }), { verdict: 'chain-broken', index: '4' });
  test('a predecessor of another run', withEntry(five(), { prev: hex(leafHash(five().entries[2])) }), {
    verdict: 'chain-broken',
    index: '4',
  });
  test('a time that goes back within a run', withEntry(five(), { time: at(-1) }), {
    verdict: 'chain-broken',
    index: '4',
  });
  test('a time that goes back between runs', withEntry(five(), { run: 'run-9', time: at(-1) }), ok);
  test('a time that stands still', withEntry(five(), { time: at(1) }), ok);
  const gone = new Log().open().notes(8);
  gone.entries.splice(4, 1);
  test('a log that leaves out an entry and signs the rest', gone.publish(), {
    verdict: 'chain-broken',
    index: '6',
  });
  const doubled = new Log().open().notes(5);
  doubled.raw(doubled.entries[4]);
  test('a log that repeats an entry', doubled.publish(), { verdict: 'chain-broken', index: '5' });
  const swapped = new Log().open().notes(5);
  [swapped.entries[1], swapped.entries[4]] = [swapped.entries[4], swapped.entries[1]];
  test('a log that swaps two entries of a run and signs', swapped.publish(), {
    verdict: 'chain-broken',
    index: '1',
  });
  const second = new Log().open();
  second.open();
  test('a log that is opened twice', second.publish(), { verdict: 'order-broken', index: '1' });
  const inRun = new Log().open();
  inRun.open({ run: 'run-1' });
  test('a log that is opened in a run', inRun.publish(), { verdict: 'order-broken', index: '1' });
  write();
}
function withEntry(log, over) {
  log.add('secret.used', { host: 'h', name: 'x', stepPath: 'a' }, { run: 'run-1', ...over });
  return log.publish();
}

// ---- meaning.json

const STEP = { attempt: 1, stepPath: 'deploy' };
const ABOUT = { approvalId: 'apr_1', subjectDigest: 'd'.repeat(64) };
const EXPIRES = at(60_000);
const authz = (verdict, over = {}) => [
  'authz.decided',
  {
    ...STEP,
    action: 'function.invoke',
    agent: null,
    code: null,
    domain: 'default',
    resource: 'f',
    ruleId: null,
    subject: 'user:alice',
    verdict,
    ...over,
  },
];
const requested = (over = {}) => [
  'approval.requested',
  { ...ABOUT, ...STEP, expiresAt: EXPIRES, mode: 'sync', quorum: [{ n: 1, role: 'ops' }], ...over },
];
const decided = (over = {}) => [
  'approval.decided',
  {
    ...ABOUT,
    approver: 'user:bob',
    assurance: 'os',
    at: '',
    decision: 'approve',
    keyId: null,
    signature: null,
    state: 'approved',
    ...over,
  },
];
const ended = (type, over = {}) => [`approval.${type}`, { ...ABOUT, cause: 'x', ...over }];
const consumed = (over = {}, more = {}) => ['approval.consumed', { ...ABOUT, ...STEP, ...over }, more];
const intended = (over = {}, more = {}) => [
  'step.intended',
  {
    ...STEP,
    agentDigest: null,
    approvalId: null,
    function: 'f',
    idempotencyKey: 'k1',
    item: null,
    iteration: null,
    sandbox: null,
    ...over,
  },
  more,
];
/** `i` counts lines from 0. */
const finished =
  (i, over = {}, more = {}) =>
  (hashes) => [
    'step.finished',
    { ...STEP, code: null, durationMs: 1, intent: hashes[i], status: 'succeeded', ...over },
    more,
  ];
const sandbox = (what) => [`sandbox.${what}`, { ...STEP }];
const approve = { approvalId: 'apr_1' };
/** A signed vote; `about` is what is signed where it differs from what is said, `over` what is said. */
function vote(about = {}, over = {}, commit = {}) {
  const said = { ...ABOUT, approver: 'user:bob', at: at(1000), decision: 'approve' };
  const exact = {
    ...said,
    expiresAt: EXPIRES,
    reasonCommitment: commit.reason ?? null,
    delegation: null,
    breakGlass: null,
    ...about,
  };
  const signature = base64(BOB.sign(`writ.decision.v1\0${canonicalize(exact)}`));
  const data = {
    ...said,
    assurance: 'key',
    keyId: `ed25519:${base64(BOB.publicKey)}`,
    signature,
    state: 'approved',
    ...over,
  };
  return ['approval.decided', data, { commit }];
}
function logOf(lines) {
  const log = new Log().open();
  const hashes = [];
  for (const item of lines) {
    const [type, data, over] = typeof item === 'function' ? item(hashes) : item;
    hashes.push(log.add(type, data, over));
  }
  return log.publish();
}

function meaning() {
  const { test, write } = group(
    'meaning',
    'what entries of a run say about one another: each clause of rule 7, kept and broken',
  );
  const good = (name, lines, openIntents = 0) => test(name, logOf(lines), { ...ok, openIntents });
  /** The finding is at line `i`, unless another verdict says otherwise. */
  const bad = (name, lines, i, verdict = 'order-broken') =>
    test(name, logOf(lines), { verdict, index: String(i + 1) });
  const approved = [authz('needs_approval'), requested(), decided()];
  const ran = [...approved, consumed(), intended(approve)];
  const two = [
    { n: 1, role: 'a' },
    { n: 1, role: 'b' },
  ];
  const late = { time: EXPIRES };

  good('allowed, run, finished', [authz('allow'), intended(), finished(1)]);
  good('approved, consumed, run, finished', [...ran, finished(4)]);
  good('denied and never run', [authz('deny')]);
  good('denied, then the next attempt allowed', [
    authz('deny'),
    authz('allow', { attempt: 2 }),
    intended({ attempt: 2 }),
    finished(2, { attempt: 2 }),
  ]);
  good('a decision about no step', [
    authz('deny', { attempt: null, stepPath: null }),
    authz('allow'),
    intended(),
    finished(2),
  ]);
  good('two approvers of two', [
    requested({ quorum: two }),
    decided({ state: 'pending' }),
    decided({ approver: 'user:carol' }),
    consumed(),
    intended(approve),
    finished(4),
  ]);
  good('a quorum that is a number or its text', [
    requested({ quorum: 1 }),
    requested({ approvalId: 'apr_2', quorum: '1' }),
  ]);
  good('withdrawn and requested again', [
    requested(),
    ended('withdrawn'),
    requested({ approvalId: 'apr_2' }),
  ]);
  good('requested and expired', [requested(), ended('expired')]);
  good('an approval one millisecond before it expires', [
    requested(),
    decided(),
    consumed({}, { time: at(59_999) }),
    intended(approve, { time: at(59_999) }),
    finished(3, {}, late),
  ]);
  good('lost and run again under the same key', [
    ...ran,
    finished(4, { status: 'indeterminate' }),
    intended(approve),
    finished(6),
  ]);
  good('stopped with its process and run again', [
    ...ran,
    finished(4, { status: 'cancelled' }),
    intended(approve),
    finished(6),
  ]);
  good('in a sandbox', [
    authz('allow'),
    intended(),
    sandbox('started'),
    sandbox('exited'),
    finished(1),
    ['run.finished', { status: 'completed' }],
  ]);
  good('an intent without an outcome is a warning', [authz('allow'), intended()], 1);
  good('a signed vote', [requested(), vote()]);
  good('a signed vote with a reason', [requested(), vote({}, {}, { reason: 'a'.repeat(64) })]);

  bad('an outcome without an intent', [finished(0, { intent: 'a'.repeat(64) })], 0);
  bad('two outcomes of one intent', [intended(), finished(0), finished(0)], 2);
  bad('an outcome of another step', [intended(), finished(0, { stepPath: 'other' })], 1);
  bad('an outcome of another attempt', [intended(), finished(0, { attempt: 2 })], 1);
  bad('an outcome in another run', [intended(), finished(0, {}, { run: 'run-2' })], 1);
  bad('a step after a deny', [authz('deny'), intended(), finished(1)], 1);
  bad('a step after a deny that an allow follows', [authz('deny'), authz('allow'), intended()], 2);
  bad('a step that needed an approval and names none', [authz('needs_approval'), intended()], 1);
  bad('an approval that was never requested', [consumed(), intended(approve)], 0);
  bad('an approval of another run', [...approved, consumed({}, { run: 'run-2' })], 3);
  bad('an approval requested twice', [requested(), requested()], 1);
  bad('a vote for another digest', [requested(), decided({ subjectDigest: 'e'.repeat(64) })], 1);
  bad('an end for another digest', [requested(), ended('withdrawn', { subjectDigest: 'e'.repeat(64) })], 1);
  bad(
    'a consumption for another digest',
    [requested(), decided(), consumed({ subjectDigest: 'e'.repeat(64) })],
    2,
  );
  bad('a consumption while pending', [requested(), consumed(), intended(approve)], 1);
  for (const [name, line] of [
    ['a deny', decided({ decision: 'deny', state: 'denied' })],
    ['a revocation', decided({ decision: 'revoke', state: 'revoked' })],
    ['it was withdrawn', ended('withdrawn')],
    ['it was called expired', ended('expired')],
  ])
    bad(`a consumption after ${name}`, [requested(), decided(), line, consumed(), intended(approve)], 3);
  bad('a vote after a deny', [requested(), decided({ decision: 'deny', state: 'denied' }), decided()], 2);
  bad(
    'an end after a deny',
    [requested(), decided({ decision: 'deny', state: 'denied' }), ended('expired')],
    2,
  );
  bad(
    'a consumption for another step',
    [requested(), decided(), consumed({ stepPath: 'other' }), intended({ ...approve, stepPath: 'other' })],
    2,
  );
  bad(
    'a consumption for another attempt',
    [requested(), decided(), consumed({ attempt: 2 }), intended({ ...approve, attempt: 2 })],
    2,
  );
  bad(
    'a consumption at the moment it expires',
    [requested(), decided(), consumed({}, late), intended(approve, late)],
    2,
  );
  bad('an approval consumed twice', [...ran, finished(4), consumed(), intended(approve)], 6);
  bad('one of two approvers counted as enough', [requested({ quorum: [{ n: 2, role: 'a' }] }), decided()], 1);
  bad('one person counted twice', [requested({ quorum: two }), decided({ state: 'pending' }), decided()], 2);
  bad(
    'a quorum that is not there yet',
    [requested({ quorum: two }), decided({ state: 'pending' }), consumed()],
    2,
  );
  bad('a consumption at the end', [requested(), decided(), consumed()], 2);
  bad(
    'a consumption apart from its intent',
    [requested(), decided(), consumed(), ['secret.used', {}], intended(approve)],
    2,
  );
  bad(
    'a consumption apart from its intent by another run',
    [requested(), decided(), consumed(), ['secret.used', {}, { run: 'run-2' }], intended(approve)],
    2,
  );
  bad(
    'a consumption beside the intent of another step',
    [requested(), decided(), consumed(), intended({ ...approve, stepPath: 'other' })],
    2,
  );
  bad('a consumption beside an intent without approval', [requested(), decided(), consumed(), intended()], 2);
  bad('an intent whose approval was not consumed', [requested(), decided(), intended(approve)], 2);
  bad('a second intent while the first is open', [...ran, intended(approve)], 5);
  bad('a second run after success', [...ran, finished(4), intended(approve)], 6);
  bad(
    'a second run after a crash under another key',
    [...ran, finished(4, { status: 'indeterminate' }), intended({ ...approve, idempotencyKey: 'k2' })],
    6,
  );
  bad(
    'a second run after a crash without a key',
    [
      ...approved,
      consumed(),
      intended({ ...approve, idempotencyKey: null }),
      finished(4, { status: 'indeterminate' }),
      intended({ ...approve, idempotencyKey: null }),
    ],
    6,
  );
  bad(
    'a second run after a crash of another step',
    [...ran, finished(4, { status: 'indeterminate' }), intended({ ...approve, stepPath: 'other' })],
    6,
  );
  bad('a sandbox without an intent', [sandbox('started')], 0);
  bad('a sandbox that ends without having begun', [intended(), sandbox('exited')], 1);

  for (const [name, about] of Object.entries({
    subject: { subjectDigest: 'e'.repeat(64) },
    decision: { decision: 'deny' },
    approver: { approver: 'user:eve' },
    moment: { at: at(2000) },
    expiry: { expiresAt: at(120_000) },
    approval: { approvalId: 'apr_2' },
    reason: { reasonCommitment: 'a'.repeat(64) },
  }))
    bad(`a vote signed over another ${name}`, [requested(), vote(about)], 1);
  bad('a vote under another key', [requested(), vote({}, { keyId: `ed25519:${base64(LOG.publicKey)}` })], 1);
  bad(
    'a vote under a key of small order',
    [
      requested(),
      vote(
        {},
        {
          keyId: `ed25519:${base64(Buffer.from([1, ...Array(31).fill(0)]))}`,
          signature: base64(Buffer.from([1, ...Array(63).fill(0)])),
        },
      ),
    ],
    1,
  );
  bad(
    'a vote under a key that is no point',
    [requested(), vote({}, { keyId: `ed25519:${base64(Buffer.alloc(32, 2))}` })],
    1,
  );
  bad(
    'a vote with a key of another kind',
    [requested(), vote({}, { keyId: `rsa:${base64(BOB.publicKey)}` })],
    1,
  );
  bad(
    'a vote with a signature in another alphabet',
    [requested(), vote({}, { signature: vote()[1].signature.replace(/=+$/, '') })],
    1,
  );
  bad('a vote with a short signature', [requested(), vote({}, { signature: 'c2ln' })], 1);
  bad('an intent that lacks its fields', [['step.intended', { stepPath: 'x' }]], 0, 'not-canonical');
  bad('an attempt that is text', [intended({ attempt: '1' })], 0, 'not-canonical');
  bad('a quorum that can not be read', [requested({ quorum: 'many' })], 0, 'not-canonical');
  bad('a quorum with a negative part', [requested({ quorum: [{ n: -1, role: 'a' }] })], 0, 'not-canonical');
  bad('an expiry that is a day', [requested({ expiresAt: '2026-03-01' })], 0, 'not-canonical');
  bad('a decision of another name', [requested(), decided({ decision: 'maybe' })], 1, 'not-canonical');
  bad(
    'a vote without signature that is not of the machine',
    [requested(), decided({ assurance: 'key' })],
    1,
    'not-canonical',
  );
  bad('a signed vote without a key', [requested(), vote({}, { keyId: null })], 1, 'not-canonical');
  write();
}

// ---- keys.json

function keys() {
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

// ---- witnesses.json

function witnesses() {
  const { keep, test, write } = group(
    'witnesses',
    'cosignatures, quorums, policies, and the time they bound',
  );
  const grown = () =>
    new Log()
      .open()
      .notes(4)
      .publish({ witnesses: [[W1, START_S + 10]] })
      .notes(6)
      .publish({
        witnesses: [
          [W1, START_S + 20],
          [W2, START_S + 30],
        ],
      });
  keep('cosigned', grown());
  const all = [W1, W2, W3].map(({ vkey }) => vkey);
  const missing = { verdict: 'quorum-missing', path: 'checkpoint' };
  const policy = (...lines) => ({
    vkeys: [],
    policy: `${[`log ${LOG.vkey}`, ...all.map((vkey, i) => `witness w${i + 1} ${vkey}`), ...lines].join('\n')}\n`,
  });
  test('two of three', 'cosigned', ok, { quorum: 2, witnesses: all });
  test('three of three', 'cosigned', missing, { witnesses: all });
  test('the one that is named', 'cosigned', ok, { witnesses: [W2.vkey] });
  test('the one that did not cosign', 'cosigned', missing, { witnesses: [W3.vkey] });
  test('a policy that two meet', 'cosigned', ok, policy('group g 2 w1 w2 w3', 'quorum g'));
  test('a policy that needs all', 'cosigned', missing, policy('group g all w1 w2 w3', 'quorum g'));
  test('a policy of groups', 'cosigned', ok, policy('group a any w1 w3', 'group b all a w2', 'quorum b'));
  test(
    'a policy of groups that is not met',
    'cosigned',
    missing,
    policy('group a any w1 w2', 'group b all a w3', 'quorum b'),
  );
  test('a policy without quorum', 'cosigned', ok, policy('quorum none'));
  test(
    'a policy with another log',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { vkeys: [], policy: `log ${STRANGER.vkey}\nquorum none\n` },
  );
  test('a policy without a log', 'cosigned', { verdict: 'unpinned' }, { vkeys: [], policy: 'quorum none\n' });
  const text = grown().text;
  const replaced = (...lines) =>
    ['checkpoint', checkpointPath(6)].map((path) =>
      put(path, Buffer.from(signed(text, LOG) + lines.join(''))),
    );
  test(
    'a cosignature over another text',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(cosigned(`${text}x\n`, W1, START_S + 20)),
  );
  test(
    'a cosignature over another text, of a witness nobody asked for',
    'cosigned',
    ok,
    { witnesses: [W2.vkey] },
    replaced(cosigned(`${text}x\n`, W1, START_S + 20), cosigned(text, W2, START_S + 20)),
  );
  test(
    'a cosignature of another time than signed',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(
      line(W1, Buffer.concat([Buffer.alloc(7), Buffer.of(9), W1.sign(`cosignature/v1\ntime 8\n${text}`)])),
    ),
  );
  test(
    'a cosignature of time 0',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(cosigned(text, W1, 0)),
  );
  test(
    'a witness that signs as a log does',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(line(W1, W1.sign(text))),
  );
  test(
    'only a witness signed',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    ['checkpoint', checkpointPath(6)].map((path) =>
      put(path, Buffer.from(`${text}\n${cosigned(text, W1, START_S + 20)}`)),
    ),
  );
  const mldsa = namedKey('pq.example', 6, Buffer.alloc(1312, 5));
  test(
    'a witness of a kind that is not verified never counts',
    'cosigned',
    missing,
    { witnesses: [mldsa.vkey] },
    replaced(line(mldsa, Buffer.alloc(2428))),
  );
  test(
    'a line of a kind that is not verified is ignored',
    'cosigned',
    ok,
    { witnesses: [W1.vkey] },
    replaced(line(mldsa, Buffer.alloc(2428)), cosigned(text, W1, START_S + 20)),
  );
  const stranger = Array.from({ length: 98 }, () => line(STRANGER, STRANGER.sign('x')));
  test(
    'a hundred signatures',
    'cosigned',
    ok,
    { witnesses: [W1.vkey] },
    replaced(...stranger, cosigned(text, W1, START_S + 20)),
  );
  test(
    'a hundred and one signatures',
    'cosigned',
    { verdict: 'malformed', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(...stranger, stranger[0], cosigned(text, W1, START_S + 20)),
  );

  /** Entry 3 claims `ms`; checkpoints at 5 and 6 were cosigned at those seconds. */
  const timed = (ms, five, six) => {
    const log = new Log().open().notes(3, () => 'run-1');
    log.add('secret.used', { host: 'h', name: 'x', stepPath: 'a' }, { time: at(ms) });
    log.notes(5, () => 'run-2').publish({ witnesses: five });
    return log.notes(6, () => 'run-2').publish({ witnesses: six });
  };
  const one = { witnesses: [W1.vkey] };
  const forged = { verdict: 'chain-broken', index: '3' };
  const seconds = (s, ...keys) => (keys.length > 0 ? keys : [W1]).map((key) => [key, START_S + s]);
  test('a time within the second of the next cosignature', timed(10_999, seconds(10), seconds(30)), ok, one);
  test(
    'a time after the second of the next cosignature',
    timed(11_000, seconds(10), seconds(30)),
    forged,
    one,
  );
  test('a time after the next cosignature, nobody being asked', timed(11_000, seconds(10), seconds(30)), ok);
  test('a time after the cosignature of the newest checkpoint', timed(31_000, [], seconds(30)), forged, one);
  test(
    'a time after one of two witnesses, the other being later',
    timed(11_000, [...seconds(10), ...seconds(20, W2)], seconds(30, W1, W2)),
    ok,
    { witnesses: [W1.vkey, W2.vkey] },
  );
  test(
    'a time after both witnesses',
    timed(21_000, [...seconds(10), ...seconds(20, W2)], seconds(30, W1, W2)),
    forged,
    { witnesses: [W1.vkey, W2.vkey] },
  );
  test('a time after a cosignature that was no quorum', timed(11_000, seconds(10), seconds(30, W1, W2)), ok, {
    witnesses: [W1.vkey, W2.vkey],
  });
  test('a time after a cosignature kept elsewhere', timed(11_000, [], seconds(30)), forged, {
    ...one,
    old: [timed(11_000, seconds(10), seconds(30)).note(5)],
  });
  write();
}

// ---- payloads.json

function payloads() {
  const { keep, test, write } = group(
    'payloads',
    'commitments and the payloads behind them, there, changed, erased',
  );
  const [salt, bytes] = [Buffer.alloc(32, 5), Buffer.from('the input')];
  const commitment = createHmac('sha256', salt).update('\0input\0').update(bytes).digest('hex');
  const started = [
    'run.started',
    { initiator: 'user:alice', parentRun: null },
    { commit: { input: commitment } },
  ];
  const erased = [
    'payload.erased',
    { basis: 'b', commitment, label: 'input', requester: 'user:alice' },
    { run: null },
  ];
  keep('committed', logOf([started]));
  keep('erased', logOf([started, erased]));
  const given = (payload) => ({ payloads: payload === null ? {} : { [commitment]: payload } });
  const there = { salt: base64(salt), bytes: base64(bytes) };
  test('the payload is there', 'committed', ok, given(there));
  test('nobody asked for payloads', 'committed', ok);
  test(
    'the payload is another',
    'committed',
    { verdict: 'payload-mismatch', index: '1' },
    given({ ...there, bytes: base64('the inpuT') }),
  );
  test(
    'the salt is another',
    'committed',
    { verdict: 'payload-mismatch', index: '1' },
    given({ ...there, salt: base64(Buffer.alloc(32, 6)) }),
  );
  test(
    'the salt is too short',
    'committed',
    { verdict: 'payload-mismatch', index: '1' },
    given({ ...there, salt: base64(salt.subarray(1)) }),
  );
  for (const [name, payload] of [
    ['payload', null],
    ['salt and bytes are', { salt: null, bytes: null }],
    ['salt is', { ...there, salt: null }],
    ['bytes are', { ...there, bytes: null }],
  ])
    test(
      `the ${name} gone and no entry says so`,
      'committed',
      { verdict: 'erased-unlogged', index: '1' },
      given(payload),
    );
  test('the payload is gone and an entry says so', 'erased', { ...ok, erased: 1 }, given(null));
  test(
    'the payload is still there although an entry says it was erased',
    'erased',
    { ...ok, erased: 1 },
    given(there),
  );
  test('an erasure of nothing', logOf([['payload.erased', { commitment: 'x' }, { run: null }]]), {
    verdict: 'not-canonical',
    index: '1',
  });
  write();
}

// ---- proofs.json and evidence.json

const splitOf = (size) => 2 ** Math.ceil(Math.log2(size) - 1);
/** RFC 6962 section 2.1.1, from the leaf's sibling up. */
function inclusion(index, hashes) {
  if (hashes.length === 1) return [];
  const k = splitOf(hashes.length);
  const [left, right] = [hashes.slice(0, k), hashes.slice(k)];
  return index < k
    ? [...inclusion(index, left), treeHash(right)]
    : [...inclusion(index - k, right), treeHash(left)];
}
/** RFC 6962 section 2.1.2, bottom up. */
function consistency(size, hashes, isOld = true) {
  if (size === hashes.length) return isOld ? [] : [treeHash(hashes)];
  const k = splitOf(hashes.length);
  const [left, right] = [hashes.slice(0, k), hashes.slice(k)];
  if (size <= k) return [...consistency(size, left, isOld), treeHash(right)];
  return [...consistency(size - k, right, false), treeHash(left)];
}
/** Entries of a bundle: proofs leave out what those before them have shown. */
function shownEntries(all, indices) {
  const leaves = all.map(leafHash);
  const known = new Set();
  return indices.map((index) => {
    const [path, kept] = [inclusion(index, leaves), []];
    let [place, last] = [index, all.length - 1];
    for (let level = 0; last > 0 && !known.has(`${level}/${place}`); level++) {
      known.add(`${level}/${place}`);
      if ((place ^ 1) <= last) {
        const hash = path.shift();
        if (!known.has(`${level}/${place ^ 1}`)) kept.push(hash);
        known.add(`${level}/${place ^ 1}`);
      }
      [place, last] = [place >> 1, last >> 1];
    }
    return { bytes: base64(all[index]), index: String(index), proof: kept.map(base64) };
  });
}
/** A file of vectors that are one file each. */
function single(name, about) {
  const tests = [];
  const test = (name, parts, expect, given = {}) => {
    const { vkeys = [LOG.vkey], old = [], ...rest } = given;
    const files = Object.fromEntries(Object.entries(parts).map(([key, bytes]) => [key, base64(bytes)]));
    tests.push({ name, ...files, given: { vkeys, old: old.map(base64), ...rest }, expect });
  };
  const write = () => {
    const lines = tests.map((value) => JSON.stringify(value)).join(',\n');
    const text = `{\n"about": ${JSON.stringify(about)},\n"tests": [\n${lines}\n]\n}\n`;
    writeFileSync(join(import.meta.dirname, '../../audit/vectors', `${name}.json`), text);
  };
  return { test, write };
}

function proofs() {
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

function evidence() {
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
    'a vote after the end of its run',
    whole(logOf([['run.finished', { status: 'failed' }], authz('deny', { attempt: null })])),
    ok,
  );
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
  const bundle = (shown) =>
    of({
      checkpoint: rotated.note().toString(),
      disclosed: [],
      entries: shownEntries(rotated.entries, shown),
      erased: [],
      first: {
        checkpoint: rotated.note(2).toString(),
        consistency: consistency(2, rotatedLeaves).map(base64),
      },
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
  write();
}
// ---- notes.json, policies.json, signatures.json

function notes() {
  const { test, write } = single('notes', 'signed notes under known keys: `verified` names who signed');
  const text = 'any text\nof two lines\n';
  const by = (...keys) => ({ note: Buffer.from(signed(text, ...keys)) });
  const good = signed(text, LOG);
  const raw = (note) => ({ note: Buffer.from(note) });
  const verified = (...keys) => ({ ok: true, unverified: 0, verified: keys.map(({ name }) => name) });
  const known = { vkeys: [LOG.vkey, W1.vkey] };
  const wrong = { ok: false };
  test('one signature', by(LOG), verified(LOG), known);
  test('one signature twice', by(LOG, LOG), verified(LOG), known);
  test('a signature of nobody known beside', by(LOG, STRANGER), { ...verified(LOG), unverified: 1 }, known);
  test(
    'the same unknown line twice',
    by(LOG, STRANGER, STRANGER),
    { ...verified(LOG), unverified: 1 },
    known,
  );
  test('nobody known', by(STRANGER), wrong, known);
  test('a cosignature alone', raw(`${text}\n${cosigned(text, W1, START_S)}`), verified(W1), known);
  test('log and cosignature', raw(good + cosigned(text, W1, 2n ** 63n - 1n)), verified(LOG, W1), known);
  test('a cosignature of time 2^63', raw(good + cosigned(text, W1, 2n ** 63n)), wrong, known);
  test('a cosignature of time 0', raw(good + cosigned(text, W1, 0)), wrong, known);
  test(
    'a cosignature without its time',
    raw(good + line(W1, W1.sign(`cosignature/v1\ntime 1\n${text}`))),
    wrong,
    known,
  );
  test(
    'a log signature that is too long',
    raw(`${text}\n${line(LOG, Buffer.concat([LOG.sign(text), Buffer.of(0)]))}`),
    wrong,
    known,
  );
  test('one good and one bad line of a key', raw(good + line(LOG, LOG.sign('x'))), wrong, known);
  test('two keys of one name', by(LOG, NEXT), verified(LOG, NEXT), { vkeys: [LOG.vkey, NEXT.vkey] });
  test('an empty line in the text', raw(signed('a\n\nb\n', LOG)), verified(LOG), known);
  test('no empty line', raw(good.replace('\n\n', '\n')), wrong, known);
  test('no newline at the end', raw(good.slice(0, -1)), wrong, known);
  test('an empty line at the end', raw(`${good}\n`), wrong, known);
  test('a line that is no signature', raw(`${good}x\n`), wrong, known);
  test('a hyphen instead of the dash', raw(good.replace('\u2014', '-')), wrong, known);
  test('two spaces', raw(good.replace('\u2014 ', '\u2014  ')), wrong, known);
  test('a carriage return', raw(signed('a\r\n', LOG)), wrong, known);
  test('a tab', raw(signed('a\tb\n', LOG)), wrong, known);
  test('a DEL', raw(signed('a\u007fb\n', LOG)), verified(LOG), known);
  test(
    'bytes that are not UTF-8',
    { note: Buffer.concat([Buffer.of(0xff), Buffer.from(good)]) },
    wrong,
    known,
  );
  test('base64 without padding', raw(good.replace(/=+\n$/, '\n')), wrong, known);
  test(
    'base64 with bits left over',
    raw(good.replace(/.=\n$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=\n`)),
    wrong,
    known,
  );
  test(
    '65,536 bytes',
    raw(signed(`${'x'.repeat(65_536 - Buffer.byteLength(signed('\n', LOG)))}\n`, LOG)),
    verified(LOG),
    known,
  );
  test(
    '65,537 bytes',
    raw(signed(`${'x'.repeat(65_537 - Buffer.byteLength(signed('\n', LOG)))}\n`, LOG)),
    wrong,
    known,
  );
  test('nothing', raw(''), wrong, known);
  write();
}

function policies() {
  const { test, write } = single('policies', 'tlog-policies that are read, or refused');
  const base = [
    `log ${LOG.vkey}`,
    `witness w1 ${W1.vkey}`,
    `witness w2 ${W2.vkey} https://w2.example/`,
    `witness w3 ${W3.vkey}`,
  ];
  const policy = (name, isOk, ...lines) =>
    test(name, { policy: Buffer.from(`${lines.join('\n')}\n`) }, { ok: isOk });
  const good = (name, ...lines) => policy(name, true, ...base, ...lines);
  const bad = (name, ...lines) => policy(name, false, ...base, ...lines);
  good('a witness as quorum', 'quorum w1');
  good('no quorum', 'quorum none');
  good('any', 'group g any w1 w2', 'quorum g');
  good('all', 'group g all w1 w2', 'quorum g');
  good('a number', 'group g 2 w1 w2 w3', 'quorum g');
  good('groups in groups', 'group a any w1 w2', 'group b all a w3', 'quorum b');
  good('comments, tabs, empty lines', '# comment', '  \t# comment', '', ' \tquorum\tw1  ');
  good(
    'a quorum before a witness that is defined later',
    'quorum w1',
    `witness w4 ${keyOf('witness4.example', 14, 4).vkey}`,
  );
  good(
    'a witness of type 06',
    `witness pq ${namedKey('pq.example', 6, Buffer.alloc(1312, 5)).vkey}`,
    'quorum w1',
  );
  policy('nothing but a quorum', true, 'quorum none');
  bad('no quorum line');
  bad('two quorum lines', 'quorum w1', 'quorum w1');
  bad('a quorum that is not defined', 'quorum w9');
  bad('a quorum that is defined below', 'quorum g', 'group g any w1');
  bad('a quorum of two names', 'quorum w1 w2');
  bad('a name twice', `witness w1 ${keyOf('witness4.example', 14, 4).vkey}`, 'quorum w1');
  bad('a group named like a witness', 'group w1 any w2', 'quorum w1');
  bad('a group named none', 'group none any w1', 'quorum none');
  bad('a member none', 'group g any none', 'quorum g');
  bad('a member twice', 'group g 1 w1 w1', 'quorum g');
  bad('a member of two groups', 'group a any w1 w2', 'group b any w1 w3', 'quorum b');
  bad('a member of itself', 'group g any g', 'quorum g');
  bad('a group without members', 'group g any', 'quorum w1');
  bad('a threshold of 0', 'group g 0 w1', 'quorum g');
  bad('a threshold above the members', 'group g 3 w1 w2', 'quorum g');
  bad('a threshold with a leading zero', 'group g 01 w1', 'quorum g');
  bad('a threshold that is no number', 'group g some w1', 'quorum g');
  bad('a public key twice', `witness w4 ${keyOf('else.example', 11, 4).vkey}`, 'quorum w1');
  bad('a public key as log and as witness', `witness w4 ${keyOf('else.example', 1, 4).vkey}`, 'quorum w1');
  bad('a log key as witness', `witness w4 ${NEXT.vkey}`, 'quorum w1');
  bad('a witness key as log', `log ${keyOf('witness4.example', 14, 4).vkey}`, 'quorum w1');
  bad('a vkey that can not be read', `log ${LOG.vkey}x`, 'quorum w1');
  bad('too many words', `log ${NEXT.vkey} https://a b`, 'quorum w1');
  bad('an unknown word', 'threshold 2', 'quorum w1');
  bad('a word in upper case', 'QUORUM w1');
  bad('a carriage return', 'quorum w1\r');
  bad('a DEL', '# \u007f', 'quorum w1');
  test('no newline at the end', { policy: Buffer.from('quorum none') }, { ok: false });
  test('nothing', { policy: Buffer.alloc(0) }, { ok: false });
  write();
}

function signatures() {
  const { test, write } = single(
    'signatures',
    'Ed25519: what counts as a signature, and encodings that do not',
  );
  const message = Buffer.from('message');
  const good = LOG.sign('message');
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const number = (bytes) => BigInt(`0x${hex(Buffer.from(bytes).reverse())}`);
  const bytesOf = (value) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
  const P = 2n ** 255n - 19n;
  const check = (name, isOk, signature, key = LOG.publicKey) =>
    test(name, { key, message, signature }, { ok: isOk });
  const [r, s] = [good.subarray(0, 32), good.subarray(32)];
  check('a good signature', true, good);
  check('a signature of another message', false, LOG.sign('else'));
  check('S and the group order', false, Buffer.concat([r, bytesOf(number(s) + L)]));
  check('S of 0', false, Buffer.concat([r, Buffer.alloc(32)]));
  check('63 bytes', false, good.subarray(1));
  check('65 bytes', false, Buffer.concat([good, Buffer.of(0)]));
  check('R with its sign turned', false, Buffer.concat([bytesOf(number(r) ^ (1n << 255n)), s]));
  check('a key with its sign turned', false, good, bytesOf(number(LOG.publicKey) ^ (1n << 255n)));
  const Y8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n;
  const zero = Buffer.alloc(32);
  for (const y of [0n, 1n, P - 1n, Y8, P - Y8])
    for (const sign of [0n, 1n << 255n])
      for (const [what, point] of [
        ['the neutral point', 1n],
        ['the key itself', y | sign],
      ])
        check(
          `a key of small order, y ${y}, sign ${sign === 0n ? 0 : 1}, with ${what} as R and S 0`,
          false,
          Buffer.concat([bytesOf(point), zero]),
          bytesOf(y | sign),
        );
  for (const y of [P, P + 1n, 2n ** 255n - 1n])
    check(`a key that encodes ${y - P} as ${y}`, false, Buffer.concat([bytesOf(1n), zero]), bytesOf(y));
  check('R in another encoding', false, Buffer.concat([bytesOf(P + 1n), zero]), bytesOf(1n));
  // Keys with a component of order 8: whether [S]B = R + [k]A holds depends on k, eight times it always holds.
  check(
    'a key of mixed order whose equation holds',
    true,
    Buffer.from(
      'HYTAnJFbHjVfQTCzlQ9nVCcLN2lvNvG2yl1Km0z0iGDDDXvbuPdtKFDZ4NTMsxMSf1fwUxBlPyW2WNaPAeiGAQ==',
      'base64',
    ),
    Buffer.from('sVvyZCTRtp3TO3qeV9td5KKq3qSioFHv2b/Wr3QWXSs=', 'base64'),
  );
  check(
    'a key of mixed order whose equation holds only with the cofactor',
    false,
    Buffer.from(
      'sxZ+G4vUq32YWPgfPKrPYPD21JNPkb5Syk6nKIXfTY3+dG52h385nvr3dRu622pHbMLErLVPjjMmK/v8a6kZCQ==',
      'base64',
    ),
    Buffer.from('sVvyZCTRtp3TO3qeV9td5KKq3qSioFHv2b/Wr3QWXSs=', 'base64'),
  );
  check('a key that is no point', false, good, bytesOf(2n));
  write();
}

const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));

for (const make of [
  sizes,
  tampered,
  entries,
  meaning,
  keys,
  witnesses,
  payloads,
  proofs,
  evidence,
  notes,
  policies,
  signatures,
])
  make();
