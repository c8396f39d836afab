export { type Command, type EngineEvent } from './command.js';
export { apply, command, start, type StartOptions } from './interpret.js';
export { type CurrentTask, type EngineState, type StepError, type StepOutcome } from './state.js';
