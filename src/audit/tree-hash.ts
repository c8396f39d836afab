// The two hashes a log is made of. A leaf and a node can't be mistaken for one another: the first byte differs.
import { sha256, type Sha256 } from './sha256.js';

/** 0x01 ‖ left ‖ right -> 32 bytes (RFC 6962 section 2.1). */
export type NodeHash = (left: Uint8Array, right: Uint8Array) => Uint8Array;

/** Both hashes over one SHA-256: what a walk over many entries is given, so that it can use the platform's. */
export interface TreeHasher {
  /** As `leafHash`. */
  readonly leaf: (entry: Uint8Array) => Uint8Array;
  /** As `nodeHash`. */
  readonly node: NodeHash;
}

/** The tree's hashes over `hash`. Results don't share memory; inputs are copied and not kept. */
export function treeHasher(hash: Sha256): TreeHasher {
  // One message array for all calls: hashing is synchronous and `hash` keeps nothing.
  let leafMessage = new Uint8Array(1024);
  const nodeMessage = new Uint8Array(65);
  nodeMessage[0] = 1;
  return {
    leaf(entry) {
      if (entry.length >= leafMessage.length) leafMessage = new Uint8Array(entry.length * 2 + 1);
      leafMessage.set(entry, 1);
      return hash(leafMessage.subarray(0, entry.length + 1));
    },
    node(left, right) {
      if (left.length !== 32 || right.length !== 32) return hash(concat(left, right));
      nodeMessage.set(left, 1);
      nodeMessage.set(right, 33);
      return hash(nodeMessage);
    },
  };
}

const portable = treeHasher(sha256);

/** SHA-256(0x00 ‖ entry): 32 bytes (RFC 6962 section 2.1). */
export function leafHash(entry: Uint8Array): Uint8Array {
  return portable.leaf(entry);
}

/** SHA-256(0x01 ‖ left ‖ right): 32 bytes (RFC 6962 section 2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return portable.node(left, right);
}

/** Root of the tree of size 0: SHA-256 of nothing. */
export function emptyRoot(): Uint8Array {
  return sha256(new Uint8Array(0));
}

/** Equality of public values; the time it takes depends on them, so not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** True for a 32-byte array; anything else (attacker-controlled) is no hash. */
export function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}

/** Parts that are no hashes: the caller's own affair, hashed as they are. */
function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + left.length + right.length);
  message[0] = 1;
  message.set(left, 1);
  message.set(right, 1 + left.length);
  return message;
}
