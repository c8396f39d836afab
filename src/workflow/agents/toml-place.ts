// Where the keys of a TOML file stand: its parser gives values only. Reads keys and headers line by line, of a text that
// has been parsed already; what it does not understand is placed at the table that it stands in.

export interface TomlPlace {
  /** 1-based, UTF-16 units. */
  readonly line: number;
  readonly column: number;
}

const PART = /[A-Za-z0-9_-]+|"[^"]*"|'[^']*'/gu;
const HEADER =
  /^(\s*\[(\[)?\s*)((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*\]/u;
const PAIR =
  /^(\s*)((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=\s*("""|''')?(.*)$/su;

/** More than the parser takes; a key may have any number of dots in it. */
const MOST_DEEP = 64;

/** Place of a path as `agent.model.name` or `hand.settings[1].key`, or of the nearest table around it. */
export function tomlPlaces(text: string): (path: string) => TomlPlace {
  const places = keyPlaces(text);
  return (path) => {
    let left = MOST_DEEP;
    for (let at = path; at !== '' && left > 0; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
      left -= 1;
      const place = places.get(at) ?? places.get(at.replace(/\[\d+\]$/u, ''));
      if (place !== undefined) return place;
    }
    return { line: 1, column: 1 };
  };
}

function keyPlaces(text: string): ReadonlyMap<string, TomlPlace> {
  const places = new Map<string, TomlPlace>();
  /** How often an array of tables has been begun. */
  const begun = new Map<string, number>();
  let table: readonly string[] = [];
  let closing: string | null = null;
  for (const [at, line] of text.split(/\r?\n/u).entries()) {
    if (closing !== null) {
      if (line.includes(closing)) closing = null;
      continue;
    }
    const place = (indent: string): TomlPlace => ({ line: at + 1, column: indent.length + 1 });
    const header = HEADER.exec(line);
    if (header !== null) {
      const [, indent = '', isList, key = ''] = header;
      const names = partsOf(key);
      const plain = names.join('.');
      if (isList !== undefined) begun.set(plain, (begun.get(plain) ?? 0) + 1);
      table = counted(names, begun);
      for (const path of [plain, table.join('.')]) if (!places.has(path)) places.set(path, place(indent));
      continue;
    }
    const pair = PAIR.exec(line);
    if (pair === null) continue;
    const [, indent = '', key = '', quotes, rest = ''] = pair;
    const path = [...table, ...partsOf(key)].join('.');
    if (!places.has(path)) places.set(path, place(indent));
    if (quotes !== undefined && !rest.includes(quotes)) closing = quotes;
  }
  return places;
}

function partsOf(key: string): readonly string[] {
  return Array.from(key.matchAll(PART), ([part]) => part.replace(/^(["'])(.*)\1$/u, '$2'));
}

/** With the place in the list behind each name that is one of an array of tables. */
function counted(names: readonly string[], begun: ReadonlyMap<string, number>): readonly string[] {
  return names.map((name, at) => {
    const count = begun.get(names.slice(0, at + 1).join('.'));
    return count === undefined ? name : `${name}[${count - 1}]`;
  });
}
