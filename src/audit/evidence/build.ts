// Putting a bundle together from rows, proofs and payloads. What is derived from entries (which payloads were erased,
// and by which entry) is derived here, so that builder and verifier read the log the same way.
import { parseCheckpoint } from '../checkpoint.js';
import { readEntry, type Entry } from '../entry.js';
import { parseNote } from '../note.js';
import { isHex64, type Commitment } from '../../json.js';
import type { DisclosedPayload, Evidence, EvidenceEntry } from './format.js';

/** How a bundle is made, as its certificate says it; every sentence is one the verifier checks. */
export const EVIDENCE_METHOD =
  'Each entry is shown whole. Its SHA-256 leaf hash is proven to be in the Merkle tree (RFC 6962) whose root the ' +
  "log's Ed25519 key has signed. Entries of the run are numbered from 0, and each names the hash of the one before. " +
  'Payloads are bound to entries by HMAC-SHA-256 commitments with a random salt each.';

export interface EvidenceParts {
  readonly run: string;
  /** The signed note the proofs lead to. */
  readonly checkpoint: string;
  readonly first: Evidence['first'];
  /** Ascending: all of the run, and those about the log that `explainsRun` picks. */
  readonly entries: readonly EvidenceEntry[];
  readonly disclosed: readonly DisclosedPayload[];
  readonly policy: string;
  /** Of the software that makes it. */
  readonly version: string;
  readonly custodian: string | null;
}

/** Throws AUDIT_NOTE_INVALID and AUDIT_CHECKPOINT_INVALID on a note that can't be read. */
export function buildEvidence(parts: EvidenceParts): Evidence {
  const { run, checkpoint, first, entries, disclosed, policy, version, custodian } = parts;
  const read = entries.flatMap(({ index, bytes }) => {
    const entry = readEntry(bytes);
    return 'fault' in entry ? [] : [{ index, entry }];
  });
  const committed = commitmentsOf(read.filter(({ entry }) => entry.run === run).map(({ entry }) => entry));
  return {
    origin: parseCheckpoint(parseNote(checkpoint).text).origin,
    scope: { run },
    checkpoint,
    first,
    entries,
    disclosed,
    erased: read.flatMap(({ index, entry }) => {
      const hex = erasedBy(entry);
      return hex !== null && committed.has(hex) ? [{ commitment: hex, entry: index }] : [];
    }),
    policy,
    certificate: { tool: 'writ', version, hash: 'SHA-256', method: EVIDENCE_METHOD, custodian },
  };
}

/** Label of every commitment of these entries. */
export function commitmentsOf(entries: readonly Entry[]): ReadonlyMap<Commitment, string> {
  const found = new Map<Commitment, string>();
  for (const entry of entries) {
    for (const [label, hex] of Object.entries(entry.commit)) if (isHex64(hex)) found.set(hex, label);
  }
  return found;
}

/**
 * Whether an entry about the log itself belongs into the bundle of a run: the log's keys, and the policies that were in
 * force for one of its entries.
 */
export function explainsRun(entry: Entry, policies: ReadonlySet<string>): boolean {
  if (entry.type === 'log.opened' || entry.type === 'key.rotated') return true;
  const { policyHash } = entry.data;
  return entry.type === 'policy.loaded' && typeof policyHash === 'string' && policies.has(policyHash);
}

/** The commitment that a `payload.erased` is about; null for any other entry. */
function erasedBy(entry: Entry): Commitment | null {
  const hex = entry.type === 'payload.erased' ? entry.data.commitment : null;
  return typeof hex === 'string' && isHex64(hex) ? hex : null;
}
