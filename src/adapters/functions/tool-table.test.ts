// Names for models: legal for every id, unique, and leading back to nothing but what was offered.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAllowed, openToolTable, type ToolCatalog } from './tool-table.js';

const catalogOf = (ids: readonly string[]): ToolCatalog => ({
  functionIds: () => ids,
  describe: (id) => (ids.includes(id) ? { description: '', inputSchema: null } : null),
});
const NONE: ReadonlySet<string> = new Set();

describe('a tool table', () => {
  it('gives every id a legal name of its own, and the name leads back', () => {
    const part = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,40}$/);
    const id = fc.tuple(
      fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/),
      fc.array(part, { minLength: 1, maxLength: 3 }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(
          id.map(([ns, rest]) => [ns, ...rest].join('::')),
          { minLength: 1 },
        ),
        (ids) => {
          const table = openToolTable(ids, catalogOf(ids), NONE, 'it');
          expect(table.tools.map(({ functionId }) => functionId)).toEqual(ids);
          for (const { name, functionId } of table.tools) {
            expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
            expect(table.byName(name)?.functionId).toBe(functionId);
          }
        },
      ),
    );
  });

  it('tells ids apart that would have one name', () => {
    const ids = ['a::b.c', 'a::b_c', 'a::b::c', `a::${'x'.repeat(80)}1`, `a::${'x'.repeat(80)}2`];
    const { tools } = openToolTable(ids, catalogOf(ids), NONE, 'it');
    expect(tools.map(({ name }) => name)).toEqual([
      'a__b_c',
      'a__b_c_2',
      'a__b__c',
      `a__${'x'.repeat(61)}`,
      `a__${'x'.repeat(59)}_2`,
    ]);
  });

  it('knows no name that was not offered', () => {
    const table = openToolTable(['a::b'], catalogOf(['a::b', 'a::c']), NONE, 'it');
    for (const name of ['a::b', 'a__c', '', 'A__B', '__proto__', 'toString'])
      expect(table.byName(name)).toBeNull();
  });

  it('holds a namespace by its parts, never by the beginning of a name', () => {
    const ids = ['mcp::git::list', 'mcp::github::list', 'mcp::git::deep::er', 'mcp::git'];
    const { tools } = openToolTable(['mcp::git::*'], catalogOf(ids), NONE, 'it');
    expect(tools.map(({ functionId }) => functionId)).toEqual(['mcp::git::deep::er', 'mcp::git::list']);
    expect(isAllowed('mcp::github::list', ['mcp::git::*'])).toBe(false);
    expect(isAllowed('mcp::git', ['mcp::git::*'])).toBe(false);
    expect(isAllowed('tool::web_fetch', ['tool::web'])).toBe(false);
  });

  it('has 128 tools at most', () => {
    const ids = Array.from({ length: 129 }, (_, i) => `a::t${i}`);
    expect(openToolTable(ids.slice(1), catalogOf(ids), NONE, 'it').tools).toHaveLength(128);
    expect(() => openToolTable(ids, catalogOf(ids), NONE, 'it')).toThrow('129 functions, more than 128');
  });
});
