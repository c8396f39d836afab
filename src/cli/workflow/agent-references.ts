// What an agent or a hand names and no other file describes: a call of it could only end with FUNCTION_UNAVAILABLE. Told
// where the name stands, as a warning, for the missing file may come later.
import { basename, dirname } from 'node:path';
import type { AgentFiles, CheckedFile } from '../../agent-files.js';
import { WritError } from '../../errors.js';
import { nearest } from '../../expression/nearest.js';
import { ENVIRONMENT_PROVIDER } from '../../workflow/agents/provider.js';
import type { Diagnostic } from '../../workflow/diagnostic.js';
import { readDocument } from '../../workflow/document.js';
import { field, textField } from '../../workflow/located.js';

/** The files with these warnings behind what else was found in them. */
export function withReferences({ agents, models, read }: AgentFiles): readonly CheckedFile[] {
  const providers = models instanceof WritError ? null : [...models.providers.keys(), ENVIRONMENT_PROVIDER];
  return read.map((file) => {
    const kind = basename(dirname(file.path));
    if (kind !== 'agents' && kind !== 'hands') return file;
    const found: Diagnostic[] = [];
    const provider = kind === 'agents' ? nameAt(file.text, 'provider') : null;
    if (provider !== null && providers !== null && !providers.includes(provider.name)) {
      const message = `no provider ${JSON.stringify(provider.name)} is described in models.yaml`;
      const hint = nearest(provider.name, providers) ?? 'add it to models.yaml, beside the policies folder';
      found.push(warning(message, hint, provider));
    }
    const agent = kind === 'hands' ? nameAt(file.text, 'agent') : null;
    if (agent !== null && !agents.has(agent.name)) {
      const hint = nearest(agent.name, agents.keys()) ?? `write agents/${agent.name}.yaml`;
      found.push(warning(`there is no agents/${agent.name}.yaml`, hint, agent));
    }
    return { ...file, diagnostics: [...file.diagnostics, ...found] };
  });
}

type Named = Pick<Diagnostic, 'line' | 'column' | 'path'> & { readonly name: string };

function nameAt(text: string, key: string): Named | null {
  const { root, findings } = readDocument(text);
  const entry = root === null ? undefined : field(root, key);
  const name = root === null ? undefined : textField(root, key);
  if (entry === undefined || name === undefined) return null;
  return { name, path: key, ...findings.place(entry.value.offset) };
}

function warning(message: string, hint: string, { line, column, path }: Named): Diagnostic {
  return { code: 'CONFIG_INVALID', severity: 'warning', message, hint, line, column, path };
}
