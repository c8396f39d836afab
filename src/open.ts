// The composition root: the one place that puts adapters, runtime and pure rooms together.
// The command line, the TUI, the server and the library open Writ here.
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from './adapters/clock.js';
import { openLocalDispatcher } from './adapters/dispatch/local.js';
import { platformSha256 } from './adapters/hash.js';
import { httpPost } from './adapters/http-post.js';
import { openLogKeys } from './adapters/keys/log-key.js';
import { createPersonKey, loadPersonKey } from './adapters/keys/person-key.js';
import { handedOutFiles } from './adapters/handed-out.js';
import { openModuleManifest } from './adapters/packages/module-manifest.js';
import { importPackage, openOciLayout } from './adapters/packages/oci-layout.js';
import { readPolicyDirectory } from './adapters/policy-directory.js';
import { systemRandom } from './adapters/random.js';
import { openSecretDirectory, type SecretDirectory } from './adapters/secrets/secret-directory.js';
import { openWasmDriver } from './adapters/sandbox/wasm/driver.js';
import { replaceFile } from './adapters/store/durable-file.js';
import { openEmptyDirectory, openNewFile } from './adapters/store/export-files.js';
import { openLocks } from './adapters/store/locks.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import { openTileDirectory } from './adapters/store/tile-directory.js';
import { defaultTrustFile, openTrustStore } from './adapters/store/trust-store.js';
import { timestampAuthority } from './adapters/timestamp/rfc3161.js';
import { canonicalJson } from './canonical-json.js';
import { DEFAULT_RETENTION, pathsOf, readConfig, withRetention, readWitnessFile } from './data-directory.js';
import { WritError } from './errors.js';
import { buildSnapshot } from './policy/snapshot.js';
import { DEFAULT_ANCHOR_EVERY_MS } from './runtime/anchor.js';
import { openApplication } from './runtime/application.js';
import { logContext } from './runtime/entries.js';
import { finishRotation } from './runtime/key-rotation.js';
import { extendLogWith } from './runtime/log.js';
import { checkLogAtStart } from './runtime/log-start.js';
import { recordPolicy } from './runtime/policy-record.js';
import type { Clock, FunctionProvider, ModuleStore, SandboxRequest, Store } from './runtime/ports.js';
import { publish, type Publication } from './runtime/publisher.js';
import { handleOf } from './runtime/redaction.js';
import { readWitnessSet } from './runtime/witness-set.js';
import { finishScrub } from './runtime/scrub.js';
import type { Principal, Writ } from './runtime/writ.js';
import { softwareVersion } from './init.js';
import { verifyCopy } from './verify-data.js';
import { verifyWithNode } from './verify-trust.js';

export { createPersonKey, defaultTrustFile, loadPersonKey };
export { initWrit, type InitOptions, type InitResult } from './init.js';
export { verifyData, type VerifyDataOptions } from './verify-data.js';
export {
  verifyEvidenceBytes,
  verifyEvidenceFile,
  verifyProofFile,
  type VerifyProofOptions,
} from './verify-file.js';

/** The shipped `sandbox/wasm` folder: beside `src` and `dist` alike. */
const SHIPPED_MODULES = fileURLToPath(new URL('../sandbox/wasm', import.meta.url));
const SHIPPED_POLICIES = fileURLToPath(new URL('../policies', import.meta.url));

/** What a command waits for when it finds that something is left to scrub. */
const QUICK_MS = 200;

/** Secrets by handle of an initialised data directory. Throws NOT_INITIALISED. */
export async function openSecrets(data: string): Promise<SecretDirectory> {
  const { config, secrets } = pathsOf(data);
  if ((await readConfig(config)) === null) throw notInitialised(data);
  return openSecretDirectory(secrets, handleOf);
}

function notInitialised(data: string): WritError {
  return new WritError('NOT_INITIALISED', `${data} is no data directory of writ`, {
    hint: `make one: writ init --data ${data}`,
  });
}

/** The policies of the package, which `writ init` copies for an operator to edit. */
export function shippedPolicies(): string {
  return SHIPPED_POLICIES;
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
  /** What the log says people act through; default `library`. */
  readonly via?: string;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** Opens an initialised data directory. Throws NOT_INITIALISED, POLICY_INVALID, AUDIT_*, STORE_*. */
export async function openWrit(options: OpenOptions): Promise<Writ> {
  const paths = pathsOf(options.data);
  const config = await readConfig(paths.config);
  if (config === null) throw notInitialised(options.data);
  const files = await readPolicyDirectory(options.policies);
  const witnessText = await readWitnessFile(paths.witnesses);
  const witnesses = witnessText === null ? null : readWitnessSet(witnessText);
  const secrets = openSecretDirectory(paths.secrets, handleOf);
  // A secret that can't be read stops everything here, before anything could be stored with its value.
  secrets.current();
  const poolSize = options.wasmPool ?? 1;
  const modules = openModuleManifest(SHIPPED_MODULES);
  const driver = openWasmDriver({ poolSize, shipped: poolSize > 0 ? await shippedModules(modules) : [] });
  // Sandbox children boot while the rest opens. Not awaited: a fault shows again, and counts, when a step needs one.
  if (poolSize > 0) void driver.preflight().catch(() => undefined);
  let store: Store | null = null;
  try {
    const policy = await buildSnapshot({ files, canonicalize: canonicalJson, root: options.policies });
    const keys = openLogKeys(paths.logKey);
    const { signer } = keys;
    const opened = await openStore(paths.database, options.clock);
    store = opened;
    const directory = openTileDirectory(paths.audit);
    const trust = openTrustStore(options.trustFile ?? defaultTrustFile());
    const clock = options.clock ?? systemClock;
    const locks = openLocks(paths.locks);
    const verifySignature = verifyWithNode;
    const publication: Publication = { store: opened, directory, signer, locks, trust, verifySignature };
    // A change of the log's key that a crash interrupted comes first: until then it is not sure which key is the log's.
    await finishRotation({ publication, keys });
    await checkLogAtStart({ store: opened, directory, trust, signer, verifySignature });
    const recorded = await recordPolicy(opened, logContext(config.tenant), policy, files);
    if (recorded) await publish(publication);
    // A process that was killed in the middle of an erasure has left this to do.
    const scrubbing = { copies: handedOutFiles, locks, publish: () => publish(publication) };
    await finishScrub({ store: opened, ...scrubbing }, QUICK_MS);
    return openApplication({
      tenant: config.tenant,
      via: options.via ?? 'library',
      store: opened,
      locks,
      clock,
      random: systemRandom,
      secrets,
      keys,
      softwareVersion: await softwareVersion(),
      directory,
      trust,
      verifySignature,
      policy,
      callables: {
        packages: openOciLayout([paths.packages]),
        modules,
        drivers: { wasm: driver },
        providers: options.functions ?? [],
      },
      copyFiles: handedOutFiles,
      retention: {
        read: async () => (await readConfig(paths.config))?.retention ?? DEFAULT_RETENTION,
        async write(retention) {
          const text = withRetention(await readFile(paths.config, 'utf8'), retention);
          await replaceFile(paths.config, new TextEncoder().encode(text), { file: 0o600, directory: 0o700 });
        },
      },
      anchors: {
        post: httpPost,
        witnesses,
        timestamps:
          config.timestamp === undefined ? null : timestampAuthority(config.timestamp.url, httpPost),
        everyMs: config.anchor?.everyMs ?? DEFAULT_ANCHOR_EVERY_MS,
      },
      exports: {
        source: directory,
        openEmpty: openEmptyDirectory,
        openNew: openNewFile,
        verify: verifyCopy,
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
  return openSqliteStore({ file, extendLog: extendLogWith(platformSha256), clock });
}
