// Inclusion proofs at 100,000 entries: made from a reader of subtrees, as the store's, and verified as anybody does.
import { platformSha256 } from '../../dist/adapters/hash.js';
import { inclusionProof, treeHasher, verifyInclusion } from '../../dist/audit/index.js';
import { ms, rate, report, timed } from './report.mjs';

const SIZE = 100_000;
const PROOFS = 20_000;

export async function auditProof() {
  const { leaf, node } = treeHasher(platformSha256);
  const levels = [Array.from({ length: SIZE }, (_, i) => leaf(new TextEncoder().encode(`entry ${i}`)))];
  for (let row = levels[0]; row.length > 1; row = levels.at(-1)) {
    levels.push(Array.from({ length: row.length >> 1 }, (_, i) => node(row[2 * i], row[2 * i + 1])));
  }
  const read = (level, index) => levels[level][Number(index)];
  const root = rootOf(read, node);
  const indices = Array.from({ length: PROOFS }, (_, i) => (i * 7919) % SIZE);
  let proofs = [];
  const make = (index) => inclusionProof(read, index, SIZE);
  indices.slice(0, 2_000).forEach(make);
  const made = await timed(() => (proofs = indices.map(make)));
  const claims = indices.map((index, i) => ({
    index,
    size: SIZE,
    leafHash: levels[0][index],
    root,
    proof: proofs[i],
  }));
  claims.slice(0, 1_000).forEach(verifyInclusion);
  let holds = 0;
  const verified = await timed(() => (holds = claims.filter((claim) => verifyInclusion(claim)).length));
  if (holds !== PROOFS) throw new Error(`${holds} of ${PROOFS} proofs hold`);
  const hashing = await timed(() => {
    for (const { leafHash, proof } of claims) proof.reduce(node, leafHash);
  });
  const longest = Math.max(...proofs.map((proof) => proof.length));
  report(`inclusion proof made, ${SIZE.toLocaleString('en')} entries`, {
    measured: `${rate(PROOFS / (made / 1000))}/s, at most ${longest} hashes`,
    target: '>= 20,000/s',
    met: PROOFS / (made / 1000) >= 20_000,
  });
  report(`inclusion proof verified, ${SIZE.toLocaleString('en')} entries`, {
    measured: `${rate(PROOFS / (verified / 1000))}/s`,
    target: '>= 15,000/s',
    met: PROOFS / (verified / 1000) >= 15_000,
    beside: `its SHA-256 alone, by the platform: ${rate(PROOFS / (hashing / 1000))}/s (${ms(hashing)})`,
  });
}

function rootOf(read, node) {
  const parts = [];
  for (let level = 0, rest = SIZE; rest > 0; level++, rest >>= 1) {
    if (rest & 1) parts.unshift(read(level, rest - 1));
  }
  return parts.reduceRight((right, left) => node(left, right));
}
