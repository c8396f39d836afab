// What the runtime needs from the outside world, and what every adapter promises. Ports carry the contracts;
// test/contract holds one suite per port that each adapter passes. This file is their one door.
export type * from './ports/anchor.js';
export { APPROVAL_STATES, TASK_STATES } from './ports/approval-record.js';
export type * from './ports/approval-record.js';
export * from './ports/artifact.js';
export type * from './ports/clock.js';
export type * from './ports/dispatch.js';
export type * from './ports/files.js';
export type * from './ports/function.js';
export type * from './ports/log.js';
export type * from './ports/log-record.js';
export type * from './ports/package.js';
export type * from './ports/query.js';
export type * from './ports/run-record.js';
export type * from './ports/sandbox.js';
export type * from './ports/secret.js';
export * from './ports/store.js';
