// Which entries of the log are about which step of a run: where an auditor finds what `results` says.
import { parseEntry } from '../../audit/entry.js';
import type { LogRow, Store } from '../ports.js';

/** Entries in memory at once. */
const PAGE = 1_000;

/**
 * Log indices (decimal, in order) by step path; a decision about an approval counts for the step that it is about.
 * Steps in `hidden` are left out.
 */
export async function stepEntries(
  store: Pick<Store, 'entriesOfRun'>,
  run: string,
  hidden: ReadonlySet<string> = new Set(),
): Promise<ReadonlyMap<string, readonly string[]>> {
  const byStep = new Map<string, string[]>();
  const stepOfApproval = new Map<string, string>();
  for await (const page of pagesOf(store, run)) {
    for (const { bytes, index } of page) {
      if (hidden.size > 0 && hidden.has(pathIn(bytes) ?? '')) continue;
      const { stepPath, approvalId } = parseEntry(bytes).data;
      const approval = typeof approvalId === 'string' ? approvalId : null;
      const step = typeof stepPath === 'string' ? stepPath : stepOfApproval.get(approval ?? '');
      if (step === undefined) continue;
      if (approval !== null) stepOfApproval.set(approval, step);
      const own = byStep.get(step) ?? [];
      own.push(index.toString());
      byStep.set(step, own);
    }
  }
  return byStep;
}

/** Pages, not entries: an asynchronous turn for each of forty thousand costs as much as looking at them. */
async function* pagesOf(store: Pick<Store, 'entriesOfRun'>, run: string): AsyncGenerator<readonly LogRow[]> {
  for (let from = 0; ; from += PAGE) {
    const page = await store.entriesOfRun(run, { from, limit: PAGE });
    yield page;
    if (page.length < PAGE) return;
  }
}

const KEY = Buffer.from('"stepPath":"');
const QUOTE = 0x22;

/**
 * The step path as it stands in the bytes of an entry, unread: parsing all entries of ten thousand items costs more than
 * everything else that is shown of them. Quotes within strings are escaped, so no string holds this key.
 */
function pathIn(bytes: Uint8Array): string | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const key = text.indexOf(KEY);
  if (key === -1) return null;
  const start = key + KEY.length;
  return text.toString('utf8', start, text.indexOf(QUOTE, start));
}
