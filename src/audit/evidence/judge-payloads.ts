// Payloads that a bundle shows are those that its entries committed to, subjects those that people approved; what it says
// was erased, an entry says too (FORMAT.md section 9, rule 8).
import { commitment, SALT_BYTES } from '../commitment.js';
import type { FindingList } from '../verify/report.js';
import type { Evidence } from './format.js';
import type { EvidenceReport, ShownEntry } from './report.js';

interface Said {
  readonly payloads: FindingList;
  readonly warnings: string[];
  /** As in EvidenceOptions. */
  readonly subjectDigest: ((subject: Uint8Array) => string) | undefined;
}

/** (8) Payloads that are shown, and entries that say why one is gone. */
export function judgePayloads(
  { disclosed, erased, scope }: Evidence,
  shown: readonly ShownEntry[],
  { payloads, warnings, subjectDigest }: Said,
): Pick<EvidenceReport, 'payloads' | 'erased'> {
  const own = shown.filter(({ entry }) => entry.run === scope.run);
  const committed = new Map<string, Set<string>>();
  for (const { entry } of own) {
    for (const [label, hex] of Object.entries(entry.commit)) {
      committed.set(hex, (committed.get(hex) ?? new Set()).add(label));
    }
  }
  const logged = new Map<string, bigint>();
  for (const { index, entry } of shown) {
    const hex = entry.type === 'payload.erased' ? entry.data.commitment : null;
    if (typeof hex === 'string') logged.set(hex, index);
  }
  const subjects = subjectsOf(own);
  const present = new Set<string>();
  for (const { commitment: hex, label, salt, bytes } of disclosed) {
    const what = `the disclosed payload "${label}" (${hex})`;
    if (committed.get(hex)?.has(label) !== true) {
      payloads.add('payload-mismatch', `${what} is not committed to by an entry of the run`);
    } else if (salt.length !== SALT_BYTES || !isLabel(label) || commitment(salt, label, bytes) !== hex) {
      payloads.add('payload-mismatch', `${what} is not the committed one`);
    } else if (subjectDigest !== undefined && subjects.has(hex)) {
      const approved = subjects.get(hex);
      if (approved?.size !== 1 || !approved.has(subjectDigest(bytes)))
        payloads.add('payload-mismatch', `${what} is not what was approved: it has another digest`);
    }
    present.add(hex);
    const by = logged.get(hex);
    if (by !== undefined) warnings.push(`${what} was erased by entry ${by}, this copy still shows it`);
  }
  for (const { commitment: hex, entry } of erased) {
    if (logged.get(hex) === entry && committed.has(hex)) continue;
    const message = `payload ${hex} is called erased, but entry ${entry} does not say so`;
    payloads.add('erased-unlogged', message, { index: entry });
  }
  const gone = [...logged].filter(([hex]) => committed.has(hex));
  const withheld = [...committed.keys()].filter((hex) => !present.has(hex) && !logged.has(hex)).length;
  return {
    payloads: { disclosed: present.size, erased: gone.length, withheld },
    erased: erased.map(({ commitment: hex, entry }) => ({ commitment: hex, entry: entry.toString() })),
  };
}

/** By the commitment of a subject: the digests that people approved with it, of every approval that shows it. */
function subjectsOf(own: readonly ShownEntry[]): ReadonlyMap<string, ReadonlySet<unknown>> {
  const found = new Map<string, Set<unknown>>();
  for (const { entry } of own) {
    const hex = entry.type === 'approval.requested' ? entry.commit['subject'] : undefined;
    if (hex !== undefined) found.set(hex, (found.get(hex) ?? new Set()).add(entry.data.subjectDigest));
  }
  return found;
}

function isLabel(label: string): boolean {
  return label !== '' && !label.includes('\0');
}
