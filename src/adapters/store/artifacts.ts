// Artifacts as files below one directory: `sha256/ab/<64 hex>` holds bytes, `names/` refers to them (artifact-names.ts),
// `data/` says what they carry (artifact-data.ts). What is said of bytes is there before they are, and stays when they go.
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isDigest, type Digest } from '../../json.js';
import { MAX_ARTIFACT_BYTES, type Artifacts } from '../../runtime/ports.js';
import { openArtifactStatements } from './artifact-data.js';
import { areFolders, digestOf, MODES, readFileAt, storedAt } from './artifact-file.js';
import { checkArtifactName, openArtifactNames, type ArtifactNames } from './artifact-names.js';
import { readBounded, removeFile, replaceFile } from './durable-file.js';

/** A directory that does not exist yet holds nothing; it is made with the first artifact. */
export function openArtifacts(directory: string): Artifacts {
  const names = openArtifactNames(directory, join(directory, 'names'));
  const statements = openArtifactStatements(directory, join(directory, 'data'));
  const blobs = openBlobs(directory, join(directory, 'sha256'));
  return {
    digestOf,
    async put(bytes, name, data) {
      if (name !== null) checkArtifactName(name);
      checkSize(bytes);
      const digest = digestOf(bytes);
      await statements.say(digest, data);
      await blobs.write(digest, bytes);
      if (name !== null) await names.set({ name, digest, size: bytes.length });
      // Whoever removes the same bytes looks for names after it has: one of the two sees the other.
      if (!(await blobs.has(digest))) await blobs.write(digest, bytes);
      return digest;
    },
    find: (name) => names.find(name),
    async read(digest) {
      if (!isDigest(digest)) throw new WritError('USAGE', 'an artifact is read by sha256: and 64 hex digits');
      return blobs.read(digest);
    },
    async dataOf(digest) {
      if (!isDigest(digest))
        throw new WritError('USAGE', 'an artifact is named by sha256: and 64 hex digits');
      return statements.of(digest);
    },
    has: (digest) => blobs.has(digest),
    async remove(digest, given) {
      for (const name of given) if ((await names.find(name))?.digest === digest) await names.remove(name);
      return blobs.remove(digest, names);
    },
    list: (prefix, limit) => names.list(prefix, limit),
  };
}

interface Blobs {
  write(digest: Digest, bytes: Uint8Array): Promise<void>;
  has(digest: Digest): Promise<boolean>;
  /** Throws INTEGRITY_DIGEST when they are not what they were. */
  read(digest: Digest): Promise<Uint8Array | null>;
  /** False when a name refers to them: then they stay. What they carried stays known where they come back. */
  remove(digest: Digest, names: Pick<ArtifactNames, 'isNamed'>): Promise<boolean>;
}

/** Bytes below `blobs`, a folder of `root`. */
function openBlobs(root: string, blobs: string): Blobs {
  const placeOf = (digest: Digest): { readonly folder: string; readonly path: string } => {
    const hex = digest.slice('sha256:'.length);
    const folder = join(blobs, hex.slice(0, 2));
    return { folder, path: join(folder, hex) };
  };
  const isThere = (folder: string): Promise<boolean> => areFolders(root, blobs, folder);
  return {
    async write(digest, bytes) {
      const { folder, path } = placeOf(digest);
      await isThere(folder);
      // Written anew where it is there already: whoever wrote it may have died before it was durable, and a file that
      // somebody has changed is put right.
      await replaceFile(path, bytes, MODES);
    },
    async has(digest) {
      const { folder, path } = placeOf(digest);
      return (await isThere(folder)) && (await storedAt(path)) !== null;
    },
    async read(digest) {
      const { folder, path } = placeOf(digest);
      if (!(await isThere(folder))) return null;
      const bytes = await readFileAt(path, MAX_ARTIFACT_BYTES);
      if (bytes === null || digestOf(bytes) === digest) return bytes;
      throw new WritError('INTEGRITY_DIGEST', `the bytes of artifact ${digest} are not what they were`, {
        hint: 'put the same file again, and find out who changed the data directory',
      });
    },
    async remove(digest, names) {
      const { folder, path } = placeOf(digest);
      if (!(await isThere(folder))) return true;
      if (await names.isNamed(digest)) return false;
      const bytes = await readBounded(path, MAX_ARTIFACT_BYTES, 'refuse');
      await removeFile(path);
      // A name that came meanwhile: one of the two sees the other.
      if (bytes === null || !(await names.isNamed(digest))) return true;
      await replaceFile(path, bytes, MODES);
      return false;
    },
  };
}

/** Throws USAGE. */
function checkSize(bytes: Uint8Array): void {
  if (bytes.length <= MAX_ARTIFACT_BYTES) return;
  const message = `an artifact of ${bytes.length} bytes is larger than ${MAX_ARTIFACT_BYTES}`;
  throw new WritError('USAGE', message, { hint: 'cut it into several' });
}
