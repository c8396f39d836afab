// `writ artifact`: files go in and come out as they were, for whom policy lets it, and a run reads and writes them.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOB, newDesk, type Desk } from './claims-desk.js';
import { hosted } from './writ.js';

const RULES = ['workflow.run test-*', 'artifact.read claims/*', 'artifact.write claims/*'].map((line, at) => {
  const [action = '', resource = ''] = line.split(' ');
  return `  - {id: A-${at}, effect: allow, subject: role:adjuster, domain: default, action: ${action}, resource: "${resource}", reason: test}\n`;
});

const FLOW = `apiVersion: agentrc.workflow/v0.1
kind: AgentWorkflow
metadata: {name: test-open-claims}
spec:
  startAt: Each
  states:
    Each:
      type: Map
      itemReader:
        resource: artifact:read
        parameters: {name: claims/open.csv}
        readerConfig: {inputType: CSV, csvHeaderLocation: FIRST_ROW}
      itemProcessor:
        processorConfig: {mode: DISTRIBUTED, executionType: STANDARD}
        startAt: One
        states: {One: {type: Pass, end: true}}
      resultWriter:
        resource: artifact:write
        parameters: {name: claims/done}
        writerConfig: {transformation: COMPACT, outputType: JSONL}
      end: true
`;

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
  writeFileSync(
    desk.at('policies', 'rbac', 'test.yaml'),
    `apiVersion: writ/v1\nkind: Rules\nrules:\n${RULES.join('')}`,
  );
  writeFileSync(desk.at('flow.yaml'), FLOW);
  writeFileSync(desk.at('open.csv'), 'id,amount\nC-1,10\nC-2,20\n');
});
afterAll(() => {
  desk.remove();
});

describe('writ artifact', () => {
  it('puts, lists and gets a file, a run reads it and writes another, and the log verifies', async () => {
    const put = await desk.json(['artifact', 'put', 'open.csv', '--name', 'claims/open.csv']);
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string;
    expect([put.code, put.value]).toEqual([
      0,
      { digest, size: 24, name: 'claims/open.csv', redacted: false },
    ]);
    const list = await desk.run(['artifact', 'list', 'claims/']);
    expect(list.stdout).toMatch(/claims\/open\.csv +24 +sha256:/);
    const get = await desk.run(['artifact', 'get', 'claims/open.csv']);
    expect([get.code, get.stdout]).toEqual([0, 'id,amount\nC-1,10\nC-2,20']);

    const run = await desk.json(['run', 'flow.yaml']);
    expect([run.code, run.stderr]).toMatchObject([0, expect.any(String)]);
    const found = await desk.json(['artifact', 'list', 'claims/done/']);
    const names = (found.value as { artifacts: { name: string }[] }).artifacts.map(({ name }) => name);
    expect(names.map((name) => name.split('/').at(-1))).toEqual(['SUCCEEDED_0.jsonl', 'manifest.json']);
    const out = await desk.run(['artifact', 'get', names[0] ?? '', '--out', 'done.jsonl']);
    expect(out.code).toBe(0);
    expect(readFileSync(desk.at('done.jsonl'), 'utf8')).toBe(
      '{"id":"C-1","amount":"10"}\n{"id":"C-2","amount":"20"}\n',
    );
    expect(statSync(desk.at('done.jsonl')).mode & 0o777).toBe(0o600);
    expect((await desk.run(['audit', 'verify'])).code).toBe(0);
  });

  it('takes stdin, and gives bytes as base64 under --json', async () => {
    expect((await desk.run(['artifact', 'put', '-', '--name', 'claims/in'], { input: 'ä' })).code).toBe(0);
    const { value } = await desk.json(['artifact', 'get', 'claims/in']);
    expect(value).toMatchObject({ size: 2, base64: Buffer.from('ä').toString('base64') });
  });

  it('is refused without the right, with exit 3, and nothing is stored', async () => {
    const other = await desk.json(['artifact', 'put', 'open.csv', '--name', 'other/open.csv']);
    const unnamed = await desk.json(['artifact', 'put', 'open.csv']);
    const bob = await desk.json(['artifact', 'get', 'claims/in'], BOB);
    for (const { code, value } of [other, unnamed, bob]) {
      expect([code, value]).toMatchObject([3, { error: { code: 'POLICY_NO_MATCH' } }]);
    }
    expect((await desk.json(['artifact', 'list'], BOB)).value).toEqual({ artifacts: [] });
  });

  it('says what is wrong with a name, a file and a place', async () => {
    const cases: [readonly string[], string][] = [
      [['artifact', 'put', 'open.csv', '--name', 'claims/../x'], 'USAGE'],
      [['artifact', 'put', 'open.csv', '--name', '/etc/passwd'], 'USAGE'],
      [['artifact', 'put', 'none.csv', '--name', 'claims/x'], 'NOT_FOUND'],
      [['artifact', 'put', '.', '--name', 'claims/x'], 'USAGE'],
      [['artifact', 'get', 'claims/none'], 'NOT_FOUND'],
      [['artifact', 'get', 'claims/in', '--out', 'open.csv'], 'USAGE'],
      [['artifact', 'get', 'claims/in', '--out', '.writ/x'], 'USAGE'],
      [['artifact', 'list', 'claims'], 'USAGE'],
    ];
    for (const [words, code] of cases) {
      const ran = await desk.json(words);
      expect([words, ran.code, ran.value]).toMatchObject([words, 2, { error: { code } }]);
    }
  });
});
