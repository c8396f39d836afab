// `writ approvals` without a verb: the queue of what waits, one request or batch after the other, and the run of each
// decided one goes on here. Without a terminal nobody is asked: what waits is listed, and the exit code says so.
import type { ApprovalRecord } from '../../runtime/ports.js';
import type { Writ } from '../../runtime/writ.js';
import {
  askForBatch,
  askForDecision,
  isRefusedVote,
  screenOf,
  type Asked,
  type Session,
} from './approver.js';
import { recordedText } from './approvals.js';
import { listApprovals } from './list.js';
import {
  isInteractive,
  untilSignal,
  whoActs,
  withPublishedWrit,
  withWrit,
  type Context,
} from '../context.js';
import { goOn } from '../go-on.js';

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
      await workOff({ context, writ, approver, signal, interrupt });
    });
    return interrupted ?? 0;
  });
}

/** `interrupt` is Ctrl+C, which the terminal gives as a key. */
interface InboxSession extends Session {
  readonly interrupt: () => void;
}

/** Until the person leaves. */
async function workOff(session: InboxSession): Promise<void> {
  const { writ, approver, signal } = session;
  const { showQueue } = await import('../../tui/open-prompt.js');
  let message: string | null = null;
  let selected: string | null = null;
  while (!signal.aborted) {
    let counter = writ.changeCounter();
    const waiting = await waitingRequests(writ, selected);
    const answer = await showQueue({
      ...screenOf(session),
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
      interruptOnce(session);
      return;
    }
    selected = answer.ids[0] ?? null;
    message = await decideAbout(session, answer.ids);
  }
}

/** Where a signal took the screen away, it is known already; a second one would end the process on the spot. */
function interruptOnce({ signal, interrupt }: InboxSession): void {
  if (!signal.aborted) interrupt();
}

/** What to say of it in the queue. */
async function decideAbout(session: InboxSession, ids: readonly string[]): Promise<string> {
  try {
    const { outcome, records, hasChanged } = await ask(session, ids);
    switch (outcome) {
      case 'recorded':
        for (const record of records) session.context.output.line(recordedText(record));
        await continueRuns(session, records);
        return records.length === 1
          ? records.map(recordedText).join('')
          : `${records.length} requests are ${decisionOf(records)}`;
      case 'interrupted':
        interruptOnce(session);
        return 'interrupted';
      case 'changed':
        if (hasChanged) return 'you have changed it: another person decides about the new request';
        await endExpired(session, ids);
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

/** What came of showing them; `hasChanged` = this person has changed the input of the one that was shown. */
async function ask(
  session: Session,
  ids: readonly string[],
): Promise<{
  readonly outcome: Asked['outcome'];
  readonly records: readonly ApprovalRecord[];
  readonly hasChanged: boolean;
}> {
  const [only = ''] = ids;
  if (ids.length > 1) return { ...(await askForBatch(session, ids)), hasChanged: false };
  const asked = await askForDecision(session, { approvalId: only, reason: null });
  return asked.outcome === 'recorded'
    ? { outcome: 'recorded', records: [asked.record], hasChanged: false }
    : { outcome: asked.outcome, records: [], hasChanged: asked.made !== undefined };
}

/** What became of a batch: `approved`, or `approved (2), pending (1)` where they differ. */
function decisionOf(records: readonly ApprovalRecord[]): string {
  const states = [...new Set(records.map(({ state }) => state))];
  if (states.length === 1) return states.join('');
  return states
    .map((state) => `${state} (${records.filter((one) => one.state === state).length})`)
    .join(', ');
}

async function continueRuns({ context, writ }: Session, records: readonly ApprovalRecord[]): Promise<void> {
  const decided = new Set(records.filter((one) => one.state !== 'pending').map((one) => one.run));
  for (const run of decided) await goOn(context, writ, run);
}

/** Where nobody goes on with its run, a request whose time is over would wait here for ever. */
async function endExpired({ context, writ }: Session, ids: readonly string[]): Promise<void> {
  const records = await Promise.all(ids.map((id) => writ.approvalRecord(id)));
  const over = records.find((one) => one?.state === 'pending' && context.nowMs() >= one.expiresAtMs);
  if (over !== undefined && over !== null) await goOn(context, writ, over.run);
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
