// The lanes of the forks that a run stands in, by id of the fork's cursor, and what their children have given.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import type { ChangedParts, ReadPart } from './changed-parts.js';
import type { ChildResult } from './state.js';

/** How far one lane of a fork is; made again from its children when a run is opened. */
export interface Lane {
  /** Items of a map; null for a lane that runs once. */
  readonly items: readonly Json[] | null;
  /** Children begun; they begin in index order. */
  begun: number;
  ended: number;
}

type Place = Pick<ChildResult, 'lane' | 'item'>;

export class Lanes {
  readonly #changed: ChangedParts;
  readonly #lanes = new Map<string, readonly Lane[]>();
  /** By id of the fork's frame, then of the child. */
  readonly #results = new Map<string, Map<string, ChildResult>>();

  constructor(changed: ChangedParts) {
    this.#changed = changed;
  }

  /** Empty when the cursor stands in no fork. */
  of(id: string): readonly Lane[] {
    return this.#lanes.get(id) ?? [];
  }

  begin(id: string, items: readonly (readonly Json[] | null)[]): void {
    this.#changed.mark(`items/${id}`, this.#items(id));
    this.loadItems(id, items);
  }

  /** Its child has ended. */
  give(child: string, result: ChildResult): void {
    this.loadResult(child, result);
    this.#count(result);
    this.#changed.mark(`result/${child}`, this.#result(result.parent, child));
  }

  /** By lane, in item order; all children have ended. */
  results(id: string): ChildResult[][] {
    const byLane = this.of(id).map((): ChildResult[] => []);
    for (const result of this.#results.get(id)?.values() ?? []) {
      const lane = byLane[result.lane];
      if (lane !== undefined) lane[result.item ?? 0] = result;
    }
    return byLane;
  }

  /** The fork is over. */
  end(id: string): void {
    if (!this.#lanes.delete(id)) return;
    const gone = (): undefined => undefined;
    this.#changed.mark(`items/${id}`, gone);
    for (const child of this.#results.get(id)?.keys() ?? []) this.#changed.mark(`result/${child}`, gone);
    this.#results.delete(id);
  }

  /**
   * The fork goes on: results of children that `isAgain` are taken away, the lanes counted anew. Gives the places that have
   * no result and at which nobody of `standing` stands.
   */
  reopen(
    id: string,
    isAgain: (result: ChildResult) => boolean,
    standing: readonly Place[],
  ): readonly { readonly lane: number; readonly item: number }[] {
    const own = this.#results.get(id) ?? new Map<string, ChildResult>();
    for (const [child, result] of own) {
      if (!isAgain(result)) continue;
      own.delete(child);
      this.#changed.mark(`result/${child}`, this.#result(id, child));
    }
    const taken = this.of(id).map(() => new Set<number>());
    for (const { lane, item } of own.values()) taken[lane]?.add(item ?? 0);
    for (const { lane, item } of standing) taken[lane]?.add(item ?? 0);
    return this.of(id).flatMap((lane, position) => {
      const places = taken[position] ?? new Set();
      lane.ended = [...own.values()].filter((one) => one.lane === position).length;
      for (const place of places) lane.begun = Math.max(lane.begun, place + 1);
      const free: { lane: number; item: number }[] = [];
      for (let item = 0; item < lane.begun; item += 1)
        if (!places.has(item)) free.push({ lane: position, item });
      return free;
    });
  }

  loadItems(id: string, items: readonly (readonly Json[] | null)[]): void {
    this.#lanes.set(
      id,
      items.map((list) => ({ items: list, begun: 0, ended: 0 })),
    );
  }

  loadResult(child: string, result: ChildResult): void {
    const own = this.#results.get(result.parent) ?? new Map<string, ChildResult>();
    this.#results.set(result.parent, own.set(child, result));
  }

  /** Everything is loaded: counts what has ended, and has begun to. Throws STORE_IO. */
  countLoaded(): void {
    for (const results of this.#results.values()) {
      for (const result of results.values()) this.#count(result);
    }
  }

  /** A child stands there that has not ended. */
  countBegun(id: string, { lane, item }: Place): void {
    const own = this.of(id)[lane];
    if (own !== undefined) own.begun = Math.max(own.begun, (item ?? 0) + 1);
  }

  /** Each part by its key. */
  *parts(): Iterable<readonly [string, ReadPart]> {
    for (const id of this.#lanes.keys()) yield [`items/${id}`, this.#items(id)];
    for (const [id, results] of this.#results)
      for (const child of results.keys()) yield [`result/${child}`, this.#result(id, child)];
  }

  #items(id: string): ReadPart {
    return () => this.#lanes.get(id)?.map((lane) => lane.items);
  }

  #result(id: string, child: string): ReadPart {
    return () => this.#results.get(id)?.get(child);
  }

  #count(result: ChildResult): void {
    const own = this.of(result.parent)[result.lane];
    if (own === undefined) throw new WritError('STORE_IO', 'a stored result belongs to no fork of its run');
    own.ended += 1;
    this.countBegun(result.parent, result);
  }
}
