// Rule 4 for a log whose key was replaced: once the whole tree is read it is known which key signed at which size.
// A second reading of the checkpoints, which keeps none of them: each has a signature of a key of its time.
import { parseCheckpointPath } from '../tile-path.js';
import type { KeyHistory } from './key-history.js';
import type { FindingList, Where } from './report.js';
import type { OpenCheckpoint, ReadCheckpoint } from './signed-checkpoint.js';
import type { LogSource } from './source.js';
import type { SeenNote } from './trust.js';

export interface FormerCheckpoints {
  readonly source: LogSource;
  readonly given: readonly SeenNote[];
  /** Opens with the trusted keys and those they replaced. */
  readonly open: OpenCheckpoint;
  readonly keys: KeyHistory;
  /** `what` of those that are no prefix of the tree, as the first reading found. */
  readonly forks: ReadonlySet<string>;
}

/** Unsigned ones go to `early`, signed ones that are no prefix to `forked`. */
export async function judgeFormer(
  { source, given, open, keys, forks }: FormerCheckpoints,
  early: FindingList,
  forked: FindingList,
): Promise<void> {
  const judge = (read: ReadCheckpoint, what: string, expected: bigint | null, where: Where): void => {
    if ('verdict' in read) {
      // Other faults were found by the first reading.
      if (read.verdict === 'bad-signature') early.add(read.verdict, `${what}: ${read.message}`, where);
      return;
    }
    const { size } = read.checkpoint;
    const fault = signerFault(read.signers, size, keys);
    if (fault !== null) early.add('bad-signature', `${what}: ${fault}`, where);
    else if (expected !== null && size !== expected) {
      early.add('malformed', `${what} holds the checkpoint of size ${size}`, where);
    } else if (forks.has(what))
      forked.add('fork', `${what} of size ${size} is not a prefix of this log`, where);
  };
  for (const { note, what } of given) judge(open(note), what, null, {});
  if (source.list === undefined) return;
  for await (const path of source.list('checkpoints')) {
    const size = parseCheckpointPath(path);
    const bytes = size === null ? null : await source.get(path);
    if (bytes !== null) judge(open(bytes), path, size, { path });
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
