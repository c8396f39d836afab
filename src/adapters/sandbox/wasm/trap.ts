// Why the engine stopped a guest, read from what it says: it has no code for that. The text is under the guest's influence
// as far as names of functions go; what it says decides a word in a report, and nothing else. The child imports this file.
import type { Trap } from './protocol.js';

/** Frames of one recursion that make its stack the likely reason. */
const MANY_FRAMES = 50;

/** The first line carries V8's fixed words, the rest names the modules and functions called, the last call first. */
export function trapOf(message: string): Trap {
  const line = message.split('\n', 1)[0] ?? '';
  const frames = [...message.matchAll(/wasm:\/\/wasm\/([0-9a-f]+):wasm-function\[([0-9]+)\]/g)];
  const modules = frames.map(([, module]) => module);
  // The engine is WebAssembly too. It stands below the guest; when it also stands above, it stopped in a guest's call.
  if (new Set(modules).size > 1 && modules[0] === modules.at(-1)) return 'engine';
  if (line.endsWith('js: unreachable')) return 'unreachable';
  if (line.endsWith('divide by zero') || line.endsWith('remainder by zero')) return 'divide_by_zero';
  if (
    line.endsWith('float unrepresentable in integer range') ||
    line.endsWith('divide result unrepresentable')
  )
    return 'integer_overflow';
  if (line.endsWith('null function or function signature mismatch')) return 'indirect_call';
  if (line.endsWith('[object WebAssembly.Exception]')) return 'exception';
  if (line.includes('Atomics.wait cannot')) return 'atomic_wait';
  if (line.includes('Maximum call stack')) return 'stack_overflow';
  if (!line.includes('out of bounds')) return 'other';
  // A guest's own stack lies at the beginning of its memory, as a rule: a recursion without end runs out of it there.
  const functions = frames.map(([, module, index]) => `${module ?? ''} ${index ?? ''}`);
  const most = functions.filter((one) => one === functions[0]).length;
  return most >= MANY_FRAMES ? 'stack_overflow' : 'out_of_bounds';
}
