import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { CHOICE_OPERATORS } from '../expression/choice.js';
import { FUNCTION_ID } from './functions.js';
import statesSchema from './schema/states.json' with { type: 'json' };
import stepsSchema from './schema/steps.json' with { type: 'json' };

describe('the published schemas', () => {
  it('are JSON Schema 2020-12', () => {
    const ajv = new Ajv2020();
    for (const schema of [statesSchema, stepsSchema]) {
      expect(ajv.validateSchema(schema), JSON.stringify(ajv.errors)).toBe(true);
    }
  });

  it('close every object that has fields of its own', () => {
    const open: string[] = [];
    const walk = (value: unknown, at: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const schema = value as Record<string, unknown>;
      const dispatches = schema['allOf'] !== undefined || /\/if$/.test(at);
      if (schema['properties'] !== undefined && schema['additionalProperties'] !== false && !dispatches)
        open.push(at);
      for (const [key, inner] of Object.entries(schema)) walk(inner, `${at}/${key}`);
    };
    walk(statesSchema, 'states');
    walk(stepsSchema, 'steps');
    expect(open).toEqual([]);
  });

  it.each([
    ['steps', stepsSchema],
    ['states', statesSchema],
  ])('say what every field of %s means', (dialect, schema) => {
    const defs: Readonly<Record<string, object>> = schema.$defs;
    const silent: string[] = [];
    const walk = (value: unknown, at: string): void => {
      if (typeof value !== 'object' || value === null || /\/(if|then|else)$/.test(at)) return;
      const { properties } = value as { properties?: Record<string, Record<string, unknown>> };
      for (const [name, field] of Object.entries(properties ?? {})) {
        const named = (typeof field['$ref'] === 'string' ? field['$ref'] : '').replace('#/$defs/', '');
        const told =
          field['description'] ?? (defs[named] as { description?: unknown } | undefined)?.description;
        if (typeof told !== 'string' || !told.endsWith('.')) silent.push(`${at}.${name}`);
      }
      for (const [key, inner] of Object.entries(value)) walk(inner, `${at}/${key}`);
    };
    walk(schema, dialect);
    expect(silent).toEqual([]);
  });

  it('spell the id of a function as the rest of the room does', () => {
    expect(stepsSchema.$defs.step.properties.functionId.pattern).toBe(FUNCTION_ID.source);
  });

  it('know every Choice operator', () => {
    const known = Object.keys(statesSchema.$defs.rule.properties);
    const keywords = ['comment', 'next', 'and', 'or', 'not', 'variable', 'condition', 'assign', 'output'];
    expect(known.sort()).toEqual([...keywords, ...CHOICE_OPERATORS.keys()].sort());
  });

  it('describe gates and sandboxes alike in both dialects', () => {
    for (const name of ['approval', 'sandbox'] as const) {
      // Fields named x-… are for dialect 1 only.
      const text = JSON.stringify(stepsSchema.$defs[name], (key, value: unknown) =>
        key === 'patternProperties' ? undefined : value,
      );
      expect(statesSchema.$defs[name]).toEqual(JSON.parse(text));
    }
  });
});
