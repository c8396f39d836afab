// The log as those see it who have to show it to others, and data that goes while its proof stays.
import { WritError } from '../../errors.js';
import { requireAuditRight, requireEntryRight, WHOLE_LOG } from '../log/access.js';
import { auditEntry, auditRun } from '../log/view.js';
import { makeEvidence } from '../log/evidence.js';
import { exportLog } from '../log/export.js';
import type { HeldRuns } from '../run/held-runs.js';
import { keyChanges, rotateLogKey } from '../log/key-rotation.js';
import { indexOfLeaf, proveEntry } from '../log/proof.js';
import { changeRetention, readRetention } from '../erasure/retention.js';
import type { RunStart } from '../run/start.js';
import { startErasure } from '../erasure/start.js';
import { witnessStatus } from '../witness/status.js';
import type { AuditLog, Erasures } from '../writ.js';
import type { Core } from './core.js';
import { beginRun } from './starts.js';
import type { Documents } from './workflows.js';

export function auditLogCalls({
  parts,
  guard,
  journal,
  publication,
  cadence,
  anchoring,
  anchors,
}: Core): AuditLog {
  const { store, keys, directory, softwareVersion: version } = parts;
  const { signer } = keys;
  const publishNow = (): Promise<void> => cadence.now();
  return {
    vkey: () => signer.vkey,
    async auditRun(run, principal) {
      await requireAuditRight(guard, principal, 'audit.read', run === '' ? WHOLE_LOG : run);
      return auditRun(store, run);
    },
    async auditEntry(index, principal) {
      await requireEntryRight(guard, principal, index);
      return auditEntry(store, index);
    },
    async proveEntry(which, principal) {
      // Which run a leaf hash is of shows only when the whole log is searched: the right comes first.
      if (typeof which === 'bigint') await requireEntryRight(guard, principal, which);
      else await requireAuditRight(guard, principal, 'audit.read', WHOLE_LOG);
      const index = typeof which === 'bigint' ? which : await indexOfLeaf(store, which);
      if (index === null) {
        throw new WritError('NOT_FOUND', 'the log has no entry with this leaf hash', {
          hint: 'writ audit show RUN lists those of a run',
        });
      }
      await publishNow();
      return proveEntry(store, index);
    },
    exportLog: (request, principal) =>
      exportLog({ guard, signer, publish: publishNow, ...parts.exports }, request, principal),
    rotateLogKey: (principal) =>
      journal.orStop(() => rotateLogKey(guard, { publication, keys }, principal, version)),
    keyChanges: () => keyChanges(store),
    evidence(request, principal) {
      // Evidence under a checkpoint that witnesses have seen says more; one that does not answer delays it, no more.
      const publishWitnessed = async (): Promise<void> => {
        await publishNow();
        await anchors.now(new AbortController().signal);
      };
      return makeEvidence(
        { guard, directory, signer, version, publish: publishWitnessed, openNew: parts.exports.openNew },
        request,
        principal,
      );
    },
    async handedOut(run, principal) {
      await requireAuditRight(guard, principal, 'audit.export', run);
      return (await store.copies()).filter((copy) => copy.run === run);
    },
    anchor: (signal) => anchors.now(signal),
    witnesses: () => witnessStatus(anchoring),
    onAnchor: (listener) => anchors.onReport(listener),
    publish: publishNow,
  };
}

export function erasureCalls(
  { parts: { retention }, guard, scrubbing }: Core,
  { prepareErasure, keep }: Documents,
  held: HeldRuns,
): Erasures {
  return {
    erase(request, initiator) {
      const begin = (start: RunStart): Promise<string> => beginRun(guard, held, start);
      const erasure = { guard, retention, scrubbing, prepare: prepareErasure, keep, begin };
      return startErasure(erasure, request, initiator);
    },
    retention: () => readRetention(guard, retention),
    changeRetention: (change, principal) => changeRetention(guard, retention, change, principal),
  };
}
