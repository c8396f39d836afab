// The commands `writ artifact …`.
import { dataOptions, dataSaid, textsIn } from './options.js';
import type { Group } from './verb.js';

export const artifactCommands: Group = {
  name: 'artifact',
  does: 'files that distributed Maps read and write',
  example: 'writ artifact list',
  verbs: [
    {
      name: 'put',
      does: 'store a file; prints its digest',
      example: 'writ artifact put claims.csv --name claims/2026/open.csv --label pii',
      words: [['<file>', 'any file up to 64 MiB; - for stdin']],
      options: [
        ['--name <bucket/key>', 'the name by which workflows read it; it then refers to this file'],
        ...dataOptions('file'),
      ],
      action: async (context, [file = ''], flags) =>
        (await import('../artifact.js')).putArtifact(context, file, {
          ...textsIn(flags, 'name'),
          ...dataSaid(flags),
        }),
    },
    {
      name: 'list',
      does: 'list the names that you may read',
      example: 'writ artifact list claims/2026/',
      words: [['[prefix]', 'only names that begin so: a bucket, a / and the beginning of a key']],
      action: async (context, [prefix = '']) =>
        (await import('../artifact.js')).listArtifacts(context, prefix),
    },
    {
      name: 'get',
      does: 'write the bytes of an artifact to a pipe or a new file',
      example: 'writ artifact get claims/2026/open.csv --out open.csv',
      words: [['<artifact>', 'its name, or sha256: and 64 hex digits']],
      options: [['--out <file>', 'a new file']],
      action: async (context, [which = ''], flags) =>
        (await import('../artifact.js')).getArtifact(context, which, textsIn(flags, 'out')),
    },
  ],
};
