// The workflows that ship with the package, as YAML to start from, beside this file in workflow/templates.
import { readdir, readFile } from 'node:fs/promises';
import { WritError } from './errors.js';
import { parseWorkflow } from './workflow/parse.js';

export interface WorkflowTemplate {
  /** Also the name of its file, without `.yaml`. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** YAML, with comments. */
  readonly text: string;
}

/** In the order of their ids. Throws INTERNAL when the package was not built. */
export async function templates(): Promise<readonly WorkflowTemplate[]> {
  const folder = new URL('workflow/templates/', import.meta.url);
  try {
    const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort();
    return await Promise.all(
      files.map(async (file) => {
        const text = await readFile(new URL(file, folder), 'utf8');
        const { plan } = parseWorkflow(text, { file });
        if (plan === null) throw new TypeError(`${file} is no valid workflow`);
        return { id: plan.id, name: plan.name, description: plan.description, text };
      }),
    );
  } catch (cause) {
    throw new WritError('INTERNAL', 'the workflow templates are not built', { hint: 'npm run build', cause });
  }
}
