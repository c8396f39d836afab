// Is this runner well? What `tool::health_check` answers for it: its store, its audit log and its sandboxes, asked
// anew. A fault here is an answer; it never ends the run that asks.
import type { Guard } from '../guard-parts.js';
import type { LogDirectory } from '../ports.js';

/** One part of the runner. `critical`: nothing can be recorded, so nothing runs. `degraded`: some steps can't run. */
export interface SelfCheck {
  readonly name: string;
  readonly status: 'healthy' | 'degraded' | 'critical';
  readonly message?: string;
}

/** Store, audit log, and each sandbox. Starts nothing that runs a guest. Never rejects. */
export async function selfChecks(
  { store, callables }: Pick<Guard, 'store' | 'callables'>,
  directory: LogDirectory,
): Promise<readonly SelfCheck[]> {
  const sandboxes = Object.values(callables.drivers).map((driver) =>
    check(`sandbox ${driver.kind}`, 'degraded', async () => {
      const { ok, problems } = await driver.preflight();
      return ok ? null : problems.join('; ');
    }),
  );
  return Promise.all([
    check('store', 'critical', async () => {
      await store.log();
      return null;
    }),
    check('audit log', 'critical', async () => {
      const published = await directory.get('checkpoint');
      return published === null ? 'no checkpoint is published' : null;
    }),
    ...sandboxes,
  ]);
}

async function check(
  name: string,
  unwell: 'degraded' | 'critical',
  ask: () => Promise<string | null>,
): Promise<SelfCheck> {
  let problem: string | null;
  try {
    problem = await ask();
  } catch (error) {
    problem = error instanceof Error ? error.message : 'it can not be asked';
  }
  return problem === null ? { name, status: 'healthy' } : { name, status: unwell, message: problem };
}
