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
  /** Every reload that has changed something or could not be made; never one that found all as it was. */
  readonly told: (reload: PolicyReload) => void;
  /** The log could not be written, or the files not be looked at. */
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
  let last: Promise<void> = Promise.resolve();
  let isStopped = false;
  const reload = (): Promise<void> => {
    last = last.then(async () => {
      if (isStopped) return;
      const made = await writ.reloadPolicies();
      if (made.status !== 'unchanged') told(made);
    });
    last = last.catch(failed);
    return last;
  };
  const watch = watchPolicyDirectory(directory, { since, everyMs, changed: reload, failed });
  const { policyMaxAgeMs: maxAgeMs } = writ;
  // Three chances before they are too old.
  const timer = maxAgeMs === null ? null : setInterval(() => void reload(), Math.ceil(maxAgeMs / 4)).unref();
  return {
    ask: () => void reload(),
    stop: async () => {
      isStopped = true;
      if (timer !== null) clearInterval(timer);
      await watch.stop();
      await last;
    },
  };
}
