// Proofs of RFC 6962, made the slow way from all leaf hashes.
import { leafHash, treeHash } from '../../../audit/verify.mjs';
import { base64 } from './log.mjs';

const splitOf = (size) => 2 ** Math.ceil(Math.log2(size) - 1);
/** RFC 6962 section 2.1.1, from the leaf's sibling up. */
export function inclusion(index, hashes) {
  if (hashes.length === 1) return [];
  const k = splitOf(hashes.length);
  const [left, right] = [hashes.slice(0, k), hashes.slice(k)];
  return index < k
    ? [...inclusion(index, left), treeHash(right)]
    : [...inclusion(index - k, right), treeHash(left)];
}
/** RFC 6962 section 2.1.2, bottom up. */
export function consistency(size, hashes, isOld = true) {
  if (size === hashes.length) return isOld ? [] : [treeHash(hashes)];
  const k = splitOf(hashes.length);
  const [left, right] = [hashes.slice(0, k), hashes.slice(k)];
  if (size <= k) return [...consistency(size, left, isOld), treeHash(right)];
  return [...consistency(size - k, right, false), treeHash(left)];
}
/** Entries of a bundle: proofs leave out what those before them have shown. */
export function shownEntries(all, indices) {
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
