// Names of artifacts: `<hash of bucket>/<hash of name>.json` below one folder refers to the bytes. No path holds any text
// from outside, so no name can lead elsewhere or meet another one.
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isDigest, isObject, readJson, type Digest, type Json } from '../../json.js';
import { artifactNameProblem, type ArtifactName, type ListedArtifact } from '../../runtime/ports.js';
import { areFolders, broken, entriesOf, hexOf, MODES, readFileAt, storedAt } from './artifact-file.js';
import { removeFile, replaceFile } from './durable-file.js';

const MAX_REFERENCE_BYTES = 16 * 1024;
const REFERENCE = /^[0-9a-f]{64}\.json$/;
const BUCKET = /^[0-9a-f]{64}$/;

export interface ArtifactNames {
  /** Refers to these bytes from now on. */
  set(reference: ArtifactName): Promise<void>;
  find(name: string): Promise<ArtifactName | null>;
  remove(name: string): Promise<void>;
  /** Those that begin with `prefix`, in the order of their names. */
  list(prefix: string, limit: number): Promise<readonly ListedArtifact[]>;
  /** Whether any name refers to these bytes. */
  isNamed(digest: Digest): Promise<boolean>;
}

/** Names below `names`, a folder of `root`. */
export function openArtifactNames(root: string, names: string): ArtifactNames {
  const placeOf = (name: string): { readonly folder: string; readonly path: string } => {
    const folder = join(names, hexOf(name.slice(0, name.indexOf('/'))));
    return { folder, path: join(folder, `${hexOf(name)}.json`) };
  };
  const listedAt = async (bucket: string, file: string): Promise<ListedArtifact | null> => {
    const path = join(names, bucket, file);
    const one = await readReference(path);
    const storedAtMs = one === null ? null : await storedAt(path);
    if (one === null || storedAtMs === null) return null; // taken away meanwhile
    if (`${hexOf(one.name)}.json` !== file) throw broken('is of another name');
    return { ...one, storedAtMs };
  };
  const list: ArtifactNames['list'] = async (prefix, limit) => {
    const at = prefix.indexOf('/');
    const buckets = at < 0 ? await entriesOf(BUCKET, root, names) : [hexOf(prefix.slice(0, at))];
    const found: ListedArtifact[] = [];
    for (const bucket of buckets) {
      for (const file of await entriesOf(REFERENCE, root, names, join(names, bucket))) {
        const one = await listedAt(bucket, file);
        if (one?.name.startsWith(prefix) === true) found.push(one);
      }
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, limit);
  };
  return {
    async set({ name, digest, size }) {
      const { folder, path } = placeOf(name);
      await areFolders(root, names, folder);
      const reference = JSON.stringify({ v: 1, name, digest, size });
      await replaceFile(path, new TextEncoder().encode(reference), MODES);
    },
    async find(name) {
      checkArtifactName(name);
      const { folder, path } = placeOf(name);
      if (!(await areFolders(root, names, folder))) return null;
      const found = await readReference(path);
      if (found !== null && found.name !== name) throw broken('is of another name');
      return found;
    },
    remove: (name) => removeFile(placeOf(name).path),
    list,
    isNamed: async (digest) => (await list('', Infinity)).some((one) => one.digest === digest),
  };
}

/** Throws USAGE. */
export function checkArtifactName(name: string): void {
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

async function readReference(path: string): Promise<ArtifactName | null> {
  const bytes = await readFileAt(path, MAX_REFERENCE_BYTES);
  if (bytes === null) return null;
  let value: Json;
  try {
    value = readJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw broken('is no JSON', cause);
  }
  const { name, digest, size } = isObject(value) ? value : {};
  const isWhole = typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
  if (typeof name !== 'string' || artifactNameProblem(name) !== null || !isWhole) throw broken('has no name');
  if (typeof digest !== 'string' || !isDigest(digest)) throw broken('has no digest');
  return { name, digest, size };
}
