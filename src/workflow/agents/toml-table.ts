// A table of a TOML file, read field by field: what nobody has asked for is left, and can be told. The text is foreign.
import { nearest } from '../../expression/nearest.js';
import { isObject, type Json, type JsonObject } from '../../json.js';

/** A table that knows which of its fields have been read. */
export class Table {
  private readonly seen = new Set<string>();
  private readonly asked = new Set<string>();
  private readonly inner: Table[] = [];

  constructor(
    private readonly value: JsonObject,
    readonly path: string,
  ) {}

  has(key: string): boolean {
    return Object.hasOwn(this.value, key);
  }

  text(key: string): string | null {
    return this.take(key, (value) => typeof value === 'string');
  }

  number(key: string): number | null {
    return this.take(key, (value) => typeof value === 'number');
  }

  boolean(key: string): boolean | null {
    return this.take(key, (value) => typeof value === 'boolean');
  }

  list(key: string): readonly string[] | null {
    return this.take(
      key,
      (value): value is readonly string[] =>
        Array.isArray(value) && value.every((item) => typeof item === 'string'),
    );
  }

  table(key: string): Table | null {
    const value = this.take(key, isObject);
    return value === null ? null : this.open(value, this.pathOf(key));
  }

  tables(key: string): readonly Table[] {
    const list = this.take(
      key,
      (value): value is readonly JsonObject[] => Array.isArray(value) && value.every(isObject),
    );
    return (list ?? []).map((value, at) => this.open(value, `${this.pathOf(key)}[${at}]`));
  }

  /** Values that nobody has asked for, or that have another type than was asked for; `near`: what it may have meant. */
  *unread(): Generator<{ readonly path: string; readonly near: string | undefined }> {
    for (const [key, value] of Object.entries(this.value)) {
      if (this.seen.has(key)) continue;
      const near = nearest(
        key,
        [...this.asked].filter((one) => !this.has(one)),
      );
      for (const path of leavesOf(value, this.pathOf(key))) yield { path, near };
    }
    for (const table of this.inner) yield* table.unread();
  }

  private take<Value extends Json>(key: string, fits: (value: Json) => value is Value): Value | null {
    this.asked.add(key);
    if (!this.has(key)) return null;
    const value = this.value[key] ?? null;
    if (!fits(value)) return null;
    this.seen.add(key);
    return value;
  }

  private open(value: JsonObject, path: string): Table {
    const table = new Table(value, path);
    this.inner.push(table);
    return table;
  }

  pathOf(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }
}

function* leavesOf(value: Json, path: string): Generator<string> {
  if (!isObject(value) || Object.keys(value).length === 0) {
    yield path;
    return;
  }
  for (const [key, inner] of Object.entries(value)) yield* leavesOf(inner, `${path}.${key}`);
}
