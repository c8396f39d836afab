import { describe, expect, it } from 'vitest';
import { validate } from '../parse.js';

const machine = (name: string, state: object): string =>
  JSON.stringify({ StartAt: name, States: { [name]: { Type: 'Pass', End: true, ...state } } });
const codes = (text: string): string[] => validate(text).diagnostics.map(({ code }) => code);

describe('the name of a state', () => {
  it('has 1 to 80 characters', () => {
    expect(codes(machine('', {}))).toEqual(['DOC_BAD_VALUE']);
    expect(codes(machine('x', {}))).toEqual([]);
    expect(codes(machine('é'.repeat(80), {}))).toEqual([]);
    expect(codes(machine('é'.repeat(81), {}))).toEqual(['DOC_BAD_VALUE']);
  });
});

describe('a field whose name is empty', () => {
  it('is data where somebody writes data, at any depth', () => {
    expect(codes(machine('S', { Result: { '': [{ '': 1 }] } }))).toEqual([]);
    expect(codes(machine('S', { Parameters: { '': { 'a.$': '$.a' } } }))).toEqual([]);
  });

  it('is unknown in a state, and no variable', () => {
    expect(codes(machine('S', { '': 1 }))).toEqual(['DOC_UNKNOWN_FIELD']);
    expect(codes(machine('S', { Assign: { '': 1 } }))).toEqual(['DOC_BAD_VALUE']);
  });
});
