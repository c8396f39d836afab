// A project as an embedding program has it: a data directory, policies that let a team call functions of its own, keys
// for two people. Made through the built package, imported by its name.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPersonKey, initWrit, openWrit, verifyData, type EmbeddedWrit } from 'writ';
import { vi } from 'vitest';
import { parseDocument } from 'yaml';

const SHIPPED = fileURLToPath(new URL('../../policies', import.meta.url));

export interface Project {
  readonly folder: string;
  readonly data: string;
  readonly policies: string;
  /** Private key file of a person: alice starts runs, bob decides, eve is nobody. */
  keyOf(person: 'alice' | 'bob' | 'eve'): string;
  /** For child processes: nothing of this machine's user. */
  readonly env: Readonly<Record<string, string>>;
  open(person?: 'alice' | 'bob' | 'eve'): Promise<EmbeddedWrit>;
  /** Findings of `writ audit verify` over the log and every payload; empty = verified. */
  verify(): Promise<readonly unknown[]>;
  /** Also takes back what was set in the environment. */
  remove(): void;
}

/** Agents that may call what is named `team::…`, and `agent::chat`. */
export const AGENTS = ['agent:coder', 'agent:coder-001', 'agent:reviewer'];

export async function newProject(): Promise<Project> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-library-'));
  const [data, policies] = [join(folder, '.writ'), join(folder, 'policies')];
  const state = join(folder, 'state');
  const trust = join(state, 'writ', 'trust.json');
  // The library pins the log's key where the user's other state is.
  vi.stubEnv('XDG_STATE_HOME', state);
  cpSync(SHIPPED, policies, { recursive: true });
  const keyOf = (person: string): string => join(folder, `${person}.key`);
  for (const person of ['alice', 'bob', 'eve']) createPersonKey(keyOf(person), `user:${person}`);
  edit(join(policies, 'approvers.yaml'), (document) => {
    const { people } = document.toJS() as { people: { id: string }[] };
    for (const person of ['alice', 'bob']) {
      const { publicKey } = JSON.parse(readFileSync(keyOf(person), 'utf8')) as { publicKey: string };
      const index = people.findIndex(({ id }) => id === `user:${person}`);
      document.setIn(['people', index, 'keys'], [publicKey]);
    }
  });
  edit(join(policies, 'roles', 'default.yaml'), (document) => {
    document.setIn(['members', 'role:team'], ['user:alice', ...AGENTS]);
  });
  writeFileSync(join(policies, 'rbac', 'team.yaml'), RULES);
  edit(join(policies, 'ceilings', 'org.yaml'), (document) => {
    // Functions of the embedding program run in it, and a model is behind a network.
    document.deleteIn(['spec', 'sandbox']);
    document.deleteIn(['spec', 'network']);
    document.setIn(['spec', 'functions', 'allow'], ['team::*', 'agent::*']);
  });
  await initWrit({ data, origin: null, tenant: 'default' });
  const open = (person: 'alice' | 'bob' | 'eve' = 'alice'): Promise<EmbeddedWrit> =>
    openWrit({ data, policies, key: keyOf(person) });
  return {
    folder,
    data,
    policies,
    keyOf,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      XDG_STATE_HOME: state,
    },
    open,
    async verify() {
      const dir = join(data, 'audit');
      const all = { dir, vkeys: [], old: [], run: null, payloads: true };
      const { verdict, findings } = await verifyData({ ...all, trust });
      return verdict === 'verified' ? findings : [verdict, ...findings];
    },
    remove() {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const RULES = `apiVersion: writ/v1
kind: Rules
rules:
${[
  ['team', 'workflow.run', '*'],
  ['team', 'run.cancel', '*'],
  ['team', 'run.resume', '*'],
  ['team', 'function.invoke', 'team::*'],
  ['team', 'function.invoke', 'agent::chat'],
  ['reviewer', 'approval.decide', 'team::*'],
  ['reviewer', 'approval.decide', 'agent::chat'],
  ['reviewer', 'task.answer', 'team::*'],
]
  .map(
    ([role, action, resource], index) =>
      `  - { id: TEAM-${index}, effect: allow, subject: "role:${role}", domain: default, action: ${action}, ` +
      `resource: "${resource}", reason: library tests }`,
  )
  .join('\n')}
`;

function edit(file: string, change: (document: ReturnType<typeof parseDocument>) => void): void {
  const document = parseDocument(readFileSync(file, 'utf8'));
  change(document);
  writeFileSync(file, document.toString());
}
