#!/usr/bin/env node
// The second verifier of Writ's audit log, written from FORMAT.md and the C2SP specifications: Node and nothing else, no
// code of src/audit, the same verdicts. Trust comes from the command line alone; all that is read is attacker-controlled.
// Memory: one tile a level, one tail a run, what is open in each run, each approval's id. Beside it: verify/tlog.mjs
// (bytes, hashes, notes), verify/entries.mjs (what entries say), verify/evidence.mjs (proofs and evidence bundles).
import * as fs from 'node:fs';
import { join } from 'node:path';
import { findingsOf, trustOf } from './verify/trust.mjs';
import { isHex, keyRules, payloadRules, readEntry, runRules, timeRule } from './verify/entries.mjs';
import { boundOf, evidenceOfPage, verifyEvidence, verifyProof } from './verify/evidence.mjs';
import {
  attempt,
  canonicalize,
  checkFiles,
  checkpointSize,
  decodeTile,
  edgeHash,
  equal,
  isObject,
  malformed,
  openCheckpoint,
  parseCheckpoint,
  parseJson,
  parseNote,
  parseVkey,
  tilePath,
  unbase64,
  utf8,
  verifyNote,
  walkTree,
  widthOf,
} from './verify/tlog.mjs';

export * from './verify/tlog.mjs';
export { readEntry, trustOf, verifyEvidence, verifyProof };

/**
 * Verifies the log in `source` ({get(path), list(directory)}) in the order of FORMAT.md section 9. `old`: notes seen
 * elsewhere; `payload`: {salt, bytes} of a commitment. Never throws for what the log holds: that is the report.
 */
export function verifyLog(source, { old = [], run, payload = null, ...options } = {}) {
  const trust = trustOf(options);
  const { add, report, isWhole } = findingsOf(trust.keys.length > 0);
  const warnings = [];
  // (1) The log's own key proves nothing but that the files fit together.
  const vkey = source.get('vkey');
  if (!vkey) add('files', 'missing', 'vkey is missing', { path: 'vkey' });
  const [own] = vkey ? attempt(() => parseVkey(/^(.*)\n$/.exec(utf8(vkey))?.[1] ?? '')) : [null];
  if (vkey && !own) add('early', 'malformed', 'vkey is no vkey', { path: 'vkey' });
  const pinned = trust.keys.length > 0 ? trust.keys : own?.type === 1 ? [own] : [];

  // (2), (3) The newest checkpoint, its witnesses, and the one an unfinished publication leads to.
  const read = (path) => {
    const bytes = source.get(path);
    if (!bytes && path === 'pending') return null;
    const [seen, refused] = attempt(() => {
      if (!bytes) throw Object.assign(malformed('it is missing'), { verdict: 'missing' });
      return openCheckpoint(bytes, pinned, trust.witnesses);
    });
    if (refused) add('early', refused.verdict, `${path}: ${refused.message}`, { path });
    return seen;
  };
  const newest = read('checkpoint');
  if (!newest) return report(null);
  const { origin, size } = newest;
  if (trust.met && !trust.met(new Set(newest.times.keys())))
    add('early', 'quorum-missing', 'too few witnesses cosigned', { path: 'checkpoint' });
  let pending = read('pending');
  if (pending && pending.origin !== origin)
    add('early', 'wrong-origin', 'pending is of another log', { path: 'pending' });
  if (pending && (pending.origin !== origin || pending.size <= size)) pending = null;
  if (pending)
    warnings.push(`the publication of size ${pending.size} is unfinished: only ${size} entries were judged`);
  // What is published while the log is judged is no damage: a signed checkpoint that is there by now says so.
  let largest = pending ?? newest;
  let hasMoved = false;
  const look = (path) => {
    const bytes = source.get(path) ?? Buffer.alloc(0);
    const [seen] = attempt(() => openCheckpoint(bytes, pinned, trust.witnesses));
    if (seen?.origin !== origin) return hasMoved;
    if (seen.size > largest.size) largest = seen;
    return (hasMoved ||= path === 'checkpoint' && seen.size > size);
  };
  const reaches = (at) => {
    // `pending` is removed when `checkpoint` is written: read in this order, neither is missed.
    if (at > largest.size) ['pending', 'checkpoint'].forEach(look);
    return at <= largest.size;
  };
  const isComing = ({ level, n, width }) =>
    reaches((n * 256n + BigInt(width)) << BigInt(level === 'entries' ? 0 : 8 * level)) &&
    (width === widthOf(largest.size, level, n) || look('checkpoint'));

  /** Checkpoints seen before, given and published ones, ascending by size. */
  function* earlier() {
    const given = old.map((bytes, i) => ({
      bytes,
      what: `old checkpoint ${i + 1}`,
      size: parseCheckpoint(parseNote(bytes).text).size,
    }));
    given.sort((a, b) => Number(a.size - b.size));
    for (const path of source.list('checkpoints')) {
      const size = checkpointSize(path);
      if (size === null) continue;
      while (given.length > 0 && given[0].size <= size) yield given.shift();
      yield { bytes: source.get(path), what: path, path, size };
    }
    yield* given;
  }
  function* bounds() {
    for (const { bytes, size: at } of trust.met ? earlier() : []) {
      const [times] = attempt(() => verifyNote(parseNote(bytes ?? Buffer.alloc(0)), trust.witnesses).times);
      const seconds = times && boundOf(trust, { times });
      if (typeof seconds === 'bigint' && at <= size) yield { size: at, seconds };
    }
    if (boundOf(trust, newest) !== null) yield { size, seconds: boundOf(trust, newest) };
  }

  // (5) to (8) The tree, and its entries as they go by.
  const tails = new Map();
  const [keys, runs, payloads] = [keyRules(add, origin), runRules(add), payloadRules(add, payload)];
  const time = timeRule(add, bounds());
  walkTree(source, newest, add, (first, entries, hashes) =>
    entries.forEach((bytes, i) => {
      const index = first + BigInt(i);
      const [entry, refused] = attempt(() => readEntry(bytes));
      if (refused) return add('entries', refused.verdict, refused.message, { index });
      time.observe(index, entry);
      keys.observe(index, entry);
      if (run !== undefined && entry.run !== run) return runs.passOver(entry);
      const tail = tails.get(entry.run);
      const isNext = entry.seq === (tail ? tail.seq + 1 : 0) && entry.prev === (tail ? tail.hash : null);
      if (!isNext || entry.time < tail?.time)
        add('entries', 'chain-broken', 'it does not follow the last of its run', { index });
      tails.set(entry.run, { seq: entry.seq, hash: hashes[i].toString('hex'), time: entry.time });
      runs.observe(index, entry, hashes[i]);
      payloads.observe(index, entry);
    }),
  );
  time.finish();
  keys.finish();

  // (4) The log was never larger and never another one, under keys of the time.
  const knowsKeys = isWhole() && !keys.isBroken;
  const former = knowsKeys ? keys.formerOf(pinned) : [];
  const isLate = ({ signers, size }) =>
    knowsKeys && signers.length > 0 && signers.every((key) => (keys.lastSizeOf(key) ?? size) < size);
  if (isLate(newest))
    add('early', 'bad-signature', 'signed by a key that was replaced', { path: 'checkpoint' });
  const rootOf = (at) => {
    const levels = [];
    for (let level = 0; at >> (8n * BigInt(level)) > 0n; level++) {
      const [n, width] = [at >> (8n * BigInt(level + 1)), Number((at >> (8n * BigInt(level))) % 256n)];
      const held = widthOf(size, level, n);
      levels.push(
        width === 0 ? [] : decodeTile(level, source.get(tilePath(level, n, held)), held).slice(0, width),
      );
    }
    return edgeHash(levels);
  };
  const [waiting, unusable] = [[], new Set()];
  // What was given from outside is looked at before what the log says of its past.
  for (const [i, bytes] of old.entries()) {
    const [seen, refused] = attempt(() => openCheckpoint(bytes, pinned, trust.witnesses));
    if (seen ? seen.origin === origin : refused.isClaimed) continue;
    unusable.add(bytes);
    const { verdict, message } = refused ?? { verdict: 'wrong-origin', message: `it is of ${seen.origin}` };
    add('early', verdict, `old checkpoint ${i + 1}: ${message}`);
  }
  for (const { bytes, what, path, size: named } of earlier()) {
    if (unusable.has(bytes)) continue;
    const openBy = (keys) => attempt(() => openCheckpoint(bytes ?? Buffer.alloc(0), keys, trust.witnesses));
    // A former key may have signed what claims to be this log's and no trusted key has signed; that is told last, and
    // so is a line of a former key that fails.
    const [signed, unsigned] = openBy(pinned);
    const isFormers = Boolean(unsigned?.isClaimed) && named <= size;
    const [known, unknown] = openBy([...pinned, ...former]);
    const [seen, refused] = isFormers ? [known, unknown] : [signed, unsigned];
    const say = (group, verdict, why, isLast = isFormers) => {
      const tell = () => add(group, verdict, `${what}: ${why}`, { path });
      if (isLast) waiting.push({ path, tell });
      else tell();
    };
    if (!bytes) say('early', 'missing', 'it is listed but is no file');
    // Whose keys these were can't be known without the whole log; that it is damaged is a finding already.
    else if (refused && !knowsKeys && isFormers) continue;
    else if (refused) say('early', refused.verdict, refused.message);
    else {
      if (unknown?.verdict === 'bad-signature') say('early', unknown.verdict, unknown.message, true);
      else if (isLate(seen)) say('early', 'bad-signature', 'signed by a key that was replaced', true);
      if (isLate(seen) && isFormers) continue;
      if (seen.size !== named) say('early', 'malformed', `it is of size ${seen.size}`);
      else if (seen.origin !== origin) say('early', 'wrong-origin', `it is of ${seen.origin}`);
      else if (path && seen.size > size && reaches(seen.size)) {
        if (seen.size === largest.size && !equal(seen.root, largest.root))
          say('early', 'fork', 'the checkpoint published by now is another');
      } else if (seen.size > size) say('early', 'rollback', `the log had size ${seen.size}`);
      else if (seen.size === size)
        equal(seen.root, newest.root) ||
          say(isFormers ? 'forks' : 'early', 'fork', 'another root for this size');
      else if (isWhole() && !equal(seen.root, rootOf(seen.size)))
        say('forks', 'fork', 'no prefix of this log');
    }
  }
  for (const { tell } of waiting.filter(({ path }) => !path)) tell();
  for (const { tell } of waiting.filter(({ path }) => path)) tell();

  // (5) Exactly the files, and the key of today.
  const isTrusted = own && pinned.some((key) => key.name === own.name && key.id === own.id);
  if (own && !pending && !isTrusted) {
    const verdict = pinned.some((key) => key.name === own.name) ? 'bad-signature' : 'wrong-origin';
    add('files', verdict, "the log's own vkey is not trusted", { path: 'vkey' });
  } else if (own && !pending && isWhole() && (keys.current ?? own.text) !== own.text)
    add('files', 'bad-signature', 'vkey is not the key the log was opened with last', { path: 'vkey' });
  const path = checkpointPath(size);
  if (!source.get(path)) add('files', 'missing', `${path} is missing`, { path });
  checkFiles(source, size, { reaches, isComing }, add);
  if (hasMoved || largest !== (pending ?? newest))
    warnings.push(`the log grew to size ${largest.size} meanwhile: only ${size} entries were judged`);
  if (!isWhole()) return report(newest, { warnings });
  const [openIntents, erased] = [runs.finish(), payloads.finish()];
  if (run !== undefined && !tails.has(run)) add('entries', 'missing', `the log has no entry of run ${run}`);
  if (openIntents.length > 0) warnings.push(`${openIntents.length} intents have no outcome`);
  return report(newest, { warnings, openIntents, erased });
}
const checkpointPath = (size) => `checkpoints/${String(size).padStart(20, '0')}`;

/** At most `limit` bytes and one more of a regular file; null for anything else, a link too with O_NOFOLLOW. */
function readFile(path, limit, flags = fs.constants.O_NOFOLLOW) {
  try {
    const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | flags);
    try {
      const { size } = fs.fstatSync(fd);
      if (!fs.fstatSync(fd).isFile()) return null;
      const bytes = Buffer.alloc(Math.min(size, limit + 1));
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, bytes.length, 0));
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ENXIO', 'ELOOP'].includes(error.code)) return null;
    throw error;
  }
}
/** A log directory; links below it are not followed. */
export function directorySource(dir) {
  const isReal = (path) => fs.realpathSync(join(dir, path)) === join(fs.realpathSync(dir), path);
  const get = (path) => {
    const bytes = readFile(join(dir, path), 256 * 65_537);
    return bytes && isReal(path) ? bytes : null;
  };
  function* list(directory, depth = directory === '' ? 0 : 1) {
    const at = fs.statSync(join(dir, directory), { throwIfNoEntry: false });
    if (!at?.isDirectory() || !isReal(directory)) return;
    const found = fs.readdirSync(join(dir, directory), { withFileTypes: true });
    for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory() && depth < 11) yield* list(path, depth + 1);
      else yield path;
    }
  }
  return { get, list };
}

/** Payloads of an export, by commitment: an index of places, since the file may be large. Throws on any bad line. */
function payloadsOf(file) {
  const [fd, places] = [fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK), new Map()];
  if (!fs.fstatSync(fd).isFile()) throw malformed(`${file} is no file`);
  const read = (at, length) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, at));
  };
  const parse = (line) => {
    const value = parseJson(utf8(line));
    const isShaped =
      isObject(value) && Object.keys(value).sort().join() === 'bytes,commitment,label,mediaType,run,salt';
    const [salt, bytes] = isShaped
      ? [value.salt, value.bytes].map((text) => (text === null ? null : unbase64(text)))
      : [];
    const isExact = isShaped && isHex(value.commitment) && canonicalize(value) === utf8(line);
    const isTyped =
      isShaped && [value.label, value.mediaType, value.run].every((text) => typeof text === 'string');
    const isBase64 = isTyped && [value.salt, value.bytes].every((text) => text === null || unbase64(text));
    if (!isExact || !isBase64) throw malformed(`${file}: a line that is no payload`);
    return { commitment: value.commitment, salt, bytes };
  };
  let [rest, at] = [Buffer.alloc(0), 0];
  for (let chunk = read(0, 2 ** 20); chunk.length > 0; chunk = read(at + rest.length, 2 ** 20)) {
    rest = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', start)) {
      const { commitment } = parse(rest.subarray(start, end));
      if (places.has(commitment)) throw malformed(`${file}: ${commitment} stands twice`);
      places.set(commitment, [at + start, end - start]);
      start = end + 1;
    }
    [rest, at] = [rest.subarray(start), at + start];
    if (rest.length > 2 ** 25) throw malformed(`${file}: a line of more than 32 MiB`);
  }
  if (rest.length > 0) throw malformed(`${file}: the last line does not end`);
  return (commitment) => (places.has(commitment) ? parse(read(...places.get(commitment))) : null);
}

const USAGE = `usage: verify.mjs DIR|F.tlog-proof|F.json|F.html [--vkey V]... [--policy FILE] [--witness V]... [--quorum K]
  [--old FILE|DIR]... [--run ID] [--payloads FILE] [--entry FILE] [--json]`;
/** A file that was given, read whole; one that is itself judged may be too long, and is cut. */
function given(path, limit, isJudged = false) {
  const bytes = readFile(path, limit, 0);
  if (!bytes || (bytes.length > limit && !isJudged)) throw malformed(`${path} can't be read`);
  return bytes;
}
/** Every checkpoint in a file, in a folder of them, or in a copy of a log. */
function notesOf(path) {
  if (!fs.statSync(path).isDirectory()) return [given(path, 65_536)];
  const { get, list } = directorySource(path);
  const names = [...list('')];
  const isNote = (name) => name === 'checkpoint' || /^checkpoints\/\d{20}$/.test(name);
  const notes = names.includes('checkpoint') ? names.filter(isNote) : names;
  if (notes.length === 0) throw malformed(`${path} holds no checkpoint`);
  return notes.map(get);
}
/** The report on what the arguments name; throws on arguments that can't be read. */
function judge(argv) {
  const [flags, things] = [{ vkey: [], witness: [], old: [] }, []];
  for (let i = 0; i < argv.length; i++) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(argv[i]) ?? [];
    if (name === 'json' || name === 'no-trust') continue;
    if (!name) things.push(argv[i]);
    else if (!/^(vkey|witness|old|policy|quorum|run|payloads|entry)$/.test(name))
      throw malformed(`no flag --${name}`);
    else if (value === undefined && argv[i + 1] === undefined) throw malformed(`--${name} without a value`);
    else if (Array.isArray(flags[name])) flags[name].push(value ?? argv[++i]);
    else if (flags[name] !== undefined) throw malformed(`--${name} is given twice`);
    else flags[name] = value ?? argv[++i];
  }
  const [thing, ...others] = things;
  if (thing === undefined || others.length > 0) throw malformed('give one thing to verify');
  const { vkey: vkeys, witness: witnesses, run, policy, quorum } = flags;
  const options = { vkeys, witnesses, old: flags.old.flatMap(notesOf) };
  for (const note of options.old) parseCheckpoint(parseNote(note ?? Buffer.alloc(0)).text);
  if (policy !== undefined) options.policy = utf8(given(policy, 65_536));
  if (quorum !== undefined) options.quorum = /^[1-9]\d{0,3}$/.test(quorum) ? Number(quorum) : NaN;
  trustOf(options);
  const isDirectory = fs.statSync(thing).isDirectory();
  const kind = isDirectory ? 'log' : thing.endsWith('.tlog-proof') ? 'proof' : 'bundle';
  for (const [name, of] of Object.entries({ run: 'log', payloads: 'log', entry: 'proof' }))
    if (flags[name] !== undefined && kind !== of) throw malformed(`--${name} is for a ${of}`);
  if (kind === 'proof') {
    const entry = flags.entry ?? thing.replace(/tlog-proof$/, 'entry');
    return verifyProof(given(thing, 2 ** 18, true), given(entry, 65_535, true), options);
  }
  if (kind === 'bundle' && /\.(json|html?)$/i.test(thing)) {
    const file = given(thing, 2 ** 27, true);
    const [bytes] = /html?$/i.test(thing) ? attempt(() => evidenceOfPage(file)) : [file];
    return verifyEvidence(bytes ?? Buffer.alloc(0), options);
  }
  if (!isDirectory) throw malformed(`${thing} is no directory`);
  const payload = flags.payloads === undefined ? null : payloadsOf(flags.payloads);
  const source = directorySource(thing);
  // Files of two moments may disagree: a bad verdict counts when the log stood still, or again and again.
  const moment = () => ['checkpoint', 'pending'].map((path) => source.get(path)?.toString('base64')).join();
  for (let left = 5; ; left--) {
    const before = moment();
    const report = verifyLog(source, { ...options, run, payload });
    if (report.ok || left === 0 || moment() === before) return report;
  }
}
/** Control and bidi characters made visible: what is printed is attacker-controlled. */
const printable = (text) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);
function main(argv) {
  if (argv.includes('--help')) {
    console.log(`${USAGE}\nExit codes: 0 verified, 2 wrong arguments, 5 anything else.`);
    return 0;
  }
  const [report, refused] = attempt(() => {
    try {
      return judge(argv);
    } catch (error) {
      if (error.syscall) throw malformed(error.message);
      throw error;
    }
  });
  const isJson = argv.includes('--json');
  if (isJson) console.log(JSON.stringify(report ?? { error: { code: 'USAGE', message: refused.message } }));
  else if (refused) console.error(`${printable(`verify.mjs: error: ${refused.message}`)}\n${USAGE}`);
  else {
    const { verdict, origin, size, root, findings, warnings } = report;
    console.log(verdict);
    if (origin !== null) console.log(printable(`origin ${origin}, size ${size}, root ${root}`));
    for (const { verdict, index, path, message } of findings) {
      const place = [verdict, index === undefined ? null : `entry ${index}`, path].filter((one) => one);
      console.log(printable(`${place.join(' ')}: ${message}`));
    }
    for (const warning of warnings) console.log(printable(`note: ${warning}`));
  }
  return refused ? 2 : report.ok ? 0 : 5;
}
if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === import.meta.filename)
  process.exitCode = main(process.argv.slice(2));
