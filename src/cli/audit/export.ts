// `writ audit export --out DIR`: the published log, byte for byte, where others can take it from, verified there; with
// --payloads also what its commitments stand for, in a private file that erasing a payload will find again.
import { parseTreeSize } from '../../audit/tree-size.js';
import { WritError } from '../../errors.js';
import { whoActs, withPublishedWrit, type Context } from '../context.js';
import { refuseInside } from './out-path.js';
import { printable } from '../output.js';
import { showFindings, showVerdict } from './report.js';

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
  await refuseInside(context.data, payloads === undefined ? [out] : [out, payloads]);
  const { output } = context;
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const request = {
      dir: out,
      payloads: payloads ?? null,
      size: size === undefined ? null : sizeOf(size),
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
    showVerdict(output, report);
    output.line(`copy      ${printable(out)}, ${made.files} files`);
    output.line(`size      ${made.size}`);
    output.line(`vkey      ${printable(made.vkey)}`);
    if (made.payloads !== null) output.line(`payloads  ${made.payloads} in ${printable(payloads ?? '')}`);
    showFindings(output, report);
    if (!report.ok)
      output.note('writ: hint: the copy has no checkpoint; look at the log itself: writ audit verify');
    return report.ok ? 0 : 5;
  });
}

function sizeOf(text: string): bigint {
  const size = parseTreeSize(text);
  if (size !== null) return size;
  throw new WritError('USAGE', `"${text}" is no size of a log`, {
    hint: 'a decimal number of entries that was signed: the sizes are the names in <data>/audit/checkpoints',
  });
}
