// Webhooks on their way while a server runs: one process delivers, whoever holds the lock, and another takes over when it
// ends. Each channel goes at its own pace: one whose endpoint is dead or slow delays no other. A fault of one look ends
// nothing: it is told, and looked again.
import type { Writ } from '../../runtime/writ.js';
import { pause } from '../pause.js';
import type { Channel } from '../serve-config.js';
import { collectEvents, deliverDue, type DeliverParts } from './out.js';

const POLL_MS = 100;
/** After a fault, and between two tries for the lock. */
const AGAIN_MS = 1_000;
const TIDY_MS = 3_600_000;

export interface DeliveryParts extends DeliverParts {
  readonly writ: DeliverParts['writ'] & Pick<Writ, 'changeCounter'>;
}

export interface DeliveryLife {
  /** Null = another process holds it. */
  readonly lock: () => { release(): void } | null;
  readonly signal: AbortSignal;
  readonly failed: (error: unknown, what: string) => void;
}

/** Resolves after `signal`, when nothing is under way. */
export async function deliverWebhooks(parts: DeliveryParts, life: DeliveryLife): Promise<void> {
  const told = parts.channels.filter(({ out }) => out !== null);
  const held = told.length === 0 ? null : await heldLock(life);
  if (held === null) return;
  try {
    const all = told.map((channel) => deliverTo(parts, channel, life));
    await Promise.all([...all, tidyNowAndThen(parts, life)]);
  } finally {
    held.release();
  }
}

/** Null = the server ends before another one that delivers. */
async function heldLock({ lock, signal, failed }: DeliveryLife): Promise<{ release(): void } | null> {
  while (!signal.aborted) {
    try {
      const held = lock();
      if (held !== null) return held;
    } catch (error) {
      failed(error, 'webhooks');
    }
    await pause(AGAIN_MS, signal);
  }
  return null;
}

async function deliverTo(parts: DeliveryParts, channel: Channel, life: DeliveryLife): Promise<void> {
  const { signal } = life;
  const own = { ...parts, channels: [channel] };
  for (let seen = -1; !signal.aborted;) {
    await surviving(life, async () => {
      const counter = parts.writ.changeCounter();
      const more = counter === seen ? false : await collectEvents(own);
      if (!more) seen = counter;
      const made = await deliverDue(own, signal);
      if (!more && made === 0) await pause(POLL_MS, signal);
    });
  }
}

async function tidyNowAndThen({ state, nowMs }: DeliveryParts, life: DeliveryLife): Promise<void> {
  while (!life.signal.aborted) {
    await surviving(life, async () => {
      state.tidy(nowMs());
      await pause(TIDY_MS, life.signal);
    });
  }
}

async function surviving({ signal, failed }: DeliveryLife, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    failed(error, 'webhooks');
    await pause(AGAIN_MS, signal);
  }
}
