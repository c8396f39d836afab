// What the States Language adds to JSONata: $partition, $range, $hash, $random, $uuid and $parse. `$eval` is taken away,
// as on AWS: calling it is calling nothing.
import { createHash } from 'node:crypto';
import type jsonata from 'jsonata';
import { javaRandom, type SeededRandom } from './seeded-random.js';

/** Items `$range` and `$partition` may give; the library's own lists have the same bound. */
export const MAX_ITEMS = 100_000;

const HASHES: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

/** Gives `expression` the functions; `random` is asked when one is called. */
export function addFunctions(expression: jsonata.Expression, random: () => SeededRandom): void {
  expression.assign('eval', undefined);
  expression.registerFunction('partition', partition, '<an:a>');
  expression.registerFunction('range', range, '<nnn:a<n>>');
  expression.registerFunction('hash', hash, '<xs:s>');
  expression.registerFunction('parse', parse, '<s:x>');
  expression.registerFunction(
    'random',
    (seed?: number) => (seed === undefined ? random().number() : javaRandom(Math.trunc(seed))),
    '<n?:n>',
  );
  expression.registerFunction('uuid', () => random().uuid(), '<:s>');
}

function partition(items?: readonly unknown[], size?: number): unknown[][] | undefined {
  if (items === undefined || size === undefined) return undefined;
  const length = Math.trunc(size);
  if (length < 1) throw new Error('the chunk size of the partition function must be a positive integer');
  const parts: unknown[][] = [];
  for (let at = 0; at < items.length; at += length) parts.push(items.slice(at, at + length));
  return parts;
}

/** From the first to the last, which is included where a step falls on it. One value alone is that value. */
function range(first?: number, last?: number, step?: number): unknown {
  if (first === undefined || last === undefined || step === undefined) return undefined;
  if (step === 0) throw new Error('the step of the range function must not be 0');
  const count = Math.max(0, Math.floor((last - first) / step) + 1);
  if (count > MAX_ITEMS)
    throw new Error(`the range function would give ${count} items; ${MAX_ITEMS} are allowed`);
  // As the library marks its own sequences: without items it is nothing, with one item it is that item.
  const values = Array.from({ length: count }, (_, index) => first + index * step);
  return Object.defineProperty(values, 'sequence', { value: true });
}

function hash(data?: unknown, algorithm?: string): string | undefined {
  if (data === undefined || algorithm === undefined) return undefined;
  const name = HASHES[algorithm];
  if (name === undefined || !Object.hasOwn(HASHES, algorithm))
    throw new Error(`the hash function knows ${Object.keys(HASHES).join(', ')}, not "${algorithm}"`);
  return createHash(name)
    .update(typeof data === 'string' ? data : JSON.stringify(data))
    .digest('hex');
}

function parse(text?: string): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Node's own message quotes the text, which is data of the run.
    throw new Error('the parse function was given what is no JSON');
  }
}
