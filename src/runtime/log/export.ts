// A copy of the log for somebody else: the published files byte for byte, up to one signed checkpoint, and on request
// the payloads behind its commitments. `checkpoint` is written last, so half a copy is never taken for a whole one, and
// taken away again when the copy does not verify.
import {
  checkpointPath,
  hashesAtLevel,
  parseCheckpoint,
  parseEntry,
  parseNote,
  parseTilePath,
  parseTreeSize,
  type LogSource,
  type VerifyReport,
} from '../../audit/index.js';
import { formatPayloadLine } from '../../audit/payload-line.js';
import { parseCheckpointPath } from '../../audit/tile-path.js';
import { WritError } from '../../errors.js';
import type { Commitment } from '../../json.js';
import { requireAuditRight } from './access.js';
import { finishHandedOut, openHandedOut, takeBack, type OpenNew } from './handed-out.js';
import type { Guard } from '../guard-parts.js';
import { keyChanges } from './key-rotation.js';
import type { LogDirectory, NewFile, Signer } from '../ports.js';
import type { ExportRequest, ExportResult, Principal } from '../writ.js';

/** What a copy is made from and with. */
export interface ExportParts {
  readonly guard: Guard;
  readonly signer: Signer;
  /** The published files. */
  readonly source: Required<Pick<LogSource, 'get' | 'list'>>;
  /** An empty directory; USAGE when it is none. */
  readonly openEmpty: (dir: string) => Promise<LogDirectory>;
  readonly openNew: OpenNew;
  /** Verifies the log directory `dir` under this key, and trusts nothing else. */
  readonly verify: (dir: string, vkey: string) => Promise<VerifyReport>;
  /** Makes the published files current. */
  readonly publish: () => Promise<void>;
}

/**
 * The copy and what its verification says; `report.ok` is false when the published files are damaged, and then the copy
 * has no `checkpoint`. Needs the right `audit.export` on the whole log. Throws POLICY_*, USAGE on targets that exist,
 * NOT_FOUND for a size that was never signed, STORE_CONFLICT when a payload was erased meanwhile, STORE_*.
 */
export async function exportLog(
  parts: ExportParts,
  request: ExportRequest,
  principal: Principal,
): Promise<ExportResult> {
  const { guard, source } = parts;
  await requireAuditRight(guard, principal, 'audit.export');
  await parts.publish();
  const signed = await signedCheckpoint(source, request.size);
  const vkey = await vkeyAt(parts, signed.size);
  const target = await parts.openEmpty(request.dir);
  // Opened before anything is copied: a name that is taken is told at once.
  const payloads =
    request.payloads === null
      ? null
      : await openHandedOut(guard, parts.openNew, { path: request.payloads, run: null });
  try {
    const files = await copyFiles(source, target, signed.size);
    await target.put('vkey', new TextEncoder().encode(`${vkey}\n`));
    await target.put('checkpoint', signed.bytes);
    const report = await parts.verify(request.dir, vkey);
    if (!report.ok) await target.remove('checkpoint');
    const count = payloads === null ? null : await writePayloads(guard, payloads, signed.size);
    return { size: signed.size, vkey, files: files + 2, payloads: count, report };
  } catch (error) {
    if (payloads !== null) await takeBack(guard, [payloads]);
    throw error;
  }
}

/** The signed checkpoint of `size`, by default the newest. */
async function signedCheckpoint(
  source: LogSource,
  size: bigint | null,
): Promise<{ readonly bytes: Uint8Array; readonly size: bigint }> {
  const bytes = await source.get(size === null ? 'checkpoint' : checkpointPath(size));
  if (bytes !== null) return { bytes, size: parseCheckpoint(parseNote(bytes).text).size };
  throw new WritError('NOT_FOUND', `the log was never signed at size ${size ?? 'any'}`, {
    hint: 'the sizes that were are the names in the checkpoints folder of the log directory',
  });
}

/** The key that was the log's at `size`. */
async function vkeyAt({ guard, signer }: ExportParts, size: bigint): Promise<string> {
  const changes = await keyChanges(guard.store);
  const first = changes[0]?.oldVkey ?? signer.vkey;
  return changes.filter(({ index }) => index < size).at(-1)?.newVkey ?? first;
}

/** Everything that belongs to the tree of `size` but `vkey` and `checkpoint`; returns how many files. */
async function copyFiles(
  source: Required<Pick<LogSource, 'get' | 'list'>>,
  target: LogDirectory,
  size: bigint,
): Promise<number> {
  let files = 0;
  for await (const path of source.list()) {
    if (!belongs(path, size)) continue;
    const bytes = await source.get(path);
    // Published files are never taken away; what is gone is damage, which the verification names.
    if (bytes === null) continue;
    await target.put(path, bytes);
    files += 1;
  }
  return files;
}

function belongs(path: string, size: bigint): boolean {
  if (path === 'policy') return true;
  const signedSize = parseCheckpointPath(path) ?? stampedSize(path);
  if (signedSize !== null) return signedSize <= size;
  const tile = parseTilePath(path);
  return tile !== null && tile.n * 256n + BigInt(tile.width) <= hashesAtLevel(size, tile.level);
}

/** The size that a time stamp beside a checkpoint is of; null for any other path. */
function stampedSize(path: string): bigint | null {
  const digits = /^checkpoints\/0{0,19}([0-9]{1,20})\.tsr$/.exec(path)?.[1];
  const size = digits === undefined ? null : parseTreeSize(digits);
  return size !== null && `${checkpointPath(size)}.tsr` === path ? size : null;
}

/** Entries that one look at the store reads. */
const BATCH = 256;

/** One line for each payload of the first `size` entries, in the log's order; returns how many. */
async function writePayloads(guard: Guard, file: NewFile, size: bigint): Promise<number> {
  const { store } = guard;
  const { size: since } = await store.log();
  let count = 0;
  for (let first = 0n; first < size; first += BigInt(BATCH)) {
    const end = first + BigInt(BATCH) < size ? first + BigInt(BATCH) : size;
    const lines: Uint8Array[] = [];
    for (const row of await store.entries(first, end, BATCH)) {
      for (const commitment of Object.values(parseEntry(row.bytes).commit)) {
        const line = await payloadLine(store, commitment, row.index);
        if (line === null) continue;
        lines.push(line);
        count += 1;
      }
    }
    if (lines.length > 0) await file.write(Buffer.concat(lines));
  }
  // Which payloads these are is not kept: of any that was erased meanwhile, the bytes may have been written.
  await finishHandedOut(guard, [file], { since, holds: () => true });
  return count;
}

/** Null when the payload was stored with another entry, or never. */
async function payloadLine(
  store: Guard['store'],
  commitment: Commitment,
  index: bigint,
): Promise<Uint8Array | null> {
  const payload = await store.payload(commitment);
  return payload?.entryIndex === index ? formatPayloadLine(payload) : null;
}
