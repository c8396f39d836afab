// `writ plan` as its users meet it: what it says, its exit codes, and that it leaves the data directory as it was.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BOB,
  changed,
  countsOf,
  entriesOf,
  errorOf,
  FLOW,
  HIGH,
  LOW,
  newDesk,
  STEPS,
  type Desk,
} from './claims-desk.js';
import { hosted } from './writ.js';

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
});
afterAll(() => desk.remove());

/** Every file of the data directory but the database's own, with its bytes. */
function filesOf(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = join(folder, name);
    if (!statSync(file).isFile() || name.startsWith('writ.db')) continue;
    files[name] = createHash('sha256').update(readFileSync(file)).digest('hex');
  }
  return files;
}

describe('writ plan', () => {
  it('shows every step with who acts, what decides and what needs approval, exit 0', async () => {
    const { code, stdout, stderr } = await desk.run(['plan', FLOW, '--input', HIGH]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^initiator {2}user:alice in default: may start it, rule CL-001/mu);
    expect(stdout).toMatch(
      /^ {3}calls {6}ghcr\.io\/bank\/claims-triage@sha256:[0-9a-f]{12}… as agent:claims-triage$/mu,
    );
    expect(stdout).toMatch(/^ {3}agent {6}agent:claims-triage: allowed, rule CL-011/mu);
    expect(stdout).toMatch(/^ {3}ceilings {3}org-default \(org\) ok; claims-triage \(agent\) ok; step ok$/mu);
    expect(stdout).toMatch(/^ {3}approval {3}sync, 1 x role:reviewer, within 1 d 0 h; ceiling org-default/mu);
    expect(stdout).toMatch(/^verdict {4}needs approval; nothing was run, nothing was written$/mu);
  });

  it('judges what a start would say its input carries, as the run then does', async () => {
    const own = desk.copy();
    const file = own.at('policies', 'ceilings', 'org.yaml');
    const data = 'spec:\n  data: { labelsAllowed: [pii], maxClassification: internal }\n';
    writeFileSync(file, readFileSync(file, 'utf8').replace('spec:\n', data));
    const said = ['--label', 'pii', '--classification', 'internal'];
    expect((await own.run(['plan', STEPS, '--input', LOW])).code).toBe(3);
    const planned = await own.run(['plan', STEPS, '--input', LOW, ...said]);
    expect(planned).toMatchObject({ code: 0 });
    expect(planned.stdout).toMatch(/^ {3}data {7}pii; internal$/mu);
    expect(await own.run(['run', STEPS, '--input', LOW])).toMatchObject({ code: 3 });
    expect(await own.run(['run', STEPS, '--input', LOW, ...said])).toMatchObject({ code: 0 });
    const started = entriesOf(own).length;
    for (const [flags, code] of [
      [['--label', 'phi', ...said], 2],
      [['--unlabelled', ...said], 2],
      [['--classification', 'secret'], 2],
      // Which of two is meant nobody can say.
      [['--classification', 'restricted', ...said], 2],
    ] as const) {
      expect((await own.run(['run', STEPS, '--input', LOW, ...flags])).code).toBe(code);
    }
    expect(entriesOf(own)).toHaveLength(started);
    own.remove();
  });

  it('says what a Map or a Parallel holds, and not that states which follow one another begin together', async () => {
    const pass = { Type: 'Pass', End: true };
    const branch = { StartAt: 'Left', States: { Left: { Type: 'Pass', Next: 'After' }, After: pass } };
    const each = { StartAt: 'One', States: { One: pass } };
    writeFileSync(
      desk.at('claims-forks.json'),
      JSON.stringify({
        StartAt: 'Both',
        States: {
          Both: { Type: 'Parallel', Branches: [branch], Next: 'Each' },
          Each: { Type: 'Map', ItemProcessor: each, Next: 'Last' },
          Last: pass,
        },
      }),
    );
    const { code, stdout } = await desk.run(['plan', 'claims-forks.json']);
    expect(code).toBe(0);
    const steps = stdout.split('\n').filter((line) => /^( *\d|in )/u.test(line));
    expect(steps).toEqual([
      ...['1  Both  parallel', 'in Both:', '2  Left  pass', '3  After  pass'],
      ...['4  Each  map', 'in Each:', '5  One  pass', '6  Last  pass'],
    ]);
  });

  it('says the same of a registered workflow as of its file, as one JSON value', async () => {
    const [byFile, byId] = [
      await desk.json(['plan', FLOW, '--input', HIGH]),
      await desk.json(['plan', 'claims-review-flow', '--input', HIGH]),
    ];
    expect(byFile).toMatchObject({ code: 0, stderr: '' });
    expect(byId.value).toEqual(byFile.value);
    const amongWorkflows = await desk.json(['workflow', 'plan', 'claims-review-flow', '--input', HIGH]);
    expect(amongWorkflows.value).toEqual(byFile.value);
    expect(byId.value).toMatchObject({
      verdict: 'needs_approval',
      exitCode: 0,
      workflow: { id: 'claims-review-flow', isRegistered: true },
    });
  });

  it('leaves nothing: no entry, no file, also where policies are new to the log', async () => {
    const own = desk.copy();
    const file = own.at('policies', 'rbac', 'claims.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('action: policy.reload', 'action: policy.read'));
    const [counts, files] = [countsOf(own), filesOf(own.at('.writ'))];
    expect(await own.run(['plan', STEPS, '--input', HIGH])).toMatchObject({ code: 0 });
    expect(await own.run(['plan', STEPS, '--input', HIGH], BOB)).toMatchObject({ code: 3 });
    expect(countsOf(own)).toEqual(counts);
    expect(filesOf(own.at('.writ'))).toEqual(files);
    // Any other command records them.
    await own.run(['workflow', 'list']);
    expect(entriesOf(own).at(-1)?.type).toBe('policy.loaded');
    expect(countsOf(own).entries).toBe(counts.entries + 1);
    own.remove();
  });

  it('ends with 3 when a step would be denied, and says by what', async () => {
    const denied = changed(desk, STEPS, 'agents:', 'x-was: 1\nagents:', 'example/same.yaml');
    const { code, stdout } = await desk.run(['plan', denied, '--agent', 'claims-triage=stranger']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^ {3}verdict {4}denied$/mu);
    expect(stdout).toMatch(/^ {3}why {8}POLICY_NO_MATCH: no rule allows agent:stranger/mu);
    expect(stdout).toContain('input      not given: what depends on it is not known (--input)');
    const { value } = await desk.json(['plan', denied, '--agent', 'claims-triage=stranger']);
    expect(value).toMatchObject({ verdict: 'deny', exitCode: 3 });
  });

  it('ends with 3 for somebody who may not start it', async () => {
    const { code, value } = await desk.json(['plan', FLOW], BOB);
    expect([code, value]).toMatchObject([3, { start: { problem: { code: 'POLICY_NO_MATCH' } } }]);
  });

  it.each([
    ['a faulty document', ['plan', 'example/typo.yaml'], 'DOC_INVALID'],
    ['an unknown workflow', ['plan', 'nothing-here'], 'NOT_FOUND'],
    ['a missing file', ['plan', 'nothing.yaml'], 'NOT_FOUND'],
    ['an input that is no JSON', ['plan', FLOW, '--input', '{x}'], 'INPUT_INVALID'],
    ['a role it does not have', ['plan', STEPS, '--agent', 'pilot=x'], 'USAGE'],
  ])('ends with 2 for %s, under --json too', async (_, words, errorCode) => {
    changed(desk, STEPS, 'steps:\n', 'stepz: 1\nsteps:\n', 'example/typo.yaml');
    expect(await desk.run(words)).toMatchObject({ code: 2, stdout: '' });
    const failed = await desk.json(words);
    expect([failed.code, errorOf(failed).code]).toEqual([2, errorCode]);
  });
});
