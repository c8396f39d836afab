// Lists in pages, and the place where one goes on: `<milliseconds>-<id>` of the last record that was given, so that nothing
// is given twice or left out while the list grows. The same over HTTP and at the command line.

/** On one page, at most. */
export const MAX_LISTED = 100;

/** What a list is sorted by. */
export interface Listed {
  readonly createdAtMs: number;
  readonly id: string;
}

function cursorOf({ createdAtMs, id }: Listed): string {
  return `${createdAtMs}-${id}`;
}

/** The record that `cursor` stands behind, of ids that begin with `prefix`; null for what is no cursor. Attacker-controlled. */
export function parseCursor(cursor: string, prefix: 'apr' | 'tsk'): Listed | null {
  const [, ms, id = ''] = /^(\d{1,15})-([a-z]{3}_[a-z2-7]{1,64})$/u.exec(cursor) ?? [];
  return ms === undefined || !id.startsWith(`${prefix}_`) ? null : { createdAtMs: Number(ms), id };
}

/** Behind a record that was looked at and is not listed: its time, and too little of its id to be told of it. */
function cursorPast({ createdAtMs, id }: Listed): string {
  return `${createdAtMs}-${id.slice(0, 'apr_'.length + 8)}`;
}

interface PageRule<Record> {
  /** Default: every record is. */
  readonly isListed?: (record: Record) => boolean;
  readonly most?: number;
  readonly mostRead?: number;
}

/**
 * At most `most` of what is listed, oldest first; `cursor` is null on the last page. Reads in parts: what stands behind the
 * page costs nothing. After `mostRead` records a page ends, with however few of them, even none.
 */
export async function pageOf<Record extends Listed>(
  after: Listed | null,
  read: (part: { readonly after?: Listed; readonly limit: number }) => Promise<readonly Record[]>,
  { isListed = () => true, most = MAX_LISTED, mostRead = Number.POSITIVE_INFINITY }: PageRule<Record> = {},
): Promise<{ readonly page: readonly Record[]; readonly cursor: string | null }> {
  const limit = 2 * most;
  const seen: Record[] = [];
  let behind: Listed | null = after;
  let isCut = false;
  for (let looked = 0; seen.length <= most && !isCut; looked += limit) {
    const found = await read({ ...(behind === null ? {} : { after: behind }), limit });
    seen.push(...found.filter(isListed));
    const last = found.at(-1);
    if (last === undefined || found.length < limit) break;
    behind = { createdAtMs: last.createdAtMs, id: last.id };
    isCut = looked + 2 * limit > mostRead;
  }
  const page = seen.slice(0, most);
  const last = page.at(-1);
  if (seen.length > page.length && last !== undefined) return { page, cursor: cursorOf(last) };
  if (!isCut || behind === null) return { page, cursor: null };
  return { page, cursor: last?.id === behind.id ? cursorOf(behind) : cursorPast(behind) };
}
