// Every block of the AgentOS page that can run, run: through the built library, against a real HTTP server that speaks
// the protocol of the models, governed and logged as any run. What the page promises is what is expected here.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createPersonKey,
  identify,
  initWrit,
  openWrit,
  verifyData,
  type EmbeddedWrit,
  type Json,
  type RunReport,
} from 'writ';
import { parse, parseDocument } from 'yaml';
import { startModelServer } from '../model-server/server.mjs';
import { noSeedPage, seedPage, yamlBlocks } from './seed-page.js';

interface Rule {
  readonly contains: string;
  readonly replies: readonly string[];
}

const SHIPPED = fileURLToPath(new URL('../../policies', import.meta.url));
const BLOCKS = yamlBlocks(seedPage());
const AGENTS = [
  'architect coder code-reviewer trend-researcher ux-architect rapid-prototyper evidence-collector devops-lead',
  'ops debugger security-auditor doc-writer worker',
].flatMap((names) => names.split(' '));

let folder: string;
let writ: EmbeddedWrit;
let model: Awaited<ReturnType<typeof startModelServer>>;

/** A project in which every agent of the page may talk to the model, and ask for the runner's health. */
async function open(script: readonly Rule[]): Promise<void> {
  model = await startModelServer({ key: 'sk-test', script });
  vi.stubEnv('WRIT_MODEL_BASE_URL', model.url);
  vi.stubEnv('WRIT_MODEL_API_KEY', 'sk-test');
  vi.stubEnv('WRIT_MODEL', 'stand-in');
  const [data, policies, key] = [join(folder, '.writ'), join(folder, 'policies'), join(folder, 'alice.key')];
  vi.stubEnv('XDG_STATE_HOME', join(folder, 'state'));
  cpSync(SHIPPED, policies, { recursive: true });
  createPersonKey(key, 'user:alice');
  edit(join(policies, 'approvers.yaml'), (document) => {
    const { people } = document.toJS() as { people: { id: string }[] };
    const index = people.findIndex(({ id }) => id === 'user:alice');
    const { publicKey } = JSON.parse(readFileSync(key, 'utf8')) as { publicKey: string };
    document.setIn(['people', index, 'keys'], [publicKey]);
  });
  edit(join(policies, 'roles', 'default.yaml'), (document) => {
    document.setIn(['members', 'role:page'], ['user:alice', ...AGENTS.map((name) => `agent:${name}`)]);
  });
  const rules = ['workflow.run *', 'function.invoke agent::chat', 'function.invoke tool::health_check']
    .concat('function.invoke security::check')
    .map((rule, index) => {
      const [action = '', resource = ''] = rule.split(' ');
      return (
        `  - { id: PAGE-${index}, effect: allow, subject: "role:page", domain: default, ` +
        `action: ${action}, resource: "${resource}", reason: the page }`
      );
    });
  writeFileSync(
    join(policies, 'rbac', 'page.yaml'),
    `apiVersion: writ/v1\nkind: Rules\nrules:\n${rules.join('\n')}\n`,
  );
  edit(join(policies, 'ceilings', 'org.yaml'), (document) => {
    // A model is behind a network, and credentials are needed for it.
    for (const field of ['sandbox', 'network', 'credentials', 'approval', 'approvals'])
      document.deleteIn(['spec', field]);
    document.setIn(['spec', 'functions', 'allow'], ['agent::*', 'tool::*', 'security::*']);
  });
  await initWrit({ data, origin: null, tenant: 'default' });
  writ = await openWrit({ data, policies, key });
}

function edit(file: string, change: (document: ReturnType<typeof parseDocument>) => void): void {
  const document = parseDocument(readFileSync(file, 'utf8'));
  change(document);
  writeFileSync(file, document.toString());
}

const alice = async () => identify(writ, join(folder, 'alice.key'));

/** Registers a block of the page as it stands there, and runs it. A list of steps gets an id and an agent. */
async function run(block: string, input: Json): Promise<RunReport> {
  const document = parse(block) as { id?: string };
  const text = document.id === undefined ? `id: fragment\nagents: [worker]\n${block}` : block;
  const { id } = await writ.createWorkflow({ text, file: null }, await alice());
  return writ.trigger('workflow::run', { workflowId: id, input, wait: true });
}

/** The one block that holds all of these texts. */
function block(...texts: readonly string[]): string {
  const found = BLOCKS.filter((one) => texts.every((text) => one.includes(text)));
  expect(found).toHaveLength(1);
  return found[0] ?? '';
}

/** What the model was asked, in order. */
function prompts(): string[] {
  const bodies = model.requests.map(({ body }) => body as { messages: { role: string; content: unknown }[] });
  return bodies.map(({ messages }) => JSON.stringify(messages.at(-1)?.content));
}

const statuses = ({ results }: RunReport): string[] => results.map((one) => `${one.stepName}: ${one.status}`);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-page-'));
});

afterEach(async () => {
  await writ.close({ stopAfterMs: 0 });
  await model.close();
  const trust = join(folder, 'state', 'writ', 'trust.json');
  const dir = join(folder, '.writ', 'audit');
  const { verdict, findings } = await verifyData({
    dir,
    vkeys: [],
    old: [],
    run: null,
    payloads: true,
    trust,
  });
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
  expect({ verdict, findings }).toEqual({ verdict: 'verified', findings: [] });
});

describe.skipIf(noSeedPage !== '')(`the AgentOS page runs${noSeedPage}`, () => {
  it('Workflow Structure: specified, implemented, reviewed until LGTM', async () => {
    await open([
      { contains: 'Design the feature: login', replies: ['say SPEC'] },
      { contains: 'Implement based on: SPEC', replies: ['say CODE'] },
      { contains: 'Review: CODE', replies: ['say LGTM, ship it'] },
    ]);
    const report = await run(block('id: feature-build', 'Respond with LGTM if approved'), {
      feature_description: 'login',
    });
    expect(report).toMatchObject({ status: 'completed', output: 'LGTM, ship it' });
    expect(report.results[2]).toMatchObject({ stepName: 'Review', iterations: 1, converged: true });
  });

  it('Feature Build: the second review sees the feedback of the first, and the merge sees the verdict', async () => {
    await open([
      { contains: 'Design the feature: login', replies: ['say SPEC'] },
      { contains: 'based on this spec: SPEC', replies: ['say CODE'] },
      { contains: '(if any): handle null', replies: ['say LGTM'] },
      { contains: 'Review this implementation: CODE', replies: ['say handle null'] },
      { contains: 'Review result: LGTM', replies: ['say MERGED'] },
    ]);
    const report = await run(block('id: feature-build', 'changelog entry'), { feature_description: 'login' });
    expect(statuses(report)).toEqual(
      ['Spec', 'Implement', 'Review', 'Merge'].map((name) => `${name}: completed`),
    );
    expect(report.output).toBe('MERGED');
    expect(report.results[2]).toMatchObject({ iterations: 2, converged: true, attempts: 2 });
    expect(report.results.map(({ principal }) => principal)).toEqual(
      ['architect', 'architect', 'architect', 'architect'].map((name) => `agent:${name}`),
    );
  });

  it('MVP Sprint: five agents, built until all tests pass', async () => {
    await open([
      { contains: 'Research the market for: a shop', replies: ['say BRIEF'] },
      { contains: 'discovery brief: BRIEF', replies: ['say DESIGN'] },
      { contains: 'design spec: DESIGN', replies: ['say done: all_tests_pass'] },
      { contains: 'QA the build output: done', replies: ['say REPORT'] },
      { contains: 'QA report: REPORT', replies: ['say LIVE'] },
    ]);
    const report = await run(block('id: mvp-sprint'), { goal: 'a shop' });
    expect(report).toMatchObject({ status: 'completed', output: 'LIVE' });
    expect(report.results.map(({ principal }) => principal)).toEqual([
      'agent:trend-researcher',
      'agent:ux-architect',
      'agent:rapid-prototyper',
      'agent:evidence-collector',
      'agent:devops-lead',
    ]);
  });

  it.each([
    ['P0', 'completed'],
    ['P2', 'skipped'],
  ])(
    'Incident Response: an incident of severity %s has its security check %s',
    async (severity, expected) => {
      await open([
        { contains: 'Incident alert: disk full', replies: [`say {"severity": "${severity}"}`] },
        { contains: 'Investigate the incident', replies: ['say CAUSE'] },
        { contains: 'Based on investigation: CAUSE', replies: ['say RESTORED'] },
        { contains: 'Security review of incident: CAUSE', replies: ['say NO BREACH'] },
        { contains: 'Generate post-mortem for: disk full', replies: ['say POSTMORTEM'] },
      ]);
      const report = await run(block('id: incident-response'), { incident_description: 'disk full' });
      expect(report).toMatchObject({ status: 'completed', output: 'POSTMORTEM' });
      expect(report.results[3]).toMatchObject({ stepName: 'Security Check', status: expected });
    },
  );

  it('Fanout-Collect: every item once, what fails is skipped, the rest is brought together', async () => {
    await open([
      { contains: 'Analyze: bad', replies: ['status 400'] },
      { contains: 'Analyze: one', replies: ['say ONE'] },
      { contains: 'Analyze: two', replies: ['say TWO'] },
      { contains: 'Synthesize', replies: ['say ALL'] },
    ]);
    const report = await run(block('Parallel Analysis'), ['one', 'bad', 'two']);
    expect(report).toMatchObject({ status: 'completed', output: 'ALL' });
    expect(report.results[0]).toMatchObject({ items: { done: 2, failed: 1, total: 3 } });
    expect(prompts().toSorted()).toHaveLength(4);
    expect(prompts().at(-1)).toContain(String.raw`[\"ONE\",null,\"TWO\"]`);
  });

  it('Conditional Branching: a healthy runner needs no fix', async () => {
    await open([]);
    const report = await run(block('Check Status'), {});
    expect(statuses(report)).toEqual([
      'Check Status: completed',
      'Immediate Fix: skipped',
      'Schedule Maintenance: skipped',
    ]);
    expect(report).toMatchObject({ status: 'completed', output: { status: 'healthy' } });
  });

  it('Iterative Refinement: until the score of the answer is good enough', async () => {
    await open([
      { contains: 'Feedback: more detail', replies: ['say {"quality_score": 0.95}'] },
      {
        contains: 'Create initial output for: a poem',
        replies: ['say {"quality_score": 0.4, "feedback": "more detail"}'],
      },
    ]);
    const report = await run(block('Generate and Refine'), { task: 'a poem' });
    expect(report).toMatchObject({ status: 'completed' });
    expect(report.results[0]).toMatchObject({ iterations: 2, converged: true });
    expect(prompts()[1]).toContain('Improve the output');
    expect(prompts()[1]).not.toContain('Create initial');
  });

  it('Error Handling: a critical step that policy allows goes on', async () => {
    await open([]);
    const report = await run(block('Critical Step'), {});
    expect(report.results[0]).toMatchObject({ status: 'completed', output: { allowed: true } });
  });

  it.each(['sequential', 'conditional', 'loop'])(
    'Step Modes: a step with the fields of %s runs',
    async (mode) => {
      await open([{ contains: 'go', replies: ['say LGTM'] }]);
      const [first = '', ...rest] = BLOCKS.filter((one) => one.startsWith(`mode: ${mode}`));
      const step = {
        name: 'It',
        functionId: 'agent::chat',
        promptTemplate: 'go',
        ...(parse(first) as object),
      };
      expect(rest).toEqual([]);
      const steps = [{ name: 'Before', functionId: 'agent::chat', promptTemplate: 'go' }, step];
      const text = JSON.stringify({ id: 'modes', agents: ['worker'], steps });
      await writ.createWorkflow({ text, file: null }, await alice());
      const report = await writ.trigger('workflow::run', {
        workflowId: 'modes',
        input: {},
        wait: true,
      });
      expect(statuses(report)).toEqual(['Before: completed', 'It: completed']);
    },
  );

  it('Variable Interpolation: the prompt of the page renders in a loop', async () => {
    await open([{ contains: 'Feature: login', replies: ['say again'] }]);
    const { promptTemplate } = parse(block('Previous iteration: {{implementation}}')) as {
      promptTemplate: string;
    };
    const step = {
      name: 'Implement',
      functionId: 'agent::chat',
      mode: 'loop',
      maxIterations: 2,
      outputVar: 'implementation',
      promptTemplate,
    };
    const review = {
      name: 'Review',
      functionId: 'agent::chat',
      outputVar: 'review_result',
      promptTemplate: 'x',
    };
    const text = JSON.stringify({ id: 'loop', agents: ['worker'], steps: [step, review] });
    await writ.createWorkflow({ text, file: null }, await alice());
    const input = { feature_description: 'login' };
    await writ.trigger('workflow::run', { workflowId: 'loop', input, wait: true });
    expect(prompts()[0]).not.toContain('This is iteration');
    expect(prompts()[1]).toMatch(/Previous iteration: again.*This is iteration 1 of 2\./s);
  });
});
