// Policies with ten thousand rules, as one JSON text a file or as people write them.
import { MODEL_TEXT } from '../../dist/policy/index.js';

export const RULES = 10_000;

const header = (kind) => ({ apiVersion: 'writ/v1', kind });
const ceiling = (name, layer, spec) => ({ ...header('Ceiling'), metadata: { name, layer }, spec });

const inBlocks = (rule) =>
  Object.entries(rule)
    .map(([key, value], at) => `${at === 0 ? '  - ' : '    '}${key}: ${value}\n`)
    .join('');
const texts = {
  json: (document) => JSON.stringify(document),
  block: ({ apiVersion, kind, rules, ...others }) =>
    rules === undefined
      ? JSON.stringify({ apiVersion, kind, ...others })
      : `apiVersion: ${apiVersion}\nkind: ${kind}\nrules:\n${rules.map(inBlocks).join('')}`,
};

/** One rule in ten is a glob; people and agents hold some of a hundred roles. */
export function policies(style) {
  const roles = Array.from({ length: 100 }, (_, i) => `role:r${i}`);
  const rules = Array.from({ length: RULES }, (_, i) => ({
    id: `R-${i}`,
    effect: i % 50 === 49 ? 'deny' : 'allow',
    subject: roles[i % roles.length],
    domain: 'bank',
    action: 'function.invoke',
    resource: i % 10 === 0 ? `tool::group${i}_*` : `tool::name${i}`,
  }));
  const members = Object.fromEntries(roles.map((role) => [role, ['user:alice', 'agent:triage']]));
  return {
    rules,
    files: new Map(
      Object.entries({
        ...Object.fromEntries(
          [0, 1, 2, 3].map((part) => [
            `rbac/r${part}.yaml`,
            { ...header('Rules'), rules: rules.filter((_, i) => i % 4 === part) },
          ]),
        ),
        'roles/bank.yaml': { ...header('Roles'), domain: 'bank', members },
        'ceilings/org.yaml': ceiling('org', 'org', {
          functions: { allow: ['tool::*', 'agent::*'], deny: ['tool::raw_*'] },
          limits: { timeoutMs: 300_000, memoryMiB: 1024 },
          approval: { rules: [{ match: { functions: ['tool::delete_*'] }, minimum: 'sync' }] },
        }),
        'ceilings/prod.yaml': ceiling('prod', 'environment', { network: { mode: 'none' } }),
        'ceilings/bank.yaml': ceiling('bank', 'tenant', { limits: { memoryMiB: 512 } }),
        'approvers.yaml': { ...header('Approvers'), people: [{ id: 'user:bob', keys: [] }] },
      })
        .map(([file, document]) => [file, texts[style](document)])
        .concat([['model.conf', MODEL_TEXT]]),
    ),
  };
}
