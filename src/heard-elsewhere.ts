// What the steps of a process say while they run is heard by other processes too.
import { openSpokenWords } from './adapters/spoken-words.js';
import type { Writ } from './runtime/writ.js';

/** `folder`: where they listen. Closing it closes `writ`. */
export function heardElsewhere(writ: Writ, folder: string): Writ {
  const words = openSpokenWords(folder);
  writ.onProgress((notice) => words.tell(notice));
  writ.onEntry(({ run, type, data }) => {
    if (run === null) return;
    if (type === 'run.finished') words.runEnded(run);
    const { stepPath } = data;
    if (type === 'step.finished' && typeof stepPath === 'string') words.stepEnded(run, stepPath);
  });
  return {
    ...writ,
    // A copy would stay as it is while a reload changes the policies.
    get policyHash() {
      return writ.policyHash;
    },
    async close() {
      await words.close();
      await writ.close();
    },
  };
}
