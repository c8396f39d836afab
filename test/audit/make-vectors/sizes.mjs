// One log at the sizes where tiles begin and end.
import { Log, checkpointPath } from './log.mjs';
import { copy, group, ok, remove } from './vector-file.mjs';

const SIZES = [0, 1, 2, 255, 256, 257, 600];
/** One log that published at each size; a smaller log is the same one with what came later taken away. */
export function sizes() {
  const { keep, test, write } = group('sizes', 'one log at the sizes where tiles begin and end');
  const log = new Log();
  const [listed, all] = [new Map(), new Map()];
  for (const size of SIZES) {
    if (size > 0 && log.entries.length === 0) log.open();
    log.notes(size);
    log.files = new Map();
    log.publish();
    listed.set(size, [...log.files.keys()]);
    for (const [path, bytes] of log.files) all.set(path, bytes);
  }
  log.files = all;
  keep('grown', log);
  test('a log of 600 entries that was published at every size', 'grown', ok);
  for (const size of SIZES) {
    const edits = [copy(checkpointPath(size), 'checkpoint'), { op: 'keep', paths: listed.get(size) }];
    test(`a log of ${size} entries`, 'grown', ok, {}, edits);
    test(
      `a log of ${size} entries without any key from outside`,
      'grown',
      { verdict: 'unpinned' },
      { vkeys: [] },
      edits,
    );
    test(
      `a log of ${size} entries and all its earlier checkpoints`,
      'grown',
      ok,
      { old: SIZES.filter((old) => old <= size).map((old) => all.get(checkpointPath(old))) },
      edits,
    );
    if (size > 0) {
      const last = listed
        .get(size)
        .filter((path) => path.startsWith('tile/entries/'))
        .sort()
        .at(-1);
      test(
        `a log of ${size} entries whose last bundle lacks a byte`,
        'grown',
        { verdict: 'malformed', path: last },
        {},
        [...edits, { op: 'cut', path: last, bytes: 1 }],
      );
      test(
        `a log of ${size} entries whose last bundle is missing`,
        'grown',
        { verdict: 'missing', path: last },
        {},
        [...edits, remove(last)],
      );
    }
    for (const path of listed.get(size)) {
      if (path !== 'checkpoint' && !path.startsWith('tile/entries'))
        test(`a log of ${size} entries without ${path}`, 'grown', { verdict: 'missing', path }, {}, [
          ...edits,
          remove(path),
        ]);
    }
  }
  write();
}
