// What artifacts carry: `<64 hex>/<hash of what is said>.json` below one folder, all that was ever said of the bytes in one
// file: without it nobody knows, and no file can be taken away so that less is known to be in them.
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isList, isObject, readJson, type Digest, type Json } from '../../json.js';
import type { ArtifactData } from '../../runtime/ports.js';
import { areFolders, broken, digestOf, entriesOf, MODES, readFileAt } from './artifact-file.js';
import { removeFile, replaceFile } from './durable-file.js';

/** All that is said of an artifact. */
const MAX_SAID_BYTES = 1024 * 1024;
/** Each means that another process has said something meanwhile. */
const MAX_MISSES = 16;
const STATEMENTS = /^[0-9a-f]{64}\.json$/;

export interface ArtifactStatements {
  /** One more statement; what two processes say at once is both kept. */
  say(digest: Digest, data: ArtifactData): Promise<void>;
  /** All that was said of the bytes, each once. Throws INTEGRITY_DIGEST when that was changed. */
  of(digest: Digest): Promise<readonly ArtifactData[]>;
}

/** Statements below `said`, a folder of `root`. */
export function openArtifactStatements(root: string, said: string): ArtifactStatements {
  const folderOf = (digest: Digest): string => join(said, digest.slice('sha256:'.length));
  const filesOf = async (digest: Digest): Promise<readonly Said[]> => {
    const folder = folderOf(digest);
    for (let miss = 0; miss < MAX_MISSES; miss += 1) {
      const files = await entriesOf(STATEMENTS, root, said, folder);
      const found = await Promise.all(files.map((file) => readSaid(join(folder, file), file)));
      const whole = found.filter((one) => one !== null);
      // One that is gone now stands in another that was not there yet.
      if (whole.length === found.length) return whole;
    }
    throw broken('does not stay');
  };
  return {
    async say(digest, data) {
      const folder = folderOf(digest);
      await areFolders(root, said, folder);
      const before = await filesOf(digest);
      const bytes = bytesOf(digest, [...before.flatMap((one) => one.statements), data]);
      const file = fileOf(bytes);
      await replaceFile(join(folder, file), bytes, MODES);
      // Only now, and only what stands in the new one too.
      for (const one of before) if (one.file !== file) await removeFile(join(folder, one.file));
    },
    async of(digest) {
      const found = await filesOf(digest);
      if (found.some((one) => one.isChanged)) throw broken('was changed');
      return statementsOf(found.flatMap((one) => one.statements));
    },
  };
}

/** A file is named by its bytes. */
function fileOf(bytes: Uint8Array): string {
  return `${digestOf(bytes).slice('sha256:'.length)}.json`;
}

/** Throws USAGE when more is said than is kept. */
function bytesOf(digest: Digest, all: readonly ArtifactData[]): Uint8Array {
  const said = statementsOf(all).map((one) => [one.labels, one.classification]);
  const bytes = new TextEncoder().encode(JSON.stringify({ v: 1, said }));
  if (bytes.length <= MAX_SAID_BYTES) return bytes;
  throw new WritError('USAGE', `too many different things have been said of ${digest}`, {
    hint: 'it carries all of them: say less of it, or put other bytes',
  });
}

interface Said {
  readonly file: string;
  /** Then nobody knows what was said there. */
  readonly isChanged: boolean;
  readonly statements: readonly ArtifactData[];
}

/** Null when it is gone. */
async function readSaid(path: string, file: string): Promise<Said | null> {
  const bytes = await readFileAt(path, MAX_SAID_BYTES);
  if (bytes === null) return null;
  const isChanged = fileOf(bytes) !== file;
  const value = isChanged ? null : readJson(new TextDecoder().decode(bytes));
  // A list by itself is one statement: so they were written once, a file each.
  const all = isObject(value) ? value['said'] : [value];
  return { file, isChanged, statements: (isList(all) ? all : [null]).map(readStatement) };
}

/** What is not understood is not known, which counts as the worst. */
function readStatement(value: Json): ArtifactData {
  const [labels = null, classification = null] = isList(value) ? value : [];
  const texts = isList(labels) ? labels.filter((label) => typeof label === 'string') : [];
  return {
    labels: isList(labels) && texts.length === labels.length ? texts : null,
    classification: typeof classification === 'string' ? classification : null,
  };
}

/** Each once, in one order: the same statements are the same file. */
function statementsOf(all: readonly ArtifactData[]): readonly ArtifactData[] {
  const byText = new Map(all.map((one) => [JSON.stringify([one.labels, one.classification]), one]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
