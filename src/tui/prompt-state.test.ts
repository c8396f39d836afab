import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Key } from './keys.js';
import {
  ARMING_DELAY_MS,
  isArmed,
  isSeen,
  MAX_REASON,
  openPromptState,
  reducePrompt,
  type PromptEvent,
  type PromptState,
} from './prompt-state.js';

const OPENED = 1_000_000;
const ARMED = OPENED + ARMING_DELAY_MS;
const DIGEST = `4f0a${'0'.repeat(60)}`;

const open = (change: Partial<Parameters<typeof openPromptState>[0]> = {}): PromptState =>
  openPromptState({
    digest: DIGEST,
    reasonRequired: false,
    reason: null,
    expiresAtMs: OPENED + 60_000,
    rows: 10,
    height: 10,
    nowMs: OPENED,
    ...change,
  });

const key = (name: string): Key =>
  name.length === 1 ? { kind: 'text', text: name } : ({ kind: name } as Extract<Key, { kind: 'enter' }>);

const press = (state: PromptState, keys: readonly string[], nowMs = ARMED): PromptState =>
  keys.reduce((now, name) => reducePrompt(now, { type: 'key', key: key(name), nowMs }), state);

describe('approving', () => {
  it('takes a, the first four digits and Enter', () => {
    const state = press(open(), ['a', '4', 'f', '0', 'a', 'enter']);
    expect(state.answer).toEqual({ decision: 'approve', reason: null });
  });

  it('takes digits in upper case', () => {
    expect(press(open(), ['a', '4', 'F', '0', 'A', 'enter']).answer).toEqual({
      decision: 'approve',
      reason: null,
    });
  });

  it.each([
    ['three digits', ['a', '4', 'f', '0', 'enter']],
    ['other digits', ['a', '4', 'f', '0', 'b', 'enter']],
    ['no digits', ['a', 'enter']],
    ['y', ['y', 'enter']],
    ['y after a', ['a', 'y', 'enter']],
    ['Enter alone', ['enter', 'enter', 'enter']],
    ['space', ['a', ' ', ' ', ' ', ' ', 'enter']],
    ['digits without a', ['4', 'f', '0', 'a', 'enter']],
  ])('does not happen with %s', (_, keys) => {
    expect(press(open(), keys).answer).toBeNull();
  });

  it('does not happen by paste, alone or after digits', () => {
    const pasted: PromptEvent = { type: 'key', key: { kind: 'paste', text: '4f0a' }, nowMs: ARMED };
    const state = press(reducePrompt(press(open(), ['a']), pasted), ['enter']);
    expect(state.answer).toBeNull();
    expect(press(reducePrompt(press(open(), ['a', '4', 'f', '0']), pasted), ['enter']).answer).toBeNull();
  });

  it('empties the field after wrong digits, so that guesses do not add up', () => {
    const state = press(open(), ['a', '1', '2', '3', '4', 'enter']);
    expect([state.typed, state.stage, state.message]).toEqual([
      '',
      'confirm',
      expect.stringContaining('digest'),
    ]);
    expect(press(state, ['4', 'f', '0', 'a', 'enter']).answer).toEqual({ decision: 'approve', reason: null });
  });

  it('ignores a fifth digit and takes a digit back', () => {
    expect(press(open(), ['a', '4', 'f', '0', 'a', '9']).typed).toBe('4f0a');
    expect(press(open(), ['a', '4', 'e', 'backspace', 'f']).typed).toBe('4f');
  });

  it('works at the border of the arming delay and not one millisecond earlier', () => {
    const keys = ['a', '4', 'f', '0', 'a', 'enter'];
    expect(press(open(), keys, ARMED - 1).answer).toBeNull();
    expect(press(open(), keys, ARMED - 1).stage).toBe('view');
    expect(press(open(), keys, ARMED).answer).not.toBeNull();
  });

  it('does not happen at the moment of expiry, and does one millisecond before', () => {
    const keys = ['a', '4', 'f', '0', 'a', 'enter'];
    const expiresAtMs = OPENED + 5_000;
    expect(press(open({ expiresAtMs }), keys, expiresAtMs - 1).answer).toEqual({
      decision: 'approve',
      reason: null,
    });
    const late = press(open({ expiresAtMs }), keys, expiresAtMs);
    expect([late.answer, late.stage]).toEqual([null, 'closed']);
  });

  it('needs the last row on the screen first', () => {
    const long = open({ rows: 25, height: 10 });
    expect(press(long, ['a']).message).toBe('not yet: 15 more lines to read first');
    expect(press(long, ['page-down', 'a']).stage).toBe('view');
    expect(press(long, ['page-down', 'page-down', 'a']).stage).toBe('confirm');
    expect(press(long, [...Array<string>(14).fill('j'), 'a']).stage).toBe('view');
    expect(press(long, [...Array<string>(15).fill('j'), 'a']).stage).toBe('confirm');
  });

  it('stays possible after scrolling back up', () => {
    const state = press(open({ rows: 25, height: 10 }), ['page-down', 'page-down', 'page-up', 'k']);
    expect([state.top, isSeen(state)]).toEqual([4, true]);
  });

  it('asks for a required reason before the digits', () => {
    const asked = press(open({ reasonRequired: true }), ['a']);
    expect(asked.stage).toBe('reason');
    expect(press(asked, ['enter']).message).toBe('a reason is required');
    expect(press(asked, [' ', 'enter']).stage).toBe('reason');
    const done = press(asked, ['o', 'k', 'enter', '4', 'f', '0', 'a', 'enter']);
    expect(done.answer).toEqual({ decision: 'approve', reason: 'ok' });
  });

  it('cuts a reason that is too long, never in the middle of a character', () => {
    const asked = press(open({ reasonRequired: true }), ['a']);
    const paste = { kind: 'paste', text: `${'x'.repeat(MAX_REASON - 1)}\u{1f600}` } as const;
    const { reason } = reducePrompt(asked, { type: 'key', key: paste, nowMs: ARMED });
    expect(reason).toBe('x'.repeat(MAX_REASON - 1));
  });

  it('takes a reason that was given beforehand', () => {
    const state = press(open({ reasonRequired: true, reason: 'seen' }), ['a', '4', 'f', '0', 'a', 'enter']);
    expect(state.answer).toEqual({ decision: 'approve', reason: 'seen' });
  });
});

describe('denying', () => {
  it('takes d and Enter', () => {
    expect(press(open(), ['d']).answer).toBeNull();
    expect(press(open(), ['d', 'enter']).answer).toEqual({ decision: 'deny', reason: null });
  });

  it('goes back at any other key', () => {
    expect(press(open(), ['d', 'x', 'enter']).answer).toBeNull();
  });

  it('is possible before everything was read, and asks for a required reason', () => {
    const state = press(open({ rows: 99, height: 5, reasonRequired: true }), ['d', 'n', 'o', 'enter']);
    expect(state.answer).toEqual({ decision: 'deny', reason: 'no' });
  });
});

describe('leaving', () => {
  it.each([[['escape']], [['q']], [['a', 'escape']], [['a', '4', 'f', 'escape']], [['d', 'escape']]])(
    'leaves undecided by %j',
    (keys) => {
      expect(press(open(), keys).answer).toEqual({ decision: 'none', why: 'left' });
    },
  );

  it('is always possible by Ctrl+C, armed or not', () => {
    expect(press(open(), ['interrupt'], OPENED).answer).toEqual({ decision: 'none', why: 'interrupted' });
  });

  it('changes nothing after an answer', () => {
    const left = press(open(), ['q']);
    expect(press(left, ['a', '4', 'f', '0', 'a', 'enter'])).toBe(left);
  });
});

describe('a prompt that changes', () => {
  it('counts no key without the focus, and arms again only after it came back', () => {
    const away = press(open(), ['a', '4', 'focus-out']);
    expect([away.stage, away.typed, isArmed(away, ARMED + 60_000)]).toEqual(['view', '', false]);
    const back = press(away, ['focus-in'], ARMED + 5_000);
    expect(isArmed(back, ARMED + 5_999)).toBe(false);
    expect(isArmed(back, ARMED + 6_000)).toBe(true);
  });

  it('disarms when the request changed, and wants it read again', () => {
    const typed = press(open(), ['a', '4', 'f', '0', 'a']);
    const changed = reducePrompt(typed, { type: 'changed', message: 'changed', nowMs: ARMED });
    expect(press(changed, ['enter']).answer).toBeNull();
    const fresh = reducePrompt(changed, { type: 'laid-out', rows: 12, height: 10, fresh: true });
    expect([fresh.top, fresh.seen]).toEqual([0, 10]);
  });

  it('can only be left when it was decided elsewhere', () => {
    const typed = press(open(), ['a', '4', 'f', '0', 'a']);
    const closed = reducePrompt(typed, { type: 'closed', message: 'denied by user:bob' });
    const tried = press(closed, ['enter', 'a', '4', 'f', '0', 'a', 'enter', 'd', 'enter']);
    expect([tried.answer, tried.stage]).toEqual([null, 'closed']);
    expect(press(closed, ['q']).answer).toEqual({ decision: 'none', why: 'changed' });
  });

  it('closes by itself when its time is over', () => {
    const state = reducePrompt(open(), { type: 'ticked', nowMs: OPENED + 60_000 });
    expect([state.stage, state.message]).toEqual(['closed', expect.stringContaining('expired')]);
  });

  it('keeps what was read when only the height changes, and nothing that was not', () => {
    const read = press(open({ rows: 30, height: 10 }), ['page-down', 'page-down']);
    const smaller = reducePrompt(read, { type: 'laid-out', rows: 30, height: 4, fresh: false });
    expect(isSeen(smaller)).toBe(true);
    const unread = reducePrompt(open({ rows: 30, height: 4 }), {
      type: 'laid-out',
      rows: 30,
      height: 6,
      fresh: false,
    });
    expect([unread.top, unread.seen]).toEqual([0, 6]);
  });
});

describe('random keys', () => {
  const anyKey = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('a', 'd', 'y', 'q', 'j', 'k', '?', ' ').map(key) },
    { weight: 3, arbitrary: fc.constantFrom(...'0123456789abcdef').map(key) },
    {
      weight: 3,
      arbitrary: fc
        .constantFrom(
          'enter',
          'backspace',
          'up',
          'down',
          'page-up',
          'page-down',
          'focus-in',
          'focus-out',
          'other',
        )
        .map(key),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 6 }).map((text): Key => ({ kind: 'paste', text })) },
    { weight: 1, arbitrary: fc.constant<Key>({ kind: 'paste', text: '4f0a\r' }) },
  );
  const anyEvent: fc.Arbitrary<PromptEvent> = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({ type: fc.constant('key' as const), key: anyKey, nowMs: fc.constant(0) }),
    },
    { weight: 1, arbitrary: fc.constant<PromptEvent>({ type: 'changed', message: 'changed', nowMs: 0 }) },
    {
      weight: 1,
      arbitrary: fc.constant<PromptEvent>({ type: 'laid-out', rows: 14, height: 6, fresh: true }),
    },
  );

  /** What a reader of the rules would call typing the prefix: the four digits, one by one, since the last `a`. */
  const typesPrefix = (events: readonly PromptEvent[]): boolean => {
    const text = events
      .map((event) => (event.type === 'key' && event.key.kind === 'text' ? event.key.text : ''))
      .join('');
    return /4.*f.*0.*a/su.test(text);
  };

  it('never approve in 10,000 sequences without the typed prefix', () => {
    let approvals = 0;
    let sequences = 0;
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 60 }), fc.boolean(), (events, reasonRequired) => {
        fc.pre(!typesPrefix(events));
        sequences += 1;
        let state = open({ rows: 12, height: 6, reasonRequired, expiresAtMs: Number.MAX_SAFE_INTEGER });
        let nowMs = OPENED;
        for (const event of events) {
          nowMs += 700;
          state = reducePrompt(state, 'nowMs' in event ? { ...event, nowMs } : event);
        }
        if (state.answer?.decision === 'approve') approvals += 1;
      }),
      { numRuns: 10_000, maxSkipsPerRun: 1_000 },
    );
    expect([sequences, approvals]).toEqual([10_000, 0]);
  });

  it('never approve while any of the rules is broken, whatever was typed before', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
        let state = open({ rows: 12, height: 6, expiresAtMs: Number.MAX_SAFE_INTEGER });
        let nowMs = OPENED;
        for (const event of events) {
          nowMs += 400;
          const before = state;
          state = reducePrompt(state, 'nowMs' in event ? { ...event, nowMs } : event);
          if (state.answer?.decision !== 'approve' || before.answer !== null) continue;
          expect(before.stage).toBe('confirm');
          expect(before.typed).toBe('4f0a');
          expect(isSeen(before)).toBe(true);
          expect(isArmed(before, nowMs)).toBe(true);
          expect(event).toMatchObject({ type: 'key', key: { kind: 'enter' } });
        }
      }),
      { numRuns: 10_000 },
    );
  });
});
