import { describe, expect, it } from 'vitest';
import { parseWorkflow } from '../workflow/parse.js';
import type { Json, JsonObject } from '../json.js';
import { Execution } from './execution.js';
import type { Answer, Request } from './query.js';
import type { RunHead } from './state.js';

const SEED = '01'.repeat(32);

/** A document of dialect 2 that is moved by hand; everything goes through what is stored first, as after a crash. */
class Machine {
  readonly #plan;
  readonly #parts = new Map<string, string>();
  #execution: Execution;

  constructor(states: JsonObject, input: Json = {}, spec: JsonObject = {}) {
    const document = {
      apiVersion: 'agentrc.workflow/v0.1',
      kind: 'AgentWorkflow',
      metadata: { name: 'claims' },
      spec: { startAt: Object.keys(states)[0] ?? '', states, ...spec },
    };
    const { plan, diagnostics } = parseWorkflow(JSON.stringify(document), { functions: 'any' });
    if (plan === null) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
    this.#plan = plan;
    this.#execution = Execution.start(plan, {
      runId: 'run_1',
      initiator: 'user:ann',
      input,
      nowMs: 0,
      seed: SEED,
    });
    this.#store();
  }

  /** Every timer is due. */
  later(): this {
    this.#execution.apply({ kind: 'tick', nowMs: 1_000_000 });
    return this;
  }

  nextTimerMs(): number | null {
    return this.#execution.nextTimerMs();
  }

  get head(): RunHead {
    return this.#execution.head;
  }

  requests(): Request[] {
    return this.#execution.requests(7);
  }

  request(): Request {
    const [only, ...more] = this.requests();
    if (only === undefined || more.length > 0)
      throw new Error(`${more.length + 1} requests: ${JSON.stringify(this.head)}`);
    return only;
  }

  tasks(): readonly string[] {
    return this.#execution.tasks().map(({ stepPath }) => stepPath);
  }

  input(stepPath: string): Json | undefined {
    return this.#execution.task(stepPath)?.input;
  }

  /** Answers the only request, or the one named. */
  answer(answer: Answer, { id, at } = this.request() as { readonly id: string; readonly at: number }): this {
    this.#execution.apply({ kind: 'answered', id, at, answer, nowMs: 7 });
    return this.#store();
  }

  values(values: JsonObject): this {
    return this.answer({ ok: true, values });
  }

  ok(output: Json, stepPath = this.tasks()[0] ?? ''): this {
    const attempt = this.#execution.task(stepPath)?.attempt ?? 0;
    this.#execution.apply({ kind: 'succeeded', stepPath, attempt, output, nowMs: 7 });
    return this.#store();
  }

  bad(name: string, stepPath = this.tasks()[0] ?? '', kind: 'failure' | 'refusal' = 'failure'): this {
    const attempt = this.#execution.task(stepPath)?.attempt ?? 0;
    const error = { name, code: 'FUNCTION_FAILED', kind, message: 'why' } as const;
    this.#execution.apply({ kind: 'failed', stepPath, attempt, error, nowMs: 7, draw: 0 });
    return this.#store();
  }

  #store(): this {
    const { head, put, removed, ended } = this.#execution.takeChanges();
    for (const [key, value] of put) this.#parts.set(key, JSON.stringify(value));
    for (const key of removed) this.#parts.delete(key);
    if (ended) this.#parts.clear();
    const stored = new Map([...this.#parts].map(([key, text]) => [key, JSON.parse(text) as Json]));
    this.#execution = Execution.open(this.#plan, JSON.parse(JSON.stringify(head)) as RunHead, stored);
    return this;
  }
}

const task = (fields: JsonObject = {}): JsonObject => ({
  type: 'Task',
  resource: 'tool::test',
  end: true,
  ...fields,
});
const pass = (fields: JsonObject = {}): JsonObject => ({ type: 'Pass', end: true, ...fields });
const JSONATA = { queryLanguage: 'JSONata' };

describe('a state in JSONata', () => {
  it('asks for its expressions with $states and variables, and goes on with the answer', () => {
    const A = task({
      arguments: { id: '{% $states.input.id %}' },
      assign: { seen: '{% $states.result %}' },
      output: 'fixed',
    });
    const run = new Machine({ A }, { id: 7 }, JSONATA);
    expect(run.request()).toMatchObject({
      kind: 'query',
      fields: { Arguments: { id: '{% $states.input.id %}' } },
      states: { input: { id: 7 }, context: { State: { Name: 'A', RetryCount: 0 } } },
      variables: {},
      nowMs: 7,
    });
    expect(run.values({ Arguments: { id: 7 } }).input('A')).toEqual({ id: 7 });
    expect(run.ok({ sum: 3 }).request()).toMatchObject({
      fields: { Output: 'fixed', Assign: { seen: '{% $states.result %}' } },
      states: { input: { id: 7 }, result: { sum: 3 } },
    });
    expect(run.values({ Output: 'fixed', Assign: { seen: { sum: 3 } } }).head).toMatchObject({
      status: 'completed',
      output: 'fixed',
    });
  });

  it('asks for nothing when it has no expression', () => {
    const run = new Machine({ A: task({ arguments: { id: 1 } }) }, {}, JSONATA);
    expect(run.requests()).toEqual([]);
    expect(run.input('A')).toEqual({ id: 1 });
    expect(run.ok({ sum: 3 }).head.output).toEqual({ sum: 3 });
  });

  it('takes text with a blank before {% as text', () => {
    expect(new Machine({ A: pass({ output: ' {% 1 %}' }) }, {}, JSONATA).head.output).toBe(' {% 1 %}');
  });

  it('asks the same question after a crash, and takes one answer', () => {
    const run = new Machine(
      { A: pass({ output: '{% 1 %}', next: 'B', end: false }), B: pass({ output: '{% 2 %}' }) },
      {},
      JSONATA,
    );
    const first = run.request();
    expect(run.request()).toEqual(first);
    run.answer({ ok: true, values: { Output: 1 } }, first);
    const second = run.request();
    expect(second.at).not.toBe(first.at);
    expect(run.answer({ ok: true, values: { Output: 9 } }, first).request()).toEqual(second);
  });

  it('draws other random numbers in each question, the same when it is asked again', () => {
    const run = new Machine(
      { A: pass({ output: '{% 1 %}', next: 'B', end: false }), B: pass({ output: '{% 2 %}' }) },
      {},
      JSONATA,
    );
    const seeds = [run.request(), run.request(), run.values({ Output: 1 }).request()].map((one) =>
      one.kind === 'query' ? one.seed : '',
    );
    expect(seeds[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(seeds[1]).toBe(seeds[0]);
    expect(seeds[2]).not.toBe(seeds[0]);
    expect(seeds).not.toContain(SEED);
  });

  it('fails with States.QueryEvaluationError, which can be caught, when its expression does', () => {
    const caught = {
      errorEquals: ['States.QueryEvaluationError'],
      next: 'B',
      output: { why: '{% $states.errorOutput.Error %}' },
    };
    const run = new Machine({ A: task({ arguments: '{% $x %}', catch: [caught] }), B: pass() }, {}, JSONATA);
    run.answer({ ok: false, field: 'Arguments', expression: '$x', problem: 'undefined', message: 'nothing' });
    expect(run.request()).toMatchObject({
      states: { errorOutput: { Error: 'States.QueryEvaluationError' } },
    });
    expect(run.values({ 'Catch[0]/Output': { why: 'x' } }).head.output).toEqual({ why: 'x' });
  });

  it('has no second catcher when the expression of the catcher fails', () => {
    const caught = { errorEquals: ['States.ALL'], next: 'B', output: '{% $nope %}' };
    const run = new Machine({ A: task({ catch: [caught] }), B: pass() }, {}, JSONATA).bad('Oops');
    run.answer({ ok: false, field: 'Output', expression: '$nope', problem: 'undefined', message: 'nothing' });
    expect(run.head).toMatchObject({ status: 'failed', error: { name: 'States.QueryEvaluationError' } });
  });

  it('asks one condition after the other and stops at the first that is true', () => {
    const choices = [
      { condition: '{% $a %}', next: 'X' },
      { condition: '{% $b %}', next: 'Y', assign: { which: 2 } },
      { condition: '{% $error() %}', next: 'X' },
    ];
    const run = new Machine(
      { C: { type: 'Choice', choices, default: 'X' }, X: pass({ output: 'x' }), Y: pass({ output: 'y' }) },
      {},
      JSONATA,
    );
    expect(run.request()).toMatchObject({ fields: { 'Choices[0]/Condition': '{% $a %}' } });
    expect(run.values({ 'Choices[0]/Condition': false }).request()).toMatchObject({
      fields: { 'Choices[1]/Condition': '{% $b %}' },
    });
    expect(run.values({ 'Choices[1]/Condition': true }).head).toMatchObject({
      status: 'completed',
      output: 'y',
    });
  });

  it.each<[string, Json]>([
    ['text', 'true'],
    ['a number', 1],
    ['null', null],
  ])('fails when its condition gives %s', (_, value) => {
    const C = { type: 'Choice', choices: [{ condition: '{% $a %}', next: 'X' }], default: 'X' };
    const run = new Machine({ C, X: pass() }, {}, JSONATA).values({ 'Choices[0]/Condition': value });
    expect(run.head.error?.name).toBe('States.QueryEvaluationError');
  });

  it('takes its time limit from an expression', () => {
    const run = new Machine({ A: task({ timeoutSeconds: '{% $t %}' }) }, {}, JSONATA);
    expect(run.values({ TimeoutSeconds: '5' }).head.error?.name).toBe('States.QueryEvaluationError');
  });
});

describe('a missed heartbeat', () => {
  it.each(['States.HeartbeatTimeout', 'States.Timeout', 'States.ALL'])(
    'is caught as %s, and told as a timeout',
    (name) => {
      const caught = { errorEquals: [name], resultPath: '$.why', next: 'B' };
      const run = new Machine({ A: task({ catch: [caught] }), B: pass() });
      expect(run.bad('States.HeartbeatTimeout').head.output).toMatchObject({
        why: { Error: 'States.Timeout' },
      });
    },
  );

  it('that nobody catches ends the run as a timeout', () => {
    expect(new Machine({ A: task() }).bad('States.HeartbeatTimeout').head.error?.name).toBe('States.Timeout');
  });
});

describe('variables', () => {
  it('are read in branches, and vanish at the end of a scope', () => {
    const B = pass({ parameters: { 'outer.$': '$x' }, assign: { y: 2 } });
    const P = { type: 'Parallel', branches: [{ startAt: 'B', states: { B } }], next: 'After' };
    const run = new Machine({
      A: pass({ assign: { x: 1 }, next: 'P', end: false }),
      P,
      After: pass({ parameters: { 'y.$': '$y' } }),
    });
    expect(run.head.error?.message).toContain('$y');
  });

  it('are all assigned from the values before', () => {
    const A = pass({ assign: { x: 1, y: 2 }, next: 'B', end: false });
    const B = pass({ assign: { 'x.$': '$y', 'y.$': '$x' }, next: 'C', end: false });
    const C = pass({ parameters: { 'x.$': '$x', 'y.$': '$y' } });
    expect(new Machine({ A, B, C }).head.output).toEqual({ x: 2, y: 1 });
  });

  it('of a failed attempt are lost, and a catcher has its own', () => {
    const A = task({
      assign: { x: 1 },
      catch: [{ errorEquals: ['States.ALL'], assign: { 'why.$': '$.Error' }, next: 'B' }],
    });
    const B = pass({ parameters: { 'why.$': '$why' } });
    expect(new Machine({ A, B }).bad('Oops').head.output).toEqual({ why: 'Oops' });
  });

  it('refuses one larger than 256 KiB', () => {
    const run = new Machine({ A: pass({ assign: { 'x.$': '$.text' } }) }, { text: 'x'.repeat(300_000) });
    expect(run.head.error?.name).toBe('States.DataLimitExceeded');
  });
});

describe('Map', () => {
  const each = (fields: JsonObject, state: JsonObject = task(), config: JsonObject = {}): JsonObject => ({
    Each: {
      type: 'Map',
      itemProcessor: { startAt: 'One', states: { One: state }, ...config },
      end: true,
      ...fields,
    },
  });
  const DISTRIBUTED = { processorConfig: { mode: 'DISTRIBUTED', executionType: 'STANDARD' } };

  it('gives each item what its selector makes of it', () => {
    const itemSelector = { 'n.$': '$$.Map.Item.Value', 'i.$': '$$.Map.Item.Index', 'all.$': '$.rate' };
    const run = new Machine(each({ itemsPath: '$.list', itemSelector }, pass()), { list: [5, 6], rate: 2 });
    expect(run.head.output).toEqual([
      { n: 5, i: 0, all: 2 },
      { n: 6, i: 1, all: 2 },
    ]);
  });

  it('selects in JSONata one question an item, looking from the Map', () => {
    const itemSelector = { v: '{% $states.context.Map.Item.Value %}' };
    const run = new Machine(
      each({ items: '{% $states.input.list %}', itemSelector }, pass()),
      { list: [5, 6] },
      JSONATA,
    );
    run.values({ Items: [5, 6] });
    const asked = run.requests();
    expect(asked.map((one) => (one.kind === 'query' ? one.states : {}))).toMatchObject([
      {
        input: { list: [5, 6] },
        context: { State: { Name: 'Each' }, Map: { Item: { Index: 0, Value: 5 } } },
      },
      { input: { list: [5, 6] }, context: { Map: { Item: { Index: 1, Value: 6 } } } },
    ]);
    for (const one of asked.reverse()) run.answer({ ok: true, values: { ItemSelector: { v: one.at } } }, one);
    expect(run.head.output).toEqual(asked.reverse().map(({ at }) => ({ v: at })));
  });

  it.each<[string, Json]>([
    ['an object', { a: 1 }],
    ['text', 'x'],
    ['null', null],
  ])('fails on items that are %s', (_, list) => {
    expect(new Machine(each({ itemsPath: '$.list' }), { list }).head.error?.name).toBe('States.Runtime');
  });

  it('runs no more at once than a path says, also when it says it as text', () => {
    const run = new Machine(each({ itemsPath: '$.list', maxConcurrencyPath: '$.at' }), {
      list: [1, 2, 3],
      at: '2',
    });
    expect(run.tasks()).toEqual(['Each[0]/One', 'Each[1]/One']);
  });

  it('is not given the variables around it when it is distributed', () => {
    const A = pass({ assign: { x: 1 }, next: 'Each', end: false, result: [1] });
    const run = new Machine({ A, ...each({}, pass({ parameters: { 'x.$': '$x' } }), DISTRIBUTED) });
    expect(run.head.status).toBe('failed');
  });

  describe('distributed', () => {
    it.each<[string, JsonObject, number, string | null]>([
      ['no failure is tolerated where nothing says so', {}, 1, 'States.ExceedToleratedFailureThreshold'],
      ['as many failures as are tolerated', { toleratedFailureCount: 2 }, 2, null],
      [
        'one more than are tolerated',
        { toleratedFailureCount: 2 },
        3,
        'States.ExceedToleratedFailureThreshold',
      ],
      ['a percentage that is reached', { toleratedFailurePercentage: 50 }, 2, null],
      [
        'a percentage that is passed',
        { toleratedFailurePercentage: 50 },
        3,
        'States.ExceedToleratedFailureThreshold',
      ],
    ])('%s', (_, fields, failures, error) => {
      const run = new Machine(each(fields, task(), DISTRIBUTED), [1, 2, 3, 4]);
      for (let n = 0; n < 4 && run.head.status === 'running'; n++) {
        const path = `Each[${n}]/One`;
        if (n < failures) run.bad('Oops', path);
        else run.ok(n, path);
      }
      // What still ran when the bound was passed has to end first.
      for (const path of run.head.status === 'running' ? run.tasks() : []) run.ok(0, path);
      expect(run.head.error?.name ?? null).toBe(error);
      if (error === null) expect(run.head.output).toEqual([0, 1, 2, 3].slice(failures));
    });

    it('never tolerates a refusal', () => {
      const run = new Machine(each({ toleratedFailureCount: 9 }, task(), DISTRIBUTED), [1]);
      expect(run.bad('Policy.Denied', 'Each[0]/One', 'refusal').head.error?.name).toBe('Policy.Denied');
    });

    it('puts items into batches of so many, with what they share', () => {
      const itemBatcher = { maxItemsPerBatch: 2, batchInput: { 'rate.$': '$.rate' } };
      const run = new Machine(each({ itemsPath: '$.list', itemBatcher }, pass(), DISTRIBUTED), {
        list: [1, 2, 3],
        rate: 9,
      });
      expect(run.head.output).toEqual([
        { BatchInput: { rate: 9 }, Items: [1, 2] },
        { BatchInput: { rate: 9 }, Items: [3] },
      ]);
    });

    it('puts items into batches of so many bytes, and refuses one that fits into none', () => {
      const itemBatcher = { maxInputBytesPerBatch: 20 };
      const run = (list: Json): RunHead => new Machine(each({ itemBatcher }, pass(), DISTRIBUTED), list).head;
      expect(run(['aaa', 'bbb', 'c'])).toMatchObject({
        output: [{ Items: ['aaa'] }, { Items: ['bbb'] }, { Items: ['c'] }],
      });
      expect(run(['a'.repeat(30)]).error?.name).toBe('States.DataLimitExceeded');
    });

    it('selects before it batches, in JSONata one question after the other', () => {
      const itemBatcher = { maxItemsPerBatch: 2 };
      const itemSelector = { v: '{% $states.context.Map.Item.Value %}' };
      const run = new Machine(each({ itemBatcher, itemSelector }, pass(), DISTRIBUTED), [5, 6, 7], JSONATA);
      run.values({ Items: [5, 6, 7] });
      for (const v of [5, 6, 7]) {
        const asked = run.request();
        expect(asked).toMatchObject({ states: { context: { Map: { Item: { Value: v } } } } });
        run.values({ ItemSelector: { v } });
      }
      expect(run.head.output).toEqual([{ Items: [{ v: 5 }, { v: 6 }] }, { Items: [{ v: 7 }] }]);
    });

    it('asks for the items that its reader names, and takes no more of them than it says', () => {
      const itemReader = {
        resource: 'arn:aws:states:::s3:getObject',
        parameters: { 'Bucket.$': '$.bucket', Key: 'k' },
        readerConfig: { inputType: 'JSON', maxItems: 2 },
      };
      const run = new Machine(each({ itemReader }, pass(), DISTRIBUTED), { bucket: 'b' });
      expect(run.request()).toMatchObject({
        kind: 'read',
        arguments: { Bucket: 'b', Key: 'k' },
        maxItems: 2,
      });
      expect(run.answer({ ok: true, items: [1, 2, 3] }).head.output).toEqual([1, 2]);
    });

    it.each<[string, Json]>([
      ['null', null],
      ['an object of an inline Map', { a: 1 }],
    ])('fails when an expression gives %s for its items', (_, items) => {
      const run = new Machine(each({ items: '{% $states.input %}' }, pass()), [1], JSONATA).values({
        Items: items,
      });
      expect(run.head.error?.message).toContain("Expected 'array'");
    });

    it('fails with States.ItemReaderFailed when there are none', () => {
      const itemReader = {
        resource: 'arn:aws:states:::s3:getObject',
        parameters: { Bucket: 'b', Key: 'k' },
        readerConfig: { inputType: 'JSON' },
      };
      const run = new Machine(each({ itemReader }, pass(), DISTRIBUTED));
      expect(run.answer({ ok: false, message: 'gone' }).head.error).toMatchObject({
        name: 'States.ItemReaderFailed',
        message: 'gone',
      });
    });

    const reading = {
      itemReader: {
        resource: 'arn:aws:states:::s3:getObject',
        parameters: { Bucket: 'b', Key: 'k' },
        readerConfig: { inputType: 'JSON' },
      },
      retry: [{ errorEquals: ['States.ItemReaderFailed'], intervalSeconds: 1, maxAttempts: 2 }],
    };

    it('reads again as often as its retrier says, and then fails', () => {
      const gone = { ok: false, message: 'gone' } as const;
      const run = new Machine(each(reading, pass(), DISTRIBUTED)).answer(gone).later().answer(gone);
      expect(run.head.status).toBe('running');
      expect(run.later().answer(gone).head.error).toMatchObject({ name: 'States.ItemReaderFailed' });
      const better = new Machine(each(reading, pass(), DISTRIBUTED)).answer(gone);
      expect(better.later().answer({ ok: true, items: [1, 2] }).head).toMatchObject({
        status: 'completed',
        output: [1, 2],
      });
    });

    it('waits before it reads again, and neither a refusal nor another error is tried again', () => {
      const gone = { ok: false, message: 'gone' } as const;
      const slow = [{ errorEquals: ['States.ALL'], intervalSeconds: 5, maxAttempts: 1 }];
      const waiting = new Machine(each({ ...reading, retry: slow }, pass(), DISTRIBUTED)).answer(gone);
      expect([waiting.head.status, waiting.nextTimerMs()]).toEqual(['running', 5007]);
      const denied = new Machine(each({ ...reading, retry: slow }, pass(), DISTRIBUTED));
      denied.answer({ ok: false, message: 'no', code: 'POLICY_NO_MATCH' });
      expect(denied.head.error).toMatchObject({ code: 'POLICY_NO_MATCH' });
      const other = [{ errorEquals: ['States.ResultWriterFailed'] }];
      const failed = new Machine(each({ ...reading, retry: other }, pass(), DISTRIBUTED)).answer(gone);
      expect(failed.head.error).toMatchObject({ name: 'States.ItemReaderFailed' });
    });

    it('runs its items again when its results could not be written and it is retried', () => {
      const resultWriter = {
        resource: 'arn:aws:states:::s3:putObject',
        parameters: { Bucket: 'b', Prefix: 'p' },
      };
      const retry = [{ errorEquals: ['States.ResultWriterFailed'], intervalSeconds: 1, maxAttempts: 1 }];
      const run = new Machine(each({ resultWriter, retry }, task(), DISTRIBUTED), ['a']);
      run.ok('A', 'Each[0]/One').answer({ ok: false, message: 'full' }).later();
      run.ok('B', 'Each#2[0]/One');
      const asked = run.request();
      expect(asked.kind === 'write' ? asked.results : []).toMatchObject([{ output: 'B' }]);
      expect(run.answer({ ok: true, output: 'there' }).head.output).toBe('there');
    });

    it('hands its results to its writer, failures too, and goes on with what that says', () => {
      const resultWriter = {
        resource: 'arn:aws:states:::s3:putObject',
        parameters: { Bucket: 'b', Prefix: 'p' },
      };
      const run = new Machine(each({ resultWriter, toleratedFailureCount: 1 }, task(), DISTRIBUTED), [
        'a',
        'b',
      ]);
      run.bad('Oops', 'Each[0]/One').ok('B', 'Each[1]/One');
      const asked = run.request();
      expect(asked).toMatchObject({ kind: 'write', arguments: { Bucket: 'b', Prefix: 'p' } });
      expect(asked.kind === 'write' ? asked.results : []).toEqual([
        { index: 0, input: 'a', output: null, error: { code: 'Oops', message: 'why' } },
        { index: 1, input: 'b', output: 'B', error: null },
      ]);
      expect(run.answer({ ok: true, output: { at: 'sha256:1' } }).head.output).toEqual({ at: 'sha256:1' });
    });
  });
});

describe('data limits of plain States Language', () => {
  const document = { StartAt: 'A', States: { A: { Type: 'Pass', End: true } } };

  it('is 262,144 bytes of UTF-8, and a catch-all takes it', () => {
    const { plan } = parseWorkflow(JSON.stringify(document), { functions: 'any' });
    if (plan === null) throw new Error('invalid');
    const end = (length: number): RunHead =>
      Execution.start(plan, { runId: 'r', initiator: 'u', input: 'ä'.repeat(length), nowMs: 0, seed: SEED })
        .head;
    expect(end(131_071).status).toBe('completed');
    expect(end(131_072).error).toMatchObject({ name: 'States.DataLimitExceeded' });
  });
});
