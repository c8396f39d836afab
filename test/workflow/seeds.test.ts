// The document dialect 2 was promised for, and recorded States Language definitions. They are read from the shared
// folder beside the repository; nothing of them is copied here.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseWorkflow, validate } from '../../src/workflow/index.js';

const SHARED = new URL('../../../shared/', import.meta.url);
const AGENTRC = new URL('seeds/agentrc-workflow-draft.txt', SHARED);
const VALIDATION = new URL('corpus/asl/validation-dev.jsonl', SHARED);

const noSeed = (url: URL) => (existsSync(url) ? '' : ' [skipped: no shared/seeds beside the repository]');

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
