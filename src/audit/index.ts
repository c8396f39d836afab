// The audit room. Hashing, proofs, notes, entries and the verifier; no I/O, clock, randomness or secret keys.
export { canonicalBytes, canonicalize } from './canonical.js';
export { parseJson } from './json-reader.js';
export { sha256, type Sha256 } from './sha256.js';
export { emptyRoot, equalBytes, leafHash, nodeHash, treeHasher, type TreeHasher } from './tree-hash.js';
export { MAX_TREE_SIZE, parseTreeSize, type TreeSizeInput } from './tree-size.js';
export { appendLeaf, rangeFromEdge, rangeRoot } from './compact-range.js';
export type { HashReader, Hashes } from './hash-reader.js';
export { inclusionProof, verifyInclusion, type InclusionClaim } from './inclusion.js';
export { consistencyProof, verifyConsistency, type ConsistencyClaim } from './consistency.js';
export {
  checkpointPath,
  hashesAtLevel,
  parseTilePath,
  TILE_WIDTH,
  tilePath,
  tilesOfSize,
  timestampPath,
  type Tile,
  type TileCount,
  type TileLevel,
} from './tile-path.js';
export { decodeBundle, decodeTile, encodeBundle, encodeTile, MAX_ENTRY_BYTES } from './tile.js';
export { formatVkey, isKeyName, parseVkey, type KeyType, type Vkey } from './vkey.js';
export {
  addSignatureLines,
  MAX_NOTE_BYTES,
  noteCosignatures,
  openNote,
  parseNote,
  signNote,
  verifyNote,
  type NoteSignature,
  type ParsedNote,
  type VerifiedNote,
} from './note.js';
export { cosignatureLine, cosignatureMessage, verifyCosignature, type Cosignature } from './cosignature.js';
export {
  describeQuorum,
  MAX_POLICY_BYTES,
  parsePolicy,
  policyOfWitnesses,
  quorumMet,
  type PolicyWitness,
  type TlogPolicy,
} from './tlog-policy.js';
export {
  formatAddCheckpoint,
  judgeAddCheckpoint,
  MAX_ADD_CHECKPOINT_BYTES,
  readAddCheckpoint,
  type AddCheckpoint,
  type CosignedTree,
  type WitnessRefusal,
} from './witness.js';
export { formatCheckpoint, parseCheckpoint, signCheckpoint, type Checkpoint } from './checkpoint.js';
export type { Sign, VerifySignature } from './ed25519.js';
export {
  formatProof,
  MAX_PROOF_BYTES,
  parseProof,
  verifyProof,
  type ProofOptions,
  type ProofReport,
  type TlogProof,
} from './tlog-proof.js';
export { rotationMessage, verifyRotation } from './key-rotation.js';
export { buildEntry, parseEntry, type Entry, type EntryFields, type EntryPlace } from './entry.js';
export { formatTime, parseTime } from './time.js';
export { commitment, SALT_BYTES } from './commitment.js';
export { verifyLog, type VerifyOptions } from './verify/log.js';
export type { Finding, OpenIntent, Verdict, VerifyReport } from './verify/report.js';
export type { LogSource } from './verify/source.js';
export type { ReadPayload } from './verify/payloads.js';
