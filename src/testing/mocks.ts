// What stands for the functions of a workflow under test: a list of answers per state, each used once. Nothing outside
// is called.
import { isRecordable } from '../canonical-json.js';
import { WritError } from '../errors.js';
import type { StepError } from '../engine/index.js';
import { nearest } from '../expression/nearest.js';
import { isObject, readJson, type Json } from '../json.js';

/** One answer of a state, used once. */
export interface Mock {
  /** The answer to this input; without it, or where no entry fits, the entries are used in their order. */
  readonly input?: Json;
  readonly return?: Json;
  readonly throw?: { readonly error?: string; readonly cause?: string };
  /** The attempt runs into its time limit or its heartbeat. */
  readonly timeout?: boolean;
  /** Virtual time before the answer. */
  readonly delaySeconds?: number;
  /** Of a state with an approval, also one that calls nothing, or that a person fills in: false = `Approval.Denied`. */
  readonly approve?: boolean;
}

/** By state name; `echo` returns the input. `$s3`: what an itemReader reads, by `bucket/key`. */
export type Mocks = Readonly<Record<string, readonly Mock[] | 'echo' | Readonly<Record<string, string>>>>;

/** What an attempt comes to: an output, an error, or its time limit. */
export type Played =
  | { readonly kind: 'return'; readonly output: Json; readonly delayMs: number }
  | { readonly kind: 'throw'; readonly error: StepError; readonly delayMs: number }
  | { readonly kind: 'timeout'; readonly error: StepError };

export class MockPlayer {
  readonly #left = new Map<string, Mock[] | 'echo'>();
  /** By `bucket/key`; a resultWriter adds to it. */
  readonly files: Map<string, string>;

  /** Throws INPUT_INVALID for what is no mock file. `given` is attacker-controlled. */
  constructor(given: unknown) {
    const mocks = given ?? {};
    if (!isRecord(mocks)) throw invalid('', 'are an object by state name');
    for (const [name, entries] of Object.entries(mocks)) {
      if (name === '$s3') continue;
      if (entries !== 'echo' && !Array.isArray(entries)) throw invalid(name, 'are a list, or "echo"');
      const checked =
        entries === 'echo' ? entries : entries.map((entry, at) => mockOf(entry, `${name}[${at}]`));
      this.#left.set(name, checked);
    }
    const files = mocks['$s3'] ?? {};
    if (!isRecord(files)) throw invalid('$s3', 'are texts by bucket/key');
    const texts = Object.entries(files).map(([key, text]): [string, string] => [
      key,
      typeof text === 'string' ? text : JSON.stringify(text),
    ]);
    this.files = new Map(texts);
  }

  /** Throws INPUT_INVALID for mocks of a state that is not there: what they were to show would never be tried. */
  requireStates(names: ReadonlySet<string>): void {
    const unknown = [...this.#left.keys()].find((name) => !names.has(name));
    if (unknown === undefined) return;
    throw new WritError('INPUT_INVALID', `mocks of ${unknown}: the workflow has no such step or state`, {
      hint: nearest(unknown, names) ?? 'mocks are by the name of a step or state, as the document writes it',
    });
  }

  /** Is there another answer of this state to come? What echoes has one only. */
  hasMore(state: string): boolean {
    const queue = this.#left.get(state);
    return Array.isArray(queue) && queue.length > 0;
  }

  /** The first unused entry for this input, else the first unused one. */
  play(state: string, input: Json): Played {
    const queue = this.#left.get(state);
    if (queue === 'echo') return { kind: 'return', output: input, delayMs: 0 };
    const fitting = queue?.findIndex((mock) => mock.input !== undefined && isSame(mock.input, input)) ?? -1;
    const mock = queue?.splice(Math.max(fitting, 0), 1)[0];
    return mock === undefined ? noneLeft(state, queue !== undefined) : playedOf(mock);
  }
}

function playedOf(mock: Mock): Played {
  const delayMs = Math.round((mock.delaySeconds ?? 0) * 1000);
  const { error, cause } = mock.throw ?? {};
  if (mock.approve === false) {
    const denied = { name: 'Approval.Denied', code: 'APPROVAL_DENIED', kind: 'refusal' } as const;
    return { kind: 'throw', error: { ...denied, message: cause ?? 'denied' }, delayMs };
  }
  if (mock.timeout === true) return { kind: 'timeout', error: mockError(error ?? 'States.Timeout', cause) };
  if (mock.throw !== undefined) return { kind: 'throw', error: mockError(error, cause), delayMs };
  return { kind: 'return', output: mock.return ?? null, delayMs };
}

/** As a function of that name would fail; refusals and faults of integrity are what their names say. */
export function mockError(name = 'States.TaskFailed', cause = ''): StepError {
  const kind = /^(Policy|Ceiling|Approval)\./.test(name)
    ? 'refusal'
    : /^(Audit|Store|Integrity)\./.test(name)
      ? 'fatal'
      : 'failure';
  const code = name === 'States.Timeout' ? 'STEP_TIMEOUT' : 'FUNCTION_FAILED';
  return { name, code, kind, message: cause };
}

/** A hole in the mock file, not a failure of the workflow: no catcher hides it. */
function noneLeft(state: string, hadSome: boolean): Played {
  const message = hadSome ? `${state} was invoked more often than there are mocks` : `no mocks of ${state}`;
  const error = {
    name: 'Simulate.NoMockLeft',
    code: 'FUNCTION_NOT_FOUND',
    kind: 'document',
    message,
  } as const;
  return { kind: 'throw', error, delayMs: 0 };
}

const FIELDS = ['input', 'return', 'throw', 'timeout', 'delaySeconds', 'approve'];

function mockOf(entry: unknown, where: string): Mock {
  if (!isRecord(entry)) throw invalid(where, 'is an object with return or throw');
  const unknown = Object.keys(entry).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw invalid(where, `knows no "${unknown}"; it has ${FIELDS.join(', ')}`);
  const thrown = entry['throw'];
  if (
    thrown !== undefined &&
    (!isRecord(thrown) || !isTextOrAbsent(thrown['error']) || !isTextOrAbsent(thrown['cause']))
  )
    throw invalid(`${where}.throw`, 'is {error, cause}, both texts');
  if (entry['return'] !== undefined && !isRecordable(entry['return'] as Json))
    throw invalid(`${where}.return`, 'holds what no function can give: no JSON value');
  const delay = entry['delaySeconds'];
  if (delay !== undefined && !(typeof delay === 'number' && delay >= 0 && Number.isFinite(delay)))
    throw invalid(`${where}.delaySeconds`, 'is a number of seconds');
  for (const name of ['timeout', 'approve'])
    if (entry[name] !== undefined && typeof entry[name] !== 'boolean')
      throw invalid(`${where}.${name}`, 'is true or false');
  return entry;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(where: string, what: string): WritError {
  return new WritError('INPUT_INVALID', `mocks${where === '' ? '' : ` of ${where}`}: ${what}`, {
    hint: 'give {"State": [{"return": …} or {"throw": {"error", "cause"}}]}, or "echo"',
  });
}

/** Equal as JSON; texts that hold a JSON object are compared by what they hold. */
function isSame(a: Json, b: Json): boolean {
  const [one, two] = [opened(a), opened(b)];
  if (Array.isArray(one) || Array.isArray(two)) {
    const [first, second] = [one, two] as [readonly Json[], readonly Json[]];
    return (
      Array.isArray(one) &&
      Array.isArray(two) &&
      first.length === second.length &&
      first.every((item, at) => isSame(item, second[at] ?? null))
    );
  }
  if (!isObject(one) || !isObject(two)) return Object.is(one, two);
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(two).length &&
    keys.every((key) => Object.hasOwn(two, key) && isSame(one[key] ?? null, two[key] ?? null))
  );
}

function opened(value: Json): Json {
  if (typeof value !== 'string' || !value.startsWith('{')) return value;
  try {
    return readJson(value);
  } catch {
    return value; // a text that only looks like JSON
  }
}
