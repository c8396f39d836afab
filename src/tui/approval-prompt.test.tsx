import { cleanup, render } from 'ink-testing-library';
import { afterEach, describe, expect, it } from 'vitest';
import type { SubjectDigest } from '../json.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { ApprovalView } from '../runtime/writ.js';
import { approvalLines } from './approval-view.js';
import { ApprovalPrompt, type ApprovalPromptProps, type PromptClock } from './approval-prompt.js';
import type { Answer } from './prompt-state.js';

afterEach(cleanup);

const DIGEST = `4f0a${'1'.repeat(60)}`;
const NOW = Date.UTC(2026, 2, 1, 9, 30);

const record: ApprovalRecord = {
  id: 'apr_aaaaaaaaaaaaaaaaaaaaaaaaaa',
  tenant: 'default',
  run: 'run_1',
  stepPath: 'Payout',
  attempt: 1,
  subjectDigest: DIGEST as SubjectDigest,
  subject: '0'.repeat(64) as ApprovalRecord['subject'],
  mode: 'sync',
  quorum: [{ role: 'role:approver', n: 1 }],
  separationOfDuties: true,
  reasonRequired: false,
  requester: 'user:carol',
  initiator: 'user:carol',
  functionId: 'tool::wasm',
  demandedBy: ['ceiling org-default, approval.rules[0]'],
  policyHash: '0'.repeat(64) as ApprovalRecord['policyHash'],
  createdAtMs: NOW,
  expiresAtMs: NOW + 3_600_000,
  state: 'pending',
  votes: [],
  version: 1,
};
const view: ApprovalView = {
  record,
  subject: {},
  display: ['function: "tool::wasm"', 'input:', '  amount: 1200'],
};

it('a request names its step as the author did, beside the key that other places have', () => {
  const line = (step?: string) =>
    approvalLines(step === undefined ? view : { ...view, step }).find((one) => one.startsWith('step: '));
  expect(line('Pay \u202eout')).toMatch(/^step: Pay \\u202eout \(Payout\), attempt 1/);
  expect(line('Payout')).toMatch(/^step: Payout, attempt 1/);
  expect(line()).toMatch(/^step: Payout, attempt 1/);
});

it('a request for a package says the repository that its own bytes name, and that the workflow calls it otherwise', () => {
  const lines = (functionId: string, repository?: string) =>
    approvalLines({
      ...view,
      record: { ...record, functionId, ...(repository === undefined ? {} : { repository }) },
    }).filter((one) => one.startsWith('package: '));
  const called = `ghcr.io/bank/x@sha256:${'0'.repeat(64)}`;
  expect(lines(called, 'ghcr.io/bank/x')).toEqual(['package: in its own bytes ghcr.io/bank/x']);
  expect(lines(called, 'ghcr.io/o\u202eevil/x')).toEqual([
    'package: in its own bytes ghcr.io/o\\u202eevil/x, and not ghcr.io/bank/x as the workflow calls it',
  ]);
  expect(lines('tool::wasm')).toEqual([]);
});

/** Holds time and the ticks. */
function heldClock(): PromptClock & { pass(ms: number): void; tick(): void } {
  let nowMs = NOW;
  const ticks = new Set<() => void>();
  return {
    nowMs: () => nowMs,
    every(_ms, tick) {
      ticks.add(tick);
      return () => ticks.delete(tick);
    },
    pass(ms) {
      nowMs += ms;
    },
    tick() {
      for (const tick of ticks) tick();
    },
  };
}

function open(change: Partial<ApprovalPromptProps> = {}) {
  const clock = heldClock();
  const answers: Answer[] = [];
  const onAnswer = (answer: Answer): void => {
    answers.push(answer);
  };
  const prompt = render(
    <ApprovalPrompt
      view={view}
      approver="user:alice"
      reason={null}
      clock={clock}
      refresh={async () => record}
      color={false}
      screenReader={false}
      onAnswer={onAnswer}
      {...change}
    />,
  );
  const press = async (...keys: string[]): Promise<void> => {
    for (const key of keys) {
      prompt.stdin.write(key);
      await settled();
    }
  };
  const frame = (): string => prompt.lastFrame() ?? '';
  return { clock, answers, press, frame, frames: prompt.frames, stdout: prompt.stdout };
}

/** Effects and promises that are due have run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

describe('the approval prompt', () => {
  it('draws nothing wider than a terminal that got narrower: it would stay there (rows-left-by-resize)', async () => {
    const { stdout, frames } = open();
    await settled();
    const before = frames.length;
    Object.defineProperty(stdout, 'columns', { value: 44 });
    stdout.emit('resize');
    await settled();
    const drawn = frames.slice(before).flatMap((frame) => frame.split('\n'));
    expect(drawn).toContain('-'.repeat(44));
    expect(drawn.filter((line) => line.length > 44)).toEqual([]);
    // A name and the time left do not run into one another.
    expect(drawn.at(-1)).not.toMatch(/aaexpires/u);
  });

  it('shows who asks for what, why, until when and the whole action', async () => {
    const { frame } = open();
    await settled();
    for (const text of [
      'function: tool::wasm',
      'asked by: user:carol',
      'why: ceiling org-default, approval.rules[0]',
      'needs: 1 x role:approver, not who asked or started the run',
      'expires in 1:00:00',
      DIGEST,
      '  amount: 1200',
      'end',
      'keys do not count yet',
    ]) {
      expect(frame()).toContain(text);
    }
  });

  it('discards what was typed during the first second', async () => {
    const { clock, press, answers, frame } = open();
    clock.pass(999);
    await press('a', '4', 'f', '0', 'a', '\r');
    expect(answers).toEqual([]);
    clock.pass(1);
    clock.tick();
    await settled();
    expect(frame()).toContain('undecided; you are user:alice');
  });

  it('reads a request once, not with every key and tick, however large it is', async () => {
    let reads = 0;
    const large = {
      ...view,
      get display() {
        reads += 1;
        return view.display;
      },
    };
    const { clock, press } = open({ view: large });
    await settled();
    const before = reads;
    clock.pass(1_000);
    await press('j', 'k', '?');
    clock.tick();
    await settled();
    expect(reads).toBe(before);
  });

  it('shows what is typed: the digits within 60 columns, the end of a reason however long (typed-text-cut)', async () => {
    const { clock, press, frame } = open({ view: { ...view, record: { ...record, reasonRequired: true } } });
    clock.pass(1_000);
    await press('a', `\u001b[200~${'w'.repeat(120)}\u001b[201~`, ...'end');
    expect(frame()).toMatch(/wwwend_$/mu);
    await press('\r', ...DIGEST.slice(0, 4));
    const typed = frame()
      .split('\n')
      .find((line) => line.endsWith(`then Enter: ${DIGEST.slice(0, 4)}_`));
    expect(typed?.length).toBeLessThanOrEqual(60);
  });

  it('says in a line of 60 columns how to approve (help-cut)', async () => {
    const { clock, press, frame } = open();
    clock.pass(1_000);
    await press('?');
    const help = frame()
      .split('\n')
      .find((line) => line.startsWith('read to the end, a,'));
    expect(help).toMatch(/Enter: approves$/u);
    expect(help?.length).toBeLessThanOrEqual(60);
  });

  it('says that a reason is needed, and who may decide from when on', async () => {
    const quorum = [
      {
        ...{ role: 'role:senior', n: 1 },
        escalation: [{ afterSeconds: 60, notifyRoles: [], addRoles: ['role:approver'] }],
      },
    ];
    const { frame } = open({ view: { ...view, record: { ...record, reasonRequired: true, quorum } } });
    await settled();
    expect(frame()).toContain('needs: 1 x role:senior, with a reason, not who asked or started the run');
    expect(frame()).toContain(
      'escalation: from 2026-03-01T09:31:00.000Z on role:approver for role:senior too',
    );
  });

  it('begins with what became of an edit, until a key counts', async () => {
    const { clock, press, frame } = open({ message: 'nothing was changed' });
    await settled();
    expect(frame()).toContain('nothing was changed');
    clock.pass(1_000);
    await press('j');
    expect(frame()).not.toContain('nothing was changed');
  });

  it('approves by a, the typed prefix and Enter', async () => {
    const { clock, press, answers, frame } = open();
    clock.pass(1_000);
    await press('a');
    expect(frame()).toContain('first 4 hex digits');
    await press('4', 'f', '0', 'a');
    expect(answers).toEqual([]);
    await press('\r');
    expect(answers).toEqual([{ decision: 'approve', reason: null }]);
  });

  it('ignores pasted digits, bracketed or not', async () => {
    const { clock, press, answers, frame } = open();
    clock.pass(1_000);
    await press('a', '4f0a', '\r');
    await press('\u001b[200~4f0a\u001b[201~');
    expect(frame()).toContain('pasted text is ignored');
    await press('\r');
    expect(answers).toEqual([]);
  });

  it('wants a long action read to its end', async () => {
    const display = Array.from({ length: 40 }, (_, at) => `line ${at}`);
    const { clock, press, answers, frame } = open({ view: { ...view, display } });
    clock.pass(1_000);
    await press('a');
    expect(frame()).toMatch(/not yet: \d+ more lines to read first/);
    expect(frame()).toMatch(/lines 1-16 of \d+, \d+ more lines/);
    await press('\u001b[6~', '\u001b[6~', '\u001b[6~', '\u001b[6~');
    expect(frame()).toContain('line 39');
    await press('a', '4', 'f', '0', 'a', '\r');
    expect(answers).toEqual([{ decision: 'approve', reason: null }]);
  });

  it('fits in 24 rows and cuts no line', async () => {
    const long = `value: ${'x'.repeat(500)}END`;
    const { clock, press, frames } = open({
      view: { ...view, display: [long, ...Array<string>(30).fill('row')] },
    });
    clock.pass(1_000);
    await press(...Array<string>(30).fill('j'));
    const shown = frames.join('');
    expect(shown).toContain('END');
    for (const one of frames) expect(one.split('\n').length).toBeLessThan(24);
  });

  it('writes out characters that hide or reorder text', async () => {
    const evil = { ...record, functionId: 'tool::\u202ewasm\u001b[2J', demandedBy: ['a\nb'] };
    const { frame } = open({ view: { ...view, record: evil } });
    await settled();
    expect(frame()).toContain('tool::\\u202ewasm\\u001b[2J');
    expect(frame()).toContain('why: a\\nb');
  });

  it('disarms and says so when somebody else decided', async () => {
    let current: ApprovalRecord = record;
    const { clock, press, answers, frame } = open({ refresh: async () => current });
    clock.pass(1_000);
    await press('a', '4', 'f', '0', 'a');
    current = { ...record, state: 'denied', version: 2 };
    clock.tick();
    await settled();
    expect(frame()).toContain('this request is denied now');
    await press('\r');
    expect(answers).toEqual([]);
    await press('q');
    expect(answers).toEqual([{ decision: 'none', why: 'changed' }]);
  });

  it('asks to read again when a vote came in, and arms a second later', async () => {
    let current: ApprovalRecord = record;
    const { clock, press, answers, frame } = open({ refresh: async () => current });
    clock.pass(1_000);
    await press('a', '4', 'f', '0', 'a');
    const vote: ApprovalRecord['votes'][number] = {
      seq: 0,
      approver: 'user:bob',
      keyId: null,
      assurance: 'key',
      decision: 'approve',
      reason: null,
      atMs: NOW,
      signature: null,
    };
    current = { ...record, votes: [vote], version: 2 };
    clock.tick();
    await settled();
    expect(frame()).toContain('this request changed while you looked');
    expect(frame()).toContain('earlier vote: approve by user:bob (key)');
    await press('\r');
    expect(answers).toEqual([]);
  });

  it('closes when the request can not be read again', async () => {
    const refresh = async (): Promise<ApprovalRecord> => {
      throw new Error('the store is gone');
    };
    const { clock, press, answers, frame } = open({ refresh });
    clock.pass(1_000);
    clock.tick();
    await settled();
    expect(frame()).toContain("can't be read again: the store is gone");
    await press('a', '4', 'f', '0', 'a', '\r');
    expect(answers).toEqual([]);
  });

  it('counts down, and closes at the moment of expiry', async () => {
    const { clock, frame } = open();
    clock.pass(60_000);
    clock.tick();
    await settled();
    expect(frame()).toContain('expires in 0:59:00');
    clock.pass(3_540_000);
    clock.tick();
    await settled();
    expect(frame()).toContain('this request has expired');
  });

  it('counts no key while the terminal is not focused', async () => {
    const { clock, press, answers, frame } = open();
    clock.pass(1_000);
    await press('\u001b[O');
    expect(frame()).toContain('not focused');
    await press('a', '4', 'f', '0', 'a', '\r');
    expect(answers).toEqual([]);
  });

  it('leaves undecided by Escape', async () => {
    const { clock, press, answers } = open();
    clock.pass(1_000);
    await press('\u001b');
    expect(answers).toEqual([{ decision: 'none', why: 'left' }]);
  });

  it('says the same without colour', async () => {
    const { frame } = open({ color: false });
    await settled();
    expect(frame()).not.toContain('\u001b');
  });

  it('reads linearly for a screen reader, without a countdown or a redraw per tick', async () => {
    const display = Array.from({ length: 60 }, (_, at) => `line ${at}`);
    const { clock, press, answers, frame, frames } = open({ screenReader: true, view: { ...view, display } });
    await settled();
    expect(frame()).toContain('line 0');
    expect(frame()).toContain('line 59');
    expect(frame()).not.toContain('expires in');
    const before = frames.length;
    clock.pass(5_000);
    clock.tick();
    clock.tick();
    await settled();
    expect(frames.length).toBe(before);
    await press('a', '4', 'f', '0', 'a', '\r');
    expect(answers).toEqual([{ decision: 'approve', reason: null }]);
  });
});
