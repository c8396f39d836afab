// `writ serve` and the policy files: what is changed holds without a restart, what can't be taken is said and changes
// nothing, and SIGHUP is no end but a question.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entriesOf, newDesk, type Desk } from '../cli/claims-desk.js';
import { startServer, stopServer, type Running } from './serving.js';

const LIMIT = 60_000;
let desk: Desk;
let server: Running;
const RULES = 'claims.yaml';

const loaded = (): number => entriesOf(desk).filter(({ type }) => type === 'policy.loaded').length;
const hashOf = (event: string): string =>
  server.process.said(new RegExp(`"event":"${event}","policyHash":"([0-9a-f]{64})"`));

beforeAll(async () => {
  desk = await newDesk();
  server = await startServer(desk);
}, LIMIT);

afterAll(async () => {
  expect(await stopServer(server)).toBe(143);
  desk.remove();
}, LIMIT);

describe('writ serve', () => {
  it(
    'keeps the policies that held when the files are broken, takes them once they are whole, and reads them on SIGHUP',
    async () => {
      const file = desk.at('policies', 'rbac', RULES);
      const good = readFileSync(file, 'utf8');
      const before = loaded();
      writeFileSync(file, good.slice(0, -20));
      await server.process.says('"policy.kept"');
      const kept = hashOf('policy.kept');
      expect(server.process.said(/"policy.kept".*"code":"([A-Z_]+)"/)).toBe('POLICY_INVALID');
      expect(loaded()).toBe(before);

      const rule =
        '  - { id: NEW-1, effect: allow, subject: "role:auditor", domain: default, action: audit.read, resource: "new-*", reason: more }\n';
      writeFileSync(file, good + rule);
      await server.process.says('"policy.reloaded"');
      expect(hashOf('policy.reloaded')).not.toBe(kept);
      expect(loaded()).toBe(before + 1);

      appendFileSync(desk.at('policies', 'approvers.yaml'), 'nonsense: true\n');
      server.process.kill('SIGHUP');
      await server.process.says('nonsense');
      expect(loaded()).toBe(before + 1);
    },
    LIMIT,
  );
});
