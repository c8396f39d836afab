// Making a data directory: log key, store, first entry, first checkpoint, and the key pinned where a restored backup
// does not reach. Killed on its way, it is gone on with by the next init.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemClock } from './adapters/clock.js';
import { createLogKey, loadLogKey } from './adapters/keys/log-key.js';
import { systemRandom } from './adapters/random.js';
import { makeDirectory } from './adapters/store/durable-file.js';
import { openLocks } from './adapters/store/locks.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import { openTileDirectory } from './adapters/store/tile-directory.js';
import { defaultTrustFile, openTrustStore } from './adapters/store/trust-store.js';
import { pathsOf, readConfig, writeConfig, type DataPaths } from './data-directory.js';
import { WritError } from './errors.js';
import { draft, logContext } from './runtime/log/entries.js';
import { extendLog } from './runtime/log/log.js';
import type { Signer } from './runtime/ports.js';
import { publish } from './runtime/log/publisher.js';

export interface InitOptions {
  /** Data directory; created with mode 0700. */
  readonly data: string;
  /** Log origin, e.g. `audit.example.com/claims`; null = a generated one. */
  readonly origin: string | null;
  readonly tenant: string;
  /** Default: `$XDG_STATE_HOME/writ/trust.json`. */
  readonly trustFile?: string;
}

export interface InitResult {
  readonly data: string;
  readonly origin: string;
  readonly tenant: string;
  readonly vkey: string;
  readonly keyFile: string;
}

const ORIGIN = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;
const TENANT = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * Makes a data directory: key, store, first log entry and checkpoint, and pins the log's key in the trust store.
 * Throws USAGE when one is already there.
 */
export async function initWrit(options: InitOptions): Promise<InitResult> {
  const { tenant } = options;
  const paths = pathsOf(options.data);
  // A generated origin is unique, so that a log made anew is never taken for the old one cut short.
  const wanted = options.origin ?? `writ.local/${Buffer.from(systemRandom.bytes(8)).toString('hex')}`;
  if (!ORIGIN.test(wanted)) {
    throw new WritError('USAGE', `"${wanted}" is no log origin`, {
      hint: 'for example audit.example.com/claims',
    });
  }
  if (!TENANT.test(tenant))
    throw new WritError('USAGE', `"${tenant}" is no tenant name`, { hint: 'a-z, 0-9 and -' });
  if ((await readConfig(paths.config)) !== null) {
    throw new WritError('USAGE', `${options.data} is already a data directory`, {
      hint: 'choose another with --data',
    });
  }
  await writable(options.data, () => makeDirectory(resolve(options.data), 0o700));
  const signer = logKeyOf(paths, wanted, options.origin !== null);
  const origin = originOf(signer);
  const trust = openTrustStore(options.trustFile ?? defaultTrustFile());
  await trust.write(origin, { vkey: signer.vkey, checkpoint: null });
  const store = await openSqliteStore({ file: paths.database, extendLog, clock: systemClock });
  try {
    const locks = openLocks(paths.locks);
    const context = logContext(tenant);
    const opened = draft(context, 'log.opened', {
      origin,
      vkey: signer.vkey,
      softwareVersion: await softwareVersion(),
    });
    // An earlier init may have been killed on its way: what it made is gone on with.
    if ((await store.log()).size === 0n) await store.commit({ entries: [opened] });
    await publish({ store, directory: openTileDirectory(paths.audit), signer, locks, trust });
  } finally {
    await store.close();
  }
  // Last: a directory with a config file is complete.
  await writeConfig(paths.config, { origin, tenant });
  return { data: options.data, origin, tenant, vkey: signer.vkey, keyFile: paths.logKey };
}

/** A new key, or the one that an init made which was killed before it was done. */
function logKeyOf(paths: DataPaths, origin: string, isGiven: boolean): Signer {
  if (!existsSync(paths.logKey)) return createLogKey(paths.logKey, origin);
  const signer = loadLogKey(paths.logKey);
  const found = originOf(signer);
  if (!isGiven || found === origin) return signer;
  throw new WritError('USAGE', `an unfinished init has already made a key for the log ${found}`, {
    hint: `go on with --origin ${found}, or choose another directory with --data`,
  });
}

function originOf(signer: Signer): string {
  return signer.vkey.slice(0, signer.vkey.indexOf('+'));
}

/** Of the package, as the log records it. */
export async function softwareVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}

async function writable(path: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    throw new WritError('STORE_READ_ONLY', `can't write to ${path}`, {
      hint: 'choose a directory you may write to with --data',
      cause: error,
    });
  }
}
