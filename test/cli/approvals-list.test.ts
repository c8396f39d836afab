// `writ approvals list` in pages, as over HTTP: oldest first, nothing twice, nothing left out.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOB, errorOf, newDesk, startWaitingForEach, type Desk } from './claims-desk.js';
import { hosted } from './writ.js';

interface Page {
  readonly approvals: readonly { readonly id: string; readonly state: string; readonly run: string }[];
  readonly cursor: string | null;
}

describe('a list of approvals', () => {
  let desk: Desk;
  let run = '';
  let all: readonly string[] = [];
  const list = async (...flags: readonly string[]): Promise<Page> => {
    const { code, value } = await desk.json(['approvals', 'list', ...flags]);
    expect([flags, code]).toEqual([flags, 0]);
    return value as Page;
  };

  beforeAll(async () => {
    desk = await newDesk(hosted);
    const claims = [1, 2, 3].map((amount) => ({ id: `C-${amount}`, amount }));
    const each = await startWaitingForEach(desk, claims);
    run = each.run;
    all = each.asked.map(({ id }) => id);
  });
  afterAll(() => desk.remove());

  it('is given page by page, each one naming where the next begins', async () => {
    const first = await list('--limit', '2');
    expect(first.approvals.map(({ id }) => id)).toEqual(all.slice(0, 2));
    const second = await list('--limit', '2', '--cursor', first.cursor ?? '');
    expect(second).toMatchObject({ approvals: [{ id: all[2] }], cursor: null });
    expect((await list('--limit', '3')).cursor).toBeNull();
    const shown = await desk.run(['approvals', 'list', '--limit', '1']);
    expect(shown.stdout.trim().split('\n')).toHaveLength(2);
    expect(shown.stderr).toMatch(/there are more: add --cursor \d+-apr_/u);
  });

  it('is of one run where one is named, and goes on behind what was decided since', async () => {
    expect((await list('--run', run)).approvals).toHaveLength(3);
    const { cursor } = await list('--limit', '1');
    await desk.json(['approvals', 'deny', all[0] ?? '', '--no-continue'], BOB);
    expect((await list('--cursor', cursor ?? '')).approvals.map(({ id }) => id)).toEqual(all.slice(1));
    expect((await list('--all', '--run', run)).approvals.map(({ state }) => state)).toEqual([
      'denied',
      'pending',
      'pending',
    ]);
    expect((await list('--reviews')).approvals).toEqual([]);
  });

  it.each([
    [['--run', 'nope'], 'NOT_FOUND', 'nope'],
    [['--limit', '101'], 'USAGE', 'It is a whole number, 1 to 100'],
    // It counts all there are, which looks like those of the run.
    [['--stats', '--run', 'nope'], 'USAGE', "'--stats' cannot be used with option '--run <run>'"],
    [['--cursor', '1-tsk_a'], 'USAGE', '--cursor is one that an earlier list gave'],
  ])('refuses %j', async (flags, code, message) => {
    const refused = await desk.json(['approvals', 'list', ...flags]);
    expect(refused.code).toBe(2);
    expect(errorOf(refused)).toMatchObject({ code, message: expect.stringContaining(message) as unknown });
  });
});
