// Files with payload data that leave the installation, against erasures at the same time. A file is recorded before its
// first byte and stands under its name from then on; when it is whole, the log is asked what was erased since before
// the first payload was read. So either the erasure finds the file, or the file finds the erasure: none is left behind.
import { parseEntry } from '../../audit/index.js';
import { WritError } from '../../errors.js';
import { isObject } from '../../json.js';
import type { Guard } from '../guard-parts.js';
import type { NewFile } from '../ports.js';

/** A new private file, in the place of an older one only when it `replaces`; else USAGE when the name is taken. */
export type OpenNew = (file: string, replaces?: boolean) => Promise<NewFile>;

/** Opens the file, empty, and records it as a copy of `run` (null = of more than one run). */
export async function openHandedOut(
  guard: Guard,
  openNew: OpenNew,
  target: { readonly path: string; readonly run: string | null; readonly replaces?: boolean },
): Promise<NewFile> {
  const file = await openNew(target.path, target.replaces);
  try {
    await guard.store.recordCopy({ path: file.path, run: target.run, madeAtMs: guard.clock.nowMs() });
    return file;
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/**
 * After the last byte was written. Throws STORE_CONFLICT when one of the payloads written (`holds`) was erased in the log
 * from entry `since` on, or a file was taken away; the caller takes the files back then.
 */
export async function finishHandedOut(
  guard: Guard,
  files: readonly NewFile[],
  written: { readonly since: bigint; readonly holds: (commitment: string) => boolean },
): Promise<void> {
  await refuseErased(guard, written);
  for (const file of files) {
    if (!(await file.finish())) throw erasedMeanwhile(`${file.path} was removed while it was written`);
  }
}

/** Nothing is handed out after all. A record that stays because the store fails names a file that is not there. */
export async function takeBack({ store }: Guard, files: readonly NewFile[]): Promise<void> {
  for (const file of files) {
    await file.discard();
    await store.forgetCopy(file.path).catch(() => undefined);
  }
}

/** Entries that one look at the store reads. */
const BATCH = 256;

async function refuseErased(
  { store }: Guard,
  { since, holds }: { readonly since: bigint; readonly holds: (commitment: string) => boolean },
): Promise<void> {
  const { size } = await store.log();
  for (let first = since; first < size; first += BigInt(BATCH)) {
    for (const row of await store.entries(first, size, BATCH)) {
      const { type, data } = parseEntry(row.bytes);
      if (type !== 'payload.erased' || !isObject(data)) continue;
      const { commitment } = data;
      if (typeof commitment === 'string' && holds(commitment)) {
        throw erasedMeanwhile(`payload ${commitment} was erased while it was handed out`);
      }
    }
  }
}

function erasedMeanwhile(message: string): WritError {
  return new WritError('STORE_CONFLICT', message, {
    hint: 'nothing is handed out; do it again for what is left',
  });
}
