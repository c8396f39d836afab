// One change of one entry of a log, before it is hashed: left out, moved, with other fields or in another spelling; and
// what a writer who has the key would do to hide it.
import fc from 'fast-check';
import { canonicalBytes, leafHash } from '../../src/audit/index.js';
import type { Json } from '../../src/json.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

/** Numbers are reduced to what there is. */
export type EntryEdit =
  | { readonly op: 'drop' | 'twice' | 'swap' | 'move'; readonly at: number; readonly to: number }
  | {
      readonly op: 'set' | 'remove' | 'add';
      readonly at: number;
      readonly field: number;
      readonly value: Json;
    }
  | { readonly op: 'borrow'; readonly at: number; readonly field: number; readonly from: number }
  | { readonly op: 'spell'; readonly at: number; readonly how: (typeof SPELLINGS)[number] };

const SPELLINGS = [
  'space',
  'newline',
  'escaped',
  'cut',
  'empty',
  'mark',
  'invalid',
  'float',
  'twice',
  'deep',
] as const;
const HEX = 'ab'.repeat(32);
const VALUES: readonly Json[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    2,
    -1,
    1.5,
    2 ** 53,
    1e21,
    '',
    'x',
    '0',
    '1',
    'user:bob',
    'user:alice',
    'agent:a',
  ],
  ...[
    'run-1',
    HEX,
    HEX.toUpperCase(),
    HEX.slice(1),
    'approve',
    'deny',
    'revoke',
    'approved',
    'pending',
    'os',
    'key',
  ],
  ...[
    'needs_approval',
    'allow',
    'succeeded',
    'failed',
    'indeterminate',
    'cancelled',
    'completed',
    'success',
    'person',
  ],
  ...[
    '2026-03-01T09:30:00.000Z',
    '2026-03-01T09:30:00Z',
    '2026-02-30T09:30:00.000Z',
    '9999-12-31T23:59:59.999Z',
  ],
  ...[
    '+010000-01-01T00:00:00.000Z',
    '2026-03-01T24:00:00.000Z',
    '0000-01-01T00:00:00.000Z',
    'Z',
    '\u202e',
    '\u0000',
  ],
  ...[
    'approval.requested',
    'approval.decided',
    'approval.consumed',
    'run.finished',
    'run.started',
    'step.intended',
  ],
  ...[
    'payload.erased',
    'key.rotated',
    'log.opened',
    'run.redriven',
    'a.b',
    'A.b',
    'a',
    '__proto__',
    'toString',
  ],
  ...[
    [],
    {},
    [1],
    ['user:bob'],
    [{ n: 1, role: 'r' }],
    [{ n: -1 }],
    [null],
    { id: 'x', via: 'y' },
    { toString: null },
  ],
  { length: 1 },
];

/** Every place of a value in it, its root left out. */
function placesOf(value: Json, at: readonly string[] = []): readonly (readonly string[])[] {
  const inside =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...at, key]))
      : [];
  return at.length === 0 ? inside : [at, ...inside];
}
type Fields = Record<string, unknown>;
function holderOf(entry: Fields, place: readonly string[]): Fields {
  return place.slice(0, -1).reduce((inner, key) => inner[key] as Fields, entry);
}
/** The nth of a list, counted around. */
export const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % Math.max(1, list.length)];

function parsed(bytes: Uint8Array | undefined): Fields | null {
  try {
    const value = JSON.parse(textOf(bytes)) as unknown;
    return typeof value === 'object' && value !== null ? (value as Fields) : null;
  } catch {
    return null;
  }
}

function editField(entry: Fields, edit: EntryEdit, entries: readonly Uint8Array[]): void {
  if (!('field' in edit)) return;
  const place = pick(placesOf(entry as Json), edit.field);
  const key = place?.at(-1);
  if (place === undefined || key === undefined) return;
  const holder = holderOf(entry, place);
  const put = (name: string, value: unknown): void =>
    void Object.defineProperty(holder, name, { value, enumerable: true, writable: true, configurable: true });
  if (edit.op === 'remove') delete holder[key];
  else if (edit.op === 'set') put(key, edit.value);
  else if (edit.op === 'add')
    put(pick(['extra', '__proto__', 'toString', 'reason', 'state'], edit.field) ?? '', edit.value);
  else if (edit.op === 'borrow') {
    const other = parsed(pick(entries, edit.from));
    const same = placesOf(other as Json).find((one) => one.at(-1) === key);
    if (other !== null && same !== undefined) put(key, holderOf(other, same)[key]);
  }
}

function spelled(bytes: Uint8Array, how: (typeof SPELLINGS)[number]): Uint8Array {
  const text = textOf(bytes);
  switch (how) {
    case 'space':
      return utf8(text.replace(':', ': '));
    case 'newline':
      return utf8(`${text}\n`);
    case 'escaped':
      return utf8(text.replace('"default"', '"\\u0064efault"'));
    case 'cut':
      return bytes.slice(0, -1);
    case 'empty':
      return new Uint8Array();
    case 'mark':
      return utf8(`\ufeff${text}`);
    case 'invalid':
      return Uint8Array.from([...bytes.slice(0, 20), 0xff, ...bytes.slice(20)]);
    case 'float':
      return utf8(text.replace('"v":1', '"v":1.0'));
    case 'twice':
      return utf8(text.replace('"v":1', '"v":1,"v":1'));
    case 'deep':
      return utf8(text.replace('"data":{', `"data":{"a":${'['.repeat(63)}${']'.repeat(63)},`));
  }
}

/** `entries` after `edit`, which fits any log. */
export function editEntries(entries: Uint8Array[], edit: EntryEdit): void {
  const at = edit.at % Math.max(1, entries.length);
  const entry = entries[at];
  if (entry === undefined) return;
  switch (edit.op) {
    case 'drop':
      entries.splice(at, 1);
      return;
    case 'twice':
      entries.splice(edit.to % entries.length, 0, entry);
      return;
    case 'move':
      entries.splice(edit.to % entries.length, 0, ...entries.splice(at, 1));
      return;
    case 'swap': {
      const other = edit.to % entries.length;
      entries[at] = entries[other] ?? entry;
      entries[other] = entry;
      return;
    }
    case 'spell':
      entries[at] = spelled(entry, edit.how);
      return;
    case 'set':
    case 'remove':
    case 'add':
    case 'borrow': {
      const fields = parsed(entry);
      if (fields === null) return;
      editField(fields, edit, entries);
      entries[at] = written(fields, entry);
    }
  }
}

/** In canonical form; what has none (a lone surrogate, a number too long) stays as it was. */
function written(fields: Fields, before: Uint8Array): Uint8Array {
  try {
    return canonicalBytes(fields as Json);
  } catch {
    return before;
  }
}

/** Each chain goes through again, and outcomes name their intents: what a writer with the key would see to. */
export function rechain(entries: readonly Uint8Array[]): Uint8Array[] {
  const tails = new Map<unknown, { seq: number; hash: string }>();
  const hashes = new Map<string, string>();
  const hashOf = (bytes: Uint8Array): string => Buffer.from(leafHash(bytes)).toString('hex');
  return entries.map((bytes) => {
    const fields = parsed(bytes);
    if (fields === null) return bytes;
    const tail = tails.get(fields['run']);
    Object.assign(fields, { seq: tail === undefined ? 0 : tail.seq + 1, prev: tail?.hash ?? null });
    const data = fields['data'] as Fields | null;
    const intent = typeof data === 'object' ? data?.['intent'] : undefined;
    if (typeof intent === 'string' && data !== null) data['intent'] = hashes.get(intent) ?? intent;
    const made = written(fields, bytes);
    hashes.set(hashOf(bytes), hashOf(made));
    tails.set(fields['run'], { seq: Number(fields['seq']), hash: hashOf(made) });
    return made;
  });
}

const n = fc.nat(100_000);
const value = fc.oneof({ arbitrary: fc.constantFrom(...VALUES), weight: 4 }, fc.jsonValue({ maxDepth: 2 }));
/** One change of one entry. */
export const entryEdit: fc.Arbitrary<EntryEdit> = fc.oneof(
  fc.record({ op: fc.constantFrom('drop', 'twice', 'swap', 'move'), at: n, to: n }),
  fc.record({
    op: fc.constantFrom('set', 'set', 'set', 'remove', 'add'),
    at: n,
    field: n,
    value: value as fc.Arbitrary<Json>,
  }),
  fc.record({ op: fc.constant('borrow'), at: n, field: n, from: n }),
  fc.record({ op: fc.constantFrom('spell'), at: n, how: fc.constantFrom(...SPELLINGS) }),
);
