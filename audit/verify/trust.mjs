// Rule 1 and the report: whom a verification trusts, all of it from outside what is judged, and the findings in the order
// that decides the verdict.
import { malformed, parsePolicy, parseVkey } from './tlog.mjs';

/** Rule 1: log keys, witnesses, and whether a set of witnesses is enough; throws on what can't be read or met. */
export function trustOf({ vkeys = [], policy, witnesses = [], quorum }) {
  if (policy !== undefined && (witnesses.length > 0 || quorum !== undefined))
    throw malformed('a policy and a quorum');
  const named = witnesses.map(parseVkey);
  if (new Set(named.map(({ key }) => key.toString('hex'))).size < named.length)
    throw malformed('a witness is given twice');
  const k = quorum ?? named.length;
  const isMet = (cosigned) => cosigned.size >= k;
  if (policy === undefined && (named.length > 0 || quorum !== undefined) && !(k >= 1 && k <= named.length))
    throw malformed(`a quorum of ${k} can't be met by ${named.length} witnesses`);
  const trust =
    policy === undefined
      ? { keys: [], witnesses: named, met: named.length ? isMet : null }
      : parsePolicy(policy);
  const texts = new Set([...vkeys, ...trust.keys.map((key) => key.text)]);
  const keys = [...texts].map(parseVkey);
  // Both would be trusted: a key given for one log must not be joined by that of another.
  const names = (keys) => JSON.stringify([...new Set(keys.map(({ name }) => name))].sort());
  if (vkeys.length > 0 && trust.keys.length > 0 && names(vkeys.map(parseVkey)) !== names(trust.keys))
    throw malformed('the policy is about another log than the key');
  if (keys.some((key) => key.type !== 1) || named.some((key) => key.type === 1))
    throw malformed('a key of another type');
  return { ...trust, keys };
}

/** Groups of findings in the order that decides the verdict; behind a damaged tree only `files` is judged. */
const GROUPS = ['early', 'tree', 'forks', 'files', 'entries', 'order', 'payloads', 'damage'];
/** A list of findings, and the report they make; `trust.keys` empty = unpinned. */
export function findingsOf(isPinned) {
  const found = Object.fromEntries(GROUPS.map((group) => [group, []]));
  const add = (group, verdict, message, { index, path } = {}) => {
    const where = {
      ...(index === undefined ? {} : { index: String(index) }),
      ...(path === undefined ? {} : { path }),
    };
    if (found[group].length < 100) found[group].push({ verdict, ...where, message });
  };
  const report = (checkpoint, more = {}) => {
    const isWhole = found.tree.length === 0;
    const findings = GROUPS.filter(
      (group) => isWhole || ['early', 'tree', 'files', 'damage'].includes(group),
    ).flatMap((group) => found[group]);
    if (findings.length === 0 && !isPinned)
      findings.push({ verdict: 'unpinned', message: 'no key was given from outside' });
    const { origin = null, size, root, times = [] } = checkpoint ?? {};
    return {
      verdict: findings[0]?.verdict ?? 'verified',
      ok: findings.length === 0,
      origin,
      size: checkpoint ? String(size) : null,
      root: checkpoint ? root.toString('base64') : null,
      cosignatures: [...times].map(([{ name, id }, time]) => ({ name, keyId: id, time: String(time) })),
      findings,
      warnings: [],
      openIntents: [],
      erased: [],
      ...more,
    };
  };
  return { add, report, isWhole: () => found.tree.length === 0 };
}
