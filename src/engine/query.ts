// What the engine asks for beside tasks: JSONata is evaluated outside, and the items and results of a distributed Map lie
// in a store. The answer is stored with what follows from it; nothing depends on asking again.
import type { ErrorCode } from '../errors.js';
import type { Json, JsonObject } from '../json.js';
import type { ItemReader, ResultWriter } from '../workflow/plan.js';

export interface Query {
  /** Id of the cursor that asks; '' = the run itself. */
  readonly id: string;
  /** Counts the queries of the run: an answer to another one changes nothing. */
  readonly at: number;
  /** By field name: JSON in which strings `{% … %}`, at any depth, are expressions. */
  readonly fields: Readonly<Record<string, Json>>;
  /** `$states`. */
  readonly states: JsonObject;
  /** `$name`. */
  readonly variables: JsonObject;
  /** What `$now` and `$millis` say. */
  readonly nowMs: number;
  /** 32 bytes in hex, other ones for each query: what `$random` and `$uuid` draw from. */
  readonly seed: string;
}

export type QueryAnswer =
  | { readonly ok: true; readonly values: Readonly<Record<string, Json>> }
  | {
      readonly ok: false;
      /** The field and the place in it: `arguments/a/b`. */
      readonly field: string;
      readonly expression: string;
      /** `undefined`: it gave nothing. `type`: what JSON can't say. `limit`: time, memory or size. */
      readonly problem: 'undefined' | 'type' | 'error' | 'limit';
      readonly message: string;
    };

/** Items of a Map from where its itemReader says. */
export interface Reading {
  readonly id: string;
  readonly at: number;
  readonly reader: ItemReader;
  /** `parameters` or `arguments`, worked out. */
  readonly arguments: Json;
  /** Positive; null = all. */
  readonly maxItems: number | null;
}

/** What kept the runner from reading or writing. */
export interface StoreFault {
  readonly ok: false;
  readonly message: string;
  /** A refusal, or broken integrity: no tolerance and no catch-all takes it. Absent = the reader's or writer's own fault. */
  readonly code?: ErrorCode;
}

/** A list, or an object whose entries are the items. */
export type ReadingAnswer = { readonly ok: true; readonly items: Json } | StoreFault;

/** Results of a distributed Map, in item order, to where its resultWriter says. */
export interface Writing {
  readonly id: string;
  readonly at: number;
  readonly writer: ResultWriter;
  readonly arguments: Json;
  readonly results: readonly {
    readonly index: number;
    readonly input: Json;
    readonly output: Json;
    readonly error: { readonly code: string; readonly message: string } | null;
  }[];
}

/** `output`: what the state's result is instead of the list. */
export type WritingAnswer = { readonly ok: true; readonly output: Json } | StoreFault;

export type Answer = QueryAnswer | ReadingAnswer | WritingAnswer;

export type Request =
  | ({ readonly kind: 'query' } & Query)
  | ({ readonly kind: 'read' } & Reading)
  /** `stepPath`: names the act; other than that of every task, and another one each time the state is entered. */
  | ({ readonly kind: 'write'; readonly stepPath: string } & Writing);
