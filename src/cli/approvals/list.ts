// `writ approvals list`: requests in pages, oldest first, and what they cost the people who decide.
import { MAX_LISTED, pageOf } from '../../runtime/view/list-cursor.js';
import type { ApprovalFilter } from '../../runtime/ports.js';
import { withWrit, widthOf, type Context } from '../context.js';
import { afterOf, type ListFlags } from '../list-flags.js';
import { shortReference } from '../output.js';
import { expiryText } from '../run/render.js';

export interface ApprovalListFlags extends ListFlags {
  /** Emergency votes that nobody has looked at yet. */
  readonly reviews?: boolean;
  readonly stats?: boolean;
}

const HEAD = ['approval', 'state', 'step', 'function', 'asked by', 'expires'];
/** `approvals show` tells these. */
const LESS_IMPORTANT = ['function', 'asked by'];

export async function listApprovals(context: Context, flags: ApprovalListFlags): Promise<number> {
  const { output } = context;
  if (flags.stats === true) return showStatistics(context);
  const after = afterOf(flags.cursor, 'apr');
  const [isAll, isReviews] = [flags.all === true, flags.reviews === true];
  return withWrit(context, async (writ) => {
    // NOT_FOUND for a run that there is none of: it is not one without requests.
    if (flags.run !== undefined) await writ.status(flags.run);
    const filter: ApprovalFilter = {
      ...(flags.run === undefined ? {} : { run: flags.run }),
      ...(isAll || isReviews ? {} : { states: ['pending'] }),
    };
    const { page: records, cursor } = await pageOf(after, (part) => writ.approvals({ ...filter, ...part }), {
      isListed: (one) => !isReviews || one.review?.closedBy === null,
      most: flags.limit ?? MAX_LISTED,
    });
    if (output.json) {
      output.value({ approvals: records, cursor });
      return 0;
    }
    if (records.length === 0) {
      const nothing = isAll ? 'there is no approval request' : 'no approval request is pending';
      output.note(isReviews ? 'no emergency decision waits for its review' : nothing);
      return 0;
    }
    const { renderFitting } = await import('../table.js');
    const rows = records.map((one) => [
      one.id,
      one.state,
      one.stepPath,
      shortReference(one.functionId),
      one.requester,
      one.state === 'pending' ? expiryText(one.expiresAtMs, context.nowMs()) : '-',
    ]);
    // Where all are listed, their states tell them apart.
    const lessImportant = [...LESS_IMPORTANT, ...(isAll || isReviews ? [] : ['state'])];
    output.line(renderFitting(output.colors, HEAD, rows, { columns: widthOf(context), lessImportant }));
    if (cursor !== null) output.note(`there are more: add --cursor ${cursor}`);
    return 0;
  });
}

/** Requests per run, how long a decision takes, and how many approvals come faster than anybody reads. */
async function showStatistics(context: Context): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const stats = await writ.approvalStatistics();
    if (output.json) {
      output.value({ statistics: stats });
      return 0;
    }
    const { shareApprovedWithin2s: share, medianDecisionMs: median } = stats;
    output.line(`requests               ${stats.requests} in ${stats.runs} runs`);
    output.line(`requests per run       ${stats.requestsPerRun.toFixed(2)}`);
    output.line(`votes                  ${stats.votes}, ${stats.approvals} of them approve`);
    output.line(`median decision time   ${median === null ? '-' : `${(median / 1000).toFixed(1)} s`}`);
    const hasty = share === null ? '-' : `${stats.approvedWithin2s}, ${(share * 100).toFixed(0)} %`;
    output.line(`approved within 2 s    ${hasty}`);
    output.line(`emergency votes        ${stats.breakGlass}, ${stats.openReviews} not reviewed`);
    return 0;
  });
}
