// What a list over HTTP is asked for, where it goes on, and what one page of it may cost: whoever may see nothing of it,
// or little, keeps nobody else waiting.
import { setImmediate } from 'node:timers/promises';
import { pageOf, parseCursor, type Listed } from '../runtime/view/list-cursor.js';
import { malformed } from './json-body.js';

/** Of which run, and in which of the `known` states. Attacker-controlled; throws 400. */
export function filterOf<State extends string>(
  { run, state }: Readonly<Partial<Record<string, string>>>,
  known: readonly State[],
): { readonly run?: string; readonly states?: readonly State[] } {
  const states = state?.split(',').map((one) => {
    const found = known.find((own) => own === one);
    if (found !== undefined) return found;
    throw malformed(`state is one of ${known.join(', ')}, or several with commas between`);
  });
  return { ...(run === undefined ? {} : { run }), ...(states === undefined ? {} : { states }) };
}

/** The record that `cursor` stands behind; null without one. Attacker-controlled; throws 400. */
export function afterOf(cursor: string | undefined, prefix: 'apr' | 'tsk'): Listed | null {
  if (cursor === undefined) return null;
  const after = parseCursor(cursor, prefix);
  if (after === null) throw malformed('cursor is one that an answer gave');
  return after;
}

/** Records of one page, whether its caller may read them or not. */
const MAX_LOOKED_AT = 1_000;

/** What the caller may read of it, at most 100; with a cursor for as long as there may be more. */
export function readablePage<Record extends Listed>(
  after: Listed | null,
  read: (part: { readonly after?: Listed; readonly limit: number }) => Promise<readonly Record[]>,
  mayRead: (record: Record) => boolean,
): ReturnType<typeof pageOf<Record>> {
  const inTurn: typeof read = async (part) => {
    // Others are heard between two parts.
    await setImmediate();
    return read(part);
  };
  return pageOf(after, inTurn, { isListed: mayRead, mostRead: MAX_LOOKED_AT });
}
