// `writ serve` and the policy files: what is changed holds without a restart, what can't be taken is said and changes
// nothing, and SIGHUP is no end but a question, of a server and of a run that nobody watches.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entriesOf, newDesk, type Desk, type Started } from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import { startServer, stopServer, type Running } from './serving.js';

const LIMIT = 60_000;
let desk: Desk;
let server: Running;
const RULES = 'claims.yaml';

const loaded = (): number => entriesOf(desk).filter(({ type }) => type === 'policy.loaded').length;
const hashOf = (event: string): string =>
  server.process.said(new RegExp(`"event":"${event}","policyHash":"([0-9a-f]{64})"`));

beforeAll(async () => {
  desk = await newDesk(hosted);
  server = await startServer(desk);
}, LIMIT);

afterAll(async () => {
  expect(await stopServer(server)).toBe(143);
  desk.remove();
}, LIMIT);

/** How often stderr has said it, once it has been said so often. */
async function saidTimes(process: Started, text: string, times: number): Promise<void> {
  const all = new RegExp(`((?:${text}[^]*?){${times}})`);
  await expect.poll(() => process.said(all) !== '', { timeout: LIMIT, interval: 50 }).toBe(true);
}

describe('writ serve', () => {
  it(
    'keeps the policies that held when the files are broken, and takes them once they are whole',
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
    },
    LIMIT,
  );

  it(
    'reads them on SIGHUP: what was said of broken files once is said again, although they are as they were',
    async () => {
      const file = desk.at('policies', 'approvers.yaml');
      const good = readFileSync(file, 'utf8');
      const before = loaded();
      appendFileSync(file, 'nonsense: true\n');
      // Said by the watch, which says the same of the same files no second time.
      await server.process.says('nonsense');
      server.process.kill('SIGHUP');
      await saidTimes(server.process, 'nonsense', 2);
      server.process.kill('SIGHUP');
      await saidTimes(server.process, 'nonsense', 3);
      expect(loaded()).toBe(before);
      writeFileSync(file, good);
    },
    LIMIT,
  );
});

describe('a command that drives a run, without a terminal', () => {
  it(
    'reads them on SIGHUP too, and goes on with its run',
    async () => {
      const file = desk.at('policies', 'approvers.yaml');
      const good = readFileSync(file, 'utf8');
      writeFileSync(
        desk.at('wait.json'),
        JSON.stringify({
          apiVersion: 'agentrc.workflow/v0.1',
          kind: 'AgentWorkflow',
          metadata: { name: 'claims-wait' },
          spec: { startAt: 'W', states: { W: { type: 'Wait', seconds: 86_400, end: true } } },
        }),
      );
      const run = desk.start(['run', './wait.json']);
      await run.shows('run_');
      appendFileSync(file, 'nonsense: true\n');
      await run.says("can't be taken");
      run.kill('SIGHUP');
      await saidTimes(run, "can't be taken", 2);
      writeFileSync(file, good);
      run.kill('SIGTERM');
      expect((await run.ended).code).toBe(143);
    },
    LIMIT,
  );
});
