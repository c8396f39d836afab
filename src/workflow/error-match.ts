// Which errors a `retry` or `catch` list matches (ASL: errors). A refusal answers to its own name only,
// and only in `catch`; a fatal error, a document error and States.Runtime answer to nothing. No wildcard widens that.

export interface CaughtError {
  /** Dotted name, e.g. `Approval.Denied`. */
  readonly name: string;
  readonly kind: 'refusal' | 'failure' | 'fatal' | 'document';
}

const SAME_NAME: Readonly<Record<string, string>> = {
  'Runner.Timeout': 'States.Timeout',
  'Platform.Timeout': 'States.Timeout',
  'Approval.Rejected': 'Approval.Denied',
  'Approval.Timeout': 'Approval.Expired',
};
const TIMEOUTS: ReadonlySet<string> = new Set(['States.Timeout', 'States.HeartbeatTimeout']);

/** The one spelling of a name that has several. */
export function canonicalErrorName(name: string): string {
  return Object.hasOwn(SAME_NAME, name) ? (SAME_NAME[name] ?? name) : name;
}

/** Names of policy, ceiling and approval refusals: no retry may list them. */
export function isRefusalName(name: string): boolean {
  return /^(Policy|Ceiling|Approval)\./.test(name);
}

/** Names that no retrier or catcher ever matches. */
export function isFatalName(name: string): boolean {
  return /^(Audit|Store|Integrity)\./.test(name);
}

/** Does the list match the error? Decided by name and kind alone. */
export function errorMatches(names: readonly string[], error: CaughtError, use: 'retry' | 'catch'): boolean {
  const name = canonicalErrorName(error.name);
  switch (error.kind) {
    case 'fatal':
    case 'document':
      return false;
    case 'refusal':
      // A refusal without a name of its own can't be caught: `States.…` never stands for one.
      return use === 'catch' && isRefusalName(name) && names.some((one) => canonicalErrorName(one) === name);
    case 'failure':
      if (name === 'States.Runtime' || isRefusalName(name) || isFatalName(name)) return false;
      return names.some((one) => failureMatches(canonicalErrorName(one), name));
  }
}

function failureMatches(listed: string, name: string): boolean {
  if (listed === 'States.ALL' || listed === name) return true;
  // A missed heartbeat is reported as a timeout, and a list that names either means both.
  if (name === 'States.HeartbeatTimeout' && listed === 'States.Timeout') return true;
  if (listed !== 'States.TaskFailed') return false;
  return !TIMEOUTS.has(name) && name !== 'States.DataLimitExceeded';
}
