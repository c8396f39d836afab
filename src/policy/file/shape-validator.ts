// Where validators come from. The build puts another file in the place of this one, with the schemas compiled ahead
// (test/bundle.mjs); until then, and in tests, they are compiled when they are first used.
export { validatorOf } from './shape-compiler.js';
