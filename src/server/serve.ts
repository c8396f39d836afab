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
import type { Writ } from '../runtime/writ.js';
import { keepPolicies, policyFingerprint } from '../policy-reload.js';
import { serveApprovals } from './approval-server.js';
import { openAuthenticate } from './identity.js';
import { openRateLimit } from './rate.js';
import { openRunDriver } from './run-driver.js';
import { readServeConfig } from './serve-config.js';
import { askEndpoint } from './webhook-endpoint.js';
import { collectEvents, deliverDue, type DeliverParts } from './webhook-out.js';

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
    const failed = (error: unknown, what: string): void => {
      const code = error instanceof WritError ? error.code : 'INTERNAL';
      note({ event: 'serve.failed', what, code, message: wordsOf(error) });
      if (!(error instanceof WritError) || error.kind !== 'fatal' || error.code === 'STORE_BUSY') return;
      fault ??= error;
      server?.stop();
    };
    const driver = openRunDriver(writ, { failed, nowMs });
    let server: Awaited<ReturnType<typeof serveApprovals>> | null = null;
    server = await serveApprovals(
      {
        ...{ writ, authenticate, channels: config.channels, secret, state: opened, failed, nowMs },
        rate: openRateLimit(config.ratePerMinute),
        ratePerson: openRateLimit(config.ratePerMinute),
        trustedProxies: config.trustedProxies,
        tokenBearer: config.taskTokenBearer,
        decided: (run) => {
          driver.wake(run);
        },
      },
      { host, port },
    );
    const ending = new AbortController();
    const delivery = deliver(
      writ,
      {
        ...{ writ, state: opened, secret, random: systemRandom, nowMs },
        channels: [...config.channels.values()],
        url: config.url,
        ask: (request) => askEndpoint(request, { allowLoopback, hosts: config.webhookHosts }),
        told: ({ channel, event: entry, attempt, outcome }) => {
          note({ event: 'webhook.attempted', channel, entry, attempt, outcome });
        },
      },
      { lock: () => openLocks(pathsOf(data).locks).tryHold('webhooks'), signal: ending.signal, failed },
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
      await Promise.all([delivery, driver.stop(), policyKeeper.stop()]);
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

const POLL_MS = 100;
const TIDY_MS = 3_600_000;

/** One process delivers, whoever holds the lock; another one takes over when it ends. */
async function deliver(
  writ: Pick<Writ, 'changeCounter'>,
  parts: DeliverParts,
  {
    lock,
    signal,
    failed,
  }: {
    readonly lock: () => { release(): void } | null;
    readonly signal: AbortSignal;
    readonly failed: (error: unknown, what: string) => void;
  },
): Promise<void> {
  const names = parts.channels.filter(({ out }) => out !== null).map(({ name }) => name);
  if (names.length === 0) return;
  let held: { release(): void } | null = null;
  let tidyMs = 0;
  try {
    for (let seen = -1; !signal.aborted;) {
      held ??= lock();
      if (held === null) {
        await pause(10 * POLL_MS, signal);
        continue;
      }
      const now = parts.nowMs();
      if (now >= tidyMs) {
        parts.state.tidy(now);
        tidyMs = now + TIDY_MS;
      }
      const counter = writ.changeCounter();
      const more = counter === seen ? false : await collectEvents(parts);
      if (!more) seen = counter;
      const made = await deliverDue(parts, signal);
      if (!more && made === 0) await pause(POLL_MS, signal);
    }
  } catch (error) {
    failed(error, 'webhooks');
  } finally {
    held?.release();
  }
}

/** Nothing that anybody sent: a message of ours, or the kind of the error. */
function wordsOf(error: unknown): string {
  if (error instanceof WritError) return error.message;
  return error instanceof Error ? error.name : 'unknown';
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
