// Who may not decide on an approval: nobody but people do; not who wrote the workflow, where the request names them; and
// with separation of duties not who changed the input, started the run, redrove it or had the step made again. Older requests don't tell whether duties are
// separated: there it is not judged.
import type { Json } from '../../json.js';
import type { Facts } from './facts.js';

/** As `approval.requested` tells it. */
export interface Duties {
  readonly separated: boolean;
  /** Who changed the input. */
  readonly editors: readonly string[];
  /** Who has redriven the run, or had the step made again; empty where nobody has. */
  readonly redriver: string;
  /** Who wrote the workflow; empty where they may decide. */
  readonly author: string;
}

/** Null when it can't be read, which is a finding. */
export function dutiesOf(facts: Facts): Duties | null {
  const given = (key: string, otherwise: Json): Json => {
    const value = facts.data.get(key);
    return value === undefined ? otherwise : value;
  };
  const separated = given('separationOfDuties', false);
  const editors = given('editors', []);
  const redriver = given('redriver', '');
  const author = given('author', '');
  if (typeof separated !== 'boolean') facts.misshapen('separationOfDuties');
  else if (!isTexts(editors)) facts.misshapen('editors');
  else if (typeof redriver !== 'string') facts.misshapen('redriver');
  else if (typeof author !== 'string') facts.misshapen('author');
  else return { separated, editors, redriver, author };
  return null;
}

/** Why one of `voices`, the voter and whoever they vote for, may not decide; null = nothing says so. */
export function whyBarred(
  { separated, editors, redriver, author }: Duties,
  voices: readonly string[],
  initiator: string | null,
): string | null {
  const barred = (who: string, did: string): string => `${who} ${did} and may not decide`;
  for (const who of voices) {
    if (!who.startsWith('user:')) return `${who} is no person and may not decide`;
    if (who === author) return barred(who, 'wrote the workflow');
    if (!separated) continue;
    if (editors.includes(who)) return barred(who, 'changed the input');
    if (who === redriver) return barred(who, 'redrove the run or step');
    if (who === initiator) return barred(who, 'started the run');
    // Where the log does not say who started the run, nobody is shown to be another.
    if (initiator === null) return `${who} is not shown to be another than who started the run`;
  }
  return null;
}

function isTexts(value: Json): value is readonly string[] {
  return Array.isArray(value) && value.every((one: Json) => typeof one === 'string');
}
