// The place in a list that goes on: `<milliseconds>-<id>` of the last record that was given, so that nothing is given
// twice or left out while the list grows. The same over HTTP and at the command line.

/** What a list is sorted by. */
export interface Listed {
  readonly createdAtMs: number;
  readonly id: string;
}

export function cursorOf({ createdAtMs, id }: Listed): string {
  return `${createdAtMs}-${id}`;
}

/** The record that `cursor` stands behind, of ids that begin with `prefix`; null for what is no cursor. Attacker-controlled. */
export function parseCursor(cursor: string, prefix: 'apr' | 'tsk'): Listed | null {
  const [, ms, id = ''] = /^(\d{1,15})-([a-z]{3}_[a-z2-7]{1,64})$/u.exec(cursor) ?? [];
  return ms === undefined || !id.startsWith(`${prefix}_`) ? null : { createdAtMs: Number(ms), id };
}
