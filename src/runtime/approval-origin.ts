// What the log says was asked for, against what a row of the store says: who changes a row changes nothing of who may
// decide, how many of them, and until when. To change the log too is what `audit verify` finds.
import { parseEntry } from '../audit/entry.js';
import { canonicalJson } from '../canonical-json.js';
import { asJson, timeText } from './entries.js';
import type { ApprovalRecord, Store } from './ports.js';

/** Two entries are read, however long the log is: the one that carries the subject, and the first of the run. */
export async function isAsLogged(
  store: Pick<Store, 'payload' | 'entries' | 'entriesOfRun'>,
  approval: ApprovalRecord,
): Promise<boolean> {
  const index = (await store.payload(approval.subject))?.entryIndex;
  const [asked] = index === undefined ? [] : await store.entries(index, index + 1n, 1);
  const [started] = await store.entriesOfRun(approval.run, { from: 0, limit: 1 });
  if (asked === undefined || started === undefined) return false;
  const { type, run, data, commit } = parseEntry(asked.bytes);
  const { initiator } = parseEntry(started.bytes).data;
  return (
    type === 'approval.requested' &&
    run === approval.run &&
    commit['subject'] === approval.subject &&
    initiator === approval.initiator &&
    factsOf(data) ===
      factsOf({ ...approval, approvalId: approval.id, expiresAt: timeText(approval.expiresAtMs) })
  );
}

/** What both name alike. */
function factsOf(named: Readonly<Record<string, unknown>>): string {
  const { approvalId, subjectDigest, mode, quorum, separationOfDuties, expiresAt, stepPath, attempt } = named;
  const asked = { approvalId, subjectDigest, mode, quorum, separationOfDuties, expiresAt, stepPath, attempt };
  const { editors = [], author = null } = named;
  return canonicalJson(asJson({ ...asked, editors, author }));
}
