// The evidence bundle of a run, from the store: every entry of the run with its proof under the newest signed
// checkpoint, entries about the log that explain them, and the payloads that may be shown. The right is asked first;
// nothing is written but that decision, the files that are asked for, and their names.
import {
  equalBytes,
  inclusionProof,
  leafHash,
  parseCheckpoint,
  parseEntry,
  parseNote,
  consistencyProof,
} from '../../audit/index.js';
import { buildEvidence, commitmentsOf, explainsRun } from '../../audit/evidence/build.js';
import {
  encodeEvidence,
  MAX_EVIDENCE_BYTES,
  type DisclosedPayload,
  type Evidence,
  type EvidenceEntry,
} from '../../audit/evidence/format.js';
import { ProvenNodes } from '../../audit/evidence/shared-proof.js';
import { WritError } from '../../errors.js';
import type { Commitment } from '../../json.js';
import { requireAuditRight } from './access.js';
import { finishHandedOut, openHandedOut, takeBack, type OpenNew } from './handed-out.js';
import type { Guard } from '../guard-parts.js';
import type { LogDirectory, LogRow, NewFile, Signer, StoredPayload } from '../ports.js';
import { REMAINS } from '../run/remains.js';
import { load } from '../run/context.js';
import { rootAt, withHashes } from './tree-hashes.js';
import type { EvidenceRequest, Principal } from '../writ.js';

export interface EvidenceSource {
  readonly guard: Guard;
  readonly directory: LogDirectory;
  readonly signer: Signer;
  /** Of this software. */
  readonly version: string;
  /** Signs and publishes what is committed; the bundle's checkpoint is the newest after it. */
  readonly publish: () => Promise<void>;
  readonly openNew: OpenNew;
}

/**
 * The bytes of the bundle, written to the files asked for. Throws POLICY_* without the right `audit.export` on the run,
 * NOT_FOUND, USAGE when it would be larger than a bundle may be or `first` is a checkpoint of no entries, and
 * AUDIT_FORK or AUDIT_ROLLBACK when `first` is not a prefix of this log, STORE_CONFLICT when a payload it shows was
 * erased meanwhile; then no file is left.
 */
export async function makeEvidence(
  source: EvidenceSource,
  request: EvidenceRequest,
  principal: Principal,
): Promise<Uint8Array> {
  const { guard, directory, signer } = source;
  const { store } = guard;
  await requireAuditRight(guard, principal, 'audit.export', request.run);
  await load(guard, request.run);
  await source.publish();
  const checkpoint = await store.lastCheckpoint();
  if (checkpoint === null) throw new WritError('INTERNAL', 'a published log without a checkpoint');
  const { size } = checkpoint;

  const signed = ({ index }: LogRow): boolean => index < size;
  const own = (await store.entriesOfRun(request.run)).filter(signed);
  const entries = own.map((row) => parseEntry(row.bytes));
  const commitments = commitmentsOf(entries);
  const policies = new Set(entries.map((entry) => entry.policy).filter((hash) => hash !== null));
  const about = (await Promise.all(LOG_TYPES.map((type) => store.ownEntries(type, MAX_LOG_ENTRIES))))
    .flat()
    .filter((row) => signed(row) && explainsRun(parseEntry(row.bytes), policies));
  const { size: since } = await store.log();
  const payloads = await payloadsOf(guard, commitments, request.payloads);
  checkLabels(request, payloads);
  const rows = [...own, ...about].sort((a, b) => (a.index < b.index ? -1 : 1));
  checkSize(rows.reduce((sum, row) => sum + row.bytes.length, 0));

  const shown = disclosed(payloads, request.payloads);
  const json = encodeEvidence(
    buildEvidence({
      run: request.run,
      checkpoint: checkpoint.note,
      first: await consistencyFrom(source, request.first, size),
      entries: await proofsOf(source, rows, size),
      disclosed: shown,
      policy: await policyText(directory, signer),
      version: source.version,
      custodian: request.custodian === null ? null : guard.redact.text(request.custodian),
    }),
  );
  const held = new Set<string>(shown.map(({ commitment }) => commitment));
  await writeFiles(source, request, json, { since, holds: (commitment) => held.has(commitment) });
  return json;
}

async function writeFiles(
  { guard, openNew }: EvidenceSource,
  { run, files }: EvidenceRequest,
  json: Uint8Array,
  written: Parameters<typeof finishHandedOut>[2],
): Promise<void> {
  const opened: NewFile[] = [];
  try {
    for (const { path, replaces, contentOf } of files) {
      const file = await openHandedOut(guard, openNew, { path, run, replaces });
      opened.push(file);
      await file.write(contentOf(json));
    }
    await finishHandedOut(guard, opened, written);
  } catch (error) {
    await takeBack(guard, opened);
    throw error;
  }
}

/** Of the log's own chain: what may explain a run; the newest of each type. */
const LOG_TYPES = ['log.opened', 'key.rotated', 'policy.loaded'];
const MAX_LOG_ENTRIES = 1_000;

async function proofsOf(
  { guard: { store } }: EvidenceSource,
  rows: readonly LogRow[],
  size: bigint,
): Promise<readonly EvidenceEntry[]> {
  const whole = await withHashes(store, size, (read) =>
    rows.map(({ index }) => inclusionProof(read, index, size)),
  );
  const tree = new ProvenNodes(size, null);
  return rows.map(({ index, bytes }, i) => ({
    index,
    bytes,
    proof: tree.shorten(index, leafHash(bytes), whole[i] ?? []),
  }));
}

async function consistencyFrom(
  { guard }: EvidenceSource,
  first: string | null,
  size: bigint,
): Promise<Evidence['first']> {
  if (first === null) return null;
  const older = parseCheckpoint(parseNote(first).text);
  await checkPrefix(guard, older, size);
  const consistency = await withHashes(guard.store, size, (read) => consistencyProof(read, older.size, size));
  return { checkpoint: first, consistency };
}

/** An older checkpoint that is none of this log would make a bundle that every verifier refuses. */
async function checkPrefix(
  { store }: Guard,
  older: { readonly size: bigint; readonly root: Uint8Array },
  size: bigint,
): Promise<void> {
  if (older.size > size) {
    throw new WritError(
      'AUDIT_ROLLBACK',
      `the older checkpoint has size ${older.size}, this log has ${size} entries`,
      { hint: 'the store was restored from an old copy, or the checkpoint is of another log' },
    );
  }
  if (!equalBytes(await rootAt(store, older.size), older.root)) {
    throw new WritError('AUDIT_FORK', `the older checkpoint of size ${older.size} is no prefix of this log`, {
      hint: 'it is of another log, or entries were changed: keep both and run writ audit verify',
    });
  }
  if (older.size > 0n) return;
  throw new WritError(
    'USAGE',
    'the older checkpoint is of the empty log, and nothing can be proven about that',
    {
      hint: 'every log begins empty: leave it out, or give a later one',
    },
  );
}

async function payloadsOf(
  { store }: Guard,
  commitments: ReadonlyMap<Commitment, string>,
  wanted: EvidenceRequest['payloads'],
): Promise<readonly StoredPayload[]> {
  const found: StoredPayload[] = [];
  let size = 0;
  for (const commitment of commitments.keys()) {
    const payload = await store.payload(commitment);
    if (payload === null) continue;
    if (payload.label !== REMAINS || isWanted(REMAINS, wanted)) size += payload.bytes?.length ?? 0;
    checkSize(size);
    found.push(payload);
  }
  return found;
}

/** A label that none of the run's payloads has is a slip: what was to be shown would be left out without a word. */
function checkLabels({ run, payloads: wanted }: EvidenceRequest, payloads: readonly StoredPayload[]): void {
  if (typeof wanted === 'string') return;
  const labels = new Set(payloads.map(({ label }) => label));
  const unknown = wanted.find((label) => !labels.has(label));
  if (unknown === undefined) return;
  throw new WritError('NOT_FOUND', `run ${run} has no payload labelled "${unknown}"`, {
    hint: `its labels: ${[...labels].sort().join(', ')}`,
  });
}

/** What a redrive would go on with is evidence of nothing, and shown only where it is asked for by its name. */
function isWanted(label: string, wanted: EvidenceRequest['payloads']): boolean {
  if (wanted === 'all') return label !== REMAINS;
  return wanted !== 'none' && wanted.includes(label);
}

/** Payloads that are still there, under the labels that are asked for. */
function disclosed(
  payloads: readonly StoredPayload[],
  wanted: EvidenceRequest['payloads'],
): readonly DisclosedPayload[] {
  return payloads.flatMap(({ commitment, label, salt, bytes, mediaType }) => {
    return isWanted(label, wanted) && salt !== null && bytes !== null
      ? [{ commitment, label, salt, bytes, mediaType }]
      : [];
  });
}

/** Base64 and proofs add to it, so half of the limit is where a bundle stops being one. */
function checkSize(bytes: number): void {
  if (bytes <= MAX_EVIDENCE_BYTES / 2) return;
  throw new WritError('USAGE', `the run has more than ${MAX_EVIDENCE_BYTES / 2} bytes to show`, {
    hint: 'leave payloads out (--no-payloads), or hand out the log itself: writ audit export',
  });
}

/** The policy that is published with the log, else the one that names its key and asks for no witness. */
async function policyText(directory: LogDirectory, signer: Signer): Promise<string> {
  const published = await directory.get('policy');
  return published === null ? `log ${signer.vkey}\nquorum none\n` : new TextDecoder().decode(published);
}
