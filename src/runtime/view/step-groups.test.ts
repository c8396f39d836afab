import { describe, expect, it } from 'vitest';
import type { Plan } from '../../workflow/plan.js';
import type { AttemptRecord } from '../ports.js';
import { attemptsOf, groupSteps, statusOf, together } from './step-groups.js';

const STEPS = { dialect: 'steps', nodes: {} } as unknown as Plan;
const STATES = { dialect: 'states', nodes: {} } as unknown as Plan;

function attempt(stepPath: string, over: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    run: 'r',
    stepPath,
    attempt: 1,
    status: 'succeeded',
    functionId: 'f',
    principal: 'p',
    idempotencyKey: 'k',
    input: null,
    output: null,
    approvalId: null,
    error: null,
    startedAtMs: 0,
    finishedAtMs: 1,
    intentIndex: null,
    iteration: null,
    item: null,
    turn: null,
    converged: null,
    ...over,
  };
}

describe('groupSteps', () => {
  const keys = (plan: Plan, ...attempts: AttemptRecord[]): unknown =>
    groupSteps(plan, attempts).map(({ key, members }) => [
      key,
      members.map((one) => [one.attempts[0]?.stepPath, one.calls.map((call) => call.attempts[0]?.stepPath)]),
    ]);

  it('puts the items of a map together, in item order, and leaves other steps as they are', () => {
    const rows = ['a', 'm[10]', 'm[2]', 'm[0]', 'b'].map((path, at) =>
      attempt(path, { item: path.startsWith('m') ? at : null }),
    );
    expect(keys(STEPS, ...rows)).toEqual([
      ['a', [['a', []]]],
      [
        'm',
        [
          ['m[0]', []],
          ['m[2]', []],
          ['m[10]', []],
        ],
      ],
      ['b', [['b', []]]],
    ]);
  });

  it('tells calls in the order in which they were asked for, also those that were refused', () => {
    const rows = ['ask', 'ask/call[10]', 'ask/call[1]', 'ask/call[0]'].map((path) => attempt(path));
    expect(keys(STEPS, ...rows)).toEqual([
      ['ask', [['ask', ['ask/call[0]', 'ask/call[1]', 'ask/call[10]']]]],
    ]);
  });

  it('puts calls below what asked for them, at any depth', () => {
    const rows = ['m[1]', 'm[1]/call[0]', 'm[1]/call[0]/call[3]'].map((path) => attempt(path, { item: 1 }));
    const [group] = groupSteps(STEPS, rows);
    expect(group?.members).toHaveLength(1);
    expect(group?.members[0]?.calls[0]?.calls[0]?.attempts[0]?.stepPath).toBe('m[1]/call[0]/call[3]');
  });

  it('tells a state that is called "call" from a call', () => {
    const rows = [attempt('Outer[0]/call[1]/X', { item: 1 }), attempt('Outer[1]/call[0]/X', { item: 0 })];
    expect(keys(STATES, ...rows)).toEqual([
      [
        'Outer/call/X',
        [
          ['Outer[0]/call[1]/X', []],
          ['Outer[1]/call[0]/X', []],
        ],
      ],
    ]);
  });

  it('leaves the lanes of a Parallel apart', () => {
    expect(keys(STATES, attempt('P[0]/A'), attempt('P[1]/B'))).toEqual([
      ['P[0]/A', [['P[0]/A', []]]],
      ['P[1]/B', [['P[1]/B', []]]],
    ]);
  });
});

describe('a skipped step', () => {
  it('is skipped, attempted or not', () => {
    const skip = attempt('a', { attempt: 0, status: 'skipped' });
    const before = { attempts: [skip], calls: [] };
    const after = { attempts: [skip, attempt('a', { status: 'failed' })], calls: [] };
    expect([statusOf(before), attemptsOf(before)]).toEqual(['skipped', 0]);
    expect([statusOf(after), attemptsOf(after)]).toEqual(['skipped', 1]);
  });
});

describe('the attempts of a conversation', () => {
  const turn = (number: number, status: AttemptRecord['status']) =>
    attempt('ask', { attempt: number, turn: number - 1, status });
  const count = (...attempts: AttemptRecord[]): number => attemptsOf({ attempts, calls: [] });

  it('are not its turns: only what was tried again counts again', () => {
    expect(count(turn(1, 'asked'), turn(2, 'asked'), turn(3, 'succeeded'))).toBe(1);
    expect(count(turn(1, 'asked'), turn(2, 'failed'), turn(3, 'succeeded'))).toBe(2);
    expect(count(turn(1, 'asked'))).toBe(1);
    expect(count(turn(1, 'asked'), turn(2, 'intended'))).toBe(1);
  });
});

describe('one word for all items', () => {
  it.each([
    [['succeeded', 'intended', 'failed'], 3, 'intended'],
    [['succeeded', 'asked'], 2, 'intended'],
    [['waiting', 'indeterminate'], 2, 'indeterminate'],
    [['waiting', 'failed'], 2, 'waiting'],
    [['cancelled', 'timed-out'], 2, 'failed'],
    [['cancelled', 'succeeded'], 2, 'cancelled'],
    [['succeeded'], 2, 'intended'],
    [['succeeded', 'skipped'], 2, 'succeeded'],
    [['skipped', 'skipped'], 2, 'skipped'],
    [[], 0, 'skipped'],
  ] as const)('%j of %i is %s', (statuses, total, word) => {
    expect(together(statuses, total)).toBe(word);
  });
});
