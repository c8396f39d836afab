// Inclusion proofs of many entries of one tree, without saying a hash twice. Entries are taken in ascending order; a
// proof leaves out what earlier ones have shown: it ends at the first node that is already proven, and a sibling that
// is proven is not repeated. The first entry's proof is the whole one of RFC 6962; a neighbour's is mostly empty.
import { equalBytes, isHash, nodeHash } from '../tree-hash.js';

/**
 * The nodes of one tree that are proven so far: computed on the way to the root, or hashed together with such a node.
 * Memory: two hashes for each that a proof held, and one path.
 */
export class ProvenNodes {
  /** By level and place; level 0 is leaf hashes. */
  private readonly nodes = new Map<string, Uint8Array>();

  constructor(
    private readonly size: bigint,
    /** The signed root; null = whoever builds the proofs already knows that they lead to it. */
    private readonly root: Uint8Array | null,
  ) {}

  /**
   * True when `leaf` at `index` and exactly the hashes of `proof` (attacker-controlled) lead to the root or to a node
   * that is proven; then what was on the way is proven too.
   */
  verify(index: bigint, leaf: Uint8Array, proof: readonly Uint8Array[]): boolean {
    let used = 0;
    const ends = this.climb(index, leaf, () => {
      const hash = proof[used++];
      return isHash(hash) ? hash : null;
    });
    return ends && used === proof.length;
  }

  /** What `verify` needs of the whole RFC 6962 proof of `leaf` at `index`. */
  shorten(index: bigint, leaf: Uint8Array, proof: readonly Uint8Array[]): readonly Uint8Array[] {
    const kept: Uint8Array[] = [];
    let at = 0;
    this.climb(
      index,
      leaf,
      () => {
        const hash = proof[at++];
        if (hash !== undefined) kept.push(hash);
        return hash ?? null;
      },
      () => (at += 1),
    );
    return kept;
  }

  /** Goes up from a leaf; `ask` gives a sibling that is not proven, `skip` is told of one that is. */
  private climb(
    index: bigint,
    leaf: Uint8Array,
    ask: () => Uint8Array | null,
    skip: () => void = () => undefined,
  ): boolean {
    const learned = new Map<string, Uint8Array>();
    let hash = leaf;
    let place = index;
    let last = this.size - 1n;
    for (let level = 0; ; level++) {
      const known = this.nodes.get(`${level}/${place}`) ?? (last === 0n ? this.root : null);
      if (known !== null) {
        if (!equalBytes(known, hash)) return false;
        break;
      }
      learned.set(`${level}/${place}`, hash);
      if (last === 0n) break;
      const isRight = (place & 1n) === 1n;
      // The last node of a level has no right neighbour: it moves up as it is.
      if (isRight || place < last) {
        const beside = `${level}/${place ^ 1n}`;
        const proven = this.nodes.get(beside);
        if (proven !== undefined) skip();
        const sibling = proven ?? ask();
        if (sibling === null) return false;
        learned.set(beside, sibling);
        hash = isRight ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
      }
      place >>= 1n;
      last >>= 1n;
    }
    for (const [name, node] of learned) this.nodes.set(name, node);
    return true;
  }
}
