import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answered, outboxOf, requested, SECRET, T0 } from '../../../test/server/channel-samples.js';
import { openServeState, type ServeState } from '../../adapters/store/serve-state.js';
import { WritError } from '../../errors.js';
import type { Channel } from '../serve-config.js';
import { deliverWebhooks, type DeliveryParts } from './delivery.js';
import type { EndpointAnswer, EndpointRequest } from './endpoint.js';

const EVENTS = Array.from({ length: 20 }, (_, at) => requested(BigInt(at)));

function channel(name: string): Channel {
  const url = `https://${name}.example.com/`;
  const out = {
    url,
    events: ['approval.requested'],
    sign: ['relay'],
    includeInput: false,
    linksFor: null,
  } as const;
  return { name, out, in: null };
}

let folder: string;
let state: ServeState;
let ending: AbortController;
let failed: unknown[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-deliver-'));
  state = openServeState(join(folder, 'serve.db'));
  ending = new AbortController();
  failed = [];
});
afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true, force: true });
});

function parts(
  channels: readonly Channel[],
  ask: (request: EndpointRequest) => Promise<EndpointAnswer>,
  beforeRead: () => void = () => undefined,
): DeliveryParts {
  const outbox = outboxOf(EVENTS);
  return {
    writ: {
      origin: 'log.example',
      changeCounter: () => 1,
      approval: () => Promise.reject(new Error('not asked for')),
      outbox: {
        ...outbox,
        read: (first, limit) => {
          beforeRead();
          return outbox.read(first, limit);
        },
      },
    },
    state,
    channels,
    url: null,
    secret: () => Buffer.from(SECRET),
    random: { bytes: (n) => new Uint8Array(n) },
    ask,
    told: () => undefined,
    nowMs: () => T0,
  };
}

const life = () => ({
  lock: () => ({ release: () => undefined }),
  signal: ending.signal,
  failed: (error: unknown) => void failed.push(error),
});
/** An endpoint that takes the connection and says nothing, until the server ends. */
const silent = ({ signal }: EndpointRequest): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')));
  });

describe('webhooks of several channels', () => {
  it('reach all others while the endpoint of one is silent', async () => {
    const told: string[] = [];
    const all = parts([channel('dead'), channel('relay')], async (request) => {
      if (request.url.includes('dead')) return silent(request);
      told.push(request.url);
      return answered();
    });
    const over = deliverWebhooks(all, life());
    await vi.waitFor(() => expect(told).toHaveLength(EVENTS.length), { timeout: 20_000 });
    ending.abort();
    await over;
    // What was under way to the silent one is tried again by the next server.
    expect(state.due(['dead'], T0, 100)).toHaveLength(EVENTS.length);
    expect(failed).toEqual([]);
  });

  it('go on after a fault, which is told', async () => {
    const told: string[] = [];
    let reads = 0;
    const ask = async ({ url }: EndpointRequest): Promise<EndpointAnswer> => {
      told.push(url);
      return answered();
    };
    const busy = new WritError('STORE_BUSY', 'the store is in use');
    const over = deliverWebhooks(
      parts([channel('relay')], ask, () => {
        if (reads++ === 0) throw busy;
      }),
      life(),
    );
    await vi.waitFor(() => expect(told).toHaveLength(EVENTS.length), { timeout: 20_000 });
    ending.abort();
    await over;
    expect(failed).toEqual([busy]);
  });

  it('are delivered by the process that has the lock, and by another once it is free', async () => {
    const told: string[] = [];
    let tries = 0;
    const ask = async ({ url }: EndpointRequest): Promise<EndpointAnswer> => {
      told.push(url);
      return answered();
    };
    const release = vi.fn();
    const lock = (): { release(): void } | null => (tries++ === 0 ? null : { release });
    const over = deliverWebhooks(parts([channel('relay')], ask), { ...life(), lock });
    expect(told).toEqual([]);
    await vi.waitFor(() => expect(told).toHaveLength(EVENTS.length), { timeout: 20_000 });
    expect(release).not.toHaveBeenCalled();
    ending.abort();
    await over;
    expect(release).toHaveBeenCalledOnce();
  });
});
