// The recorded cases, judged by the judge that lies beside them: what AWS did is what we do.
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as testing from '../../src/testing/index.js';

const DIRECTORY = fileURLToPath(new URL('../../../shared/corpus/asl/', import.meta.url));
const HAVE = existsSync(`${DIRECTORY}judge.mjs`);
const NOTE = HAVE ? '' : ' (skipped: ../shared/corpus/asl is absent)';

interface Row {
  readonly id: string;
}
interface Verdict {
  readonly pass: boolean;
  readonly strict: boolean;
  readonly why: string;
}
interface Judge {
  runRow(row: Row, engine: typeof testing): Promise<Verdict | null>;
}

describe.skipIf(!HAVE)(`recorded States Language cases${NOTE}`, () => {
  // All of them pass; a floor leaves no room for one that stops passing.
  it.each([
    ['executions', 'executions-dev.jsonl', 203],
    ['single states', 'teststate-dev.jsonl', 43],
    ['definitions', 'validation-dev.jsonl', 141],
  ])('%s: every one passes, causes and inspection data included', async (_, file, count) => {
    const { runRow } = (await import(pathToFileURL(`${DIRECTORY}judge.mjs`).href)) as Judge;
    const rows = readFileSync(`${DIRECTORY}${file}`, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
    const failures: string[] = [];
    let judged = 0;
    for (const row of rows) {
      const verdict = await runRow(row, testing);
      if (verdict === null) continue;
      judged += 1;
      if (!verdict.strict) failures.push(`${verdict.pass ? 'cause' : 'FAIL'} ${row.id}: ${verdict.why}`);
    }
    expect(failures).toEqual([]);
    expect(judged).toBe(count);
  });
});
