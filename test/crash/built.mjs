// src/open.ts for processes that tests start by the hundred: from the bundle, as the command line has it (src/cli/main.ts),
// because loading is most of what such a process costs.
import { statSync } from 'node:fs';
import path from 'node:path';

const at = (name) => new URL(`../../dist/${name}`, import.meta.url);
const writtenMs = (name) => statSync(at(name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const isCurrent = writtenMs('bundle/writ.js') > writtenMs('.tsbuildinfo');

const open = await import(at(isCurrent ? 'bundle/open.js' : 'open.js').href);

export const { identify, openWrit } = open;

/** The writ of `home`, as furnish.ts has filled it, with one function of the test's own. */
export function openHome(home, provider, options = {}) {
  return openWrit({
    data: path.join(home, 'data'),
    policies: path.join(home, 'policies'),
    functions: [provider],
    trustFile: path.join(home, 'trust.json'),
    wasmPool: 0,
    ...options,
  });
}
