// The files of a simulation (`mocks.$s3`): what an itemReader reads and where a resultWriter writes. In memory only.
import { isRecordable } from '../canonical-json.js';
import {
  itemsFromText,
  objectPlace,
  resultFiles,
  resultsInline,
  type Reading,
  type ReadingAnswer,
  type Writing,
  type WritingAnswer,
} from '../engine/index.js';

/** `files` by `bucket/key`. */
export function readFrom(files: ReadonlyMap<string, string>, reading: Reading): ReadingAnswer {
  const { reader, maxItems } = reading;
  const { bucket, key, prefix: beginning, digest } = objectPlace(reading.arguments);
  if (/:listObjectsV2$/i.test(reader.resource)) {
    const prefix = `${bucket}/${beginning}`;
    const found = [...files]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, text]) => ({
        Etag: '"d41d8cd98f00b204e9800998ecf8427e"',
        Key: name.slice(bucket.length + 1),
        LastModified: 1577836800,
        Size: new TextEncoder().encode(text).length,
        StorageClass: 'STANDARD',
      }));
    return { ok: true, items: maxItems === null ? found : found.slice(0, maxItems) };
  }
  const name = key === '' ? digest : key;
  const text = files.get(bucket === '' ? name : `${bucket}/${name}`);
  if (text === undefined) {
    const message = `The specified key does not exist. Bucket: ${bucket}, Key: ${name}.`;
    return { ok: false, message };
  }
  const read = itemsFromText(reader.config, text, maxItems);
  // As a run refuses them.
  return !read.ok || isRecordable(read.items)
    ? read
    : { ok: false, message: 'The items hold what can not be recorded.' };
}

/** Without a resource the results stay in the output, in the form that is asked for. */
export function writeTo(files: Map<string, string>, writing: Writing, run: string): WritingAnswer {
  if (writing.writer.resource === null) return { ok: true, output: resultsInline(writing, run) };
  const place = objectPlace(writing.arguments);
  const made = resultFiles(writing, place, run);
  for (const { key, text } of made.files) files.set(`${place.bucket}/${key}`, text);
  return { ok: true, output: made.output };
}
