// A standing approval, written as policy and reviewed with it: calls of these functions, started by these people, need
// no approval for a limited time. It is scoped, it ends, and taking it out of the file takes it back. It lifts what one
// person could have approved with a key press; it never lifts two people, a reason, a ceiling, a deny or a limit.
import type { EffectiveApproval } from '../ceiling/approval-duty.js';
import { momentMs } from '../ceiling/moment.js';
import { compareText } from '../file/diagnostic.js';
import type { Problems } from '../file/diagnostic.js';
import { pointerSegment } from '../file/document.js';
import type { ReadFile } from '../file/document.js';
import { fnMatch } from './glob.js';
import type { ApproversDocument } from '../file/shape.js';

/** The longest time one grant holds. */
export const MAX_GRANT_DAYS = 30;

export interface Grant {
  readonly id: string;
  /** Patterns of function ids; one that matches everything is refused. */
  readonly functions: readonly string[];
  /** Who starts the run: people, services or roles. */
  readonly subjects: readonly string[];
  readonly domains: readonly string[];
  readonly notBeforeMs: number;
  /** From then on it holds no more. */
  readonly notAfterMs: number;
}

/** Sorted by id. */
export function collectGrants(
  { source, document }: ReadFile<ApproversDocument>,
  problems: Problems,
): readonly Grant[] {
  const ids = new Set<string>();
  const found = (document.grants ?? []).flatMap((row, index): Grant[] => {
    const pointer = `/grants${pointerSegment(index)}`;
    let isWrong = false;
    const wrong = (field: string, message: string, hint?: string): void => {
      isWrong = true;
      problems.add(source.file, source.place(`${pointer}/${field}`), message, hint);
    };
    if (ids.size === ids.add(row.id).size) wrong('id', `duplicate grant ${row.id}`);
    const all = row.functions.findIndex((pattern) => /^[*?:]*$/.test(pattern));
    const few = 'name the functions, such as tool::report_*';
    if (all >= 0) wrong(`functions${pointerSegment(all)}`, 'a grant names functions, never all of them', few);
    const [notBeforeMs, notAfterMs] = [momentMs(row.notBefore), momentMs(row.notAfter)];
    if (notBeforeMs === null) wrong('notBefore', `there is no time ${row.notBefore}`);
    if (notAfterMs === null) wrong('notAfter', `there is no time ${row.notAfter}`);
    if (notBeforeMs === null || notAfterMs === null) return [];
    const days = (notAfterMs - notBeforeMs) / 86_400_000;
    if (days <= 0 || days > MAX_GRANT_DAYS) {
      const hint = 'a grant is renewed under review, before it ends';
      wrong('notAfter', `a grant holds for up to ${MAX_GRANT_DAYS} days, this one for ${days}`, hint);
    }
    if (isWrong) return [];
    const { id, functions, subjects, domains } = row;
    return [{ id, functions, subjects, domains, notBeforeMs, notAfterMs }];
  });
  return found.toSorted((a, b) => compareText(a.id, b.id));
}

export interface GrantQuestion {
  readonly functionId: string;
  /** Another name of what is called, which the grant has to name too; null = it has none. */
  readonly alsoCalled: string | null;
  readonly initiator: string;
  /** Roles of the initiator in the domain. */
  readonly roles: ReadonlySet<string>;
  readonly domain: string;
  readonly nowMs: number;
  readonly needed: EffectiveApproval;
}

/** The grant that stands for the approval `needed`; null = a person has to give it. */
export function grantFor(grants: readonly Grant[], question: GrantQuestion): Grant | null {
  const { functionId, alsoCalled, initiator, roles, domain, nowMs, needed } = question;
  const names = alsoCalled === null ? [functionId] : [functionId, alsoCalled];
  const people = needed.quorum.reduce((sum, { n }) => sum + n, 0);
  // Nobody's standing approval is that of somebody else than the author.
  if (needed.mode === 'two-person' || needed.reasonRequired || needed.author === true || people > 1)
    return null;
  return (
    grants.find(
      (grant) =>
        nowMs >= grant.notBeforeMs &&
        nowMs < grant.notAfterMs &&
        grant.domains.includes(domain) &&
        grant.subjects.some((subject) => subject === initiator || roles.has(subject)) &&
        names.every((name) => grant.functions.some((pattern) => fnMatch(name, pattern))),
    ) ?? null
  );
}
