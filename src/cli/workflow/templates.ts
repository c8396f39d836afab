// `writ workflow templates [NAME]`: the workflows that ship with writ, listed, or one as YAML on stdout.
import { WritError } from '../../errors.js';
import type { Context } from '../context.js';
import { renderTable } from '../table.js';

export async function showTemplates(context: Context, name: string | undefined): Promise<number> {
  const { output } = context;
  const { templates } = await import('../../templates.js');
  const all = await templates();
  if (name === undefined) {
    if (output.json) output.value({ templates: all.map(({ text: _, ...about }) => about) });
    else {
      const rows = all.map(({ id, description }) => [id, description]);
      output.line(renderTable(output.colors, ['template', 'description'], rows));
    }
    return 0;
  }
  const found = all.find(({ id }) => id === name);
  if (found === undefined) {
    const ids = all.map(({ id }) => id);
    const { nearest } = await import('../../expression/nearest.js');
    throw new WritError('NOT_FOUND', `there is no template ${JSON.stringify(name)}`, {
      hint: nearest(name, ids) ?? `templates: ${ids.join(', ')}`,
    });
  }
  if (output.json) output.value(found);
  else output.line(found.text.trimEnd());
  return 0;
}
