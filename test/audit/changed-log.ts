// Real logs as somebody changed them, made at random: entries before they are hashed, by who has the log's key and by who
// has not, then any of the files, and what a verifier is told beside them.
import fc from 'fast-check';
import { checkpointPath, parseCheckpoint } from '../../src/audit/index.js';
import { editEntries, entryEdit, pick, rechain, type EntryEdit } from './changed-entries.js';
import {
  editFile,
  fileEdit,
  FORGER,
  lied,
  LIES,
  logVkey,
  noteBy,
  seeds,
  textIn,
  WITNESSES,
  type FileEdit,
  type Lie,
  type Published,
} from './changed-files.js';
import { testSigner, type MemoryDirectory } from './log-fixture.js';
import { rawLog } from './raw-log.js';
import type { Given } from './second-verifier.js';

/** A good log, before any change. */
export interface Base {
  readonly entries: readonly Uint8Array[];
  readonly published: readonly Published[];
  readonly given: Given;
}
export interface Change {
  readonly entries: readonly EntryEdit[];
  /** What a changed entry did to those behind it is made good: `seq`, `prev`, and hashes of intents. */
  readonly rechained: boolean;
  /** Who signs what came out: the log's own keys, another, or nobody: the checkpoints stay as they were. */
  readonly sealed: 'own' | 'other' | 'kept';
  readonly files: readonly FileEdit[];
  readonly given: GivenEdit;
}

export interface GivenEdit {
  readonly vkeys: 'as before' | 'none' | 'forger' | 'both' | 'another log';
  readonly run: string | null;
  readonly old: readonly {
    readonly file: number;
    readonly by: readonly number[];
    readonly lie: Lie;
    readonly kept: boolean;
  }[];
  readonly quorum: number | null;
  readonly payloads: boolean;
}

function toldOf(base: Base, good: MemoryDirectory, edit: GivenEdit): Given {
  const forger = logVkey(FORGER);
  const own = base.given.vkeys ?? [];
  const vkeys = {
    'as before': own,
    none: [],
    forger: [forger],
    both: [...own, forger],
    'another log': [testSigner('log.example/other').vkey],
  }[edit.vkeys];
  const names = [...good.files.keys()].filter((name) => name.startsWith('checkpoint'));
  const old = edit.old.map(({ file, by, lie, kept }) => {
    const note = good.files.get(pick(names, file) ?? 'checkpoint') ?? new Uint8Array();
    return kept ? note : noteBy(lied(textIn(note) ?? '', lie), by);
  });
  return {
    vkeys,
    old: old.filter(isReadable),
    ...(edit.run === null ? {} : { run: edit.run }),
    ...(edit.quorum === null ? {} : { witnesses: WITNESSES, quorum: edit.quorum }),
    ...(edit.payloads && base.given.payloads !== undefined ? { payloads: base.given.payloads } : {}),
  };
}

/** What is given and can't be read is a wrong argument, no verdict. */
function isReadable(note: Uint8Array): boolean {
  try {
    parseCheckpoint(textIn(note) ?? '');
    return true;
  } catch {
    return false;
  }
}

/** The directory of these entries, each checkpoint signed as it was published. */
export function directoryOf(
  entries: readonly Uint8Array[],
  published: readonly Published[],
): MemoryDirectory {
  const reached = published.filter(({ size }) => size <= entries.length);
  if (reached.length === 0) reached.push({ size: entries.length, by: published.at(-1)?.by ?? [7] });
  const directory = rawLog(entries, { sizes: reached.map(({ size }) => size) });
  for (const { size, by, cosigned } of reached) {
    const path = checkpointPath(BigInt(size));
    const note = noteBy(textIn(directory.files.get(path)) ?? '', by, cosigned);
    directory.files.set(path, note);
    directory.files.set('checkpoint', note);
  }
  directory.files.set('vkey', new TextEncoder().encode(`${logVkey(reached.at(-1)?.by.at(-1) ?? 7)}\n`));
  return directory;
}

/** What `change` makes of the log, and what verifiers are told. */
export function changed(
  base: Base,
  change: Change,
): { readonly directory: MemoryDirectory; readonly given: Given } {
  const good = directoryOf(base.entries, base.published);
  const entries = [...base.entries];
  for (const edit of change.entries) editEntries(entries, edit);
  const last = base.entries.length;
  // The whole log is signed again, however long it has become.
  const grown = base.published.map((one) => (one.size === last ? { ...one, size: entries.length } : one));
  const by = change.sealed === 'other' ? grown.map((one) => ({ ...one, by: [FORGER] })) : grown;
  const directory =
    change.entries.length === 0 && change.sealed === 'own'
      ? good.copy()
      : directoryOf(change.rechained ? rechain(entries) : entries, by);
  if (change.sealed === 'kept') {
    for (const name of directory.files.keys())
      if (name.startsWith('checkpoint')) directory.files.delete(name);
    for (const [name, bytes] of good.files)
      if (/^(checkpoint|vkey)/.test(name)) directory.files.set(name, bytes);
  }
  for (const edit of change.files) editFile(directory, edit);
  return { directory, given: toldOf(base, good, change.given) };
}

const n = fc.nat(100_000);
const given: fc.Arbitrary<GivenEdit> = fc.record({
  vkeys: fc.constantFrom(
    'as before',
    'as before',
    'as before',
    'as before',
    'as before',
    'as before',
    'none',
    'forger',
    'both',
    'another log',
  ),
  run: fc.constantFrom(null, null, null, 'run_evidence', 'run-1', 'nobody'),
  old: fc.oneof(
    { arbitrary: fc.constant([]), weight: 3 },
    fc.array(fc.record({ file: n, by: seeds, lie: fc.constantFrom(...LIES), kept: fc.boolean() }), {
      maxLength: 2,
    }),
  ),
  quorum: fc.constantFrom(null, null, null, null, 1, 2, 3),
  payloads: fc.boolean(),
});
/** Entries or files, seldom both: behind a damaged tree what entries say is not judged. */
export const change: fc.Arbitrary<Change> = fc
  .record({
    entries: fc.array(entryEdit, { minLength: 1, maxLength: 3 }),
    rechained: fc.constantFrom(true, true, true, false),
    sealed: fc.constantFrom('own', 'own', 'own', 'own', 'own', 'own', 'other', 'kept'),
    files: fc.array(fileEdit, { minLength: 1, maxLength: 3 }),
    given,
    what: fc.constantFrom('entries', 'entries', 'files', 'files', 'both'),
  })
  .map(({ what, ...made }) => ({
    ...made,
    entries: what === 'files' ? [] : made.entries,
    files: what === 'entries' ? [] : made.files,
    sealed: what === 'files' ? 'own' : made.sealed,
  }));
