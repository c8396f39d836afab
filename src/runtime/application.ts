// Writ as its surfaces see it: the rooms put behind one interface. Nothing is decided here; each method asks the room
// that owns the question.
import { approvalCalls, taskCalls } from './application/approvals.js';
import { auditLogCalls, erasureCalls } from './application/audit-log.js';
import { openCore } from './application/core.js';
import type { ApplicationParts } from './application/parts.js';
import { identityCalls, reloadCall } from './application/policies.js';
import { runCalls, runViewCalls } from './application/runs.js';
import { startCalls } from './application/starts.js';
import { openDocuments, workflowCalls } from './application/workflows.js';
import { artifactRoom } from './erasure/artifact-room.js';
import { doctor } from './doctor.js';
import { openHeldRuns } from './run/held-runs.js';
import type { Guard } from './guard-parts.js';
import { openRunner } from './runner.js';
import { witnessChecks } from './witness/status.js';
import type { Writ } from './writ.js';

export type { ApplicationParts } from './application/parts.js';

export function openApplication(parts: ApplicationParts): Writ & { readonly guard: Guard } {
  const core = openCore(parts);
  const { guard, live, journal, cadence, functions, anchoring, watchers } = core;
  const { store } = parts;
  const runner = openRunner(guard);
  const dispatcher = parts.dispatcher(runner);
  const documents = openDocuments(core);
  const held = openHeldRuns(parts.locks);
  return {
    ...identityCalls(core),
    ...workflowCalls(core, documents),
    ...startCalls(core, documents, held),
    ...runCalls(core, held, { runner, dispatcher }),
    ...runViewCalls(core),
    ...taskCalls(core),
    ...approvalCalls(core),
    ...auditLogCalls(core),
    ...erasureCalls(core, documents, held),
    guard,
    origin: originOf(parts.keys.signer.vkey),
    tenant: parts.tenant,
    get policyHash() {
      return live.current().policyHash;
    },
    policyMaxAgeMs: parts.policyMaxAgeMs ?? null,
    reloadPolicies: reloadCall(core),
    artifacts: artifactRoom(guard),
    onEntry: (listener) => journal.onEntry(listener),
    onWait: (listener) => journal.onWait(listener),
    onProgress: (listener) => watchers.add(listener),
    changeCounter: () => store.changeCounter(),
    doctor: async () => [...(await doctor(guard, parts.directory)), ...(await witnessChecks(anchoring))],
    async close() {
      held.letAllGo();
      try {
        await cadence.close(!journal.stopped);
      } finally {
        for (const provider of functions.providers) await provider.close?.();
        for (const driver of Object.values(guard.callables.drivers)) await driver.close();
        await parts.queries.close();
        await store.close();
      }
    },
  };
}

function originOf(vkey: string): string {
  return vkey.slice(0, vkey.indexOf('+'));
}
