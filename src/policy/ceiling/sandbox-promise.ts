// What a ceiling can require of a sandbox (`sandbox.require`, `sandbox.profile`). Every name stands for something that a
// driver keeps, and that it refuses to run without; a name that nobody keeps is refused where the ceiling is read.

/** The one profile: every driver runs everything under it. */
export const SANDBOX_PROFILE = 'strict';

const PROMISES: readonly string[] = [
  'dropCapabilities',
  'noNetwork',
  'noNewPrivileges',
  'nonRoot',
  'readOnlyRoot',
  'seccomp',
];
/** The container runtime that has to be used: runc, runsc, kata, or as an engine names its own. */
const RUNTIME = /^runtime:[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Why a driver could not be asked to keep it; null = it can. */
export function promiseProblem(name: string): string | null {
  if (PROMISES.includes(name) || RUNTIME.test(name)) return null;
  return `what a sandbox keeps is called ${PROMISES.join(', ')} or runtime:<name>`;
}
