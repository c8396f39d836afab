// The composition root: the one place that puts adapters, runtime and pure rooms together.
// The command line, the TUI, the server and the library open Writ here.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from './adapters/clock.js';
import { openLocalDispatcher } from './adapters/dispatch/local.js';
import { createLogKey, loadLogKey } from './adapters/keys/log-key.js';
import { createPersonKey, loadPersonKey } from './adapters/keys/person-key.js';
import { openModuleManifest } from './adapters/packages/module-manifest.js';
import { importPackage, openOciLayout } from './adapters/packages/oci-layout.js';
import { readPolicyDirectory } from './adapters/policy-directory.js';
import { systemRandom } from './adapters/random.js';
import { openWasmDriver } from './adapters/sandbox/wasm/driver.js';
import { openLocks } from './adapters/store/locks.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import { openTileDirectory } from './adapters/store/tile-directory.js';
import { openTrustStore } from './adapters/store/trust-store.js';
import { canonicalJson } from './canonical-json.js';
import { WritError } from './errors.js';
import { isObject, type Json } from './json.js';
import { buildSnapshot } from './policy/snapshot.js';
import { openApplication } from './runtime/application.js';
import { draft, type EntryContext } from './runtime/entries.js';
import { extendLog } from './runtime/log.js';
import { recordPolicy } from './runtime/policy-record.js';
import type { Clock, FunctionProvider, ModuleStore, SandboxRequest, Store } from './runtime/ports.js';
import { checkLogAtStart, publish } from './runtime/publisher.js';
import type { Principal, Writ } from './runtime/writ.js';

export { createPersonKey, loadPersonKey };
export { verifyData, type VerifyDataOptions } from './verify-data.js';

/** The shipped `sandbox/wasm` folder: beside `src` and `dist` alike. */
const SHIPPED_MODULES = fileURLToPath(new URL('../sandbox/wasm', import.meta.url));
const SHIPPED_POLICIES = fileURLToPath(new URL('../policies', import.meta.url));

/** The policies of the package, which `writ init` copies for an operator to edit. */
export function shippedPolicies(): string {
  return SHIPPED_POLICIES;
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

interface DataPaths {
  readonly config: string;
  readonly database: string;
  readonly logKey: string;
  readonly locks: string;
  readonly audit: string;
  readonly packages: string;
}

function pathsOf(data: string): DataPaths {
  return {
    config: join(data, 'config.json'),
    database: join(data, 'writ.db'),
    logKey: join(data, 'keys', 'log.key'),
    locks: join(data, 'locks'),
    audit: join(data, 'audit'),
    packages: join(data, 'packages'),
  };
}

interface DataConfig {
  readonly origin: string;
  readonly tenant: string;
}

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
  const origin = options.origin ?? `writ.local/${Buffer.from(systemRandom.bytes(8)).toString('hex')}`;
  if (!ORIGIN.test(origin)) {
    throw new WritError('USAGE', `"${origin}" is no log origin`, {
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
  await writable(options.data, () => mkdir(options.data, { recursive: true, mode: 0o700 }));
  createLogKey(paths.logKey, origin);
  const signer = loadLogKey(paths.logKey);
  const trust = openTrustStore(options.trustFile ?? defaultTrustFile());
  await trust.write(origin, { vkey: signer.vkey, checkpoint: null });
  const store = await openStore(paths.database);
  try {
    const locks = openLocks(paths.locks);
    const context = logContext(tenant);
    const opened = draft(context, 'log.opened', {
      origin,
      vkey: signer.vkey,
      softwareVersion: await softwareVersion(),
    });
    await store.commit({ entries: [opened] });
    await publish({ store, directory: openTileDirectory(paths.audit), signer, locks, trust });
  } finally {
    await store.close();
  }
  // Last: a directory with a config file is complete.
  const config: DataConfig = { origin, tenant };
  await writeFile(paths.config, `${JSON.stringify({ v: 1, ...config }, null, 2)}\n`, {
    mode: 0o600,
    flag: 'wx',
  });
  return { data: options.data, origin, tenant, vkey: signer.vkey, keyFile: paths.logKey };
}

export interface OpenOptions {
  readonly data: string;
  readonly policies: string;
  /** Functions of the embedding program; they go through the same guard. */
  readonly functions?: readonly FunctionProvider[];
  /** Sandbox children started ahead of need; default 1, 0 for commands that run nothing. */
  readonly wasmPool?: number;
  /** Default: `$XDG_STATE_HOME/writ/trust.json`. */
  readonly trustFile?: string;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** Opens an initialised data directory. Throws NOT_INITIALISED, POLICY_INVALID, AUDIT_*, STORE_*. */
export async function openWrit(options: OpenOptions): Promise<Writ> {
  const paths = pathsOf(options.data);
  const config = await readConfig(paths.config);
  if (config === null) {
    throw new WritError('NOT_INITIALISED', `${options.data} is no data directory of writ`, {
      hint: `make one: writ init --data ${options.data}`,
    });
  }
  const files = await readPolicyDirectory(options.policies);
  const poolSize = options.wasmPool ?? 1;
  const modules = openModuleManifest(SHIPPED_MODULES);
  const driver = openWasmDriver({ poolSize, shipped: poolSize > 0 ? await shippedModules(modules) : [] });
  // Sandbox children boot while the rest opens. Not awaited: a fault shows again, and counts, when a step needs one.
  if (poolSize > 0) void driver.preflight().catch(() => undefined);
  let store: Store | null = null;
  try {
    const policy = await buildSnapshot({ files, canonicalize: canonicalJson, root: options.policies });
    const signer = loadLogKey(paths.logKey);
    const opened = await openStore(paths.database, options.clock);
    store = opened;
    const directory = openTileDirectory(paths.audit);
    const trust = openTrustStore(options.trustFile ?? defaultTrustFile());
    const clock = options.clock ?? systemClock;
    await checkLogAtStart({ store: opened, directory, trust, signer });
    const locks = openLocks(paths.locks);
    const recorded = await recordPolicy(opened, logContext(config.tenant), policy, files);
    if (recorded) await publish({ store: opened, directory, signer, locks, trust });
    return openApplication({
      tenant: config.tenant,
      store: opened,
      locks,
      clock,
      random: systemRandom,
      signer,
      directory,
      trust,
      policy,
      callables: {
        packages: openOciLayout([paths.packages]),
        modules,
        drivers: { wasm: driver },
        providers: options.functions ?? [],
      },
      packagesBeside: (file) => openOciLayout([paths.packages, ...besideFile(file)]),
      async keepPackage(file, digest) {
        const [from] = besideFile(file);
        if (from !== undefined && (await openOciLayout([paths.packages]).resolve(digest)) === null) {
          await importPackage(from, paths.packages, digest);
        }
      },
      dispatcher: (steps) => openLocalDispatcher({ steps, store: opened, locks, clock }),
    });
  } catch (error) {
    await driver.close();
    await store?.close();
    throw error;
  }
}

/** Who acts: the person whose key `keyFile` holds, else the operating system's user. Throws POLICY_IDENTITY_UNKNOWN. */
export async function identify(writ: Writ, keyFile: string | null): Promise<Principal> {
  if (keyFile === null) return writ.principalOfUser(userInfo().username);
  const key = loadPersonKey(keyFile);
  return writ.principalOfKey(key.publicKey, (message) => key.sign(message));
}

/** Children of the pool run these on empty input, so that a step finds them compiled. */
async function shippedModules(modules: ModuleStore): Promise<SandboxRequest['module'][]> {
  const found = await Promise.all((await modules.names()).map((name) => modules.module(name)));
  return found.filter((module) => module !== null);
}

function besideFile(file: string | null): readonly string[] {
  return file === null ? [] : [join(dirname(resolve(file)), 'packages')];
}

function openStore(file: string, clock: Clock = systemClock): Promise<Store> {
  return openSqliteStore({ file, extendLog, clock });
}

function logContext(tenant: string): EntryContext {
  return { tenant, run: null, workflow: null, policy: null, actor: { id: 'service:writ', via: 'open' } };
}

async function readConfig(file: string): Promise<DataConfig | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new WritError('STORE_UNAVAILABLE', `can't read ${file}`, { cause: error });
  }
  const config = parsed(text);
  if (isObject(config) && config['v'] === 1) {
    const { origin, tenant } = config;
    if (typeof origin === 'string' && typeof tenant === 'string') return { origin, tenant };
  }
  throw new WritError('STORE_UNAVAILABLE', `${file} is not a config file this version can read`);
}

/** undefined when it is no JSON. */
function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // The caller says which file can't be read.
    return undefined;
  }
}

async function softwareVersion(): Promise<string> {
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
