// The sandbox drivers of an opened data directory: children for WASM, which boot while the rest opens, and Docker, which is
// asked nothing and loads nothing before a step needs it.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEgressProxies } from './adapters/egress/proxies.js';
import { systemResolve } from './adapters/functions/egress.js';
import { openDockerDriver } from './adapters/sandbox/docker/driver.js';
import { openWasmDriver } from './adapters/sandbox/wasm/driver.js';
import { projectOf } from './agent-files.js';
import { readDockerFile, unreadableImages, type DockerFile } from './docker-file.js';
import { WritError } from './errors.js';
import { resultWithoutSecrets } from './runtime/attempt/sandbox-answer.js';
import type {
  AgentPackage,
  ImageNames,
  Locks,
  ModuleStore,
  SandboxDriver,
  SandboxResult,
  SecretSource,
} from './runtime/ports.js';
import { openRedactor } from './runtime/redaction.js';

/** Containers kept started, once steps of their kind have run. */
const DOCKER_POOL = 2;
const SECCOMP_PROFILE = fileURLToPath(new URL('../sandbox/seccomp.json', import.meta.url));

/** What a trial changes, and sees of it beyond what a step's output holds. */
export interface SandboxTrial {
  /** In place of docker.yaml's container runtime. */
  readonly runtime?: string;
  /** What each sandbox came to, secrets by handle. */
  readonly onResult: (result: SandboxResult) => void;
}

export interface SandboxParts {
  readonly data: string;
  /** Of the log in it: its name, which no other log has. */
  readonly origin: string;
  readonly policies: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly locks: Locks;
  readonly modules: ModuleStore;
  /** Everything that no result may show. */
  readonly secrets: SecretSource;
  /** What a step may be given by name; null = there is none. */
  readonly secret: (name: string) => Uint8Array | null;
  /** Children for WASM started ahead of need; 0 = none, and no container either. */
  readonly poolSize: number;
  readonly trial: SandboxTrial | undefined;
}

export interface Sandboxes {
  readonly drivers: { readonly wasm: SandboxDriver; readonly docker: SandboxDriver };
  readonly images: ImageNames;
}

/** What is wrong with docker.yaml is what a step gets that needs it. */
export async function openSandboxes(parts: SandboxParts): Promise<Sandboxes> {
  const { modules, poolSize, secrets, trial } = parts;
  const shown =
    trial === undefined
      ? {}
      : {
          onResult: (result: SandboxResult) =>
            trial.onResult(resultWithoutSecrets(result, openRedactor(secrets))),
        };
  const file = await readDockerFile(projectOf(parts.policies));
  const shipped = poolSize > 0 ? await shippedModules(modules) : [];
  const wasm = openWasmDriver({ poolSize, shipped, ...shown });
  // Sandbox children boot while the rest opens. Not awaited: a fault shows again, and counts, when a step needs one.
  if (poolSize > 0) void wasm.preflight().catch(() => undefined);
  return {
    drivers: { wasm, docker: dockerDriver(file, { ...parts, ...shown }) },
    images: file instanceof WritError ? unreadableImages(file) : file.images,
  };
}

function dockerDriver(
  file: DockerFile | WritError,
  parts: SandboxParts & { readonly onResult?: (result: SandboxResult) => void },
): SandboxDriver {
  const { env, locks, onResult, poolSize, secret, trial } = parts;
  const { socket, runtime: configured } = file instanceof WritError ? { socket: null, runtime: null } : file;
  const socketPath = socket ?? socketOf(env['DOCKER_HOST']);
  const runtime = trial?.runtime ?? configured;
  const declared = file instanceof WritError ? new Map<string, never>() : file.credentials;
  // One for all answers: it is asked for each piece of them.
  const redactor = openRedactor(parts.secrets);
  return openDockerDriver({
    ...(socketPath === null ? {} : { socketPath }),
    ...(runtime === null ? {} : { runtime }),
    ...(onResult === undefined ? {} : { onResult }),
    seccomp: () => (file instanceof WritError ? Promise.reject(file) : readFile(SECCOMP_PROFILE, 'utf8')),
    locks,
    // A trial by hand runs one step: what would wait for a second one is not started.
    poolSize: trial === undefined && poolSize > 0 ? DOCKER_POOL : 0,
    // No container is shown these.
    never: [resolve(parts.data), resolve(parts.policies)],
    egress: {
      proxies: openEgressProxies({
        ...{ resolve: systemResolve, secret, declared },
        redact: (bytes) => redactor.bytes(bytes),
      }),
      relay: () =>
        file instanceof WritError ? null : (file.images.image('relay') ?? file.images.image('node')),
    },
    installation: installationOf(parts),
  });
}

/**
 * What tells whose containers are whose. The path alone would be that of others, too: of another disk, behind the same
 * engine, whose locks nobody sees from here.
 */
export function installationOf({ origin, data }: Pick<SandboxParts, 'origin' | 'data'>): string {
  return `${origin}\n${resolve(data)}`;
}

/** Only an engine on this machine is one that this machine answers for: another DOCKER_HOST is not taken. */
function socketOf(host: string | undefined): string | null {
  return /^unix:\/\/(\/.+)$/u.exec(host ?? '')?.[1] ?? null;
}

/** Children of the pool run these on empty input, so that a step finds them compiled. */
async function shippedModules(modules: ModuleStore): Promise<AgentPackage['module'][]> {
  const found = await Promise.all((await modules.names()).map((name) => modules.module(name)));
  return found.filter((module) => module !== null);
}
