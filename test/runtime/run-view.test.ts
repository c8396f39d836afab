// What `status` and `results` show of a run: one row for each step of the document, and what went wrong in its own words.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import { openSecrets } from '../../src/open.js';
import { refusalOf, states, steps, useTeam } from './fixture.js';
import { filesWith } from './stored-bytes.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TWO = 'functionId: "tool::test_two"';

describe('the rows of a run', () => {
  it('are one for each step in the order of the document, also of those it never came to', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_two', () => {
      throw new Error('no');
    });
    const text = steps([
      ONE,
      `${ONE}, mode: conditional, condition: "1 == 2"`,
      `${ONE}, mode: fanout, items: [1, 2]`,
      `${TWO}, mode: fanout`,
      `${ONE}, mode: collect`,
      `${TWO}, mode: loop, maxIterations: 2, agent: claims-triage`,
    ]);
    const run = await team.run(writ, text);
    expect(run.status).toBe('failed');
    expect(run.steps.map((one) => [one.name, one.status, one.attempts])).toEqual([
      ['s1', 'succeeded', 1],
      ['s2', 'skipped', 0],
      ['s3', expect.stringMatching(/^(?:succeeded|cancelled)$/), expect.any(Number)],
      ['s4', 'failed', 1],
      ['s5', 'pending', 0],
      ['s6', 'pending', 0],
    ]);
    expect(run.steps.at(-1)).toEqual({
      stepPath: 's6',
      name: 's6',
      status: 'pending',
      attempts: 0,
      functionId: 'tool::test_two',
      principal: 'agent:claims-triage',
      startedAtMs: null,
      durationMs: null,
      approval: null,
      error: null,
      outputCommitment: null,
      output: null,
      auditEntries: [],
    });
  });

  it('of a map without items says that it is over, also where the run has only gone past it', async () => {
    const { team } = here;
    const writ = await team.open();
    const map = `${ONE}, mode: fanout, items: input.none`;
    const over = { status: 'succeeded', attempts: 0, output: [], items: { done: 0, failed: 0, total: 0 } };
    expect((await team.run(writ, steps([map]), { none: [] })).steps).toMatchObject([over]);
    const later = [map, `${ONE}, agent: stranger`, `${ONE}, mode: fanout, items: input.none`];
    const failed = await team.run(writ, steps(later), { none: [] });
    expect(failed.steps).toMatchObject([over, { status: 'refused' }, { status: 'pending' }]);
    expect(team.functions.calls).toEqual([]);
  });

  it('of a map that was skipped as a whole say why', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => {
      throw new Error('no');
    });
    const map = `${ONE}, mode: fanout, items: [1, 2]`;
    const run = await team.run(
      writ,
      steps([`${map}, condition: "item > 2"`, `${ONE}, errorMode: skip`, `${map}, errorMode: skip`]),
    );
    expect(run.steps).toMatchObject([
      { status: 'skipped', reason: 'condition', error: null },
      { status: 'skipped', reason: 'error', error: { code: 'FUNCTION_FAILED' } },
      { status: 'skipped', reason: 'error', error: { code: 'FUNCTION_FAILED' }, items: { failed: 2 } },
    ]);
  });

  it('of a step that was skipped because its request could not be made say that, and with which error', async () => {
    const { team } = here;
    const writ = await team.open();
    const unmade = `${ONE}, errorMode: skip, config: { text: "{{input.nope}}" }`;
    const map = `${ONE}, mode: fanout, items: [1, 2], errorMode: skip, config: { text: "{{item.nope}}" }`;
    const run = await team.run(writ, steps([unmade, map, `${ONE}, condition: "false", errorMode: skip`]), {});
    const error = {
      code: 'STEP_TEMPLATE_UNRESOLVED',
      message: expect.stringContaining('template names'),
    };
    expect(run).toMatchObject({
      status: 'completed',
      steps: [
        { status: 'skipped', reason: 'error', attempts: 0, error },
        { status: 'skipped', reason: 'error', error, items: { done: 0, failed: 2, total: 2 } },
        { status: 'skipped', reason: 'condition', error: null },
      ],
    });
    expect(team.functions.calls).toEqual([]);
    expect((await writ.status(run.id)).steps[0]).toMatchObject({ reason: 'error', error });
  });

  it('of a loop that used up its iterations and may not go on so: it failed, and its last output stays', async () => {
    const { team } = here;
    const writ = await team.open();
    const loop = `${ONE}, mode: loop, maxIterations: 2, until: "never ever"`;
    const run = await team.run(writ, steps([loop, `${loop}, onExhausted: fail`, ONE]));
    const error = { code: 'STEP_LOOP_EXHAUSTED', hint: expect.stringContaining('maxIterations') };
    expect(run).toMatchObject({
      status: 'failed',
      error,
      steps: [
        { status: 'succeeded', iterations: 2, converged: false, error: null },
        { status: 'failed', iterations: 2, converged: false, error, output: { ok: true } },
        { status: 'pending' },
      ],
    });
    const skipped = await team.run(writ, steps([`${loop}, onExhausted: fail, errorMode: skip`, ONE]));
    expect(skipped).toMatchObject({
      status: 'completed',
      steps: [
        { status: 'skipped', reason: 'error', error: { code: 'STEP_LOOP_EXHAUSTED' } },
        { status: 'succeeded' },
      ],
    });
  });

  it('of a state machine are those it has come to: which way it takes is not known before', async () => {
    const { team } = here;
    const writ = await team.open();
    const task = { type: 'Task', resource: 'tool::test_one', end: true };
    const choice = {
      type: 'Choice',
      choices: [{ variable: '$.a', isPresent: true, next: 'B' }],
      default: 'C',
    };
    const run = await team.run(writ, states('A', { A: choice, B: task, C: task }), {});
    expect(run.status).toBe('completed');
    expect(run.steps.map(({ name }) => name)).toEqual(['C']);
  });
});

describe("a failing function's own message", () => {
  it('reaches status and results, and stands in no entry of the log', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => {
      throw new WritError('FUNCTION_FAILED', 'the ledger said 418 \u001b[31mteapot');
    });
    const run = await team.run(writ, steps([ONE]));
    const error = { code: 'FUNCTION_FAILED', message: 'the ledger said 418 \u001b[31mteapot' };
    expect(run.steps).toMatchObject([{ status: 'failed', error, output: null, outputCommitment: null }]);
    expect((await writ.status(run.id)).steps).toMatchObject([{ error }]);
    expect(JSON.stringify(await team.entries(run.id))).not.toContain('ledger');
    // A payload like any other: committed to, and gone when it is erased.
    const [entry] = (await team.entries(run.id)).filter(({ type }) => type === 'step.finished');
    expect(Object.keys(entry?.commit ?? {})).toEqual(['error']);
  });

  it('is told for each item of a map and each call, and for a step that was skipped for it', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', ({ input }) => {
      throw new Error(`no place for ${JSON.stringify(input)}`);
    });
    const map = `${ONE}, mode: fanout, items: [7, 8], errorMode: skip, config: { n: "{{item}}" }`;
    const run = await team.run(writ, steps([map, `${ONE}, errorMode: skip, config: { n: 9 }`]));
    expect(run.status).toBe('completed');
    expect(run.steps).toMatchObject([
      {
        error: { message: 'no place for {"n":7}' },
        nested: [
          { error: { message: 'no place for {"n":7}' } },
          { error: { message: 'no place for {"n":8}' } },
        ],
      },
      { status: 'skipped', reason: 'error', error: { message: 'no place for {"n":9}' } },
    ]);
  });

  it('has the value of no secret in it, and is cut where it is long', async () => {
    const { team } = here;
    (await openSecrets(team.data)).set('claims-db', new Uint8Array(Buffer.from('hunter2-hunter2')));
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => {
      throw new Error(`refused: hunter2-hunter2 ${'x'.repeat(100_000)}`);
    });
    const run = await team.run(writ, steps([ONE]));
    const message = run.steps[0]?.error?.message ?? '';
    expect(message).toContain('refused: «secret claims-db» xxx');
    expect(message).toHaveLength(4_000);
    expect(message).toMatch(/x …\(cut\)$/u);
    const own = path.join(team.data, 'secrets', 'claims-db');
    const found = filesWith(team.data, 'hunter2-hunter2').filter((file) => !file.startsWith(own));
    expect(found).toEqual([]);
  });

  it('of a step that failed before its first attempt is that of the run', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([`${ONE}, config: { a: "{{nowhere}}" }`, ONE]));
    const error = {
      code: 'STEP_TEMPLATE_UNRESOLVED',
      message: expect.stringContaining('names nowhere, which has no value'),
      hint: expect.stringContaining('check the name'),
    };
    expect(run).toMatchObject({
      status: 'failed',
      error,
      steps: [{ status: 'failed', attempts: 0, error }, { status: 'pending' }],
    });
    expect(team.functions.calls).toEqual([]);
  });

  it('may be text that no log holds: the step fails with it all the same', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => {
      throw new Error('half a pair \ud83d, and a NUL \u0000');
    });
    const run = await team.run(writ, steps([ONE]));
    expect(run.steps[0]?.error?.message).toBe('half a pair \ufffd, and a NUL \u0000');
  });
});

describe('entries that were changed in the store', () => {
  it.each([
    ['no JSON', () => 'garbage'],
    ['nothing at all', () => ''],
    ['not in canonical form', (text: string) => ` ${text}`],
    ['no entry', () => '{"data":{"stepPath":"s1"}}'],
  ])('are never told as what a step left in the log: %s', async (_, changed) => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([ONE]));
    const db = new Database(path.join(team.data, 'writ.db'));
    const { bytes } = db
      .prepare("SELECT bytes FROM log_entry WHERE run = ? AND type = 'step.intended'")
      .get(run.id) as { readonly bytes: Buffer };
    db.prepare("UPDATE log_entry SET bytes = ? WHERE run = ? AND type = 'step.intended'").run(
      Buffer.from(changed(bytes.toString())),
      run.id,
    );
    db.close();
    expect((await refusalOf(writ.results(run.id))).code).toBe('AUDIT_ENTRY_INVALID');
  });
});
