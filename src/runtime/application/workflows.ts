// Workflows as documents: checked, registered, looked at.
import { checkWorkflow, withoutCeilings } from '../workflow/check.js';
import { authorizeCreation, OWN_AUTHOR, refuseOwnId } from '../workflow/create.js';
import { ERASE_WORKFLOW } from '../erasure/workflow.js';
import type { Guard } from '../guard-parts.js';
import { prepareWorkflow, type Prepared } from '../workflow/register.js';
import { rememberedModules, rememberedPackages } from '../call/remembered.js';
import { workflowView } from '../workflow/view.js';
import type { Principal, Workflows, WorkflowSource } from '../writ.js';
import type { Core } from './core.js';

export interface Documents {
  /** For a look at a workflow: with the packages beside its file, and each of them read once. */
  readonly near: (source: WorkflowSource) => Guard;
  readonly prepare: (source: WorkflowSource, author: Principal) => Promise<Prepared>;
  /** The one workflow that may call `audit::erase`. */
  readonly prepareErasure: () => Promise<Prepared>;
  /** Registers it, with the packages it names. */
  readonly keep: (prepared: Prepared) => Promise<void>;
}

export function openDocuments({ parts, guard, journal, builtIn }: Core): Documents {
  const { store, clock } = parts;
  const { callables } = guard;
  const near = ({ file }: WorkflowSource): Guard => ({
    ...guard,
    callables: {
      ...callables,
      packages: rememberedPackages(parts.packagesBeside(file)),
      modules: rememberedModules(callables.modules),
    },
  });
  return {
    near,
    async prepare(source, { id }) {
      const checked = await checkWorkflow(near(source), source);
      // Flags are no document to be corrected: a ceiling refuses them as it refuses a step, with its entries.
      const found = parts.isSandboxTrial === true ? withoutCeilings(checked) : checked;
      return prepareWorkflow(source, found, { store, clock, author: id });
    },
    async prepareErasure() {
      const own = { ...guard, callables: { ...callables, providers: builtIn } };
      const checked = await checkWorkflow(own, ERASE_WORKFLOW);
      return prepareWorkflow(ERASE_WORKFLOW, checked, { store, clock, author: OWN_AUTHOR });
    },
    async keep({ record, agents, isKnown }) {
      const keys = guard.policy().packageSigners.map(({ key }) => key);
      for (const digest of agents) await parts.keepPackage(record.file, digest, keys);
      if (!isKnown) await journal.commit({ workflows: [record], entries: [] });
    },
  };
}

export function workflowCalls({ guard, functions }: Core, { near, prepare, keep }: Documents): Workflows {
  const { store } = guard;
  return {
    async validate(source) {
      const { diagnostics } = await checkWorkflow(near(source), source);
      return { ok: !diagnostics.some((one) => one.severity === 'error'), diagnostics };
    },
    async createWorkflow(source, principal) {
      const prepared = await prepare(source, principal);
      refuseOwnId(prepared.record.id);
      await authorizeCreation(guard, prepared, principal);
      await keep(prepared);
      return prepared.record;
    },
    register: (provider) => functions.add(provider),
    workflows: () => store.workflows(),
    workflowsPage: (page) => store.workflowsPage(page),
    workflow: (id) => store.workflow(id),
    async workflowView(id) {
      const record = await store.workflow(id);
      return record === null ? null : workflowView(near({ text: record.source, file: record.file }), id);
    },
  };
}
