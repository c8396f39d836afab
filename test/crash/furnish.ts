// The place of a test that kills: shipped policies under which alice's runs call `tool::test_*`, and an empty log.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { createPersonKey, initWrit } from '../../src/open.js';

const root = path.resolve(import.meta.dirname, '..', '..');

/** Fills `home`: policies, alice.key, data, trust.json. */
export async function furnish(home: string): Promise<void> {
  const at = (...names: string[]): string => path.join(home, 'policies', ...names);
  cpSync(path.join(root, 'policies'), at(), { recursive: true });
  const edit = (file: string, change: (document: ReturnType<typeof parseDocument>) => void): void => {
    const document = parseDocument(readFileSync(file, 'utf8'));
    change(document);
    writeFileSync(file, document.toString());
  };
  edit(at('approvers.yaml'), (document) => {
    const { people } = document.toJS() as { people: { id: string }[] };
    const index = people.findIndex(({ id }) => id === 'user:alice');
    const { publicKey } = createPersonKey(path.join(home, 'alice.key'), 'alice');
    document.setIn(['people', index, 'keys'], [publicKey]);
  });
  // The function of this test runs in the worker itself, which the shipped ceiling allows to none.
  edit(at('ceilings', 'org.yaml'), (document) => {
    document.deleteIn(['spec', 'sandbox']);
  });
  const rule = (id: string, subject: string, action: string, resource: string): string =>
    `  - { id: ${id}, effect: allow, subject: "${subject}", domain: default, action: ${action}, resource: "${resource}", reason: "crash test" }\n`;
  writeFileSync(
    at('rbac', 'crash.yaml'),
    'apiVersion: writ/v1\nkind: Rules\nrules:\n' +
      rule('CRASH-1', 'role:adjuster', 'function.invoke', 'tool::test_*') +
      rule('CRASH-2', 'role:claims-agent', 'function.invoke', 'tool::test_*') +
      rule('CRASH-3', 'role:adjuster', 'workflow.run', 'test-*') +
      rule('CRASH-4', 'role:adjuster', 'run.resume', 'test-*'),
  );
  await initWrit({
    data: path.join(home, 'data'),
    origin: null,
    tenant: 'default',
    trustFile: path.join(home, 'trust.json'),
  });
}
