// `writ serve`, put together: one Writ, its HTTP interface, and what goes on beside it: webhooks are delivered, decided
// runs go on, and what has expired is ended. The first fault of store or log stops all of it.
import { systemClock } from '../adapters/clock.js';
import { systemRandom } from '../adapters/random.js';
import { openLocks } from '../adapters/store/locks.js';
import { openServeState } from '../adapters/store/serve-state.js';
import { projectOf } from '../agent-files.js';
import { pathsOf } from '../data-directory.js';
import { WritError } from '../errors.js';
import { openSecrets, openWrit } from '../open.js';
import { keepPolicies, policyFingerprint } from '../policy-reload.js';
import { serveApprovals } from './approval-server.js';
import { openFaultNotes } from './fault-notes.js';
import { openAuthenticate } from './identity.js';
import { openRateLimit } from './rate.js';
import { openRunDriver, type RunDriver } from './run-driver.js';
import { readServeConfig } from './serve-config.js';
import { deliverWebhooks } from './webhook-delivery.js';
import { askEndpoint } from './webhook-endpoint.js';

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
  const { data, policies, host, port, allowLoopback, note } = options;
  const config = await readServeConfig(projectOf(policies), allowLoopback);
  const secrets = await openSecrets(data);
  const secret = (name: string): Uint8Array | null =>
    secrets.current().find((one) => one.name === name)?.value ?? null;
  const files = await policyFingerprint(policies);
  const writ = await openWrit({ data, policies, via: 'http', wasmPool: 1 });
  let state: ReturnType<typeof openServeState> | null = null;
  try {
    state = openServeState(pathsOf(data).serve);
    const opened = state;
    const nowMs = (): number => systemClock.nowMs();
    const audience = config.url ?? writ.origin;
    const authenticate = await openAuthenticate({
      ...{ writ, providers: config.oidc, audience, allowLoopback, nowMs },
    });
    let fault: WritError | null = null;
    const noteFault = openFaultNotes((line) => {
      note({ ...line });
    }, nowMs);
    const failed = (error: unknown, what: string): void => {
      noteFault(error, what);
      if (!(error instanceof WritError) || error.kind !== 'fatal' || error.code === 'STORE_BUSY') return;
      fault ??= error;
      server?.stop();
    };
    const locks = openLocks(pathsOf(data).locks);
    let driver: RunDriver | null = null;
    let server: Awaited<ReturnType<typeof serveApprovals>> | null = null;
    server = await serveApprovals(
      {
        ...{ writ, authenticate, channels: config.channels, secret, state: opened, failed, nowMs },
        rate: openRateLimit(config.ratePerMinute),
        ratePerson: openRateLimit(config.ratePerMinute),
        trustedProxies: config.trustedProxies,
        tokenBearer: config.taskTokenBearer,
        decided: (run) => {
          driver?.wake(run);
        },
      },
      { host, port },
    );
    // Only now: where nothing listens, nothing is to go on beside it.
    const driving = openRunDriver(writ, { failed, nowMs });
    driver = driving;
    const ending = new AbortController();
    const delivery = deliverWebhooks(
      {
        ...{ writ, state: opened, secret, random: systemRandom, nowMs },
        channels: [...config.channels.values()],
        url: config.url,
        ask: (request) => askEndpoint(request, { allowLoopback, hosts: config.webhookHosts }),
        told: ({ channel, event: entry, attempt, outcome }) => {
          note({ event: 'webhook.attempted', channel, entry, attempt, outcome });
        },
      },
      { lock: () => locks.tryHold('webhooks'), signal: ending.signal, failed },
    );
    const policyKeeper = keepPolicies(writ, policies, {
      since: files,
      told: ({ status, policyHash, previous, problem }) => {
        if (problem === null) note({ event: 'policy.reloaded', policyHash, previous });
        else note({ event: 'policy.kept', policyHash, status, code: problem.code, message: problem.message });
      },
      failed: (error) => {
        failed(error, 'policies');
      },
    });
    const running = server;
    const stopped = (async (): Promise<WritError | null> => {
      const heard = await running.stopped;
      ending.abort();
      await Promise.all([delivery, driving.stop(), policyKeeper.stop()]);
      opened.close();
      try {
        if (fault === null) await writ.publish();
      } finally {
        await writ.close();
      }
      return fault ?? heard;
    })();
    return {
      url: running.url,
      audience,
      stopped,
      stop: () => {
        running.stop();
      },
      reloadPolicies: () => {
        policyKeeper.ask();
      },
    };
  } catch (error) {
    state?.close();
    await writ.close();
    throw error;
  }
}
