// Workflows as documents, and what is known of those that are registered.
import type { OutlineStep } from '../plan/outline.js';
import type { Diagnostic } from '../../workflow/diagnostic.js';
import type { FunctionProvider, Page, WorkflowRecord } from '../ports.js';
import type { Principal } from './principal.js';

export type { Diagnostic };

/** What is known of a registered workflow. */
export interface WorkflowView {
  /** The newest version. */
  readonly record: WorkflowRecord;
  /** Oldest first. */
  readonly versions: readonly Pick<WorkflowRecord, 'version' | 'hash' | 'createdAtMs'>[];
  readonly steps: readonly (OutlineStep & {
    /** `agent:<name>`, before a run maps roles; null where nobody acts but the initiator, or nobody can. */
    readonly principal: string | null;
  })[];
  /** What is wrong with it here and now: a function or package that is not there any more, a lower ceiling. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface WorkflowSource {
  readonly text: string;
  /** Where it came from; its folder's `packages/` is searched for agent packages. */
  readonly file: string | null;
}

/** Workflows: checked, registered, listed. */
export interface Workflows {
  /** Everything that can be checked without running: document, functions, agents, the workflow's own ceilings. */
  validate(
    source: WorkflowSource,
  ): Promise<{ readonly ok: boolean; readonly diagnostics: readonly Diagnostic[] }>;
  /**
   * Same id and other content = new version. Who may run the workflow may also register it, unless a rule about
   * `workflow.create` says otherwise; what policy answers is in the log. Throws DOC_INVALID with `details.diagnostics`,
   * POLICY_*, and USAGE for an id of Writ's own.
   */
  createWorkflow(source: WorkflowSource, principal: Principal): Promise<WorkflowRecord>;
  /**
   * Functions of this program, which documents may name from now on; they go through the same guard. Throws USAGE for
   * an id that is reserved or taken.
   */
  register(provider: FunctionProvider): void;
  workflows(): Promise<readonly WorkflowRecord[]>;
  /** The newest version of each, by id. */
  workflowsPage(
    page: Page,
  ): Promise<{ readonly workflows: readonly WorkflowRecord[]; readonly total: number }>;
  workflow(id: string): Promise<WorkflowRecord | null>;
  /** The newest version with its steps and who acts in them, and which versions there are; null for an unknown id. */
  workflowView(id: string): Promise<WorkflowView | null>;
}
