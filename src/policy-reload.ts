// Keeps the policies of a process that lives long those of its files: when they change, when somebody asks, and often
// enough that they do not grow stale. What a reload may change, and what stays when the files are wrong, is decided in
// runtime/live-policy.ts.
import { watchPolicyDirectory } from './adapters/policy-watch.js';

export { policyFingerprint } from './adapters/policy-watch.js';
import type { PolicyReload } from './runtime/live-policy.js';
import type { Writ } from './runtime/writ.js';

export interface PolicyKeeper {
  /** Reads the files now. */
  ask(): void;
  /** Resolves when no reload is under way. */
  stop(): Promise<void>;
}

export interface PolicyKeeping {
  /** `policyFingerprint` of the directory, from before Writ was opened. */
  readonly since: string;
  /**
   * Every reload that has changed something or could not be made; never one that found all as it was, and the same
   * hindrance once, however often it is tried against it.
   */
  readonly told: (reload: PolicyReload) => void;
  /** The log could not be written, or the files not be looked at; once as above. */
  readonly failed: (error: unknown) => void;
  /** Between two looks at the files, in ms. */
  readonly everyMs?: number;
}

const EVERY_MS = 1000;

export function keepPolicies(
  writ: Pick<Writ, 'reloadPolicies' | 'policyMaxAgeMs'>,
  directory: string,
  { since, told, failed, everyMs = EVERY_MS }: PolicyKeeping,
): PolicyKeeper {
  let last: Promise<unknown> = Promise.resolve();
  let isStopped = false;
  /** What stood in the way when it was tried last, and may be gone by itself. */
  let hindrance: string | null = null;
  const isNew = (text: string): boolean => {
    const isOther = text !== hindrance;
    hindrance = text;
    return isOther;
  };
  /** False = it has to be tried again: what is in force may not be what the files say. */
  const once = async (): Promise<boolean> => {
    if (isStopped) return true;
    try {
      const made = await writ.reloadPolicies();
      const { problem } = made;
      if (problem?.isPassing === true) {
        if (isNew(problem.message)) told(made);
        return false;
      }
      hindrance = null;
      if (made.status !== 'unchanged') told(made);
      return true;
    } catch (error) {
      if (isNew(error instanceof Error ? error.message : 'unknown error')) failed(error);
      return false;
    }
  };
  const reload = (): Promise<boolean> => {
    const made = last.then(once);
    // `told` or `failed` may throw: the next one is tried all the same.
    last = made.catch(() => undefined);
    return made;
  };
  const ask = (): void => {
    // Whoever asks is told, also what was told before.
    hindrance = null;
    reload().catch(failed);
  };
  const watch = watchPolicyDirectory(directory, { since, everyMs, changed: reload, failed });
  const { policyMaxAgeMs: maxAgeMs } = writ;
  // Three chances before they are too old.
  const timer = maxAgeMs === null ? null : setInterval(ask, Math.ceil(maxAgeMs / 4)).unref();
  return {
    ask,
    stop: async () => {
      isStopped = true;
      if (timer !== null) clearInterval(timer);
      await watch.stop();
      await last;
    },
  };
}
