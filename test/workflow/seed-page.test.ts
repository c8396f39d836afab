import { describe, expect, it } from 'vitest';
import { templates } from '../../src/templates.js';
import { renderTemplate } from '../../src/expression/index.js';
import { type Plan, type PlanNode, parseWorkflow, validate } from '../../src/workflow/index.js';
import { noSeedPage, seedPage, seedWorkflows, yamlBlocks } from './seed-page.js';

const blocks = yamlBlocks(seedPage());
const named = (text: string) => blocks.find((block) => block.includes(text)) ?? '';

function planOf(block: string): Plan {
  const { plan, diagnostics } = parseWorkflow(block, { fragment: true });
  expect(diagnostics.filter((one) => one.severity === 'error')).toEqual([]);
  if (plan === null) throw new Error('no plan');
  return plan;
}

function tasks(plan: Plan): readonly Extract<PlanNode, { kind: 'task' }>[] {
  return Object.values(plan.nodes).filter((node) => node.kind === 'task');
}

/** The document with every prompt and description reduced to the fact that it is there. */
function withoutProse(text: string): unknown {
  return JSON.parse(
    JSON.stringify(parseWorkflow(text).document, (key, value: unknown) =>
      key === 'promptTemplate' || key === 'description' ? typeof value : value,
    ),
  );
}

describe.skipIf(noSeedPage !== '')(`the AgentOS page${noSeedPage}`, () => {
  it('has ten blocks of more than a mode, and six of one', () => {
    expect(blocks).toHaveLength(16);
    expect(blocks.filter((block) => block.startsWith('mode:'))).toHaveLength(5);
    expect(seedWorkflows()).toHaveLength(10);
  });

  it('is valid whole; what is told are warnings that its author would want to know', () => {
    for (const block of blocks) {
      const { ok, diagnostics } = validate(block, { fragment: true });
      expect(ok, block).toBe(true);
      const codes = [...new Set(diagnostics.map((one) => one.code))];
      const oneWord = /until: "\w+"/.test(block) && !block.startsWith('mode:');
      const expected = [
        ...(oneWord ? ['DOC_UNTIL_WORD'] : []),
        ...(block.includes('Deploy to Production') ? ['DOC_REQUEST_INCOMPLETE'] : []),
      ];
      expect(codes, block).toEqual(expected);
    }
  });

  it('gives a plan for every workflow and list of steps, with all its steps', () => {
    for (const block of seedWorkflows()) {
      const names = [...block.matchAll(/^ {2}- name: (.+)$/gm)].map((found) => found[1]);
      expect(tasks(planOf(block)).map((task) => task.name)).toEqual(names);
    }
  });

  it('has the loops, retries and agents of its feature build', () => {
    const plan = planOf(blocks.filter((block) => block.startsWith('id: feature-build'))[1] ?? '');
    expect(tasks(plan).map((task) => task.call)).toMatchObject(
      Array.from({ length: 4 }, () => ({ functionId: 'agent::chat', agent: null, fallback: 'architect' })),
    );
    expect(plan.nodes['review']).toMatchObject({
      loop: { maxIterations: 3, until: { kind: 'phrase', phrase: 'LGTM' }, onExhausted: 'continue' },
      retry: [{ maxAttempts: 2 }],
      timeoutMs: 180000,
      next: 'merge',
    });
  });

  it('has an agent of its own for every step of the MVP sprint', () => {
    const plan = planOf(named('id: mvp-sprint'));
    const agents = tasks(plan).map(({ call }) => (call.kind === 'function' ? call.fallback : null));
    expect(agents).toEqual(plan.agents);
    expect(plan.agents).toHaveLength(5);
  });

  it('has the condition of the incident response', () => {
    const plan = planOf(named('id: incident-response'));
    expect(Object.keys(plan.nodes)).toEqual([
      'triage',
      'investigate',
      'mitigate',
      'security_check',
      'post_mortem',
    ]);
    expect(plan.nodes['security_check']).toMatchObject({
      when: "{{triage_result.severity}} == 'P0'",
      onFailure: 'skip',
    });
    expect(plan.nodes['mitigate']).toMatchObject({ retry: [{ maxAttempts: 2, intervalMs: 500 }] });
  });

  it('maps "Parallel Analysis" over items and collects it', () => {
    const plan = planOf(named('Parallel Analysis'));
    expect(plan.start).toBe('group:parallel_analysis');
    expect(plan.nodes[plan.start]).toMatchObject({
      kind: 'fork',
      lanes: [{ start: 'parallel_analysis', each: { items: { kind: 'implied' }, concurrency: 4 } }],
      next: 'aggregate',
    });
    expect(plan.nodes['aggregate']).toMatchObject({ collects: true, next: null });
  });

  it('loops "Generate and Refine" until an expression on its output', () => {
    const plan = planOf(named('Generate and Refine'));
    expect(plan.nodes['generate_and_refine']).toMatchObject({
      loop: { maxIterations: 5, until: { kind: 'expression', expression: 'quality_score > 0.9' } },
    });
  });

  it('keeps the gate and the sandbox of "Deploy to Production"', () => {
    expect(planOf(named('Deploy to Production')).nodes['deploy_to_production']).toMatchObject({
      approval: { mode: 'sync' },
      sandbox: { driver: 'docker', image: null },
    });
  });

  it('has the three templates that ship, field for field; only the prose is ours', async () => {
    const shipped = new Map((await templates()).map(({ id, text }) => [id, text]));
    const whole = seedWorkflows().filter(
      (block) => block.startsWith('id:') && block.includes('description: >'),
    );
    expect(whole).toHaveLength(3);
    for (const block of whole) {
      const { id } = planOf(block);
      expect(withoutProse(shipped.get(id) ?? ''), id).toEqual(withoutProse(block));
    }
  });

  it('has only templates that render', () => {
    const values = new Map<string, string | number>([
      ['iteration', 1],
      ['maxIterations', 5],
      ['output', 'draft'],
      ['feedback', 'shorter'],
    ]);
    const scope = { values, known: new Set(values.keys()), onMissing: 'empty' } as const;
    let rendered = 0;
    for (const task of seedWorkflows().flatMap((block) => tasks(planOf(block)))) {
      if (task.flow.language !== 'template' || task.flow.prompt === null) continue;
      expect(renderTemplate(task.flow.prompt, scope)).not.toContain('{{');
      rendered++;
    }
    expect(rendered).toBe(22);
    const refine = tasks(planOf(named('Generate and Refine')))[0]?.flow;
    const prompt = refine?.language === 'template' ? (refine.prompt ?? '') : '';
    expect(renderTemplate(prompt, scope)).toContain('Previous output: draft');
    expect(renderTemplate(prompt, { ...scope, values: new Map([['iteration', 0]]) })).toContain(
      'Create initial output for:',
    );
    const lone = blocks.find((block) => block.startsWith('promptTemplate:')) ?? '';
    const { document } = parseWorkflow(lone, { fragment: true });
    const text = (document as { promptTemplate: string }).promptTemplate;
    expect(renderTemplate(text, scope)).toContain('This is iteration 1 of 5.');
  });
});
