// `writ approvals` without a verb: the queue of what waits, one request or batch after the other, and the run of each
// decided one goes on here. Without a terminal nobody is asked: what waits is listed, and the exit code says so.
import type { ApprovalRecord } from '../runtime/ports.js';
import type { Principal, Writ } from '../runtime/writ.js';
import { askForBatch, askForDecision, isRefusedVote, screenOf } from './approver.js';
import { goOn, recordedText } from './approvals.js';
import { listApprovals } from './approvals-list.js';
import { isInteractive, untilSignal, whoActs, withPublishedWrit, withWrit, type Context } from './context.js';

/** Process exit code when something waits and nobody could be asked. */
const EXIT_WAITING = 10;

export async function openInbox(context: Context): Promise<number> {
  if (!isInteractive(context)) {
    await listApprovals(context, {});
    const waiting = await withWrit(context, (writ) => writ.approvalKeys({ states: ['pending'], limit: 1 }));
    if (waiting.length > 0) context.output.note('decide one: writ approvals approve ID --digest HEX64');
    return waiting.length > 0 ? EXIT_WAITING : 0;
  }
  return withPublishedWrit(context, { drives: true }, async (writ) => {
    const approver = await whoActs(context, writ);
    const interrupted = await untilSignal(async (signal, interrupt) => {
      await workOff(context, writ, approver, signal, interrupt);
    });
    return interrupted ?? 0;
  });
}

/** Until the person leaves. */
async function workOff(
  context: Context,
  writ: Writ,
  approver: Principal,
  signal: AbortSignal,
  interrupt: () => void,
): Promise<void> {
  const { showQueue } = await import('../tui/open-prompt.js');
  let message: string | null = null;
  let selected: string | null = null;
  while (!signal.aborted) {
    let counter = writ.changeCounter();
    const waiting = await waitingRequests(writ, selected);
    const answer = await showQueue({
      ...screenOf(context, signal),
      ...waiting,
      approver: approver.id,
      message,
      selected,
      refresh: async () => {
        const now = writ.changeCounter();
        if (now === counter) return null;
        const keys = await writ.approvalKeys({ states: ['pending'] });
        // Only now: a list that could not be read is read again.
        counter = now;
        return keys;
      },
    });
    if (answer.kind === 'left') return;
    if (answer.kind === 'interrupted') {
      // Where a signal took the screen away, it is known already; a second one would end the process on the spot.
      if (!signal.aborted) interrupt();
      return;
    }
    selected = answer.ids[0] ?? null;
    message = await decideAbout(context, writ, answer.ids, approver, signal, interrupt);
  }
}

/** What to say of it in the queue. */
async function decideAbout(
  context: Context,
  writ: Writ,
  ids: readonly string[],
  approver: Principal,
  signal: AbortSignal,
  interrupt: () => void,
): Promise<string> {
  const [only = ''] = ids;
  try {
    const asked =
      ids.length > 1
        ? { ...(await askForBatch(context, writ, ids, approver, signal)), made: undefined }
        : await askOne(context, writ, only, approver, signal);
    switch (asked.outcome) {
      case 'recorded':
        for (const record of asked.records) context.output.line(recordedText(record));
        await continueRuns(context, writ, asked.records);
        return asked.records.length === 1
          ? asked.records.map(recordedText).join('')
          : `${asked.records.length} requests are ${decisionOf(asked.records)}`;
      case 'interrupted':
        if (!signal.aborted) interrupt();
        return 'interrupted';
      case 'changed':
        if (asked.made !== undefined)
          return 'you have changed it: another person decides about the new request';
        await endExpired(context, writ, ids);
        return 'that request is not what it was; look at the list';
      case 'left':
        return 'nothing was decided';
    }
  } catch (error) {
    if (!isRefusedVote(error)) throw error;
    const what = error.code === 'USAGE' ? 'not done' : 'refused';
    return `${what}: ${error.message} (${error.hint ?? error.code})`;
  }
}

/** What became of a batch: `approved`, or `approved (2), pending (1)` where they differ. */
function decisionOf(records: readonly ApprovalRecord[]): string {
  const states = [...new Set(records.map(({ state }) => state))];
  if (states.length === 1) return states.join('');
  return states
    .map((state) => `${state} (${records.filter((one) => one.state === state).length})`)
    .join(', ');
}

async function askOne(context: Context, writ: Writ, id: string, approver: Principal, signal: AbortSignal) {
  const asked = await askForDecision(context, writ, { approvalId: id, approver, reason: null }, signal);
  const isRecorded = asked.outcome === 'recorded';
  const made = isRecorded ? undefined : asked.made;
  return { outcome: asked.outcome, records: isRecorded ? [asked.record] : [], made };
}

async function continueRuns(context: Context, writ: Writ, records: readonly ApprovalRecord[]): Promise<void> {
  const decided = new Map(records.filter((one) => one.state !== 'pending').map((one) => [one.run, one]));
  for (const record of decided.values()) await goOn(context, writ, record);
}

/** Where nobody goes on with its run, a request whose time is over would wait here for ever. */
async function endExpired(context: Context, writ: Writ, ids: readonly string[]): Promise<void> {
  const records = await Promise.all(ids.map((id) => writ.approvalRecord(id)));
  const over = records.find((one) => one?.state === 'pending' && context.nowMs() >= one.expiresAtMs);
  if (over !== undefined && over !== null) await goOn(context, writ, over);
}

/** More rows than any terminal has. */
const ROWS = 200;

/**
 * What the queue begins with: everything that waits for a decision, the one that ends first is first, and of those near
 * `selected` all that a row tells.
 */
export async function waitingRequests(
  writ: Pick<Writ, 'approvalKeys' | 'approvalRecord'>,
  selected: string | null,
) {
  const keys = await writ.approvalKeys({ states: ['pending'] });
  const read = async (ids: readonly string[]): Promise<readonly ApprovalRecord[]> => {
    const records = await Promise.all(ids.map((id) => writ.approvalRecord(id)));
    return records.filter((record) => record !== null);
  };
  const at = Math.max(0, keys.findIndex((key) => key.id === selected) - ROWS / 2);
  const records = await read(keys.slice(at, at + ROWS).map((key) => key.id));
  return { keys, records, read };
}
