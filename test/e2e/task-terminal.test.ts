// `writ task complete ID` on a real terminal: a form is filled in field by field, and nothing is answered by who leaves or
// says no, or without a terminal.
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { entriesOf, errorOf, newDesk, BOB, type Desk } from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import { bobsTerminal, ENTER } from './approver-at-terminal.js';
import { plain, type TerminalSession } from './pseudo-terminal.js';
import { describeOnTerminal } from './waiting-desk.js';

const CTRL_C = '\u0003';
const REVIEW = JSON.stringify({
  apiVersion: 'agentrc.workflow/v0.1',
  kind: 'AgentWorkflow',
  metadata: { name: 'claims-form' },
  spec: {
    startAt: 'Review',
    states: {
      Review: {
        type: 'Task',
        human: {
          form: {
            type: 'object',
            required: ['approved', 'why'],
            additionalProperties: false,
            properties: {
              approved: { type: 'boolean', description: 'pay it\u202e?' },
              amount: { type: 'number', maximum: 1000, default: 100 },
              why: { enum: ['covered', 'goodwill'] },
            },
          },
          approverRoles: ['role:reviewer'],
        },
        end: true,
      },
    },
  },
});

let desk: Desk;
let task = '';
let run = '';
beforeAll(async () => {
  desk = await newDesk(hosted);
  writeFileSync(desk.at('review.json'), REVIEW);
});
beforeEach(async () => {
  const { value } = await desk.json(['workflow', 'run', 'review.json', '--input', '{"claim":"C\u202e1"}']);
  const shown = value as { id: string; waitingFor: { taskId: string } };
  run = shown.id;
  task = shown.waitingFor.taskId;
});
afterAll(async () => {
  const { code, value } = await desk.json(['audit', 'verify', '.writ/audit']);
  expect([code, value]).toMatchObject([0, { verdict: 'verified' }]);
  desk.remove();
});

const open = (env: Readonly<Record<string, string>> = {}): TerminalSession =>
  bobsTerminal(desk, ['task', 'complete', task], env);

async function expectOpen(): Promise<void> {
  const { value } = await desk.json(['task', 'show', task]);
  expect(value).toMatchObject({ state: 'open', answer: null });
  expect(entriesOf(desk, run).map(({ type }) => type)).not.toContain('task.answered');
}

describeOnTerminal('a form', () => {
  it('is asked for field by field, checked, shown as a whole, sent after yes, and signed', async () => {
    const terminal = open();
    await terminal.shows('approved: ');
    await terminal.shows('pay it\\u202e?');
    expect(plain(terminal.drawn())).toContain('"claim": "C\\u202e1"');
    terminal.type(`maybe${ENTER}`);
    await terminal.shows('say yes or no');
    terminal.type(`yes${ENTER}`);
    await terminal.shows('amount [100]: ');
    terminal.type(`1001${ENTER}`);
    await terminal.shows('must be <= 1000');
    terminal.type(ENTER);
    await terminal.shows('2) goodwill');
    await terminal.shows('why: ');
    terminal.type(`2${ENTER}`);
    await terminal.shows('send it as user:bob? yes or no: ');
    terminal.type(`yes${ENTER}`);
    await terminal.shows('success by user:bob is recorded');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    expect((await desk.json(['workflow', 'results', run])).value).toMatchObject({
      status: 'completed',
      output: { approved: true, amount: 100, why: 'goodwill' },
    });
    const answered = entriesOf(desk, run).find(({ type }) => type === 'task.answered');
    expect(answered?.data).toMatchObject({ by: 'user:bob', assurance: 'key' });
    expect(answered?.data['signature']).toMatch(/^[A-Za-z0-9+/]{86}==$/u);
    const shown = await desk.run(['task', 'show', task]);
    expect(shown.stdout).toContain(`by user:bob (signed with ${String(answered?.data['keyId'])})`);
  });

  it('that somebody may not answer is refused before the first question', async () => {
    const terminal = open({ WRIT_KEY: 'alice.key' });
    await terminal.shows('no rule allows user:alice task.answer');
    expect(await terminal.ended).toEqual({ code: 3, restored: true });
    expect(plain(terminal.drawn())).not.toContain('approved: ');
    await expectOpen();
  });

  it('that somebody leaves with Ctrl+C waits on, at any question', async () => {
    const first = open();
    await first.shows('approved: ');
    first.type(CTRL_C);
    await first.shows('still waits');
    expect(await first.ended).toEqual({ code: 130, restored: true });
    const last = open();
    await last.shows('approved: ');
    for (const [line, next] of [
      ['no', 'amount [100]: '],
      ['', 'why: '],
      ['covered', 'yes or no: '],
    ] as const) {
      last.type(`${line}${ENTER}`);
      await last.shows(next);
    }
    last.type(CTRL_C);
    expect(await last.ended).toEqual({ code: 130, restored: true });
    await expectOpen();
  });

  it('is not answered without a yes', async () => {
    const terminal = open();
    await terminal.shows('approved: ');
    terminal.type(`yes${ENTER}`);
    await terminal.shows('amount [100]: ');
    for (const next of ['why: ', 'it is required']) {
      terminal.type(ENTER);
      await terminal.shows(next);
    }
    terminal.type(`1${ENTER}`);
    await terminal.shows('yes or no: ');
    terminal.type(`no${ENTER}`);
    await terminal.shows('nothing was answered');
    expect(await terminal.ended).toEqual({ code: 0, restored: true });
    await expectOpen();
  });
});

describe('a form without a terminal', () => {
  it('is not asked for: complete says what to give it, and the list goes on where it ended', async () => {
    const bad = await desk.json(['task', 'complete', task], BOB);
    expect([bad.code, errorOf(bad)]).toMatchObject([
      2,
      { code: 'USAGE', message: 'complete needs --output with the result: JSON, @FILE or @-' },
    ]);
    await desk.json(['workflow', 'run', 'review.json', '--input', '{}']);
    const all = (await desk.json(['task', 'list', '--limit', '100'])).value as List;
    expect(all.cursor).toBeNull();
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const more: string[] = cursor === '' ? [] : ['--cursor', cursor];
      const page = (await desk.json(['task', 'list', '--limit', '1', ...more])).value as List;
      ids.push(...page.tasks.map(({ id }) => id));
      ({ cursor } = page);
    }
    expect(ids).toEqual(all.tasks.map(({ id }) => id));
    expect(ids.length).toBeGreaterThan(1);
    for (const words of [
      ['--limit', '0'],
      ['--limit', '101'],
      ['--limit', 'x'],
      ['--cursor', 'x'],
    ])
      expect((await desk.json(['task', 'list', ...words])).code).toBe(2);
  });
});

interface List {
  readonly tasks: readonly { readonly id: string }[];
  readonly cursor: string | null;
}
