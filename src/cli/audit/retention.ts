// `writ audit retention`: how long payloads are kept. Showing needs no right; changing asks for `policy.edit` on
// `retention` and is logged before it is made.
import { WritError } from '../../errors.js';
import type { RetentionView } from '../../runtime/writ.js';
import { whoActs, withPublishedWrit, withWrit, type Context } from '../context.js';
import { printable, type Output } from '../output.js';

export interface RetentionFlags {
  readonly days?: string;
  readonly overrideMinimum?: string;
}

export async function showRetention(context: Context, flags: RetentionFlags): Promise<number> {
  const { output } = context;
  const { days, overrideMinimum } = flags;
  if (days === undefined) {
    if (overrideMinimum !== undefined)
      throw new WritError('USAGE', '--override-minimum goes with --days', { hint: 'say how many days' });
    return withWrit(context, async (writ) => show(output, await writ.retention()));
  }
  if (!/^[1-9][0-9]{0,5}$/.test(days)) {
    throw new WritError('USAGE', `--days "${days.slice(0, 40)}" is no number of days from 1 to 999999`, {
      hint: 'a whole number, such as 365',
    });
  }
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const change = { days: Number(days), override: overrideMinimum ?? null };
    return show(output, await writ.changeRetention(change, await whoActs(context, writ)));
  });
}

function show(output: Output, view: RetentionView): number {
  const { days, override, loggedDays } = view;
  if (output.json) {
    output.value(view);
    return 0;
  }
  output.line(`payloads are kept for ${days} days after their run finished`);
  if (override !== null) output.line(`below the minimum, because: ${printable(override)}`);
  if (loggedDays !== days) {
    output.note(
      `writ: warning: the log says ${loggedDays} days; nothing is erased for its age until both agree`,
    );
  }
  return 0;
}
