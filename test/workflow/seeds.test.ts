// The two documents the product was promised for, and recorded States Language definitions. They are read from the
// shared folder beside the repository; nothing of them is copied here.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseWorkflow, validate } from '../../src/workflow/index.js';

const SHARED = new URL('../../../shared/', import.meta.url);
const AGENTOS = new URL('seeds/agentos-workflows.txt', SHARED);
const AGENTRC = new URL('seeds/agentrc-workflow-draft.txt', SHARED);
const VALIDATION = new URL('corpus/asl/validation-dev.jsonl', SHARED);

// The page has no fences: a block begins at a key and ends at the first line that is no YAML.
function yamlBlocks(page: string): readonly string[] {
  const blocks: string[][] = [];
  let block: string[] | null = null;
  for (const line of page.split('\n')) {
    if (block === null && /^(id|steps|mode|promptTemplate):/.test(line)) blocks.push((block = []));
    else if (block !== null && !/^(\s|[a-z]\w*:|$)/.test(line)) block = null;
    block?.push(line);
  }
  return blocks.map((lines) => lines.join('\n'));
}

const noSeed = (url: URL) => (existsSync(url) ? '' : ' [skipped: no shared/seeds beside the repository]');

describe(`the AgentOS page${noSeed(AGENTOS)}`, () => {
  const blocks = existsSync(AGENTOS) ? yamlBlocks(readFileSync(AGENTOS, 'utf8')) : [];

  it.skipIf(blocks.length === 0)('has ten blocks of more than a mode, and six of one', () => {
    expect(blocks).toHaveLength(16);
    expect(blocks.filter((block) => block.startsWith('mode:'))).toHaveLength(5);
  });

  it.skipIf(blocks.length === 0)(
    'parses whole: what is not run yet is refused, and nothing else is found',
    () => {
      for (const block of blocks) {
        const later = /mode: (fanout|collect|loop)/.test(block);
        const { plan, diagnostics } = parseWorkflow(block, { fragment: true });
        const codes = [...new Set(diagnostics.map((one) => one.code))];
        const incomplete = block.includes('Deploy to Production') ? ['DOC_REQUEST_INCOMPLETE'] : [];
        expect(codes, block).toEqual(later ? ['DOC_UNSUPPORTED'] : incomplete);
        if (block.includes('steps:')) expect(plan === null, block).toBe(later);
        for (const { line, path } of diagnostics) {
          if (later) expect(block.split('\n')[line - 1], path).toMatch(/mode: (fanout|collect|loop)/);
        }
      }
    },
  );

  it.skipIf(blocks.length === 0)('keeps the gate and the sandbox of "Deploy to Production"', () => {
    const block = blocks.find((one) => one.includes('Deploy to Production')) ?? '';
    expect(parseWorkflow(block, { fragment: true }).plan?.nodes['deploy_to_production']).toMatchObject({
      approval: { mode: 'sync' },
      sandbox: { driver: 'docker' },
    });
  });

  it.skipIf(blocks.length === 0)('compiles the incident response workflow with its condition', () => {
    const block = blocks.find((one) => one.startsWith('id: incident-response')) ?? '';
    const { plan } = parseWorkflow(block);
    expect(Object.keys(plan?.nodes ?? {})).toEqual([
      'triage',
      'investigate',
      'mitigate',
      'security_check',
      'post_mortem',
    ]);
    expect(plan?.nodes['security_check']).toMatchObject({
      when: "{{triage_result.severity}} == 'P0'",
      onFailure: 'skip',
    });
    expect(plan?.nodes['mitigate']).toMatchObject({ retry: [{ maxAttempts: 2, intervalMs: 500 }] });
  });
});

// The stored page has lost its line breaks; this is its example with them, which the first test holds it to.
const DRAFT = `apiVersion: agentrc.workflow/v0.1
kind: AgentWorkflow
metadata:
  name: claims-review-flow
spec:
  startAt: Triage
  states:
    Triage:
      type: Task
      agent: ghcr.io/bank/claims-triage@sha256:...
      inputPath: $.claim
      resultPath: $.triage
      timeoutSeconds: 120
      retry:
        - errorEquals: [Runner.Timeout, Tool.TemporaryFailure]
          intervalSeconds: 2
          maxAttempts: 3
          backoffRate: 2.0
      catch:
        - errorEquals: [States.ALL]
          resultPath: $.error
          next: HumanReview
      next: RiskChoice
    RiskChoice:
      type: Choice
      choices:
        - variable: $.triage.risk
          stringEquals: high
          next: HumanReview
        - variable: $.triage.risk
          stringEquals: low
          next: AutoApprove
      default: HumanReview
    HumanReview:
      type: Task
      agent: ghcr.io/bank/human-review-assistant@sha256:...
      end: true
    AutoApprove:
      type: Task
      agent: ghcr.io/bank/approval-agent@sha256:...
      end: true
`;

describe('the agentrc workflow draft', () => {
  it.skipIf(!existsSync(AGENTRC))(`is the example below${noSeed(AGENTRC)}`, () => {
    const page = readFileSync(AGENTRC, 'utf8').replaceAll(/\s+/g, ' ');
    expect(page).toContain(DRAFT.replaceAll(/\s+/g, ' ').trim());
  });

  it('is refused as it stands: its digests are elided, at their lines', () => {
    const { ok, diagnostics } = validate(DRAFT);
    expect(ok).toBe(false);
    expect(diagnostics.map((one) => `${one.code} ${one.line}:${one.column} ${one.path}`)).toEqual([
      'DOC_DIGEST_ELIDED 10:14 spec.states.Triage.agent',
      'DOC_DIGEST_ELIDED 36:14 spec.states.HumanReview.agent',
      'DOC_DIGEST_ELIDED 40:14 spec.states.AutoApprove.agent',
    ]);
    for (const one of diagnostics) expect(one.hint).toContain('name@sha256:');
  });

  it('compiles with digests filled in', () => {
    const { plan, diagnostics } = parseWorkflow(DRAFT.replaceAll('sha256:...', `sha256:${'0f'.repeat(32)}`));
    expect(diagnostics).toEqual([]);
    expect(plan).toMatchObject({ id: 'claims-review-flow', start: 'Triage' });
    expect(plan?.nodes['Triage']).toMatchObject({
      retry: [{ intervalMs: 2000, maxAttempts: 3, backoffRate: 2, jitter: 'none' }],
      catch: [{ errorEquals: ['States.ALL'], resultPath: '$.error', next: 'HumanReview' }],
      timeoutMs: 120000,
    });
  });
});

describe('recorded States Language definitions', () => {
  const skipped = existsSync(VALIDATION) ? '' : ' [skipped: no shared/corpus beside the repository]';

  it.skipIf(skipped !== '')(
    `are accepted, or refused for what is not run yet and nothing else${skipped}`,
    () => {
      const rows = readFileSync(VALIDATION, 'utf8').trim().split('\n');
      let accepted = 0;
      for (const row of rows) {
        const { id, valid, definition } = JSON.parse(row) as {
          id: string;
          valid: boolean;
          definition: unknown;
        };
        const { ok, diagnostics } = validate(JSON.stringify(definition, null, 2));
        if (!valid) {
          expect(ok, id).toBe(false);
          continue;
        }
        const errors = diagnostics.filter((one) => one.severity === 'error').map((one) => one.code);
        expect(
          errors.filter((code) => code !== 'DOC_UNSUPPORTED' && code !== 'DOC_UNKNOWN_FUNCTION'),
          id,
        ).toEqual([]);
        if (ok) accepted++;
      }
      expect(accepted).toBeGreaterThan(0);
    },
  );
});
