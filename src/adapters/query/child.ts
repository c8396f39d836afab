// The process in which expressions are evaluated: takes the world away from itself, then answers one query after the
// other over the channel of its parent. It holds nothing worth taking: no environment, no files but its own program,
// no code from text. What an expression might break is this process, which its parent then kills.
import process from 'node:process';
import { evaluatorOf, type Compile } from './evaluate.js';
import { READY, type Order } from './protocol.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';

/** What the library needs of the global object: ECMAScript without what makes code or shares memory. */
const KEPT = new Set([
  'globalThis',
  'Infinity',
  'NaN',
  'undefined',
  'isFinite',
  'isNaN',
  'parseFloat',
  'parseInt',
  'decodeURI',
  'decodeURIComponent',
  'encodeURI',
  'encodeURIComponent',
  'escape',
  'unescape',
  'Array',
  'Boolean',
  'Date',
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'Number',
  'BigInt',
  'Object',
  'Promise',
  'RegExp',
  'String',
  'Symbol',
  'JSON',
  'Math',
  'Reflect',
  'Proxy',
  'Intl',
]);

let nowMs = 0;
let random: SeededRandom = seededRandom('');

async function main(libraryUrl: string): Promise<void> {
  const library = (await import(libraryUrl)) as { readonly default: Compile };
  takeAway();
  const answer = evaluatorOf(library.default, () => random);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message) => {
    // From the parent, which is trusted.
    const order = message as Order;
    ({ nowMs } = order);
    random = seededRandom(order.seed);
    void answer(order).then(
      (told) => process.send?.(`${order.id}${JSON.stringify(told)}`),
      // A fault of this program: ends the process, and the parent says so.
      () => process.exit(1),
    );
  });
  process.send?.(READY);
}

/** What an expression's code could reach by the global object; and a clock and dice that follow from the query. */
function takeAway(): void {
  const world = globalThis as unknown as Record<string, unknown>;
  const RealDate = Date;
  const RealBuffer = Buffer;
  for (const name of Object.getOwnPropertyNames(world))
    if (!KEPT.has(name)) Reflect.deleteProperty(world, name);
  // $now, $millis and the parts a date picture leaves out: all ask for the time without arguments.
  world['Date'] = class extends RealDate {
    constructor(...args: readonly [] | readonly [string | number]) {
      super(...(args.length === 0 ? ([nowMs] as const) : args));
    }
  };
  // $shuffle asks here.
  const dice = Object.create(Math) as Math;
  Object.defineProperty(dice, 'random', { value: () => random.number() });
  world['Math'] = dice;
  // $base64encode and $base64decode: the one function they use.
  world['Buffer'] = {
    from: function from(text: string, encoding: 'binary' | 'base64') {
      return RealBuffer.from(text, encoding);
    },
  };
}

await main(process.argv[2] ?? '');
