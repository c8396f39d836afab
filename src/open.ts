// The composition root: the one place that puts adapters, runtime and pure rooms together.
// The command line, the TUI, the server and the library open Writ here.
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openAgentFunctions } from './adapters/functions/agent-functions.js';
import { systemResolve } from './adapters/functions/egress.js';
import { openHealthFunctions } from './adapters/functions/health-check.js';
import { openHttpFunctions, readHttpConfig } from './adapters/functions/http.js';
import { openMcpFunctions, passedVariables, readMcpConfig } from './adapters/functions/mcp.js';
import { openCedar } from './adapters/cedar.js';
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
import { withEnvironmentSecrets } from './adapters/secrets/environment-secrets.js';
import { openSecretDirectory, type SecretDirectory } from './adapters/secrets/secret-directory.js';
import { openEgressProxies } from './adapters/egress/proxies.js';
import { openDockerDriver } from './adapters/sandbox/docker/driver.js';
import { openQueryEvaluator } from './adapters/query/index.js';
import { openWasmDriver } from './adapters/sandbox/wasm/driver.js';
import { openArtifacts } from './adapters/store/artifacts.js';
import { replaceFile } from './adapters/store/durable-file.js';
import { openEmptyDirectory, openNewFile } from './adapters/store/export-files.js';
import { openLocks } from './adapters/store/locks.js';
import { openSqliteStore } from './adapters/store/sqlite/store.js';
import { openTileDirectory } from './adapters/store/tile-directory.js';
import { defaultTrustFile, openTrustStore } from './adapters/store/trust-store.js';
import { openSpokenWords } from './adapters/spoken-words.js';
import { timestampAuthority } from './adapters/timestamp/rfc3161.js';
import { keyVariables, projectOf, readAgentFiles } from './agent-files.js';
import { canonicalJson } from './canonical-json.js';
import { DEFAULT_RETENTION, pathsOf, readConfig, withRetention, readWitnessFile } from './data-directory.js';
import { readDockerFile, unreadableImages, type DockerFile } from './docker-file.js';
import { WritError } from './errors.js';
import type { Digest, Json } from './json.js';
import { buildSnapshot, type PolicySnapshot } from './policy/snapshot.js';
import { requireNotReplaced, requireSigned } from './policy-signers.js';
import { DEFAULT_ANCHOR_EVERY_MS } from './runtime/anchor.js';
import { openApplication } from './runtime/application.js';
import { registeredFunctions, type Callables } from './runtime/callable.js';
import { logContext } from './runtime/entries.js';
import { finishRotation } from './runtime/key-rotation.js';
import { extendLogWith } from './runtime/log.js';
import { checkLogAtStart } from './runtime/log-start.js';
import { resultWithoutSecrets } from './runtime/outcome.js';
import { recordPolicy } from './runtime/policy-record.js';
import type {
  AgentPackage,
  Clock,
  FunctionProvider,
  Locks,
  ModuleStore,
  SandboxDriver,
  SandboxResult,
  Store,
} from './runtime/ports.js';
import { publish, type Publication } from './runtime/publisher.js';
import { handleOf, openRedactor } from './runtime/redaction.js';
import { readWitnessSet } from './runtime/witness-set.js';
import { finishScrub } from './runtime/scrub.js';
import { selfChecks } from './runtime/self-checks.js';
import { describeFunction } from './runtime/tool-description.js';
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

/** Containers kept started, once steps of their kind have run. */
const DOCKER_POOL = 2;
/** The shipped `sandbox/wasm` folder: beside `src` and `dist` alike. */
const SHIPPED_MODULES = fileURLToPath(new URL('../sandbox/wasm', import.meta.url));
const SECCOMP_PROFILE = fileURLToPath(new URL('../sandbox/seccomp.json', import.meta.url));
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

/** What a trial changes, and sees of it beyond what a step's output holds. */
export interface SandboxTrial {
  /** In place of docker.yaml's container runtime. */
  readonly runtime?: string;
  /** What each sandbox came to, secrets by handle. */
  readonly onResult: (result: SandboxResult) => void;
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
  const paths = pathsOf(options.data);
  const config = await readConfig(paths.config);
  if (config === null) throw notInitialised(options.data);
  const files = await readPolicyDirectory(options.policies);
  const witnessText = await readWitnessFile(paths.witnesses);
  const witnesses = witnessText === null ? null : readWitnessSet(witnessText);
  const env = options.env ?? process.env;
  const agentFiles = await readAgentFiles(projectOf(options.policies), env);
  const hosts = await readHttpConfig(join(projectOf(options.policies), 'http.yaml'));
  const servers = await readMcpConfig(join(projectOf(options.policies), 'mcp.yaml'));
  const stored = openSecretDirectory(paths.secrets, handleOf);
  const secrets = withEnvironmentSecrets(
    stored,
    [...keyVariables(agentFiles), ...passedVariables(servers)],
    env,
    handleOf,
  );
  // A secret that can't be read stops everything here, before anything could be stored with its value.
  secrets.current();
  const redactor = openRedactor(secrets);
  const poolSize = options.wasmPool ?? 1;
  const modules = openModuleManifest(SHIPPED_MODULES, [paths.packages]);
  const { sandbox } = options;
  const observer =
    sandbox === undefined
      ? {}
      : {
          onResult: (result: SandboxResult) =>
            sandbox.onResult(resultWithoutSecrets(result, openRedactor(secrets))),
        };
  const shipped = poolSize > 0 ? await shippedModules(modules) : [];
  const driver = openWasmDriver({ poolSize, shipped, ...observer });
  // Sandbox children boot while the rest opens. Not awaited: a fault shows again, and counts, when a step needs one.
  if (poolSize > 0) void driver.preflight().catch(() => undefined);
  const dockerFile = await readDockerFile(projectOf(options.policies));

  const docker = dockerDriver(dockerFile, {
    env,
    locks: openLocks(paths.locks),
    data: options.data,
    runtime: sandbox?.runtime ?? null,
    // A trial by hand runs one step: what would wait for a second one is not started.
    never: [resolve(options.data), resolve(options.policies)],
    poolSize: sandbox === undefined && poolSize > 0 ? DOCKER_POOL : 0,
    secret: (name) => stored.current().find((one) => one.name === name)?.value ?? null,
    // One for all answers: it is asked for each piece of them.
    redact: (bytes) => redactor.bytes(bytes),
    ...observer,
  });
  let store: Store | null = null;
  try {
    const policy = await buildSnapshot({
      files,
      canonicalize: canonicalJson,
      sha256: platformSha256,
      root: options.policies,
    });
    if (config.policySigners !== undefined) requireSigned(policy, config.policySigners, options.policies);
    const pause = () =>
      new Promise<void>((resume) => {
        setImmediate(resume);
      });
    /** Other work goes on in between. */
    const buildPolicies = (read: ReadonlyMap<string, string>) =>
      buildSnapshot({
        files: read,
        canonicalize: canonicalJson,
        sha256: platformSha256,
        root: options.policies,
        pause,
      });
    // Read anew, with what this machine demanded when it was opened.
    const loadPolicies = async () => {
      const read = await readPolicyDirectory(options.policies);
      const snapshot = await buildPolicies(read);
      if (config.policySigners !== undefined) requireSigned(snapshot, config.policySigners, options.policies);
      await refuseReplaced(snapshot);
      return { snapshot, files: read };
    };
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
    if (options.asksOnly !== true) await finishRotation({ publication, keys });
    await checkLogAtStart({ store: opened, directory, trust, signer, verifySignature });
    const refuseReplaced = async (snapshot: PolicySnapshot): Promise<void> => {
      if (config.policySigners === undefined) return;
      await requireNotReplaced(opened, snapshot, config.policySigners, options.policies);
    };
    await refuseReplaced(policy);
    const isNew =
      options.asksOnly !== true && (await recordPolicy(opened, logContext(config.tenant), policy, files));
    if (isNew) await publish(publication);
    // A process that was killed in the middle of an erasure has left this to do.
    const scrubbing = { copies: handedOutFiles, locks, publish: () => publish(publication) };
    if (options.asksOnly !== true) await finishScrub({ store: opened, ...scrubbing }, QUICK_MS);
    const version = await softwareVersion();
    const secret = (name: string): Uint8Array | null =>
      stored.current().find((one) => one.name === name)?.value ?? null;
    const agents = openAgentFunctions({
      ...agentFiles,
      env,
      secret,
      nowMs: () => clock.nowMs(),
      tools: {
        functionIds: () => [...registeredFunctions(registered())],
        describe: (functionId) => describeFunction(registered(), functionId),
      },
    });
    const http = { hosts, secret, digestOf };
    const mcp = await openMcpFunctions(servers, {
      ...{ secret, digestOf, env, version, resolve: systemResolve },
      folder: projectOf(options.policies),
    });
    const health = openHealthFunctions(() => selfChecks(application.guard, directory), http);
    const application = openApplication({
      tenant: config.tenant,
      via: options.via ?? 'library',
      store: opened,
      locks,
      clock,
      random: systemRandom,
      sha256: platformSha256,
      secrets,
      keys,
      softwareVersion: version,
      directory,
      trust,
      verifySignature,
      policy: { snapshot: policy, files },
      ...(config.policyPin === undefined ? {} : { policyPin: config.policyPin }),
      ...(config.policyMaxAgeSeconds === undefined
        ? {}
        : { policyMaxAgeMs: config.policyMaxAgeSeconds * 1000 }),
      loadPolicies,
      buildPolicies,
      callables: {
        packages: openOciLayout([paths.packages]),
        packagePolicies: openCedar(),
        modules,
        drivers: { wasm: driver, docker },
        images: dockerFile instanceof WritError ? unreadableImages(dockerFile) : dockerFile.images,
        providers: [agents, openHttpFunctions(http), health, mcp, ...(options.functions ?? [])],
      },
      isSandboxTrial: sandbox !== undefined,
      queries: openQueryEvaluator(),
      artifacts: openArtifacts(paths.artifacts),
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
    // Functions may be registered later on: what a model is offered is looked up when it is asked.
    const registered = (): Callables => application.guard.callables;
    return options.asksOnly === true ? application : heardElsewhere(application, paths.live);
  } catch (error) {
    await driver.close();
    await docker.close();
    await store?.close();
    throw error;
  }
}

/** What its steps say while they run is heard by other processes too. */
function heardElsewhere(writ: Writ, folder: string): Writ {
  const words = openSpokenWords(folder);
  writ.onProgress((notice) => words.tell(notice));
  writ.onEntry(({ run, type, data }) => {
    if (run === null) return;
    if (type === 'run.finished') words.runEnded(run);
    const { stepPath } = data;
    if (type === 'step.finished' && typeof stepPath === 'string') words.stepEnded(run, stepPath);
  });
  return {
    ...writ,
    // A copy would stay as it is while a reload changes the policies.
    get policyHash() {
      return writ.policyHash;
    },
    async close() {
      await words.close();
      await writ.close();
    },
  };
}

/** Asks and loads nothing before a step needs it. What is wrong with docker.yaml is what such a step gets. */
function dockerDriver(
  file: DockerFile | WritError,
  parts: {
    readonly env: Environment;
    readonly locks: Locks;
    readonly data: string;
    readonly runtime: string | null;
    readonly poolSize: number;
    /** What no container is shown. */
    readonly never: readonly string[];
    readonly onResult?: (result: SandboxResult) => void;
    readonly secret: (name: string) => Uint8Array | null;
    readonly redact: (bytes: Uint8Array) => Uint8Array;
  },
): SandboxDriver {
  const { socket, runtime: configured } = file instanceof WritError ? { socket: null, runtime: null } : file;
  const socketPath = socket ?? socketOf(parts.env['DOCKER_HOST']);
  const runtime = parts.runtime ?? configured;
  const { locks, poolSize, onResult, secret, redact } = parts;
  const declared = file instanceof WritError ? new Map<string, never>() : file.credentials;
  return openDockerDriver({
    ...(socketPath === null ? {} : { socketPath }),
    ...(runtime === null ? {} : { runtime }),
    ...(onResult === undefined ? {} : { onResult }),
    seccomp: () => (file instanceof WritError ? Promise.reject(file) : readFile(SECCOMP_PROFILE, 'utf8')),
    locks,
    poolSize,
    never: parts.never,
    egress: {
      proxies: openEgressProxies({ resolve: systemResolve, secret, declared, redact }),
      relay: () =>
        file instanceof WritError ? null : (file.images.image('relay') ?? file.images.image('node')),
    },
    installation: resolve(parts.data),
  });
}

/** Only an engine on this machine is one that this machine answers for: another DOCKER_HOST is not taken. */
function socketOf(host: string | undefined): string | null {
  const socket = /^unix:\/\/(\/.+)$/u.exec(host ?? '')?.[1];
  return socket ?? null;
}

/** Who acts: the person whose key `keyFile` holds, else the operating system's user. Throws POLICY_IDENTITY_UNKNOWN. */
export async function identify(writ: Writ, keyFile: string | null): Promise<Principal> {
  if (keyFile === null) return writ.principalOfUser(userInfo().username);
  const key = loadPersonKey(keyFile);
  return writ.principalOfKey(key.publicKey, (message) => key.sign(message));
}

/** Children of the pool run these on empty input, so that a step finds them compiled. */
async function shippedModules(modules: ModuleStore): Promise<AgentPackage['module'][]> {
  const found = await Promise.all((await modules.names()).map((name) => modules.module(name)));
  return found.filter((module) => module !== null);
}

/** SHA-256 over a value's canonical form. */
export function digestOf(value: Json): Digest {
  const bytes = new TextEncoder().encode(canonicalJson(value));
  return `sha256:${Buffer.from(platformSha256(bytes)).toString('hex')}` as Digest;
}

function besideFile(file: string | null): readonly string[] {
  return file === null ? [] : [join(dirname(resolve(file)), 'packages')];
}

function openStore(file: string, clock: Clock = systemClock): Promise<Store> {
  return openSqliteStore({ file, extendLog: extendLogWith(platformSha256), clock });
}
