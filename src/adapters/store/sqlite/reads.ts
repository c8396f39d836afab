// What the embedded store is asked, a query of reader.ts and its record a call: all of it committed, on a connection of its
// own. Rows of the log that this process has just written come from memory.
import { WritError } from '../../../errors.js';
import type { Commitment, Hex, Json } from '../../../json.js';
import type {
  AnchoredCheckpointRow,
  ApprovalFilter,
  ApprovalKey,
  ApprovalRecord,
  ApprovalState,
  AttemptRecord,
  CheckpointRow,
  HandedOutCopy,
  LogRow,
  LogState,
  Meter,
  Page,
  PolicyFiles,
  Receipt,
  RunHead,
  RunRecord,
  StoredPayload,
  TaskFilter,
  TaskRecord,
  WakeUp,
  WorkflowRecord,
} from '../../../runtime/ports.js';
import { approvalKeys, approvalRecord } from './approval-record.js';
import { hex64, integer, json, type Row, text } from './column.js';
import { anchoredCheckpointRow, checkpointRow, joinedValues, logRow, logState } from './log-record.js';
import type { Reader } from './reader.js';
import { RecentRows } from './recent-rows.js';
import {
  attemptRecord,
  copyRecord,
  inOrderOfStart,
  payloadRecord,
  placedAttempt,
  policyFiles,
  receiptRecord,
  runHead,
  runRecord,
  wakeUps,
  workflowRecord,
} from './run-record.js';
import { taskRecord } from './task-record.js';

/** The half of `Store` that writes nothing. Throws what `Reader` throws, and STORE_IO for a part of the log that is gone. */
export class StoreReads {
  protected readonly recent = new RecentRows();

  constructor(
    protected readonly reader: Reader,
    protected readonly file: string,
  ) {}

  async workflow(id: string, hash?: Hex): Promise<WorkflowRecord | null> {
    return hash === undefined
      ? this.reader.one('workflow', workflowRecord, id)
      : this.reader.one('workflowByHash', workflowRecord, id, hash);
  }

  async workflows(): Promise<readonly WorkflowRecord[]> {
    return this.reader.all('workflows', workflowRecord);
  }

  async workflowsPage(
    page: Page,
  ): Promise<{ readonly workflows: readonly WorkflowRecord[]; readonly total: number }> {
    const total = this.reader.one('workflowCount', (row) => integer(row, 'total')) ?? 0;
    const { limit, offset } = page;
    return { workflows: this.reader.all('workflowsPage', workflowRecord, { limit, offset }), total };
  }

  async run(id: string): Promise<RunRecord | null> {
    return this.reader.one('run', runRecord, id);
  }

  async runVersion(id: string): Promise<number | null> {
    return this.reader.one('runVersion', (row) => integer(row, 'version'), id);
  }

  async unfinishedRuns(): Promise<readonly RunHead[]> {
    return this.reader.all('unfinishedHeads', runHead);
  }

  async wakeUps(limit: number): Promise<readonly WakeUp[]> {
    return this.reader.one('wakeUps', wakeUps, { limit }) ?? [];
  }

  async runs(
    filter: { readonly unfinished?: boolean; readonly workflowId?: string } = {},
  ): Promise<readonly RunRecord[]> {
    const { unfinished, workflowId } = filter;
    if (unfinished === true)
      return this.reader.all('unfinished', runRecord, { workflowId: workflowId ?? null });
    return workflowId === undefined
      ? this.reader.all('runs', runRecord)
      : this.reader.all('runsOfWorkflow', runRecord, { workflowId });
  }

  async runsPage(
    page: Page & { readonly workflowId?: string },
  ): Promise<{ readonly runs: readonly RunRecord[]; readonly total: number }> {
    const { limit, offset, workflowId = null } = page;
    const total = this.reader.one('runCount', (row) => integer(row, 'total'), { workflowId }) ?? 0;
    return { runs: this.reader.all('runsPage', runRecord, { limit, offset, workflowId }), total };
  }

  async attempts(run: string): Promise<readonly AttemptRecord[]> {
    return inOrderOfStart(this.reader.all('attempts', placedAttempt, run));
  }

  async attempt(run: string, stepPath: string, attempt: number): Promise<AttemptRecord | null> {
    return this.reader.one('attempt', attemptRecord, run, stepPath, attempt);
  }

  async parts(run: string, prefix = ''): Promise<ReadonlyMap<string, Json>> {
    const part = (row: Row) => [text(row, 'key'), json(row, 'value')] as const;
    return new Map(this.reader.all('parts', part, { run, prefix }));
  }

  async used(meters: readonly Meter[]): Promise<readonly number[]> {
    return meters.map(({ layer, name, scope, budget }) => {
      return this.reader.one('used', (row) => integer(row, 'used'), { layer, name, scope, budget }) ?? 0;
    });
  }

  async approval(id: string): Promise<ApprovalRecord | null> {
    return this.reader.one('approval', approvalRecord, id);
  }

  async approvals(filter: ApprovalFilter = {}): Promise<readonly ApprovalRecord[]> {
    const { run } = filter;
    const part = partOf(filter);
    if (run !== undefined) return this.reader.all('approvalsOfRun', approvalRecord, { ...part, run });
    return this.reader.all(part.states === null ? 'approvals' : 'approvalsIn', approvalRecord, part);
  }

  async approvalKeys(filter: {
    readonly states: readonly ApprovalState[];
    readonly limit?: number;
  }): Promise<readonly ApprovalKey[]> {
    const { states, limit = -1 } = filter;
    return this.reader.one('approvalKeys', approvalKeys, { states: JSON.stringify(states), limit }) ?? [];
  }

  async decidedRuns(): Promise<readonly string[]> {
    return this.reader.all('decidedRuns', (row) => text(row, 'id'));
  }

  async task(id: string): Promise<TaskRecord | null> {
    return this.reader.one('task', taskRecord, id);
  }

  async taskOfToken(tokenHash: Hex): Promise<TaskRecord | null> {
    return this.reader.one('taskOfToken', taskRecord, tokenHash);
  }

  async taskOfAttempt(run: string, stepPath: string, attempt: number): Promise<TaskRecord | null> {
    return this.reader.one('taskOfAttempt', taskRecord, run, stepPath, attempt);
  }

  async tasks(filter: TaskFilter = {}): Promise<readonly TaskRecord[]> {
    const { run } = filter;
    const part = partOf(filter);
    if (run !== undefined) return this.reader.all('tasksOfRun', taskRecord, { ...part, run });
    return this.reader.all(part.states === null ? 'tasks' : 'tasksIn', taskRecord, part);
  }

  async payload(commitment: Commitment): Promise<StoredPayload | null> {
    return this.reader.one('payload', payloadRecord, Buffer.from(commitment, 'hex'));
  }

  async receipt(source: string, id: string): Promise<Receipt | null> {
    return this.reader.one('receipt', receiptRecord, source, id);
  }

  async policyFiles(policyHash: Hex): Promise<PolicyFiles['files'] | null> {
    return this.reader.one('policyFiles', policyFiles, policyHash);
  }

  async copies(): Promise<readonly HandedOutCopy[]> {
    return this.reader.all('copies', copyRecord);
  }

  async unscrubbed(): Promise<readonly Commitment[]> {
    return this.reader.all('unscrubbed', (row) => hex64(row, 'commitment'));
  }

  async log(): Promise<LogState> {
    const state = this.reader.one('log', logState);
    if (state === null) throw this.#missing('the state of the log');
    return state;
  }

  async entries(first: bigint, end: bigint, limit: number): Promise<readonly LogRow[]> {
    return this.reader.all('entries', logRow, first, end, limit);
  }

  async entriesOfRun(
    run: string,
    { from, limit }: { readonly from: number; readonly limit: number } = { from: 0, limit: -1 },
  ): Promise<readonly LogRow[]> {
    return this.reader.all('entriesOfRun', logRow, run, from, limit);
  }

  async entriesOfSteps(run: string, stepPaths: readonly string[]): Promise<readonly LogRow[]> {
    return this.reader.all('entriesOfSteps', logRow, { run, stepPaths: JSON.stringify(stepPaths) });
  }

  async lastOfRun(run: string, types: readonly string[]): Promise<LogRow | null> {
    return this.reader.one('lastOfRun', logRow, { run, types: JSON.stringify(types) });
  }

  async entriesOfApproval(id: string): Promise<readonly LogRow[]> {
    return this.reader.all('entriesOfApproval', logRow, id);
  }

  async entriesOfTask(id: string): Promise<readonly LogRow[]> {
    return this.reader.all('entriesOfTask', logRow, id);
  }

  async ownEntries(type: string, limit: number): Promise<readonly LogRow[]> {
    return this.reader.all('ownEntries', logRow, type, limit);
  }

  async entryBytes(first: bigint, count: number): Promise<readonly Uint8Array[]> {
    const end = first + BigInt(count);
    const recent = this.recent.between(first, end);
    if (recent !== null) return recent.map(({ bytes }) => bytes);
    const found = this.reader.one('entryBytes', joinedValues, first, end);
    if (found?.length !== count) throw this.#missing(`an entry in ${first}..${end - 1n}`);
    return found;
  }

  async hashes(level: number, first: bigint, count: number): Promise<readonly Uint8Array[]> {
    const end = first + BigInt(count);
    const recent = level === 0 ? this.recent.between(first, end) : null;
    if (recent !== null) return recent.map(({ leafHash }) => leafHash);
    const found =
      level === 0
        ? this.reader.one('leafHashes', joinedValues, first, end)
        : this.reader.one('subtreeHashes', joinedValues, level, first, end);
    if (found?.length !== count) throw this.#missing(`a hash of level ${level} in ${first}..${end - 1n}`);
    return found;
  }

  async lastCheckpoint(): Promise<CheckpointRow | null> {
    return this.reader.one('lastCheckpoint', checkpointRow);
  }

  async anchoredCheckpoints(limit: number): Promise<readonly AnchoredCheckpointRow[]> {
    return this.reader.all('anchoredCheckpoints', anchoredCheckpointRow, limit);
  }

  /** Counts commits of every connection but the reading one, so this process's own are in it. */
  changeCounter(): number {
    return Number(this.reader.value('dataVersion'));
  }

  #missing(what: string): WritError {
    return new WritError('STORE_IO', `${what} is missing in ${this.file}`, {
      hint: 'stop, restore a backup of the data directory and run writ audit verify on it',
    });
  }
}

/** The part of a list that is asked for, as `listed` takes it. */
function partOf({
  states,
  after,
  limit = -1,
}: Pick<ApprovalFilter | TaskFilter, 'states' | 'after' | 'limit'>) {
  return {
    states: states === undefined ? null : JSON.stringify(states),
    afterMs: after?.createdAtMs ?? null,
    afterId: after?.id ?? '',
    limit,
  };
}
