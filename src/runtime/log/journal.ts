// Commits of this process: takes secrets out of what is written, tells listeners which entries became durable, and
// remembers a fatal store error so that nothing acts after it. A store that another process holds is none: nothing was
// written, and whoever wants to may try again.
import { WritError } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { Change, Committed, EntryDraft, PartsChange, RunRecord, Store } from '../ports.js';
import { NO_REDACTION, type Redactor } from '../redaction.js';
import type { EntryNotice } from '../writ.js';

export class Journal {
  readonly #store: Store;
  readonly #listeners = new Set<(notice: EntryNotice) => void>();
  readonly #waiters = new Set<(error: WritError) => void>();
  #fatal: WritError | null = null;
  #waited: WritError | null = null;

  readonly #redact: Redactor;

  constructor(store: Store, redact: Redactor) {
    this.#store = store;
    this.#redact = redact;
  }

  onEntry(listener: (notice: EntryNotice) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onWait(listener: (error: WritError) => void): () => void {
    this.#waiters.add(listener);
    return () => this.#waiters.delete(listener);
  }

  /** A run waits on for a store that another process holds: `error` says which. */
  waits(error: WritError): void {
    // All that was in one commit are told of the same one.
    if (error === this.#waited) return;
    this.#waited = error;
    for (const listener of this.#waiters) tell(this.#waiters, listener, error);
  }

  /** Nothing can be committed any more. */
  get stopped(): boolean {
    return this.#fatal !== null;
  }

  /** Throws what stopped it. */
  assertGoing(): void {
    if (this.#fatal !== null) throw this.#fatal;
  }

  /** What happened outside a commit is as fatal: a log that can't be published. */
  stop(error: unknown): void {
    if (error instanceof WritError && (error.kind !== 'fatal' || isBusy(error))) return;
    this.#fatal ??=
      error instanceof WritError
        ? error
        : new WritError('STORE_IO', 'the log could not be published', { cause: error });
  }

  /**
   * `act` publishes, or otherwise writes what the log relies on. A sync that failed is never tried again, whoever waited
   * for it: after a fatal error of `act` nothing is committed or published by this process.
   */
  async orStop<T>(act: () => Promise<T>): Promise<T> {
    this.assertGoing();
    try {
      return await act();
    } catch (error) {
      this.stop(error);
      throw error;
    }
  }

  /**
   * Durable when it resolves. After one fatal error every later commit fails with it: nothing may act. STORE_BUSY is
   * fatal for this commit only.
   */
  async commit(given: Change): Promise<Committed> {
    this.assertGoing();
    const redact = this.#redact.now();
    const change = redact === NO_REDACTION ? given : withoutSecrets(given, redact);
    try {
      const committed = await this.#store.commit(change);
      this.#notify(change, committed);
      return committed;
    } catch (error) {
      if (!(error instanceof WritError)) {
        this.#fatal = new WritError('STORE_IO', 'the store failed in a way it never should', {
          cause: error,
        });
      } else if (error.kind === 'fatal' && !isRefusedEntry(error) && !isBusy(error)) this.#fatal = error;
      throw error;
    }
  }

  #notify(change: Change, committed: Committed): void {
    if (this.#listeners.size === 0) return;
    change.entries.forEach((entry, position) => {
      const timeMs = committed.entries[position]?.timeMs ?? 0;
      const data: JsonObject = entry.data;
      for (const listener of this.#listeners)
        tell(this.#listeners, listener, { type: entry.type, run: entry.run, timeMs, data });
    });
  }
}

/** What is durable stays acknowledged, whatever a listener does with it; one that throws is told nothing more. */
function tell<Notice>(
  listeners: Set<(notice: Notice) => void>,
  listener: (notice: Notice) => void,
  notice: Notice,
): void {
  try {
    listener(notice);
  } catch {
    listeners.delete(listener);
  }
}

/** Another process held the store for too long: nothing was written, and the next commit may be. */
export function isBusy(error: unknown): error is WritError {
  return error instanceof WritError && error.code === 'STORE_BUSY';
}

/** The entry was not one the log can hold; store and log are sound, and what others do goes on. */
export function isRefusedEntry(error: WritError): boolean {
  return error.code === 'AUDIT_ENTRY_INVALID' || error.code === 'AUDIT_JSON_INVALID';
}

export function isCancelRequested(run: RunRecord): boolean {
  return isObject(run.waitingFor) && run.waitingFor['kind'] === 'cancel';
}

/** Payloads were sealed without secrets before they were committed to; this is everything else of a change. */
function withoutSecrets(change: Change, redact: Redactor): Change {
  const { workflows, runs, parts, attempts, entries } = change;
  return {
    ...change,
    entries: entries.map((entry) => withoutSecretsInEntry(entry, redact)),
    ...(runs === undefined
      ? {}
      : { runs: runs.map((one) => ({ ...one, record: withoutSecretsInRun(one.record, redact) })) }),
    ...(parts === undefined ? {} : { parts: parts.map((one) => withoutSecretsInParts(one, redact)) }),
    ...(attempts === undefined
      ? {}
      : {
          attempts: attempts.map((one) => {
            const { error } = one.record;
            if (error === null) return one;
            const hint = error.hint === undefined ? {} : { hint: redact.text(error.hint) };
            const told = { ...error, message: redact.text(error.message), ...hint };
            return { ...one, record: { ...one.record, error: told } };
          }),
        }),
    ...(workflows === undefined
      ? {}
      : {
          workflows: workflows.map((one) => ({
            ...one,
            name: redact.text(one.name),
            source: redact.text(one.source),
          })),
        }),
  };
}

function withoutSecretsInEntry(entry: EntryDraft, redact: Redactor): EntryDraft {
  const data = redact.json(entry.data);
  return data === entry.data || !isObject(data) ? entry : { ...entry, data };
}

function withoutSecretsInParts(change: PartsChange, redact: Redactor): PartsChange {
  const put = new Map<string, Json>();
  for (const [key, value] of change.put) {
    const kept = redact.json(value);
    if (kept !== value) put.set(key, kept);
  }
  // Mostly nothing is found: ten thousand parts are not put down anew for that.
  return put.size === 0 ? change : { ...change, put: new Map([...change.put, ...put]) };
}

function withoutSecretsInRun(run: RunRecord, redact: Redactor): RunRecord {
  const state = redact.json(run.state);
  return state === run.state ? run : { ...run, state };
}
