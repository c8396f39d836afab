// The composition root: the one place that puts adapters, runtime and pure rooms together.
// The command line, the TUI, the server and the library open Writ here.
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readHttpConfig } from './adapters/functions/http/http.js';
import { passedVariables, readMcpConfig } from './adapters/functions/mcp/mcp.js';
import { openCedar } from './adapters/cedar.js';
import { systemClock } from './adapters/clock.js';
import { openLocalDispatcher } from './adapters/dispatch/local.js';
import { platformSha256 } from './adapters/hash.js';
import { httpPost } from './adapters/http-post.js';
import { openLogKeys } from './adapters/keys/log-key.js';
import { createPersonKey, loadPersonKey } from './adapters/keys/person-key.js';
import { handedOutFiles } from './adapters/handed-out.js';
import { openModuleManifest } from './adapters/packages/module-manifest.js';
import { importPackage, importSignatures, openOciLayout } from './adapters/packages/oci-layout.js';
import { systemRandom } from './adapters/random.js';
import { withEnvironmentSecrets } from './adapters/secrets/environment-secrets.js';
import { openSecretDirectory, type SecretDirectory } from './adapters/secrets/secret-directory.js';
import { openQueryEvaluator } from './adapters/query/index.js';
import { openArtifacts } from './adapters/store/artifacts.js';
import { replaceFile } from './adapters/store/durable-file.js';
import { openEmptyDirectory, openNewFile } from './adapters/store/export-files.js';
import { openLocks } from './adapters/store/locks.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import { openTileDirectory } from './adapters/store/tile-directory.js';
import { defaultTrustFile, openTrustStore } from './adapters/store/trust-store.js';
import { timestampAuthority } from './adapters/timestamp/rfc3161.js';
import { keyVariables, projectOf, readAgentFiles } from './agent-files.js';
import {
  DEFAULT_RETENTION,
  pathsOf,
  readConfig,
  withRetention,
  readWitnessFile,
  type DataConfig,
} from './data-directory.js';
import { WritError } from './errors.js';
import { heardElsewhere } from './heard-elsewhere.js';
import { softwareVersion } from './init.js';
import { openFunctions } from './open-functions.js';
import { openSandboxes, type SandboxTrial } from './open-sandboxes.js';
import { OperatorPolicies } from './operator-policies.js';
import { DEFAULT_ANCHOR_EVERY_MS } from './runtime/witness/anchor.js';
import { openApplication, type ApplicationParts } from './runtime/application.js';
import { logContext } from './runtime/log/entries.js';
import { finishRotation } from './runtime/log/key-rotation.js';
import { extendLogWith } from './runtime/log/log.js';
import { checkLogAtStart } from './runtime/log/start.js';
import { recordPolicy } from './runtime/log/policy-record.js';
import type { Clock, FunctionProvider, Locks, Store } from './runtime/ports.js';
import { publish, type Publication } from './runtime/log/publisher.js';
import { handleOf } from './runtime/redaction.js';
import { finishScrub } from './runtime/erasure/scrub.js';
import { selfChecks } from './runtime/call/self-checks.js';
import { readWitnessSet, type WitnessSet } from './runtime/witness/set.js';
import type { Principal, Writ } from './runtime/writ.js';
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

/** How long an import of another process is waited for. */
const IMPORT_WAIT_MS = 10_000;

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

type Environment = Readonly<Record<string, string | undefined>>;

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
  /** Default: the process's. */
  readonly env?: Environment;
  /** For an operator who tries a sandbox by hand. */
  readonly sandbox?: SandboxTrial;
  /** For a question that leaves nothing: policies that are new to the log stay so, and what a crash has left is left. */
  readonly asksOnly?: true;
}

/** Opens an initialised data directory. Throws NOT_INITIALISED, POLICY_INVALID, AUDIT_*, STORE_*. */
export async function openWrit(options: OpenOptions): Promise<Writ> {
  const settings = await readSettings(options);
  const { agentFiles, config, env, files, folder, paths, policies, secrets, stored } = settings;
  const secret = (name: string): Uint8Array | null =>
    stored.current().find((one) => one.name === name)?.value ?? null;
  const modules = openModuleManifest(SHIPPED_MODULES, [paths.packages]);
  const locks = openLocks(paths.locks);
  const { drivers, images } = await openSandboxes({
    ...{ env, locks, modules, secrets, secret, origin: config.origin },
    data: options.data,
    policies: options.policies,
    poolSize: options.wasmPool ?? 1,
    trial: options.sandbox,
  });
  const clock = options.clock ?? systemClock;
  let opened: Store | null = null;
  try {
    const { log, keys, snapshot } = await openRecords(options, settings, { clock, locks });
    const { store } = log;
    opened = store;
    const version = await softwareVersion();
    const providers = await openFunctions({
      ...{ folder, agentFiles, hosts: settings.hosts, servers: settings.servers },
      ...{ env, secret, clock, softwareVersion: version },
      registered: () => application.guard.callables,
      checks: () => selfChecks(application.guard, log.directory),
    });
    const application = openApplication({
      ...log,
      ...{ tenant: config.tenant, via: options.via ?? 'library', softwareVersion: version },
      ...{ locks, clock, random: systemRandom, sha256: platformSha256, secrets, keys },
      policy: { snapshot, files },
      ...(config.policyPin === undefined ? {} : { policyPin: config.policyPin }),
      ...(config.policyMaxAgeSeconds === undefined
        ? {}
        : { policyMaxAgeMs: config.policyMaxAgeSeconds * 1000 }),
      async loadPolicies() {
        const read = await policies.read();
        const loaded = await policies.signed(read, pause);
        await policies.requireNotReplaced(store, loaded);
        return { snapshot: loaded, files: read };
      },
      buildPolicies: (read) => policies.build(read, pause),
      callables: {
        packagePolicies: openCedar(),
        ...{ modules, drivers, images },
        providers: [...providers, ...(options.functions ?? [])],
        packages: openOciLayout([paths.packages]),
      },
      isSandboxTrial: options.sandbox !== undefined,
      queries: openQueryEvaluator(),
      artifacts: openArtifacts(paths.artifacts),
      copyFiles: handedOutFiles,
      retention: retentionIn(paths.config),
      anchors: anchorsOf(config, settings.witnesses),
      exports: {
        source: log.directory,
        openEmpty: openEmptyDirectory,
        openNew: openNewFile,
        verify: verifyCopy,
      },
      ...packagesIn(paths.packages, locks),
      dispatcher: (steps) => openLocalDispatcher({ steps, store, locks, clock }),
    });
    return options.asksOnly === true ? application : heardElsewhere(application, paths.live);
  } catch (error) {
    await drivers.wasm.close();
    await drivers.docker.close();
    await opened?.close();
    throw error;
  }
}

/** Store, log and policies, each found to be as the others say. Leaves nothing open when it throws. */
async function openRecords(
  options: OpenOptions,
  { config, files, paths, policies }: Awaited<ReturnType<typeof readSettings>>,
  { clock, locks }: { readonly clock: Clock; readonly locks: Locks },
) {
  const snapshot = await policies.signed(files);
  const keys = openLogKeys(paths.logKey);
  const extendLog = extendLogWith(platformSha256);
  const store = await openSqliteStore({ file: paths.database, clock, extendLog });
  try {
    const log = {
      ...{ store, verifySignature: verifyWithNode },
      directory: openTileDirectory(paths.audit),
      trust: openTrustStore(options.trustFile ?? defaultTrustFile()),
    };
    const { signer } = keys;
    const asksOnly = options.asksOnly === true;
    const publication: Publication = { ...log, signer, locks };
    // A change of the log's key that a crash interrupted comes first: until then it is not sure which key is the log's.
    if (!asksOnly) await finishRotation({ publication, keys });
    await checkLogAtStart({ ...log, signer });
    await policies.requireNotReplaced(store, snapshot);
    const isNew = !asksOnly && (await recordPolicy(store, logContext(config.tenant), snapshot, files));
    if (isNew) await publish(publication);
    // A process that was killed in the middle of an erasure has left this to do.
    const scrubbing = { copies: handedOutFiles, locks, publish: () => publish(publication) };
    if (!asksOnly) await finishScrub({ store, ...scrubbing }, QUICK_MS);
    return { log, keys, snapshot };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** What stands in files: read before anything is started, so that what is wrong with it leaves nothing. */
async function readSettings(options: OpenOptions) {
  const paths = pathsOf(options.data);
  const config = await readConfig(paths.config);
  if (config === null) throw notInitialised(options.data);
  const policies = new OperatorPolicies(options.policies, config.policySigners);
  const files = await policies.read();
  const witnessText = await readWitnessFile(paths.witnesses);
  const witnesses = witnessText === null ? null : readWitnessSet(witnessText);
  const env = options.env ?? process.env;
  const folder = projectOf(options.policies);
  const agentFiles = await readAgentFiles(folder, env);
  const hosts = await readHttpConfig(join(folder, 'http.yaml'));
  const servers = await readMcpConfig(join(folder, 'mcp.yaml'));
  const stored = openSecretDirectory(paths.secrets, handleOf);
  const variables = [...keyVariables(agentFiles), ...passedVariables(servers)];
  const secrets = withEnvironmentSecrets(stored, variables, env, handleOf);
  // A secret that can't be read stops everything here, before anything could be stored with its value.
  secrets.current();
  return {
    ...{ paths, config, policies, files, witnesses },
    ...{ env, folder, agentFiles, hosts, servers, stored, secrets },
  };
}

/** Other work goes on in between. */
function pause(): Promise<void> {
  return new Promise((resume) => {
    setImmediate(resume);
  });
}

/** How long payloads stay, as `config`, a file, says when it is asked. */
function retentionIn(config: string): ApplicationParts['retention'] {
  return {
    read: async () => (await readConfig(config))?.retention ?? DEFAULT_RETENTION,
    async write(retention) {
      const text = withRetention(await readFile(config, 'utf8'), retention);
      await replaceFile(config, new TextEncoder().encode(text), { file: 0o600, directory: 0o700 });
    },
  };
}

function anchorsOf(
  { timestamp, anchor }: DataConfig,
  witnesses: WitnessSet | null,
): NonNullable<ApplicationParts['anchors']> {
  return {
    post: httpPost,
    witnesses,
    timestamps: timestamp === undefined ? null : timestampAuthority(timestamp.url, httpPost),
    everyMs: anchor?.everyMs ?? DEFAULT_ANCHOR_EVERY_MS,
  };
}

/** Packages that stand beside a workflow's file count as well, and are kept when a run needs them. */
function packagesIn(kept: string, locks: Locks): Pick<ApplicationParts, 'packagesBeside' | 'keepPackage'> {
  const beside = (file: string | null): readonly string[] =>
    file === null ? [] : [join(dirname(resolve(file)), 'packages')];
  return {
    packagesBeside: (file) => openOciLayout([kept, ...beside(file)]),
    async keepPackage(file, digest, keys) {
      const [from] = beside(file);
      if (from === undefined) return;
      // Two that import at once would lose what one of them adds to the index.
      const lock = await locks.hold('packages', IMPORT_WAIT_MS);
      try {
        const isKept = (await openOciLayout([kept]).resolve(digest)) !== null;
        if (!isKept) await importPackage(from, kept, digest);
        await importSignatures(from, kept, digest, keys);
      } finally {
        lock.release();
      }
    },
  };
}

/** Who acts: the person whose key `keyFile` holds, else the operating system's user. Throws POLICY_IDENTITY_UNKNOWN. */
export async function identify(writ: Writ, keyFile: string | null): Promise<Principal> {
  if (keyFile === null) return writ.principalOfUser(userInfo().username);
  const key = loadPersonKey(keyFile);
  return writ.principalOfKey(key.publicKey, (message) => key.sign(message));
}
