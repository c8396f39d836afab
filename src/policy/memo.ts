// A bounded memory of answers that can't change, by a key of one or more strings that are never joined: no two keys can
// be taken for one another. It is for values that are a function of their key alone; whoever uses it says why that holds.
// Two generations instead of an order of use: what is asked for stays, the rest goes when the younger one is full.

export class Memo<Value extends object> {
  #young = branch<Value>();
  #old = branch<Value>();
  #count = 0;
  readonly #most: number;

  /** Keeps at least the `most` values that were last asked for, and at most twice as many. */
  constructor(most: number) {
    this.#most = most;
  }

  get(...key: readonly string[]): Value | undefined {
    const value = find(this.#young, key);
    if (value !== undefined) return value;
    const kept = find(this.#old, key);
    if (kept !== undefined) this.set(kept, ...key);
    return kept;
  }

  set(value: Value, ...key: readonly string[]): void {
    if (this.#count >= this.#most) {
      this.#old = this.#young;
      this.#young = branch();
      this.#count = 0;
    }
    put(this.#young, key, value);
    this.#count += 1;
  }
}

interface Branch<Value> {
  value: Value | undefined;
  /** Null while no longer key goes on from here: most branches are ends. */
  next: Map<string, Branch<Value>> | null;
}

function branch<Value>(): Branch<Value> {
  return { value: undefined, next: null };
}

function find<Value>(root: Branch<Value>, key: readonly string[]): Value | undefined {
  let at: Branch<Value> | undefined = root;
  for (const part of key) {
    at = at.next?.get(part);
    if (at === undefined) return undefined;
  }
  return at.value;
}

function put<Value>(root: Branch<Value>, key: readonly string[], value: Value): void {
  let at = root;
  for (const part of key) {
    at.next ??= new Map();
    const known = at.next.get(part);
    const next = known ?? branch<Value>();
    if (known === undefined) at.next.set(part, next);
    at = next;
  }
  at.value = value;
}
