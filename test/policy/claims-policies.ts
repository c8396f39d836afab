// A small policy directory for tests of what the loader takes and refuses.
import canonicalize from 'canonicalize';
import { expect } from 'vitest';
import { WritError } from '../../src/errors.js';
import type { Json } from '../../src/json.js';
import { buildSnapshot, MODEL_TEXT } from '../../src/policy/index.js';
import type { PolicySnapshot } from '../../src/policy/index.js';

export const RULES = `apiVersion: writ/v1
kind: Rules
rules:
  - { id: R-1, effect: allow, subject: "role:adjuster", domain: bank, action: function.invoke, resource: "tool::*" }
  - { id: R-2, effect: deny, subject: "role:any", domain: "*", action: function.invoke, resource: "tool::raw_*" }
`;
export const ROLES = `apiVersion: writ/v1
kind: Roles
domain: bank
members: { "role:adjuster": ["user:alice"], "role:reviewer": ["user:bob", "user:carol"] }
inherits: { "role:lead": ["role:adjuster"] }
`;
export const PEOPLE = `apiVersion: writ/v1
kind: Approvers
people:
  - { id: "user:bob", keys: [] }
  - { id: "user:carol", keys: [] }
`;

function directory(changes: Readonly<Record<string, string | null>> = {}): Map<string, string> {
  const files = new Map([
    ['model.conf', MODEL_TEXT],
    ['rbac/claims.yaml', RULES],
    ['roles/bank.yaml', ROLES],
    ['approvers.yaml', PEOPLE],
  ]);
  for (const [file, text] of Object.entries(changes)) {
    if (text === null) files.delete(file);
    else files.set(file, text);
  }
  return files;
}

export const load = (changes: Readonly<Record<string, string | null>> = {}): Promise<PolicySnapshot> =>
  buildSnapshot({ files: directory(changes), canonicalize: (value: Json) => canonicalize(value) ?? '' });

export async function refusal(changes: Readonly<Record<string, string | null>>): Promise<WritError> {
  const error: unknown = await load(changes).catch((thrown: unknown) => thrown);
  if (!(error instanceof WritError)) throw new Error('the directory was loaded');
  expect(error.code).toBe('POLICY_INVALID');
  return error;
}

export async function expectRefused(
  changes: Readonly<Record<string, string | null>>,
  words: string,
): Promise<void> {
  expect((await refusal(changes)).message).toContain(words);
}
