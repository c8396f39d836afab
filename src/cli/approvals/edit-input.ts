// The rendered input in the person's own editor, and what they made of it. The file is theirs alone, is gone afterwards,
// and what is read back is bounded and plain JSON. Nothing is changed by leaving the text as it is. The editor has the
// terminal for itself meanwhile: no key goes to two readers; whatever else this process does goes on.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { escapeHidden } from '../../approval/display.js';
import { parseJsonText } from '../../audit/json-reader.js';
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { Context } from '../context.js';

const MAX_BYTES = 1_048_576;

/** The changed input; null when it is the same. Throws USAGE without an editor, or when the text is no JSON. */
export async function editInEditor(
  input: Json,
  { env, stdin }: Pick<Context, 'env' | 'stdin'>,
): Promise<Json | null> {
  const editor = [env['VISUAL'], env['EDITOR']].find((one) => one !== undefined && one.trim() !== '');
  if (editor === undefined) {
    throw new WritError('USAGE', 'no editor is known', { hint: 'set VISUAL or EDITOR, such as EDITOR=vi' });
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'writ-edit-'));
  try {
    const file = path.join(folder, 'input.json');
    // As shown: an editor lays out text by hidden characters, so that it would read as something else than what runs.
    writeFileSync(file, `${escapeHidden(JSON.stringify(input, null, 2))}\n`, { mode: 0o600 });
    // `code --wait`: the words of the variable, no shell.
    const [command = '', ...args] = editor.trim().split(/\s+/u);
    const problem = await editorProblem(command, [...args, file], stdin);
    if (problem !== null) {
      throw new WritError('USAGE', `the editor ended with ${problem}`);
    }
    if (statSync(file).size > MAX_BYTES)
      throw new WritError('USAGE', `the text has more than ${MAX_BYTES} bytes`);
    const changed = parse(readFileSync(file, 'utf8'));
    return canonicalJson(changed) === canonicalJson(input) ? null : changed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs it to its end; null = it ended well. */
async function editorProblem(
  command: string,
  args: readonly string[],
  stdin: NodeJS.ReadStream,
): Promise<string | null> {
  stdin.pause();
  const editor = spawn(command, args, { stdio: 'inherit' });
  try {
    const ended: readonly unknown[] = await once(editor, 'exit');
    const [code, signal] = ended;
    return code === 0 ? null : `code ${String(code ?? signal)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error); // It could not be started.
  }
}

/** As strictly as --input is read: a key that stands there twice would be another input than the one that was seen. */
function parse(text: string): Json {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    throw new WritError('USAGE', `the text can't be taken: ${error.message}`, { cause: error });
  }
}
