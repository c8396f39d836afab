// The write of a distributed Map's results as an attempt: its intent is durable, with the yes of policy to every name, before
// a byte is written, and its outcome with the answer that the state goes on with. The same bytes under the same names
// change nothing, so one that a crash has lost is made again under the same key.
import { WritError, type ErrorCode } from '../../errors.js';
import type { Digest } from '../../json.js';
import { publicError } from '../attempt/record.js';
import { stepFinished, stepIntended } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import { sealJson } from '../log/payload.js';
import type { AttemptRecord, Change, EntryDraft, RunRecord } from '../ports.js';
import { indeterminateEntry } from './recovery.js';
import { entryContext } from './context.js';

const WRITE_FUNCTION = 'artifact::write';

export interface WriteIntent {
  readonly row: AttemptRecord;
  readonly leafHash: Uint8Array;
}

/** `allowed`: what policy has said of each name. Durable when it resolves; nothing is written before. */
export async function intendWrite(
  guard: Guard,
  run: RunRecord,
  stepPath: string,
  files: readonly { readonly name: string; readonly digest: Digest; readonly bytes: Uint8Array }[],
  allowed: readonly EntryDraft[],
): Promise<WriteIntent> {
  const context = entryContext(guard, run);
  const nowMs = guard.clock.nowMs();
  const entries: EntryDraft[] = [];
  const attempts: { readonly record: AttemptRecord; readonly intentEntry?: number }[] = [];
  const before = await lastWrite(guard, run, stepPath);
  if (before?.status === 'intended') {
    entries.push(await indeterminateEntry(guard, before, nowMs, context));
    attempts.push({ record: { ...before, status: 'indeterminate', finishedAtMs: nowMs } });
  }
  const attempt = (before?.attempt ?? 0) + 1;
  entries.push(...allowed);
  const intentEntry = entries.length;
  const idempotencyKey = `${run.id}/${stepPath}`;
  const named = files.map(({ name, digest, bytes }) => ({ name, digest, size: bytes.length }));
  const input = sealJson(run.id, 'input', named, guard);
  const about = { stepPath, attempt, iteration: null, item: null };
  const row: AttemptRecord = {
    ...about,
    run: run.id,
    status: 'intended',
    functionId: WRITE_FUNCTION,
    principal: run.initiator,
    idempotencyKey,
    input: input.commitment,
    output: null,
    approvalId: null,
    error: null,
    startedAtMs: nowMs,
    finishedAtMs: null,
    intentIndex: null,
    turn: null,
    converged: null,
  };
  const what = {
    functionId: WRITE_FUNCTION,
    agentDigest: null,
    sandbox: null,
    idempotencyKey,
    approvalId: null,
  };
  entries.push(stepIntended(context, { ...about, ...what }, input.commitment));
  attempts.push({ record: row, intentEntry });
  const payloads = [{ payload: input, entry: intentEntry }];
  const committed = await guard.journal.commit({ entries, attempts, payloads });
  const intent = committed.entries[intentEntry];
  if (intent === undefined)
    throw new WritError('INTERNAL', `the store did not place the intent of ${stepPath}`);
  return { row: { ...row, intentIndex: intent.index }, leafHash: intent.leafHash };
}

/** The attempt that was begun last, of this act; null = none was. */
export async function lastWrite(
  guard: Pick<Guard, 'store'>,
  run: RunRecord,
  stepPath: string,
): Promise<AttemptRecord | null> {
  let last: AttemptRecord | null = null;
  for (let attempt = 1; ; attempt += 1) {
    const row = await guard.store.attempt(run.id, stepPath, attempt);
    if (row === null) return last;
    last = row;
  }
}

/** What the commit of the answer says of it; `fault` null = everything is written. */
export function wrote(
  guard: Guard,
  run: RunRecord,
  { row, leafHash }: WriteIntent,
  fault: { readonly code: ErrorCode; readonly message: string } | null,
): Pick<Change, 'entries' | 'attempts'> {
  const nowMs = guard.clock.nowMs();
  const status = fault === null ? 'succeeded' : 'failed';
  const end = {
    status,
    intent: Buffer.from(leafHash).toString('hex'),
    code: fault?.code ?? null,
    durationMs: Math.max(0, nowMs - (row.startedAtMs ?? nowMs)),
  } as const;
  const error = fault === null ? null : publicError(fault.code, fault.message);
  return {
    entries: [stepFinished(entryContext(guard, run), row, end, {})],
    attempts: [{ record: { ...row, status, error, finishedAtMs: nowMs } }],
  };
}
