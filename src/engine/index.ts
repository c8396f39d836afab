// The engine room: (state, event) -> state', and what has to be done now. Pure.
export type { EngineEvent, Task } from './command.js';
export { Execution, type StartOptions } from './execution.js';
export type { Changes, Note, Parts, RunHead, StepError } from './state.js';
export { stepName } from './step-path.js';
