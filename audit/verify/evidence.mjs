// What travels alone, for the second verifier: a `.tlog-proof` with its entry, and an evidence bundle (FORMAT.md section
// 11). Every hash is computed from the bytes shown; none in the file is believed.
import { createHash, createHmac } from 'node:crypto';
import { isHex, isText, keyRules, readEntry, runRules, timeRule } from './entries.mjs';
import { findingsOf, trustOf } from './trust.mjs';
import {
  attempt,
  canonicalize,
  decimal,
  equal,
  isObject,
  leafHash,
  malformed,
  nodeHash,
  openCheckpoint,
  parseCheckpoint,
  parseJson,
  parseNote,
  parsePolicy,
  refuse,
  unbase64,
  utf8,
  verifyConsistency,
  verifyInclusion,
} from './tlog.mjs';

const readable = (bytes) => ({ ...parseCheckpoint(parseNote(bytes).text), signers: [], times: new Map() });
/** Seconds that a quorum of witnesses gives as the bound on time; null = none. */
export const boundOf = ({ met }, { times }) =>
  met && times.size > 0 && met(new Set(times.keys()))
    ? [...times.values()].reduce((a, b) => (a > b ? a : b))
    : null;

/** {index, hashes, checkpoint, extra} of a C2SP tlog-proof; nothing is verified. */
export function parseProof(bytes) {
  const text = bytes.length > 2 * 65_536 + 4_096 ? '' : utf8(bytes);
  const end = text.indexOf('\n\n');
  const [first, ...lines] = text.slice(0, end).split('\n');
  const extra = lines[0]?.startsWith('extra ') ? unbase64(lines.shift().slice(6)) : undefined;
  const index = /^index /.test(lines[0]) ? decimal(lines.shift().slice(6)) : null;
  const hashes = lines.map(unbase64);
  if (end < 0 || first !== 'c2sp.org/tlog-proof@v1' || extra === null || index === null || hashes.length > 63)
    throw malformed('no proof');
  if (!hashes.every((hash) => hash?.length === 32)) throw malformed('a proof with an unreadable hash');
  const checkpoint = Buffer.from(text.slice(end + 2));
  readable(checkpoint);
  return { index, hashes, checkpoint, extra };
}
/** Whether the log that the pinned keys sign holds exactly the entry `bytes` where `proof` says. */
export function verifyProof(proof, bytes, { old = [], ...options } = {}) {
  const trust = trustOf(options);
  const { add, report } = findingsOf(trust.keys.length > 0);
  const [parsed, unread] = attempt(() => parseProof(proof));
  if (unread) add('early', 'malformed', unread.message);
  if (unread) return report(null);
  const { index, hashes, checkpoint } = parsed;
  const open = (note) => openCheckpoint(note, trust.keys, trust.witnesses);
  const [newest, refused] = attempt(() => (trust.keys.length > 0 ? open(checkpoint) : readable(checkpoint)));
  if (refused) add('early', refused.verdict, refused.message);
  if (refused) return report(null);
  const { size, root, origin, times } = newest;
  if (trust.met && !trust.met(new Set(times.keys())))
    add('early', 'quorum-missing', 'too few witnesses cosigned');
  for (const [seen, refused] of old.map((note) => attempt(() => open(note)))) {
    if (refused && !refused.isClaimed) add('early', refused.verdict, `an old checkpoint: ${refused.message}`);
    else if (seen && seen.origin !== origin)
      add('early', 'wrong-origin', `an old checkpoint is of ${seen.origin}`);
    else if (seen?.size === size && !equal(seen.root, root))
      add('early', 'fork', 'an old checkpoint has another root');
  }
  const isThere = verifyInclusion({ index, size, leafHash: leafHash(bytes), root, proof: hashes });
  const [entry, fault] = isThere ? attempt(() => readEntry(bytes)) : [];
  if (!isThere) add('tree', 'entry-mismatch', 'entry and hashes do not lead to the signed root', { index });
  else if (fault) add('entries', fault.verdict, fault.message, { index });
  const seconds = boundOf(trust, newest);
  const time = timeRule(add, (seconds === null ? [] : [{ size, seconds }]).values());
  if (entry) time.observe(index, entry);
  time.finish();
  return report(newest, { index: String(index) });
}

const isString = (value) => typeof value === 'string';
const isIndex = (value) => isString(value) && decimal(value) !== null;
const isBase64 = (value) => isString(value) && unbase64(value) !== null;
const areHashes = (value) =>
  Array.isArray(value) &&
  value.length <= 64 &&
  value.every((hash) => isBase64(hash) && unbase64(hash).length === 32);
const listOf = (check) => (value) => Array.isArray(value) && value.every(check);
/** A check that a value is an object of exactly these keys, each as its own check says. */
const shape = (checks) => (value) =>
  isObject(value) &&
  Object.keys(value).sort().join() === Object.keys(checks).sort().join() &&
  Object.keys(checks).every((key) => checks[key](value[key]));
const isBundle = shape({
  certificate: shape({
    custodian: (value) => value === null || isText(value),
    hash: isText,
    method: isText,
    tool: isText,
    version: isText,
  }),
  checkpoint: isText,
  digest: () => true,
  disclosed: listOf(
    shape({ bytes: isBase64, commitment: isHex, label: isText, mediaType: isText, salt: isBase64 }),
  ),
  entries: listOf(
    shape({
      bytes: (value) => isBase64(value) && unbase64(value).length <= 65_535,
      index: isIndex,
      proof: areHashes,
    }),
  ),
  erased: listOf(shape({ commitment: isHex, entry: isIndex })),
  first: (value) => value === null || shape({ checkpoint: isText, consistency: areHashes })(value),
  format: (value) => value === 'writ.evidence/v1',
  origin: isText,
  policy: isText,
  scope: shape({ run: isText }),
});
function parseEvidence(bytes) {
  if (bytes.length > 64 * 1024 * 1024) throw malformed('a bundle of more than 64 MiB');
  const text = utf8(bytes);
  const bundle = parseJson(text);
  if (canonicalize(bundle) !== text || !isBundle(bundle))
    throw refuse('not-canonical', 'no canonical writ.evidence/v1');
  return bundle;
}
/** The bundle inside a page, where `<` is escaped: the text of its one script of that id. */
export function evidenceOfPage(html) {
  const [, script, ...others] = utf8(html).split('<script type="application/json" id="evidence">');
  const end = script?.indexOf('</script') ?? -1;
  if (end < 0 || others.length > 0) throw malformed('not one bundle in the page');
  const unescaped = script
    .slice(0, end)
    .replace(/\\(?:u003c|[^])/g, (found) => (found === '\\u003c' ? '<' : found));
  return Buffer.from(unescaped);
}

/** Checks entries of one tree in ascending order: a proof leaves out hashes that earlier ones have shown. */
function provenNodes({ size, root }) {
  const proven = new Map();
  return (index, leaf, proof) => {
    const [path, shown] = [[...proof], new Map()];
    let [hash, place, last] = [leaf, index, size - 1n];
    for (let level = 0; ; level++, place >>= 1n, last >>= 1n) {
      const known = proven.get(`${level}/${place}`) ?? (last === 0n ? root : null);
      if (known && (path.length > 0 || !equal(known, hash))) return false;
      shown.set(`${level}/${place}`, hash);
      if (known) break;
      const beside = place ^ 1n;
      // The last node of a level has no right neighbour: it moves up as it is.
      if (beside > last) continue;
      const sibling = proven.get(`${level}/${beside}`) ?? path.shift();
      if (!sibling) return false;
      shown.set(`${level}/${beside}`, sibling);
      hash = place % 2n === 1n ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
    }
    for (const [name, node] of shown) proven.set(name, node);
    return true;
  };
}

/** Judges an evidence bundle; the words and their order are those of a log. */
export function verifyEvidence(bytes, { old = [], ...options } = {}) {
  const trust = trustOf(options);
  const isPinned = trust.keys.length > 0;
  const { add, report, isWhole } = findingsOf(isPinned);
  const [bundle, unread] = attempt(() => parseEvidence(bytes));
  if (unread) add('early', unread.verdict, unread.message);
  if (unread) return report(null);
  const { digest, ...body } = bundle;
  if (createHash('sha256').update(canonicalize(body)).digest('hex') !== digest)
    add('damage', 'malformed', 'the digest is another');
  const [suggested] = attempt(() => parsePolicy(bundle.policy).keys);
  const pinned = isPinned ? trust.keys : (suggested ?? []);
  const open = (note, former = []) =>
    pinned.length > 0
      ? openCheckpoint(Buffer.from(note), [...pinned, ...former], trust.witnesses)
      : readable(Buffer.from(note));

  const [signed, refused] = attempt(() => open(bundle.checkpoint));
  if (refused) add('early', refused.verdict, refused.message);
  const newest = signed ?? attempt(() => readable(Buffer.from(bundle.checkpoint)))[0];
  if (!newest || refused?.verdict === 'malformed') return report(null);
  if (signed && signed.origin !== bundle.origin)
    add('early', 'wrong-origin', `the bundle says ${bundle.origin}`);
  if (signed && trust.met && !trust.met(new Set(signed.times.keys())))
    add('early', 'quorum-missing', 'too few witnesses');

  let last = -1n;
  const [proven, isProven] = [[], provenNodes(newest)];
  for (const { index: text, bytes: base64, proof } of bundle.entries) {
    const [index, entry] = [BigInt(text), unbase64(base64)];
    if (index <= last) {
      add('tree', 'malformed', `it stands after entry ${last}`, { index });
      continue;
    }
    last = index;
    const hash = leafHash(entry);
    const [read, fault] = attempt(() => readEntry(entry));
    const isThere = index < newest.size && isProven(index, hash, proof.map(unbase64));
    if (!isThere) add('tree', 'entry-mismatch', 'it is not in the signed tree', { index });
    else if (fault) add('entries', fault.verdict, fault.message, { index });
    else proven.push({ index, entry: read, hash });
  }
  const keys = keyRules(add, newest.origin);
  for (const { index, entry } of proven)
    if (/^(log\.opened|key\.rotated)$/.test(entry.type)) keys.observe(index, entry);
  keys.finish();
  /** As a trusted key opens it, or one that a trusted key has replaced, up to the size of that time. */
  const openOlder = (note) => {
    const [own, refused] = attempt(() => open(note));
    for (const former of refused && !keys.isBroken ? keys.formerOf(pinned) : []) {
      const [read] = attempt(() => open(note, [former]));
      if (read && read.size <= keys.lastSizeOf(former)) return [read, null];
    }
    return [own, refused];
  };
  let first = null;
  if (bundle.first) {
    const [older, refused] = openOlder(bundle.first.checkpoint);
    const claim = older && { size1: older.size, root1: older.root, size2: newest.size, root2: newest.root };
    if (refused) add('early', refused.verdict, `the older checkpoint: ${refused.message}`);
    else if (older.origin !== newest.origin)
      add('early', 'wrong-origin', `the older checkpoint is of ${older.origin}`);
    else if (older.size > newest.size) add('early', 'rollback', 'the older checkpoint is larger');
    else if (!verifyConsistency({ ...claim, proof: bundle.first.consistency.map(unbase64) }))
      add('early', 'fork', 'the older checkpoint is no prefix');
    else first = older;
  }
  const [shown] = bundle.first ? attempt(() => readable(Buffer.from(bundle.first.checkpoint))) : [];
  for (const [i, note] of old.entries()) {
    const [seen, refused] = openOlder(note);
    const same = [newest, shown].find((one) => seen && one?.size === seen.size);
    // Of a key that came after this bundle, perhaps: a bundle shows no later succession than its own.
    if (refused?.isClaimed && refused.size > newest.size) continue;
    if (refused) add('early', refused.verdict, `old checkpoint ${i + 1}: ${refused.message}`);
    else if (seen.origin !== newest.origin)
      add('early', 'wrong-origin', `old checkpoint ${i + 1} is of ${seen.origin}`);
    else if (same && !equal(same.root, seen.root))
      add('early', 'fork', `old checkpoint ${i + 1} has another root`);
  }

  // The run's chain and meaning; entries about the log itself stand beside it.
  const [runs, run] = [runRules(add), bundle.scope.run];
  /** By commitment: its labels, the entry that erased it, the digests that people approved. */
  const [committed, logged, subjects] = [new Map(), new Map(), new Map()];
  let tail = null;
  for (const { index, entry, hash } of proven) {
    if (entry.type === 'payload.erased') logged.set(entry.data.commitment, index);
    if (entry.run !== run && entry.run !== null)
      add('entries', 'extra', `it is of run ${entry.run}`, { index });
    if (entry.run !== run) continue;
    const isNext = entry.seq === (tail ? tail.seq + 1 : 0) && entry.prev === (tail?.hash ?? null);
    if (!isNext || entry.time < tail?.time)
      add('entries', 'chain-broken', 'it does not follow the last one', { index });
    tail = { seq: entry.seq, hash: hash.toString('hex'), time: entry.time };
    runs.observe(index, entry, hash);
    const { subject } = entry.type === 'approval.requested' ? entry.commit : {};
    if (subject) subjects.set(subject, (subjects.get(subject) ?? new Set()).add(entry.data.subjectDigest));
    for (const [label, hex] of Object.entries(entry.commit))
      committed.set(hex, (committed.get(hex) ?? new Set()).add(label));
  }
  const bounds = (first ? [first, newest] : [newest]).map((note) => ({
    size: note.size,
    seconds: boundOf(trust, note),
  }));
  const time = timeRule(add, bounds.filter(({ seconds }) => seconds !== null).values());
  for (const { index, entry } of proven) time.observe(index, entry);
  time.finish();
  if (!tail && isWhole()) add('entries', 'missing', `no entry of run ${run}`);
  const openIntents = runs.finish();
  for (const { commitment, label, salt, bytes } of bundle.disclosed) {
    const payload = unbase64(bytes);
    const mac = createHmac('sha256', unbase64(salt)).update(`\0${label}\0`).update(payload).digest('hex');
    const isExact = unbase64(salt).length === 32 && !label.includes('\0') && mac === commitment;
    const subject = createHash('sha256').update('writ.approval.v1\0').update(payload).digest('hex');
    if (!committed.get(commitment)?.has(label) || !isExact)
      add('payloads', 'payload-mismatch', `"${label}" is not the committed one`);
    else if (subjects.has(commitment) && [...subjects.get(commitment)].join() !== subject)
      add('payloads', 'payload-mismatch', `"${label}" is not what was approved`);
  }
  for (const { commitment, entry } of bundle.erased)
    if (logged.get(commitment) !== BigInt(entry) || !committed.has(commitment))
      add('payloads', 'erased-unlogged', `${commitment} was not erased there`, { index: entry });
  return report(newest, { openIntents: isWhole() ? openIntents : [], erased: bundle.erased, run });
}
