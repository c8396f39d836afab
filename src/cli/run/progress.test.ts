import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { ProgressLines } from './progress.js';

const T0 = Date.UTC(2026, 2, 1, 9, 30);

function entry(type: string, data: Record<string, Json>, atMs = 0) {
  return { type, run: 'run_1', timeMs: T0 + atMs, data };
}

const intended = (stepPath: string) =>
  entry('step.intended', { stepPath, attempt: 1, function: 'tool::wasm' });
const finished = (stepPath: string, atMs = 0, status = 'succeeded') =>
  entry(
    'step.finished',
    { stepPath, attempt: 1, status, code: status === 'failed' ? 'STEP_FAILED' : null, durationMs: 5 },
    atMs,
  );

describe('progress lines', () => {
  it('are one per entry of a step', () => {
    const lines = new ProgressLines();
    expect(lines.linesFor(intended('spec'))).toEqual(['09:30:00  step spec: started, tool::wasm']);
    expect(lines.linesFor(finished('spec'))).toEqual(['09:30:00  step spec: succeeded in 5 ms']);
    expect(lines.rest()).toEqual([]);
  });

  it('name the rule that denies, and none that allowed somebody else', () => {
    const denied = (...rules: Json[]) =>
      entry('authz.decided', {
        stepPath: 'pay',
        verdict: 'deny',
        code: 'POLICY_NO_MATCH',
        ruleId: 'R-1',
        rules,
      });
    const allows = { subject: 'user:alice', ruleId: 'R-1', effect: 'allow', rolePath: [] };
    const none = { subject: 'agent:desk', ruleId: null, effect: 'none', rolePath: [] };
    const denies = { subject: 'agent:desk', ruleId: 'R-2', effect: 'deny', rolePath: [] };
    const said = (...rules: Json[]) => new ProgressLines().linesFor(denied(...rules));
    expect(said(allows, none)).toEqual(['09:30:00  step pay: denied by policy, POLICY_NO_MATCH']);
    expect(said(allows, denies)).toEqual(['09:30:00  step pay: denied by policy, POLICY_NO_MATCH (R-2)']);
    expect(said()).toEqual(['09:30:00  step pay: denied by policy, POLICY_NO_MATCH']);
  });

  it('do not say that a step was refused when a host, an answer or another act beside it was', () => {
    const lines = new ProgressLines();
    const denied = (action: string, resource: string, more: Record<string, Json> = {}) =>
      lines.linesFor(
        entry('authz.decided', {
          ...{ stepPath: 'fetch', attempt: null, verdict: 'deny', code: 'CEILING_NETWORK' },
          ...{ action, resource, ...more },
        }),
      );
    const egress = (host: string) => denied('network.egress', host, { reason: 'the host has no address' });
    expect(egress('evil.test:443')).toEqual([
      '09:30:00  step fetch: network.egress on evil.test:443 refused, CEILING_NETWORK (the host has no address)',
    ]);
    expect(egress('evil.test:443')).toEqual([]);
    expect(denied('network.egress', 'fine.test:443', { verdict: 'allow', code: null })).toEqual([]);
    expect(denied('task.answer', 'human::form', { code: 'TASK_NOT_ELIGIBLE' })).toEqual([]);
    expect(denied('artifact.write', 'bank/out', { stepPath: null, code: 'POLICY_NO_MATCH' })).toEqual([
      '09:30:00  run: artifact.write on bank/out refused, POLICY_NO_MATCH',
    ]);
    const flood = Array.from({ length: 100 }, (_, at) => egress(`${at}.test:443`)).flat();
    expect(flood).toHaveLength(20);
    expect(flood[19]).toBe('09:30:00  step fetch: further refusals beside it are left out');
    expect(denied('function.invoke', 'tool::wasm', { attempt: 1, code: 'POLICY_NO_MATCH' })).toEqual([
      '09:30:00  step fetch: denied by policy, POLICY_NO_MATCH',
    ]);
  });

  it('say of a loop how often it went round', () => {
    const ended = (iterations: number, converged: boolean) =>
      new ProgressLines().linesFor(entry('loop.ended', { stepPath: 'review', iterations, converged }));
    expect(ended(1, true)).toEqual(['09:30:00  step review: 1 iteration']);
    expect(ended(3, false)).toEqual(['09:30:00  step review: 3 iterations, until was never true']);
  });

  it('count the items of a map: 10,000 of them are a handful of lines', () => {
    const lines = new ProgressLines();
    const said: string[] = [];
    for (let item = 0; item < 10_000; item += 1) {
      said.push(...lines.linesFor(intended(`score[${item}]`)));
      said.push(...lines.linesFor(finished(`score[${item}]`, item)));
    }
    expect(said).toEqual([
      '09:30:02  step score: 2001 items done',
      '09:30:04  step score: 4001 items done',
      '09:30:06  step score: 6001 items done',
      '09:30:08  step score: 8001 items done',
    ]);
    const next = entry('step.intended', { stepPath: 'merge', attempt: 1, function: 'tool::wasm' }, 10_000);
    expect(lines.linesFor(next)).toEqual([
      '09:30:10  step score: 10000 items done',
      '09:30:10  step merge: started, tool::wasm',
    ]);
    expect(lines.rest()).toEqual([]);
  });

  it('tell single items that fail, up to a bound', () => {
    const lines = new ProgressLines();
    const said = Array.from({ length: 100 }, (_, item) =>
      lines.linesFor(finished(`score[${item}]`, 0, 'failed')),
    ).flat();
    expect(said).toHaveLength(21);
    expect(said[0]).toBe('09:30:00  step score[0]: failed STEP_FAILED in 5 ms');
    expect(said[20]).toBe('step score: further lines about single items are left out');
    expect(lines.rest()).toEqual(['09:30:00  step score: 0 items done, 100 failed']);
  });

  it('do not take the calls of a conversation for items', () => {
    const lines = new ProgressLines();
    expect(lines.linesFor(finished('chat/call[3]'))).toEqual([
      '09:30:00  step chat/call[3]: succeeded in 5 ms',
    ]);
    expect(lines.linesFor(intended('score[3]/call[0]'))).toEqual([]);
  });

  it('name a step as the document does, with the place of an item or a call behind it', () => {
    const names: Record<string, string> = { 'check-status': 'Check Status', ask: 'Ask \u202eit' };
    const lines = new ProgressLines((key) => names[key] ?? null);
    expect(lines.linesFor(intended('check-status'))[0]).toContain('step Check Status: started');
    expect(lines.linesFor(finished('check-status[3]', 0, 'failed'))[0]).toContain(
      'step Check Status[3]: failed',
    );
    expect(lines.linesFor(intended('ask/call[0]')).join()).toContain('step Ask \\u202eit call[0]: started');
    expect(lines.linesFor(intended('other')).join()).toContain('step other: started');
  });

  it('take the turns of a conversation for one attempt, and the iterations of a loop for none', () => {
    const lines = new ProgressLines();
    const began = (attempt: number, iteration: number | null = null) =>
      lines.linesFor(
        entry('step.intended', { stepPath: 'ask', attempt, iteration, function: 'agent::chat' }),
      );
    const asked = (calls: number) =>
      lines.linesFor(entry('step.finished', { stepPath: 'ask', status: 'succeeded', calls, durationMs: 5 }));
    expect(began(1)).toEqual(['09:30:00  step ask: started, agent::chat']);
    expect(asked(2)).toEqual(['09:30:00  step ask: asks for 2 calls in 5 ms']);
    expect(began(2)).toEqual(['09:30:00  step ask: goes on, turn 2']);
    expect(asked(1)).toEqual(['09:30:00  step ask: asks for 1 call in 5 ms']);
    expect(began(3)).toEqual(['09:30:00  step ask: goes on, turn 3']);
    expect(lines.linesFor(finished('ask'))).toEqual(['09:30:00  step ask: succeeded in 5 ms']);
    expect(began(4)).toEqual(['09:30:00  step ask: started (attempt 4), agent::chat']);
    expect(began(4, 1)).toEqual(['09:30:00  step ask: started (iteration 2), agent::chat']);
  });
});
