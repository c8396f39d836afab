// A run's cursors and what they have given, in memory: frames by id, children by parent, and what of it has changed
// since it was last written. Keeps books and decides nothing.
import type { Json } from '../json.js';
import { ChangedParts, type ReadPart } from './changed-parts.js';
import { drawBytes } from './draws.js';
import { Lanes, type Lane } from './lanes.js';
import { isSync, standingOf, type Standing } from './standing.js';
import type { Changes, ChildResult, Frame, Note, Parts, RunHead, Seen, StepOutcome } from './state.js';

export class RunTree {
  head: RunHead;
  #input: Json = null;
  readonly #frames = new Map<string, Frame>();
  readonly #children = new Map<string, Set<string>>();
  readonly #standing = new Map<Standing, Set<string>>();
  #syncApprovals = 0;
  /** Cursors that a failure has stopped, and by parent: a redrive begins where they stood. */
  readonly #aside = new Map<string, Frame>();
  readonly #asideOf = new Map<string, Set<string>>();
  readonly #outcomes = new Map<string, Map<string, StepOutcome>>();
  readonly #seen = new Map<string, Seen>();
  /** Nodes whose part is to be written; put together late, for a node is entered and left at once most of the time. */
  readonly #seenAnew = new Set<string>();
  readonly #changed = new ChangedParts();
  readonly #lanes = new Lanes(this.#changed);
  #notes: Note[] = [];

  readonly #tasks = new Map<string, string>();
  readonly #pathOf: (frame: Frame) => string;

  constructor(head: RunHead, pathOf: (frame: Frame) => string) {
    this.head = head;
    this.#pathOf = pathOf;
  }

  /** The run as it was stored. Parts were written by this software into our own store: only the keys are looked at. */
  static from(head: RunHead, parts: Parts, pathOf: (frame: Frame) => string): RunTree {
    const tree = new RunTree(head, pathOf);
    for (const [key, value] of parts) tree.#load(key, value);
    tree.#lanes.countLoaded();
    for (const frame of tree.#frames.values()) {
      if (frame.parent !== null && frame.call === null) tree.#lanes.countBegun(frame.parent, frame);
    }
    return tree;
  }

  get input(): Json {
    return this.#input;
  }

  set input(input: Json) {
    this.#input = input;
    this.#changed.mark('input', () => this.#input);
  }

  /** 32 bytes, other ones each time. */
  random(): Uint8Array {
    this.head = { ...this.head, drawn: this.head.drawn + 1 };
    return drawBytes(this.head.seed, `draw ${this.head.drawn}`);
  }

  /** Cursors that have not ended. */
  get size(): number {
    return this.#frames.size;
  }

  frame(id: string): Frame | undefined {
    return this.#frames.get(id);
  }

  /** The cursor that stands at this task. */
  atTask(stepPath: string): Frame | undefined {
    const id = this.#tasks.get(stepPath);
    return id === undefined ? undefined : this.#frames.get(id);
  }

  put(frame: Frame): void {
    this.#leave(frame.id);
    this.#enter(frame);
    this.#changed.mark(`frame/${frame.id}`, () => this.#frames.get(frame.id));
  }

  /** The cursor has ended, and with it what its fork had given. It has no children left. */
  remove(frame: Frame): void {
    this.#drop(frame);
    this.endLanes(frame.id);
  }

  #drop({ id, parent }: Frame): void {
    this.#leave(id);
    this.#frames.delete(id);
    if (parent !== null) this.#children.get(parent)?.delete(id);
    this.#changed.mark(`frame/${id}`, () => this.#frames.get(id));
  }

  /** The cursor goes no further, and what it held stays until its fork is over: a redrive goes on from there. */
  setAside(frame: Frame): void {
    this.#drop(frame);
    this.#keepAside(frame);
    this.#changed.mark(`aside/${frame.id}`, () => this.#aside.get(frame.id));
  }

  /** Every cursor, also those that were set aside, which stand in the run again from now on. */
  takeBack(): readonly Frame[] {
    for (const frame of this.#aside.values()) {
      this.#enter(frame);
      this.#changed.mark(`frame/${frame.id}`, () => this.#frames.get(frame.id));
      this.#changed.mark(`aside/${frame.id}`, () => undefined);
    }
    this.#aside.clear();
    this.#asideOf.clear();
    return [...this.#frames.values()];
  }

  /** Children that have not ended. */
  children(id: string): Frame[] {
    return this.#named(this.#children.get(id));
  }

  childCount(id: string): number {
    return this.#children.get(id)?.size ?? 0;
  }

  /** Those that stand so, in the order they came to it. */
  all(standing: Standing): Frame[] {
    return this.#named(this.#standing.get(standing));
  }

  /** The first of them, at most `limit`. */
  some(standing: Standing, limit: number): Frame[] {
    const ids = this.#standing.get(standing);
    if (ids === undefined || ids.size <= limit) return this.#named(ids);
    const found = new Set<string>();
    for (const id of ids) {
      if (found.size >= limit) break;
      found.add(id);
    }
    return this.#named(found);
  }

  first(standing: Standing): Frame | undefined {
    const { value } = (this.#standing.get(standing) ?? new Set<string>()).values().next();
    return value === undefined ? undefined : this.#frames.get(value);
  }

  count(standing: Standing): number {
    return this.#standing.get(standing)?.size ?? 0;
  }

  /** An approval is waited for that holds up everything else. */
  get hasSyncApproval(): boolean {
    return this.#syncApprovals > 0;
  }

  /** Dialect 1: by step key, what has become of the steps of this cursor. */
  outcomes(id: string): ReadonlyMap<string, StepOutcome> {
    return this.#outcomes.get(id) ?? new Map();
  }

  setOutcome(id: string, node: string, outcome: StepOutcome): void {
    const own = this.#outcomes.get(id) ?? new Map<string, StepOutcome>();
    this.#outcomes.set(id, own.set(node, outcome));
    this.#changed.mark(`outcome/${id}#${node}`, () => own.get(node));
  }

  /** By node key, of every node that a cursor has come to. */
  get seen(): ReadonlyMap<string, Seen> {
    return this.#seen;
  }

  /** The most that has become of a node stays: that a loop comes to it again changes nothing. */
  see(node: string, seen: Seen): void {
    if ((this.#seen.get(node) ?? 0) < seen) this.#setSeen(node, seen);
  }

  /** A redrive: what failed there counts no more. */
  seeAgain(node: string): void {
    if (this.#seen.has(node)) this.#setSeen(node, 1);
  }

  #setSeen(node: string, seen: Seen): void {
    this.#seen.set(node, seen);
    this.#seenAnew.add(node);
  }

  /** Lanes of the fork that the cursor stands in; empty when it stands in none. */
  lanes(id: string): readonly Lane[] {
    return this.#lanes.of(id);
  }

  beginLanes(id: string, items: readonly (readonly Json[] | null)[]): void {
    this.#lanes.begin(id, items);
  }

  /** The child has ended: well, or with an error that is tolerated, and then a redrive may yet go on with it. */
  childEnded(child: Frame, result: ChildResult): void {
    if (result.error === null || result.isSkipped) this.remove(child);
    else this.setAside(child);
    this.#lanes.give(child.id, result);
  }

  /** The lane ends without a child that would have had this id. */
  laneEnded(id: string, result: ChildResult): void {
    this.#lanes.give(id, result);
  }

  /** By lane, in item order; all children have ended. */
  results(id: string): ChildResult[][] {
    return this.#lanes.results(id);
  }

  endLanes(id: string): void {
    this.#endAside(id);
    this.#lanes.end(id);
  }

  /** The fork of this cursor goes on, as `Lanes.reopen`. */
  reopenLanes(id: string, isAgain: (result: ChildResult) => boolean): ReturnType<Lanes['reopen']> {
    return this.#lanes.reopen(id, isAgain, this.children(id));
  }

  /** The whole run, part by part. */
  parts(): ReadonlyMap<string, Json> {
    const parts = new Map<string, Json>();
    for (const [key, read] of this.#readers()) {
      const value = read() as Json | undefined; // plain JSON by type, as in takeChanges
      if (value !== undefined) parts.set(key, value);
    }
    return parts;
  }

  /** Nothing of it is stored: all of it is a change, and nothing else is. */
  isNew(): void {
    this.#changed.reset();
    for (const [key, read] of this.#readers()) this.#changed.mark(key, read);
  }

  *#readers(): Iterable<readonly [string, ReadPart]> {
    yield ['input', () => this.#input];
    for (const id of this.#frames.keys()) yield [`frame/${id}`, () => this.#frames.get(id)];
    for (const id of this.#aside.keys()) yield [`aside/${id}`, () => this.#aside.get(id)];
    yield* this.#lanes.parts();
    for (const [id, outcomes] of this.#outcomes)
      for (const node of outcomes.keys()) yield [`outcome/${id}#${node}`, () => outcomes.get(node)];
    for (const node of this.#seen.keys()) yield [`seen/${node}`, () => this.#seen.get(node)];
  }

  note(note: Note): void {
    this.#notes.push(note);
  }

  /** What has changed since the last call. */
  takeChanges(): Changes {
    const ended = this.head.status !== 'running';
    for (const node of this.#seenAnew) this.#changed.mark(`seen/${node}`, () => this.#seen.get(node));
    this.#seenAnew.clear();
    if (ended) this.#changed.forget();
    const { put, removed } = this.#changed.take();
    const notes = this.#notes;
    this.#notes = [];
    return { head: this.head, put, removed, ended, notes };
  }

  #keepAside(frame: Frame): void {
    this.#aside.set(frame.id, frame);
    const { parent } = frame;
    if (parent !== null) this.#asideOf.set(parent, (this.#asideOf.get(parent) ?? new Set()).add(frame.id));
  }

  /** What was set aside inside of this cursor is over for good. */
  #endAside(id: string): void {
    const children = this.#asideOf.get(id);
    if (children === undefined) return;
    this.#asideOf.delete(id);
    for (const child of children) {
      this.#aside.delete(child);
      this.#changed.mark(`aside/${child}`, () => this.#aside.get(child));
      this.endLanes(child);
    }
  }

  #named(ids: ReadonlySet<string> | undefined): Frame[] {
    const frames: Frame[] = [];
    for (const id of ids ?? []) {
      const frame = this.#frames.get(id);
      if (frame !== undefined) frames.push(frame);
    }
    return frames;
  }

  #enter(frame: Frame): void {
    this.#frames.set(frame.id, frame);
    const { parent } = frame;
    if (parent !== null) this.#children.set(parent, (this.#children.get(parent) ?? new Set()).add(frame.id));
    const standing = standingOf(frame);
    this.#standing.set(standing, (this.#standing.get(standing) ?? new Set()).add(frame.id));
    if (isSync(frame, standing)) this.#syncApprovals += 1;
    if (frame.task !== null) this.#tasks.set(this.#pathOf(frame), frame.id);
  }

  #leave(id: string): void {
    const before = this.#frames.get(id);
    if (before === undefined) return;
    const standing = standingOf(before);
    this.#standing.get(standing)?.delete(id);
    if (isSync(before, standing)) this.#syncApprovals -= 1;
    if (before.task !== null) this.#tasks.delete(this.#pathOf(before));
  }

  #load(key: string, value: Json): void {
    this.#changed.loaded(key);
    const at = key.indexOf('/');
    const rest = key.slice(at + 1);
    switch (at < 0 ? key : key.slice(0, at)) {
      case 'input':
        this.#input = value;
        return;
      case 'frame':
        this.#enter(value as unknown as Frame);
        return;
      case 'aside':
        this.#keepAside(value as unknown as Frame);
        return;
      case 'items':
        this.#lanes.loadItems(rest, value as unknown as (readonly Json[] | null)[]);
        return;
      case 'result':
        this.#lanes.loadResult(rest, value as unknown as ChildResult);
        return;
      case 'seen':
        this.#seen.set(rest, value as Seen);
        return;
      case 'outcome': {
        const [id, node] = cutOutcome(rest);
        const own = this.#outcomes.get(id) ?? new Map<string, StepOutcome>();
        this.#outcomes.set(id, own.set(node, value as unknown as StepOutcome));
      }
    }
  }
}

/** `outcome/<id>#<node>`: a step key holds no `#`, a frame's id may. */
function cutOutcome(rest: string): readonly [string, string] {
  const at = rest.lastIndexOf('#');
  return [rest.slice(0, at), rest.slice(at + 1)];
}
