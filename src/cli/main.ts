#!/usr/bin/env node
// The `writ` command. It runs from the bundle (test/bundle.mjs), a few files where the modules are hundreds: most of what
// a short command costs is loading. When tsc has written anything since the bundle was made it runs from the modules, so
// that nobody tries what is no longer there.
import { statSync } from 'node:fs';

const bundle = new URL('../bundle/writ.js', import.meta.url);
const made = writtenMs(bundle);
// An installed package has no such file: nothing is compiled there.
const compiled = writtenMs(new URL('../.tsbuildinfo', import.meta.url));

await import(made !== null && made > (compiled ?? 0) ? bundle.href : './start.js');

/** Null when there is no such file. */
function writtenMs(file: URL): number | null {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}
