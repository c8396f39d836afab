// Artifacts as files below one directory: `sha256/ab/<64 hex>` holds bytes, `names/<hash of bucket>/<hash of name>.json`
// refers to them, `data/<64 hex>/<hash of what is said>.json` says what they carry, all that was ever said in one file:
// without it nobody knows, and no file can be taken away so that less is known to be in them. No path holds any text from outside, so no name can lead elsewhere or meet another one. Bytes are
// hashed on every read, nothing is remembered, and no link is followed: a link where a folder or a file should be is a fault.
import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isDigest, isObject, type Digest, type Json } from '../../json.js';
import {
  artifactNameProblem,
  MAX_ARTIFACT_BYTES,
  type ArtifactData,
  type ArtifactName,
  type Artifacts,
  type ListedArtifact,
} from '../../runtime/ports.js';
import { fileError, hasCode, readBounded, removeFile, replaceFile } from './durable-file.js';

const MODES = { file: 0o600, directory: 0o700 };
const MAX_REFERENCE_BYTES = 16 * 1024;
/** All that is said of an artifact. */
const MAX_SAID_BYTES = 1024 * 1024;
/** Each means that another process has said something meanwhile. */
const MAX_MISSES = 16;
const REFERENCE = /^[0-9a-f]{64}\.json$/;
const BUCKET = /^[0-9a-f]{64}$/;

/** A directory that does not exist yet holds nothing; it is made with the first artifact. */
export function openArtifacts(directory: string): Artifacts {
  const blobs = join(directory, 'sha256');
  const names = join(directory, 'names');
  const blobAt = (digest: Digest): { readonly folder: string; readonly path: string } => {
    const hex = digest.slice('sha256:'.length);
    const folder = join(blobs, hex.slice(0, 2));
    return { folder, path: join(folder, hex) };
  };
  const said = join(directory, 'data');
  const saidAt = (digest: Digest): string => join(said, digest.slice('sha256:'.length));
  const nameAt = (name: string): { readonly folder: string; readonly path: string } => {
    const folder = join(names, hexOf(name.slice(0, name.indexOf('/'))));
    return { folder, path: join(folder, `${hexOf(name)}.json`) };
  };
  const find = async (name: string): Promise<ArtifactName | null> => {
    checkName(name);
    const { folder, path } = nameAt(name);
    if (!(await areFolders(directory, names, folder))) return null;
    const found = await readReference(path);
    if (found !== null && found.name !== name) throw broken('is of another name');
    return found;
  };
  return {
    digestOf,
    async put(bytes, name, data) {
      if (name !== null) checkName(name);
      if (bytes.length > MAX_ARTIFACT_BYTES) {
        throw new WritError(
          'USAGE',
          `an artifact of ${bytes.length} bytes is larger than ${MAX_ARTIFACT_BYTES}`,
          {
            hint: 'cut it into several',
          },
        );
      }
      const digest = digestOf(bytes);
      await areFolders(directory, said, saidAt(digest));
      await say(digest, data);
      const blob = blobAt(digest);
      await areFolders(directory, blobs, blob.folder);
      // Written anew where it is there already: whoever wrote it may have died before it was durable, and a file that
      // somebody has changed is put right.
      await replaceFile(blob.path, bytes, MODES);
      if (name !== null) {
        const { folder, path } = nameAt(name);
        await areFolders(directory, names, folder);
        const reference = JSON.stringify({ v: 1, name, digest, size: bytes.length });
        await replaceFile(path, new TextEncoder().encode(reference), MODES);
      }
      // Whoever removes the same bytes looks for names after it has: one of the two sees the other.
      if ((await storedAt(blob.path)) === null) await replaceFile(blob.path, bytes, MODES);
      return digest;
    },
    find,
    async read(digest) {
      if (!isDigest(digest)) throw new WritError('USAGE', 'an artifact is read by sha256: and 64 hex digits');
      const { folder, path } = blobAt(digest);
      if (!(await areFolders(directory, blobs, folder))) return null;
      const bytes = await readFileAt(path, MAX_ARTIFACT_BYTES);
      if (bytes === null) return null;
      if (digestOf(bytes) !== digest) {
        throw new WritError('INTEGRITY_DIGEST', `the bytes of artifact ${digest} are not what they were`, {
          hint: 'put the same file again, and find out who changed the data directory',
        });
      }
      return bytes;
    },
    async dataOf(digest) {
      if (!isDigest(digest))
        throw new WritError('USAGE', 'an artifact is named by sha256: and 64 hex digits');
      const found = await saidOf(digest);
      if (found.some((one) => one.isChanged)) throw broken('was changed');
      return statementsOf(found.flatMap((one) => one.statements));
    },
    async has(digest) {
      const { folder, path } = blobAt(digest);
      return (await areFolders(directory, blobs, folder)) && (await storedAt(path)) !== null;
    },
    async remove(digest, given) {
      for (const name of given) {
        if ((await find(name))?.digest === digest) await removeFile(nameAt(name).path);
      }
      const { folder, path } = blobAt(digest);
      if (!(await areFolders(directory, blobs, folder))) return true;
      if (await isNamed(digest)) return false;
      const bytes = await readBounded(path, MAX_ARTIFACT_BYTES, 'refuse');
      await removeFile(path);
      // What it carried stays known where it comes back.
      if (bytes === null || !(await isNamed(digest))) return true;
      await replaceFile(path, bytes, MODES);
      return false;
    },
    list,
  };

  /** What is said goes into one file with all that was said before; what two processes say at once is both kept. */
  async function say(digest: Digest, data: ArtifactData): Promise<void> {
    const before = await saidOf(digest);
    const statements = statementsOf([...before.flatMap((one) => one.statements), data]);
    const text = JSON.stringify({ v: 1, said: statements.map((one) => [one.labels, one.classification]) });
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > MAX_SAID_BYTES) {
      throw new WritError('USAGE', `too many different things have been said of ${digest}`, {
        hint: 'it carries all of them: say less of it, or put other bytes',
      });
    }
    const file = `${digestOf(bytes).slice('sha256:'.length)}.json`;
    const folder = saidAt(digest);
    await replaceFile(join(folder, file), bytes, MODES);
    // Only now, and only what stands in the new one too.
    for (const one of before) if (one.file !== file) await removeFile(join(folder, one.file));
  }

  async function saidOf(digest: Digest): Promise<readonly Said[]> {
    const folder = saidAt(digest);
    for (let miss = 0; miss < MAX_MISSES; miss += 1) {
      const files = await entriesOf(directory, folder, REFERENCE, said);
      const found = await Promise.all(files.map((file) => readSaid(join(folder, file), file)));
      const whole = found.filter((one) => one !== null);
      // One that is gone now stands in another that was not there yet.
      if (whole.length === found.length) return whole;
    }
    throw broken('does not stay');
  }

  async function isNamed(digest: Digest): Promise<boolean> {
    return (await list('', Infinity)).some((one) => one.digest === digest);
  }

  async function list(prefix: string, limit: number): Promise<readonly ListedArtifact[]> {
    const at = prefix.indexOf('/');
    const folders = at < 0 ? await entriesOf(directory, names, BUCKET) : [hexOf(prefix.slice(0, at))];
    const found: ListedArtifact[] = [];
    for (const bucket of folders) {
      const folder = join(names, bucket);
      for (const file of await entriesOf(directory, folder, REFERENCE, names)) {
        const path = join(folder, file);
        const one = await readReference(path);
        const storedAtMs = one === null ? null : await storedAt(path);
        if (one === null || storedAtMs === null) continue; // taken away meanwhile
        if (`${hexOf(one.name)}.json` !== file) throw broken('is of another name');
        if (one.name.startsWith(prefix)) found.push({ ...one, storedAtMs });
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, limit);
  }
}

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

function hexOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function checkName(name: string): void {
  const problem = artifactNameProblem(name);
  if (problem === null) return;
  throw new WritError(
    'USAGE',
    `${JSON.stringify(name.slice(0, 100))} is no name of an artifact: ${problem}`,
    {
      hint: 'name it BUCKET/KEY, such as claims/2026/open.csv',
    },
  );
}

/** False when one is missing. Throws STORE_IO when one is a link, or no folder. */
async function areFolders(...paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    try {
      if (!(await lstat(path)).isDirectory()) {
        throw new WritError('STORE_IO', `${path} is no directory of writ: links are not followed`, {
          hint: 'find out who put it there, and put the directory back',
        });
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error instanceof WritError ? error : fileError(path, 'read', error);
    }
  }
  return true;
}

/** Names of what lies in `folder` and is named so; none when it is not there. */
async function entriesOf(
  root: string,
  folder: string,
  named: RegExp,
  ...between: readonly string[]
): Promise<readonly string[]> {
  if (!(await areFolders(root, ...between, folder))) return [];
  try {
    // What a crash has left beside them is named otherwise.
    return (await readdir(folder)).filter((name) => named.test(name));
  } catch (error) {
    throw fileError(folder, 'list', error);
  }
}

async function readReference(path: string): Promise<ArtifactName | null> {
  const bytes = await readFileAt(path, MAX_REFERENCE_BYTES);
  if (bytes === null) return null;
  let value: Json;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
  } catch (cause) {
    throw broken('is no JSON', cause);
  }
  const { name, digest, size } = isObject(value) ? value : {};
  const isWhole = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
  if (typeof name !== 'string' || artifactNameProblem(name) !== null || !isWhole) throw broken('has no name');
  if (typeof digest !== 'string' || !isDigest(digest)) throw broken('has no digest');
  return { name, digest, size };
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
  const isChanged = `${digestOf(bytes).slice('sha256:'.length)}.json` !== file;
  const value = isChanged ? null : (JSON.parse(new TextDecoder().decode(bytes)) as Json);
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

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** Each once, in one order: the same statements are the same file. */
function statementsOf(all: readonly ArtifactData[]): readonly ArtifactData[] {
  const byText = new Map(all.map((one) => [JSON.stringify([one.labels, one.classification]), one]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** Null when there is nothing. What lies there and is no file of ours, or is longer than one, is a fault. */
async function readFileAt(path: string, limit: number): Promise<Uint8Array | null> {
  const bytes = await readBounded(path, limit, 'refuse');
  if (bytes !== null && bytes.length <= limit) return bytes;
  if (bytes === null && (await storedAt(path)) === null) return null;
  throw broken(bytes === null ? 'is no file: links are not followed' : 'is longer than it can be');
}

/** Null when there is nothing. */
async function storedAt(path: string): Promise<number | null> {
  try {
    return Math.floor((await lstat(path)).mtimeMs);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw fileError(path, 'read', error);
  }
}

function broken(what: string, cause?: unknown): WritError {
  return new WritError('INTEGRITY_DIGEST', `a file of the artifact store ${what}`, {
    hint: 'put the artifact again, and find out who changed the data directory',
    cause,
  });
}
