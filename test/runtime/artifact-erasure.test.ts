// Erasing a run reaches the artifacts that it wrote: after it no byte of them is in the data directory, and what somebody
// else has written too stays.
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openArtifacts } from '../../src/adapters/store/artifacts.js';
import { isObject, type JsonObject } from '../../src/json.js';
import type { Writ } from '../../src/runtime/writ.js';
import { states, useTeam } from './fixture.js';
import { filesWith } from './stored-bytes.js';

const use = useTeam();
const NAME = 'Erika Mustermann of Bochum';
const store = () => openArtifacts(path.join(use.team.data, 'artifacts'));
let writ: Writ;

beforeEach(async () => {
  const policies = use.team.policiesWith('rbac/test.yaml', (document) => {
    for (const [at, action] of ['artifact.read', 'artifact.write'].entries()) {
      const rule = { id: `ERA-${at}`, effect: 'allow', subject: 'role:adjuster', domain: 'default', action };
      document.addIn(['rules'], document.createNode({ ...rule, resource: '*', reason: 'test' }));
    }
  });
  writ = await use.team.open({ policies });
});

/** Writes what it is given to `claims/<prefix>`, twice: its own files, and a manifest. */
async function writing(prefix: string, input: readonly string[]): Promise<string> {
  const text = states('Each', {
    Each: {
      type: 'Map',
      itemProcessor: {
        processorConfig: { mode: 'DISTRIBUTED', executionType: 'STANDARD' },
        startAt: 'One',
        states: { One: { type: 'Pass', end: true } },
      },
      resultWriter: {
        resource: 'artifact:write',
        parameters: { bucket: 'claims', prefix },
        writerConfig: { transformation: 'FLATTEN', outputType: 'JSONL' },
      },
      end: true,
    },
  });
  const { id, status } = await use.team.run(writ, text, [...input]);
  expect(status).toBe('completed');
  return id;
}

async function erase(run: string, label: string | null = null): Promise<JsonObject> {
  const { team } = use;
  const erasure = await writ.erase(
    { what: { kind: 'run', run, label }, basis: 'GDPR art. 17' },
    await team.as(writ, 'ada'),
  );
  const id = erasure.run ?? '';
  await team.drive(writ, id);
  for (const by of ['bob', 'carol']) {
    const [approval] = await writ.approvals({ run: id, states: ['pending'] });
    if (approval !== undefined) await team.approve(writ, approval, by);
  }
  expect((await team.drive(writ, id)).status).toBe('completed');
  const { output } = await writ.results(id);
  if (!isObject(output)) throw new Error('an erasure has an output');
  return output;
}

const names = async (): Promise<readonly string[]> => (await store().list('', 100)).map(({ name }) => name);

describe('the erasure of a run', () => {
  it('takes its artifacts away with the last of its payloads, and not before', async () => {
    const { team } = use;
    const run = await writing('out', [NAME]);
    expect(filesWith(path.join(team.data, 'artifacts'), NAME)).not.toEqual([]);
    expect(await erase(run, 'input')).toMatchObject({ artifactsErased: [], artifactsKept: [] });
    expect(filesWith(path.join(team.data, 'artifacts'), NAME)).not.toEqual([]);
    const { artifactsErased, artifactsKept } = await erase(run);
    expect([(artifactsErased as string[]).length, artifactsKept]).toEqual([2, []]);
    expect(await names()).toEqual([]);
    expect(filesWith(team.data, NAME)).toEqual([]);
  });

  it('shows who approves it which artifacts go', async () => {
    const { team } = use;
    const run = await writing('out', [NAME]);
    const before = await names();
    const { run: id } = await writ.erase(
      { what: { kind: 'run', run, label: null }, basis: 'case 7' },
      await team.as(writ, 'ada'),
    );
    await team.drive(writ, id ?? '');
    const [approval] = await writ.approvals({ run: id ?? '', states: ['pending'] });
    const shown = (await writ.approval(approval?.id ?? '')).display.join('\n');
    for (const name of before) expect(shown).toContain(name);
    expect(await names()).toEqual(before);
  });

  it('leaves what another run has written too, until that one is erased', async () => {
    const { team } = use;
    const [first, second] = [await writing('a', [NAME]), await writing('b', [NAME])];
    const kept = await erase(first);
    expect((kept['artifactsKept'] as string[]).length).toBe(1);
    expect((await names()).every((name) => name.includes(second))).toBe(true);
    expect(filesWith(path.join(team.data, 'artifacts'), NAME)).not.toEqual([]);
    await erase(second);
    expect(filesWith(team.data, NAME)).toEqual([]);
  });

  it('leaves what a person has put there', async () => {
    const run = await writing('out', [NAME]);
    const [result] = (await store().list('', 10)).filter(({ name }) => name.endsWith('.jsonl'));
    const bytes = await store().read(result?.digest ?? ('' as never));
    await writ.artifacts.put(bytes ?? new Uint8Array(), null, await use.team.as(writ, 'alice'));
    const { artifactsKept } = await erase(run);
    expect(artifactsKept).toEqual([result?.digest]);
    expect(await store().has(result?.digest ?? ('' as never))).toBe(true);
  });
});
