// What the store keeps of a run between two moments: the head of its engine snapshot while it is active (the rest is
// in parts), only outcome and commitments once it has finished, so that no data of a finished run lives outside its
// payloads.
import { canonicalJson } from '../../canonical-json.js';
import { sha256 } from '../../audit/sha256.js';
import type { RunHead, Seen } from '../../engine/state.js';
import { WritError } from '../../errors.js';
import { isObject, type Commitment, type Hex, type Json } from '../../json.js';
import type { Plan } from '../../workflow/plan.js';
import type { RunRecord } from '../ports.js';

export interface ActiveState {
  readonly v: 3;
  readonly engine: RunHead;
}

export interface FinishedState {
  readonly v: 1;
  readonly output: Commitment | null;
  readonly error: { readonly code: string; readonly name: string; readonly detail: Commitment } | null;
  /** By node key, what became of every node that the run came to. Absent in runs of earlier versions. */
  readonly seen?: Readonly<Record<string, Seen>>;
  /** What a redrive goes on with; absent where the run completed, or it was too much to be kept. */
  readonly remains?: Commitment;
}

/** The head of an active run. Written by this software into our own store: only the version is checked. */
export function activeHead(run: RunRecord): RunHead {
  if (!isObject(run.state) || run.state['v'] !== 3 || !isObject(run.state['engine'])) {
    throw new WritError('STORE_IO', `run ${run.id} has no engine state this version can read`, {
      hint: 'let it end with the version of writ that wrote it, on a copy from before the upgrade (audit/README.md, Upgrades)',
    });
  }
  return (run.state as unknown as ActiveState).engine;
}

/** The plan the run started with. */
export function planOf(run: RunRecord): Plan {
  return run.plan as unknown as Plan;
}

export function finishedState(run: RunRecord): FinishedState | null {
  if (!isObject(run.state) || run.state['v'] !== 1 || 'engine' in run.state) return null;
  return run.state as unknown as FinishedState;
}

export function isFinished(run: RunRecord): boolean {
  return run.status === 'completed' || run.status === 'failed' || run.status === 'cancelled';
}

/** The plain JSON that the store keeps. */
export function stored(state: ActiveState | FinishedState | Plan): Json {
  return state as unknown as Json;
}

/** SHA-256 hex over the plan as the store keeps it: its JSON, whose keys stay in their order. */
export function planDigest(plan: Json | Plan): Hex {
  return Buffer.from(sha256(new TextEncoder().encode(JSON.stringify(plan)))).toString('hex') as Hex;
}

/** SHA-256 hex over the RFC 8785 form of the parsed document: comments and layout don't change it. */
export function workflowHash(document: Json): Hex {
  return Buffer.from(sha256(new TextEncoder().encode(canonicalJson(document)))).toString('hex') as Hex;
}
