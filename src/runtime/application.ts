// Writ as its surfaces see it: the rooms put behind one interface. Nothing is decided here; each method asks the room
// that owns the question.
import type { VerifySignature } from '../audit/ed25519.js';
import type { Sha256 } from '../audit/sha256.js';
import { WritError } from '../errors.js';
import type { Digest } from '../json.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import { NO_ANCHORS, type Anchoring } from './anchor.js';
import { Cadence } from './cadence.js';
import type { Callables } from './callable.js';
import { artifactRoom } from './artifact-room.js';
import { requireAuditRight, requireEntryRight, WHOLE_LOG } from './audit-access.js';
import { auditEntry, auditRun } from './audit-view.js';
import { requestCancel } from './cancel.js';
import { mayReadApproval } from './approval-access.js';
import { openOutbox } from './approval-outbox.js';
import { checkWorkflow, type CheckedWorkflow } from './check.js';
import {
  authorizeCreation,
  OWN_AUTHOR,
  OWN_WORKFLOWS,
  refuseDeniedCreation,
  refuseOwnId,
} from './create-workflow.js';
import { decideApproval } from './decide-approval.js';
import { approvalStatistics } from './approval-statistics.js';
import { doctor } from './doctor.js';
import { editApproval } from './edit-approval.js';
import { eraseFunction } from './erasure-function.js';
import { ERASE_WORKFLOW } from './erasure-workflow.js';
import { makeEvidence } from './evidence.js';
import { openFunctionRegistry, withRepeatableCalls } from './function-registry.js';
import { exportLog, type ExportParts } from './export.js';
import { Journal } from './journal.js';
import type { Guard } from './judge.js';
import { finishHeld, keyChanges, rotateLogKey } from './key-rotation.js';
import type {
  Artifacts,
  Clock,
  CopyFiles,
  Dispatcher,
  Lock,
  Locks,
  LogDirectory,
  LogKeys,
  PackageStore,
  QueryEvaluator,
  ProgressNotice,
  Random,
  RunRecord,
  SecretSource,
  Store,
  TrustStore,
} from './ports.js';
import { personOfKey, personOfOidc, personOfSignature, personOfToken, personOfUser } from './identity.js';
import { outline } from './outline.js';
import { planRun } from './plan.js';
import { indexOfLeaf, proveEntry } from './proof.js';
import { publish, type Publication } from './publisher.js';
import { prepareWorkflow, storedSource, type Prepared } from './register.js';
import { runEntries } from './run-entries.js';
import { isFinished, planOf } from './run-state.js';
import { entryContext, load } from './run-context.js';
import { openRedactor } from './redaction.js';
import { previousSubject } from './previous-subject.js';
import { reviewApproval } from './review-approval.js';
import { rememberedModules, rememberedPackages } from './remembered.js';
import { openRunAnchors } from './run-anchors.js';
import { openRunner, type Runner } from './runner.js';
import { LivePolicy, type LoadedPolicies, type PolicyPin } from './live-policy.js';
import { logContext } from './entries.js';
import { recordPolicy } from './policy-record.js';
import { keepRefused } from './refused-message.js';
import { redrive } from './redrive.js';
import { requireStandsAt } from './resume-from.js';
import { withData } from './run-data.js';
import { changeRetention, readRetention, type RetentionSetting } from './retention.js';
import { authorize, checkLabels, checkRequest, interruptedRun, startRun, type RunStart } from './start.js';
import { standings } from './standings.js';
import { startErasure } from './start-erasure.js';
import { securityCheck } from './security-check.js';
import { answerTask, requireMayAnswer } from './task-answer.js';
import { mayReadTask, taskView } from './task-view.js';
import { approvalView, runView } from './views.js';
import { witnessChecks, witnessStatus } from './witness-status.js';
import { workflowView } from './workflow-view.js';
import type { Principal, StartRequest, WorkflowSource, Writ } from './writ.js';

export interface ApplicationParts {
  readonly tenant: string;
  readonly via: string;
  readonly store: Store;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly random: Random;
  /** Default: the audit room's own, which is slower. */
  readonly sha256?: Sha256;
  readonly secrets: SecretSource;
  readonly keys: LogKeys;
  /** Recorded when the log's key is changed. */
  readonly softwareVersion: string;
  readonly directory: LogDirectory;
  readonly trust: TrustStore;
  /** Default: the audit room's own, which is slower. */
  readonly verifySignature?: VerifySignature;
  readonly policy: PolicySnapshot;
  /** Absent = `start`. */
  readonly policyPin?: PolicyPin;
  /** How long without a good look at the files before steps are denied; absent = for ever. */
  readonly policyMaxAgeMs?: number;
  /** The policy files as they are now, with all that this machine demands of them; throws what is wrong with them. */
  readonly loadPolicies: () => Promise<LoadedPolicies>;
  readonly callables: Callables;
  /** Opened by `writ sandbox exec`, whose one workflow is made of its flags and has the id of Writ's own for it. */
  readonly isSandboxTrial?: boolean;
  readonly queries: QueryEvaluator;
  readonly artifacts: Artifacts;
  /** Files handed out, which an erasure has to find. */
  readonly copyFiles: CopyFiles;
  readonly retention: RetentionSetting;
  /** How copies of the log are made. */
  readonly exports: Pick<ExportParts, 'source' | 'openEmpty' | 'openNew' | 'verify'>;
  /** Who else vouches for the log; absent = nobody, and what policy requires to be witnessed does not run. */
  readonly anchors?: Omit<Anchoring, 'publication' | 'clock'>;
  /** Packages that may also be found beside a workflow file; `keep` copies one, verified, into the data directory. */
  readonly packagesBeside: (file: string | null) => PackageStore;
  readonly keepPackage: (file: string | null, digest: Digest) => Promise<void>;
  readonly dispatcher: (steps: ReturnType<typeof openRunner>) => Dispatcher;
}

export function openApplication(parts: ApplicationParts): Writ & { readonly guard: Guard } {
  const { store, locks, clock, random, tenant, directory, trust } = parts;
  const { policyPin: pin, policyMaxAgeMs: maxAgeMs = null } = parts;
  const live = new LivePolicy(parts.policy, {
    ...{ maxAgeMs, nowMs: clock.nowMs() },
    ...(pin === undefined ? {} : { pin }),
  });
  const { signer } = parts.keys;
  const redact = openRedactor(parts.secrets);
  const journal = new Journal(store, redact);
  const scrubbing = { copies: parts.copyFiles, locks, publish: () => publishNow() };
  const builtIn = [eraseFunction({ guard: () => guard, ...scrubbing }), securityCheck(() => guard)];
  const functions = openFunctionRegistry(parts.callables.providers);
  const callables: Callables = { ...parts.callables, providers: functions.providers, builtIn };
  const guard: Guard = {
    via: parts.via,
    store,
    journal,
    clock,
    random,
    redact,
    ...(parts.sha256 === undefined ? {} : { sha256: parts.sha256 }),
    tenant,
    policy: () => live.current(),
    policyOfRun: (startedUnder) => live.forRun(startedUnder),
    stalePolicy: () => live.staleness(clock.nowMs()),
    callables,
    queries: parts.queries,
    artifacts: parts.artifacts,
    requireAnchor: (runId, signal) => anchors.require(runId, signal),
    progress: () => (watchers.size === 0 ? null : tellWatchers),
  };
  const runner = openRunner(guard);
  const dispatcher = parts.dispatcher(runner);
  const publication: Publication = {
    store,
    directory,
    signer,
    locks,
    trust,
    ...(parts.verifySignature === undefined ? {} : { verifySignature: parts.verifySignature }),
    finishRotation: () => finishHeld({ publication, keys: parts.keys }),
  };
  const cadence = new Cadence({
    publish: () => journal.orStop(() => publish(publication)),
    clock,
    failed: (error) => {
      journal.stop(error);
    },
  });
  journal.onEntry(() => {
    cadence.soon();
  });
  const publishNow = (): Promise<void> => cadence.now();
  const anchoring = { ...(parts.anchors ?? NO_ANCHORS), publication: { ...publication, store }, clock };
  const anchors = openRunAnchors(anchoring, journal);

  /** For a look at a workflow: with the packages beside its file, and each of them read once. */
  const near = ({ file }: WorkflowSource): Guard => ({
    ...guard,
    callables: {
      ...callables,
      packages: rememberedPackages(parts.packagesBeside(file)),
      modules: rememberedModules(callables.modules),
    },
  });
  const check = (source: WorkflowSource): Promise<CheckedWorkflow> => checkWorkflow(near(source), source);

  const prepare = async (source: WorkflowSource, { id }: Principal): Promise<Prepared> => {
    return prepareWorkflow(source, await check(source), store, clock, id);
  };

  /** The one workflow that may call `audit::erase`. */
  const prepareErasure = async (): Promise<Prepared> => {
    const own = { ...guard, callables: { ...callables, providers: builtIn } };
    const checked = await checkWorkflow(own, ERASE_WORKFLOW);
    return prepareWorkflow(ERASE_WORKFLOW, checked, store, clock, OWN_AUTHOR);
  };

  const keep = async ({ record, agents, isKnown }: Prepared): Promise<void> => {
    for (const digest of agents) await parts.keepPackage(record.file, digest);
    if (!isKnown) await journal.commit({ workflows: [record], entries: [] });
  };

  const toStart = async (request: StartRequest, initiator: Principal): Promise<RunStart> => {
    const { workflow, input, agents = {}, data } = request;
    const prepared = await prepare(
      typeof workflow === 'string' ? await storedSource(store, workflow) : workflow,
      initiator,
    );
    const { plan, record } = prepared;
    refuseOwnId(record.id, parts.isSandboxTrial === true ? [OWN_WORKFLOWS.erase] : undefined);
    return {
      workflow: record,
      plan: withRepeatableCalls(withData(plan, data), functions.providers),
      input: redact.json(input),
      agents,
      initiator,
      keep: async () => {
        await refuseDeniedCreation(guard, prepared, initiator);
        await keep(prepared);
      },
    };
  };

  const watchers = new Set<(notice: ProgressNotice) => void>();
  const tellWatchers = (notice: ProgressNotice): void => {
    for (const watcher of watchers) {
      try {
        watcher(notice);
      } catch {
        // What a watcher makes of it is no part of the step; this one is told nothing more.
        watchers.delete(watcher);
      }
    }
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

  /** As `drive` does, for a move of somebody who does not drive it. Throws RUN_BUSY. */
  const held = async <Result>(runId: string, act: () => Promise<Result>): Promise<Result> => {
    letGo(runId);
    const lock = locks.tryHold(`run.${runId}`);
    if (lock === null) {
      throw new WritError('RUN_BUSY', `run ${runId} is being advanced by another process`, {
        hint: `follow it: writ workflow status ${runId}`,
      });
    }
    try {
      return await act();
    } finally {
      lock.release();
    }
  };

  const begin = async (request: RunStart): Promise<string> => {
    // Held from before the run exists until it is driven or this process ends: nobody takes it for interrupted.
    let held: string | null = null;
    const hold = (runId: string): void => {
      const lock = locks.tryHold(`run.${runId}`);
      if (lock !== null) started.set(runId, lock);
      held = runId;
    };
    try {
      return await startRun(guard, request, hold);
    } catch (error) {
      if (held !== null) letGo(held);
      throw error;
    }
  };

  return {
    guard,
    origin: originOf(signer.vkey),
    tenant,
    get policyHash() {
      return live.current().policyHash;
    },
    vkey: () => signer.vkey,

    principalOfKey: (publicKey, sign) => personOfKey(live.current(), publicKey, sign, random),
    principalOfUser: (osUser) => personOfUser(live.current(), osUser),
    principalOfOidc: (iss, sub) => personOfOidc(live.current(), iss, sub),
    principalOfToken: (id) => personOfToken(live.current(), id),
    principalOfSignature: (publicKey, signature) => personOfSignature(live.current(), publicKey, signature),

    policyMaxAgeMs: maxAgeMs,
    reloadPolicies: () =>
      live.reload({
        load: parts.loadPolicies,
        record: ({ snapshot, files }) => recordPolicy(store, logContext(tenant), snapshot, files),
        publish: () =>
          publishNow().catch((error: unknown) => {
            cadence.soon();
            throw error;
          }),
        nowMs: () => clock.nowMs(),
        inUse: async () =>
          new Set((await store.runs({ unfinished: true })).map(({ policyHash }) => policyHash)),
      }),

    async validate(source) {
      const { diagnostics } = await check(source);
      return { ok: !diagnostics.some((one) => one.severity === 'error'), diagnostics };
    },
    async createWorkflow(source, principal) {
      const prepared = await prepare(source, principal);
      refuseOwnId(prepared.record.id);
      await authorizeCreation(guard, prepared, principal);
      await keep(prepared);
      return prepared.record;
    },
    register: (provider) => functions.add(provider),
    workflows: () => store.workflows(),
    workflowsPage: (page) => store.workflowsPage(page),
    workflow: (id) => store.workflow(id),
    async workflowView(id) {
      const record = await store.workflow(id);
      return record === null ? null : workflowView(near({ text: record.source, file: record.file }), id);
    },

    async plan({ workflow, input, agents = {}, data }, { id }) {
      const source = typeof workflow === 'string' ? await storedSource(store, workflow) : workflow;
      const looking = near(source);
      const checked = await checkWorkflow(looking, source);
      // What a ceiling refuses is an answer here, with its layer and field, and no fault of the document.
      const diagnostics = checked.diagnostics.filter(({ code }) => code !== 'DOC_CEILING_EXCEEDED');
      const {
        record,
        isKnown,
        plan: compiled,
      } = await prepareWorkflow(source, { ...checked, diagnostics }, store, clock, id);
      const plan = withData(compiled, data);
      checkRequest(guard, plan, input, agents);
      checkLabels(guard, plan);
      return planRun(looking, {
        record,
        isRegistered: isKnown,
        plan,
        input: input === undefined ? undefined : redact.json(input),
        agents,
        initiator: id,
      });
    },
    start: async (request, initiator) => begin(await toStart(request, initiator)),
    async interrupted(request, initiator) {
      return interruptedRun(guard, await toStart(request, initiator), isHeld);
    },
    async drive(runId, options) {
      await load(guard, runId);
      letGo(runId);
      const run = await dispatcher.drive(runId, options);
      await cadence.settle();
      await anchors.after(runId, options.signal);
      return run;
    },
    async resume(runId, principal, options = {}) {
      const run = await load(guard, runId);
      if (isFinished(run)) throw alreadyFinished(run);
      const context = entryContext(guard, run, { id: principal.id, via: guard.via });
      await authorize(guard, context, principal, 'run.resume', run.workflowId);
      const { from } = options;
      if (from === undefined && run.status !== 'indeterminate') return;
      const lost = options.lost ?? (from === undefined ? null : 'rerun');
      if (lost === null) {
        throw new WritError('RUN_INDETERMINATE', `the outcome of a step of ${runId} was lost in a crash`, {
          hint: `look at it, then: writ workflow resume ${runId} --rerun-lost, or --fail-lost`,
        });
      }
      const by = { id: principal.id, via: guard.via };
      await held(runId, async () => {
        if (from !== undefined) await requireStandsAt(store, run, from);
        await runner.decideLost(runId, lost, by);
      });
    },
    redrive: (runId, principal, options = {}) => held(runId, () => redrive(guard, runId, principal, options)),
    async cancel(runId, principal) {
      const run = await load(guard, runId);
      if (isFinished(run)) throw alreadyFinished(run);
      const context = entryContext(guard, run, { id: principal.id, via: guard.via });
      await authorize(guard, context, principal, 'run.cancel', run.workflowId);
      await requestCancel(guard, runId, principal.id);
      letGo(runId);
      await finishCancel(guard, locks, runner, runId);
      await cadence.settle();
      return runView(guard, runId, { withData: false });
    },

    runs: (filter) => store.runs(filter),
    runsPage: (page) => store.runsPage(page),
    status: (runId, options) => runView(guard, runId, { ...options, withData: false }),
    results: (runId, options) => runView(guard, runId, { ...options, withData: true }),

    outline: async (runId) => outline(planOf(await load(guard, runId))),
    compiled: async (runId) => planOf(await load(guard, runId)),
    standings: (runId) => standings(guard, runId),
    entries: (runId, part) => runEntries(store, runId, part),
    isAdvanced: isHeld,

    tasks: (filter) => store.tasks(filter),
    task: (id) => taskView(guard, id),
    mayReadTask: (record, { id }) => mayReadTask(live.current(), record, id),
    requireMayAnswer: (id, by) => requireMayAnswer(guard, id, by),
    async answerTask(which, reply, by) {
      const record = await answerTask(guard, which, reply, by);
      await cadence.settle();
      return record;
    },
    approvals: (filter) => store.approvals(filter),
    approvalKeys: (filter) => store.approvalKeys(filter),
    decidedRuns: () => store.decidedRuns(),
    approvalRecord: (id) => store.approval(id),
    approval: (id) => approvalView(guard, id),
    mayRead: (record, principal) => mayReadApproval(live.current(), record, principal, clock.nowMs()),
    receipt: (source, id) => store.receipt(source, id),
    keepRefused: (message) => keepRefused(guard, message),
    outbox: openOutbox(store),
    async editApproval(id, edit, editor) {
      const record = await editApproval(guard, id, edit, editor);
      await cadence.settle();
      return record;
    },
    async reviewApproval(id, reason, reviewer) {
      const record = await reviewApproval(guard, id, reason, reviewer);
      await cadence.settle();
      return record;
    },
    previousSubject: (record) => previousSubject(store, record),
    approvalStatistics: () => approvalStatistics(store),
    async decide(id, vote, approver) {
      const record = await decideApproval(guard, id, vote, approver);
      await cadence.settle();
      return record;
    },

    async auditRun(run, principal) {
      await requireAuditRight(guard, principal, 'audit.read', run === '' ? WHOLE_LOG : run);
      return auditRun(store, run);
    },
    async auditEntry(index, principal) {
      await requireEntryRight(guard, principal, index);
      return auditEntry(store, index);
    },
    async proveEntry(which, principal) {
      // Which run a leaf hash is of shows only when the whole log is searched: the right comes first.
      if (typeof which === 'bigint') await requireEntryRight(guard, principal, which);
      else await requireAuditRight(guard, principal, 'audit.read', WHOLE_LOG);
      const index = typeof which === 'bigint' ? which : await indexOfLeaf(store, which);
      if (index === null) {
        throw new WritError('NOT_FOUND', 'the log has no entry with this leaf hash', {
          hint: 'writ audit show RUN lists those of a run',
        });
      }
      await publishNow();
      return proveEntry(store, index);
    },
    exportLog: (request, principal) =>
      exportLog({ guard, signer, publish: publishNow, ...parts.exports }, request, principal),
    rotateLogKey: (principal) =>
      journal.orStop(() =>
        rotateLogKey(guard, { publication, keys: parts.keys }, principal, parts.softwareVersion),
      ),
    keyChanges: () => keyChanges(store),
    evidence(request, principal) {
      const version = parts.softwareVersion;
      // Evidence under a checkpoint that witnesses have seen says more; one that does not answer delays it, no more.
      const publishWitnessed = async (): Promise<void> => {
        await publishNow();
        await anchors.now(new AbortController().signal);
      };
      return makeEvidence(
        { guard, directory, signer, version, publish: publishWitnessed, openNew: parts.exports.openNew },
        request,
        principal,
      );
    },
    erase(request, initiator) {
      const { retention } = parts;
      const erasure = { guard, retention, scrubbing, prepare: prepareErasure, keep, begin };
      return startErasure(erasure, request, initiator);
    },
    artifacts: artifactRoom(guard),
    retention: () => readRetention(guard, parts.retention),
    changeRetention: (change, principal) => changeRetention(guard, parts.retention, change, principal),
    async handedOut(run, principal) {
      await requireAuditRight(guard, principal, 'audit.export', run);
      return (await store.copies()).filter((copy) => copy.run === run);
    },

    anchor: (signal) => anchors.now(signal),
    witnesses: () => witnessStatus(anchoring),
    onAnchor: (listener) => anchors.onReport(listener),
    onEntry: (listener) => journal.onEntry(listener),
    onProgress(listener) {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    changeCounter: () => store.changeCounter(),
    publish: publishNow,
    doctor: async () => [...(await doctor(guard, directory)), ...(await witnessChecks(anchoring))],
    async close() {
      for (const lock of started.values()) lock.release();
      try {
        await cadence.close(!journal.stopped);
      } finally {
        for (const provider of functions.providers) await provider.close?.();
        for (const driver of Object.values(callables.drivers)) await driver.close();
        await parts.queries.close();
        await store.close();
      }
    },
  };
}

/** How long the process that advances a run has for stopping its sandbox and recording that. */
const CANCEL_WAIT_MS = 10_000;

/** Ends the run here when nobody advances it; else waits until whoever does has ended it. */
async function finishCancel(guard: Guard, locks: Locks, runner: Runner, runId: string): Promise<void> {
  const deadlineMs = guard.clock.nowMs() + CANCEL_WAIT_MS;
  const never = new AbortController().signal;
  for (;;) {
    const run: RunRecord = await load(guard, runId);
    if (isFinished(run)) return;
    const lock = locks.tryHold(`run.${runId}`);
    if (lock !== null) {
      try {
        await runner.cancel(runId);
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
    hint:
      run.status === 'completed'
        ? `see what it did: writ workflow results ${run.id}`
        : `see what it did: writ workflow results ${run.id}; let it go on: writ workflow redrive ${run.id}`,
  });
}

function originOf(vkey: string): string {
  return vkey.slice(0, vkey.indexOf('+'));
}
