// One change of the files of a log: a byte, a hash, a line or the whole file, a file that belongs nowhere, and checkpoints
// that somebody forged, with the log's keys or with others.
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { createPrivateKey, sign } from 'node:crypto';
import {
  addSignatureLines,
  checkpointPath,
  cosignatureLine,
  formatVkey,
  parseNote,
  parseVkey,
  signNote,
  type Sign,
  type Vkey,
} from '../../src/audit/index.js';
import { pick } from './changed-entries.js';
import { ORIGIN, type MemoryDirectory } from './log-fixture.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');
/** The key of somebody who has none of the log's. */
export const FORGER = 9;

/** A checkpoint that was published: by which keys (seeds of `testSigner`), and which witnesses cosigned it when. */
export interface Published {
  readonly size: number;
  readonly by: readonly number[];
  readonly cosigned?: readonly (readonly [seed: number, seconds: bigint])[];
}

export type FileEdit =
  | {
      readonly op: 'flip' | 'cut' | 'lengthen';
      readonly file: number;
      readonly at: number;
      readonly mask: number;
    }
  | { readonly op: 'remove'; readonly file: number }
  | { readonly op: 'swap'; readonly file: number; readonly with: number }
  | { readonly op: 'copy'; readonly file: number; readonly name: string }
  | { readonly op: 'parts'; readonly file: number; readonly at: number; readonly to: number }
  | {
      readonly op: 'lines';
      readonly file: number;
      readonly at: number;
      readonly how: 'drop' | 'twice' | 'swap';
    }
  | {
      readonly op: 'forge';
      readonly file: number;
      readonly by: readonly number[];
      readonly lie: Lie;
      readonly name: string | null;
    };
export type Lie = (typeof LIES)[number];

export const LIES = [
  'none',
  'larger',
  'smaller',
  'root',
  'origin',
  'extension',
  'zero',
  'leading zero',
] as const;
const NAMES = [
  ...[
    'pending',
    'policy',
    'x.tmp',
    'tile/x.tmp',
    'checkpoints/a.tmp',
    'index.html',
    'checkpoints/5',
    'checkpoints/x',
  ],
  ...[
    'tile/0/000.p/1',
    'tile/0/000.p/2',
    'tile/0/000.p/3',
    'tile/entries/000.p/2',
    'tile/entries/000.p/3',
    'tile/0/000',
  ],
  ...[
    'tile/entries/000',
    'tile/0/001',
    'tile/1/000',
    'tile/1/000.p/1',
    'tile/1/000.p/2',
    'tile/2/000.p/1',
    'tile/64/000',
  ],
  ...[
    'tile/00/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/03',
    'tile/0/x000/000',
    'tile/0/x001/000',
  ],
  ...[
    'tile/0/000.p/255',
    'tile/0/001.p/50',
    'tile/entries/001.p/9',
    'tile',
    'vkey/x',
    'checkpoint/x',
    'a\nb',
    '\u202e',
  ],
  ...[2, 3, 4, 5, 255, 256, 300, 301].map((size) => checkpointPath(BigInt(size))),
  ...[2, 300].map((size) => `${checkpointPath(BigInt(size))}.tsr`),
  ...[
    'checkpoints/99999999999999999999',
    'checkpoints/.tsr',
    'a/b/c/d/e/f/g/h/i/j/k/l/m',
    'tile/x.tmp/y',
    '.hidden',
  ],
];

/** The text of a checkpoint, with this lie in it. */
export function lied(text: string, lie: Lie): string {
  const [origin = '', size = '0', root = '', ...rest] = text.split('\n');
  // One that has lost lines before still ends as every text that is signed.
  const lines = (...of: readonly string[]): string => [...of, ...rest].join('\n').replace(/\n?$/, '\n');
  switch (lie) {
    case 'none':
      return text;
    case 'larger':
      return lines(origin, String(Number(size) + 1), root);
    case 'smaller':
      return lines(origin, String(Math.max(1, Number(size) - 1)), root);
    case 'root':
      return lines(origin, size, Buffer.alloc(32, 3).toString('base64'));
    case 'origin':
      return lines('log.example/other', size, root);
    case 'extension':
      return lines(origin, size, root, 'more');
    case 'zero':
      return lines(origin, '0', root);
    case 'leading zero':
      return lines(origin, `0${size}`, root);
  }
}

const keys = new Map<string, { readonly vkey: string; readonly key: Vkey; readonly sign: Sign }>();

/** The key of `testSigner` for a seed, with the platform's Ed25519: tests sign very many notes. */
function keyOf(name: string, type: 1 | 4, seed: number): { vkey: string; key: Vkey; sign: Sign } {
  const known = keys.get(`${name} ${seed}`);
  if (known !== undefined) return known;
  const secret = new Uint8Array(32).fill(seed);
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret]);
  const own = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const vkey = formatVkey(name, type, ed25519.getPublicKey(secret));
  const made = { vkey, key: parseVkey(vkey), sign: (message: Uint8Array) => sign(null, message, own) };
  keys.set(`${name} ${seed}`, made);
  return made;
}
export const logVkey = (seed: number): string => keyOf(ORIGIN, 1, seed).vkey;
const witness = (seed: number): ReturnType<typeof keyOf> => keyOf(`w${seed}.example`, 4, seed);
/** The witnesses with the seeds 21, 22 and 23. */
export const WITNESSES = [21, 22, 23].map((seed) => witness(seed).vkey);

/** `text` signed by the log keys of the seeds, and cosigned by the witnesses in these seconds. */
export function noteBy(
  text: string,
  by: readonly number[],
  cosigned: Published['cosigned'] = [],
): Uint8Array {
  const lines = by.map((seed) => {
    const { key, sign } = keyOf(ORIGIN, 1, seed);
    return signNote(text, key, sign).slice(text.length + 1);
  });
  const witnessed = cosigned.map(([seed, seconds]) => {
    const { key, sign } = witness(seed);
    return cosignatureLine(text, key, seconds, sign);
  });
  return utf8(addSignatureLines(`${text}\n${lines.join('')}`, witnessed));
}

/** The directory after `edit`, which fits any log. */
export function editFile({ files }: MemoryDirectory, edit: FileEdit): void {
  const names = [...files.keys()].sort();
  const name = pick(names, edit.file) ?? 'checkpoint';
  const bytes = Uint8Array.from(files.get(name) ?? []);
  switch (edit.op) {
    case 'flip': {
      const at = edit.at % Math.max(1, bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ edit.mask;
      return void files.set(name, bytes);
    }
    case 'cut':
      return void files.set(name, bytes.slice(0, edit.at % (bytes.length + 1)));
    case 'lengthen':
      return void files.set(
        name,
        Uint8Array.from([...bytes, ...bytes.slice(0, edit.at % (bytes.length + 1)), edit.mask]),
      );
    case 'remove':
      return void files.delete(name);
    case 'swap': {
      const other = pick(names, edit.with) ?? name;
      files.set(name, files.get(other) ?? bytes);
      return void files.set(other, bytes);
    }
    case 'copy':
      return void files.set(edit.name, bytes);
    case 'parts': {
      const [at, to] = [edit.at, edit.to].map((n) => (n * 32) % Math.max(32, bytes.length)) as [
        number,
        number,
      ];
      const [one, two] = [bytes.slice(at, at + 32), bytes.slice(to, to + 32)];
      bytes.set(two.slice(0, bytes.length - at), at);
      bytes.set(one.slice(0, bytes.length - to), to);
      return void files.set(name, bytes);
    }
    case 'lines': {
      const lines = textOf(bytes).split('\n');
      const at = edit.at % lines.length;
      const [line = '', next = ''] = lines.slice(at);
      lines.splice(
        at,
        edit.how === 'swap' ? 2 : 1,
        ...{ drop: [], twice: [line, line], swap: [next, line] }[edit.how],
      );
      return void files.set(name, utf8(lines.join('\n')));
    }
    case 'forge': {
      const notes = names.filter((one) => textIn(files.get(one)) !== null);
      const note = pick(notes, edit.file) ?? 'checkpoint';
      const text = lied(textIn(files.get(note)) ?? `${ORIGIN}\n1\n\n`, edit.lie);
      return void files.set(edit.name ?? note, noteBy(text, edit.by));
    }
  }
}

/** The text of a note; null when the file is none. */
export function textIn(bytes: Uint8Array | undefined): string | null {
  try {
    return parseNote(textOf(bytes)).text;
  } catch {
    return null;
  }
}

const n = fc.nat(100_000);
export const seeds = fc.array(fc.constantFrom(7, 8, FORGER, 21), { minLength: 1, maxLength: 2 });
/** One change of one file. */
export const fileEdit: fc.Arbitrary<FileEdit> = fc.oneof(
  fc.record({
    op: fc.constantFrom('flip', 'cut', 'lengthen'),
    file: n,
    at: n,
    mask: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ op: fc.constant('remove'), file: n }),
  fc.record({ op: fc.constant('swap'), file: n, with: n }),
  fc.record({ op: fc.constant('copy'), file: n, name: fc.constantFrom(...NAMES) }),
  fc.record({ op: fc.constant('parts'), file: n, at: n, to: n }),
  fc.record({ op: fc.constant('lines'), file: n, at: n, how: fc.constantFrom('drop', 'twice', 'swap') }),
  fc.record({
    ...{ op: fc.constant('forge'), file: n, by: seeds, lie: fc.constantFrom(...LIES) },
    name: fc.option(fc.constantFrom('pending', 'checkpoint', ...NAMES)),
  }),
);
