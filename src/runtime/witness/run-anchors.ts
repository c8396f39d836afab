// The anchoring of one open Writ: which of its runs required it, and who wants to hear what came of it. A failed sync
// while anchoring ends the process as one while publishing does.
import { anchorNow, anchorWhenDue, requireAnchor, type Anchoring, type AnchorReport } from './anchor.js';
import { isBusy, type Journal } from '../log/journal.js';

export interface RunAnchors {
  require(runId: string, signal: AbortSignal): Promise<void>;
  /** After a run was advanced: all of a run that required it, else what is due. */
  after(runId: string, signal: AbortSignal): Promise<void>;
  now(signal: AbortSignal): Promise<AnchorReport | null>;
  onReport(listener: (report: AnchorReport) => void): () => void;
}

export function openRunAnchors(anchoring: Anchoring, journal: Pick<Journal, 'orStop'>): RunAnchors {
  const required = new Set<string>();
  const listeners = new Set<(report: AnchorReport) => void>();
  return {
    async require(runId, signal) {
      required.add(runId);
      await journal.orStop(() => requireAnchor(anchoring, runId, signal));
    },
    async after(runId, signal) {
      const isRequired = required.delete(runId);
      if (signal.aborted) return;
      const anchor = isRequired ? anchorNow : anchorWhenDue;
      const report = await journal
        .orStop(() => anchor(anchoring, signal))
        .catch((error: unknown) => {
          // What is due stays due: the run has ended as it has, whoever was in the way.
          if (isRequired || !isBusy(error)) throw error;
          return null;
        });
      if (report !== null) for (const listener of listeners) listener(report);
    },
    now: (signal) => journal.orStop(() => anchorNow(anchoring, signal)),
    onReport(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
