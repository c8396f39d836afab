import { describe, expect, it } from 'vitest';
import { MAX_LISTED, pageOf, type Listed } from '../runtime/view/list-cursor.js';
import { HttpProblem } from './answer.js';
import { afterOf } from './list-page.js';

/** The rest of an id. */
const LONG = 'xyz234xyz234';
/** 1,000 records, five of each millisecond. */
const ALL = Array.from({ length: 1_000 }, (_, i) => ({
  createdAtMs: Math.floor(i / 5),
  id: `tsk_${String.fromCharCode(97 + (i % 5))}${LONG}`,
}));
let reads = 0;
const read = async ({ after, limit }: { after?: Listed; limit: number }): Promise<readonly Listed[]> => {
  reads += 1;
  const isBehind = ({ createdAtMs, id }: Listed): boolean =>
    after === undefined ||
    createdAtMs > after.createdAtMs ||
    (createdAtMs === after.createdAtMs && id > after.id);
  return ALL.filter(isBehind).slice(0, limit);
};

describe('a list in pages', () => {
  it.each<[string, (record: Listed) => boolean]>([
    ['all of it', () => true],
    ['every seventh', ({ createdAtMs }) => createdAtMs % 7 === 0],
    ['just a page', ({ createdAtMs }) => createdAtMs < MAX_LISTED / 5],
    ['just a page and one more', (record) => ALL.indexOf(record) <= MAX_LISTED],
    ['the last one only', ({ createdAtMs, id }) => createdAtMs === 199 && id === `tsk_e${LONG}`],
    ['nothing', () => false],
  ])('gives %s once and in order, page by page', async (_, mayRead) => {
    const given: Listed[] = [];
    let cursor: string | undefined;
    do {
      const found = await pageOf(afterOf(cursor, 'tsk'), read, { isListed: mayRead });
      expect(found.page.length).toBeLessThanOrEqual(MAX_LISTED);
      given.push(...found.page);
      cursor = found.cursor ?? undefined;
    } while (cursor !== undefined);
    expect(given).toEqual(ALL.filter(mayRead));
  });

  it('reads no more than the page asks for', async () => {
    reads = 0;
    await pageOf(null, read);
    expect(reads).toBe(1);
  });

  it.each<[string, (record: Listed) => boolean]>([
    ['all of it', () => true],
    ['nothing', () => false],
    ['the last one only', ({ createdAtMs, id }) => createdAtMs === 199 && id === `tsk_e${LONG}`],
    ['every second', (record) => ALL.indexOf(record) % 2 === 0],
    ['none of the first 400', (record) => ALL.indexOf(record) >= 400],
  ])('HOLE: looks at few records for one page, and tells of %s in more of them', async (_, mayRead) => {
    const given: Listed[] = [];
    let cursor: string | null = null;
    do {
      reads = 0;
      const found: Awaited<ReturnType<typeof pageOf>> = await pageOf(
        afterOf(cursor ?? undefined, 'tsk'),
        read,
        { isListed: mayRead, most: 10, mostRead: 40 },
      );
      expect(reads).toBeLessThanOrEqual(2);
      given.push(...found.page);
      ({ cursor } = found);
      // What the caller may not see is not named.
      const named = ALL.find((one) => cursor === `${one.createdAtMs}-${one.id}`);
      expect(named === undefined || mayRead(named)).toBe(true);
    } while (cursor !== null);
    expect(given).toEqual(ALL.filter(mayRead));
  });

  it('goes on behind what a cursor of its own kind names, and refuses every other text', () => {
    expect(afterOf(undefined, 'tsk')).toBeNull();
    expect(afterOf('12-tsk_ab2', 'tsk')).toEqual({ createdAtMs: 12, id: 'tsk_ab2' });
    for (const text of [
      '',
      '12',
      '12-',
      '12-apr_a',
      '-1-tsk_a',
      '1e3-tsk_a',
      '12-tsk_A',
      `12-tsk_${'a'.repeat(65)}`,
    ])
      expect(() => afterOf(text, 'tsk')).toThrow(HttpProblem);
  });
});
