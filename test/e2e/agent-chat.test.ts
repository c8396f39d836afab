// Models in workflows, end to end: the built command, a real server that speaks the protocol, policy in between. What a
// model asks for goes the same road as a step; what is missing or not allowed runs nothing.
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { parseDocument } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentOf, hosted, MAIN, newPlace, type Place, type Ran } from '../cli/writ.js';
import { startModelServer, type ModelServer } from '../model-server/server.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/agent-chat', import.meta.url));
const KEY = 'sk-e2e-0123456789abcdef';

let place: Place;
let server: ModelServer;
beforeEach(async () => {
  place = newPlace(hosted);
  server = await startModelServer({ key: KEY });
  for (const folder of ['agents', 'hands', 'policies']) {
    cpSync(join(EXAMPLE, folder), join(place.folder, folder), { recursive: true });
  }
  const alice = join(place.folder, 'alice.key');
  await place.run(['keys', 'create', 'alice', '--out', alice]);
  edit('policies/approvers.yaml', (document) => {
    const { publicKey } = JSON.parse(readFileSync(alice, 'utf8')) as { publicKey: string };
    document.setIn(['people', 0, 'keys'], [publicKey]);
  });
  expect((await place.run(['init'])).code).toBe(0);
});
afterEach(() => server.close());

function edit(file: string, change: (document: ReturnType<typeof parseDocument>) => void): void {
  const path = join(place.folder, file);
  const document = parseDocument(readFileSync(path, 'utf8'));
  change(document);
  writeFileSync(path, document.toString());
}

const models = () => ({ WRIT_MODEL_BASE_URL: server.url, WRIT_MODEL_API_KEY: KEY, WRIT_MODEL: 'stand-in' });
const CLAIM = (JSON.parse(readFileSync(join(EXAMPLE, 'input.json'), 'utf8')) as { claim: unknown }).claim;

interface Run {
  readonly id: string;
  readonly status: string;
  readonly results: readonly {
    readonly stepPath: string;
    readonly status: string;
    readonly output: unknown;
    readonly error: { readonly code: string } | null;
  }[];
}

/** One step that asks `agent` with `prompt`; `config` beside it. */
async function ask(
  agent: string,
  prompt: string,
  { config = {}, env = models() }: { config?: object; env?: Record<string, string> } = {},
): Promise<Ran & { readonly run: Run }> {
  const step = { name: 'Ask', functionId: 'agent::chat', agent, promptTemplate: '{{prompt}}', config };
  const workflow = { id: 'claims-letter', agents: [agent], steps: [step] };
  writeFileSync(join(place.folder, 'workflow.json'), JSON.stringify(workflow));
  writeFileSync(join(place.folder, 'input.json'), JSON.stringify({ prompt }));
  const ran = await place.json(['run', 'workflow.json', '--input', '@input.json', '--key', 'alice.key'], {
    env,
  });
  return { ...ran, run: ran.value as Run };
}

/** Types of the log's entries, in order: of the largest tile, which holds what the smaller ones hold. */
function entries(): readonly string[] {
  const tiles = filesUnder(join(place.folder, '.writ', 'audit', 'tile', 'entries'));
  const texts = tiles.map((file) => readFileSync(file, 'latin1')).sort((a, b) => b.length - a.length);
  return [...(texts[0] ?? '').matchAll(/"type":"([a-z_.]+)"/g)].map((match) => match[1] ?? '');
}

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

const count = (types: readonly string[], type: string) => types.filter((one) => one === type).length;
const call = `call tool__wasm ${JSON.stringify({ module: 'claims-triage', input: CLAIM })}`;

describe('a model in a workflow', () => {
  it('answers, its calls are steps of their own, and the log verifies', async () => {
    const { code, run } = await ask('claims-clerk', `model> ${call}\nmodel> heard`);
    expect([code, run.status]).toEqual([0, 'completed']);
    const [step] = run.results.filter(({ stepPath }) => stepPath === 'ask');
    expect(step?.output).toMatchObject({ model: 'stand-in', iterations: 2, usage: { inputTokens: 22 } });
    expect((step?.output as { content: string }).content).toContain('"exitCode":0');
    const types = entries();
    // Two turns of the model and one call of the tool: each with an intent before and an end after.
    expect([count(types, 'step.intended'), count(types, 'step.finished')]).toEqual([3, 3]);
    expect(count(types, 'sandbox.started')).toBe(1);
    expect((await place.run(['audit', 'verify'])).code).toBe(0);
  });

  it('is told of a refusal, nothing runs, and it goes on', async () => {
    edit('policies/rbac/letters.yaml', (document) => {
      const rules = document.toJS() as { rules: { id: string }[] };
      document.deleteIn(['rules', rules.rules.findIndex(({ id }) => id === 'LT-012')]);
    });
    const { code, run } = await ask('claims-clerk', `model> ${call}\nmodel> heard`);
    expect([code, run.status]).toEqual([0, 'completed']);
    const [step] = run.results.filter(({ stepPath }) => stepPath === 'ask');
    expect((step?.output as { content: string }).content).toMatch(
      /^refused, and asking again will not change that: /,
    );
    const types = entries();
    expect([count(types, 'step.intended'), count(types, 'sandbox.started')]).toEqual([2, 0]);
  });

  it('is heard while it speaks by who watches from another process, and no word of it is stored', async () => {
    edit('policies/rbac/letters.yaml', (document) => {
      document.addIn(['rules'], {
        id: 'LT-021',
        effect: 'allow',
        subject: 'role:handler',
        domain: 'default',
        action: 'run.cancel',
        resource: 'claims-letter',
        reason: 'handlers stop what they started',
      });
    });
    const step = { name: 'Ask', functionId: 'agent::chat', promptTemplate: 'Speak.\nmodel> hang' };
    const workflow = { id: 'claims-letter', agents: ['claims-clerk'], steps: [step] };
    writeFileSync(join(place.folder, 'workflow.json'), JSON.stringify(workflow));
    const alice = { env: { ...models(), WRIT_KEY: 'alice.key' } };
    const { stdout } = await place.run(['run', 'workflow.json', '--detach'], alice);
    const [id = ''] = stdout.split('\n');
    const watching = execa(process.execPath, [MAIN, 'workflow', 'watch', id], {
      cwd: place.folder,
      extendEnv: false,
      env: environmentOf(place.folder),
      reject: false,
    });
    const said: unknown[] = [];
    for await (const line of watching) {
      const told = JSON.parse(line) as { readonly type: string; readonly data: unknown };
      if (told.type !== 'step.said') continue;
      said.push(told.data);
      // It would hang for ever.
      void place.run(['workflow', 'cancel', id], alice);
    }
    expect(said).toEqual([{ stepPath: 'ask', text: 'so far' }]);
    expect((await watching).exitCode).toBe(1);
    const status = await place.json(['workflow', 'results', id]);
    expect(status.value).toMatchObject({ status: 'cancelled' });
    const files = filesUnder(join(place.folder, '.writ'));
    expect(files.filter((file) => readFileSync(file).includes('so far'))).toEqual([]);
  });

  it('waits where a person decides on what it asks for, in another process too, and goes on from there', async () => {
    const bob = join(place.folder, 'bob.key');
    await place.run(['keys', 'create', 'bob', '--out', bob]);
    const { publicKey } = JSON.parse(readFileSync(bob, 'utf8')) as { publicKey: string };
    edit('policies/approvers.yaml', (document) => {
      document.setIn(['people', 1], { id: 'user:bob', keys: [publicKey] });
    });
    edit('policies/roles/default.yaml', (document) => {
      document.setIn(['members', 'role:reviewer'], ['user:bob']);
    });
    edit('policies/rbac/letters.yaml', (document) => {
      document.addIn(['rules'], {
        id: 'LT-020',
        effect: 'allow',
        subject: 'role:reviewer',
        domain: 'default',
        action: 'approval.decide',
        resource: 'tool::wasm',
        reason: 'reviewers decide on what models ask for',
      });
    });
    edit('policies/ceilings/org.yaml', (document) => {
      const rule = {
        match: { functions: ['tool::wasm'] },
        minimum: 'sync',
        approverRoles: ['role:reviewer'],
      };
      document.setIn(['spec', 'approval'], { rules: [{ ...rule, expiresSeconds: 3600 }] });
    });
    const waiting = await ask('claims-clerk', `model> ${call}\nmodel> heard`);
    expect(waiting.code).toBe(10);
    expect(count(entries(), 'sandbox.started')).toBe(0);
    const list = await place.json(['approvals', 'list', '--key', 'bob.key']);
    const [approval] = (list.value as { approvals: { id: string; subjectDigest: string }[] }).approvals;
    if (approval === undefined) throw new TypeError('nothing waits');
    const words = [
      'approvals',
      'approve',
      approval.id,
      '--digest',
      approval.subjectDigest,
      '--key',
      'bob.key',
    ];
    const { code } = await place.run(words, { env: models() });
    expect(code).toBe(0);
    const run = (await place.json(['workflow', 'results', waiting.run.id, '--key', 'alice.key']))
      .value as Run;
    expect(run.status).toBe('completed');
    const output = run.results.find(({ stepPath }) => stepPath === 'ask')?.output as { content: string };
    expect(output.content).toContain('"exitCode":0');
    // The model was asked twice, once in each process: what it said before is not asked again.
    expect(server.requests).toHaveLength(2);
  });

  it('that asks for what its file does not allow runs nothing, though policy would allow it', async () => {
    const { run } = await ask('letter-clerk', `model> ${call}\nmodel> heard`);
    expect(run.status).toBe('completed');
    expect((run.results[0]?.output as { content: string }).content).toMatch(
      /^not run: there is no such tool/,
    );
    expect(count(entries(), 'sandbox.started')).toBe(0);
  });

  it.each([
    ['no endpoint', { WRIT_MODEL_BASE_URL: '' }, 'WRIT_MODEL_BASE_URL'],
    ['no key', { WRIT_MODEL_API_KEY: '' }, 'WRIT_MODEL_API_KEY'],
    ['no model', { WRIT_MODEL: '' }, 'no model is named'],
  ])('that has %s runs nothing and says what is missing', async (_, without, said) => {
    const { code, stdout, stderr } = await ask('letter-clerk', 'hi', { env: { ...models(), ...without } });
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain('FUNCTION_UNAVAILABLE');
    expect(stdout + stderr).toContain(said);
    expect(server.requests).toEqual([]);
    expect(count(entries(), 'step.intended')).toBe(0);
  });

  it('is under every ceiling: host, key and tools', async () => {
    for (const [field, value, code] of [
      ['network', { mode: 'none' }, 'CEILING_NETWORK'],
      ['network', { mode: 'allowlist', allow: ['models.example.com:443'] }, 'CEILING_NETWORK'],
      ['credentials', { allow: ['OTHER_KEY'] }, 'CEILING_CREDENTIALS'],
      ['tools', { allow: ['tool::other'] }, 'CEILING_TOOLS'],
    ] as const) {
      const before = readFileSync(join(place.folder, 'policies', 'ceilings', 'org.yaml'), 'utf8');
      edit('policies/ceilings/org.yaml', (document) => {
        document.setIn(['spec', field], value);
      });
      const ran = await ask('claims-clerk', `model> ${call}`);
      expect([ran.code, ran.run.results[0]?.error?.code]).toEqual([3, code]);
      writeFileSync(join(place.folder, 'policies', 'ceilings', 'org.yaml'), before);
    }
    expect(server.requests).toEqual([]);
  });

  it('with an answer by schema gives an object that later steps can address', async () => {
    const responseSchema = { type: 'object', required: ['risk'], properties: { risk: { type: 'string' } } };
    const { run } = await ask('letter-clerk', 'model> json {"risk":"low"}', { config: { responseSchema } });
    expect(run.results[0]?.output).toMatchObject({ object: { risk: 'low' }, content: '{"risk":"low"}' });
  });

  it('fails clearly, and its key is in no file, answer or message', async () => {
    const { code, run, stdout, stderr } = await ask('letter-clerk', 'model> status 401 invalid_api_key');
    expect([code, run.results[0]?.error?.code]).toEqual([1, 'FUNCTION_FAILED']);
    const leaked = await ask('letter-clerk', `model> say the key is ${KEY}`);
    const step = leaked.run.results[0]?.output as { content: string };
    expect(step.content).toBe('the key is «secret WRIT_MODEL_API_KEY»');
    expect([stdout, stderr, leaked.stdout, leaked.stderr].join('')).not.toContain(KEY);
    const inFiles = filesUnder(join(place.folder, '.writ')).filter((file) =>
      readFileSync(file).includes(KEY),
    );
    expect(inFiles).toEqual([]);
  });
});

describe('the example', () => {
  it('runs with the stand-in, and its log verifies', async () => {
    const { exitCode, stdout } = await execa(process.execPath, [join(EXAMPLE, 'demo.mjs')], {
      extendEnv: false,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: place.folder,
        WRIT_DEMO_HOME: join(place.folder, 'demo'),
      },
      reject: false,
    });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Sort (completed)\n  {"topic":"status","urgent":false}');
    expect(stdout).toContain('Check (completed)\n  The triage program found low risk');
    expect(stdout).toContain('Answer (completed)');
    expect(stdout).toContain('File a note (completed)');
    expect(stdout).toMatch(/\$ writ audit verify\nverified\n/);
  });
});
