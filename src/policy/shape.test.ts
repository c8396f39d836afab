import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { schemaId } from './schema-parts.js';
import { SCHEMAS } from './shape.js';

describe('the schemas of policy files', () => {
  // Loading a directory compiles them without these checks, to be quick.
  it.each(Object.entries(SCHEMAS))('%s is a schema in the strict sense', (_, schema) => {
    const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: true, ownProperties: true });
    for (const [kind, one] of Object.entries(SCHEMAS)) ajv.addSchema(one, schemaId(kind));
    expect(() => ajv.compile(schema)).not.toThrow();
  });
});
