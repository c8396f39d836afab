import { describe, expect, it } from 'vitest';
import { trapOf } from './trap.js';

/** As V8 words it: the first line, then the calls, the last one first. */
const said = (line: string, ...frames: string[]): string =>
  [`RuntimeError: ${line}`, ...frames.map((frame) => `    at wasm://wasm/${frame}`)].join('\n');
const GUEST = (index: number): string => `aaaa1111:wasm-function[${index}]:0x10`;
const ENGINE = 'bbbb2222:wasm-function[77]:0x20';
const times = (count: number, frame: string): string[] => Array.from({ length: count }, () => frame);

describe('trapOf', () => {
  it.each([
    ['sandbox.js: unreachable', 'unreachable'],
    ['divide by zero', 'divide_by_zero'],
    ['remainder by zero', 'divide_by_zero'],
    ['Maximum call stack size exceeded', 'stack_overflow'],
    ['memory access out of bounds', 'out_of_bounds'],
    ['js: float unrepresentable in integer range', 'integer_overflow'],
    ['js: divide result unrepresentable', 'integer_overflow'],
    ['js: null function or function signature mismatch', 'indirect_call'],
    ['js: [object WebAssembly.Exception]', 'exception'],
    ['js: Atomics.wait cannot be called in this context', 'atomic_wait'],
    ['something new', 'other'],
  ])('reads %j as %s', (line, trap) => {
    expect(trapOf(said(line, GUEST(1), GUEST(2), ENGINE))).toBe(trap);
  });

  it("names a recursion that has run out of the guest's own stack", () => {
    const line = 'memory access out of bounds';
    expect(trapOf(said(line, ...times(50, GUEST(3)), ENGINE))).toBe('stack_overflow');
    expect(trapOf(said(line, ...times(49, GUEST(3)), GUEST(4), ENGINE))).toBe('out_of_bounds');
    // Deep, and not the function that failed.
    expect(trapOf(said(line, GUEST(9), ...times(80, GUEST(3))))).toBe('out_of_bounds');
  });

  it('blames the engine for what stopped in its own code', () => {
    expect(trapOf(said('unreachable', ENGINE, GUEST(1), ENGINE))).toBe('engine');
    expect(trapOf('')).toBe('other');
  });
});
