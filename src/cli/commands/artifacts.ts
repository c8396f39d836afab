// The commands `writ artifact …`.
import type { Command } from 'commander';
import type { Leaf } from './leaf.js';
import { dataSaid, textsIn, withData } from './options.js';

/** Registers them at `parent`. */
export function addArtifactCommands(parent: Command, leaf: Leaf): void {
  const put = leaf(
    parent,
    'put',
    'store a file; prints its digest',
    'writ artifact put claims.csv --name claims/2026/open.csv --label pii',
    async (context, [file = ''], flags) =>
      (await import('../artifact.js')).putArtifact(context, file, {
        ...textsIn(flags, 'name'),
        ...dataSaid(flags),
      }),
  )
    .argument('<file>', 'any file up to 64 MiB; - for stdin')
    .option('--name <bucket/key>', 'the name by which workflows read it; it then refers to this file');
  withData(put, 'file');
  leaf(
    parent,
    'list',
    'list the names that you may read',
    'writ artifact list claims/2026/',
    async (context, [prefix = '']) => (await import('../artifact.js')).listArtifacts(context, prefix),
  ).argument('[prefix]', 'only names that begin so: a bucket, a / and the beginning of a key');
  leaf(
    parent,
    'get',
    'write the bytes of an artifact to a pipe or a new file',
    'writ artifact get claims/2026/open.csv --out open.csv',
    async (context, [which = ''], flags) =>
      (await import('../artifact.js')).getArtifact(context, which, textsIn(flags, 'out')),
  )
    .argument('<artifact>', 'its name, or sha256: and 64 hex digits')
    .option('--out <file>', 'a new file');
}
