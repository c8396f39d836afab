// What Writ's entries are and what they say about one another (FORMAT.md sections 2, 3 and rules 6 to 8), for the second
// verifier. Each set of rules observes the entries in log order and adds what is wrong with `add`, which is given the
// rule's group, the verdict, a message and the place.
import { createHmac } from 'node:crypto';
import {
  attempt,
  canonicalize,
  hex,
  isObject,
  parseJson,
  parseVkey,
  refuse,
  unbase64,
  utf8,
  verifySignature,
} from './tlog.mjs';

const isString = (value) => typeof value === 'string';
export const isText = (value) => isString(value) && value !== '';
export const isHex = (value) => isString(value) && /^[0-9a-f]{64}$/.test(value);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isTime = (value) =>
  isString(value) &&
  /^\d{4}-.{18}Z$/.test(value) &&
  !Number.isNaN(Date.parse(value)) &&
  new Date(value).toISOString() === value;
/** Of values that nothing has looked at yet: an object may be one that can't be made text. */
const stepOf = ({ attempt, stepPath }) => JSON.stringify([attempt, stepPath]);
const orNull = (check) => (value) => value === null || check(value);
const hasKeys = (value, keys) => isObject(value) && Object.keys(value).sort().join() === keys;
const isSafe = (value) =>
  typeof value === 'object' && value !== null
    ? Object.values(value).every(isSafe)
    : !Number.isInteger(value) || Number.isSafeInteger(value);
const isCommitment = ([label, hex]) => /^[!-~]{1,64}$/.test(label) && isHex(hex);
const ENTRY = {
  actor: (value) => hasKeys(value, 'id,via') && isText(value.id) && isText(value.via),
  commit: (value) => isObject(value) && Object.entries(value).every(isCommitment),
  data: (value) => isObject(value) && isSafe(value),
  policy: orNull(isHex),
  prev: orNull(isHex),
  run: orNull(isText),
  seq: isCount,
  tenant: isText,
  time: isTime,
  type: (value) => isString(value) && /^[a-z]{1,32}\.[a-z]{1,32}$/.test(value),
  v: (value) => value === 1,
  workflow: orNull((value) => hasKeys(value, 'hash,id') && isHex(value.hash) && isText(value.id)),
};
export function readEntry(bytes) {
  const [text, entry] = [utf8(bytes), parseJson(utf8(bytes))];
  if (canonicalize(entry) !== text) throw refuse('not-canonical', 'not in canonical form');
  const isWhole = hasKeys(entry, Object.keys(ENTRY).join());
  const wrong = Object.keys(ENTRY).find((key) => !isWhole || !ENTRY[key](entry[key]));
  if (wrong) throw refuse('not-canonical', `no valid ${wrong}`);
  return entry;
}
/** Distinct people a quorum needs: a count, or the sum of its factors; null when it can't be read. */
function peopleOf(quorum) {
  const sum = Array.isArray(quorum)
    ? quorum.reduce((sum, factor) => sum + (isCount(factor?.n) ? factor.n : NaN), 0)
    : quorum;
  return isCount(sum) || (isString(sum) && /^[0-9]{1,6}$/.test(sum)) ? Math.max(1, Number(sum)) : null;
}
/** What a run does; a refused vote or an erasure may still be noted after its end. */
const STEPS = /^(?:run|step|loop|sandbox|task)\.|^approval\.(?:requested|consumed)$|^secret\.used$/;
const NEEDED = {
  'authz.decided': 'verdict',
  'approval.requested':
    'stepPath attempt approvalId subjectDigest expiresAt quorum separationOfDuties? editors? redriver? author?',
  'approval.decided': 'approvalId subjectDigest approver decision',
  'approval.expired': 'approvalId subjectDigest',
  'approval.withdrawn': 'approvalId subjectDigest',
  'approval.consumed': 'stepPath attempt approvalId subjectDigest',
  'step.intended': 'stepPath attempt approvalId? idempotencyKey?',
  'step.finished': 'stepPath attempt intent status',
  'task.opened': 'stepPath attempt taskId expiresAt kind redriver?',
  'task.answered': 'stepPath attempt taskId answer by',
};
const CHECKS = {
  attempt: Number.isSafeInteger,
  answer: (value) => value === 'success' || value === 'failure',
  expiresAt: isTime,
  quorum: peopleOf,
  delegation: (value = null) => value === null || isString(value),
  breakGlass: (value = null) => value === null || value === true,
  kind: (value) => value === 'token' || value === 'person',
  form: isHex,
  roles: (value) => Array.isArray(value) && value.every(isString),
  separationOfDuties: (value) => typeof value === 'boolean',
  'separationOfDuties?': (value = false) => typeof value === 'boolean',
  'editors?': (value = []) => CHECKS.roles(value),
  'redriver?': (value = '') => isString(value),
  'author?': (value = '') => isString(value),
};
/** What a person said by no key of their own says so, and claims no signature. */
const isUnsigned = ({ signature, assurance }) =>
  signature === null && ['os', 'oidc', 'token'].includes(assurance);
/** Who may not decide: nobody but people do; not the author, nor with separation of duties who edited, redrove or started it. */
const isBarred = (who, { separationOfDuties, editors = [], redriver, author }, initiator) =>
  !who.startsWith('user:') ||
  who === author ||
  (separationOfDuties === true && ([...editors, redriver, initiator].includes(who) || initiator === null));
/** Rule 7 within runs: `observe` every entry in order; `finish` gives the intents without an outcome. */
export function runRules(add) {
  const runs = new Map();
  /** Runs that have ended, and whether one may be redriven. */
  const over = new Map();
  /** Approvals that any run asked for. */
  const asked = new Set();
  let consumed = null;
  let intended = null;
  const unused = ({ index }) =>
    add('order', 'order-broken', 'an approval is consumed without its intent', { index });
  const observe = (index, { type, data, run: id, time, commit }, leaf) => {
    const broken = (why) => add('order', 'order-broken', `${type}: ${why}`, { index });
    const lacks = (keys) => {
      const isWrong = (key) =>
        !(CHECKS[key] ?? (key.endsWith('?') ? orNull(isString) : isString))(data[key.replace('?', '')]);
      const key = keys.split(' ').find(isWrong);
      if (key) add('entries', 'not-canonical', `${type} without a valid ${key}`, { index });
      return key;
    };
    const before = consumed && type === 'step.intended' && consumed.index + 1n === index ? consumed : null;
    if (consumed && !before) unused(consumed);
    consumed = null;
    const isNext = intended !== null && intended.index + 1n === index && intended.id === id;
    const intent = isNext ? intended : null;
    intended = null;
    if (id === null) return before && unused(before);
    if (!runs.has(id))
      runs.set(id, {
        ...{ approvals: new Map(), waits: new Map(), intents: new Map(), verdicts: new Map() },
        ...{ sandbox: false, initiator: null },
      });
    const run = runs.get(id);
    if (type === 'run.redriven') {
      if (over.get(id) !== true) return broken('the run has not failed');
      return over.delete(id);
    }
    if (over.has(id) && STEPS.test(type)) broken("it stands after the run's end");
    if (type === 'run.started' && isString(data.initiator)) run.initiator ??= data.initiator;
    const { stepPath, attempt, approvalId, decision } = data;
    const isAboutStep = type === 'authz.decided' && stepPath !== null && attempt !== null;
    if (NEEDED[type] && lacks(`${NEEDED[type]}${isAboutStep ? ' stepPath attempt' : ''}`)) return;
    const step = stepOf(data);
    const approval = run.approvals.get(approvalId);
    const isOver = approval?.state !== 'pending' && approval?.state !== 'approved';
    if (
      /^approval\.(decided|expired|withdrawn|consumed)$/.test(type) &&
      approval?.subjectDigest !== data.subjectDigest
    )
      return broken('not requested in this run, or for another subject');
    // A deny stays, and so does a known outcome.
    const decide = (verdict) =>
      /^(deny|closed)$/.test(run.verdicts.get(step)) || run.verdicts.set(step, verdict);
    if (isAboutStep) decide(data.verdict);
    if (type === 'approval.requested') {
      if (asked.size === asked.add(approvalId).size) return broken('requested twice in this log');
      const fresh = { by: new Set(), given: 0, state: 'pending', key: null, isLost: false, nextTurn: null };
      run.approvals.set(approvalId, { ...data, ...fresh });
    } else if (type === 'approval.decided') {
      const isClaimed = !isUnsigned(data);
      if (isClaimed && lacks('signature at keyId delegation breakGlass')) return;
      if (isClaimed && !isSigned(data, approval.expiresAt, commit.reason ?? null))
        broken('a signature does not hold');
      if (isOver) return broken(`the approval is ${approval.state}`);
      if (!/^(approve|deny|revoke)$/.test(decision))
        return add('entries', 'not-canonical', `${type} without a valid decision`, { index });
      const voices = [data.approver, data.delegation].filter(isString);
      if (decision !== 'revoke' && voices.some((who) => isBarred(who, approval, run.initiator)))
        return broken('who decides is not shown to be a person who may');
      if (decision !== 'approve') approval.state = decision;
      if (decision === 'approve' && !voices.some((one) => approval.by.has(one))) approval.given += 1;
      for (const one of decision === 'approve' ? voices : []) approval.by.add(one);
      const isEnough = approval.given >= peopleOf(approval.quorum);
      const claimed = decision === 'approve' && (data.state ?? (isEnough ? 'approved' : 'pending'));
      if (claimed === 'approved' && !isEnough) return broken('too few approvers');
      if (claimed === 'approved') approval.state = 'approved';
    } else if (type === 'approval.expired' || type === 'approval.withdrawn') {
      if (isOver) return broken(`the approval is ${approval.state}`);
      approval.state = type;
    } else if (type === 'approval.consumed') {
      if (approval.state !== 'approved') return broken(`the approval is ${approval.state}`);
      if (time >= approval.expiresAt) return broken('the approval has expired');
      if (step !== stepOf(approval)) return broken('the approval is for another step');
      approval.state = 'consumed';
      consumed = { index, id, approvalId, step };
    } else if (type === 'step.intended') {
      const [verdict, key] = [run.verdicts.get(step), data.idempotencyKey];
      run.intents.set(hex(leaf), { index, stepPath, attempt, approvalId });
      intended = { index, id, step, input: commit.input ?? null };
      if (/^(deny|closed)$/.test(verdict) || (verdict === 'needs_approval' && approvalId === null))
        broken(`the step got ${verdict}`);
      const isOwn = before?.id === id && before.approvalId === approvalId && before.step === step;
      if (before && !isOwn) unused(before);
      if (approvalId === null) return;
      const isUsed = approval?.state === 'consumed' && approval.stepPath === stepPath;
      const isAgain = isUsed && (approval.isLost || approval.nextTurn === attempt);
      if (isOwn) approval.key = key;
      else if (isAgain && key !== null && approval.key === key)
        Object.assign(approval, { isLost: false, nextTurn: null });
      else broken('its approval was not consumed for it');
    } else if (type === 'task.opened') {
      const isForm = data.kind === 'person';
      if (isForm && lacks('form roles separationOfDuties')) return;
      if (intent?.step !== step) return broken('it does not stand directly behind the intent of its step');
      const { taskId, expiresAt } = data;
      const question = { taskId, run: id, stepPath, attempt, form: isForm ? data.form : null };
      const about = { asked: { ...question, input: intent.input, expiresAt }, isForm };
      const isOthers = isForm && data.separationOfDuties;
      run.waits.set(step, { ...about, isOthers, redriver: data.redriver, answer: null });
    } else if (type === 'task.answered') {
      const wait = run.waits.get(step);
      if (wait?.asked.taskId !== data.taskId) return broken('no step waits for it');
      const isClaimed = !isUnsigned(data);
      if (isClaimed && lacks('signature at keyId')) return;
      const commitment = commit[data.answer === 'success' ? 'output' : 'error'];
      if (isClaimed && !isAnswerSigned(data, wait.asked, commitment)) broken('a signature does not hold');
      if (wait.answer) return broken('it is answered twice');
      if (time >= wait.asked.expiresAt) return broken('it is too late');
      if (wait.isForm && !data.by.startsWith('user:')) broken('no person fills in a form');
      if (wait.isOthers && [run.initiator ?? data.by, wait.redriver].includes(data.by))
        broken('nothing shows that another than who started or redrove the run answered');
      Object.assign(wait, { answer: data.answer, output: commit.output });
    } else if (type === 'step.finished') {
      const intent = run.intents.get(data.intent);
      if (!intent) return broken('no such intent is open');
      run.intents.delete(data.intent);
      if (step !== stepOf(intent)) broken('the intent is of another step');
      const wait = data.status === 'succeeded' && run.waits.get(step);
      run.waits.delete(step);
      if (wait && (wait.answer !== 'success' || wait.output !== commit.output))
        broken('it succeeded with something else than the answer');
      const used = run.approvals.get(intent.approvalId);
      const isLost = data.status === 'indeterminate' || data.status === 'cancelled';
      if (isLost && used) used.isLost = true;
      const asks = data.status === 'succeeded' && isCount(data.calls) && data.calls > 0;
      if (asks && used?.state === 'consumed') used.nextTurn = attempt + 1;
      else if (!isLost && used?.state === 'consumed') run.approvals.delete(intent.approvalId);
      if (!isLost) decide('closed');
    } else if (type === 'sandbox.started') {
      if (run.intents.size === 0) broken('no intent is open');
      run.sandbox = true;
    } else if (type === 'sandbox.exited' && !run.sandbox) broken('it never started');
    else if (type === 'run.finished') {
      const mayGoOn = data.status === 'failed' || data.status === 'cancelled';
      over.set(id, mayGoOn);
      if (run.intents.size === 0 && !mayGoOn) runs.delete(id);
    }
  };
  const finish = () => {
    if (consumed) unused(consumed);
    const open = [...runs].flatMap(([run, { intents }]) =>
      [...intents.values()].map((intent) => ({ ...intent, run })),
    );
    open.sort((a, b) => (a.index < b.index ? -1 : 1));
    return open.map(({ index, run, stepPath, attempt }) => ({
      index: String(index),
      run,
      stepPath,
      attempt,
    }));
  };
  /** An entry of a run that is not judged: what it asked for is not free for another run. */
  const passOver = ({ type, run, data }) =>
    type === 'approval.requested' && run !== null && isString(data.approvalId) && asked.add(data.approvalId);
  return { observe, passOver, finish };
}
const isSignature = (key, text, signature) => {
  const [publicKey, bytes] = [
    isString(key) ? unbase64(key) : key,
    isString(signature) && unbase64(signature),
  ];
  return Boolean(publicKey && bytes) && verifySignature(publicKey, Buffer.from(text), bytes);
};
function isSigned(
  {
    approvalId,
    subjectDigest,
    decision,
    approver,
    at,
    keyId,
    signature,
    delegation = null,
    breakGlass = null,
  },
  expiresAt,
  reasonCommitment,
) {
  const about = { approvalId, subjectDigest, decision, approver, at, expiresAt, reasonCommitment };
  const text = `writ.decision.v1\0${canonicalize({ ...about, delegation, breakGlass })}`;
  return isHex(subjectDigest) && keyId.startsWith('ed25519:') && isSignature(keyId.slice(8), text, signature);
}
function isAnswerSigned({ answer, by, at, keyId, signature }, asked, commitment) {
  if (!isHex(commitment) || !keyId.startsWith('ed25519:')) return false;
  const text = `writ.task-answer.v1\0${canonicalize({ ...asked, answer, by, at, commitment })}`;
  return isSignature(keyId.slice(8), text, signature);
}
/** Rule 7 of the log itself: opened once, and again only as the second half of a rotation that both keys signed. */
export function keyRules(add, origin) {
  const keys = { rotations: [], current: null, isBroken: false };
  let opening = null;
  const wrong = (index, why) => {
    keys.isBroken = true;
    add('order', 'order-broken', why, { index });
  };
  /** The last size this key signs; undefined = it was never replaced. */
  keys.lastSizeOf = ({ text }) => keys.rotations.find(({ oldVkey }) => oldVkey === text)?.until;
  /** Keys that the trusted ones replaced, directly or in steps. */
  keys.formerOf = (trusted) => {
    const known = new Set(trusted.map(({ text }) => text));
    for (const { oldVkey, newVkey } of keys.rotations.toReversed())
      if (known.has(newVkey)) known.add(oldVkey);
    return [...known].slice(trusted.length).map(parseVkey);
  };
  keys.finish = () => opening && wrong(opening.index, 'key.rotated without log.opened after it');
  keys.observe = (index, { type, run, data }) => {
    const { vkey, oldVkey, newVkey, signatureByOld, signatureByNew } = data;
    const expected = opening;
    if (opening && (type !== 'log.opened' || index !== opening.index + 1n)) keys.finish();
    opening = null;
    if (type === 'log.opened') {
      if (data.origin !== origin) return add('entries', 'wrong-origin', 'another log is opened', { index });
      if (!isString(vkey)) return add('entries', 'not-canonical', 'log.opened without vkey', { index });
      if (run !== null || (expected ? vkey !== expected.newVkey : index > 0n))
        wrong(index, 'the log is opened again');
      keys.current = vkey;
    } else if (type === 'key.rotated') {
      const text = `writ.key-rotation.v1\0${canonicalize({ newVkey, oldVkey, origin })}`;
      const isBy = (vkey, signature) => {
        const [key] = attempt(() => parseVkey(vkey));
        return key?.type === 1 && key.name === origin && isSignature(key.key, text, signature);
      };
      if (run !== null || !isString(oldVkey) || !isString(newVkey))
        return wrong(index, 'key.rotated names no keys');
      opening = { index, newVkey };
      const isNext =
        oldVkey === (keys.current ?? oldVkey) && !keys.rotations.some((past) => past.oldVkey === newVkey);
      if (!isNext || oldVkey === newVkey || !isBy(oldVkey, signatureByOld) || !isBy(newVkey, signatureByNew))
        return wrong(index, 'the log is not given by its key to a new one');
      keys.rotations.push({ oldVkey, newVkey, until: index + 2n });
    }
  };
  return keys;
}
/** Rule 8, and what the log says was erased. `payload` gives {salt, bytes} of a commitment, or null; or is null. */
export function payloadRules(add, payload) {
  const [erased, absent] = [new Map(), new Map()];
  const observe = (index, { type, data, commit }) => {
    for (const [label, commitment] of payload ? Object.entries(commit) : []) {
      const { salt, bytes } = (!erased.has(commitment) && payload(commitment)) || {};
      const mac =
        salt &&
        createHmac('sha256', salt)
          .update(`\0${label}\0`)
          .update(bytes ?? '')
          .digest();
      if (erased.has(commitment)) continue;
      if (!salt || !bytes) absent.set(commitment, absent.get(commitment) ?? index);
      else if (salt.length !== 32 || hex(mac) !== commitment)
        add('payloads', 'payload-mismatch', `the payload "${label}" is another`, { index });
    }
    if (type !== 'payload.erased') return;
    if (!isHex(data.commitment))
      return add('payloads', 'not-canonical', 'it erases no commitment', { index });
    erased.set(data.commitment, index);
    absent.delete(data.commitment);
  };
  const finish = () => {
    for (const index of absent.values()) add('payloads', 'erased-unlogged', 'a payload is absent', { index });
    return [...erased].map(([commitment, index]) => ({ commitment, entry: String(index) }));
  };
  return { observe, finish };
}
/** Rule 6: no entry is later than the quorum of witnesses that saw it first. `bounds` ascend by size. */
export function timeRule(add, bounds) {
  let [latest, bound] = [null, bounds.next().value];
  const judge = (isBelow) => {
    for (; bound && isBelow(bound.size); bound = bounds.next().value) {
      // A cosignature has whole seconds: the second it names belongs to it.
      if (!latest || BigInt(Date.parse(latest.time)) < (bound.seconds + 1n) * 1000n) continue;
      add('entries', 'chain-broken', `witnesses had seen it before ${latest.time}`, { index: latest.index });
      latest = null;
    }
  };
  const observe = (index, { time }) => {
    judge((size) => size <= index);
    if (!latest || time > latest.time) latest = { index, time };
  };
  return { observe, finish: () => judge(() => true) };
}
