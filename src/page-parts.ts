// The evidence page as it was built beside this file (test/evidence-page.mjs), read when a page is written or judged.
import { readFile } from 'node:fs/promises';
import type { PageParts } from './audit/evidence/page-file.js';
import { WritError } from './errors.js';

/** Throws INTERNAL when the package was not built. */
export async function pageParts(): Promise<PageParts> {
  const read = (name: string): Promise<string> =>
    readFile(new URL(`evidence-page/${name}`, import.meta.url), 'utf8');
  try {
    return { script: await read('page.js'), style: await read('page.css') };
  } catch (cause) {
    throw new WritError('INTERNAL', 'the evidence page is not built', { hint: 'npm run build', cause });
  }
}
