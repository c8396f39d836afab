// What the rooms of the guard pass on to each other about one attempt.
import type { Subject } from '../../approval/subject.js';
import type { JsonObject } from '../../json.js';
import type { Decision } from '../../policy/decision/decision.js';
import type { DataClass } from '../../workflow/data-class.js';
import type { Attempt } from './attempt.js';
import type { Callable } from '../call/callable.js';
import type { EntryContext } from '../log/entries.js';
import type { StepLimits } from './limits.js';
import type { AttemptRecord, Charge, SandboxRequest } from '../ports.js';
import type { RunPolicy } from '../run/policies.js';

/** An attempt that policy has judged, with everything it would do if it ran. */
export interface Judged {
  readonly attempt: Attempt;
  readonly context: EntryContext;
  readonly callable: Callable;
  readonly decision: Decision;
  readonly limits: StepLimits;
  readonly subject: Subject;
  /** What the sandbox will be given; null for a function. */
  readonly request: SandboxRequest | null;
  readonly evidence: JsonObject | null;
  readonly earlier: AttemptRecord | null;
  /** What the act gives carries besides what it was given. */
  readonly returns: DataClass;
  /** What its intent is charged, to every layer that has a budget. */
  readonly charges: readonly Charge[];
  /** Who wrote the workflow, where policy bars them from deciding; null where it does not. */
  readonly author: string | null;
  /** As `RunPolicy` has it. */
  readonly startPolicy: Pick<RunPolicy, 'startPolicy'>;
}
