// The rendered input in the person's own editor, and what they made of it. The file is theirs alone, is gone afterwards,
// and what is read back is bounded and plain JSON. Nothing is changed by leaving the text as it is.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { canonicalJson } from '../canonical-json.js';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import type { Environment } from './output.js';

const MAX_BYTES = 1_048_576;

/** The changed input; null when it is the same. Throws USAGE without an editor, or when the text is no JSON. */
export function editInEditor(input: Json, env: Environment): Json | null {
  const editor = [env['VISUAL'], env['EDITOR']].find((one) => one !== undefined && one.trim() !== '');
  if (editor === undefined) {
    throw new WritError('USAGE', 'no editor is known', { hint: 'set VISUAL or EDITOR, such as EDITOR=vi' });
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'writ-edit-'));
  try {
    const file = path.join(folder, 'input.json');
    writeFileSync(file, `${JSON.stringify(input, null, 2)}\n`, { mode: 0o600 });
    // `code --wait`: the words of the variable, no shell.
    const [command = '', ...args] = editor.trim().split(/\s+/u);
    const { status, error } = spawnSync(command, [...args, file], { stdio: 'inherit' });
    if (status !== 0) {
      throw new WritError('USAGE', `the editor ended with ${error?.message ?? `code ${String(status)}`}`, {
        hint: 'nothing was changed',
      });
    }
    if (statSync(file).size > MAX_BYTES)
      throw new WritError('USAGE', `the text has more than ${MAX_BYTES} bytes`);
    const changed = parse(readFileSync(file, 'utf8'));
    return canonicalJson(changed) === canonicalJson(input) ? null : changed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parse(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return value as Json; // What JSON.parse gives is JSON.
  } catch (cause) {
    throw new WritError('USAGE', 'the text is no JSON any more', { hint: 'nothing was changed', cause });
  }
}
