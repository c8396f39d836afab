import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import type { ResultWriter } from '../workflow/plan.js';
import type { Writing } from './query.js';
import { objectPlace, resultFiles, resultsInline } from './result-files.js';

const ok = (index: number, output: Json): Writing['results'][number] => ({
  index,
  input: index,
  output,
  error: null,
});
const bad = (index: number): Writing['results'][number] => ({
  ...{ index, input: index, output: null },
  error: { code: 'Oops', message: 'why' },
});
const PLACE = { bucket: 'b', key: '', prefix: 'p/', digest: '' };

function writing(results: Writing['results'], writer: Partial<ResultWriter> = {}): Writing {
  const whole: ResultWriter = {
    resource: 'artifact:write',
    transformation: 'COMPACT',
    outputType: 'JSON',
    ...writer,
  };
  return { id: '', at: 7, writer: whole, arguments: null, results };
}

describe('result files', () => {
  it.each<[ResultWriter['transformation'], ResultWriter['outputType'], string]>([
    ['COMPACT', 'JSON', '[[1,2],3]'],
    ['FLATTEN', 'JSON', '[1,2,3]'],
    ['FLATTEN', 'JSONL', '1\n2\n3\n'],
  ])('%s %s holds the outputs of what succeeded', (transformation, outputType, text) => {
    const made = resultFiles(
      writing([ok(0, [1, 2]), bad(1), ok(2, 3)], { transformation, outputType }),
      PLACE,
      'r',
    );
    expect(made.files[0]?.text).toBe(text);
    expect(made.files.map(({ key }) => key)).toEqual([
      `p/r-7/SUCCEEDED_0.${outputType.toLowerCase()}`,
      `p/r-7/FAILED_0.${outputType.toLowerCase()}`,
      'p/r-7/manifest.json',
    ]);
    expect(made.output['ItemCounts']).toEqual({ Total: 3, Succeeded: 2, Failed: 1, ResultsWritten: 3 });
  });

  it('tells of each child with NONE, and of failed ones whatever the transformation', () => {
    const failed = { Name: '1', Status: 'FAILED', Error: 'Oops', Cause: 'why', Input: '1' };
    for (const transformation of ['NONE', 'COMPACT', 'FLATTEN'] as const) {
      const { files } = resultFiles(writing([bad(1)], { transformation }), PLACE, 'r');
      expect(JSON.parse(files[0]?.text ?? '')).toMatchObject([failed]);
    }
    const [first] = resultFiles(writing([ok(0, 'x')], { transformation: 'NONE' }), PLACE, 'r').files;
    expect(JSON.parse(first?.text ?? '')).toMatchObject([{ Status: 'SUCCEEDED', Output: '"x"', Input: '0' }]);
  });

  it('cuts large exports into several files, all in the manifest with their sizes in bytes', () => {
    const results = [0, 1, 2].map((index) => ok(index, 'ä'.repeat(5_000_000)));
    const { files } = resultFiles(writing(results), PLACE, 'r');
    expect(files.map(({ key }) => key.split('/').at(-1))).toEqual([
      ...['SUCCEEDED_0.json', 'SUCCEEDED_1.json', 'SUCCEEDED_2.json', 'manifest.json'],
    ]);
    const manifest = JSON.parse(files.at(-1)?.text ?? '') as {
      ResultFiles: { SUCCEEDED: { Size: number }[] };
    };
    expect(manifest.ResultFiles.SUCCEEDED.map(({ Size }) => Size)).toEqual([
      10_000_004, 10_000_004, 10_000_004,
    ]);
  });

  it('has a manifest alone where there are no items, and gives AWS what AWS gives', () => {
    const writer = { resource: 'arn:aws:states:::s3:putObject' };
    expect(resultFiles(writing([], writer), { ...PLACE, prefix: '' }, 'arn:x:run-1')).toMatchObject({
      files: [{ key: 'run-1-7/manifest.json' }],
      output: {
        MapRunArn: 'arn:x:run-1',
        ResultWriterDetails: { Bucket: 'b', Key: 'run-1-7/manifest.json' },
      },
    });
    expect(resultFiles(writing([], writer), PLACE, 'r').output).not.toHaveProperty('ItemCounts');
  });

  it('is the same list in the output where no resource is named', () => {
    expect(
      resultsInline(writing([ok(0, [1]), bad(1)], { resource: null, transformation: 'FLATTEN' }), 'r'),
    ).toEqual([1]);
  });

  it.each<[Json, Partial<ReturnType<typeof objectPlace>>]>([
    [
      { Bucket: 'b', Key: 'k/x', Prefix: 'p' },
      { bucket: 'b', key: 'k/x', prefix: 'p' },
    ],
    [
      { bucket: 'b', key: 'k' },
      { bucket: 'b', key: 'k', prefix: '' },
    ],
    [{ name: 'b/k/x' }, { bucket: 'b', key: 'k/x', prefix: 'k/x' }],
    [
      { name: 7, Bucket: ['b'], digest: null },
      { bucket: '', key: '', digest: '' },
    ],
    [null, { bucket: '', key: '', prefix: '', digest: '' }],
    ['b/k', { bucket: '' }],
  ])('reads the place %j', (given, place) => {
    expect(objectPlace(given)).toMatchObject(place);
  });
});
