// `writ simulate` and `writ workflow graph FILE` as their users meet them: no data directory, nothing called.
import { writeFileSync } from 'node:fs';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hosted, newPlace, type Place } from './writ.js';

const FLOW = `StartAt: Fetch
States:
  Fetch:
    Type: Task
    Resource: arn:aws:lambda:us-east-1:111111111111:function:f
    Retry: [{ErrorEquals: [Flaky], IntervalSeconds: 3600}]
    Catch: [{ErrorEquals: [States.ALL], Next: Sorry}]
    Next: Wait
  Wait: {Type: Wait, Seconds: 99999, Next: Double}
  Double: {Type: Pass, QueryLanguage: JSONata, Output: '{% $states.input.n * 2 %}', End: true}
  Sorry: {Type: Fail, Error: Sorry, Cause: it did not work}
`;

let here: Place;
beforeAll(() => {
  here = newPlace(hosted);
  const write = (name: string, text: string): void => writeFileSync(join(here.folder, name), text);
  write('flow.yaml', FLOW);
  write('bad.yaml', FLOW.replace('Next: Wait', 'Next: Wiat'));
  write('good.json', '{"Fetch": [{"throw": {"error": "Flaky"}}, {"return": {"n": 21}}]}');
  write('fails.json', '{"Fetch": [{"throw": {"error": "Broken"}}]}');
  write('echo.json', '{"Fetch": "echo"}');
});
afterAll(() => rmSync(here.folder, { recursive: true, force: true }));

describe('writ simulate', () => {
  it('tells the states with how their attempts ended, then the result; exit 0', async () => {
    const { code, stdout, stderr } = await here.run(['simulate', 'flow.yaml', '--mocks', 'good.json']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe('1  Fetch   threw Flaky, returned\n2  Wait\n3  Double\n\nSUCCEEDED\n42');
  });

  it('tells of the items of a Map which of them had which outcome (outcome-of-another-item)', async () => {
    const score = {
      ...{ Type: 'Task', Resource: 'arn:aws:lambda:us-east-1:111111111111:function:f', End: true },
      Retry: [{ ErrorEquals: ['Flaky'], IntervalSeconds: 60 }],
    };
    const each = { Type: 'Map', End: true, ItemProcessor: { StartAt: 'Score', States: { Score: score } } };
    writeFileSync(
      join(here.folder, 'each.json'),
      JSON.stringify({ StartAt: 'Each', States: { Each: each } }),
    );
    const mocks = '{"Score": [{"throw": {"error": "Flaky"}}, {"return": 1}, {"return": 2}]}';
    const { stdout } = await here.run(['simulate', 'each.json', '--input', '[7, 8]', '--mocks', mocks]);
    expect(stdout.split('\n').slice(0, 3)).toEqual([
      '1  Each',
      '2  Score  Each[0]/Score threw Flaky, returned',
      '3  Score  Each[1]/Score returned',
    ]);
  });

  it('takes the input as every command does, and mocks as JSON too', async () => {
    const words = ['simulate', 'flow.yaml', '--input', '{"n": 4}', '--mocks', '{"Fetch": "echo"}'];
    expect((await here.run(words)).stdout).toMatch(/SUCCEEDED\n8$/);
    const piped = await here.run(['simulate', 'flow.yaml', '--input', '@-', '--mocks', 'echo.json'], {
      input: '{"n": 5}',
    });
    expect(piped.stdout).toMatch(/SUCCEEDED\n10$/);
  });

  it('with --json prints what the library gives', async () => {
    const { code, value } = await here.json(['simulate', 'flow.yaml', '--mocks', 'good.json']);
    expect([code, value]).toEqual([
      0,
      { status: 'SUCCEEDED', output: 42, visited: ['Fetch', 'Wait', 'Double'] },
    ]);
  });

  it('of a workflow that fails exits 1, and says where and why', async () => {
    const { code, stdout } = await here.run(['simulate', 'flow.yaml', '--mocks', 'fails.json']);
    expect(code).toBe(1);
    expect(stdout).toBe('1  Fetch  threw Broken\n2  Sorry  failed\n\nFAILED Sorry\nit did not work');
  });

  it('of a state that policy or approval refuse exits as a run would', async () => {
    const bare = FLOW.replace(/ {4}Catch.*\n/, '').replace(/ {2}Sorry:.*\n/, '');
    writeFileSync(join(here.folder, 'bare.yaml'), bare);
    const exitOf = async (error: string): Promise<number | undefined> => {
      const mocks = JSON.stringify({ Fetch: [{ throw: { error } }] });
      return (await here.run(['simulate', 'bare.yaml', '--mocks', mocks])).code;
    };
    expect(await exitOf('Policy.Denied')).toBe(3);
    expect(await exitOf('Ceiling.Exceeded')).toBe(3);
    expect(await exitOf('Approval.Expired')).toBe(4);
  });

  it('of an invalid document shows every finding, exit 2', async () => {
    const { code, stderr } = await here.run(['simulate', 'bad.yaml']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/bad\.yaml:\d+:\d+: error DOC_UNKNOWN_STATE/);
  });

  it.each([
    [['--mocks', 'none.json'], /there is no file none\.json/],
    [['--mocks', '{"Fetch": 1}'], /mocks of Fetch/],
    [['--mocks', '{"Fetch": '], /--mocks:1/],
    [['--mocks', ''], /--mocks @ names no file/],
    [['--input', '{'], /--input:1/],
  ])('with %j exits 2', async (words, message) => {
    const { code, stderr } = await here.run(['simulate', 'flow.yaml', ...words]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe('writ simulate --as', () => {
  const policies = fileURLToPath(new URL('../../policies', import.meta.url));
  const steps =
    'id: claims-x\nagents: [claims-triage]\nsteps: [{name: S, functionId: FUNCTION, config: {module: m}}]\n';
  const words = ['--mocks', '{"S": [{"return": 1}]}', '--policies', policies];
  beforeAll(() => {
    writeFileSync(join(here.folder, 'may.yaml'), steps.replace('FUNCTION', '"tool::wasm"'));
    const asks = steps.replace('module: m', 'url: "https://api.bank.example"');
    writeFileSync(join(here.folder, 'may-not.yaml'), asks.replace('FUNCTION', '"tool::http_request"'));
  });

  it('has the policies decide every step, with the exit codes of a run', async () => {
    const may = await here.run(['simulate', 'may.yaml', '--as', 'user:alice', ...words]);
    expect([may.code, may.stdout]).toEqual([0, '1  S  returned\n\nSUCCEEDED\n1']);
    const denied = await here.run(['simulate', 'may-not.yaml', '--as', 'user:alice', ...words]);
    expect(denied.code).toBe(3);
    expect(denied.stdout).toMatch(
      /^1 {2}S {2}threw Policy\.Denied\n\nFAILED Policy\.Denied\n.*tool::http_request/,
    );
    expect((await here.run(['simulate', 'may-not.yaml', ...words])).code).toBe(0);
    const stranger = await here.json(['simulate', 'may.yaml', '--as', 'user:bob', ...words]);
    expect([stranger.code, stranger.value]).toMatchObject([3, { error: 'Policy.Denied', visited: [] }]);
  });

  it.each([
    [['--as', 'alice'], /--as names who/],
    [['--agent', 'a=b'], /--as names who/],
    [['--as', 'user:alice', '--policies', 'nowhere'], /nowhere/],
  ])('with %j exits 2', async (flags, message) => {
    const { code, stderr } = await here.run(['simulate', 'may.yaml', ...flags]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

describe('writ workflow graph FILE', () => {
  it('prints Mermaid, or SVG, or either inside --json', async () => {
    const mermaid = await here.run(['workflow', 'graph', 'flow.yaml']);
    expect([mermaid.code, mermaid.stderr]).toEqual([0, '']);
    expect(mermaid.stdout).toMatch(/^flowchart TD\n/);
    expect(mermaid.stdout).toMatch(/-\.->\|"States\.ALL"\|/);
    const svg = await here.run(['workflow', 'graph', 'flow.yaml', '--format', 'svg']);
    expect(svg.stdout).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*<\/svg>$/);
    const { value } = await here.json(['workflow', 'graph', 'flow.yaml']);
    expect(value).toEqual({ format: 'mermaid', graph: `${mermaid.stdout}\n` });
  });

  it('of an invalid document shows every finding, exit 2', async () => {
    const { code, stderr } = await here.run(['workflow', 'graph', 'bad.yaml']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/DOC_UNKNOWN_STATE/);
  });

  it('knows two forms only', async () => {
    expect((await here.run(['workflow', 'graph', 'flow.yaml', '--format', 'png'])).code).toBe(2);
  });
});
