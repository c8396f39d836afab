// The way out of one step: a proxy of the runner behind a unix socket, and a relay container that has that socket and no
// network but a loopback interface, which the step's container shares. The step sees 127.0.0.1:3128 and no socket, no
// route, no name. Under gVisor a relay can't be reached: there the socket itself is shown to the step.
import type Dockerode from 'dockerode';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import type { EgressProxies, SandboxEgress, SandboxMount } from '../../../runtime/ports.js';
import { createContainer, type Container } from './container.js';
import type { ContainerSpec } from './container-spec.js';
import { unavailable } from './engine.js';
import type { FoundImage } from './image.js';
import type { DockerLimits } from './request-check.js';
import type { EgressEnd } from './ending.js';
import type { Program } from './program.js';
import { frameReader } from './frames.js';

/** What of the runtimes that the engine may have can carry a way out, and how. */
export type EgressWay = 'relay' | 'socket';

const RELAYED = /^(?:runc|crun|io\.containerd\.runc\.v2)$/;

/** Throws SANDBOX_UNSUPPORTED for a runtime in which neither holds. `args`: how the engine starts it. */
export function egressWay(runtime: string, args: readonly string[]): EgressWay {
  if (RELAYED.test(runtime)) return 'relay';
  if (runtime.startsWith('runsc') && args.some((arg) => SOCKETS_OPEN.test(arg))) return 'socket';
  throw new WritError('SANDBOX_UNSUPPORTED', `${runtime} has no way out to the network here`, {
    hint: runtime.startsWith('runsc')
      ? "gVisor needs --host-uds=open among its runtimeArgs in the engine's daemon.json"
      : 'use runc, or runsc with --host-uds=open',
  });
}

const SOCKETS_OPEN = /^--(?:host-uds=(?:open|all)|fsgofer-host-uds(?:=true)?)$/;

/** Where a container finds what is shown to it. */
const SOCKET_FOLDER = '/run/egress';
const TRUST_FOLDER = '/run/egress-trust';
const PORT = 3128;
/** Seconds that a relay outlives the step's own deadline, when nobody ends it. */
const RELAY_GRACE_MS = 30_000;
const RELAY_START_MS = 10_000;

/** The relay's program. It ends when its stdin does: the runner holds the other end. */
const RELAY = `
const net = require('node:net');
const [path, port, life] = process.argv.slice(1);
const server = net.createServer({ allowHalfOpen: true }, (near) => {
  const far = net.connect({ path, allowHalfOpen: true });
  const end = () => { near.destroy(); far.destroy(); };
  near.on('error', end).on('close', () => far.destroy());
  far.on('error', end);
  near.pipe(far).pipe(near);
});
server.maxConnections = 100;
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready'));
setTimeout(() => process.exit(0), Number(life));
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
`;

/** A node program needs about 50 MiB and 11 threads. */
const RELAY_LIMITS: DockerLimits = {
  timeoutMs: 15 * 60 * 1_000,
  memoryMiB: 128,
  outputBytes: 1_024,
  cpus: 1,
  pids: 32,
  diskMiB: 1,
  cpuMs: null,
  tmpMiB: 1,
};

export interface OpenEgress {
  /** What the step's container gets. */
  readonly spec: Pick<ContainerSpec, 'relay' | 'shown'>;
  readonly env: Readonly<Record<string, string>>;
  readonly ended: Promise<EgressEnd>;
  /** Relay and connections are gone when it resolves; what passed. */
  close(): Promise<JsonObject>;
}

export interface EgressParts {
  readonly engine: Dockerode;
  readonly proxies: EgressProxies;
  readonly egress: SandboxEgress;
  readonly way: EgressWay;
  /** Empty, this runner's own, reached by nobody else of the machine. Whoever made it removes it. */
  readonly folder: string;
  /** Of the relay: its name, its image, and the step's container as far as it is the same. */
  readonly name: string;
  readonly image: FoundImage | null;
  readonly spec: ContainerSpec;
  /** Nothing is waited for any longer when it aborts. */
  readonly signal: AbortSignal;
}

/** Throws WritError (unavailable); nothing is left then. */
export async function openEgress(parts: EgressParts): Promise<OpenEgress> {
  const { proxies, egress, way, folder } = parts;
  const sockets = join(folder, 'socket');
  await mkdir(sockets, { mode: 0o755 });
  const proxy = await proxies.open(egress, join(sockets, 'p.sock'));
  let relay: Relay | null = null;
  try {
    const socket: SandboxMount = { source: sockets, target: SOCKET_FOLDER, mode: 'ro' };
    const trust = proxy.authority === null ? null : await writeTrust(folder, proxy.authority);
    const { image } = parts;
    if (way === 'relay' && image !== null) relay = await startRelay(parts, image, socket);
    return {
      spec: {
        ...(relay === null ? {} : { relay: relay.id }),
        shown: [...(relay === null ? [socket] : []), ...(trust === null ? [] : [trust])],
      },
      env: {
        ...(relay === null ? { WRIT_EGRESS_SOCKET: `${SOCKET_FOLDER}/p.sock` } : PROXY_VARIABLES),
        ...(trust === null ? {} : TRUST_VARIABLES),
        ...proxy.env,
      },
      ended: proxy.ended,
      async close() {
        const [totals] = await Promise.all([proxy.close(), relay?.close()]);
        return totals;
      },
    };
  } catch (error) {
    await proxy.close();
    await relay?.close();
    throw unavailable(error);
  }
}

const PROXY = `http://127.0.0.1:${PORT}`;
/** Both spellings: some programs read only one. */
const PROXY_VARIABLES: Readonly<Record<string, string>> = {
  HTTP_PROXY: PROXY,
  HTTPS_PROXY: PROXY,
  http_proxy: PROXY,
  https_proxy: PROXY,
};
const TRUST_VARIABLES: Readonly<Record<string, string>> = {
  CURL_CA_BUNDLE: `${TRUST_FOLDER}/all.pem`,
  NODE_EXTRA_CA_CERTS: `${TRUST_FOLDER}/own.pem`,
  REQUESTS_CA_BUNDLE: `${TRUST_FOLDER}/all.pem`,
  SSL_CERT_FILE: `${TRUST_FOLDER}/all.pem`,
};

/** Programs that take one file only get the public authorities in it too: other hosts are not intercepted. */
async function writeTrust(folder: string, authority: string): Promise<SandboxMount> {
  const source = join(folder, 'trust');
  await mkdir(source, { mode: 0o755 });
  await writeFile(join(source, 'own.pem'), authority, { mode: 0o644 });
  await writeFile(join(source, 'all.pem'), `${rootCertificates.join('\n')}\n${authority}`, { mode: 0o644 });
  return { source, target: TRUST_FOLDER, mode: 'ro' };
}

interface Relay {
  readonly id: string;
  close(): Promise<void>;
}

async function startRelay(
  { engine, name, spec, signal }: EgressParts,
  image: FoundImage,
  socket: SandboxMount,
): Promise<Relay> {
  const lifeMs = spec.limits.timeoutMs + RELAY_GRACE_MS;
  const container: Container = await createContainer(engine, name, {
    ...spec,
    imageId: image.id,
    argv: ['node', '-e', RELAY, `${SOCKET_FOLDER}/p.sock`, String(PORT), String(lifeMs)],
    env: {},
    cwd: '/',
    limits: RELAY_LIMITS,
    mounts: [],
    shown: [socket],
  });
  let program: Program | null = null;
  try {
    program = await container.main();
    const { stream } = program;
    await listening(program, signal);
    // Read for its whole life, or it could not be ended by it.
    stream.resume();
    return {
      id: container.id,
      async close() {
        stream.destroy();
        // The engine has gone away: the step has run all the same, and the reaper finds it by its label.
        await container.remove().catch(() => undefined);
      },
    };
  } catch (error) {
    program?.stream.destroy();
    await container.remove();
    throw error;
  }
}

/** Until it says that it listens. */
async function listening(program: Program, signal: AbortSignal): Promise<void> {
  const { stream } = program;
  let timer: NodeJS.Timeout | undefined;
  const said = new Promise<void>((resolve, reject) => {
    const failed = (): void => {
      reject(
        new WritError('SANDBOX_UNAVAILABLE', 'the relay of the way out does not start', {
          hint: 'it is a node program: node sandbox/images/build.mjs node --docker-yaml docker.yaml',
        }),
      );
    };
    stream.on('error', () => undefined); // its end tells
    stream.once('end', failed).once('close', failed);
    stream.on(
      'data',
      frameReader((which) => {
        if (which === 'stdout') resolve();
      }),
    );
    timer = setTimeout(failed, RELAY_START_MS);
    signal.addEventListener('abort', failed, { once: true });
    if (signal.aborted) failed();
  });
  try {
    await Promise.all([program.start(), said]);
  } finally {
    clearTimeout(timer);
  }
}
