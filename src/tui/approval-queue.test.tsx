import { cleanup, render } from 'ink-testing-library';
import { afterEach, describe, expect, it } from 'vitest';
import type { ApprovalKey, ApprovalRecord } from '../runtime/ports.js';
import { ApprovalQueue, type ApprovalQueueProps } from './approval-queue.js';
import type { QueueAnswer } from './queue-state.js';

afterEach(cleanup);

const NOW = Date.UTC(2026, 2, 1, 9, 30);
const KEYS: readonly ApprovalKey[] = Array.from({ length: 10_000 }, (_, at) => ({
  id: `apr_${at}`,
  run: 'run_1',
  stepPath: `Each[${at}]`,
  functionId: 'tool::wasm',
  expiresAtMs: NOW + 3_600_000 + at,
}));

function recordOf(key: ApprovalKey): ApprovalRecord {
  const known: Partial<ApprovalRecord> = {
    ...key,
    requester: 'user:carol',
    initiator: 'user:carol',
    demandedBy: [`ceiling org, rule of ${key.stepPath}`],
    quorum: [{ role: 'role:reviewer', n: 1 }],
    separationOfDuties: true,
    votes: [],
    state: 'pending',
  };
  return known as ApprovalRecord;
}

/** Effects and promises that are due have run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

async function open(change: Partial<ApprovalQueueProps> = {}) {
  const reads: (readonly string[])[] = [];
  const answers: QueueAnswer[] = [];
  let tick = (): void => undefined;
  const queue = render(
    <ApprovalQueue
      keys={KEYS}
      records={KEYS.slice(0, 200).map(recordOf)}
      read={async (ids) => {
        reads.push(ids);
        return ids
          .map((id) => KEYS[Number(id.slice('apr_'.length))])
          .flatMap((key) => (key ? [recordOf(key)] : []));
      }}
      approver="user:bob"
      clock={{
        nowMs: () => NOW,
        every(_, run) {
          tick = run;
          return () => undefined;
        },
      }}
      refresh={async () => null}
      message={null}
      selected={null}
      color={false}
      screenReader={false}
      onAnswer={(answer) => answers.push(answer)}
      {...change}
    />,
  );
  await settled();
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) {
      queue.stdin.write(key);
      await settled();
    }
  };
  const passes = async (): Promise<void> => {
    tick();
    await settled();
  };
  return { press, passes, reads, answers, stdout: queue.stdout, frame: () => queue.lastFrame() ?? '' };
}

describe('the inbox of 10,000 requests', () => {
  it('shows the first of them without reading the others', async () => {
    const { frame, reads } = await open();
    expect(frame()).toContain('10000 requests wait; you are user:bob');
    expect(frame()).toContain('Each[0]  tool::wasm  user:carol');
    expect(frame()).toMatch(/1-\d+ of 10000, \d+ more/u);
    expect(frame().split('\n').length).toBeLessThan(24);
    expect(reads).toEqual([]);
  });

  it('draws nothing wider than a terminal that got narrower: it would stay there (rows-left-by-resize)', async () => {
    const { stdout } = await open();
    const before = stdout.frames.length;
    Object.defineProperty(stdout, 'columns', { value: 40 });
    stdout.emit('resize');
    await settled();
    const drawn = stdout.frames.slice(before).flatMap((frame) => frame.split('\n'));
    expect(drawn).toContain('-'.repeat(40));
    expect(drawn.filter((line) => line.length > 40)).toEqual([]);
  });

  it('reads what comes into view, a screen at a time, and opens what is selected', async () => {
    const { press, frame, reads, answers } = await open({ records: KEYS.slice(0, 16).map(recordOf) });
    await press('\u001b[6~', '\u001b[6~', '\u001b[6~');
    const selected = /> {3}.*(Each\[\d+\])/u.exec(frame())?.[1] ?? '';
    expect(selected).not.toBe('');
    expect(frame()).not.toContain('is being read');
    expect(reads.every((ids) => ids.length < 24)).toBe(true);
    await press('w');
    expect(frame()).toContain(`why: ceiling org, rule of ${selected}`);
    await press('\r');
    const id = `apr_${/\d+/u.exec(selected)?.[0] ?? ''}`;
    expect(answers).toEqual([{ kind: 'open', ids: [id] }]);
  });

  it('says of a row that it is not read yet, and is left all the same', async () => {
    const never = (): Promise<never> =>
      new Promise(() => {
        // A store that does not answer.
      });
    const { press, frame, answers } = await open({ records: [], read: never });
    expect(frame()).toContain('is being read');
    await press('w');
    expect(frame()).not.toContain('why:');
    await press('q');
    expect(answers).toEqual([{ kind: 'left' }]);
  });

  it('reads its rows again when the list has changed, and keeps the selection by id', async () => {
    let changed: readonly ApprovalKey[] | null = null;
    const { press, passes, frame, reads } = await open({ refresh: async () => changed });
    await press('j', 'j');
    expect(frame()).toMatch(/> {3}.*Each\[2\]/u);
    changed = KEYS.slice(1);
    await passes();
    expect(frame()).toMatch(/> {3}.*Each\[2\]/u);
    expect(frame()).toContain('9999 requests wait');
    expect(reads.at(-1)?.[0]).toBe('apr_1');
  });

  it('marks items of one step for a batch, and nothing of another', async () => {
    const other: ApprovalKey = { ...(KEYS[1] as ApprovalKey), id: 'apr_1', stepPath: 'Other' };
    const keys = [KEYS[0], other, KEYS[2]].flatMap((key) => (key ? [key] : []));
    const { press, frame, answers } = await open({ keys, records: keys.map(recordOf) });
    await press(' ', ' ');
    expect(frame()).toContain('only items of one step of one run go into one batch');
    await press('j', ' ', '\r');
    expect(answers).toEqual([{ kind: 'open', ids: ['apr_0', 'apr_2'] }]);
  });

  it('reads for a screen reader as lines, one screen of them', async () => {
    const { frame, press } = await open({ screenReader: true });
    expect(frame()).toContain('Each[0]');
    expect(frame()).toContain('selected 1 of 10000');
    await press('j');
    expect(frame()).toContain('selected 2 of 10000');
  });

  it('reads for a screen reader whole rows, however narrow its terminal is', async () => {
    const [key] = KEYS as [ApprovalKey];
    const record = { ...recordOf(key), functionId: `tool::${'long-name-'.repeat(20)}end` };
    const { frame } = await open({ screenReader: true, keys: [key], records: [record] });
    const read = frame().replaceAll('\n', '');
    expect(read.split('long-name-end  user:carol')).toHaveLength(3);
    expect(read).not.toContain('~');
  });
});
