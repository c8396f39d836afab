// A form, filled in field by field at a terminal. Every answer is checked against its field before the next is asked, and
// the whole at the end; nothing is sent before the person has seen all of it and said yes. Text of the document is shown
// with what hides in it written out.
import { isObject, type Json, type JsonObject } from '../../json.js';
import { checkValue } from '../../workflow/input.js';
import { areNumbered, choicesOf, typedValue } from './form-value.js';
import { printable } from '../output.js';
import { detailOf, shownValue, typeOf } from './form.js';

/** Where a person is asked. */
export interface Asking {
  /** A line to read. */
  say(line: string): void;
  /** What was typed, without its line end; null when the person has gone away. */
  ask(question: string): Promise<string | null>;
}

/** Deeper objects are asked for as JSON. */
const MAX_DEPTH = 4;

/** In place of a value: the field is left out. */
const LEFT_OUT = Symbol('left out');
type Filled = Json | typeof LEFT_OUT;

/** One field of the form, or all of it. */
interface Field {
  readonly schema: Json;
  /** Names from the outermost on; empty = the whole form. */
  readonly path: readonly string[];
  readonly isRequired: boolean;
  /** What it was given when it was asked for before. */
  readonly before: Json | undefined;
}

/** Thrown and caught here alone: the person has gone away. */
class Gone extends Error {}

/** What was filled in; null when the person went away, or did not say yes. `by` is who answers. */
export async function fillForm(
  form: Json,
  by: string,
  asking: Asking,
): Promise<{ readonly output: Json } | null> {
  try {
    for (let before: Json | undefined; ;) {
      const output = await askForAll(form, before, asking);
      const problems = checkValue(form, output, 'output');
      if (problems.length > 0) {
        asking.say('');
        asking.say('this does not fit the form yet:');
        for (const { message } of problems) asking.say(`  ${printable(message)}`);
        asking.say('once more; an empty line keeps what you gave');
        before = output;
        continue;
      }
      asking.say('');
      asking.say('your answer');
      for (const line of JSON.stringify(output, null, 2).split('\n')) asking.say(`  ${printable(line)}`);
      const word = await said(`send it as ${printable(by)}? yes or no: `, asking);
      return word.trim().toLowerCase() === 'yes' ? { output } : null;
    }
  } catch (error) {
    if (error instanceof Gone) return null;
    throw error;
  }
}

async function askForAll(schema: Json, before: Json | undefined, asking: Asking): Promise<Json> {
  const form = { schema, path: [], isRequired: true, before };
  const properties = propertiesOf(form);
  if (properties !== null) return askForMembers(form, properties, asking);
  const value = await askForValue({ ...form, path: ['answer'] }, asking);
  return value === LEFT_OUT ? null : value;
}

/** Null for what is no object with fields, and for one that lies too deep. */
function propertiesOf({ schema, path }: Field): JsonObject | null {
  const properties = isObject(schema) ? schema['properties'] : undefined;
  return isObject(properties) && path.length <= MAX_DEPTH ? properties : null;
}

async function askForMembers(of: Field, properties: JsonObject, asking: Asking): Promise<JsonObject> {
  const { schema, path, before } = of;
  const listed = isObject(schema) ? schema['required'] : undefined;
  const required = Array.isArray(listed) ? listed : [];
  const filled: [string, Json][] = [];
  for (const [name, one] of Object.entries(properties)) {
    const value = await askForMember(
      {
        schema: one,
        path: [...path, name],
        isRequired: required.includes(name),
        before: isObject(before) && Object.hasOwn(before, name) ? before[name] : undefined,
      },
      asking,
    );
    if (value !== LEFT_OUT) filled.push([name, value]);
  }
  return Object.fromEntries(filled);
}

async function askForMember(field: Field, asking: Asking): Promise<Filled> {
  const properties = propertiesOf(field);
  if (properties === null) return askForValue(field, asking);
  const name = nameOf(field);
  asking.say('');
  asking.say(`${name}: several fields${detailOf(field.schema)}`);
  if (!field.isRequired) {
    const word = (await said(`fill in ${name}? yes, or an empty line to leave it out: `, asking)).trim();
    if (word.toLowerCase() !== 'yes' && word.toLowerCase() !== 'y') return LEFT_OUT;
  }
  return askForMembers(field, properties, asking);
}

async function askForValue(field: Field, asking: Asking): Promise<Filled> {
  const { schema, isRequired } = field;
  const preset = field.before ?? (isObject(schema) ? schema['default'] : undefined);
  sayWhat(field, asking);
  const otherwise = preset === undefined ? '' : ` [${shownValue(preset)}]`;
  for (;;) {
    const text = await said(`${nameOf(field)}${otherwise}: `, asking);
    if (text.trim() === '') {
      if (preset !== undefined) return preset;
      if (!isRequired) return LEFT_OUT;
      asking.say('  it is required');
      continue;
    }
    const typed = typedValue(schema, text);
    const problems = 'problem' in typed ? [typed.problem] : faultsOf(schema, typed.value);
    if ('value' in typed && problems.length === 0) return typed.value;
    for (const problem of problems) asking.say(`  ${printable(problem)}`);
  }
}

/** Its name and type, and what there is to choose from. */
function sayWhat(field: Field, asking: Asking): void {
  const { schema, isRequired } = field;
  const choices = choicesOf(schema);
  const type = choices === null ? typeOf(schema) : 'one of these';
  asking.say('');
  asking.say(`${nameOf(field)}: ${type}${isRequired ? ', required' : ''}${detailOf(schema)}`);
  const isNumbered = choices !== null && areNumbered(choices);
  choices?.forEach((one, at) => asking.say(`  ${isNumbered ? `${at + 1}) ` : ''}${shownValue(one)}`));
}

/** A field that refers to the rest of its schema can't be checked by itself; the whole is checked at the end. */
function faultsOf(schema: Json, value: Json): readonly string[] {
  if (!isObject(schema) || /"\$(?:dynamic)?ref":/iu.test(JSON.stringify(schema))) return [];
  return checkValue(schema, value, 'value').map(({ message }) => message);
}

async function said(question: string, asking: Asking): Promise<string> {
  const text = await asking.ask(question);
  if (text === null) throw new Gone();
  return text;
}

function nameOf({ path }: Field): string {
  return path.map((name) => printable(name)).join('.');
}
