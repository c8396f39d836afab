// What this machine saw of each log, in one file outside every data directory: it turns a restored backup from
// "valid" into `rollback`. A record never goes to a smaller size, and to another key only when somebody says that the
// key was changed. Processes of all logs share the file: it is read, changed and replaced whole under one lock.
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { WritError } from '../../errors.js';
import type { TrustRecord, TrustStore } from '../../runtime/ports.js';
import { readBounded, replaceFile } from './durable-file.js';
import { openLocks } from './locks.js';

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MODES = { file: 0o600, directory: 0o700 };
/** Longest wait for other processes that write; each holds the lock for one write. */
const LOCK_TIMEOUT_MS = 30_000;
/** Former keys kept of one log; of more the oldest are forgotten. */
const MAX_FORMER = 100;

/**
 * Opens `file` lazily; the first write makes it (mode 0600) and its directory (0700). Calls on one object are done
 * one after another and every write starts from the file as it is then, under a lock between processes (`trust.lock`
 * in the same directory, there only while it is held). Throws STORE_UNAVAILABLE on a file that can't be understood (it
 * is never overwritten), AUDIT_CHECKPOINT_INVALID on a checkpoint without a size or of another origin,
 * AUDIT_KEY_INVALID on a key of another name, STORE_* (STORE_READ_ONLY also when the directory of a file that needs no
 * change can't be written, STORE_BUSY after LOCK_TIMEOUT_MS); by `write`, AUDIT_KEY_INVALID on another key than the known one, AUDIT_ROLLBACK when that log is smaller as well; by
 * `replaceKey`, AUDIT_KEY_INVALID when neither key of the change is the known one. A smaller size under the same key
 * changes nothing.
 */
export function openTrustStore(file: string): TrustStore {
  const locks = openLocks(dirname(file));
  let last: Promise<unknown> = Promise.resolve();
  return {
    async read(origin) {
      return (await readRecords(file)).get(origin) ?? null;
    },
    write: (origin, record) => inTurn(() => writeRecord(file, origin, record, null)),
    replaceKey: (origin, { from, vkey, checkpoint }) =>
      inTurn(() => writeRecord(file, origin, { vkey, checkpoint }, from)),
  };

  function inTurn(act: () => Promise<void>): Promise<void> {
    const done = last.then(async () => {
      const lock = await locks.hold('trust', LOCK_TIMEOUT_MS);
      try {
        await act();
      } finally {
        lock.release();
      }
    });
    // The queue goes on after a failed write; its caller has the error.
    last = done.catch(() => undefined);
    return done;
  }
}

/** `from` = the key that this write is allowed to replace. */
async function writeRecord(
  file: string,
  origin: string,
  record: Pick<TrustRecord, 'vkey' | 'checkpoint'>,
  from: string | null,
): Promise<void> {
  refuseOther(origin, record);
  const records = await readRecords(file);
  const known = records.get(origin);
  const size = sizeOf(record.checkpoint);
  const knownSize = sizeOf(known?.checkpoint ?? null);
  const isSmaller = knownSize !== null && (size === null || size < knownSize);
  // Two verifications may end in the other order than they began; the larger size stays.
  if (isSmaller && known?.vkey === record.vkey) return;
  // A key whose log was never seen published is not held on to: an unfinished init is begun anew.
  const replaces = known !== undefined && known.vkey !== record.vkey && (from !== null || knownSize !== null);
  if (replaces && (isSmaller || known.vkey !== from)) {
    const seen = knownSize === null ? '' : ` and ${knownSize} entries`;
    throw new WritError(
      isSmaller ? 'AUDIT_ROLLBACK' : 'AUDIT_KEY_INVALID',
      `the trust store knows ${origin} with another key${seen}`,
      {
        hint: `after a key change: writ audit verify --vkey NEW; if the log was made anew on purpose, remove the origin from ${file}`,
      },
    );
  }
  const former = known === undefined && from !== null ? [from] : formerKeys(known, record.vkey, replaces);
  records.set(origin, {
    vkey: record.vkey,
    checkpoint: record.checkpoint,
    ...(former.length === 0 ? {} : { former }),
  });
  const text = `${JSON.stringify({ v: 1, logs: Object.fromEntries(records) }, null, 2)}\n`;
  await replaceFile(file, new TextEncoder().encode(text), MODES);
}

/** A record stands under the name that its key and its checkpoint bear: under another, it would vouch for another log. */
function refuseOther(origin: string, { vkey, checkpoint }: Pick<TrustRecord, 'vkey' | 'checkpoint'>): void {
  const [name] = vkey.split('+', 1);
  if (name !== origin) {
    throw new WritError('AUDIT_KEY_INVALID', `the key to remember for ${origin} is one of ${name}`);
  }
  const [line] = checkpoint?.split('\n', 1) ?? [origin];
  if (line !== origin) {
    throw new WritError(
      'AUDIT_CHECKPOINT_INVALID',
      `the checkpoint to remember for ${origin} is one of ${line}`,
    );
  }
}

/** Of the log that goes on; a log made anew has none. */
function formerKeys(known: TrustRecord | undefined, vkey: string, replaces: boolean): readonly string[] {
  if (known === undefined) return [];
  const former = known.former ?? [];
  if (known.vkey === vkey) return former;
  return replaces ? [...former, known.vkey].slice(-MAX_FORMER) : [];
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
    const { vkey, checkpoint, former } = record;
    if (typeof vkey !== 'string' || (checkpoint !== null && typeof checkpoint !== 'string'))
      throw unreadable(file);
    if (former !== undefined && !isTexts(former)) throw unreadable(file);
    records.set(origin, { vkey, checkpoint, ...(former === undefined ? {} : { former }) });
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

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
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
