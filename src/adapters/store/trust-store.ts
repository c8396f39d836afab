// What this machine saw of each log, in one file outside every data directory: it turns a restored backup from
// "valid" into `rollback`. A record never goes to a smaller size; the file is replaced whole.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import type { TrustStore } from '../../runtime/ports.js';
import { readBounded, replaceFile } from './durable-file.js';

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MODES = { file: 0o600, directory: 0o700 };

interface TrustRecord {
  readonly vkey: string;
  readonly checkpoint: string | null;
}

/**
 * Opens `file` lazily; the first write makes it (mode 0600) and its directory (0700). Calls on one object are done
 * one after another and every write starts from the file as it is then; two processes writing in the same
 * millisecond may still lose one of the two updates, never mix them. Throws STORE_UNAVAILABLE on a file that can't
 * be understood (it is never overwritten), AUDIT_CHECKPOINT_INVALID on a checkpoint without a size, AUDIT_ROLLBACK
 * on a smaller log with another key, STORE_*. A smaller size under the same key changes nothing.
 */
export function openTrustStore(file: string): TrustStore {
  let last: Promise<unknown> = Promise.resolve();
  return {
    async read(origin) {
      return (await readRecords(file)).get(origin) ?? null;
    },
    write(origin, record) {
      const write = last.then(() => writeRecord(file, origin, record));
      // The queue goes on after a failed write; its caller has the error.
      last = write.catch(() => undefined);
      return write;
    },
  };
}

async function writeRecord(file: string, origin: string, record: TrustRecord): Promise<void> {
  const records = await readRecords(file);
  const known = records.get(origin);
  const size = sizeOf(record.checkpoint);
  const knownSize = sizeOf(known?.checkpoint ?? null);
  if (known !== undefined && knownSize !== null && (size === null || size < knownSize)) {
    // Two verifications may end in the other order than they began; the larger size stays.
    if (known.vkey === record.vkey) return;
    throw new WritError(
      'AUDIT_ROLLBACK',
      `the trust store knows ${origin} with another key and ${knownSize} entries`,
      {
        hint: `remove the origin from ${file} if the log was replaced on purpose`,
      },
    );
  }
  records.set(origin, { vkey: record.vkey, checkpoint: record.checkpoint });
  const text = `${JSON.stringify({ v: 1, logs: Object.fromEntries(records) }, null, 2)}\n`;
  await replaceFile(file, new TextEncoder().encode(text), MODES);
}

async function readRecords(file: string): Promise<Map<string, TrustRecord>> {
  const bytes = await readBounded(file, MAX_FILE_BYTES);
  if (bytes === null) return new Map();
  if (bytes.length > MAX_FILE_BYTES) throw unreadable(file);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw unreadable(file, cause);
  }
  if (!isRecord(value) || value['v'] !== 1 || !isRecord(value['logs'])) throw unreadable(file);
  const records = new Map<string, TrustRecord>();
  for (const [origin, record] of Object.entries(value['logs'])) {
    if (!isRecord(record)) throw unreadable(file);
    const { vkey, checkpoint } = record;
    if (typeof vkey !== 'string' || (checkpoint !== null && typeof checkpoint !== 'string'))
      throw unreadable(file);
    records.set(origin, { vkey, checkpoint });
  }
  return records;
}

/** The size on the second line of a checkpoint, strict decimal; null without a checkpoint. */
function sizeOf(checkpoint: string | null): bigint | null {
  if (checkpoint === null) return null;
  const size = /^[^\n]+\n(0|[1-9][0-9]{0,18})\n/.exec(checkpoint)?.[1];
  if (size === undefined) {
    throw new WritError('AUDIT_CHECKPOINT_INVALID', 'the second line of a checkpoint is not a decimal size');
  }
  return BigInt(size);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unreadable(file: string, cause?: unknown): WritError {
  return new WritError('STORE_UNAVAILABLE', `${file} is no trust store this version can read`, {
    hint: 'move it away and verify the log again with --vkey; it is not overwritten',
    cause,
  });
}

/** `$XDG_STATE_HOME/writ/trust.json`: outside every data directory, so a restored backup does not restore it. */
export function defaultTrustFile(): string {
  const state = process.env['XDG_STATE_HOME'];
  return join(
    state === undefined || state === '' ? join(homedir(), '.local', 'state') : state,
    'writ',
    'trust.json',
  );
}
