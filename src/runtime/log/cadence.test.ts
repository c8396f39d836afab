import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/runtime/fixture.js';
import { WritError } from '../../errors.js';
import { Cadence, PUBLISH_INTERVAL_MS } from './cadence.js';

/** A publication that ends when the test says so. */
interface Publication {
  readonly end: () => void;
  readonly fail: (error: Error) => void;
}

let clock: ManualClock;
let begun: Publication[];
let failures: unknown[];
let cadence: Cadence;

beforeEach(() => {
  clock = new ManualClock();
  begun = [];
  failures = [];
  cadence = new Cadence({
    publish: () =>
      new Promise<void>((end, fail) => {
        begun.push({ end, fail });
      }),
    clock,
    failed: (error) => failures.push(error),
  });
});

/** Lets everything happen that waits for nothing. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

async function endAll(): Promise<void> {
  for (await turn(); begun.length > 0; await turn()) begun.shift()?.end();
}

/** Spends what may be published at once. */
async function spend(): Promise<number> {
  for (let count = 0; ; count++) {
    const settled = cadence.settle();
    await turn();
    if (begun.length === 0) return count;
    begun.shift()?.end();
    await settled;
  }
}

describe('publishing now', () => {
  it('begins at once and resolves when it is done', async () => {
    let done = false;
    const now = cadence.now().then(() => (done = true));
    expect(begun).toHaveLength(1);
    await turn();
    expect(done).toBe(false);
    begun[0]?.end();
    await now;
    expect(done).toBe(true);
  });
  it('never overlaps, and all who come meanwhile share the next one', async () => {
    const first = cadence.now();
    const others = [cadence.now(), cadence.now(), cadence.now()];
    await turn();
    expect(begun).toHaveLength(1);
    begun[0]?.end();
    await first;
    await turn();
    expect(begun).toHaveLength(2);
    const late = cadence.now();
    begun[1]?.end();
    await Promise.all(others);
    await turn();
    expect(begun).toHaveLength(3);
    begun[2]?.end();
    await late;
  });
  it('tells an error to those who waited for that publication, and goes on', async () => {
    const first = cadence.now();
    const second = cadence.now();
    begun[0]?.fail(new Error('disk'));
    await expect(first).rejects.toThrow('disk');
    await turn();
    begun[1]?.end();
    await second;
    expect(failures).toEqual([]);
  });
});

describe('publishing soon', () => {
  it('begins one interval later, once for any number of commits', async () => {
    for (let i = 0; i < 1000; i++) cadence.soon();
    clock.advance(PUBLISH_INTERVAL_MS - 1);
    await turn();
    expect(begun).toHaveLength(0);
    clock.advance(1);
    await turn();
    expect(begun).toHaveLength(1);
  });
  it('needs nothing when all was published meanwhile', async () => {
    cadence.soon();
    const now = cadence.now();
    await endAll();
    await now;
    clock.advance(PUBLISH_INTERVAL_MS);
    await turn();
    expect(begun).toHaveLength(0);
  });
  it('publishes again what was committed while it ran', async () => {
    cadence.soon();
    clock.advance(PUBLISH_INTERVAL_MS);
    await turn();
    cadence.soon();
    begun.shift()?.end();
    await turn();
    clock.advance(PUBLISH_INTERVAL_MS);
    await turn();
    expect(begun).toHaveLength(1);
  });
  it('reports a failure that nobody waited for, and tries again with the next commit', async () => {
    cadence.soon();
    clock.advance(PUBLISH_INTERVAL_MS);
    await turn();
    begun.shift()?.fail(new Error('disk'));
    await turn();
    expect(failures).toMatchObject([{ message: 'disk' }]);
    cadence.soon();
    clock.advance(PUBLISH_INTERVAL_MS);
    await turn();
    expect(begun).toHaveLength(1);
  });
});

it('publishes a second later although the clock was set back an hour', async () => {
  cadence.soon();
  clock.setBack(3_600_000);
  clock.advance(PUBLISH_INTERVAL_MS);
  await turn();
  expect(begun).toHaveLength(1);
  await endAll();
});

describe('publishing what somebody waits for', () => {
  it('is at once until five have been, then once a second', async () => {
    expect(await spend()).toBe(5);
    // Put off, not forgotten.
    clock.advance(PUBLISH_INTERVAL_MS);
    await turn();
    expect(begun).toHaveLength(1);
    await endAll();
  });
  it('is at once again after a pause, and never more than five times', async () => {
    await spend();
    clock.advance(PUBLISH_INTERVAL_MS * 2);
    await endAll();
    expect(await spend()).toBe(2);
    clock.advance(PUBLISH_INTERVAL_MS * 3600);
    await endAll();
    expect(await spend()).toBe(5);
  });
  it('is put off, and tried until it succeeds, while another process is in the way', async () => {
    const busy = new WritError('STORE_BUSY', 'another process publishes');
    const settled = cadence.settle();
    begun.shift()?.fail(busy);
    await settled;
    for (let times = 0; times < 3; times += 1) {
      clock.advance(PUBLISH_INTERVAL_MS);
      await turn();
      expect(begun).toHaveLength(1);
      begun.shift()?.fail(busy);
      await turn();
    }
    clock.advance(PUBLISH_INTERVAL_MS);
    await endAll();
    clock.advance(PUBLISH_INTERVAL_MS * 10);
    await turn();
    expect(begun).toHaveLength(0);
  });
  it('tells any other fault', async () => {
    const settled = cadence.settle();
    begun.shift()?.fail(new WritError('STORE_IO', 'the disk is gone'));
    await expect(settled).rejects.toThrow('the disk is gone');
  });
});

describe('closing', () => {
  it('publishes what is left, and no timer stays', async () => {
    cadence.soon();
    const closed = cadence.close(true);
    await turn();
    expect(begun).toHaveLength(1);
    await endAll();
    await closed;
    clock.advance(PUBLISH_INTERVAL_MS * 10);
    await turn();
    expect(begun).toHaveLength(0);
  });
  it('publishes nothing when nothing is left, or when it must not', async () => {
    await cadence.close(true);
    expect(begun).toHaveLength(0);
    cadence.soon();
    await cadence.close(false);
    expect(begun).toHaveLength(0);
  });
  it('waits for the publication that runs', async () => {
    const now = cadence.now();
    let closed = false;
    const closing = cadence.close(false).then(() => (closed = true));
    await turn();
    expect(closed).toBe(false);
    begun[0]?.end();
    await Promise.all([now, closing]);
  });
  it('rejects when what is left can not be published', async () => {
    cadence.soon();
    const closed = cadence.close(true);
    await turn();
    begun[0]?.fail(new Error('disk'));
    await expect(closed).rejects.toThrow('disk');
  });
});
