// The document dialect 2 was promised for, and recorded States Language definitions. They are read from the shared
// folder beside the repository; nothing of them is copied here.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseWorkflow, type Plan, validate } from '../../src/workflow/index.js';

const SHARED = new URL('../../../shared/', import.meta.url);
const AGENTRC = new URL('seeds/agentrc-workflow-draft.txt', SHARED);
const VALIDATION = new URL('corpus/asl/validation-dev.jsonl', SHARED);
const EXECUTIONS = new URL('corpus/asl/executions-dev.jsonl', SHARED);

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

interface Row {
  readonly id: string;
  readonly authority: string;
  readonly valid: boolean;
  readonly type?: 'STANDARD' | 'EXPRESS';
  readonly definition: unknown;
  readonly text?: string;
}

function rowsOf<Type>(url: URL): readonly Type[] {
  return readFileSync(url, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Type);
}

describe('recorded States Language definitions', () => {
  const skipped = existsSync(VALIDATION) ? '' : ' [skipped: no shared/corpus beside the repository]';
  const rows = skipped === '' ? rowsOf<Row>(VALIDATION) : [];

  it.skipIf(skipped !== '')(`are accepted or refused as their authority does${skipped}`, () => {
    const wrong = rows.filter((row) => {
      const text =
        row.text ?? (typeof row.definition === 'string' ? row.definition : JSON.stringify(row.definition));
      return validate(text, { type: row.type ?? 'STANDARD' }).ok !== row.valid;
    });
    expect(wrong.map(({ authority, id }) => `${authority} ${id}`)).toEqual([]);
    expect(rows.length).toBeGreaterThan(100);
  });

  it.skipIf(skipped !== '')(`compile, in JSON and in YAML${skipped}`, () => {
    for (const { id, valid, type, definition } of rows) {
      if (!valid || typeof definition !== 'object') continue;
      const options = type === undefined ? {} : { type };
      const { plan } = parseWorkflow(JSON.stringify(definition), options);
      expect(plan, id).not.toBeNull();
      const yaml = parseWorkflow(stringify(definition, { lineWidth: 0 }), options);
      expect(withoutPlaces(yaml.plan), id).toEqual(withoutPlaces(plan));
    }
  });

  it.skipIf(skipped !== '')(`point at the line of what is wrong${skipped}`, () => {
    for (const { id, valid, type, definition, text } of rows) {
      if (valid) continue;
      const source = text ?? JSON.stringify(definition, null, 2);
      const errors = validate(source, { type: type ?? 'STANDARD' }).diagnostics.filter(
        (one) => one.severity === 'error',
      );
      const lines = source.split('\n');
      for (const { line, column, path } of errors) {
        // Only what is missing from the document itself has no line of its own.
        if (path === '') continue;
        expect(line, id).toBeGreaterThan(1);
        expect(column, id).toBeLessThanOrEqual(lines[line - 1]?.length ?? 0);
      }
    }
  });

  it.skipIf(!existsSync(EXECUTIONS))(`that AWS has run are accepted and compile${skipped}`, () => {
    for (const { id, definition } of rowsOf<Row>(EXECUTIONS)) {
      const { plan, diagnostics } = parseWorkflow(JSON.stringify(definition));
      expect(
        diagnostics.filter((one) => one.severity === 'error'),
        id,
      ).toEqual([]);
      expect(plan, id).not.toBeNull();
    }
  });
});

// Line and column of a node, and nothing else, depend on how a document is written.
function withoutPlaces(plan: Plan | null): unknown {
  if (plan === null) return null;
  const nodes = Object.entries(plan.nodes).map(([name, node]) => [name, { ...node, line: 0, column: 0 }]);
  return { ...plan, nodes };
}
