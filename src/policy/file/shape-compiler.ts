// Schemas of policy files as functions, each compiled at first use. Compiling costs more than everything else a short
// command does: what is built has them compiled ahead (shape-validator.ts).
import { Ajv2020, type Options, type ValidateFunction } from 'ajv/dist/2020.js';
import { boundErrors } from '../../schema-errors.js';
import { schemaId } from './schema-parts.js';

let ajv: Ajv2020 | null = null;

/** `schemas` are all of them, by kind, and the same at every call. */
export function validatorOf(kind: string, schemas: Readonly<Record<string, object>>): ValidateFunction {
  // Making the code smaller takes longer than running it.
  ajv ??= openAjv(schemas, { optimize: false });
  const found = ajv.getSchema(schemaId(kind));
  if (found === undefined) throw new TypeError(`no schema ${kind}`);
  return found;
}

/** Knows all schemas by their ids and has compiled none; `code` is what ajv does about the code it makes. */
export function openAjv(
  schemas: Readonly<Record<string, object>>,
  code: NonNullable<Options['code']>,
): Ajv2020 {
  const opened = new Ajv2020({
    ...{ allErrors: true, verbose: true, ownProperties: true },
    // The schemas are ours: a test compiles them with every check, so that loading need not.
    ...{ strict: false, validateSchema: false },
    // A schema that another one refers to is a function that both call.
    inlineRefs: false,
    code: { ...code, process: boundErrors },
  });
  for (const [kind, schema] of Object.entries(schemas)) opened.addSchema(schema, schemaId(kind));
  return opened;
}
