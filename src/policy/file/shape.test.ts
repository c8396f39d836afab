import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { schemaId } from './schema-parts.js';
import { checkShape, SCHEMAS } from './shape.js';
import { validatorOf } from './shape-validator.js';

describe('the schemas of policy files', () => {
  // Loading a directory compiles them without these checks, to be quick.
  it.each(Object.entries(SCHEMAS))('%s is a schema in the strict sense', (_, schema) => {
    const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: true, ownProperties: true });
    for (const [kind, one] of Object.entries(SCHEMAS)) ajv.addSchema(one, schemaId(kind));
    expect(() => ajv.compile(schema)).not.toThrow();
  });
});

describe('HOLE: a document with very many faults', () => {
  const header = { apiVersion: 'writ/v1', kind: 'PolicyTest' };
  const wrong = { layer: 'step', name: 'x', spec: { unknown: 1 } };
  const cases = Array.from({ length: 5_000 }, () => ({
    name: 'one',
    request: { initiator: 'user:a', domain: 'd', action: 'a', resource: 'r', layers: [wrong] },
    expect: 'deny',
  }));

  it('is refused, and no more of its faults are held together than anybody is told of', () => {
    const check = validatorOf('PolicyTest', SCHEMAS);
    expect(check({ ...header, cases })).toBe(false);
    expect(check.errors?.length).toBeGreaterThanOrEqual(1_000);
    expect(check.errors?.length).toBeLessThan(1_100);
  });

  it.each([
    ['parts', 'PolicyTest', { ...header, cases }],
    ['items', 'CeilingSpec', { functions: { allow: Array.from({ length: 50_000 }, (_, at) => at) } }],
    [
      'fields',
      'CeilingSpec',
      Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`unknown${at}`, 1])),
    ],
  ] as const)('is explained as far as a list of problems goes: %s', (_, kind, value) => {
    const shape = checkShape(kind, value as Json);
    expect(shape.ok ? 0 : shape.problems.length).toBe(200);
  });

  it('compares no two objects with one another, and strings by a table only', () => {
    const compared: unknown[] = [];
    JSON.stringify(SCHEMAS, (_, value: unknown) => {
      const { uniqueItems, items } = (value ?? {}) as { uniqueItems?: true; items?: { type?: string } };
      if (uniqueItems === true) compared.push(items?.type);
      return value;
    });
    expect(compared.length).toBeGreaterThan(10);
    expect(new Set(compared)).toEqual(new Set(['string']));
  });
});
