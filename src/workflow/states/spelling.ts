// One spelling for dialect 2: keyword keys are read with either case of their first letter and come out in native
// spelling (`startAt`, `csvHeaders`). The rule stops at user data: state names, payloads, schemas and ceilings stay as
// written.
import type { Findings } from '../diagnostic.js';
import type { Located, LocatedEntry, Segments } from '../located.js';

/** The keys of a native document, of its metadata and of its spec, down to the rules, in native spelling. */
export function nativeSpelling(root: Located, findings: Findings): Located {
  return new Speller(findings, firstLower).object(root, { metadata: {}, spec: MACHINE }, []);
}

/** As nativeSpelling, for a plain States Language document. */
export function machineSpelling(root: Located, findings: Findings): Located {
  return new Speller(findings, firstLower).object(root, MACHINE, []);
}

/**
 * As machineSpelling, for a document in compact form, which also writes `max_attempts` for `maxAttempts`, `type: task`
 * for `type: Task` and one retrier, of any error unless it says otherwise, in place of a list.
 */
export function compactSpelling(root: Located, findings: Findings): Located {
  return new Speller(findings, camelCase, true).object(root, MACHINE, []);
}

/** Keywords of an object that hold keywords again; `each`: in every item of the list, or under every name of the map. */
interface Keywords {
  readonly [key: string]: Keywords | Each | undefined;
}
interface Each {
  readonly each: Keywords;
}

const RULE: Keywords = {
  get and(): Each {
    return { each: RULE };
  },
  get or(): Each {
    return { each: RULE };
  },
  get not(): Keywords {
    return RULE;
  },
};
const STATE: Keywords = {
  retry: { each: {} },
  catch: { each: {} },
  choices: { each: RULE },
  credentials: {},
  human: {},
  itemReader: { readerConfig: {} },
  itemBatcher: {},
  resultWriter: { writerConfig: {} },
  get branches(): Each {
    return { each: MACHINE };
  },
  get itemProcessor(): Keywords {
    return MACHINE;
  },
  get iterator(): Keywords {
    return MACHINE;
  },
};
const MACHINE: Keywords = { states: { each: STATE }, processorConfig: {} };

class Speller {
  constructor(
    private readonly findings: Findings,
    private readonly spell: (key: string) => string,
    private readonly compact = false,
  ) {}

  object(node: Located, keywords: Keywords, at: Segments): Located {
    if (node.kind !== 'map') return node;
    const entries = new Map<string, LocatedEntry>();
    for (const entry of node.entries) {
      const key = this.spell(entry.key);
      if (entries.has(key)) {
        this.findings.add({
          code: 'DOC_DUPLICATE_FIELD',
          message: `${JSON.stringify(key)} is given twice, in two spellings`,
          hint: 'keep one of them',
          at: [...at, key],
          offset: entry.keyOffset,
        });
        continue;
      }
      const inner = Object.hasOwn(keywords, key) ? keywords[key] : undefined;
      entries.set(key, {
        key,
        keyOffset: entry.keyOffset,
        value: this.inner(entry.value, inner, [...at, key], keywords === STATE ? key : ''),
      });
    }
    return { ...node, entries: [...entries.values()] };
  }

  private inner(node: Located, inner: Keywords | Each | undefined, at: Segments, ofState: string): Located {
    if (this.compact && ofState === 'type') return capital(node);
    if (inner === undefined) return node;
    if (!isEach(inner)) return this.object(node, inner, at);
    const { each } = inner;
    if (node.kind === 'list') {
      return { ...node, items: node.items.map((item, i) => this.object(item, each, [...at, i])) };
    }
    if (this.compact && ofState === 'retry' && node.kind === 'map') return this.oneRetrier(node, at);
    if (each !== STATE || node.kind !== 'map') return node;
    const entries = node.entries.map((entry) => ({
      ...entry,
      value: this.object(entry.value, each, [...at, entry.key]),
    }));
    return { ...node, entries };
  }

  private oneRetrier(node: Located, at: Segments): Located {
    const retrier = this.object(node, {}, [...at, 0]);
    const { offset } = node;
    if (retrier.kind !== 'map' || retrier.entries.some(({ key }) => key === 'errorEquals')) {
      return { kind: 'list', offset, items: [retrier] };
    }
    const all: Located = { kind: 'list', offset, items: [{ kind: 'scalar', offset, value: 'States.ALL' }] };
    const entries = [...retrier.entries, { key: 'errorEquals', keyOffset: offset, value: all }];
    return { kind: 'list', offset, items: [{ ...retrier, entries }] };
  }
}

function isEach(inner: Keywords | Each): inner is Each {
  return Object.hasOwn(inner, 'each');
}

// `CSVHeaders` is `csvHeaders`; of any other key only the first letter changes.
function firstLower(key: string): string {
  return key.startsWith('CSV') ? `csv${key.slice(3)}` : key.slice(0, 1).toLowerCase() + key.slice(1);
}

function camelCase(key: string): string {
  return firstLower(key).replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function capital(node: Located): Located {
  if (node.kind !== 'scalar' || typeof node.value !== 'string') return node;
  return { ...node, value: node.value.slice(0, 1).toUpperCase() + node.value.slice(1) };
}
