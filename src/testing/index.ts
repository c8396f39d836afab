export { type Mock, type Mocks } from './mocks.js';
export type { Governed } from './governance.js';
export { simulate, type SimulateOptions, type Simulated } from './simulate.js';
export { testState, type TestedState, type TestStateOptions } from './test-state.js';
export { validate } from '../workflow/index.js';
