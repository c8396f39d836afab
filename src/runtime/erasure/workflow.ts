// Erasing is a run like any other: of this built-in workflow, whose one step calls `audit::erase`. No document can
// name that function, so nothing erases but a run of exactly this workflow, started by a person with `audit.erase`.
import { workflowHash } from '../run/state.js';
import type { Json } from '../../json.js';
import type { RunRecord } from '../ports.js';
import { OWN_WORKFLOWS } from '../workflow/create.js';
import type { WorkflowSource } from '../writ.js';

export const ERASE_FUNCTION = 'audit::erase';
const ERASE_WORKFLOW_ID = OWN_WORKFLOWS.erase;

// Idempotent: after a crash it runs again under the same approval and finds what it has erased.
const DOCUMENT: Json = {
  apiVersion: 'agentrc.workflow/v0.1',
  kind: 'AgentWorkflow',
  metadata: { name: ERASE_WORKFLOW_ID },
  spec: {
    startAt: 'Erase',
    states: { Erase: { type: 'Task', resource: ERASE_FUNCTION, idempotent: true, end: true } },
  },
};

export const ERASE_WORKFLOW: WorkflowSource = { text: `${JSON.stringify(DOCUMENT, null, 2)}\n`, file: null };

export function isErasure(run: Pick<RunRecord, 'workflowId' | 'workflowHash'>): boolean {
  return run.workflowId === ERASE_WORKFLOW_ID && run.workflowHash === workflowHash(DOCUMENT);
}
