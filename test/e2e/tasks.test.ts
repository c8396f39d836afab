// Forms and task tokens as people meet them: the run is started by one process, which is killed while it waits, answered
// by another, and goes on there. What the log says of it is verified by both verifiers.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SECOND_VERIFIER } from '../audit/second-verifier.js';
import { entriesOf, errorOf, expectVerified, newDesk, BOB, type Desk } from '../cli/claims-desk.js';
import { environmentOf, hosted } from '../cli/writ.js';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const WORKER = fileURLToPath(new URL('./task-worker.mjs', import.meta.url));

const document = (name: string, startAt: string, states: object): string =>
  JSON.stringify({
    apiVersion: 'agentrc.workflow/v0.1',
    kind: 'AgentWorkflow',
    metadata: { name },
    spec: { startAt, states },
  });
const REVIEW = document('claims-form', 'Review', {
  Review: {
    type: 'Task',
    human: {
      form: {
        type: 'object',
        required: ['approved'],
        additionalProperties: false,
        properties: {
          approved: { type: 'boolean', description: 'pay it\u202e?' },
          amount: { type: 'number', maximum: 1000 },
        },
      },
      approverRoles: ['role:reviewer'],
    },
    resultPath: '$.review',
    next: 'Done',
  },
  Done: { type: 'Succeed' },
});
// The timer keeps the process that runs it at it, so that there is something to kill.
const HELD = document('claims-held', 'Both', {
  Both: {
    type: 'Parallel',
    branches: [
      { startAt: 'Ask', states: { Ask: { type: 'Task', human: { form: {} }, end: true } } },
      { startAt: 'Hold', states: { Hold: { type: 'Wait', seconds: 1, end: true } } },
    ],
    end: true,
  },
});
const ORDER = document('claims-order', 'Order', {
  Order: {
    type: 'Task',
    resource: 'tool::test_order.waitForTaskToken',
    parameters: { 'order.$': '$.order', 'token.$': '$$.Task.Token' },
    timeoutSeconds: 200,
    heartbeatSeconds: 100,
    end: true,
  },
});

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
  writeFileSync(desk.at('review.json'), REVIEW);
  writeFileSync(desk.at('held.json'), HELD);
  writeFileSync(
    desk.at('policies', 'rbac', 'test.yaml'),
    `apiVersion: writ/v1\nkind: Rules\nrules:\n${rule(1, 'adjuster', 'function.invoke')}${rule(2, 'reviewer', 'task.answer')}`,
  );
  // The function of these tests runs in the program that embeds Writ.
  desk.changePolicy('ceilings/org.yaml', (ceiling) => {
    ceiling.deleteIn(['spec', 'sandbox']);
  });
});
afterAll(async () => {
  await expectVerified(desk);
  const dir = desk.at('.writ', 'audit');
  const vkey = readFileSync(path.join(dir, 'vkey'), 'utf8').trim();
  const second = await execa(process.execPath, [SECOND_VERIFIER, dir, '--vkey', vkey, '--json']);
  expect(JSON.parse(second.stdout)).toMatchObject({ verdict: 'verified' });
  desk.remove();
});

function rule(n: number, role: string, action: string): string {
  return (
    `  - { id: T-${n}, effect: allow, subject: "role:${role}", domain: default, action: ${action}, ` +
    `resource: "tool::test_order", reason: test }\n`
  );
}

interface Shown {
  readonly id: string;
  readonly run: string;
  readonly waitingFor: { readonly taskId: string };
}

async function started(file = 'review.json'): Promise<{ readonly run: string; readonly task: string }> {
  const { code, value } = await desk.json(['workflow', 'run', file, '--input', '{"claim":"C-1"}']);
  expect([code, value]).toMatchObject([10, { status: 'waiting', waitingFor: { kind: 'task' } }]);
  const { id, waitingFor } = value as Shown;
  return { run: id, task: waitingFor.taskId };
}

describe('a form', () => {
  it('is shown with its fields, filled in by another process, and the run goes on', async () => {
    const { run, task } = await started();
    const list = await desk.json(['task', 'list']);
    expect(list.value).toMatchObject({ tasks: [{ id: task, kind: 'person', state: 'open' }] });
    expect(JSON.stringify(list.value)).not.toContain('tokenHash');
    expect((await desk.run(['task', 'list'])).stdout).toMatch(
      /^task +state +by +step .*\ntsk_\S+ +open +form /u,
    );
    const nope = await desk.json(['task', 'list', '--run', 'nope']);
    expect([nope.code, errorOf(nope)]).toMatchObject([2, { code: 'NOT_FOUND' }]);
    const { stdout } = await desk.run(['task', 'show', task]);
    expect(stdout).toContain('approved  boolean, required: pay it\\u202e?');
    expect(stdout).toContain('amount    number, to 1000');
    expect(stdout).toContain('"claim": "C-1"');
    writeFileSync(desk.at('answer.json'), '{"approved": true, "amount": 12}');
    const done = await desk.json(['task', 'complete', task, '--output', '@answer.json'], BOB);
    expect([done.code, done.value]).toMatchObject([
      0,
      { task: { id: task, state: 'answered', answer: { by: 'user:bob' } }, run: { status: 'completed' } },
    ]);
    const { value } = await desk.json(['workflow', 'results', run]);
    expect(value).toMatchObject({ output: { claim: 'C-1', review: { approved: true, amount: 12 } } });
    expect(entriesOf(desk, run).map(({ type }) => type)).toContain('task.answered');
  });

  it('takes no answer of the wrong person, none that does not fit, none twice, and none without --output', async () => {
    const { task } = await started();
    const complete = (output: string, env = BOB) =>
      desk.json(['task', 'complete', task, '--output', output], env);
    const own = await complete('{"approved":true}', { env: { WRIT_KEY: 'alice.key' } });
    expect([own.code, errorOf(own)]).toMatchObject([3, { code: 'POLICY_NO_MATCH' }]);
    const unfit = await complete('{"amount":5000,"more":1}');
    expect([unfit.code, errorOf(unfit)]).toMatchObject([2, { code: 'INPUT_INVALID' }]);
    expect(JSON.stringify(unfit.value)).toContain('"path":"amount"');
    const bad = await desk.json(['task', 'complete', task], BOB);
    expect([bad.code, errorOf(bad)]).toMatchObject([2, { code: 'USAGE' }]);
    const silent = await desk.json(['task', 'heartbeat'], BOB);
    expect([silent.code, errorOf(silent)]).toMatchObject([2, { message: 'heartbeat needs --token' }]);
    expect((await complete('{"approved":false}')).code).toBe(0);
    const twice = await complete('{"approved":true}');
    expect([twice.code, errorOf(twice)]).toMatchObject([4, { code: 'TASK_ANSWERED' }]);
  });

  it('is refused by a person: the run fails with Approval.Denied, exit 4', async () => {
    const { run, task } = await started();
    const no = await desk.json(['task', 'fail', task, '--cause', 'no invoice'], BOB);
    expect(no.value).toMatchObject({ run: { status: 'failed', error: { code: 'APPROVAL_DENIED' } } });
    expect((await desk.json(['workflow', 'status', run])).value).toMatchObject({ exitCode: 4 });
  });

  it('still waits after its process was killed', async () => {
    const child = desk.start(['workflow', 'run', 'held.json', '--input', '{}']);
    await child.says('waits for a person');
    child.kill('SIGKILL');
    await child.ended;
    const { value } = await desk.json(['task', 'list']);
    const { tasks } = value as { tasks: { id: string; run: string; stepPath: string }[] };
    const task = tasks.find(({ stepPath }) => stepPath === 'Both[0]/Ask');
    const done = await desk.json(['task', 'complete', task?.id ?? '', '--output', '"fine"'], BOB);
    expect(done.value).toMatchObject({ run: { status: 'completed' } });
    expect((await desk.json(['workflow', 'results', task?.run ?? ''])).value).toMatchObject({
      output: ['fine', {}],
    });
  });
});

describe('a task token', () => {
  it('outlives the process that gave it away, and is nowhere in the data directory', async () => {
    const child = execa(process.execPath, [WORKER, desk.folder, DIST, ORDER], {
      env: environmentOf(desk.folder),
      extendEnv: false,
      reject: false,
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const file = desk.at('token.txt');
    const suspended = async (): Promise<boolean> => {
      if (!existsSync(file)) return false;
      const { stdout } = await desk.run(['workflow', 'status', runOf(said), '--json']);
      return stdout.includes('"kind": "task"');
    };
    await expect.poll(suspended, { timeout: 120_000, interval: 200 }).toBe(true);
    child.kill('SIGKILL');
    await child;
    const run = runOf(said);
    const token = readFileSync(file, 'utf8');
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/u);
    const beat = await desk.json(['task', 'heartbeat', '--token', '@token.txt'], BOB);
    expect([beat.code, beat.value]).toMatchObject([0, { task: { state: 'open' } }]);
    const wrong = await desk.json(['task', 'complete', '--token', 'A'.repeat(43), '--output', '1'], BOB);
    expect([wrong.code, errorOf(wrong)]).toMatchObject([3, { code: 'TASK_TOKEN_INVALID' }]);
    const words = ['task', 'complete', '--token', '@token.txt', '--output', '{"shipped":true}'];
    expect(errorOf(await desk.json(words))).toMatchObject({ code: 'POLICY_NO_MATCH' });
    const done = await desk.json(words, BOB);
    expect(done.value).toMatchObject({ run: { id: run, status: 'completed' } });
    expect((await desk.json(['workflow', 'results', run])).value).toMatchObject({
      output: { shipped: true },
    });
    expect(errorOf(await desk.json(words, BOB))).toMatchObject({ code: 'TASK_ANSWERED' });
    const data = desk.at('.writ');
    const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    const holding = files.filter((one) => readFileSync(path.join(one.parentPath, one.name)).includes(token));
    expect(holding).toEqual([]);
  });
});

function runOf(said: string): string {
  return /started (run_[a-z2-7]+)/u.exec(said)?.[1] ?? '';
}
