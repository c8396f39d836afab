import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import type { Hex, SubjectDigest } from '../../json.js';
import type { OutlineStep } from '../../runtime/plan/outline.js';
import type { ApprovalRecord } from '../../runtime/ports.js';
import type { RunView, StepView } from '../../runtime/writ.js';
import { runRows, type RunScene } from './rows.js';

const NOW = Date.UTC(2026, 2, 1, 9, 30);
const HEX = '0'.repeat(64) as Hex;

const planned = (name: string, change: Partial<OutlineStep> = {}): OutlineStep => ({
  key: name.toLowerCase().replaceAll(' ', '_'),
  name,
  kind: 'task',
  mode: 'sequential',
  calls: 'tool::wasm',
  group: null,
  map: null,
  loop: null,
  condition: null,
  ...change,
});

const step = (name: string, change: Partial<StepView> = {}): StepView => ({
  stepPath: name.toLowerCase().replaceAll(' ', '_'),
  name,
  status: 'succeeded',
  attempts: 1,
  functionId: 'tool::wasm',
  principal: 'agent:a',
  startedAtMs: NOW - 5_000,
  durationMs: 1_500,
  approval: null,
  error: null,
  outputCommitment: null,
  output: null,
  ...change,
});

const run = (change: Partial<RunView> = {}): RunView => ({
  id: 'run_1',
  workflow: { id: 'claims', hash: HEX, version: 2, name: 'Claims' },
  status: 'running',
  initiator: 'user:carol',
  createdAtMs: NOW - 62_000,
  updatedAtMs: NOW,
  waitingFor: null,
  steps: [],
  output: null,
  error: null,
  exitCode: 0,
  ...change,
});

const pending = (change: Partial<ApprovalRecord> = {}): ApprovalRecord => ({
  id: 'apr_one',
  tenant: 'default',
  run: 'run_1',
  stepPath: 'deploy',
  attempt: 1,
  subjectDigest: HEX as unknown as SubjectDigest,
  subject: HEX as unknown as ApprovalRecord['subject'],
  mode: 'sync',
  quorum: [{ role: 'role:reviewer', n: 2 }],
  separationOfDuties: true,
  reasonRequired: false,
  requester: 'user:carol',
  initiator: 'user:carol',
  functionId: 'tool::wasm',
  demandedBy: [],
  policyHash: HEX,
  createdAtMs: NOW,
  expiresAtMs: NOW + 90_000,
  state: 'pending',
  votes: [],
  version: 1,
  ...change,
});

function draw(scene: Partial<RunScene>, size: { columns?: number; rows?: number } = {}): readonly string[] {
  const whole = { run: run(), outline: [], pending: [], said: null, foot: 'Ctrl+C leaves', ...scene };
  return runRows(whole, { nowMs: NOW, columns: 80, rows: 23, colors: pc.createColors(false), ...size });
}

describe('the rows of a run', () => {
  it('say what each step is at, in the order of the plan', () => {
    const loop = { maxIterations: 3, until: null, onExhausted: 'continue' } as const;
    const rows = draw({
      outline: [
        planned('Spec'),
        planned('Analyse', { group: 'g', mode: 'fanout' }),
        planned('Fetch', { group: 'g', mode: 'fanout' }),
        planned('Review', { mode: 'loop', loop }),
        planned('Guarded', { condition: 'x' }),
        planned('Merge'),
      ],
      run: run({
        steps: [
          step('Spec', { attempts: 2 }),
          step('Analyse', {
            status: 'intended',
            durationMs: null,
            attempts: 1300,
            items: { done: 1234, failed: 2, total: 10_000 },
          }),
          step('Review', { status: 'intended', durationMs: null, iterations: 2, converged: null }),
          step('Guarded', {
            status: 'skipped',
            reason: 'condition',
            startedAtMs: null,
            durationMs: null,
            attempts: 0,
          }),
        ],
      }),
    });
    expect(rows).toEqual([
      'run run_1  claims version 2',
      'running, 1 min 2 s',
      '',
      '  completed    Spec       2 attempts, 1.5 s',
      '  running      | Analyse  1,234 of 10,000 items, 2 failed, 5.0 s',
      '  pending      | Fetch',
      '  running      Review     iteration 2 of 3, 5.0 s',
      '  skipped      Guarded    condition',
      '  pending      Merge',
      '',
      'Ctrl+C leaves',
    ]);
  });

  it('count down what people are waited for, and name the command to look', () => {
    const votes = [{ decision: 'approve' }] as unknown as ApprovalRecord['votes'];
    const more = [pending({ votes }), pending({ id: 'apr_two' }), pending({ id: 'apr_three' })];
    const rows = draw({ pending: more, run: run({ status: 'waiting' }) });
    expect(rows).toContain('waits for approval of deploy: 2 x role:reviewer, 1 given, expires in 1 min 30 s');
    expect(rows).toContain('  writ approvals show apr_one');
    expect(rows).toContain('  and 1 more: writ approvals list');
    expect(rows.join('\n')).not.toContain('apr_three');
  });

  it('never are more than the screen has, and show the steps around the one that is not done', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `Step ${index}`);
    const outline = names.map((name) => planned(name));
    const done = names.slice(0, 500).map((name) => step(name));
    for (const rows of [1, 2, 8, 23]) expect(draw({ outline }, { rows }).length).toBeLessThanOrEqual(rows);
    const rows = draw({ outline, run: run({ steps: done }) }, { rows: 12 });
    expect(rows).toHaveLength(12);
    expect(rows).toContain('  pending      Step 500');
    expect(rows[3]).toBe('  499 steps before');
    expect(rows[9]).toBe('  496 more steps');
  });

  it('show the end of what a step says, wrapped and with nothing hidden in it', () => {
    const text = `${'first '.repeat(200)}\nlast line \u001b[2J\u202e end`;
    const rows = draw({ said: { stepPath: 'chat', text } }, { columns: 40 });
    const at = rows.indexOf('chat says:');
    const said = rows.slice(at + 1, -2);
    expect(said).toHaveLength(4);
    expect(said.at(-1)).toContain('last line ');
    expect(rows.join('\n')).not.toMatch(/[\u001b\u202e]/u);
    for (const row of said) expect(row.length).toBeLessThanOrEqual(40);
  });

  it('make names of documents printable, and cut what is too long', () => {
    const name = `A\nB${'x'.repeat(60)}`;
    const rows = draw({ outline: [planned(name)] });
    expect(rows[3]).toMatch(/^ {2}pending {6}A\\nBx+…$/u);
  });

  it('say of a run that has ended which steps were not run', () => {
    const failed = step('Build', {
      status: 'refused',
      error: { code: 'POLICY_NO_MATCH', name: '', message: '' },
    });
    const rows = draw({
      outline: [planned('Build'), planned('Ship')],
      run: run({ status: 'failed', steps: [failed] }),
    });
    expect(rows.slice(3, 5)).toEqual(['  failed       Build  POLICY_NO_MATCH, 1.5 s', '  not run      Ship']);
  });
});
