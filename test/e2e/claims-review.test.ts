// The claims review in both dialects, as alice and bob live it: the built command, real WASM, one process per
// command. What a process leaves behind when it is killed is looked up in /proc.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  BOB,
  FLOW,
  HIGH,
  LOW,
  MALFORMED,
  STEPS,
  changed,
  countsOf,
  entriesOf,
  errorOf,
  expectVerified,
  newDesk,
  startWaiting,
  type Desk,
  type Started,
  type Waiting,
} from '../cli/claims-desk.js';
import { packSlowTriage } from '../cli/slow-agent.js';
import { commandLineOf, descendantsOf, gone, tellsFamilies } from '../processes.js';

const TRIAGE = 'sha256:be566a157969505189d680e3803abfc685015095d753e37b9f76d43e61fae11a';

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk();
});
afterAll(async () => {
  await expectVerified(desk);
  desk.remove();
});

const vote = (verb: 'approve' | 'deny', { approval, digest }: Waiting): string[] => [
  ...['approvals', verb, approval],
  ...['--digest', digest],
];
const results = async (run: string): Promise<unknown> =>
  (await desk.json(['workflow', 'results', run])).value;
const typesOf = (run: string): string[] => entriesOf(desk, run).map((entry) => entry.type);

/** As dialect 1's document spells its steps; a state's name is its path. */
const NAMES: Readonly<Record<string, string>> = {
  triage: 'Triage',
  auto_approve: 'Auto Approve',
  human_review: 'Human Review',
};
const nameOf = (stepPath: string): string => NAMES[stepPath] ?? stepPath;

describe.each([
  {
    dialect: 'dialect 2',
    file: FLOW,
    triage: 'Triage',
    approve: 'AutoApprove',
    review: 'HumanReview',
    skipsReview: false,
    answer: (output: unknown) => output,
  },
  {
    dialect: 'dialect 1',
    file: STEPS,
    triage: 'triage',
    approve: 'auto_approve',
    review: 'human_review',
    skipsReview: true,
    answer: (output: unknown): unknown => JSON.parse((output as { stdout: string }).stdout),
  },
])('the claims review in $dialect', ({ file, triage, approve, review, skipsReview, answer }) => {
  it('is valid', async () => {
    const { code, value } = await desk.json(['validate', file]);
    expect([code, value]).toMatchObject([0, { ok: true, checked: 'all', diagnostics: [] }]);
  });

  it('completes a low claim by itself, exit 0', async () => {
    const { code, stdout, stderr } = await desk.run(['workflow', 'run', file, '--input', LOW]);
    expect(code).toBe(0);
    const id = stdout.split('\n')[0] ?? '';
    expect(id).toMatch(/^run_[a-z2-7]{26}$/u);
    expect(stdout).toMatch(/^status {5}completed$/mu);
    expect(stderr).toContain(`step ${nameOf(approve)}: succeeded`);
    const view = (await results(id)) as { results: { stepPath: string; output: unknown }[] };
    expect(view).toEqual({
      id,
      workflow: {
        id: expect.stringMatching(/^claims-review/u),
        hash: expect.stringMatching(/^[0-9a-f]{64}$/u),
        version: 1,
        name: expect.any(String),
      },
      status: 'completed',
      initiator: 'user:alice',
      createdAtMs: expect.any(Number),
      updatedAtMs: expect.any(Number),
      waitingFor: null,
      results: [
        stepOf(triage, 'agent:claims-triage'),
        stepOf(approve, 'agent:approval-agent'),
        ...(skipsReview ? [expect.objectContaining({ stepPath: review, status: 'skipped' })] : []),
      ],
      output: expect.any(Object),
      error: null,
      exitCode: 0,
    });
    expect(typesOf(id).filter((type) => type === 'step.intended')).toHaveLength(2);
    expect(typesOf(id).at(-1)).toBe('run.finished');
    const approval = view.results.find(({ stepPath }) => stepPath === approve);
    expect(answer(approval?.output)).toMatchObject({ decision: 'approved' });
  });

  const stepOf = (stepPath: string, principal: string): unknown => ({
    stepPath,
    stepName: nameOf(stepPath),
    status: 'completed',
    attempts: 1,
    functionId: expect.stringMatching(/^(?:tool::wasm$|ghcr\.io\/bank\/[a-z-]+@sha256:[0-9a-f]{64}$)/u),
    principal,
    durationMs: expect.any(Number),
    approval: null,
    error: null,
    outputHash: expect.stringMatching(/^[0-9a-f]{64}$/u),
    output: expect.any(Object),
    // authz.decided, ceiling.composed, step.intended, sandbox.started, sandbox.exited, step.finished
    auditEntries: Array.from({ length: 6 }, () => expect.stringMatching(/^\d+$/u)),
  });

  describe('stops a high claim for a person', () => {
    let waiting: Waiting;
    let shown: string;
    beforeAll(async () => {
      const ran = await desk.run(['workflow', 'run', file, '--input', HIGH]);
      shown = ran.stdout;
      expect(ran.code).toBe(10);
      const [, approval = ''] = /^approval {3}(\S+)$/mu.exec(shown) ?? [];
      const [, digest = ''] = /^digest {5}([0-9a-f]{64})$/mu.exec(shown) ?? [];
      waiting = { run: shown.split('\n')[0] ?? '', approval, digest };
    });

    it('and says which approval, of what, until when, and the command', () => {
      const { approval, digest } = waiting;
      expect(shown).toMatch(/^status {5}waiting$/mu);
      expect(shown).toMatch(/^expires {4}20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ \(in [\w ]+\)$/mu);
      expect(shown).toContain(`approve    writ approvals approve ${approval} --digest ${digest}\n`);
      expect(shown).toContain(`deny       writ approvals deny ${approval}`);
    });

    it('and shows the digest of exactly what would run', async () => {
      const { value } = await desk.json(['approvals', 'show', waiting.approval]);
      expect(value).toMatchObject({
        state: 'pending',
        subjectDigest: waiting.digest,
        initiator: 'user:alice',
      });
      expect(value).toMatchObject({ subject: { input: expect.any(Object) }, display: expect.any(Array) });
    });

    it('which is not the one who started it, exit 3', async () => {
      const ran = await desk.json(vote('approve', waiting));
      expect([ran.code, errorOf(ran).code]).toEqual([3, 'APPROVAL_NOT_ELIGIBLE']);
    });

    it('who has seen this digest and no other, exit 4', async () => {
      const digest = waiting.digest.replace(/^./u, (first) => (first === '0' ? '1' : '0'));
      const ran = await desk.json(vote('approve', { ...waiting, digest }), BOB);
      expect([ran.code, errorOf(ran).code]).toEqual([4, 'APPROVAL_DIGEST_MISMATCH']);
      expect(await results(waiting.run)).toMatchObject({ status: 'waiting', exitCode: 10 });
    });

    it('and goes on in the process of the one who approves', async () => {
      const { code, stdout, stderr } = await desk.run(vote('approve', waiting), BOB);
      expect(code).toBe(0);
      expect(stdout).toContain(`approval ${waiting.approval} is approved; approve by user:bob is recorded`);
      expect(stdout).toContain(`run ${waiting.run} is completed`);
      expect(stderr).toContain(`step ${nameOf(review)}: succeeded`);
      expect(await results(waiting.run)).toMatchObject({
        status: 'completed',
        results: [
          { stepPath: triage },
          // A step that was skipped is a result too; a branch that was not taken is none.
          ...(skipsReview ? [{ stepPath: approve, status: 'skipped', reason: 'condition' }] : []),
          { stepPath: review, approval: { state: 'consumed', decidedBy: ['user:bob'] } },
        ],
        exitCode: 0,
      });
      const types = typesOf(waiting.run);
      const order = [
        'approval.requested',
        'approval.decided',
        'approval.consumed',
        'step.finished',
        'run.finished',
      ];
      expect(types.filter((type) => order.includes(type))).toEqual(['step.finished', ...order]);
    });

    it('whose approval is used once', async () => {
      const before = countsOf(desk);
      const again = await desk.json(vote('approve', waiting), BOB);
      expect(again.code).not.toBe(10);
      expect(countsOf(desk).intents).toBe(before.intents);
    });
  });
});

describe('a malformed claim', () => {
  it('goes to review in dialect 2, with what triage said about it', async () => {
    const waiting = await startWaiting(desk, FLOW, MALFORMED);
    const { value } = await desk.json(['approvals', 'show', waiting.approval]);
    expect(value).toMatchObject({
      subject: { input: { error: { Error: 'Tool.Failed', Cause: expect.stringContaining('amount') } } },
    });
    expect(await desk.run(vote('approve', waiting), BOB)).toMatchObject({ code: 0 });
    expect(await results(waiting.run)).toMatchObject({
      status: 'completed',
      results: [
        { stepPath: 'Triage', status: 'failed', error: { code: 'SANDBOX_EXIT' } },
        { stepPath: 'HumanReview', status: 'completed' },
      ],
      output: { error: { Error: 'Tool.Failed', Cause: expect.stringContaining('amount') }, review: {} },
    });
  });

  it('fails the run in dialect 1, where nothing catches it, exit 1', async () => {
    const { code, value } = await desk.json(['workflow', 'run', STEPS, '--input', MALFORMED]);
    expect([code, value]).toMatchObject([
      1,
      { status: 'failed', error: { code: 'SANDBOX_EXIT' }, exitCode: 1 },
    ]);
  });
});

describe('a denial', () => {
  it('leads to Declined in dialect 2, which completes', async () => {
    const waiting = await startWaiting(desk, FLOW);
    const { code, stdout } = await desk.run(['approvals', 'deny', waiting.approval], BOB);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`run ${waiting.run} is completed`)]);
    expect(await results(waiting.run)).toMatchObject({
      status: 'completed',
      output: { review: { decision: 'declined' }, refusal: { Error: 'Approval.Denied' } },
      exitCode: 0,
    });
    expect(typesOf(waiting.run).filter((type) => type === 'step.intended')).toHaveLength(1);
  });

  it('fails the run in dialect 1, exit 4', async () => {
    const waiting = await startWaiting(desk, STEPS);
    const deny = ['approvals', 'deny', waiting.approval, '--reason', 'amount is wrong', '--no-continue'];
    expect(await desk.run(deny, BOB)).toMatchObject({ code: 0 });
    const { code, value } = await desk.json(['workflow', 'resume', waiting.run]);
    expect([code, value]).toMatchObject([
      4,
      { status: 'failed', error: { code: 'APPROVAL_DENIED' }, exitCode: 4 },
    ]);
    expect(typesOf(waiting.run).filter((type) => type === 'step.intended')).toHaveLength(1);
    expect(JSON.stringify(entriesOf(desk, waiting.run))).not.toContain('amount is wrong');
  });
});

describe('a waiting run that is cancelled', () => {
  it('ends, and its approval is withdrawn', async () => {
    const waiting = await startWaiting(desk);
    const { code, value } = await desk.json(['workflow', 'cancel', waiting.run]);
    expect([code, value]).toMatchObject([0, { status: 'cancelled', exitCode: 1 }]);
    expect(typesOf(waiting.run)).toContain('approval.withdrawn');
    const late = await desk.json(vote('approve', waiting), BOB);
    expect([late.code, errorOf(late).code]).toEqual([4, 'APPROVAL_ALREADY_DECIDED']);
    const again = await desk.json(['workflow', 'cancel', waiting.run]);
    expect([again.code, errorOf(again).code]).toEqual([2, 'RUN_ALREADY_FINISHED']);
  });
});

describe.skipIf(!tellsFamilies)(
  `kill -9 in the middle of a step${tellsFamilies ? '' : ' (skipped: no /proc to look up processes in)'}`,
  () => {
    let slow: string;
    const run = (): string[] => ['workflow', 'run', slow, '--input', LOW];
    beforeAll(() => {
      slow = changed(desk, FLOW, TRIAGE, packSlowTriage(desk.at('example/packages')), 'example/slow.yaml');
    });

    /** Kills it while the guest spins; when this resolves, no process of it is left. */
    const killed = async (): Promise<string> => {
      const started = desk.start([...run(), '--json']);
      await started.says('step Triage: started');
      const family = await vi.waitUntil(() => {
        const pids = descendantsOf(started.pid);
        return pids.some((pid) => commandLineOf(pid).includes('sandbox/wasm/child.js')) ? pids : null;
      }, 20_000);
      started.kill('SIGKILL');
      expect(await started.ended).toMatchObject({ code: undefined, signal: 'SIGKILL', stdout: '' });
      await gone(family);
      return started.said(/^run (\S+)$/mu);
    };
    const expectRanAgain = (id: string): void => {
      const steps = entriesOf(desk, id).filter(({ type }) => type.startsWith('step.'));
      expect(steps).toMatchObject([
        { type: 'step.intended', data: { stepPath: 'Triage' } },
        { type: 'step.finished', data: { stepPath: 'Triage', status: 'indeterminate' } },
        { type: 'step.intended', data: { stepPath: 'Triage' } },
        { type: 'step.finished', data: { stepPath: 'Triage', status: 'succeeded' } },
        { type: 'step.intended', data: { stepPath: 'AutoApprove' } },
        { type: 'step.finished', data: { stepPath: 'AutoApprove', status: 'succeeded' } },
      ]);
    };

    it('leaves no process behind, and resume completes the run', async () => {
      const id = await killed();
      const { code, value } = await desk.json(['workflow', 'resume', id]);
      expect([code, value]).toMatchObject([0, { id, status: 'completed' }]);
      expectRanAgain(id);
      await expectVerified(desk);
    });

    it('is continued by the very same command', async () => {
      const id = await killed();
      const { runs } = countsOf(desk);
      const { code, value, stderr } = await desk.json(run());
      expect([code, value]).toMatchObject([0, { id, status: 'completed' }]);
      expect(stderr).toContain(`goes on with run ${id}, which was interrupted`);
      expect(countsOf(desk).runs).toBe(runs);
      expectRanAgain(id);
      // It was interrupted no more: the same command starts a new run.
      const fresh: Started = desk.start([...run(), '--json', '--detach']);
      const { code: left, stdout } = await fresh.ended;
      expect(left).toBe(0);
      expect(countsOf(desk).runs).toBe(runs + 1);
      const { id: detached } = JSON.parse(stdout) as { id: string };
      expect(await desk.run(['workflow', 'watch', detached])).toMatchObject({ code: 0 });
    });
  },
);
