// `writ serve`, put together: one Writ, its HTTP interface, and what goes on beside it: webhooks are delivered, decided
// runs go on, and what has expired is ended. The first fault of store or log stops all of it.
import { systemClock } from '../adapters/clock.js';
import { systemRandom } from '../adapters/random.js';
import { openLocks } from '../adapters/store/locks.js';
import { holdServing } from '../adapters/store/serving.js';
import { openServeState, type ServeState } from '../adapters/store/serve-state.js';
import { projectOf } from '../agent-files.js';
import { pathsOf } from '../data-directory.js';
import { WritError } from '../errors.js';
import { openSecrets, openWrit } from '../open.js';
import { keepPolicies, policyFingerprint, type PolicyKeeper } from '../policy-reload.js';
import type { Writ } from '../runtime/writ.js';
import { approvalBounds, approvalListener } from './approval-server.js';
import { BoundedServer } from './bounded-server.js';
import { openFaultNotes } from './fault-notes.js';
import { openAuthenticate } from './identity.js';
import { showPresence, type Presence } from './presence.js';
import { openRateLimit } from './rate.js';
import { openRunDriver, type RunDriver } from './run-driver.js';
import { readServeConfig, type ServeConfig } from './serve-config.js';
import { deliverWebhooks, type DeliveryParts } from './webhook/delivery.js';
import { askEndpoint } from './webhook/endpoint.js';

export interface ServeOptions {
  readonly data: string;
  readonly policies: string;
  readonly host: string;
  readonly port: number;
  /** Webhooks and key sets may be on this host, over http too. */
  readonly allowLoopback: boolean;
  /** One JSON line each, for the operator; no payload, no key, no token. */
  readonly note: (line: Readonly<Record<string, unknown>>) => void;
}

export interface Serving {
  readonly url: string;
  /** `aud` of tokens that people make with their own keys. */
  readonly audience: string;
  /** Resolves when everything has ended and is closed; with the fault that stopped it, or null. */
  readonly stopped: Promise<WritError | null>;
  stop(): void;
  /** Reads the policy files now; they are read anyway when they change. `policy.reloaded` or `policy.kept` is noted. */
  reloadPolicies(): void;
}

/** Throws CONFIG_INVALID, USAGE (the address), and what opening Writ throws. */
export async function startServing(options: ServeOptions): Promise<Serving> {
  const { data, policies, allowLoopback } = options;
  const config = await readServeConfig(projectOf(policies), allowLoopback);
  const secrets = await openSecrets(data);
  const secret = (name: string): Uint8Array | null =>
    secrets.current().find((one) => one.name === name)?.value ?? null;
  const files = await policyFingerprint(policies);
  const writ = await openWrit({ data, policies, via: 'http', wasmPool: 1 });
  try {
    const state = openServeState(pathsOf(data).serve);
    try {
      return await serve({ options, config, secret, files, writ, state });
    } catch (error) {
      state.close();
      throw error;
    }
  } catch (error) {
    await writ.close();
    throw error;
  }
}

/** What is open, and closed when serving ends. */
interface Opened {
  readonly options: ServeOptions;
  readonly config: ServeConfig;
  readonly secret: (name: string) => Uint8Array | null;
  /** `policyFingerprint` from before `writ` was opened. */
  readonly files: string;
  readonly writ: Writ;
  readonly state: ServeState;
}

type Failed = (error: unknown, what: string) => void;

const nowMs = (): number => systemClock.nowMs();

async function serve(opened: Opened): Promise<Serving> {
  const { options, config, secret, writ, state } = opened;
  const { host, port, allowLoopback, note } = options;
  const audience = config.url ?? writ.origin;
  const authenticate = await openAuthenticate({
    ...{ writ, providers: config.oidc, audience, allowLoopback, nowMs },
  });
  const server = new BoundedServer(approvalBounds(config.trustedProxies));
  const noteFault = openFaultNotes((line) => {
    note({ ...line });
  }, nowMs);
  const failed: Failed = (error, what) => {
    noteFault(error, what);
    if (error instanceof WritError && endsServing(error, what)) server.fail(error);
  };
  const driver = openRunDriver(writ, { failed, clock: systemClock });
  const url = await server.listen(
    { host, port },
    approvalListener({
      ...{ writ, authenticate, channels: config.channels, secret, state, failed, nowMs },
      rate: openRateLimit(config.ratePerMinute),
      ratePerson: openRateLimit(config.ratePerMinute),
      trustedProxies: config.trustedProxies,
      tokenBearer: config.taskTokenBearer,
      decided: (run) => {
        driver.wake(run);
      },
      stopping: server.stopping,
    }),
  );
  writ.onWait((error) => {
    failed(error, 'store');
  });
  // Only now: where nothing listens, nothing is to go on beside it.
  driver.start();
  const id = Buffer.from(systemRandom.bytes(8)).toString('hex');
  const locks = openLocks(pathsOf(options.data).locks);
  const presence = await showPresence(() => holdServing(locks, id), {
    failed: (error) => {
      failed(error, 'locks');
    },
    clock: systemClock,
  });
  const ending = new AbortController();
  const delivery = deliver(opened, { failed, signal: ending.signal });
  const policyKeeper = keepPoliciesOf(opened, failed);
  return {
    url,
    audience,
    stopped: ended(opened, { server, ending, driver, presence, delivery, policyKeeper }),
    stop: () => {
      server.stop();
    },
    reloadPolicies: () => {
      policyKeeper.ask();
    },
  };
}

/** A defect that shows in one run, or rows of it that somebody has changed, hold up that run alone. */
function endsServing({ kind, code }: WritError, what: string): boolean {
  return kind === 'fatal' && code !== 'STORE_BUSY' && !(what === 'run' && code === 'INTERNAL');
}

/** Resolves after `signal`, when nothing is under way. */
function deliver(
  { options, config, secret, writ, state }: Opened,
  life: { readonly failed: Failed; readonly signal: AbortSignal },
): Promise<void> {
  const { data, allowLoopback, note } = options;
  const locks = openLocks(pathsOf(data).locks);
  const parts = {
    ...{ writ, state, secret, random: systemRandom, nowMs },
    channels: [...config.channels.values()],
    url: config.url,
    ask: (request) => askEndpoint(request, { allowLoopback, hosts: config.webhookHosts }),
    told: ({ channel, event: entry, attempt, outcome }) => {
      note({ event: 'webhook.attempted', channel, entry, attempt, outcome });
    },
  } satisfies DeliveryParts;
  return deliverWebhooks(parts, { lock: () => locks.tryHold('webhooks'), ...life });
}

function keepPoliciesOf({ options, files, writ }: Opened, failed: Failed): PolicyKeeper {
  const { policies, note } = options;
  return keepPolicies(writ, policies, {
    since: files,
    told: ({ status, policyHash, previous, problem }) => {
      if (problem === null) note({ event: 'policy.reloaded', policyHash, previous });
      else note({ event: 'policy.kept', policyHash, status, code: problem.code, message: problem.message });
    },
    failed: (error) => {
      failed(error, 'policies');
    },
  });
}

interface Beside {
  readonly server: BoundedServer;
  /** Ends the delivery. */
  readonly ending: AbortController;
  readonly driver: RunDriver;
  /** Other processes leave to this one what is due later. */
  readonly presence: Presence;
  readonly delivery: Promise<void>;
  readonly policyKeeper: PolicyKeeper;
}

/** Once the server has stopped: what goes on beside it ends, and all is closed, whatever fails on the way. */
async function ended(
  { writ, state }: Opened,
  { server, ending, driver, presence, delivery, policyKeeper }: Beside,
): Promise<WritError | null> {
  const fault = await server.stopped;
  ending.abort();
  try {
    await presence.end();
    await Promise.all([delivery, driver.stop(), policyKeeper.stop()]);
    if (fault === null) await writ.publish();
  } finally {
    state.close();
    await writ.close();
  }
  return fault;
}
