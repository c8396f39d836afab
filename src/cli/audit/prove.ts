// `writ audit prove ENTRY --out F.tlog-proof`: the proof that the signed log holds one entry, and the entry's bytes in
// F.entry beside it. Both are for somebody who has neither this installation nor its log.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { replaceFile } from '../../adapters/store/durable-file.js';
import { WritError } from '../../errors.js';
import { indexOf } from './show.js';
import { whoActs, withPublishedWrit, type Context } from '../context.js';
import { refuseInside } from './out-path.js';
import { printable } from '../output.js';

export interface ProveFlags {
  readonly index?: string;
  readonly out?: string;
}

const SUFFIX = '.tlog-proof';
const LEAF_HASH = /^[0-9a-f]{64}$/;

/** `which` is an index or a leaf hash. Exit 0; 3 without the right `audit.read`; 2 when the files are there already. */
export async function proveEntry(
  context: Context,
  which: string | undefined,
  flags: ProveFlags,
): Promise<number> {
  const named = which ?? flags.index;
  if (named === undefined || (which !== undefined && flags.index !== undefined)) {
    throw new WritError('USAGE', 'name one entry: its index, or its leaf hash', {
      hint: 'writ audit show RUN lists those of a run',
    });
  }
  const entry = LEAF_HASH.test(named) && flags.index === undefined ? hexBytes(named) : indexOf(named);
  const { proofFile, entryFile } = filesOf(flags.out);
  await refuseInside(context.data, [proofFile, entryFile]);
  const { output } = context;
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const made = await writ.proveEntry(entry, await whoActs(context, writ));
    // The entry first: a proof that is there has its entry beside it.
    await replaceFile(resolve(entryFile), made.entry, MODES);
    await replaceFile(resolve(proofFile), new TextEncoder().encode(made.proof), MODES);
    const { index, size } = made;
    const leafHash = Buffer.from(made.leafHash).toString('hex');
    if (output.json) {
      output.value({ index, leafHash, size, proof: proofFile, entry: entryFile });
      return 0;
    }
    output.line(`proof   ${printable(proofFile)}`);
    output.line(`entry   ${printable(entryFile)}`);
    output.line(`index   ${index}, in the signed log of ${size}`);
    output.line(`leaf    ${leafHash}`);
    output.line();
    output.line(
      'whoever has your vkey from you checks both with: writ audit verify F.tlog-proof --vkey VKEY',
    );
    return 0;
  });
}

const MODES = { file: 0o644, directory: 0o755 };

function filesOf(out: string | undefined): { readonly proofFile: string; readonly entryFile: string } {
  if (out === undefined || !out.endsWith(SUFFIX)) {
    throw new WritError('USAGE', `--out names a file that ends in ${SUFFIX}`, {
      hint: `for example --out claim-7${SUFFIX}; the entry is written beside it`,
    });
  }
  const files = { proofFile: out, entryFile: `${out.slice(0, -SUFFIX.length)}.entry` };
  const taken = Object.values(files).find((file) => existsSync(file));
  if (taken === undefined) return files;
  throw new WritError('USAGE', `${taken} exists already`, {
    hint: 'name another file; nothing is overwritten',
  });
}

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
