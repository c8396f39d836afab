// A claims team in a temporary directory: real store, log, policies, keys and locks; fakes only at the ports (clock,
// functions, sandbox, a store that fails). After each test the log must verify.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { parseDocument, type Document } from 'yaml';
import { openLocalDispatcher } from '../../src/adapters/dispatch/local.js';
import { openLogKeys } from '../../src/adapters/keys/log-key.js';
import { openQueryEvaluator } from '../../src/adapters/query/index.js';
import { readPolicyDirectory } from '../../src/adapters/policy-directory.js';
import { systemRandom } from '../../src/adapters/random.js';
import { openArtifacts } from '../../src/adapters/store/artifacts.js';
import { openCedar } from '../../src/adapters/cedar.js';
import { openEmptyDirectory, openNewFile } from '../../src/adapters/store/export-files.js';
import { openLocks } from '../../src/adapters/store/locks.js';
import { handedOutFiles } from '../../src/adapters/handed-out.js';
import { openSecretDirectory } from '../../src/adapters/secrets/secret-directory.js';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import { openTrustStore } from '../../src/adapters/store/trust-store.js';
import { type Entry, parseEntry } from '../../src/audit/entry.js';
import type { VerifyReport } from '../../src/audit/verify/report.js';
import { canonicalJson } from '../../src/canonical-json.js';
import { type ErrorCode, WritError } from '../../src/errors.js';
import { isObject, type Digest, type Json, type JsonObject } from '../../src/json.js';
import { createPersonKey, identify, initWrit, openWrit, verifyData } from '../../src/open.js';
import { verifyCopy } from '../../src/verify-data.js';
import { buildSnapshot } from '../../src/policy/snapshot.js';
import { handleOf } from '../../src/runtime/redaction.js';
import type { Anchoring } from '../../src/runtime/witness/anchor.js';
import { openApplication } from '../../src/runtime/application.js';
import { extendLog } from '../../src/runtime/log/log.js';
import type {
  AgentPackage,
  ApprovalRecord,
  Clock,
  FunctionProvider,
  FunctionRequest,
  Locks,
  LogDirectory,
  RunRecord,
  SandboxDriver,
  SandboxRequest,
  SandboxResult,
  Store,
} from '../../src/runtime/ports.js';
import type { Principal, RunView, Writ } from '../../src/runtime/writ.js';
import { Fault, replacing, type StoreFault } from '../contract/fault-store.js';

// Later than the real time, at which the log is made: a log never goes back.
export const T0 = Date.UTC(2040, 2, 1, 9, 30);
const REPOSITORY = path.resolve(import.meta.dirname, '..', '..');

// --- clock ------------------------------------------------------------------------------------------------

interface Sleeper {
  untilMs: number;
  /** Of a duration, which a clock that is set back does not change. */
  readonly isDuration: boolean;
  readonly wake: () => void;
}

/** Time stands still until a test moves it. */
export class ManualClock implements Clock {
  #nowMs = T0;
  readonly #sleepers = new Set<Sleeper>();

  nowMs(): number {
    return this.#nowMs;
  }

  sleepUntil(untilMs: number, signal: AbortSignal): Promise<void> {
    return this.#sleep(untilMs, false, signal);
  }

  sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    return this.#sleep(this.#nowMs + durationMs, true, signal);
  }

  #sleep(untilMs: number, isDuration: boolean, signal: AbortSignal): Promise<void> {
    if (untilMs <= this.#nowMs || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper: Sleeper = { untilMs, isDuration, wake };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  /** Who sleeps until now or earlier wakes; nobody wakes early. */
  set(timeMs: number): void {
    this.#nowMs = timeMs;
    for (const sleeper of [...this.#sleepers]) if (sleeper.untilMs <= timeMs) sleeper.wake();
  }

  advance(ms: number): void {
    this.set(this.#nowMs + ms);
  }

  /** No time goes by: somebody sets it. */
  setBack(ms: number): void {
    this.#nowMs -= ms;
    for (const sleeper of this.#sleepers) if (sleeper.isDuration) sleeper.untilMs -= ms;
  }
}

/** Waits for what other asynchronous work brings about; the bound is a safety net, not a measure. */
export async function eventually<Found>(look: () => Promise<Found | null> | Found | null): Promise<Found> {
  const giveUpAt = Date.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false) return found;
    if (Date.now() > giveUpAt) throw new Error('what the test waits for did not happen');
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

// --- functions --------------------------------------------------------------------------------------------

export interface Call extends FunctionRequest {
  readonly atMs: number;
  readonly signal: AbortSignal;
}

type Answer = (call: Call) => Json | Promise<Json>;

/** Remembers every call; answers `{ok: true}` unless a test says otherwise. */
export class Functions implements FunctionProvider {
  readonly functionIds = ['tool::test_one', 'tool::test_two', 'tool::test_three', 'tool::raw_disk'];
  readonly calls: Call[] = [];
  readonly #answers = new Map<string, Answer[]>();
  readonly #inputs = new Map<string, Json>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The answers to the next calls of one function, the last one for all that follow. */
  answer(functionId: string, ...answers: Answer[]): void {
    this.#answers.set(functionId, answers);
  }

  /** JSON Schema of the requests of one function. */
  takes(functionId: string, input: Json): void {
    this.#inputs.set(functionId, input);
  }

  schemas(functionId: string): { readonly input: Json | null; readonly output: null } {
    return { input: this.#inputs.get(functionId) ?? null, output: null };
  }

  async invoke(request: FunctionRequest, signal: AbortSignal): Promise<Json> {
    const call = { ...request, atMs: this.#clock.nowMs(), signal };
    this.calls.push({ ...call, input: JSON.parse(JSON.stringify(request.input)) as Json });
    const answers = this.#answers.get(request.functionId) ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer === undefined ? { ok: true } : answer(call);
  }
}

export const fail =
  (code: ErrorCode = 'FUNCTION_FAILED', message = 'the disk is on fire'): Answer =>
  () =>
    Promise.reject(new WritError(code, message));

export const hangForEver: Answer = () =>
  new Promise<Json>(() => {
    // never
  });

export const hangUntilAbort: Answer = ({ signal }) =>
  new Promise<Json>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
  });

// --- sandbox ----------------------------------------------------------------------------------------------

/** A driver that starts nothing: each run gives the next of `results`. */
export class FakeSandbox implements SandboxDriver {
  readonly kind: SandboxDriver['kind'];
  readonly defaults = { timeoutMs: 60_000, memoryMiB: 64, outputBytes: 65_536 };
  readonly runs: SandboxRequest[] = [];
  results: Partial<SandboxResult>[] = [];

  constructor(kind: SandboxDriver['kind'] = 'wasm') {
    this.kind = kind;
  }

  preflight(): ReturnType<SandboxDriver['preflight']> {
    return Promise.resolve({ ok: true, evidence: {}, problems: [] });
  }

  prepare(): Promise<JsonObject> {
    return Promise.resolve({ engine: 'fake' });
  }

  run(request: SandboxRequest): Promise<SandboxResult> {
    this.runs.push(request);
    return Promise.resolve({
      status: 'exited',
      exitCode: 0,
      stdout: { bytes: new TextEncoder().encode('{"ok":true}'), truncated: false },
      stderr: { bytes: new Uint8Array(), truncated: false },
      usage: { wallMs: 1 },
      limitHit: null,
      reason: null,
      evidence: {},
      ...this.results.shift(),
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export const AGENT_DIGEST = `sha256:${'a1'.repeat(32)}` as Digest;
export const AGENT_REFERENCE = `ghcr.io/bank/claims-triage@${AGENT_DIGEST}`;
const AGENT: AgentPackage = {
  digest: AGENT_DIGEST,
  name: 'claims-triage',
  repository: 'ghcr.io/bank/claims-triage',
  module: { digest: `sha256:${'b2'.repeat(32)}` as Digest, bytes: new Uint8Array([0, 97, 115, 109]) },
  argv: ['claims-triage'],
  ceiling: { sandbox: { allowed: ['wasm'] }, network: { mode: 'none' } },
  isSignedBy: () => false,
};

// --- store faults -----------------------------------------------------------------------------------------

/** The store of `inner` until a change holds an entry of type `at`; that commit fails once, as the name says. */
export function faulty(inner: Store, name: StoreFault, at: string): Store {
  return new Fault(name).store(inner, at);
}

/** `before` runs once, right before the commit of a change that holds an entry of type `at`. */
export function interfering(inner: Store, at: string, before: () => Promise<void>): Store {
  let armed = true;
  return replacing(inner, {
    commit: async (change) => {
      if (armed && change.entries.some((entry) => entry.type === at)) {
        armed = false;
        await before();
      }
      return inner.commit(change);
    },
  });
}

// --- the team ---------------------------------------------------------------------------------------------

export interface OpenChange {
  readonly policies?: string;
  readonly functions?: readonly FunctionProvider[];
  readonly clock?: Clock;
  /** From here on parts are put together as src/open.ts does, with the named ones replaced. */
  readonly store?: (inner: Store) => Store;
  readonly sandbox?: SandboxDriver;
  readonly docker?: SandboxDriver;
  /** Cedar text of the package that these tests call. */
  readonly packagePolicy?: string;
  /** What that package declares as its ceiling. */
  readonly packageCeiling?: Json;
  readonly locks?: (inner: Locks) => Locks;
  readonly directory?: (inner: LogDirectory) => LogDirectory;
  /** Witnesses and time stamps. */
  readonly anchors?: Omit<Anchoring, 'publication' | 'clock'>;
}

/** One data directory and its people. */
export class Team {
  readonly home = mkdtempSync(path.join(tmpdir(), 'writ-runtime-'));
  readonly data = path.join(this.home, 'data');
  readonly policies = path.join(this.home, 'policies');
  readonly trustFile = path.join(this.home, 'trust.json');
  readonly clock = new ManualClock();
  readonly functions = new Functions(this.clock);
  readonly stop = new AbortController();
  /** A test that breaks the data on purpose says so. */
  payloadsIntact = true;
  verdict: VerifyReport['verdict'] = 'verified';
  readonly #open: Writ[] = [];
  #policyCopies = 0;

  constructor(first: string) {
    cpSync(first, this.home, { recursive: true });
  }

  /** Another handle on the same data, as another process would have. */
  async open(change: OpenChange = {}): Promise<Writ> {
    const { data, trustFile } = this;
    const policies = change.policies ?? this.policies;
    const clock = change.clock ?? this.clock;
    const functions = change.functions ?? [this.functions];
    const writ =
      change.store === undefined &&
      change.sandbox === undefined &&
      change.docker === undefined &&
      change.packagePolicy === undefined &&
      change.packageCeiling === undefined &&
      change.locks === undefined &&
      change.directory === undefined &&
      change.anchors === undefined
        ? await openWrit({ data, policies, functions, wasmPool: 0, trustFile, clock })
        : await this.#openParts(change, policies, functions, clock);
    this.#open.push(writ);
    return writ;
  }

  async #openParts(
    change: OpenChange,
    policies: string,
    functions: readonly FunctionProvider[],
    clock: Clock,
  ): Promise<Writ> {
    const files = await readPolicyDirectory(policies);
    const buildPolicies = (read: ReadonlyMap<string, string>) =>
      buildSnapshot({ files: read, canonicalize: canonicalJson });
    const policy = { snapshot: await buildPolicies(files), files };
    const inner = await openSqliteStore({ file: path.join(this.data, 'writ.db'), extendLog, clock });
    const store = change.store?.(inner) ?? inner;
    const processLocks = openLocks(path.join(this.data, 'locks'));
    const locks = change.locks?.(processLocks) ?? processLocks;
    const tiles = openTileDirectory(path.join(this.data, 'audit'));
    const sandbox = change.sandbox ?? new FakeSandbox();
    const { packagePolicy: policyText, packageCeiling: ceiling = AGENT.ceiling } = change;
    const agent = { ...AGENT, ceiling, ...(policyText === undefined ? {} : { policy: policyText }) };
    const packages = { resolve: async (digest: Digest) => (digest === AGENT_DIGEST ? agent : null) };
    return openApplication({
      tenant: 'default',
      via: 'test',
      store,
      locks,
      clock,
      random: systemRandom,
      secrets: openSecretDirectory(path.join(this.data, 'secrets'), handleOf),
      keys: openLogKeys(path.join(this.data, 'keys', 'log.key')),
      softwareVersion: 'test',
      exports: {
        source: openTileDirectory(path.join(this.data, 'audit')),
        openEmpty: openEmptyDirectory,
        openNew: openNewFile,
        verify: verifyCopy,
      },
      directory: change.directory?.(tiles) ?? tiles,
      trust: openTrustStore(this.trustFile),
      policy,
      loadPolicies: async () => {
        const now = await readPolicyDirectory(policies);
        return { snapshot: await buildPolicies(now), files: now };
      },
      buildPolicies,
      callables: {
        packages,
        packagePolicies: openCedar(),
        modules: { names: async () => ['fake'], module: async () => AGENT.module },
        drivers: { wasm: sandbox, ...(change.docker === undefined ? {} : { docker: change.docker }) },
        images: {
          names: () => ['default'],
          image: (name) =>
            name === 'default' ? { kind: 'image', digest: AGENT_DIGEST, repository: null } : null,
        },
        providers: functions,
      },
      queries: openQueryEvaluator({ children: 1 }),
      artifacts: openArtifacts(path.join(this.data, 'artifacts')),
      copyFiles: handedOutFiles,
      retention: { read: async () => ({ days: 183, override: null }), write: async () => undefined },
      ...(change.anchors === undefined ? {} : { anchors: change.anchors }),
      packagesBeside: () => packages,
      keepPackage: async () => undefined,
      dispatcher: (steps) => openLocalDispatcher({ steps, store, locks, clock }),
    });
  }

  /** Proven by the person's own key. */
  as(writ: Writ, name: string): Promise<Principal> {
    return identify(writ, this.#keyFile(`user:${name}`));
  }

  /** A copy of the policies with one file changed. */
  policiesWith(file: string, edit: (document: Document) => void): string {
    const copy = path.join(this.home, `policies-${++this.#policyCopies}`);
    cpSync(this.policies, copy, { recursive: true });
    editYaml(path.join(copy, file), edit);
    return copy;
  }

  /** Starts as `by` and drives until the run has ended or waits for a person. */
  async run(writ: Writ, text: string, input: Json = {}, by = 'alice'): Promise<RunView> {
    const runId = await this.start(writ, text, input, by);
    return this.drive(writ, runId);
  }

  async start(writ: Writ, text: string, input: Json = {}, by = 'alice'): Promise<string> {
    return writ.start({ workflow: { text, file: null }, input }, await this.as(writ, by));
  }

  async drive(writ: Writ, runId: string): Promise<RunView> {
    await writ.drive(runId, { stopAt: 'waiting', signal: this.stop.signal });
    return writ.results(runId);
  }

  /** The request the run waits for. */
  async pending(writ: Writ, runId: string): Promise<ApprovalRecord> {
    const { waitingFor } = await writ.status(runId);
    if (waitingFor?.kind !== 'approval') throw new Error(`run ${runId} does not wait for an approval`);
    return (await writ.approval(waitingFor.approvalId)).record;
  }

  async approve(writ: Writ, { id, subjectDigest }: ApprovalRecord, by = 'bob'): Promise<ApprovalRecord> {
    const vote = { decision: 'approve', digest: subjectDigest, reason: null } as const;
    return writ.decide(id, vote, await this.as(writ, by));
  }

  async deny(writ: Writ, { id }: ApprovalRecord, by = 'bob'): Promise<ApprovalRecord> {
    return writ.decide(id, { decision: 'deny', digest: null, reason: null }, await this.as(writ, by));
  }

  /** What a reader beside every handle sees. */
  async stored<Found>(read: (store: Store) => Promise<Found>): Promise<Found> {
    const file = path.join(this.data, 'writ.db');
    const store = await openSqliteStore({ file, extendLog, clock: this.clock, readOnly: true });
    try {
      return await read(store);
    } finally {
      await store.close();
    }
  }

  /** Entries of one run; null = the log's own chain. */
  async entries(runId: string | null): Promise<Entry[]> {
    const rows = await this.stored((store) => store.entriesOfRun(runId ?? ''));
    return rows.map((row) => parseEntry(row.bytes));
  }

  async types(runId: string): Promise<string[]> {
    return (await this.entries(runId)).map((entry) => entry.type);
  }

  async facts(runId: string, type: string): Promise<JsonObject[]> {
    return (await this.entries(runId)).filter((entry) => entry.type === type).map((entry) => entry.data);
  }

  record(runId: string): Promise<RunRecord> {
    return this.stored(async (store) => {
      const run = await store.run(runId);
      if (run === null) throw new Error(`no run ${runId}`);
      return run;
    });
  }

  async verify(payloads = true): Promise<VerifyReport> {
    const dir = path.join(this.data, 'audit');
    return verifyData({ dir, vkeys: [], old: [], trust: this.trustFile, run: null, payloads });
  }

  /** Publishes what was committed, also by handles that broke, and verifies all of it. */
  async tearDown(): Promise<void> {
    const fresh = await this.open();
    await fresh.publish();
    for (const writ of this.#open) await writ.close();
    const report = await this.verify(this.payloadsIntact);
    rmSync(this.home, { recursive: true, force: true });
    if (this.verdict === 'verified') expect(report.findings).toEqual([]);
    expect(report.verdict).toBe(this.verdict);
  }

  #keyFile(id: string): string {
    return keyFile(this.home, id);
  }
}

/** People with keys, policies and an empty log: made once a file, copied for each test. */
async function firstHome(): Promise<string> {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-runtime-'));
  const policies = path.join(home, 'policies');
  cpSync(path.join(REPOSITORY, 'policies'), policies, { recursive: true });
  editYaml(path.join(policies, 'approvers.yaml'), (document) => {
    const { people } = document.toJS() as { people: { id: string }[] };
    for (const [index, { id }] of people.entries()) {
      const { publicKey } = createPersonKey(keyFile(home, id), id);
      document.setIn(['people', index, 'keys'], [publicKey]);
    }
  });
  // Carol starts runs too: only separation of duties keeps her from deciding on her own.
  editYaml(path.join(policies, 'roles', 'default.yaml'), (document) => {
    document.setIn(['members', 'role:adjuster'], ['user:alice', 'user:carol']);
  });
  // The functions of these tests run in the embedding program, which the shipped ceiling allows to none.
  editYaml(path.join(policies, 'ceilings', 'org.yaml'), (document) => {
    document.deleteIn(['spec', 'sandbox']);
  });
  writeFileSync(
    path.join(policies, 'rbac', 'test.yaml'),
    rules(
      ['adjuster', 'function.invoke', 'tool::test_*'],
      ['claims-agent', 'function.invoke', 'tool::test_*'],
      ['adjuster', 'workflow.run', 'test*'],
      ['adjuster', 'run.resume', 'test*'],
      ['adjuster', 'run.cancel', 'test*'],
      ['reviewer', 'approval.decide', 'tool::test_*'],
      ['reviewer', 'task.answer', 'tool::test_*'],
    ),
  );
  const trustFile = path.join(home, 'trust.json');
  await initWrit({ data: path.join(home, 'data'), origin: null, tenant: 'default', trustFile });
  return home;
}

function keyFile(home: string, id: string): string {
  return path.join(home, `${id.replace('user:', '')}.key`);
}

/** A fresh team for each test of a file; the log is verified after each. */
export function useTeam(): { readonly team: Team } {
  const holder: { team: Team } = { team: undefined as never };
  let first = '';
  beforeAll(async () => {
    first = await firstHome();
  });
  beforeEach(() => {
    holder.team = new Team(first);
  });
  afterEach(() => holder.team.tearDown());
  afterAll(() => {
    rmSync(first, { recursive: true, force: true });
  });
  return holder;
}

/** Dialect 1, one line of fields per step; the agent may call what these tests call. */
export function steps(lines: readonly string[], head = ''): string {
  const list = lines.map((line, index) => `  - { name: s${index + 1}, ${line} }\n`).join('');
  return `id: test-steps\nagents: [claims-triage]\n${head}steps:\n${list}`;
}

/** Dialect 2, as JSON text. */
export function states(startAt: string, all: JsonObject, spec: JsonObject = {}): string {
  return JSON.stringify({
    apiVersion: 'agentrc.workflow/v0.1',
    kind: 'AgentWorkflow',
    metadata: { name: 'test-states' },
    spec: { startAt, states: all, ...spec },
  });
}

/** What a promise rejects with, which must be ours. */
export async function refusalOf(promise: Promise<unknown>): Promise<WritError> {
  const outcome: unknown = await promise.then(
    () => new Error('it did not reject'),
    (error: unknown) => error,
  );
  if (outcome instanceof WritError) return outcome;
  throw outcome;
}

export function rules(
  ...lines: readonly (readonly [role: string, action: string, resource: string])[]
): string {
  const list = lines.map(
    ([role, action, resource], index) =>
      `  - { id: TEST-${index + 1}, effect: allow, subject: "role:${role}", domain: default, ` +
      `action: ${action}, resource: "${resource}", reason: behaviour tests }\n`,
  );
  return `apiVersion: writ/v1\nkind: Rules\nrules:\n${list.join('')}`;
}

export function field(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) ? value[name] : undefined;
}

function editYaml(file: string, edit: (document: Document) => void): void {
  const document = parseDocument(readFileSync(file, 'utf8'));
  edit(document);
  writeFileSync(file, document.toString());
}
