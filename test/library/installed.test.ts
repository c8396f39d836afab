// The package as others get it: its types under nodenext, the page's own program, a process that ends by itself.
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startModelServer } from '../model-server/server.mjs';
import { installWrit, type Installed } from './installed.js';
import { newProject, type Project } from './project.js';

const PAGE = new URL('../../../shared/seeds/agentos-workflows.txt', import.meta.url);
const skipped = existsSync(PAGE) ? '' : ' [skipped: no shared/seeds beside the repository]';

let installed: Installed;
/** What one compilation says of all programs. */
let said: string;

// skipLibCheck off: what writ declares has to stand by itself.
beforeAll(async () => {
  installed = await installWrit();
  installed.write('types.ts', TYPES);
  installed.write('wrong.ts', WRONG);
  if (skipped === '') installed.write('page.ts', pageProgram().replace("from 'iii-sdk'", "from 'writ'"));
  said = await installed.compile({ skipLibCheck: false });
});

afterAll(() => installed.remove());

const saidOf = (file: string): string[] => said.split('\n').filter((line) => line.startsWith(file));

/** The page's program, from its import to the heading that follows it. */
function pageProgram(): string {
  const lines = readFileSync(PAGE, 'utf8').split('\n');
  const from = lines.indexOf("import { trigger } from 'iii-sdk';");
  const to = lines.indexOf('Integration with Hands', from);
  expect([from, to].every((at) => at > 0)).toBe(true);
  return lines.slice(from, to).join('\n');
}

async function runs(project: Project, file: string, env: Readonly<Record<string, string>> = {}) {
  return execa(process.execPath, [join(installed.folder, file)], {
    cwd: project.folder,
    extendEnv: false,
    env: { ...project.env, WRIT_KEY: project.keyOf('alice'), ...env },
    stdin: 'ignore',
    reject: false,
    timeout: 300_000,
  });
}

describe('the package', () => {
  it('holds every file that its README leads to', () => {
    const root = join(installed.folder, 'node_modules', 'writ');
    const text = readFileSync(join(root, 'README.md'), 'utf8');
    const links = Array.from(text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/gu), ([, link = '']) => link);
    const own = links.filter((link) => !/^https?:/u.test(link));
    expect(own.length).toBeGreaterThan(5);
    expect(own.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });

  it('holds nothing that only the build needs', () => {
    const dist = join(installed.folder, 'node_modules', 'writ', 'dist');
    expect(readdirSync(dist).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(existsSync(join(dist, 'index.js'))).toBe(true);
  });
});

describe('the command line of the package', () => {
  const home = (): string => join(installed.folder, 'node_modules', 'writ');
  const writ = (main: string, ...words: readonly string[]) =>
    execa(process.execPath, [join(home(), 'dist', main), ...words], {
      cwd: installed.folder,
      extendEnv: false,
      reject: false,
    });

  it('runs from the bundle, which has the licences of what is in it', async () => {
    const start = join(home(), 'dist', 'cli', 'start.js');
    renameSync(start, `${start}.away`);
    try {
      expect(await writ('cli/main.js', '--version')).toMatchObject({ exitCode: 0, stderr: '' });
    } finally {
      renameSync(`${start}.away`, start);
    }
    const licences = readFileSync(join(home(), 'dist', 'bundle', 'LICENSES.txt'), 'utf8');
    const named = licences.split('\n').map((line) => line.split(' ')[0]);
    expect(named).toEqual(
      expect.arrayContaining(['ajv', 'casbin', 'commander', 'handlebars', 'ink', 'yaml']),
    );
  });

  it('takes the schemas of the package as they were compiled ahead, as a library too', async () => {
    installed.write(
      'compiled.mjs',
      `import { createRequire } from 'node:module';
       import { loadPolicies } from 'writ/policy';
       const { rules } = await loadPolicies('node_modules/writ/policies');
       const { cache } = createRequire(import.meta.url);
       const compilers = Object.keys(cache).filter((file) => file.includes('/ajv/'));
       console.log(JSON.stringify({ isLoaded: rules.length > 0, compilers }));`,
    );
    const { stdout } = await execa(process.execPath, [join(installed.folder, 'compiled.mjs')], {
      cwd: installed.folder,
    });
    expect(JSON.parse(stdout)).toEqual({ isLoaded: true, compilers: [] });
  });

  it('says of faulty documents from the bundle, with schemas compiled ahead, what it says from its modules', async () => {
    installed.write('steps.yaml', 'id: Bad Id\nsteps:\n  - nam: x\n    functionId: 7\n    timeoutMs: fast\n');
    installed.write(
      'states.yaml',
      'version: agentrc.workflow/v0.1\nstartAt: A\nstates:\n  A: {type: Choice, choices: [{}], nxt: B}\n  B: {type: Waiting}\n',
    );
    cpSync(join(home(), 'policies'), join(installed.folder, 'faulty'), { recursive: true });
    for (const file of ['rbac/claims.yaml', 'roles/default.yaml', 'ceilings/org.yaml', 'approvers.yaml']) {
      const path = join(installed.folder, 'faulty', ...file.split('/'));
      writeFileSync(path, `${readFileSync(path, 'utf8')}\nextra: 1\n`);
    }
    writeFileSync(
      join(installed.folder, 'faulty', 'ceilings', 'more.yaml'),
      'apiVersion: writ/v1\nkind: Ceiling\nmetadata: {name: more, layer: galaxy}\nspec: {limits: many, sandbox: {allowed: [vm]}}\n',
    );
    for (const room of ['policy', 'workflow']) {
      const plain = join(home(), 'dist', room, 'shape-validator.js');
      writeFileSync(plain, "export { validatorOf } from './shape-compiler.js';\n");
    }
    for (const words of [
      ['validate', 'steps.yaml', 'states.yaml'],
      ['--policies', 'faulty', 'policy', 'check', 'user:alice', 'workflow.run', 'claims-review'],
    ]) {
      const [bundled, plain] = await Promise.all([
        writ('cli/main.js', ...words),
        writ('cli/start.js', ...words),
      ]);
      expect(bundled.exitCode).toBe(2);
      expect([bundled.exitCode, bundled.stdout, bundled.stderr]).toEqual([
        plain.exitCode,
        plain.stdout,
        plain.stderr,
      ]);
    }
  });
});

describe('types', () => {
  it('resolve under nodenext, every entry of the package', () => {
    expect(saidOf('types.ts')).toEqual([]);
    expect(saidOf('node_modules/writ/')).toEqual([]);
  });

  it('refuse what trigger does not take', () => {
    const lines = saidOf('wrong.ts(').map((line) => Number(/\((\d+),/u.exec(line)?.[1]));
    const wrong = WRONG.split('\n').flatMap((line, index) => (line.includes('// wrong') ? [index + 1] : []));
    expect(lines).toEqual(wrong);
  });
});

describe(`the page's program${skipped}`, () => {
  it.skipIf(skipped !== '')('runs with only the import changed, and the process ends by itself', async () => {
    const program = pageProgram();
    const ours = readFileSync(join(installed.folder, 'page.ts'), 'utf8').split('\n');
    expect(ours.filter((line, index) => line !== program.split('\n')[index])).toEqual([
      "import { trigger } from 'writ';",
    ]);
    expect(saidOf('page.ts')).toEqual([]);
    const project = await newProject();
    const model = await startModelServer();
    try {
      const env = {
        WRIT_MODEL_BASE_URL: model.url,
        WRIT_MODEL: 'stand-in',
        WRIT_MODEL_API_KEY: 'key-for-tests',
      };
      const { exitCode, stderr } = await runs(project, 'page.js', env);
      expect([exitCode, stderr]).toEqual([0, '']);
      const writ = await project.open();
      expect(await writ.trigger('workflow::list', {})).toMatchObject({
        total: 1,
        workflows: [{ id: 'custom-workflow', name: 'Custom Workflow' }],
      });
      const { runs: all } = await writ.trigger('workflow::runs', {});
      expect(all).toMatchObject([
        { status: 'completed', initiator: 'user:alice', agents: { '*': 'coder-001' } },
      ]);
      const report = await writ.trigger('workflow::status', { runId: all[0]?.runId ?? '' });
      expect(report.results).toMatchObject([
        { stepName: 'Step1', status: 'completed', principal: 'agent:coder-001', attempts: 1 },
      ]);
      expect(JSON.stringify(report.output)).toContain('Build feature X');
      expect(model.requests).toHaveLength(1);
      await writ.close();
      expect(await project.verify()).toEqual([]);
    } finally {
      await model.close();
      project.remove();
    }
  });

  it.skipIf(skipped !== '')(
    'says what is missing when no model is configured, and nothing has run',
    async () => {
      installed.write('page.ts', pageProgram().replace("from 'iii-sdk'", "from 'writ'"));
      await installed.compile({ skipLibCheck: true });
      const project = await newProject();
      const { exitCode, stderr } = await runs(project, 'page.js');
      expect([exitCode, stderr]).toEqual([0, '']);
      const writ = await project.open();
      const { runs: all } = await writ.trigger('workflow::runs', {});
      const report = await writ.trigger('workflow::status', { runId: all[0]?.runId ?? '' });
      expect(report).toMatchObject({ status: 'failed', error: { code: 'FUNCTION_UNAVAILABLE' } });
      await writ.close();
      expect(await project.verify()).toEqual([]);
      project.remove();
    },
  );
});

describe('a process that triggers', () => {
  it('ends while its run waits for a person, and another one goes on', async () => {
    const project = await newProject();
    const model = await startModelServer();
    try {
      installed.write('waits.js', WAITS);
      installed.write('goes-on.js', GOES_ON);
      const env = {
        WRIT_MODEL_BASE_URL: model.url,
        WRIT_MODEL: 'stand-in',
        WRIT_MODEL_API_KEY: 'key-for-tests',
      };
      const { exitCode, stdout: runId, stderr } = await runs(project, 'waits.js', env);
      expect([exitCode, stderr, model.requests.length]).toEqual([0, '', 0]);
      // All of it was published: the log is whole without anybody opening it again.
      expect(await project.verify()).toEqual([]);
      const bob = await project.open('bob');
      expect(await bob.status(runId)).toMatchObject({ status: 'waiting', waitingFor: { kind: 'approval' } });
      const [request] = await bob.approvals({ run: runId, states: ['pending'] });
      const vote = { decision: 'approve', digest: request?.subjectDigest ?? null, reason: null } as const;
      await bob.decide(request?.id ?? '', vote, await bob.whoActs());
      await bob.close();
      const second = await runs(project, 'goes-on.js', { ...env, RUN: runId });
      expect([second.exitCode, second.stderr, second.stdout]).toEqual([0, '', 'running']);
      const alice = await project.open();
      expect(await alice.status(runId)).toMatchObject({ status: 'completed' });
      await alice.close();
      expect(model.requests).toHaveLength(1);
      expect(await project.verify()).toEqual([]);
    } finally {
      await model.close();
      project.remove();
    }
  });

  it('is told clearly what is not there, and can try again', async () => {
    const project = await newProject();
    installed.write('tries.js', TRIES);
    const { exitCode, stdout } = await runs(project, 'tries.js', { WRIT_DATA: join(project.folder, 'none') });
    expect([exitCode, JSON.parse(stdout)]).toEqual([
      0,
      ['NOT_INITIALISED', 'NOT_INITIALISED', 'FUNCTION_NOT_FOUND', 'FUNCTION_REQUEST_INVALID'],
    ]);
    const stranger = await runs(project, 'tries.js', { WRIT_KEY: project.keyOf('eve') });
    expect(JSON.parse(stranger.stdout)[0]).toBe('POLICY_IDENTITY_UNKNOWN');
    project.remove();
  });
});

const TYPES = `
import { openWrit, trigger, WritError, type RunReport, type FunctionCall } from 'writ';
import { parseWorkflow } from 'writ/workflow';
import * as policy from 'writ/policy';
import * as approval from 'writ/approval';
import * as audit from 'writ/audit';

interface Claim { readonly amount: number }
interface Score { readonly risk: 'low' | 'high' }

const writ = await openWrit({ data: '.writ', policies: 'policies' });
writ.function('claims::score', { input: {}, output: {} }, (claim: Claim, call: FunctionCall): Score => {
  call.signal.throwIfAborted();
  return { risk: claim.amount > 1_000 ? 'high' : 'low' };
});
writ.function<Claim, Score>('claims::typed', { input: {}, output: {}, idempotent: true }, async ({ amount }) => ({
  risk: amount > 1 ? 'high' : 'low',
}));
const id: string = await trigger('workflow::create', { id: 'x', steps: [{ name: 'A', functionId: 'claims::score' }] });
const runId: string = await writ.trigger('workflow::run', { workflowId: id, input: { amount: 7 }, agentId: 'coder' });
const report: RunReport = await trigger({
  function_id: 'workflow::run',
  payload: { workflowId: id, wait: true },
  timeoutMs: 1_000,
});
const wait = Math.random() > 2;
const either: string | RunReport = await trigger('workflow::run', { workflowId: id, wait });
const status: RunReport = await trigger('workflow::status', { runId });
const { workflows, total } = await trigger('workflow::list', { limit: 10 });
const first: string | undefined = workflows[0]?.id;
const error: unknown = new WritError('USAGE', 'x');
const snapshot: policy.PolicySnapshot = await policy.loadPolicies('policies');
const decision: policy.Decision = policy.decide(snapshot, {
  ...{ initiator: 'user:alice', domain: 'default', action: 'workflow.run', resource: 'claims-review' },
});
const ceiling: policy.Ceiling = policy.composeCeilings([{ layer: 'org', name: 'x', spec: { network: { mode: 'none' } } }]);
const fits: boolean = policy.permits(ceiling, { action: 'function.invoke', resource: 'tool::wasm' }).ok;
const names: readonly unknown[] = [parseWorkflow, policy, approval, audit, report, either, status, total, first, error, decision, fits];
export { names };
await writ.close({ stopAfterMs: 1_000 });
`;

const WRONG = `
import { trigger } from 'writ';
const ok: string = await trigger('workflow::run', { workflowId: 'x' });
await trigger('workflow::rum', { workflowId: 'x' }); // wrong
await trigger('workflow::status', { runID: 'x' }); // wrong
const id: number = await trigger('workflow::create', { id: 'x', steps: [] }); // wrong
await trigger('workflow::list', { limit: '10' }); // wrong
const report: { runId: string } = await trigger('workflow::run', { workflowId: 'x' }); // wrong
await trigger({ function_id: 'workflow::cancel', payload: {} }); // wrong
export { ok, id, report };
`;

const WAITS = `
import { trigger } from 'writ';
const workflowId = await trigger('workflow::create', {
  id: 'waits',
  steps: [{ name: 'A', functionId: 'agent::chat', agent: 'coder', promptTemplate: 'x', approval: 'sync' }],
});
const runId = await trigger('workflow::run', { workflowId });
console.log(runId);
`;

const GOES_ON = `
import { trigger } from 'writ';
const { status } = await trigger({ function_id: 'workflow::resume', payload: { runId: process.env.RUN } });
console.log(status === 'waiting' || status === 'running' || status === 'completed' ? 'running' : status);
`;

const TRIES = `
import { trigger } from 'writ';
const codes = [];
for (const call of [
  () => trigger('workflow::run', { workflowId: 'x' }),
  () => trigger('workflow::list', {}),
  () => trigger('agent::chat', {}),
  () => trigger({ payload: {} }),
]) {
  codes.push(await call().then(() => 'ok', (error) => error.code));
}
console.log(JSON.stringify(codes));
`;
