// Distributed Maps on the artifact store: what they read and write, who may, and what a crash or a hostile file does.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openArtifacts } from '../../src/adapters/store/artifacts.js';
import { openSecrets } from '../../src/open.js';
import { isObject, type Digest, type Json, type JsonObject } from '../../src/json.js';
import type { Artifacts } from '../../src/runtime/ports.js';
import type { RunView } from '../../src/runtime/writ.js';
import { HOSTILE_NAMES, textOf, UNSAID } from '../contract/artifacts.js';
import { fail, faulty, field, refusalOf, states, useTeam } from './fixture.js';

const use = useTeam();
let policies = '';

type Rule = readonly [action: string, resource: string, effect?: 'allow' | 'deny'];
const ALL: readonly Rule[] = [
  ['artifact.read', '*'],
  ['artifact.write', '*'],
];

/** The shipped policies and these rules for who starts runs. */
function policiesWith(rules: readonly Rule[]): string {
  return use.team.policiesWith('rbac/test.yaml', (document) => {
    rules.forEach(([action, resource, effect = 'allow'], at) => {
      const rule = { id: `ART-${at}`, effect, subject: 'role:adjuster', domain: 'default', action, resource };
      document.addIn(['rules'], document.createNode({ ...rule, reason: 'test' }));
    });
  });
}

beforeEach(() => {
  policies = policiesWith(ALL);
});

const store = (): Artifacts => openArtifacts(path.join(use.team.data, 'artifacts'));
const put = (name: string | null, text: string | Uint8Array): Promise<Digest> =>
  store().put(typeof text === 'string' ? new TextEncoder().encode(text) : text, name, UNSAID);

const CSV = { inputType: 'CSV', csvHeaderLocation: 'FIRST_ROW' };
const GET = 'arn:aws:states:::s3:getObject';

/** A distributed Map over what a reader gives; its children are a Pass state unless a test says otherwise. */
function each(
  map: JsonObject,
  child: JsonObject = { type: 'Pass', end: true },
  more: JsonObject = {},
): string {
  return states('Each', {
    Each: {
      type: 'Map',
      itemProcessor: {
        processorConfig: { mode: 'DISTRIBUTED', executionType: 'STANDARD' },
        startAt: 'One',
        states: { One: child },
      },
      ...map,
      ...(map['next'] === undefined ? { end: true } : {}),
    },
    ...more,
  });
}

const TASK = { type: 'Task', resource: 'tool::test_one', end: true };

const reading = (
  parameters: JsonObject,
  readerConfig: JsonObject = {},
  resource = 'artifact:read',
): JsonObject => ({
  itemReader: { resource, parameters, readerConfig },
});

async function run(text: string, input: Json = {}, under = policies): Promise<RunView> {
  return use.team.run(await use.team.open({ policies: under }), text, input);
}

const textIn = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

const isArtifactAct = (action: Json | undefined): boolean =>
  typeof action === 'string' && action.startsWith('artifact.');

/** Names and what they refer to. */
async function stored(): Promise<{ name: string; digest: Digest }[]> {
  return (await store().list('', 100)).map(({ name, digest }) => ({ name, digest }));
}

/** What policy was asked about artifacts, as the run's log tells. */
async function asked(runId: string): Promise<JsonObject[]> {
  const decided = await use.team.facts(runId, 'authz.decided');
  return decided.filter(({ action }) => isArtifactAct(action));
}

async function json(name: string): Promise<Json> {
  const found = await store().find(name);
  return JSON.parse(textOf(found === null ? null : await store().read(found.digest)) ?? '') as Json;
}

describe('a Map over an artifact', () => {
  it('runs 1,000 rows of CSV and writes 1,000 results', async () => {
    const rows = Array.from({ length: 1_000 }, (_, at) => `C-${at},"Doe, Jane ${at}",${at * 10}`);
    const digest = await put('claims/open.csv', `id,name,amount\n${rows.join('\n')}\n`);
    const text = each(
      {
        ...reading({ Bucket: 'claims', Key: 'open.csv' }, CSV, GET),
        itemBatcher: { maxItemsPerBatch: 100 },
        resultWriter: {
          resource: 'artifact:write',
          parameters: { bucket: 'claims', 'prefix.$': '$.to' },
          writerConfig: { transformation: 'FLATTEN', outputType: 'JSONL' },
        },
      },
      { type: 'Pass', inputPath: '$.Items', end: true },
    );
    const view = await run(text, { to: 'done' });
    expect(view.status).toBe('completed');
    expect(view.output).toEqual({
      MapRunArn: view.id,
      ResultWriterDetails: {
        Bucket: 'claims',
        Key: expect.any(String) as string,
        Digest: expect.any(String) as string,
      },
      ItemCounts: { Total: 10, Succeeded: 10, Failed: 0, ResultsWritten: 10 },
    });
    const details = field(view.output ?? null, 'ResultWriterDetails');
    const key = textIn(field(details, 'Key'));
    expect(key).toMatch(new RegExp(`^done/${view.id}-\\d+/manifest\\.json$`));
    const manifest = await json(`claims/${key}`);
    const file = isObject(manifest) && isObject(manifest['ResultFiles']) ? manifest['ResultFiles'] : {};
    expect(file).toMatchObject({ FAILED: [], PENDING: [] });
    const [listed] = file['SUCCEEDED'] as { Key: string; Size: number }[];
    const found = await store().find(`claims/${listed?.Key ?? ''}`);
    expect(found?.size).toBe(listed?.Size);
    const lines =
      textOf(await store().read(found?.digest ?? digest))
        ?.trim()
        .split('\n') ?? [];
    expect(lines.length).toBe(1_000);
    expect(JSON.parse(lines[999] ?? '')).toEqual({ id: 'C-999', name: 'Doe, Jane 999', amount: '9990' });
    // Who read and wrote what is in the log, by digest.
    expect(await asked(view.id)).toMatchObject([
      {
        action: 'artifact.read',
        resource: 'claims/open.csv',
        verdict: 'allow',
        subject: 'user:alice',
        digest,
      },
      {
        action: 'artifact.write',
        resource: `claims/${listed?.Key ?? ''}`,
        verdict: 'allow',
        digest: found?.digest,
      },
      { action: 'artifact.write', verdict: 'allow', digest: field(details, 'Digest') },
    ]);
  });

  it.each<[string, JsonObject, string, JsonObject, Json]>([
    ['JSON', { inputType: 'JSON' }, '[1,{"a":2}]', {}, [1, { a: 2 }]],
    ['a pointer into JSON', { inputType: 'JSON', itemsPointer: '/a~1b/1' }, '{"a/b":[0,[5,6]]}', {}, [5, 6]],
    ['JSONL', { inputType: 'JSONL' }, '{"a":1}\r\n\n{"a":2}', {}, [{ a: 1 }, { a: 2 }]],
    ['at most so many', { inputType: 'JSONL', maxItems: 1 }, '1\n2\n3', {}, [1]],
    ['as many as the input says', { inputType: 'JSONL', maxItemsPath: '$.n' }, '1\n2\n3', { n: 2 }, [1, 2]],
    [
      'given headers',
      { inputType: 'CSV', csvHeaderLocation: 'GIVEN', csvHeaders: ['a', 'b'] },
      '1\n2,3,4\n',
      {},
      [
        { a: '1', b: '' },
        { a: '2', b: '3' },
      ],
    ],
    [
      'a delimiter',
      { ...CSV, csvDelimiter: 'SEMICOLON' },
      '\ufeffa;b\r\n1;"2;""3"""\r\n',
      {},
      [{ a: '1', b: '2;"3"' }],
    ],
  ])('reads %s', async (_, readerConfig, text, input, expected) => {
    await put('claims/in', text);
    const view = await run(each(reading({ name: 'claims/in' }, readerConfig)), input);
    expect([view.status, view.output]).toEqual(['completed', expected]);
  });

  it('reads by digest, whatever a name says meanwhile', async () => {
    const digest = await put('claims/in', '[1]');
    await put('claims/in', '[2]');
    const view = await run(each(reading({ 'digest.$': '$.d' }, { inputType: 'JSON' })), { d: digest });
    expect(view.output).toEqual([1]);
    expect(await asked(view.id)).toMatchObject([{ resource: digest, verdict: 'allow', digest }]);
  });

  it('lists a bucket, without what may not be read', async () => {
    for (const name of ['claims/a/1', 'claims/a/2', 'claims/a/secret', 'claims/b']) await put(name, name);
    const list = 'arn:aws:states:::s3:listObjectsV2';
    const text = each({
      ...reading({ Bucket: 'claims', Prefix: 'a/' }, {}, list),
      itemSelector: {
        'k.$': '$$.Map.Item.Value.Key',
        'n.$': '$$.Map.Item.Value.Size',
        't.$': '$$.Map.Item.Value.LastModified',
      },
    });
    const under = policiesWith([...ALL, ['artifact.read', 'claims/a/s*', 'deny']]);
    const view = await run(text, {}, under);
    expect(view.output).toEqual([
      { k: 'a/1', n: 10, t: expect.any(Number) as number },
      { k: 'a/2', n: 10, t: expect.any(Number) as number },
    ]);
    expect(await asked(view.id)).toMatchObject([{ resource: 'claims/a/', verdict: 'allow', objects: 2 }]);
  });

  it('keeps failures apart from successes', async () => {
    use.team.functions.answer('tool::test_one', ({ input }) =>
      input === 2 ? fail('FUNCTION_FAILED', 'no such claim')({} as never) : [input, 'ok'],
    );
    const writer = { resource: 'arn:aws:states:::s3:putObject', parameters: { Bucket: 'out', Prefix: 'p/' } };
    const view = await run(each({ resultWriter: writer, toleratedFailureCount: 1 }, TASK), [1, 2, 3]);
    expect(view.status).toBe('completed');
    expect(Object.keys(isObject(view.output) ? view.output : {})).toEqual([
      'MapRunArn',
      'ResultWriterDetails',
    ]);
    const names = (await store().list('out/', 10)).map(({ name }) => name);
    expect(names.map((name) => path.basename(name))).toEqual([
      'FAILED_0.json',
      'SUCCEEDED_0.json',
      'manifest.json',
    ]);
    const [failed = '', succeeded = '', manifest = ''] = names;
    expect(await json(failed)).toMatchObject([{ Status: 'FAILED', Input: '2', Error: 'Tool.Failed' }]);
    expect(await json(succeeded)).toMatchObject([
      { Input: '1', Output: '[1,"ok"]' },
      { Name: '2', Status: 'SUCCEEDED' },
    ]);
    expect(await json(manifest)).toMatchObject({
      DestinationBucket: 'out',
      ResultFiles: { FAILED: [{}], SUCCEEDED: [{}] },
    });
  });

  it('stores no value of a secret, whether it is read or written', async () => {
    (await openSecrets(use.team.data)).set('db', new TextEncoder().encode('correct-horse-battery'));
    await put('claims/in', '["my correct-horse-battery"]');
    const writer = { resource: 'artifact:write', parameters: { name: 'out/p' } };
    const view = await run(each({ ...reading({ name: 'claims/in' }), resultWriter: writer }));
    expect(view.status).toBe('completed');
    for (const { digest } of await store().list('out/', 10)) {
      expect(textOf(await store().read(digest))).not.toContain('correct-horse');
    }
  });
});

describe('who may read and write artifacts', () => {
  const DONE = { Done: { type: 'Pass', result: 'caught', end: true } };
  const CATCH_ALL = { catch: [{ errorEquals: ['States.ALL'], next: 'Done' }] };

  it.each<[string, readonly Rule[], string]>([
    ['no rule', [], 'POLICY_NO_MATCH'],
    ['a rule for another bucket', [['artifact.read', 'other/*']], 'POLICY_NO_MATCH'],
    ['a right to write', [['artifact.write', '*']], 'POLICY_NO_MATCH'],
    ['a deny', [...ALL, ['artifact.read', 'claims/i*', 'deny']], 'POLICY_DENY_RULE'],
  ])('with %s a run reads nothing, and no catch-all and no tolerance takes that', async (_, rules, code) => {
    await put('claims/in', '[1]');
    const text = each(
      { ...reading({ name: 'claims/in' }), toleratedFailurePercentage: 100, ...CATCH_ALL },
      TASK,
      DONE,
    );
    const view = await run(text, {}, policiesWith(rules));
    expect([view.status, view.exitCode, view.error?.code]).toEqual(['failed', 3, code]);
    expect(use.team.functions.calls).toEqual([]);
    expect(await asked(view.id)).toMatchObject([{ verdict: 'deny', code, resource: 'claims/in' }]);
    expect((await asked(view.id))[0]).not.toHaveProperty('digest');
  });

  it('says the same of what is not there, to whoever may not read it', async () => {
    const text = each(reading({ name: 'claims/none' }));
    const view = await run(text, {}, policiesWith([]));
    expect(view.error?.code).toBe('POLICY_NO_MATCH');
  });

  it('a denial in an item of a Map that tolerates everything fails the run', async () => {
    await put('claims/in', '[1]');
    const inner = {
      type: 'Map',
      itemProcessor: {
        processorConfig: { mode: 'DISTRIBUTED', executionType: 'STANDARD' },
        startAt: 'In',
        states: { In: { type: 'Pass', end: true } },
      },
      ...reading({ name: 'claims/in' }),
      end: true,
    };
    const view = await run(each({ toleratedFailurePercentage: 100 }, inner), [1, 2], policiesWith([]));
    expect([view.status, view.exitCode, view.error?.code]).toEqual(['failed', 3, 'POLICY_NO_MATCH']);
  });

  it('a catcher that names Policy.Denied takes it', async () => {
    await put('claims/in', '[1]');
    const taken = { catch: [{ errorEquals: ['Policy.Denied'], next: 'Done' }], next: 'Done' };
    const view = await run(
      each({ ...reading({ name: 'claims/in' }), ...taken }, TASK, DONE),
      {},
      policiesWith([]),
    );
    expect([view.status, view.output]).toEqual(['completed', 'caught']);
  });

  it('a right to read a name is none to read by digest', async () => {
    const digest = await put('claims/in', '[1]');
    const view = await run(each(reading({ digest })), {}, policiesWith([['artifact.read', 'claims/*']]));
    expect(view.error?.code).toBe('POLICY_NO_MATCH');
  });

  it('nothing is written when one of the files may not be', async () => {
    const writer = { resource: 'artifact:write', parameters: { bucket: 'out' } };
    const rules: Rule[] = [...ALL, ['artifact.write', 'out/*/manifest.json', 'deny']];
    const view = await run(
      each({ resultWriter: writer, ...CATCH_ALL }, TASK, DONE),
      [1],
      policiesWith(rules),
    );
    expect([view.status, view.exitCode, view.error?.code]).toEqual(['failed', 3, 'POLICY_DENY_RULE']);
    expect(await store().list('', 10)).toEqual([]);
    expect(await asked(view.id)).toMatchObject([{ action: 'artifact.write', verdict: 'deny' }]);
  });

  it('a ceiling that has expired lets nothing be read', async () => {
    await put('claims/in', '[1]');
    const view = await run(
      states('Each', JSON.parse(each(reading({ name: 'claims/in' }))).spec.states as JsonObject, {
        ceilings: { validity: { notAfter: '2001-01-01T00:00:00Z' } },
      }),
    );
    expect([view.status, view.error?.code]).toEqual(['failed', 'CEILING_VALIDITY']);
  });

  it('people are asked for the same rights, and see what they may read', async () => {
    const writ = await use.team.open({
      policies: policiesWith([
        ['artifact.write', 'claims/*'],
        ['artifact.read', 'claims/in'],
      ]),
    });
    const alice = await use.team.as(writ, 'alice');
    const bob = await use.team.as(writ, 'bob');
    const bytes = new TextEncoder().encode('[1]');
    const { digest } = await writ.artifacts.put(bytes, 'claims/in', alice);
    await writ.artifacts.put(bytes, 'claims/other', alice);
    expect(await writ.artifacts.list('', alice)).toMatchObject([{ name: 'claims/in', digest, size: 3 }]);
    expect(textOf((await writ.artifacts.get('claims/in', alice)).bytes)).toBe('[1]');
    expect(await writ.artifacts.list('', bob)).toEqual([]);
    for (const refused of [
      writ.artifacts.get('claims/in', bob),
      writ.artifacts.get('claims/other', alice),
      writ.artifacts.get(digest, alice),
      writ.artifacts.put(bytes, 'other/in', alice),
      writ.artifacts.put(bytes, null, alice),
      writ.artifacts.put(bytes, 'claims/in', bob),
    ]) {
      expect((await refusalOf(refused)).code).toBe('POLICY_NO_MATCH');
    }
    expect((await store().list('', 10)).map(({ name }) => name)).toEqual(['claims/in', 'claims/other']);
    const logged = (await use.team.entries(null)).filter(({ data }) => isArtifactAct(data['action']));
    expect(logged.length).toBe(9);
  });
});

describe('a reader or writer that finds something else than it should', () => {
  const caught = (map: JsonObject, error = 'States.ItemReaderFailed'): string =>
    each({ ...map, catch: [{ errorEquals: [error], next: 'Done' }], next: 'Done' }, TASK, {
      Done: { type: 'Pass', end: true },
    });

  // Half a character comes in no input of a run.
  const GIVEN = HOSTILE_NAMES.filter((name) => !name.includes('\ud800'));
  const PREFIXES = GIVEN.filter((name) => /^claims\/.*[^/]$/u.test(name));

  it.each(GIVEN)('reads nothing by the name %j', async (name) => {
    const view = await run(caught(reading({ 'name.$': '$.n' })), { n: name });
    expect(view.status).toBe('completed');
    expect(view.output).toMatchObject({ Error: 'States.ItemReaderFailed' });
    expect(await asked(view.id)).toEqual([]);
  });

  it.each(PREFIXES)('writes nothing under the prefix %j', async (name) => {
    const writer = { resource: 'artifact:write', parameters: { 'name.$': '$[0]' } };
    const view = await run(caught({ resultWriter: writer }, 'States.ResultWriterFailed'), [name]);
    expect(view.output).toMatchObject({ Error: 'States.ResultWriterFailed' });
    expect(await store().list('', 10)).toEqual([]);
  });

  it.each<[string, JsonObject, () => string | Uint8Array]>([
    ['bytes that are no UTF-8', { inputType: 'JSONL' }, () => Uint8Array.of(0x22, 0xff, 0xfe, 0x22)],
    ['JSON cut short', { inputType: 'JSON' }, () => '[1,'],
    ['JSON that is no list', { inputType: 'JSON' }, () => '{"a":1}'],
    ['a line that is no JSON', { inputType: 'JSONL' }, () => '1\nnope\n2'],
    ['JSON that is deep', { inputType: 'JSON' }, () => '['.repeat(200_000) + ']'.repeat(200_000)],
    [
      'a line of deep JSON',
      { inputType: 'JSONL' },
      () => '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000),
    ],
    ['a quote without end', CSV, () => `a,b\n"${'x'.repeat(1_000_000)}`],
    ['a column twice', CSV, () => 'a,a\n1,2'],
    [
      'a header that would make much of little text',
      CSV,
      () => `${Array.from({ length: 100_000 }, (_, at) => at).join(',')}\n${'1\n'.repeat(100_000)}`,
    ],
    ['a pointer to nothing', { inputType: 'JSON', itemsPointer: '/__proto__/x' }, () => '{}'],
    ['half a character', { inputType: 'JSON' }, () => '["\\ud800"]'],
    ['a number beyond all bounds', { inputType: 'JSONL' }, () => '1e999'],
    ['PARQUET', { inputType: 'PARQUET' }, () => 'PAR1'],
  ])('%s is States.ItemReaderFailed', async (_, readerConfig, text) => {
    await put('claims/in', text());
    const view = await run(caught(reading({ name: 'claims/in' }, readerConfig)));
    expect([view.status, view.output]).toMatchObject(['completed', { Error: 'States.ItemReaderFailed' }]);
    expect(use.team.functions.calls).toEqual([]);
  });

  it('reads a huge line, and a column named __proto__', async () => {
    await put('claims/in', `__proto__,b\n${'x'.repeat(4_000_000)},2\n`);
    const view = await run(
      each({ ...reading({ name: 'claims/in' }, CSV), itemSelector: { 'b.$': '$$.Map.Item.Value.b' } }),
    );
    expect(view.output).toEqual([{ b: '2' }]);
  });

  it('fails with States.ItemReaderFailed when nothing is there', async () => {
    const view = await run(caught(reading({ Bucket: 'claims', Key: 'none' }, {}, GET)));
    expect(isObject(view.output) ? view.output['Cause'] : null).toContain(
      'The specified key does not exist. Bucket: claims, Key: none.',
    );
  });

  it('a changed artifact fails the run with Integrity.Digest, and nothing catches that', async () => {
    await put('claims/in', '[1]');
    const blobs = path.join(use.team.data, 'artifacts', 'sha256');
    const [file = ''] = readdirSync(blobs, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.length > 60,
    );
    writeFileSync(path.join(blobs, file), '[2]');
    const view = await run(
      each(
        {
          ...reading({ name: 'claims/in' }),
          catch: [{ errorEquals: ['States.ALL'], next: 'Done' }],
          next: 'Done',
        },
        TASK,
        { Done: { type: 'Pass', end: true } },
      ),
    );
    expect([view.status, view.error?.code, view.exitCode]).toEqual(['failed', 'INTEGRITY_DIGEST', 5]);
    expect(use.team.functions.calls).toEqual([]);
  });
});

describe('a write of results', () => {
  const WRITER = { resource: 'artifact:write', parameters: { bucket: 'out' } };

  it('is an attempt: allowed name by name, its intent before it, its outcome after it, and shown', async () => {
    const view = await run(each({ resultWriter: WRITER }), [1, 2]);
    const types = await use.team.types(view.id);
    expect(types.slice(1)).toEqual([
      ...['authz.decided', 'authz.decided', 'step.intended', 'step.finished', 'run.finished'],
    ]);
    expect(await use.team.facts(view.id, 'step.intended')).toMatchObject([
      { stepPath: 'Each/write', attempt: 1, function: 'artifact::write', approvalId: null, sandbox: null },
    ]);
    expect(await use.team.facts(view.id, 'step.finished')).toMatchObject([
      { stepPath: 'Each/write', attempt: 1, status: 'succeeded', code: null },
    ]);
    expect(view.steps).toMatchObject([
      { stepPath: 'Each/write', functionId: 'artifact::write', status: 'succeeded' },
    ]);
  });

  it('has no intent where policy refuses one of its names', async () => {
    const rules = policiesWith([...ALL, ['artifact.write', 'out/*/manifest.json', 'deny']]);
    const view = await run(each({ resultWriter: WRITER }), [1], rules);
    expect([view.status, view.exitCode]).toEqual(['failed', 3]);
    expect(await use.team.types(view.id)).not.toContain('step.intended');
    expect(await stored()).toEqual([]);
  });

  it('that policy refused is made by a redrive once policy allows it, and no item runs again', async () => {
    const rules = policiesWith([...ALL, ['artifact.write', 'out/**', 'deny']]);
    const view = await run(each({ resultWriter: WRITER }, TASK), [1, 2], rules);
    expect(view.status).toBe('failed');
    const writ = await use.team.open({ policies });
    await writ.redrive(view.id, await use.team.as(writ, 'alice'));
    expect((await use.team.drive(writ, view.id)).status).toBe('completed');
    expect((await stored()).length).toBe(2);
    expect(use.team.functions.calls.length).toBe(2);
  });

  it('of an intent that the log did not take writes nothing', async () => {
    const broken = await use.team.open({
      policies,
      store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.intended'),
    });
    const runId = await use.team.start(broken, each({ resultWriter: WRITER }), [1]);
    expect((await refusalOf(use.team.drive(broken, runId))).code).toBe('STORE_IO');
    expect(await stored()).toEqual([]);
  });
});

describe('a crash between what is written and the commit that says so', () => {
  const WRITER = { resource: 'artifact:write', parameters: { bucket: 'out' } };

  it.each(['failAppendAndNotPersist', 'failAppendButPersist'] as const)(
    '%s: the same files, once, and the run goes on',
    async (name) => {
      use.team.functions.answer('tool::test_one', ({ input }) => [input]);
      const text = each({ resultWriter: WRITER }, TASK);
      const broken = await use.team.open({ policies, store: (inner) => faulty(inner, name, 'run.finished') });
      const runId = await use.team.start(broken, text, [1, 2]);
      await use.team.drive(broken, runId).catch(() => undefined);
      const before = await stored();
      expect(before.map(({ name: file }) => path.basename(file))).toEqual([
        'SUCCEEDED_0.json',
        'manifest.json',
      ]);
      await broken.close();
      const writ = await use.team.open({ policies });
      const view = await use.team.drive(writ, runId);
      expect(view.status).toBe('completed');
      expect(await stored()).toEqual(before);
      expect(use.team.functions.calls.length).toBe(2);
    },
  );

  it('kill -9: the run goes on to the same files', async () => {
    const root = path.resolve(import.meta.dirname, '..', '..');
    if (!existsSync(path.join(root, 'dist', 'open.js'))) throw new Error('dist is missing: npm run build');
    const worker = path.join(import.meta.dirname, 'artifact-worker.mjs');
    const child = spawn(process.execPath, [worker, use.team.home, policies, each({ resultWriter: WRITER })]);
    let [runId, errors] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (runId += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const signal = await new Promise<string | null>((resolve) => {
      child.on('close', (_, by) => resolve(by));
    });
    expect([signal, errors]).toEqual(['SIGKILL', '']);
    expect((await use.team.record(runId)).status).toBe('running');
    const before = await stored();
    expect(before.length).toBe(2);
    const view = await use.team.drive(await use.team.open({ policies }), runId);
    expect(view.status).toBe('completed');
    expect(await stored()).toEqual(before);
    // Asked before the crash and again after it.
    expect((await asked(runId)).length).toBe(4);
    // The attempt that was lost is told as such, and the next one has its key.
    const act = { stepPath: 'Each/write' };
    expect(await use.team.facts(runId, 'step.finished')).toMatchObject([
      { ...act, attempt: 1, status: 'indeterminate' },
      { ...act, attempt: 2, status: 'succeeded' },
    ]);
    const keys = (await use.team.facts(runId, 'step.intended')).map((one) => one['idempotencyKey']);
    expect(new Set(keys).size).toBe(1);
  });
});
