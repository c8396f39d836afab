// What a resultWriter makes of the results of a Map (ASL: ResultWriter): the files of one export and their manifest, with
// failures apart from successes, or the list that stays in the output. Pure: the same export has the same files, so
// writing it again after a crash changes nothing.

import { isList, isObject, type Json, type JsonObject } from '../json.js';
import type { ResultWriter } from '../workflow/plan.js';
import type { Writing } from './query.js';

/** Characters of one result file, as far as single results allow: more of them go into the next file. */
const FILE_CHARACTERS = 8 * 1024 * 1024;

const UTF8 = new TextEncoder();

export interface ResultFile {
  readonly key: string;
  readonly text: string;
}

export interface ResultExport {
  /** In the order in which they are to be written: what names the others comes last. */
  readonly files: readonly ResultFile[];
  /** The state's result. */
  readonly output: JsonObject;
}

/** Without a resource the results stay in the output. */
export function resultsInline(writing: Writing, run: string): readonly Json[] {
  return shown(writing.writer.transformation, writing.results, run);
}

/** Where a reader or writer points to: S3's words in either case, or `name`: `<bucket>/<key>`. '' = not said. */
export interface ObjectPlace {
  readonly bucket: string;
  /** Of a reader. */
  readonly key: string;
  /** Of a writer and of a list of objects. */
  readonly prefix: string;
  readonly digest: string;
}

/** `given` is attacker-controlled. */
export function objectPlace(given: Json): ObjectPlace {
  const said = (...names: readonly string[]): string => {
    const values = isObject(given) ? names.map((name) => given[name]) : [];
    return values.find((value) => typeof value === 'string') ?? '';
  };
  const name = said('Name', 'name');
  const at = name.indexOf('/');
  const [bucket, rest] = at < 0 ? ['', name] : [name.slice(0, at), name.slice(at + 1)];
  return {
    bucket: said('Bucket', 'bucket') || bucket,
    key: said('Key', 'key') || rest,
    prefix: said('Prefix', 'prefix') || rest,
    digest: said('Digest', 'digest'),
  };
}

/** One export; asked again it is the same. */
export function resultFiles(writing: Writing, place: ObjectPlace, run: string): ResultExport {
  const { writer, results } = writing;
  const { bucket } = place;
  const prefix = place.prefix.replace(/\/$/, '');
  const folder = `${prefix === '' ? '' : `${prefix}/`}${run.split(':').pop() ?? ''}-${writing.at}`;
  const succeeded = results.filter(({ error }) => error === null);
  const failed = results.filter(({ error }) => error !== null);
  // AWS's page: what a failed child leaves is exported unchanged, whatever the transformation.
  const files = [
    ...filesOf(`${folder}/SUCCEEDED`, writer, shown(writer.transformation, succeeded, run)),
    ...filesOf(`${folder}/FAILED`, writer, shown('NONE', failed, run)),
  ];
  const listed = (name: string): Json[] =>
    files
      .filter(({ key }) => key.startsWith(`${folder}/${name}_`))
      .map(({ key, text }) => ({ Key: key, Size: UTF8.encode(text).length }));
  const manifest: JsonObject = {
    DestinationBucket: bucket,
    MapRunArn: run,
    ResultFiles: { FAILED: listed('FAILED'), PENDING: [], SUCCEEDED: listed('SUCCEEDED') },
  };
  const manifestKey = `${folder}/manifest.json`;
  const isArn = writer.resource?.startsWith('arn:') === true;
  const output: JsonObject = {
    MapRunArn: run,
    ResultWriterDetails: { Bucket: bucket, Key: manifestKey },
    // AWS gives no counts here; they are what DescribeMapRun calls them.
    ...(isArn ? {} : { ItemCounts: countsOf(writing) }),
  };
  return { files: [...files, { key: manifestKey, text: JSON.stringify(manifest) }], output };
}

function countsOf({ results }: Writing): JsonObject {
  const failed = results.filter(({ error }) => error !== null).length;
  const total = results.length;
  return { Total: total, Succeeded: total - failed, Failed: failed, ResultsWritten: total };
}

/** Children as the transformation shows them: only NONE tells of those that failed. */
function shown(
  transformation: ResultWriter['transformation'],
  results: Writing['results'],
  run: string,
): readonly Json[] {
  if (transformation === 'NONE') return results.map((result) => detailed(result, run));
  const outputs = results.filter(({ error }) => error === null).map(({ output }) => output);
  return transformation === 'COMPACT'
    ? outputs
    : outputs.flatMap((output): Json | readonly Json[] => (isList(output) ? output : [output]));
}

function detailed({ index, input, output, error }: Writing['results'][number], run: string): Json {
  return {
    ExecutionArn: `${run}/${index}`,
    Input: JSON.stringify(input),
    InputDetails: { Included: true },
    Name: `${index}`,
    ...(error === null
      ? { Output: JSON.stringify(output), OutputDetails: { Included: true } }
      : { Error: error.code, Cause: error.message }),
    Status: error === null ? 'SUCCEEDED' : 'FAILED',
  };
}

/** No file where there is nothing to write. */
function filesOf(stem: string, { outputType }: ResultWriter, values: readonly Json[]): readonly ResultFile[] {
  const files: ResultFile[] = [];
  let held: string[] = [];
  let length = 0;
  const flush = (): void => {
    if (held.length === 0) return;
    const text = outputType === 'JSONL' ? `${held.join('\n')}\n` : `[${held.join(',')}]`;
    files.push({ key: `${stem}_${files.length}.${outputType === 'JSONL' ? 'jsonl' : 'json'}`, text });
    held = [];
    length = 0;
  };
  for (const value of values) {
    const text = JSON.stringify(value);
    if (length + text.length > FILE_CHARACTERS) flush();
    held.push(text);
    length += text.length + 1;
  }
  flush();
  return files;
}
