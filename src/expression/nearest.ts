// "Did you mean", as the rooms that read documents know it.
export { nearest } from '../nearest.js';
