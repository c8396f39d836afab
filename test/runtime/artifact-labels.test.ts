// Labels go with data through the artifact store: what a labelled run writes makes the run that reads it a labelled one.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import type { JsonObject } from '../../src/json.js';
import type { DataDeclaration } from '../../src/runtime/run/data.js';
import type { RunView, Writ } from '../../src/runtime/writ.js';
import { refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();
let writ: Writ;

/** Everybody's files; a person decides on what carries `pii`. */
beforeEach(async () => {
  const { team } = here;
  const policies = team.policiesWith('rbac/test.yaml', (rules) => {
    for (const action of ['artifact.read', 'artifact.write']) {
      const one = { id: `T-${action}`, effect: 'allow', subject: 'role:adjuster', domain: 'default', action };
      rules.addIn(['rules'], rules.createNode({ ...one, resource: '*', reason: 'test' }));
    }
  });
  const ceiling = path.join(policies, 'ceilings', 'org.yaml');
  const document = parseDocument(readFileSync(ceiling, 'utf8'));
  const rule = { match: { labels: ['pii'] }, minimum: 'sync', approverRoles: ['role:reviewer'] };
  document.addIn(['spec', 'approval', 'rules'], rule);
  writeFileSync(ceiling, document.toString());
  writ = await team.open({ policies });
});

const PLACE = { Bucket: 'claims', Key: 'in.json' };
const PASS = { type: 'Pass', end: true };
const CALL = { type: 'Task', resource: 'tool::test_one', end: true };

function each(fields: JsonObject, child: JsonObject): string {
  const processorConfig = { mode: 'DISTRIBUTED', executionType: 'STANDARD' };
  const itemProcessor = { processorConfig, startAt: 'One', states: { One: child } };
  return states('Each', { Each: { type: 'Map', itemProcessor, ...fields, end: true } });
}

async function run(text: string, data: DataDeclaration): Promise<RunView> {
  const { team } = here;
  const request = { workflow: { text, file: null }, input: [{ n: 1 }], data };
  return team.drive(writ, await writ.start(request, await team.as(writ, 'alice')));
}

/** Reads the file and calls a function with each item. */
function reading(which: JsonObject): Promise<RunView> {
  const itemReader = { resource: 'artifact:read', readerConfig: { inputType: 'JSON' }, parameters: which };
  return run(each({ itemReader }, CALL), { labels: [], classification: 'public' });
}

async function put(text: string, data?: DataDeclaration): Promise<string> {
  const alice = await here.team.as(writ, 'alice');
  const bytes = new TextEncoder().encode(text);
  return (await writ.artifacts.put(bytes, 'claims/in.json', alice, data)).digest;
}

describe('HOLE: labels that an artifact would wash away', () => {
  it('go with what a labelled run writes into the run that reads it', async () => {
    const resultWriter = { resource: 'artifact:write', parameters: { Bucket: 'claims', Prefix: 'out' } };
    const wrote = await run(each({ resultWriter }, PASS), { labels: ['pii'], classification: 'restricted' });
    expect(wrote.status).toBe('completed');
    const alice = await here.team.as(writ, 'alice');
    const [file] = (await writ.artifacts.list('claims/out/', alice)).filter(({ name }) =>
      /SUCCEEDED/.test(name),
    );
    expect(file).toBeDefined();
    for (const which of [
      { digest: file?.digest ?? '' },
      { Bucket: 'claims', Key: file?.name.slice(7) ?? '' },
    ]) {
      const read = await reading(which);
      expect(read).toMatchObject({ status: 'waiting', waitingFor: { kind: 'approval' } });
      const told = (await here.team.facts(read.id, 'authz.decided')).find(
        ({ action }) => action === 'artifact.read',
      );
      expect(told?.['data']).toEqual({ labels: ['pii'], classification: 'restricted' });
    }
    expect(here.team.functions.calls).toEqual([]);
  });

  it.each<[string, DataDeclaration | undefined, string]>([
    ['nothing', undefined, 'waiting'],
    ['that label', { labels: ['pii'], classification: 'public' }, 'waiting'],
    ['that there is none', { labels: [], classification: 'public' }, 'completed'],
  ])('are what a person says who puts a file there: %s', async (_, data, status) => {
    await put('[{"n":1}]', data);
    expect(await reading(PLACE)).toMatchObject({ status });
  });

  it('are not taken off by putting the same bytes there again', async () => {
    await put('[{"n":1}]', { labels: ['pii'], classification: 'public' });
    await put('[{"n":1}]', { labels: [], classification: 'public' });
    expect(await reading(PLACE)).toMatchObject({ status: 'waiting' });
  });

  it('are not taken off by taking away what is said of the bytes: then nobody knows', async () => {
    await put('[{"n":1}]', { labels: ['pii'], classification: 'public' });
    await put('[{"n":1}]', { labels: [], classification: 'public' });
    const said = path.join(here.team.data, 'artifacts', 'data');
    const files = readdirSync(said, { recursive: true, encoding: 'utf8' }).filter((one) =>
      one.endsWith('.json'),
    );
    expect(files).toHaveLength(1);
    for (const file of files) rmSync(path.join(said, file));
    expect(await reading(PLACE)).toMatchObject({ status: 'waiting' });
    expect(here.team.functions.calls).toEqual([]);
  });

  it('go with the names of files, too: whoever writes them chooses those', async () => {
    const resultWriter = { resource: 'artifact:write', parameters: { Bucket: 'claims', Prefix: 'ssn-1' } };
    await run(each({ resultWriter }, PASS), { labels: ['pii'], classification: 'public' });
    const resource = 'arn:aws:states:::s3:listObjectsV2';
    const itemReader = { resource, parameters: { Bucket: 'claims', Prefix: 'ssn' } };
    const read = await run(each({ itemReader }, CALL), { labels: [], classification: 'public' });
    expect(read).toMatchObject({ status: 'waiting' });
    expect(here.team.functions.calls).toEqual([]);
  });

  it('are not known to a plan, which says that a person may be asked', async () => {
    await put('[{"n":1}]', { labels: [], classification: 'public' });
    const itemReader = { resource: 'artifact:read', readerConfig: { inputType: 'JSON' }, parameters: PLACE };
    const workflow = { text: each({ itemReader }, CALL), file: null };
    const data = { labels: [], classification: 'public' };
    const plan = await writ.plan(
      { workflow, input: {}, agents: {}, data },
      await here.team.as(writ, 'alice'),
    );
    expect(plan.verdict).toBe('needs_approval');
  });

  it('are refused where no ceiling knows them: a rule would not see a misspelling', async () => {
    expect(await refusalOf(put('[]', { labels: ['pi'] }))).toMatchObject({ code: 'INPUT_INVALID' });
  });
});
