// What the steps of a run are decided by: the policies in force, and those that the run was started under, in whichever
// process it goes on. Those of its start are kept in the store as files and loaded from there; the log says which they
// are, and their hash that they are the ones. Where they can't be had, or the run's row is not what the log says
// (origin.ts), nothing of the run is allowed.
import { parseEntry } from '../../audit/entry.js';
import { WritError } from '../../errors.js';
import type { Hex } from '../../json.js';
import { Memo } from '../../policy/memo.js';
import { tightened } from '../../policy/pinned.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { PolicyFiles, RunRecord, Store } from '../ports.js';
import { RunOrigins } from './origin.js';

/** `start`: a run's steps are decided under the policies it began under and those in force; `current`: the latter alone. */
export type PolicyPin = 'start' | 'current';

export interface RunPolicy {
  /** Allows what the policies in force allow and, unless the run is pinned to nothing, those of its start. */
  readonly snapshot: PolicySnapshot;
  /** The other policies that have decided, too; null = the run is older than the keeping of them. Absent = there are none. */
  readonly startPolicy?: Hex | null;
}

export interface RunPoliciesParts {
  readonly store: Pick<Store, 'lastOfRun' | 'entriesOfRun' | 'policyFiles'>;
  readonly current: () => PolicySnapshot;
  /** Loads files as they are in force: checked whole, indexed, with canaries. */
  readonly build: (files: ReadonlyMap<string, string>) => Promise<PolicySnapshot>;
  readonly pin: PolicyPin;
}

interface Beginning {
  readonly policyHash: Hex;
  readonly isKept: boolean;
}

/** Of the log's entries of a run, those it begins with: what they are written under is what it is pinned to. */
const BEGINNINGS = ['run.started', 'run.redriven'];
/** Says in them that the policies are kept; entries of older versions lack it. */
export const POLICIES_KEPT = { policiesKept: true } as const;

const MOST_RUNS = 4_096;
const MOST_SNAPSHOTS = 16;

export class RunPolicies {
  readonly #parts: RunPoliciesParts;
  /** By what its row says. An entry of the log never changes, and a redrive changes the row where it matters. */
  readonly #beginnings = new Memo<Beginning>(MOST_RUNS);
  readonly #origins: RunOrigins;
  readonly #loaded = new Memo<PolicySnapshot>(MOST_SNAPSHOTS);
  readonly #loading = new Map<Hex, Promise<PolicySnapshot>>();

  constructor(parts: RunPoliciesParts) {
    this.#parts = parts;
    this.#origins = new RunOrigins(parts.store);
  }

  /** Throws POLICY_START_LOST where nobody can say what the run may do at most, RUN_CHANGED where nobody can say for whom. */
  async of(run: RunRecord): Promise<RunPolicy> {
    const { current, pin } = this.#parts;
    await this.#origins.requireLogged(run);
    if (pin === 'current') return { snapshot: current() };
    const { policyHash, isKept } = await this.#beginning(run);
    if (policyHash === current().policyHash) return { snapshot: current() };
    if (!isKept) return { snapshot: current(), startPolicy: null };
    const atStart = await this.#atStart(run.id, policyHash);
    return { snapshot: tightened(current(), atStart), startPolicy: policyHash };
  }

  /** What the log says; a row that says otherwise is nobody's word. */
  async #beginning({ id, policyHash: ofRow }: Pick<RunRecord, 'id' | 'policyHash'>): Promise<Beginning> {
    const known = this.#beginnings.get(id, ofRow);
    if (known !== undefined) return known;
    const row = await this.#parts.store.lastOfRun(id, BEGINNINGS);
    if (row === null) throw lost(id, 'the log does not say under which');
    const { policy, data, run, type } = parseEntry(row.bytes);
    const isKept = data['policiesKept'] === true;
    const isIt = run === id && BEGINNINGS.includes(type) && policy !== null;
    if (!isIt || (isKept && policy !== ofRow)) throw lost(id, 'the store names others than the log does');
    const beginning = { policyHash: policy, isKept };
    this.#beginnings.set(beginning, id, ofRow);
    return beginning;
  }

  /** What can't be loaded is tried again the next time: somebody may have brought it back. */
  async #atStart(run: string, policyHash: Hex): Promise<PolicySnapshot> {
    const known = this.#loaded.get(policyHash);
    if (known !== undefined) return known;
    const before = this.#loading.get(policyHash);
    if (before !== undefined) return before;
    const loading = this.#load(run, policyHash).finally(() => this.#loading.delete(policyHash));
    this.#loading.set(policyHash, loading);
    const snapshot = await loading;
    this.#loaded.set(snapshot, policyHash);
    return snapshot;
  }

  async #load(run: string, policyHash: Hex): Promise<PolicySnapshot> {
    const files = await this.#parts.store.policyFiles(policyHash);
    if (files === null) throw lost(run, 'the store no longer holds them');
    let snapshot: PolicySnapshot;
    try {
      snapshot = await this.#parts.build(files);
    } catch (error) {
      if (error instanceof WritError && error.kind === 'fatal') throw error;
      throw lost(run, 'what the store holds of them is no policy', error);
    }
    if (snapshot.policyHash === policyHash) return snapshot;
    throw lost(run, 'what the store holds of them has another hash');
  }
}

/** The files that decide, and are all that is needed to load the same policies again. */
export function decidingFiles(files: ReadonlyMap<string, string>): PolicyFiles['files'] {
  return new Map([...files].filter(([file]) => DECIDES.test(file)));
}

const DECIDES =
  /^(?:model\.conf|approvers\.yaml|package-signers\.yaml|(?:rbac|roles|ceilings)\/[^/]+\.yaml)$/;

function lost(run: string, why: string, cause?: unknown): WritError {
  return new WritError('POLICY_START_LOST', `the policies that run ${run} was started under: ${why}`, {
    hint: `bring the data directory back from a backup, or let the run go on under the policies of now: writ workflow redrive ${run}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
