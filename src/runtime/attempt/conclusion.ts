// How an attempt ends that has acted: outcome, the run's next record and everything that ends with it, in one commit.
import { hexOf } from '../../audit/hex.js';
import type { Commitment } from '../../json.js';
import { isDeclared } from '../../workflow/data-class.js';
import { publicError } from './record.js';
import type { AttemptChange, Settle } from './attempt.js';
import { settleCharges } from './charges.js';
import { sandboxExited, stepFinished } from '../log/entries.js';
import type { Intent } from './intent.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from './judged-attempt.js';
import { errorText, hintOf, isFree, outcomeOf, stepEnd, type Acted } from './outcome.js';
import { sealBytes, sealJson } from '../log/payload.js';
import type { AttemptRecord, EntryDraft, Payload, SandboxResult } from '../ports.js';

/** What an act gave; `sandbox` is null for a function. */
export interface Act {
  readonly acted: Acted;
  readonly sandbox: SandboxResult | null;
}

/** The outcome, the run's next record and everything that ends with it: one commit. */
export async function conclude(
  guard: Guard,
  judged: Judged,
  intent: Intent,
  { acted, sandbox, redact }: Act & Pick<Guard, 'redact'>,
  settle: Settle,
): Promise<void> {
  const { attempt, context } = judged;
  const sealing = { random: guard.random, sha256: guard.sha256, redact };
  const finishedAtMs = guard.clock.nowMs();
  const durationMs = finishedAtMs - intent.startedAtMs;
  const entries: EntryDraft[] = sandbox === null ? [] : [sandboxExited(context, attempt, sandbox)];
  const payloads: { payload: Payload; entry: number }[] = [];
  const commit: Record<string, Commitment> = {};
  const seal = (payload: Payload): Commitment => {
    payloads.push({ payload, entry: entries.length });
    commit[payload.label] = payload.commitment;
    return payload.commitment;
  };
  const said = acted.ok ? null : errorText(acted);
  const output = acted.ok
    ? seal(sealJson(attempt.run.id, 'output', acted.output, sealing))
    : said === null
      ? null
      : seal(sealJson(attempt.run.id, 'error', { message: said, ...hintOf(acted) }, sealing));
  if (sandbox !== null && sandbox.stderr.bytes.length > 0) {
    seal(sealBytes(attempt.run.id, 'stderr', sandbox.stderr.bytes, 'text/plain', sealing));
  }
  entries.push(
    stepFinished(
      context,
      attempt,
      {
        status: stepEnd(acted),
        intent: hexOf(intent.leafHash),
        code: acted.ok ? null : acted.error.code,
        durationMs,
        ...(acted.usage === undefined || isFree(acted.usage) ? {} : { usage: acted.usage }),
        ...(acted.ok && acted.turn !== undefined ? { calls: acted.turn.calls.length } : {}),
      },
      commit,
    ),
  );
  const record: AttemptRecord = {
    ...intent.record,
    status: endOf(acted),
    output,
    error: acted.ok ? null : publicError(acted.error.code, acted.summary),
    finishedAtMs,
  };
  const charges = settleCharges(judged.charges, durationMs, acted.usage ?? null);
  const { task } = intent;
  // What could not be called will not be answered; nor is an answer that came before waited for.
  const tasks = task === null ? [] : [{ op: 'close', id: task.record.id, state: 'withdrawn' } as const];
  const change = { entries, payloads, record, approvals: [], charges, tasks, ...carriedBy(judged) };
  await settle(outcomeOf(acted), change);
}

function endOf(acted: Acted): AttemptRecord['status'] {
  if (acted.ok) return acted.turn === undefined ? stepEnd(acted) : 'asked';
  return acted.error.kind === 'refusal' ? 'refused' : stepEnd(acted);
}

/** Of an act that has ended, well or not: what is said of a failure may tell of the data too. */
export function carriedBy({ returns }: Judged): Pick<AttemptChange, 'carries'> {
  return isDeclared(returns) ? { carries: returns } : {};
}
