// The published schemas of documents as functions, each compiled at first use. Compiling costs more than everything else
// a short command does: what is built has them compiled ahead (shape-validator.ts).
import { Ajv2020, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import { boundErrors } from '../schema-errors.js';
import agentSchema from './schema/agent.json' with { type: 'json' };
import handSchema from './schema/hand.json' with { type: 'json' };
import modelsSchema from './schema/models.json' with { type: 'json' };
import statesSchema from './schema/states.json' with { type: 'json' };
import stepsSchema from './schema/steps.json' with { type: 'json' };

/** What a document, or a part of one, is checked against. */
export const SCHEMA_NAMES = [
  'steps',
  'steps#/$defs/step',
  'states',
  'states#/$defs/machine',
  'states#/$defs/compact',
  'agent',
  'hand',
  'models',
] as const;

export type SchemaName = (typeof SCHEMA_NAMES)[number];

let ajv: Ajv2020 | null = null;

/** A function of the schema; its errors carry schema and value. */
export function validatorOf(name: SchemaName): ValidateFunction {
  // Making the code smaller takes longer than running it.
  ajv ??= openAjv({ optimize: false });
  const found = ajv.getSchema(schemaId(name));
  if (found === undefined) throw new TypeError(`no schema ${name}`);
  return found;
}

export function schemaId(name: SchemaName): string {
  return `urn:writ:schema:${name}`;
}

/** Knows all schemas by their ids and has compiled none; `code` is what ajv does about the code it makes. */
export function openAjv(code: NonNullable<Options['code']>): Ajv2020 {
  return new Ajv2020({
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
    strictTypes: false,
    strictRequired: false,
    validateSchema: false,
    allowMatchingProperties: true,
    schemas: [statesSchema, stepsSchema, agentSchema, handSchema, modelsSchema],
    code: { ...code, process: boundErrors },
  });
}
