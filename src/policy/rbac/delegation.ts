// Who may vote for somebody else, and who in an emergency: the other half of approvers.yaml. A delegation is explicit,
// expires, is limited to roles and domains, and is not passed on: it lends what `from` holds in roles/*.yaml, never what
// was lent to them. An emergency role replaces who may approve, and nothing else.
import { compareText } from '../file/diagnostic.js';
import type { Problems } from '../file/diagnostic.js';
import { pointerSegment } from '../file/document.js';
import type { ReadFile } from '../file/document.js';
import { momentMs } from '../ceiling/moment.js';
import type { Person } from './person.js';
import type { ApproversDocument } from '../file/shape.js';

export interface Delegation {
  readonly from: string;
  readonly to: string;
  /** Of the roles that `from` holds, those that are lent. Sorted. */
  readonly roles: readonly string[];
  /** Sorted. */
  readonly domains: readonly string[];
  /** From then on it holds no more. */
  readonly notAfterMs: number;
}

export interface BreakGlass {
  readonly role: string;
  /** How soon somebody has to look at it afterwards. */
  readonly reviewWithinHours: number;
}

/** Sorted by `to`, then `from`; one per pair. Both must be people of approvers.yaml. */
export function collectDelegations(
  { source, document }: ReadFile<ApproversDocument>,
  people: readonly Person[],
  problems: Problems,
): readonly Delegation[] {
  const known = new Set(people.map(({ id }) => id));
  const pairs = new Set<string>();
  const found = (document.delegations ?? []).flatMap((row, index): Delegation[] => {
    const pointer = `/delegations${pointerSegment(index)}`;
    let isWrong = false;
    const wrong = (field: string, message: string, hint?: string): void => {
      isWrong = true;
      problems.add(source.file, source.place(`${pointer}/${field}`), message, hint);
    };
    for (const field of ['from', 'to'] as const) {
      if (known.has(row[field])) continue;
      wrong(
        field,
        `${row[field]} is none of the people of this file`,
        'add them to people, or correct the name',
      );
    }
    if (row.from === row.to) wrong('to', 'nobody delegates to themselves', 'remove the delegation');
    if (pairs.size === pairs.add(`${row.to} ${row.from}`).size) {
      wrong('to', `${row.from} has delegated to ${row.to} already`, 'write one delegation for both');
    }
    const notAfterMs = momentMs(row.notAfter);
    if (notAfterMs === null) wrong('notAfter', `there is no time ${row.notAfter}`);
    if (isWrong || notAfterMs === null) return [];
    const { roles, domains } = row.scope;
    return [
      {
        from: row.from,
        to: row.to,
        roles: roles.toSorted(compareText),
        domains: domains.toSorted(compareText),
        notAfterMs,
      },
    ];
  });
  return found.toSorted((a, b) => compareText(a.to, b.to) || compareText(a.from, b.from));
}

/** The delegation by which `to` may vote for `from` in `domain` at `nowMs`; null = there is none. */
export function delegationOf(
  delegations: readonly Delegation[],
  { from, to, domain, nowMs }: { from: string; to: string; domain: string; nowMs: number },
): Delegation | null {
  const found = delegations.find((one) => one.to === to && one.from === from);
  return found !== undefined && nowMs < found.notAfterMs && found.domains.includes(domain) ? found : null;
}
