// src/open.ts for processes that tests start by the hundred: from the bundle, as the command line has it (src/cli/main.ts),
// because loading is most of what such a process costs.
import { statSync } from 'node:fs';

const at = (name) => new URL(`../../dist/${name}`, import.meta.url);
const writtenMs = (name) => statSync(at(name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const isCurrent = writtenMs('bundle/writ.js') > writtenMs('.tsbuildinfo');

export const { identify, openWrit } = await import(at(isCurrent ? 'bundle/open.js' : 'open.js').href);
