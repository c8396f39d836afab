// The engine room: (state, event) -> state', and what has to be done now. Pure.
export type { EngineEvent, Task } from './command.js';
export { Execution, type StartOptions } from './execution.js';
export { itemsFromText } from './item-text.js';
export { isIntolerable } from './map-items.js';
export type {
  Answer,
  Query,
  QueryAnswer,
  Reading,
  ReadingAnswer,
  Request,
  Writing,
  WritingAnswer,
} from './query.js';
export { objectPlace, resultFiles, resultsInline } from './result-files.js';
export type { Trace } from './stage.js';
export type { Changes, Note, Parts, RunHead, StepError } from './state.js';
export { stepName } from './step-path.js';
