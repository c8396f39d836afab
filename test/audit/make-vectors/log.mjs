// The logs of the vectors: fixed keys, signed notes, and a log in memory that publishes as FORMAT.md says.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { canonicalize, hex, leafHash, tilePath, treeHash } from '../../../audit/verify.mjs';

export const ORIGIN = 'log.example/vectors';
const START_MS = Date.parse('2026-03-01T09:30:00.000Z');
export const START_S = START_MS / 1000;
export const base64 = (bytes) => Buffer.from(bytes).toString('base64');
export const at = (ms) => new Date(START_MS + ms).toISOString();

// Keys and notes

/** An Ed25519 key whose secret is 32 equal bytes; type 1 signs as a log, 4 as a witness. */
export function keyOf(name, seed, type = 1) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(12);
  return {
    ...namedKey(name, type, publicKey),
    publicKey,
    sign: (text) => sign(null, Buffer.from(text), secret),
  };
}
export function namedKey(name, type, publicKey) {
  const key = Buffer.concat([Buffer.of(type), publicKey]);
  const id = createHash('sha256').update(`${name}\n`).update(key).digest().subarray(0, 4);
  return { name, id, vkey: `${name}+${hex(id)}+${base64(key)}` };
}
export const line = (key, signature) => `\u2014 ${key.name} ${base64(Buffer.concat([key.id, signature]))}\n`;
export const textOf = (origin, size, root) => `${origin}\n${size}\n${base64(root)}\n`;
export const signed = (text, ...keys) => `${text}\n${keys.map((key) => line(key, key.sign(text))).join('')}`;
export function cosigned(text, key, seconds) {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  return line(key, Buffer.concat([time, key.sign(`cosignature/v1\ntime ${seconds}\n${text}`)]));
}

export const LOG = keyOf(ORIGIN, 1);
export const NEXT = keyOf(ORIGIN, 2);
export const THIRD = keyOf(ORIGIN, 3);
export const STRANGER = keyOf('other.example', 4);
export const [W1, W2, W3] = [1, 2, 3].map((i) => keyOf(`witness${i}.example`, 10 + i, 4));
export const BOB = keyOf('bob', 21);

// Logs

/** A log in memory; `files` is what it has published. */
export class Log {
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
export const checkpointPath = (size) => `checkpoints/${String(size).padStart(20, '0')}`;
