// Writ as its surfaces see it: the rooms put behind one interface. Nothing is decided here; each method asks the room
// that owns the question.
import { WritError } from '../errors.js';
import type { Digest } from '../json.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { Callables } from './callable.js';
import { cancelNow, requestCancel } from './cancel.js';
import { checkWorkflow, type CheckedWorkflow } from './check.js';
import { decideApproval } from './decide-approval.js';
import { doctor } from './doctor.js';
import { Journal } from './journal.js';
import type { Guard } from './judge.js';
import type {
  Clock,
  Dispatcher,
  Lock,
  Locks,
  LogDirectory,
  PackageStore,
  Random,
  RunRecord,
  Signer,
  Store,
  TrustStore,
} from './ports.js';
import { personOfKey, personOfUser } from './identity.js';
import { publish } from './publisher.js';
import { decideLost } from './recovery.js';
import { prepareWorkflow, storedSource, type Prepared } from './register.js';
import { isFinished } from './run-state.js';
import { entryContext, load } from './run-context.js';
import { openRunner } from './runner.js';
import { authorize, interruptedRun, startRun, type RunStart } from './start.js';
import { approvalView, runView } from './views.js';
import type { Principal, StartRequest, WorkflowSource, Writ } from './writ.js';

export interface ApplicationParts {
  readonly tenant: string;
  readonly via: string;
  readonly store: Store;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly random: Random;
  readonly signer: Signer;
  readonly directory: LogDirectory;
  readonly trust: TrustStore;
  readonly policy: PolicySnapshot;
  readonly callables: Callables;
  /** Packages that may also be found beside a workflow file; `keep` copies one, verified, into the data directory. */
  readonly packagesBeside: (file: string | null) => PackageStore;
  readonly keepPackage: (file: string | null, digest: Digest) => Promise<void>;
  readonly dispatcher: (steps: ReturnType<typeof openRunner>) => Dispatcher;
}

export function openApplication(parts: ApplicationParts): Writ & { readonly guard: Guard } {
  const { store, locks, clock, random, tenant, callables, signer, directory, trust, policy } = parts;
  const journal = new Journal(store);
  const guard: Guard = {
    via: parts.via,
    store,
    journal,
    clock,
    random,
    tenant,
    policy: () => policy,
    callables,
  };
  const runner = openRunner(guard);
  const dispatcher = parts.dispatcher(runner);
  const publishNow = (): Promise<void> => publish({ store, directory, signer, locks, trust });

  const check = (source: WorkflowSource): Promise<CheckedWorkflow> => {
    const near = { ...guard, callables: { ...callables, packages: parts.packagesBeside(source.file) } };
    return checkWorkflow(near, source);
  };

  const prepare = async (source: WorkflowSource): Promise<Prepared> => {
    return prepareWorkflow(source, await check(source), store, clock);
  };

  const keep = async ({ record, agents, isKnown }: Prepared): Promise<void> => {
    for (const digest of agents) await parts.keepPackage(record.file, digest);
    if (!isKnown) await journal.commit({ workflows: [record], entries: [] });
  };

  const toStart = async (request: StartRequest, initiator: Principal): Promise<RunStart> => {
    const { workflow, input, agents = {} } = request;
    const prepared = await prepare(
      typeof workflow === 'string' ? await storedSource(store, workflow) : workflow,
    );
    const { plan, record } = prepared;
    return { workflow: record, plan, input, agents, initiator, keep: () => keep(prepared) };
  };

  const started = new Map<string, Lock>();

  const isHeld = (runId: string): boolean => {
    const lock = locks.tryHold(`run.${runId}`);
    lock?.release();
    return lock === null;
  };
  const letGo = (runId: string): void => {
    started.get(runId)?.release();
    started.delete(runId);
  };

  return {
    guard,
    origin: originOf(signer.vkey),
    tenant,
    policyHash: policy.policyHash,

    principalOfKey: (publicKey, sign) => personOfKey(policy, publicKey, sign, random),
    principalOfUser: (osUser) => personOfUser(policy, osUser),

    async validate(source) {
      const { diagnostics } = await check(source);
      return { ok: !diagnostics.some((one) => one.severity === 'error'), diagnostics };
    },
    async createWorkflow(source) {
      const prepared = await prepare(source);
      await keep(prepared);
      return prepared.record;
    },
    workflows: () => store.workflows(),
    workflow: (id) => store.workflow(id),

    async start(request, initiator) {
      // Held from before the run exists until it is driven or this process ends: nobody takes it for interrupted.
      let held: string | null = null;
      const hold = (runId: string): void => {
        const lock = locks.tryHold(`run.${runId}`);
        if (lock !== null) started.set(runId, lock);
        held = runId;
      };
      try {
        return await startRun(guard, await toStart(request, initiator), hold);
      } catch (error) {
        if (held !== null) letGo(held);
        throw error;
      }
    },
    async interrupted(request, initiator) {
      return interruptedRun(guard, await toStart(request, initiator), isHeld);
    },
    async drive(runId, options) {
      await load(guard, runId);
      letGo(runId);
      const run = await dispatcher.drive(runId, options);
      await publishNow();
      return run;
    },
    async resume(runId, principal, options = {}) {
      const run = await load(guard, runId);
      if (isFinished(run)) throw alreadyFinished(run);
      const context = entryContext(guard, run, { id: principal.id, via: guard.via });
      await authorize(guard, context, principal, 'run.resume', run.workflowId);
      if (run.status !== 'indeterminate') return;
      if (options.lost === undefined) {
        throw new WritError('RUN_INDETERMINATE', `the outcome of a step of ${runId} was lost in a crash`, {
          hint: `look at it, then: writ workflow resume ${runId} --rerun-lost, or --fail-lost`,
        });
      }
      const settled = decideLost(guard, run, options.lost, context);
      await journal.commitRun({ entries: settled.entries, payloads: settled.payloads }, settled.run);
    },
    async cancel(runId, principal) {
      const run = await load(guard, runId);
      if (isFinished(run)) throw alreadyFinished(run);
      const context = entryContext(guard, run, { id: principal.id, via: guard.via });
      await authorize(guard, context, principal, 'run.cancel', run.workflowId);
      await requestCancel(guard, runId, principal.id);
      letGo(runId);
      await finishCancel(guard, locks, runId);
      await publishNow();
      return runView(guard, runId, false);
    },

    runs: (filter) => store.runs(filter),
    status: (runId) => runView(guard, runId, false),
    results: (runId) => runView(guard, runId, true),

    approvals: (filter) => store.approvals(filter),
    approval: (id) => approvalView(guard, id),
    async decide(id, vote, approver) {
      const record = await decideApproval(guard, id, vote, approver);
      await publishNow();
      return record;
    },

    onEntry: (listener) => journal.onEntry(listener),
    publish: publishNow,
    doctor: () => doctor(guard, directory),
    async close() {
      for (const lock of started.values()) lock.release();
      for (const driver of Object.values(callables.drivers)) await driver.close();
      await store.close();
    },
  };
}

/** How long the process that advances a run has for stopping its sandbox and recording that. */
const CANCEL_WAIT_MS = 10_000;

/** Ends the run here when nobody advances it; else waits until whoever does has ended it. */
async function finishCancel(guard: Guard, locks: Locks, runId: string): Promise<void> {
  const deadlineMs = guard.clock.nowMs() + CANCEL_WAIT_MS;
  const never = new AbortController().signal;
  for (;;) {
    const run: RunRecord = await load(guard, runId);
    if (isFinished(run)) return;
    const lock = locks.tryHold(`run.${runId}`);
    if (lock !== null) {
      try {
        await cancelNow(guard, runId);
      } finally {
        lock.release();
      }
      return;
    }
    if (guard.clock.nowMs() >= deadlineMs) {
      throw new WritError('RUN_BUSY', `run ${runId} was asked to stop but its process has not answered yet`, {
        hint: `look again: writ workflow status ${runId}`,
      });
    }
    await guard.clock.sleepUntil(guard.clock.nowMs() + 50, never);
  }
}

function alreadyFinished(run: RunRecord): WritError {
  return new WritError('RUN_ALREADY_FINISHED', `run ${run.id} is ${run.status}`, {
    hint: `see what it did: writ workflow results ${run.id}`,
  });
}

function originOf(vkey: string): string {
  return vkey.slice(0, vkey.indexOf('+'));
}
