// `import { trigger } from 'writ'`: the process's own Writ, opened when it is first needed and closed when nothing else
// is left to do. It keeps no process alive by itself.
import { openEmbedded } from './embed.js';
import { openTrigger, type Trigger, type TriggerParts } from './trigger.js';

let opened: Promise<TriggerParts> | null = null;

/**
 * Workflows and runs by function id, on the data directory `WRIT_DATA` (default `.writ`) under the policies
 * `WRIT_POLICIES` (default `policies`), acting as the person whose key file `WRIT_KEY` names, else as the operating
 * system's user. A process that has started a run ends when the run has, or when it waits for a person.
 */
export const trigger: Trigger = openTrigger(() => {
  opened ??= openDefault();
  return opened;
});

async function openDefault(): Promise<TriggerParts> {
  const { WRIT_DATA: data = '.writ', WRIT_POLICIES: policies = 'policies', WRIT_KEY: key } = process.env;
  try {
    const { writ, parts } = await openEmbedded({ data, policies, ...(key === undefined ? {} : { key }) }, 0);
    process.once('beforeExit', () => {
      // Whoever triggers after this opens it again. An error ends the process as any other that nobody handles.
      opened = null;
      void writ.close();
    });
    return parts;
  } catch (error) {
    opened = null;
    throw error;
  }
}
