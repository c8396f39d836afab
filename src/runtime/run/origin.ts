// Whose rights the steps of a run have, and what they are: as the log says of its start, whatever its row says.
import { parseEntry } from '../../audit/entry.js';
import { WritError } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { Memo } from '../../policy/memo.js';
import type { RunRecord, Store } from '../ports.js';
import { planDigest } from './state.js';

const MOST_RUNS = 4_096;

/** An entry of the log never changes: what it says is read once. */
export class RunOrigins {
  readonly #store: Pick<Store, 'entriesOfRun'>;
  /** By what a row says that says the same. */
  readonly #started = new Memo<{ readonly plan?: Json }>(MOST_RUNS);
  /** Those that are what the log says. */
  readonly #plans = new WeakSet<JsonObject>();

  constructor(store: Pick<Store, 'entriesOfRun'>) {
    this.#store = store;
  }

  /** Throws RUN_CHANGED. */
  async requireLogged({ id, tenant, initiator, workflowId, workflowHash, plan }: RunRecord): Promise<void> {
    const row = [id, tenant, initiator, workflowId, workflowHash];
    const started = this.#started.get(...row) ?? (await this.#startOf(row));
    if (started.plan === undefined || (isObject(plan) && this.#plans.has(plan))) return;
    if (!isObject(plan) || planDigest(plan) !== started.plan) throw changed(id);
    this.#plans.add(plan);
  }

  async #startOf(row: readonly string[]): Promise<{ readonly plan?: Json }> {
    const [id = ''] = row;
    const [first] = await this.#store.entriesOfRun(id, { from: 0, limit: 1 });
    const entry = first === undefined ? null : parseEntry(first.bytes);
    const { run, tenant, workflow, data = {} } = entry ?? {};
    const logged = [run, tenant, data['initiator'], workflow?.id, workflow?.hash];
    if (entry?.type !== 'run.started' || logged.some((one, at) => one !== row[at])) throw changed(id);
    // Logs of earlier versions do not say which plan it is.
    const started = data['plan'] === undefined ? {} : { plan: data['plan'] };
    this.#started.set(started, ...row);
    return started;
  }
}

function changed(run: string): WritError {
  return new WritError('RUN_CHANGED', `who started run ${run}, or what, is not what the log says`, {
    hint: 'do not go on with it; find out who changed the store: writ audit verify',
  });
}
