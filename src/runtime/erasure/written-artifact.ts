// An artifact that a run has written, as the input of an erasure names it.
import { isList, isDigest, isObject, type Digest, type Json } from '../../json.js';

/** What a run wrote, by digest, and the names that it gave it. Part of what is approved. */
export interface WrittenArtifact {
  readonly digest: Digest;
  readonly run: string;
  readonly names: readonly string[];
}

/** Null when it is none. */
export function parseWritten(value: Json | undefined): readonly WrittenArtifact[] | null {
  if (value === undefined) return [];
  if (!isList(value)) return null;
  const found: WrittenArtifact[] = [];
  for (const one of value) {
    if (!isObject(one) || typeof one['run'] !== 'string' || !isList(one['names'])) return null;
    const { digest, run, names } = one;
    if (typeof digest !== 'string' || !isDigest(digest)) return null;
    const texts = names.filter((name) => typeof name === 'string');
    if (texts.length !== names.length) return null;
    found.push({ digest, run, names: texts });
  }
  return found;
}
