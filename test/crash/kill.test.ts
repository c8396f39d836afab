// kill -9 at random moments, over and over: nothing acknowledged is lost, no effect happens twice that was not
// declared idempotent, every life goes on where the last one ended, and the log verifies each time.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { createPersonKey, initWrit, openWrit, verifyData } from '../../src/open.js';

const KILLS = 100;
const root = path.resolve(import.meta.dirname, '..', '..');
const home = mkdtempSync(path.join(tmpdir(), 'writ-crash-'));
const trustFile = path.join(home, 'trust.json');
const worker = path.join(import.meta.dirname, 'worker.mjs');

interface Life {
  readonly lines: readonly string[];
  readonly code: number | null;
  readonly errors: string;
}

/** One life of the worker, killed `afterMs` after it began, or after it has opened; null = lives to its end. */
function live(seed: string, afterMs: number | null, from: 'birth' | 'opened'): Promise<Life> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker, home, seed], { stdio: ['ignore', 'pipe', 'pipe'] });
    let timer: NodeJS.Timeout | null = null;
    const kill = (): void => {
      if (timer === null && afterMs !== null) timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
    };
    if (from === 'birth') kill();
    let out = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      kill();
    });
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (timer !== null) clearTimeout(timer);
      // A line cut by the kill was not said.
      resolve({ lines: out.split('\n').slice(0, -1), code, errors });
    });
  });
}

function verify() {
  const dir = path.join(home, 'data', 'audit');
  return verifyData({ dir, vkeys: [], old: [], trust: trustFile, run: null, payloads: false });
}

beforeAll(async () => {
  cpSync(path.join(root, 'policies'), path.join(home, 'policies'), { recursive: true });
  const file = path.join(home, 'policies', 'approvers.yaml');
  const document = parseDocument(readFileSync(file, 'utf8'));
  const { people } = document.toJS() as { people: { id: string }[] };
  for (const [index, { id }] of people.entries()) {
    const name = id.slice('user:'.length);
    document.setIn(
      ['people', index, 'keys'],
      [createPersonKey(path.join(home, `${name}.key`), name).publicKey],
    );
  }
  writeFileSync(file, document.toString());
  // The function of this test runs in the worker itself, which the shipped ceiling allows to none.
  const ceiling = path.join(home, 'policies', 'ceilings', 'org.yaml');
  const org = parseDocument(readFileSync(ceiling, 'utf8'));
  org.deleteIn(['spec', 'sandbox']);
  writeFileSync(ceiling, org.toString());
  const rule = (id: string, subject: string, action: string, resource: string) =>
    `  - { id: ${id}, effect: allow, subject: "${subject}", domain: default, action: ${action}, resource: "${resource}", reason: "crash test" }\n`;
  writeFileSync(
    path.join(home, 'policies', 'rbac', 'crash.yaml'),
    'apiVersion: writ/v1\nkind: Rules\nrules:\n' +
      rule('CRASH-1', 'role:adjuster', 'function.invoke', 'tool::test_*') +
      rule('CRASH-2', 'role:claims-agent', 'function.invoke', 'tool::test_*') +
      rule('CRASH-3', 'role:reviewer', 'approval.decide', 'tool::test_*') +
      rule('CRASH-4', 'role:adjuster', 'workflow.run', 'test-*') +
      rule('CRASH-5', 'role:adjuster', 'run.resume', 'test-*'),
  );
  await initWrit({ data: path.join(home, 'data'), origin: null, tenant: 'default', trustFile });
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

describe(`after ${KILLS} kills at random moments`, () => {
  it(
    'nothing is lost, nothing is doubled, and the log verifies each time',
    { timeout: 600_000 },
    async () => {
      const started = new Set<string>();
      const finished = new Map<string, string>();
      for (let kill = 0; kill < KILLS; kill++) {
        // Every fifth while it starts, the others while it recovers and works.
        const life =
          kill % 5 === 0
            ? await live(`life-${kill}`, Math.random() * 500, 'birth')
            : await live(`life-${kill}`, Math.random() * 400, 'opened');
        expect(life.errors, `life ${kill}`).toBe('');
        for (const line of life.lines) {
          const [word, id = '', status = ''] = line.split(' ');
          if (word === 'started') started.add(id);
          if (word !== 'finished') continue;
          // A run that was said to be over stays over.
          expect(finished.has(id)).toBe(false);
          finished.set(id, status);
        }
        const report = await verify();
        expect(report.findings, `after kill ${kill}`).toEqual([]);
      }
      const last = await live('drain', null, 'birth');
      expect(last).toMatchObject({ code: 0, errors: '' });

      const writ = await openWrit({
        data: path.join(home, 'data'),
        policies: path.join(home, 'policies'),
        trustFile,
        wasmPool: 0,
      });
      const runs = await writ.runs();
      const known = new Set(runs.map((run) => run.id));
      expect([...started].filter((id) => !known.has(id))).toEqual([]);
      for (const [id, status] of finished) expect(runs.find((run) => run.id === id)?.status).toBe(status);
      expect(runs.filter((run) => run.status !== 'completed' && run.status !== 'failed')).toEqual([]);

      const effects = new Map<string, number>();
      for (const line of readFileSync(path.join(home, 'effects.txt'), 'utf8').trim().split('\n')) {
        effects.set(line, (effects.get(line) ?? 0) + 1);
      }
      const doubled = [...effects].filter(
        ([line, count]) => count > 1 && !line.toLowerCase().endsWith('again'),
      );
      expect(doubled).toEqual([]);
      let lost = 0;
      for (const run of runs) {
        const view = await writ.status(run.id);
        for (const step of view.steps) {
          if (step.status === 'indeterminate') lost += 1;
          if (step.status !== 'succeeded') continue;
          // A recorded success has its effect.
          const happened = [...effects.keys()].some((line) => line.startsWith(`${run.id}/${step.stepPath}/`));
          expect(happened, `${run.id} ${step.stepPath}`).toBe(true);
        }
      }
      await writ.publish();
      await writ.close();
      const report = await verify();
      expect(report).toMatchObject({ verdict: 'verified', openIntents: [] });
      console.log(
        `crash: ${KILLS} kills, ${runs.length} runs, ${report.size ?? '0'} entries, ${lost} lost outcomes shown as indeterminate`,
      );
    },
  );
});
