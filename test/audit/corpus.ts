// Reads the shared vector sets. They are outside the repository: a suite that can't find them skips and says so.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DIRECTORY = fileURLToPath(new URL('../../../shared/corpus/merkle/', import.meta.url));

export const HAVE_CORPUS = existsSync(DIRECTORY);

/** For titles: says why a suite is skipped. */
export const CORPUS_NOTE = HAVE_CORPUS ? '' : ' (skipped: ../shared/corpus/merkle is absent)';

export interface InclusionCase {
  name: string;
  leafIdx: number | string;
  treeSize: number | string;
  root: string;
  leafHash: string;
  proof: string[] | null;
  wantErr: boolean;
}

export interface ConsistencyCase {
  name: string;
  size1: number | string;
  size2: number | string;
  root1: string;
  root2: string;
  proof: string[] | null;
  wantErr: boolean;
}

export interface NoteCase {
  name: string;
  note_b64: string;
  vkeys: string[];
  ok: boolean;
  verified: string[];
  unverified: number;
}

export interface CheckpointCase {
  name: string;
  note_b64: string;
  vkey: string;
  ok: boolean;
  origin?: string;
  size?: number | string;
  root?: string;
  extensions?: string[];
}

/** The parsed file; an empty object when the corpus is absent. */
export function corpus<T>(name: string): Partial<T> {
  return HAVE_CORPUS ? (JSON.parse(readFileSync(`${DIRECTORY}${name}`, 'utf8')) as T) : {};
}

export function base64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}
