import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocks } from '../../adapters/store/locks.js';
import { holdServing } from '../../adapters/store/serving.js';
import { pathsOf } from '../../data-directory.js';
import { WritError } from '../../errors.js';
import type { Hex, Json, SubjectDigest } from '../../json.js';
import { NO_AGENT_HINT } from '../../runtime/call/callable.js';
import { ERASE_WORKFLOW } from '../../runtime/erasure/workflow.js';
import type { ApprovalRecord, RunStatus } from '../../runtime/ports.js';
import { workflowHash } from '../../runtime/run/state.js';
import type { EntryNotice, Principal, RunView, Writ } from '../../runtime/writ.js';
import type { Context } from '../context.js';
import { createOutput } from '../output.js';
import { follow } from './run.js';
import type { Plan } from '../../workflow/plan.js';

const NOW = Date.UTC(2026, 2, 1, 9, 30);
const HEX = '0'.repeat(64) as Hex;
const DIGEST = `4f0a${'1'.repeat(60)}` as SubjectDigest;

const approval: ApprovalRecord = {
  id: 'apr_one',
  tenant: 'default',
  run: 'run_1',
  stepPath: 'Payout',
  attempt: 1,
  subjectDigest: DIGEST,
  subject: HEX as unknown as ApprovalRecord['subject'],
  mode: 'sync',
  quorum: [{ role: 'role:approver', n: 1 }],
  separationOfDuties: true,
  reasonRequired: false,
  requester: 'user:carol',
  initiator: 'user:carol',
  functionId: 'tool::wasm',
  demandedBy: ['ceiling org-default'],
  policyHash: HEX,
  createdAtMs: NOW,
  expiresAtMs: NOW + 3_600_000,
  state: 'pending',
  votes: [],
  version: 1,
};

const view = (status: RunStatus, exitCode: number, change: Partial<RunView> = {}): RunView => ({
  id: 'run_1',
  workflow: { id: 'claims', hash: HEX, version: 1, name: 'Claims' },
  status,
  initiator: 'user:carol',
  createdAtMs: NOW,
  updatedAtMs: NOW,
  waitingFor: null,
  steps: [
    {
      stepPath: 'Payout',
      name: 'Payout\nfake row',
      status: status === 'completed' ? 'succeeded' : 'waiting',
      attempts: 1,
      functionId: 'tool::wasm',
      principal: 'agent:payer',
      startedAtMs: NOW,
      durationMs: 120,
      approval: null,
      error: null,
      outputCommitment: null,
      output: null,
    },
  ],
  output: null,
  error: null,
  exitCode,
  ...change,
});

const PLAN = { dialect: 'steps', nodes: { Triage: { name: 'Triage the claim' } } } as unknown as Plan;

/** A fake at the port: what `follow` may ask of Writ, and nothing else. */
function fakeWrit(change: Partial<Writ>): Writ {
  const refuse = (name: string) => (): never => {
    throw new Error(`follow does not call ${name}`);
  };
  return {
    origin: 'test',
    tenant: 'default',
    policyHash: HEX,
    policyMaxAgeMs: null,
    reloadPolicies: refuse('reloadPolicies'),
    vkey: refuse('vkey'),
    principalOfKey: refuse('principalOfKey'),
    principalOfUser: refuse('principalOfUser'),
    principalOfOidc: refuse('principalOfOidc'),
    principalOfToken: refuse('principalOfToken'),
    principalOfSignature: refuse('principalOfSignature'),
    mayRead: refuse('mayRead'),
    tasks: refuse('tasks'),
    task: refuse('task'),
    mayReadTask: refuse('mayReadTask'),
    answerTask: refuse('answerTask'),
    requireMayAnswer: refuse('requireMayAnswer'),
    receipt: refuse('receipt'),
    keepRefused: refuse('keepRefused'),
    editApproval: refuse('editApproval'),
    reviewApproval: refuse('reviewApproval'),
    previousSubject: refuse('previousSubject'),
    approvalStatistics: refuse('approvalStatistics'),
    outbox: { start: refuse('outbox.start'), end: refuse('outbox.end'), read: refuse('outbox.read') },
    validate: refuse('validate'),
    compiled: async () => PLAN,
    standings: refuse('standings'),
    createWorkflow: refuse('createWorkflow'),
    register: refuse('register'),
    auditRun: refuse('auditRun'),
    auditEntry: refuse('auditEntry'),
    proveEntry: refuse('proveEntry'),
    erase: refuse('erase'),
    artifacts: {
      put: refuse('artifacts.put'),
      get: refuse('artifacts.get'),
      list: refuse('artifacts.list'),
    },
    retention: refuse('retention'),
    changeRetention: refuse('changeRetention'),
    exportLog: refuse('exportLog'),
    rotateLogKey: refuse('rotateLogKey'),
    keyChanges: refuse('keyChanges'),
    anchor: refuse('anchor'),
    witnesses: refuse('witnesses'),
    onAnchor: refuse('onAnchor'),
    workflows: refuse('workflows'),
    plan: refuse('plan'),
    workflowView: refuse('workflowView'),
    outline: refuse('outline'),
    entries: refuse('entries'),
    isAdvanced: refuse('isAdvanced'),
    onProgress: refuse('onProgress'),
    onWait: refuse('onWait'),
    workflowsPage: refuse('workflowsPage'),
    workflow: refuse('workflow'),
    start: refuse('start'),
    interrupted: refuse('interrupted'),
    drive: refuse('drive'),
    resume: refuse('resume'),
    redrive: refuse('redrive'),
    cancel: refuse('cancel'),
    runs: refuse('runs'),
    unfinishedRuns: refuse('unfinishedRuns'),
    wakeUps: refuse('wakeUps'),
    runsPage: refuse('runsPage'),
    status: refuse('status'),
    results: refuse('results'),
    approvals: async () => [],
    approval: refuse('approval'),
    approvalKeys: refuse('approvalKeys'),
    decidedRuns: refuse('decidedRuns'),
    abandoned: refuse('abandoned'),
    approvalRecord: refuse('approvalRecord'),
    decide: refuse('decide'),
    evidence: refuse('evidence'),
    handedOut: refuse('handedOut'),
    onEntry: () => () => undefined,
    changeCounter: refuse('changeCounter'),
    publish: refuse('publish'),
    doctor: refuse('doctor'),
    close: refuse('close'),
    ...change,
  };
}

function openContext(json = false, data = '.writ') {
  const [out, err]: [string[], string[]] = [[], []];
  const stdout = { isTTY: false, write: (text: string) => out.push(text) };
  const stderr = { write: (text: string) => err.push(text) };
  const context: Context = {
    output: createOutput({ stdout, stderr, json, env: {} }),
    data,
    policies: 'policies',
    keyFile: null,
    env: {},
    stdin: process.stdin,
    stdout: process.stdout,
    nowMs: () => NOW,
  };
  return { context, out: () => out.join(''), err: () => err.join('') };
}

const driven = async (): Promise<never> => undefined as never;
const waiting = view('waiting', 10, {
  waitingFor: { kind: 'approval', approvalId: 'apr_one', stepPath: 'Payout', expiresAtMs: NOW + 3_600_000 },
});

describe('following a run', () => {
  it('ends with the exit code of the run', async () => {
    for (const [status, code] of [
      ['completed', 0],
      ['failed', 1],
      ['failed', 3],
      ['failed', 4],
    ] as const) {
      const { context } = openContext();
      expect(
        await follow({
          context,
          writ: fakeWrit({ drive: driven, status: async () => view(status, code) }),
          runId: 'run_1',
          approver: null,
        }),
      ).toBe(code);
    }
  });

  it('offers no redrive after a fault of the document, which would be the same again', async () => {
    const ended = async (code: string): Promise<string> => {
      const { context, out } = openContext();
      const error = { code, name: 'States.Runtime', message: 'no' };
      const run = view('failed', 1, { error });
      await follow({
        context,
        writ: fakeWrit({ drive: driven, status: async () => run }),
        runId: 'run_1',
        approver: null,
      });
      return out();
    };
    const redrive = 'again:  writ workflow redrive run_1\n';
    for (const code of ['STEP_TEMPLATE_UNRESOLVED', 'FUNCTION_REQUEST_INVALID', 'DOC_TEMPLATE']) {
      expect(await ended(code)).toContain('again:  correct the document or the input, and start a new run');
      expect(await ended(code)).not.toContain(redrive);
    }
    // What another process, or a package put in its place, puts right; failures, refusals, and names of a workflow's own.
    for (const code of [
      'FUNCTION_NOT_FOUND',
      'DOC_AGENT_UNRESOLVED',
      'STEP_TIMEOUT',
      'POLICY_NO_MATCH',
      'Mine',
    ]) {
      expect(await ended(code)).toContain(redrive);
    }
  });

  it('says once where to look at what it waits for, beside the commands that decide it', async () => {
    const { context, out } = openContext();
    const writ = fakeWrit({
      drive: driven,
      status: async () => waiting,
      approvals: async () => [approval],
    });
    await follow({ context, writ, runId: 'run_1', approver: null });
    expect(out().split('writ approvals show apr_one')).toHaveLength(2);
    expect(out()).toContain('writ approvals approve apr_one --digest');
  });

  it('offers no redrive to a run in which nobody acts: who does is said when it starts', async () => {
    const { context, out } = openContext();
    const error = { code: 'POLICY_REQUEST_INVALID', name: 'Policy.Denied', message: 'no' };
    const run = view('failed', 3, { error: { ...error, hint: NO_AGENT_HINT } });
    const writ = fakeWrit({ drive: driven, status: async () => run });
    await follow({ context, writ, runId: 'run_1', approver: null });
    expect(out()).toContain('start a new run: a redrive asks the same again');
    expect(out()).not.toContain('workflow redrive');
  });

  it('offers to redrive a run that failed or was cancelled, and no other', async () => {
    const shown = async (one: RunView): Promise<string> => {
      const { context, out } = openContext();
      await follow({
        context,
        writ: fakeWrit({ drive: driven, status: async () => one }),
        runId: 'run_1',
        approver: null,
      });
      return out();
    };
    const again = 'again:  writ workflow redrive run_1\n';
    expect(await shown(view('failed', 3))).toContain(again);
    expect(await shown(view('cancelled', 1))).toContain(again);
    expect(await shown(view('completed', 0))).not.toContain('redrive');
    const id = 'writ-audit-erase';
    const hash = workflowHash(JSON.parse(ERASE_WORKFLOW.text) as Json);
    const erasure = { workflow: { id, hash, version: 1, name: id } };
    expect(await shown(view('failed', 3, erasure))).not.toContain('redrive');
    // Only exactly this workflow erases.
    const namesake = { workflow: { ...erasure.workflow, hash: HEX } };
    expect(await shown(view('failed', 3, namesake))).toContain(again);
  });

  it('says of an error without a message what it is, and leaves no colon behind it', async () => {
    const { context, out } = openContext();
    const error = { code: 'FUNCTION_FAILED', name: 'Desk.Closed', message: '' };
    await follow({
      context,
      writ: fakeWrit({ drive: driven, status: async () => view('failed', 1, { error }) }),
      runId: 'run_1',
      approver: null,
    });
    expect(out()).toContain('error      FUNCTION_FAILED (Desk.Closed)\n');
  });

  it('prints id, digest, expiry and the exact command where nobody can be asked, and ends with 10', async () => {
    const { context, out } = openContext();
    const writ = fakeWrit({ drive: driven, status: async () => waiting, approvals: async () => [approval] });
    expect(await follow({ context, writ, runId: 'run_1', approver: null })).toBe(10);
    expect(out()).toContain(`writ approvals approve apr_one --digest ${DIGEST}\n`);
    expect(out()).toContain('expires    2026-03-01 10:30:00Z (in 1 h 0 min)');
    expect(out()).toContain('why        ceiling org-default');
  });

  it('asks nobody who started the run where duties are separated', async () => {
    const { context, out } = openContext();
    const writ = fakeWrit({
      drive: driven,
      status: async () => waiting,
      approval: async () => ({ record: approval, subject: {}, display: [] }),
      approvals: async () => [approval],
    });
    const carol: Principal = { id: 'user:carol', assurance: 'os', publicKey: null, sign: null };
    expect(await follow({ context, writ, runId: 'run_1', approver: carol })).toBe(10);
    expect(out()).toContain('apr_one');
  });

  it('prints the run as one JSON value under --json', async () => {
    const { context, out } = openContext(true);
    const writ = fakeWrit({ drive: driven, results: async () => waiting });
    expect(await follow({ context, writ, runId: 'run_1', approver: null })).toBe(10);
    expect(JSON.parse(out())).toMatchObject({
      id: 'run_1',
      waitingFor: { approvalId: 'apr_one' },
      exitCode: 10,
    });
  });

  it('shows what was committed on stderr, for this run only', async () => {
    const { context, out, err } = openContext();
    const entry = (type: string, run: string, data: EntryNotice['data']): EntryNotice => ({
      type,
      run,
      timeMs: NOW,
      data,
    });
    let tell: (notice: EntryNotice) => void = () => undefined;
    const writ = fakeWrit({
      onEntry: (listener) => {
        tell = listener;
        return () => undefined;
      },
      drive: async () => {
        tell(entry('step.intended', 'run_1', { stepPath: 'Triage', attempt: 2, function: 'tool::wasm' }));
        tell(
          entry('step.finished', 'run_1', {
            stepPath: 'Triage',
            status: 'succeeded',
            code: null,
            durationMs: 1500,
          }),
        );
        tell(entry('authz.decided', 'run_1', { stepPath: 'Pay', verdict: 'allow' }));
        tell(
          entry('authz.decided', 'run_1', {
            stepPath: 'Pay',
            verdict: 'deny',
            code: 'POLICY_NO_MATCH',
            ruleId: null,
          }),
        );
        tell(entry('step.intended', 'run_2', { stepPath: 'Other', attempt: 1, function: 'tool::wasm' }));
        tell(
          entry('approval.decided', 'run_1', {
            approvalId: 'apr_one',
            decision: 'deny',
            approver: 'user:a\u202eb',
          }),
        );
        return undefined as never;
      },
      status: async () => view('failed', 3),
    });
    await follow({ context, writ, runId: 'run_1', approver: null });
    expect(err().split('\n')).toEqual([
      '09:30:00  step Triage the claim: started (attempt 2), tool::wasm',
      '09:30:00  step Triage the claim: succeeded in 1.5 s',
      '09:30:00  step Pay: denied by policy, POLICY_NO_MATCH',
      '09:30:00  approval apr_one: denied by user:a\\u202eb',
      '',
    ]);
    expect(out()).not.toContain('Triage');
  });

  it('keeps a name with a line end in its row', async () => {
    const { context, out } = openContext();
    await follow({
      context,
      writ: fakeWrit({ drive: driven, status: async () => view('completed', 0) }),
      runId: 'run_1',
      approver: null,
    });
    expect(out()).toContain('Payout\\nfake row  completed  1         tool::wasm  agent:payer  120 ms  -\n');
  });

  it('ends with 130 after Ctrl+C and says how to go on', async () => {
    const { context, err } = openContext();
    const writ = fakeWrit({
      drive: async (_, { signal }) => {
        process.emit('SIGINT', 'SIGINT');
        expect(signal.aborted).toBe(true);
        throw new Error('aborted');
      },
      status: async () => view('running', 0),
    });
    expect(await follow({ context, writ, runId: 'run_1', approver: null })).toBe(130);
    expect(err()).toContain('interrupted; writ workflow resume run_1 goes on');
  });

  it('says after Ctrl+C that a server goes on with the run, and how to end it', async () => {
    const data = mkdtempSync(join(tmpdir(), 'writ-run-'));
    const serving = await holdServing(openLocks(pathsOf(data).locks), '1');
    try {
      const { context, err } = openContext(false, data);
      const drive = async (): Promise<never> => {
        process.emit('SIGINT', 'SIGINT');
        throw new Error('aborted');
      };
      const interrupted = (status: RunView['status']) =>
        follow({
          ...{ context, runId: 'run_1', approver: null },
          writ: fakeWrit({ drive, status: async () => view(status, 0) }),
        });
      expect(await interrupted('running')).toBe(130);
      expect(err()).toContain(
        'writ serve goes on with it, unless you say: writ workflow cancel run_1 --data',
      );
      await interrupted('indeterminate');
      expect(err()).toContain('interrupted; writ workflow resume run_1 --data');
    } finally {
      serving?.release();
      rmSync(data, { recursive: true, force: true });
    }
  });

  it('passes on that another process advances the run', async () => {
    const busy = new WritError('RUN_BUSY', 'another process advances run_1');
    const writ = fakeWrit({
      drive: async () => {
        throw busy;
      },
    });
    await expect(
      follow({ context: openContext().context, writ, runId: 'run_1', approver: null }),
    ).rejects.toBe(busy);
  });

  it('tells what a person must find out about a lost attempt', async () => {
    const { context, out } = openContext();
    const lost = view('indeterminate', 1, { waitingFor: { kind: 'person', stepPath: 'Payout', attempt: 1 } });
    expect(
      await follow({
        context,
        writ: fakeWrit({ drive: driven, status: async () => lost }),
        runId: 'run_1',
        approver: null,
      }),
    ).toBe(1);
    expect(out()).toContain('writ workflow resume run_1 --rerun-lost');
    expect(out()).toContain('writ workflow resume run_1 --fail-lost');
  });
});
