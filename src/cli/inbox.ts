// `writ approvals` without a verb: the queue of what waits, one request or batch after the other, and the run of each
// decided one goes on here. Without a terminal nobody is asked: what waits is listed, and the exit code says so.
import type { ApprovalRecord } from '../runtime/ports.js';
import type { Principal, Writ } from '../runtime/writ.js';
import { askForBatch, askForDecision, isRefusedVote, screenOf } from './approver.js';
import { goOn, listApprovals, recordedText } from './approvals.js';
import { isInteractive, untilSignal, whoActs, withPublishedWrit, withWrit, type Context } from './context.js';

/** Process exit code when something waits and nobody could be asked (ARCHITECTURE 6). */
const EXIT_WAITING = 10;

export async function openInbox(context: Context): Promise<number> {
  if (!isInteractive(context)) {
    await listApprovals(context, {});
    const waiting = await withWrit(context, (writ) => writ.approvals({ states: ['pending'] }));
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
    const records = await waiting(writ);
    const answer = await showQueue({
      ...screenOf(context, signal),
      records,
      approver: approver.id,
      message,
      selected,
      refresh: async () => {
        const now = writ.changeCounter();
        if (now === counter) return null;
        counter = now;
        return waiting(writ);
      },
    });
    if (answer.kind === 'left') return;
    if (answer.kind === 'interrupted') {
      interrupt();
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
        ? await askForBatch(context, writ, ids, approver, signal)
        : await askOne(context, writ, only, approver, signal);
    switch (asked.outcome) {
      case 'recorded':
        for (const record of asked.records) context.output.line(recordedText(record));
        await continueRuns(context, writ, asked.records);
        return asked.records.map(recordedText).join('; ');
      case 'interrupted':
        interrupt();
        return 'interrupted';
      case 'changed':
        return 'that request is not what it was; look at the list';
      case 'left':
        return 'nothing was decided';
    }
  } catch (error) {
    if (!isRefusedVote(error)) throw error;
    return `refused: ${error.message} (${error.code})`;
  }
}

async function askOne(context: Context, writ: Writ, id: string, approver: Principal, signal: AbortSignal) {
  const asked = await askForDecision(context, writ, id, approver, null, signal);
  return { outcome: asked.outcome, records: asked.outcome === 'recorded' ? [asked.record] : [] };
}

async function continueRuns(context: Context, writ: Writ, records: readonly ApprovalRecord[]): Promise<void> {
  const decided = new Map(records.filter((one) => one.state !== 'pending').map((one) => [one.run, one]));
  for (const record of decided.values()) await goOn(context, writ, record);
}

/** The one that ends first is first. */
async function waiting(writ: Writ): Promise<readonly ApprovalRecord[]> {
  const records = await writ.approvals({ states: ['pending'] });
  return records.toSorted((a, b) => a.expiresAtMs - b.expiresAtMs || (a.id < b.id ? -1 : 1));
}
