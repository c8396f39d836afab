// Rule 4 for a log whose key was replaced: once the whole tree is read it is known which key signed at which size.
// A second reading of the checkpoints, which keeps none of them: each has a signature of a key of its time.
import { parseCheckpointPath } from '../tile-path.js';
import type { KeyHistory } from './key-history.js';
import type { FindingList, Where } from './report.js';
import type { OpenCheckpoint } from './signed-checkpoint.js';
import type { LogSource } from './source.js';
import type { SeenNote } from './trust.js';

export interface FormerCheckpoints {
  readonly source: LogSource;
  readonly given: readonly SeenNote[];
  /** Opens with the trusted keys, as the first reading did. */
  readonly first: OpenCheckpoint;
  /** Opens with them and those they replaced. */
  readonly open: OpenCheckpoint;
  /** Of the newest checkpoint. */
  readonly size: bigint;
  readonly keys: KeyHistory;
  /** `what` of those that are no prefix of the tree, as the first reading found. */
  readonly forks: ReadonlySet<string>;
}

/** Unsigned ones go to `early`, signed ones that are no prefix to `forked`. */
export async function judgeFormer(
  { source, given, first, open, size, keys, forks }: FormerCheckpoints,
  early: FindingList,
  forked: FindingList,
): Promise<void> {
  const judge = (note: string | Uint8Array, what: string, named: bigint | null, where: Where): void => {
    const before = first(note);
    const isFormers = 'verdict' in before;
    // Only what may be a former key's was left open; all else was told by the first reading.
    if (isFormers && (before.claimed === undefined || (named ?? before.claimed.checkpoint.size) > size))
      return;
    const read = open(note);
    if ('verdict' in read) {
      if (isFormers || read.verdict === 'bad-signature')
        early.add(read.verdict, `${what}: ${read.message}`, where);
      return;
    }
    const { size: told } = read.checkpoint;
    const fault = signerFault(read.signers, told, keys);
    if (fault !== null) early.add('bad-signature', `${what}: ${fault}`, where);
    else if (!isFormers) return;
    else if (named !== null && told !== named) {
      early.add('malformed', `${what} holds the checkpoint of size ${told}`, where);
    } else if (forks.has(what))
      forked.add('fork', `${what} of size ${told} is not a prefix of this log`, where);
  };
  for (const { note, what } of given) judge(note, what, null, {});
  if (source.list === undefined) return;
  for await (const path of source.list('checkpoints')) {
    const named = parseCheckpointPath(path);
    const bytes = named === null ? null : await source.get(path);
    if (bytes !== null) judge(bytes, path, named, { path });
  }
}

/** Why none of `signers` may have signed a checkpoint of this size; null when one may. */
export function signerFault(
  signers: readonly Parameters<KeyHistory['lastSize']>[0][],
  size: bigint,
  keys: KeyHistory,
): string | null {
  const ends = signers.map((key) => keys.lastSize(key));
  if (ends.some((end) => end === null || size <= end)) return null;
  return `signed only by a key that was replaced at size ${ends.join(', ')}`;
}
