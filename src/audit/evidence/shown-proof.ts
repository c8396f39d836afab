// What shows that an entry is what a person said: its signature, its key, or the assurance of whoever took it.
import type { ShownEntry } from './report.js';
import { shown, textOf } from './shown-value.js';

/** What shows that an entry is what a person said. */
export interface ShownProof {
  /** When the person signed; the entry's time when it says none. */
  readonly at: string;
  readonly keyId: string | null;
  readonly assurance: string;
  /** `unchecked`: signed, but nothing here checks signatures. */
  readonly signature: 'holds' | 'fails' | 'unsigned' | 'unchecked';
}

export function proofOf({ entry, signature }: ShownEntry): ShownProof {
  const { data, time } = entry;
  const holds = signature === null ? null : signature ? 'holds' : 'fails';
  return {
    at: textOf(data.at) ?? time,
    keyId: textOf(data.keyId),
    assurance: shown(data.assurance),
    signature: holds ?? (typeof data.signature === 'string' ? 'unchecked' : 'unsigned'),
  };
}
