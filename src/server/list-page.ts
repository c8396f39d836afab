// Lists over HTTP, a page at a time, oldest first. What the caller may not read is not there for them.
import { cursorOf, parseCursor, type Listed } from '../runtime/list-cursor.js';
import { malformed } from './json-body.js';

/** On one page. */
export const MAX_LISTED = 100;

/** The record that `cursor` stands behind; null without one. Attacker-controlled; throws 400. */
export function afterOf(cursor: string | undefined, prefix: 'apr' | 'tsk'): Listed | null {
  if (cursor === undefined) return null;
  const after = parseCursor(cursor, prefix);
  if (after === null) throw malformed('cursor is one that an answer gave');
  return after;
}

/** Reads in parts: what stands behind the page that is asked for costs nothing. `cursor` is null on the last page. */
export async function pageOf<Record extends Listed>(
  after: Listed | null,
  read: (part: { readonly after?: Listed; readonly limit: number }) => Promise<readonly Record[]>,
  mayRead: (record: Record) => boolean,
): Promise<{ readonly page: readonly Record[]; readonly cursor: string | null }> {
  const limit = 2 * MAX_LISTED;
  const seen: Record[] = [];
  for (let behind = after; seen.length <= MAX_LISTED;) {
    const found = await read({ ...(behind === null ? {} : { after: behind }), limit });
    seen.push(...found.filter(mayRead));
    const last = found.at(-1);
    if (last === undefined || found.length < limit) break;
    behind = { createdAtMs: last.createdAtMs, id: last.id };
  }
  const page = seen.slice(0, MAX_LISTED);
  const last = page.at(-1);
  const isMore = seen.length > page.length && last !== undefined;
  return { page, cursor: isMore ? cursorOf(last) : null };
}
