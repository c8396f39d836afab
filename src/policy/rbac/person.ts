// People of approvers.yaml: who may vote on an approval and by which key. Roles are not theirs to state here:
// they come from roles/*.yaml only. One key and one account name belong to one person.
import { compareText } from '../file/diagnostic.js';
import type { Problems } from '../file/diagnostic.js';
import { pointerSegment } from '../file/document.js';
import type { ReadFile } from '../file/document.js';
import { escaped, lookAlikeProblem } from '../file/text.js';
import type { ApproversDocument } from '../file/shape.js';

/**
 * What proves a vote of this person: `key` their signature, `os` the account that asks, `oidc` a token of their identity
 * provider, `token` a callback link that was sent to them.
 */
export type Assurance = 'key' | 'os' | 'oidc' | 'token';

export interface Person {
  readonly id: string;
  /** `ed25519:<base64 of 32 bytes>`. */
  readonly keys: readonly string[];
  readonly osUser: string | null;
  /** As an identity provider names them; null = none does. */
  readonly oidc: { readonly iss: string; readonly sub: string } | null;
  readonly assurance: readonly Assurance[];
}

/** The people of approvers.yaml, sorted by id. */
export function collectPeople(
  { source, document }: ReadFile<ApproversDocument>,
  problems: Problems,
): readonly Person[] {
  const seen = new Map<string, string>();
  const claim = (what: string, value: string, owner: string, pointer: string) => {
    const earlier = seen.get(`${what} ${value}`);
    if (earlier === undefined) seen.set(`${what} ${value}`, owner);
    else problems.add(source.file, source.place(pointer), `${what} ${value} already belongs to ${earlier}`);
  };
  const people = document.people.map((row, index): Person => {
    const pointer = `/people${pointerSegment(index)}`;
    claim('id', row.id, row.id, `${pointer}/id`);
    const alike = lookAlikeProblem(row.id);
    if (alike !== null)
      problems.add(source.file, source.place(`${pointer}/id`), `id ${escaped(row.id)} ${alike}`);
    for (const [position, key] of row.keys.entries()) {
      claim('key', key, row.id, `${pointer}/keys${pointerSegment(position)}`);
    }
    if (row.osUser !== undefined) claim('osUser', row.osUser, row.id, `${pointer}/osUser`);
    const assurance = (row.assurance ?? ['key']).toSorted(compareText);
    if (assurance.includes('os') && row.osUser === undefined) {
      const hint = 'add osUser, or leave assurance out so that a signature is needed';
      problems.add(source.file, source.place(`${pointer}/assurance`), 'assurance os needs osUser', hint);
    }
    const oidc = row.iss === undefined || row.sub === undefined ? null : { iss: row.iss, sub: row.sub };
    // Both are quoted: no blank or line end of one passes for the other.
    if (oidc !== null) claim('identity', JSON.stringify([oidc.iss, oidc.sub]), row.id, `${pointer}/sub`);
    if (oidc === null && (row.iss ?? row.sub) !== undefined) {
      problems.add(source.file, source.place(pointer), 'iss and sub name a person together', 'write both');
    }
    if (assurance.includes('oidc') && oidc === null) {
      const hint = 'add iss and sub, or leave oidc out of assurance';
      problems.add(
        source.file,
        source.place(`${pointer}/assurance`),
        'assurance oidc needs iss and sub',
        hint,
      );
    }
    const keys = row.keys.toSorted(compareText);
    return { id: row.id, keys, osUser: row.osUser ?? null, oidc, assurance };
  });
  return people.toSorted((a, b) => compareText(a.id, b.id));
}
