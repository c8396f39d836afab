// People of approvers.yaml: who may vote on an approval and by which key. Roles are not theirs to state here:
// they come from roles/*.yaml only. One key and one account name belong to one person.
import { compareText } from './diagnostic.js';
import type { Problems } from './diagnostic.js';
import { pointerSegment } from './document.js';
import type { SourceDocument } from './document.js';
import type { ApproversDocument } from './shape.js';

/** `key`: a vote needs the person's signature; `os`: the account that asks is enough. */
export type Assurance = 'key' | 'os';

export interface Person {
  readonly id: string;
  /** `ed25519:<base64 of 32 bytes>`. */
  readonly keys: readonly string[];
  readonly osUser: string | null;
  readonly assurance: readonly Assurance[];
}

/** The people of approvers.yaml, sorted by id. */
export function collectPeople(
  source: SourceDocument,
  document: ApproversDocument,
  problems: Problems,
): readonly Person[] {
  for (const field of ['delegations', 'breakGlass'] as const) {
    if (document[field] === undefined) continue;
    const message = `${field} is not supported by this version`;
    problems.add(source.file, source.keyPlace(`/${field}`), message, 'remove the field');
  }
  const seen = new Map<string, string>();
  const claim = (what: string, value: string, owner: string, pointer: string) => {
    const earlier = seen.get(`${what} ${value}`);
    if (earlier === undefined) seen.set(`${what} ${value}`, owner);
    else problems.add(source.file, source.place(pointer), `${what} ${value} already belongs to ${earlier}`);
  };
  const people = document.people.map((row, index): Person => {
    const pointer = `/people${pointerSegment(index)}`;
    claim('id', row.id, row.id, `${pointer}/id`);
    for (const [position, key] of row.keys.entries()) {
      claim('key', key, row.id, `${pointer}/keys${pointerSegment(position)}`);
    }
    if (row.osUser !== undefined) claim('osUser', row.osUser, row.id, `${pointer}/osUser`);
    const assurance = (row.assurance ?? ['key']).toSorted(compareText);
    if (assurance.includes('os') && row.osUser === undefined) {
      const hint = 'add osUser, or leave assurance out so that a signature is needed';
      problems.add(source.file, source.place(`${pointer}/assurance`), 'assurance os needs osUser', hint);
    }
    return { id: row.id, keys: row.keys.toSorted(compareText), osUser: row.osUser ?? null, assurance };
  });
  return people.toSorted((a, b) => compareText(a.id, b.id));
}
