// What C2SP, RFC 6962 and RFC 8785 say, for the second verifier: hashes and proofs, strict JSON, keys, signed notes,
// checkpoints, policies, tiles, the tree. Everything read is attacker-controlled. What can't be read throws an error with a
// `verdict`; Node and nothing else, no code of src/audit.
import { createPublicKey, hash, verify } from 'node:crypto';

/** An error that is a verdict about what was read. */
export const refuse = (verdict, message) => Object.assign(new Error(message), { verdict });
export const malformed = (message) => refuse('malformed', message);
/** [value, null], or [null, why it was refused]. */
export function attempt(read) {
  try {
    return [read(), null];
  } catch (error) {
    if (!error.verdict && !(error instanceof SyntaxError)) throw error;
    return [null, error.verdict ? error : malformed(error.message)];
  }
}
export const equal = (a, b) => Buffer.compare(a, b) === 0;
export const hex = (bytes) => Buffer.from(bytes).toString('hex');
/** Canonical base64 alone; null for anything else. */
export function unbase64(text) {
  const bytes = Buffer.from(String(text), 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
export function utf8(bytes) {
  const text = Buffer.from(bytes).toString();
  if (!equal(Buffer.from(text), bytes)) throw malformed('not valid UTF-8');
  return text;
}
/** Sizes and indices up to 2^63-1 as a bigint; null for anything else. */
export const decimal = (text) =>
  /^(0|[1-9][0-9]{0,18})$/.test(text) && BigInt(text) < 2n ** 63n ? BigInt(text) : null;

// RFC 6962
const sha256 = (...parts) => hash('sha256', Buffer.concat(parts), 'buffer');
export const leafHash = (bytes) => sha256(Buffer.of(0), bytes);
export const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);
export const EMPTY = sha256();
/** The root over full subtrees of one size, the last of which may be smaller. */
export function treeHash(hashes) {
  const above = (hash, i) => (i + 1 < hashes.length ? nodeHash(hash, hashes[i + 1]) : hash);
  while (hashes.length > 1) hashes = hashes.flatMap((hash, i) => (i % 2 ? [] : [above(hash, i)]));
  return hashes[0] ?? EMPTY;
}
/** The root of a tree from the unfinished tile of each level, level 0 first. */
export const edgeHash = (levels) =>
  treeHash(levels.reduce((rest, hashes) => (hashes.length ? [treeHash([...hashes, ...rest])] : rest), []));

const areHashes = (...values) => values.every((value) => value instanceof Uint8Array && value.length === 32);
/** The largest power of two below `size`. */
function split(size) {
  let k = 1n;
  while (2n * k < size) k *= 2n;
  return k;
}
/** RFC 6962 section 2.1.1, hashes from the leaf's sibling up. Never throws; any doubt is false. */
export function verifyInclusion({ index, size, leafHash: leaf, root, proof }) {
  const [at, end, path] = [decimal(index), decimal(size), [...(proof ?? [])]];
  if (at === null || end === null || at >= end || !areHashes(leaf, root, ...path)) return false;
  const climb = (at, size) => {
    if (size === 1n) return path.length === 0 ? leaf : null;
    const [k, sibling] = [split(size), path.pop()];
    const below = at < k ? climb(at, k) : climb(at - k, size - k);
    if (!below || !sibling) return null;
    return at < k ? nodeHash(below, sibling) : nodeHash(sibling, below);
  };
  return equal(climb(at, end) ?? Buffer.alloc(0), root);
}
/** RFC 6962 section 2.1.2; from size 0 only 0 to 0 holds. Never throws; any doubt is false. */
export function verifyConsistency({ size1, size2, root1, root2, proof }) {
  const [from, to, path] = [decimal(size1), decimal(size2), [...(proof ?? [])]];
  if (from === null || to === null || from > to || !areHashes(root1, root2, ...path)) return false;
  if (from === 0n) return to === 0n && path.length === 0 && equal(root1, EMPTY) && equal(root2, EMPTY);
  // [old root, new root] of a subtree; `isOld`: the old tree is all of it so far, and its root is known.
  const climb = (from, to, isOld) => {
    if (from === to && isOld) return path.length === 0 ? [root1, root1] : null;
    const hash = path.pop();
    if (!hash) return null;
    if (from === to) return path.length === 0 ? [hash, hash] : null;
    const k = split(to);
    const below = from <= k ? climb(from, k, isOld) : climb(from - k, to - k, false);
    if (!below) return null;
    return from <= k ? [below[0], nodeHash(below[1], hash)] : below.map((root) => nodeHash(hash, root));
  };
  const roots = climb(from, to, true);
  return roots !== null && equal(roots[0], root1) && equal(roots[1], root2);
}

// JSON: RFC 8259 read strictly, RFC 8785 written
const [MAX_DEPTH, MAX_VALUES] = [64, 2 ** 22];
function isInexact(token, number) {
  if (!Number.isFinite(number)) return true;
  if (/[.eE]/.test(token)) return number === 0 && /^[^eE]*[1-9]/.test(token);
  return token.length > 310 || BigInt(token) !== BigInt(number);
}
/**
 * Refuses what two readers could read as two values: equal keys, inexact numbers, lone surrogates; and what costs more
 * than its bytes: depth > 64, more than 2^22 values. Looks at each character once before anything is built.
 */
export function parseJson(text) {
  const keys = [];
  let values = 0;
  const skip = (at, chars) => {
    while (at < text.length && chars.includes(text[at])) at++;
    return at;
  };
  for (let at = skip(0, ' \t\n\r,:'), end; at < text.length; at = skip(end, ' \t\n\r,:')) {
    const mark = text[at];
    end = at + 1;
    if (mark === '}' || mark === ']') {
      keys.pop();
      continue;
    }
    let isKey = false;
    if (mark === '{' || mark === '[') {
      if (keys.push(mark === '{' ? new Set() : null) > MAX_DEPTH)
        throw malformed('JSON nested deeper than 64');
    } else if (mark === '"') {
      while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
      const read = JSON.parse(text.slice(at, ++end));
      if (!read.isWellFormed()) throw malformed('JSON with an unpaired surrogate');
      isKey = text[skip(end, ' \t\n\r')] === ':';
      const known = isKey && keys.at(-1);
      if (known && known.size === known.add(read).size) throw malformed('JSON with a key twice');
    } else {
      while (end < text.length && !' \t\n\r,:]}[{"'.includes(text[end])) end++;
      const token = text.slice(at, end);
      if (/^-?[0-9]/.test(token) && isInexact(token, Number(JSON.parse(token))))
        throw malformed('JSON with a number that is not exact');
    }
    if (!isKey && ++values > MAX_VALUES) throw malformed('JSON of more than 4194304 values');
  }
  return JSON.parse(text);
}
export const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
export function canonicalize(value) {
  if (value instanceof Uint8Array) return canonicalize(parseJson(utf8(value)));
  if (Array.isArray(value)) return `[${value.map(canonicalize).join()}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const member = (key) => `${JSON.stringify(key)}:${canonicalize(value[key])}`;
  return `{${Object.keys(value).sort().map(member).join()}}`;
}

// C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy
const NAME = /^[^\p{White_Space}\p{Cc}\p{Surrogate}+]+$/u;
export function parseVkey(text) {
  const [, name, id, key64] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text.slice(0, 4096)) ?? [];
  const key = unbase64(key64);
  if (!key || !NAME.test(name) || key.length !== { 1: 33, 4: 33, 6: 1313 }[key[0]])
    throw malformed('no vkey');
  if (!hex(sha256(Buffer.from(`${name}\n`), key)).startsWith(id)) throw malformed('a vkey with a wrong id');
  return { name, id, type: key[0], key: key.subarray(1), text };
}
const P = 2n ** 255n - 19n;
const Y8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n;
/** RFC 8032 without cofactor; a key of small order or in another than its canonical encoding signs nothing. */
export function verifySignature(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  const y = BigInt(`0x${hex(Buffer.from(key).reverse())}`) & (2n ** 255n - 1n);
  if (y >= P || [0n, 1n, P - 1n, Y8, P - Y8].includes(y)) return false;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') };
  return verify(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature);
}
/** Text and signature lines of a note, nothing verified. */
export function parseNote(bytes) {
  const whole = bytes.length > 65_536 ? '' : utf8(bytes);
  const split = whole.lastIndexOf('\n\n');
  if (split < 0 || !whole.endsWith('\n') || /[\0-\t\v-\u001f]/.test(whole))
    throw malformed('not a signed note');
  const lines = whole.slice(split + 2, -1).split('\n');
  if (lines.length > 100) throw malformed('more than 100 signatures');
  const signatures = lines.map((line) => {
    const [, name, blob64] = /^\u2014 ([^ ]+) ([^ ]+)$/u.exec(line) ?? [];
    const blob = unbase64(blob64);
    if (!blob || blob.length < 5 || !NAME.test(name)) throw malformed('an unreadable signature line');
    return { line, name, id: hex(blob.subarray(0, 4)), signature: blob.subarray(4) };
  });
  return { text: whole.slice(0, split + 1), signatures };
}
/** Which of the `known` keys signed a note, maybe none, and when witnesses did; a known line that fails refuses it. */
export function verifyNote({ text, signatures }, known) {
  const [keys, times, unknown] = [new Set(), new Map(), new Set()];
  for (const { line, name, id, signature } of signatures) {
    const [key, ...others] = known.filter((key) => key.type !== 6 && key.name === name && key.id === id);
    if (others.some((other) => other.text !== key.text)) throw malformed(`two keys are named ${name}+${id}`);
    if (!key) {
      unknown.add(line);
      continue;
    }
    const time = key.type === 4 && signature.length === 72 ? signature.readBigUInt64BE() : 0n;
    const signed = Buffer.from(key.type === 4 ? `cosignature/v1\ntime ${time}\n${text}` : text);
    const isTimed = key.type === 1 || (time > 0n && time < 2n ** 63n);
    if (!isTimed || !verifySignature(key.key, signed, signature.subarray(key.type === 4 ? 8 : 0)))
      throw refuse('bad-signature', `the signature of ${name}+${id} is wrong`);
    keys.add(key);
    if (key.type === 4 && !(times.get(key) < time)) times.set(key, time);
  }
  return { keys, times, unknown };
}
/** The text of a note that one of `vkeys` signed. */
export function openNote(bytes, vkeys) {
  const note = parseNote(bytes);
  const { keys, unknown } = verifyNote(note, vkeys.map(parseVkey));
  if (keys.size === 0) throw refuse('bad-signature', 'no trusted key signed it');
  const verified = [...keys].map(({ name, id }) => ({ name, keyId: id }));
  return { text: note.text, verified, unverified: unknown.size };
}
export function parseCheckpoint(text) {
  const [origin, sizeText, root64, ...rest] = text.split('\n');
  const [size, root, extensions] = [decimal(sizeText), unbase64(root64), rest.slice(0, -1)];
  if (!origin || size === null || root?.length !== 32 || rest.at(-1) !== '' || extensions.includes(''))
    throw malformed('not a checkpoint');
  if (size === 0n && !equal(root, EMPTY)) throw malformed('size 0 needs the empty root');
  return { origin, size, root, extensions };
}
/**
 * A checkpoint that one of `keys` signed (when there are any), of the origin that key is named after. An error has
 * `isClaimed` when only an unknown key named like a trusted one signed it: one that was replaced, or a forger's.
 */
export function openCheckpoint(bytes, keys, witnesses) {
  const note = parseNote(bytes);
  const { times } = verifyNote(note, witnesses);
  const signers = [...verifyNote(note, keys).keys];
  if (keys.length > 0 && signers.length === 0) {
    const [claimed] = attempt(() => parseCheckpoint(note.text));
    const isNamed = ({ name }) => name === claimed?.origin;
    const isClaimed = note.signatures.some(isNamed) && keys.some(isNamed);
    const hint = isClaimed ? '; if the key was replaced, pin the new one: no log can introduce its own' : '';
    const refused = refuse('bad-signature', `no trusted key signed it${hint}`);
    throw Object.assign(refused, { isClaimed, size: claimed?.size });
  }
  const checkpoint = parseCheckpoint(note.text);
  if (keys.length > 0 && !signers.some(({ name }) => name === checkpoint.origin))
    throw refuse('wrong-origin', `it is of ${checkpoint.origin}`);
  return { ...checkpoint, signers, times };
}
/** {keys, witnesses, met}: `met` says whether these witness keys are a quorum, null = none is needed. */
export function parsePolicy(text) {
  const trust = { keys: [], witnesses: [], met: undefined };
  const [rules, members, publicKeys] = [new Map([['none', null]]), new Set(), new Set()];
  const key = (vkey, isLog) => {
    const key = parseVkey(vkey);
    if ((key.type === 1) !== isLog || publicKeys.size === publicKeys.add(hex(key.key)).size)
      throw malformed('key');
    return key;
  };
  const rule = (line, [word, name, ...rest]) => {
    const count = rest[0] === 'any' ? 1 : rest[0] === 'all' ? rest.length - 1 : Number(decimal(rest[0]));
    const isNew = name !== undefined && !rules.has(name);
    if (word === 'log' && name && rest.length < 2) trust.keys.push(key(name, true));
    else if (word === 'quorum' && trust.met === undefined && rules.has(name) && rest.length === 0)
      trust.met = rules.get(name);
    else if (word === 'witness' && isNew && (rest.length === 1 || rest.length === 2)) {
      const witness = key(rest[0], false);
      trust.witnesses.push(witness);
      rules.set(name, (by) => by.has(witness));
    } else if (word === 'group' && isNew && count >= 1 && count < rest.length) {
      const parts = rest.slice(1).map((member) => {
        if (member === 'none' || members.size === members.add(member).size)
          throw malformed(`policy: ${line}`);
        return rules.get(member) ?? rule('', []);
      });
      rules.set(name, (by) => parts.filter((met) => met(by)).length >= count);
    } else throw malformed(`policy: ${line}`);
  };
  if (!text.endsWith('\n') || /[\0-\u0008\v-\u001f\u007f]/.test(text))
    throw malformed('policy: not lines of text');
  for (const line of text.split('\n'))
    if (!/^[ \t]*(#|$)/.test(line)) rule(line, line.replace(/^[ \t]+|[ \t]+$/g, '').split(/[ \t]+/));
  if (trust.met === undefined) throw malformed('policy: no quorum');
  return trust;
}

// C2SP tlog-tiles
export function tilePath(level, n, width = 256) {
  const elements = String(n)
    .replace(/^(..?)(?=(...)*$)/, (head) => head.padStart(3, '0'))
    .match(/.../g);
  const path = elements.map((element, i) => (i + 1 < elements.length ? `x${element}` : element)).join('/');
  return `tile/${level}/${path}${width === 256 ? '' : `.p/${width}`}`;
}
/** {level, n, width} of the one path a tile has; null for any other. */
export function parseTilePath(path) {
  const [, at, elements, w = '256'] =
    /^tile\/(entries|\d\d?)\/([x\d/]+)(?:\.p\/(\d{1,3}))?$/.exec(path) ?? [];
  const [level, width] = [at === 'entries' ? at : Number(at), Number(w)];
  const n = decimal(elements?.replace(/[x/]/g, '').replace(/^0+(?=\d)/, ''));
  const isTile =
    n !== null && !(level > 63) && width >= 1 && width <= 256 && tilePath(level, n, width) === path;
  return isTile ? { level, n, width } : null;
}
/** Width of tile `n` in a tree of `size`, 256 at most; 0 or less: there is none. */
export const widthOf = (size, level, n) => {
  const left = (size >> (level === 'entries' ? 0n : 8n * BigInt(level))) - n * 256n;
  return left < 256n ? Number(left) : 256;
};
/** Exactly `width` hashes or entries, null for anything else. */
export function decodeTile(level, bytes, width) {
  const parts = [];
  for (let at = 0, end = 0; at < bytes.length; at = end) {
    const start = level === 'entries' ? at + 2 : at;
    end = level === 'entries' ? start + bytes[at] * 256 + bytes[at + 1] : start + 32;
    if (!(end <= bytes.length) || parts.push(bytes.subarray(start, end)) > width) return null;
  }
  return parts.length === width ? parts : null;
}
/** Rule 5: entries to tiles, tiles to their parents, the edge to the root. Gives `leaves` the entries of each tile. */
export function walkTree(source, { size, root }, add, leaves) {
  const open = [];
  const read = (level, n) => {
    const [width, path] = [widthOf(size, level, n), tilePath(level, n, widthOf(size, level, n))];
    const bytes = source.get(path);
    const parts = bytes && decodeTile(level, bytes, width);
    if (!parts) add('tree', bytes ? 'malformed' : 'missing', `${path} is not as it must be`, { path });
    return parts;
  };
  const blame = ({ level, n, stored, hashes }, itself) => {
    const wrong = [...(stored ?? []).keys()].filter((i) => hashes[i] && !equal(stored[i], hashes[i]));
    const path = wrong.length > 0 && tilePath(level, n, stored.length);
    if (itself && path) add('tree', 'tile-mismatch', `${path} is not what is below it`, { path });
    for (const i of itself ? [] : wrong) {
      const index = n * 256n + BigInt(i);
      const entry = { index, path: path.replace('/0/', '/entries/') };
      if (level === 0) add('tree', 'entry-mismatch', 'it is not its leaf', entry);
      else add('tree', 'tile-mismatch', `it is not as in ${path}`, { path: tilePath(level - 1, index) });
    }
  };
  for (let n = 0n; n * 256n < size; n++) {
    const [entries, stored] = [read('entries', n), read(0, n)];
    const hashes = entries?.map(leafHash) ?? stored;
    if (!hashes) return;
    leaves(n * 256n, entries ?? [], hashes);
    let tile = { level: 0, n, stored, hashes };
    for (; tile.hashes.length === 256; tile = open[tile.level + 1]) {
      const [level, above] = [tile.level + 1, tile.n / 256n];
      const parent = (open[level] ??= { level, n: above, stored: read(level, above), hashes: [] });
      const [own, below] = [treeHash(tile.stored ?? tile.hashes), treeHash(tile.hashes)];
      const held = parent.stored?.[Number(tile.n % 256n)];
      const itself = held && !equal(own, held) && equal(below, held);
      blame(tile, itself);
      parent.hashes.push(itself ? below : own);
      delete open[tile.level];
    }
    open[tile.level] = tile;
  }
  const holds = (which) =>
    equal(edgeHash(Array.from(open, (tile) => tile?.[which] ?? tile?.hashes ?? [])), root);
  const [own, below] = [holds('stored'), holds('hashes')];
  for (const tile of open.toReversed()) if (tile) blame(tile, below && !own);
  if (!own && !below) add('tree', 'root-mismatch', 'the tiles do not hash to the signed root');
}
/** The size in the name of a file of `checkpoints`; null for any other path. */
export const checkpointSize = (path) =>
  /^checkpoints\/\d{20}$/.test(path) ? decimal(path.slice(12).replace(/^0+(?=\d)/, '')) : null;
/** Rule 5: no file but those of this size, and kept partial tiles that begin what covers them now. */
export function checkFiles(source, size, { reaches, isComing }, add) {
  for (const path of source.list('')) {
    if (/^(checkpoint|vkey|policy|.*\.tmp)$/s.test(path) || checkpointSize(path) !== null) continue;
    const extra = () => add('files', 'extra', `${path} does not belong to the log`, { path });
    const stamped = path.endsWith('.tsr') && checkpointSize(path.slice(0, -4)) !== null;
    const tile = parseTilePath(path);
    if (path === 'pending') {
      // One that was listed is gone when what it led to is published.
      if (!source.get(path) && !reaches(size + 1n)) extra();
    } else if (stamped) {
      if (!source.get(path) || !source.get(path.slice(0, -4))) extra();
    } else if (!tile && path.startsWith('tile/')) {
      add('files', 'malformed', `${path} is no path of a tile`, { path });
    } else if (!tile) extra();
    else {
      const { level, n, width } = tile;
      const held = widthOf(size, level, n);
      if (width === held) continue;
      const bytes = width < held && source.get(path);
      if (!bytes && !(width > held && isComing(tile))) extra();
      if (!bytes) continue;
      const whole = source.get(tilePath(level, n, held));
      const [parts, all] = [decodeTile(level, bytes, width), whole && decodeTile(level, whole, held)];
      if (!parts && whole) add('files', 'malformed', `${path} is not a tile of its width`, { path });
      const at = parts && all ? parts.findIndex((part, i) => !equal(part, all[i])) : -1;
      const where = { index: n * 256n + BigInt(at), path };
      if (at >= 0 && level === 'entries')
        add('files', 'entry-mismatch', `${path} is another beginning`, where);
      else if (at >= 0) add('files', 'tile-mismatch', `${path} is another beginning`, { path });
    }
  }
}
