// What the evaluator and its child say to each other. The child is not trusted: its answer is a text, which the
// evaluator parses as JSON and checks. The child imports this file, so it imports nothing but types.
import type { Json, JsonObject } from '../../json.js';

/** What is started, and all it may read. Paths are absolute and free of links. */
export interface Launch {
  readonly script: string;
  /** The child's one argument. */
  readonly libraryUrl: string;
  readonly libraryDirectory: string;
}

/** Sent by structured clone. */
export interface Order {
  /** Nobody can foresee it; the answer begins with it, so that nothing said earlier is taken for the answer. */
  readonly id: string;
  readonly fields: Readonly<Record<string, Json>>;
  readonly states: JsonObject;
  readonly variables: JsonObject;
  readonly nowMs: number;
  /** 32 bytes in hex. */
  readonly seed: string;
  /** The child gives up by itself a little before it is killed: then it can say where. */
  readonly timeoutMs: number;
}

/** Said once, when the library is loaded. */
export const READY = 'ready';

/** Longest answer that is read, in UTF-16 code units. */
export const MAX_ANSWER_CHARACTERS = 64 * 1024 * 1024;
