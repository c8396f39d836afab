// `writ audit export --out DIR`: the published log, byte for byte, where others can take it from, verified there; with
// --payloads also what its commitments stand for, in a private file that erasing a payload will find again.
import { WritError } from '../errors.js';
import { indexOf } from './audit-show.js';
import { whoActs, withPublishedWrit, type Context } from './context.js';
import { printable } from './output.js';

export interface ExportFlags {
  readonly out?: string;
  readonly payloads?: string;
  readonly size?: string;
}

/** Exit 0 when the copy verifies; 5 when it does not, 3 without the right `audit.export`, 2 when DIR is not empty. */
export async function exportAudit(context: Context, flags: ExportFlags): Promise<number> {
  const { out, payloads, size } = flags;
  if (out === undefined) {
    throw new WritError('USAGE', 'where to is not said', { hint: 'writ audit export --out DIR' });
  }
  const { output } = context;
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const request = {
      dir: out,
      payloads: payloads ?? null,
      size: size === undefined ? null : indexOf(size),
    };
    const made = await writ.exportLog(request, await whoActs(context, writ));
    const { report } = made;
    if (output.json) {
      output.value({
        dir: out,
        size: made.size,
        vkey: made.vkey,
        files: made.files,
        payloads: made.payloads,
        report,
      });
      return report.ok ? 0 : 5;
    }
    output.line(report.ok ? output.colors.green(report.verdict) : output.colors.red(report.verdict));
    output.line(`copy      ${printable(out)}, ${made.files} files`);
    output.line(`size      ${made.size}`);
    output.line(`vkey      ${printable(made.vkey)}`);
    if (made.payloads !== null) output.line(`payloads  ${made.payloads} in ${printable(payloads ?? '')}`);
    for (const { verdict, message } of report.findings) output.line(`${verdict}: ${printable(message)}`);
    if (!report.ok)
      output.note('writ: hint: the copy has no checkpoint; look at the log itself: writ audit verify');
    return report.ok ? 0 : 5;
  });
}
