// What the log says was asked for and decided, against what a row of the store says: who changes a row changes nothing of
// who may decide, how many of them, until when, and what they have decided. To change the log too is what `audit verify`
// finds.
import { parseEntry, type Entry } from '../../audit/entry.js';
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { asJson, timeText } from '../log/entries.js';
import type { ApprovalRecord, Store, Vote } from '../ports.js';

type Log = Pick<Store, 'approval' | 'entriesOfApproval' | 'entriesOfRun'>;

/**
 * Whether the row says what the log says: no vote more, none less, and the state that they led to. Throws STORE_CONFLICT
 * when the row has changed meanwhile: look at it again.
 */
export async function isAsLogged(store: Log, approval: ApprovalRecord): Promise<boolean> {
  if (await agrees(store, approval)) return true;
  await requireUnchanged(store, approval);
  return false;
}

/** Whether the log still lets it be decided or used, whatever the row says. Throws as `isAsLogged`. */
export async function isOpenInLog(store: Log, approval: ApprovalRecord): Promise<boolean> {
  const [, ...then] = await entriesAbout(store, approval.id);
  const state = stateAfter(then);
  if (state === 'pending' || state === 'approved') return true;
  await requireUnchanged(store, approval);
  return false;
}

/** What differs from the log may have been written between the two looks. */
async function requireUnchanged(store: Log, { id, version }: ApprovalRecord): Promise<void> {
  const now = await store.approval(id);
  if (now?.version !== version) throw new WritError('STORE_CONFLICT', `${id} was changed meanwhile`);
}

/** Throws APPROVAL_DIGEST_MISMATCH for a row that is not as the log says, STORE_CONFLICT as `isAsLogged`. */
export async function requireAsLogged(store: Log, approval: ApprovalRecord): Promise<void> {
  if (await isAsLogged(store, approval)) return;
  throw new WritError('APPROVAL_DIGEST_MISMATCH', `the stored request ${approval.id} was changed`, {
    hint: 'decide nothing about it; find out who changed the store: writ audit verify',
  });
}

/** Who has changed the input, as the row says or the log: whom a row no longer names is barred all the same. */
export async function editorsOf(
  store: Pick<Store, 'entriesOfApproval'>,
  { id, editors = [] }: ApprovalRecord,
): Promise<readonly string[]> {
  const [asked] = await entriesAbout(store, id);
  const logged = asked?.data['editors'];
  const named = Array.isArray(logged) ? logged.filter((one) => typeof one === 'string') : [];
  return [...new Set([...editors, ...named])];
}

async function agrees(store: Log, approval: ApprovalRecord): Promise<boolean> {
  const [asked, ...then] = await entriesAbout(store, approval.id);
  const [started] = await store.entriesOfRun(approval.run, { from: 0, limit: 1 });
  if (asked === undefined || started === undefined) return false;
  const { initiator } = parseEntry(started.bytes).data;
  return (
    asked.type === 'approval.requested' &&
    [asked, ...then].every(({ run }) => run === approval.run) &&
    asked.commit['subject'] === approval.subject &&
    initiator === approval.initiator &&
    stateAfter(then) === approval.state &&
    canonicalJson(votesOf(then)) === canonicalJson(approval.votes.map(votedAs)) &&
    factsOf(asked.data) ===
      factsOf({ ...approval, approvalId: approval.id, expiresAt: timeText(approval.expiresAtMs) })
  );
}

async function entriesAbout(store: Pick<Store, 'entriesOfApproval'>, id: string): Promise<readonly Entry[]> {
  return (await store.entriesOfApproval(id)).map(({ bytes }) => parseEntry(bytes));
}

/** A review afterwards changes no state. */
function stateAfter(entries: readonly Entry[]): Json {
  const last = entries.filter(({ type }) => type !== 'approval.reviewed').at(-1);
  if (last === undefined) return 'pending';
  return last.type === 'approval.decided'
    ? (last.data['state'] ?? null)
    : last.type.slice('approval.'.length);
}

function votesOf(entries: readonly Entry[]): readonly Json[] {
  return entries
    .filter(({ type }) => type === 'approval.decided')
    .map(({ data, commit }) => {
      const { approver, decision, assurance, keyId, signature, at } = data;
      const { delegation = null, breakGlass = null } = data;
      const cast = { approver, decision, assurance, keyId, signature, at, delegation, breakGlass };
      return asJson({ ...cast, reason: commit['reason'] ?? null });
    });
}

function votedAs({ seq: _, atMs, ...vote }: Vote): Json {
  const { delegation = null, breakGlass = null } = vote;
  return asJson({ ...vote, delegation, breakGlass, at: timeText(atMs) });
}

/** What both name alike. */
function factsOf(named: Readonly<Record<string, unknown>>): string {
  const { approvalId, subjectDigest, mode, quorum, expiresAt, stepPath, attempt } = named;
  // Older logs do not say it: then a row counts that keeps people apart, and no other.
  const { separationOfDuties = true } = named;
  const asked = { approvalId, subjectDigest, mode, quorum, separationOfDuties, expiresAt, stepPath, attempt };
  const { editors = [], redriver = null, author = null } = named;
  return canonicalJson(asJson({ ...asked, editors, redriver, author }));
}
