// What a document writes into the request of a function is held against that function's schema before anything runs.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/json.js';
import { HTTP_REQUEST_SCHEMA } from '../../src/adapters/functions/http/request.js';
import { refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'tool::test_one';

async function told(text: string, schema: Json) {
  const { team } = here;
  const writ = await team.open();
  team.functions.takes(ONE, schema);
  const { diagnostics } = await writ.validate({ text, file: null });
  return diagnostics.filter(({ severity }) => severity === 'error');
}

const http = (config: string) =>
  told(steps([`functionId: "${ONE}", config: ${config}`]), HTTP_REQUEST_SCHEMA);

describe('a value that a step writes into its request', () => {
  it('is told where its function can not take it, with what it may be', async () => {
    const url = 'url: "https://a.example"';
    expect(await http(`{ ${url}, failOn: ["5x"] }`)).toMatchObject([
      {
        code: 'DOC_BAD_VALUE',
        message: `"s1": ${ONE} can't take this failOn: /0 must be integer`,
        hint: 'failOn: statuses (100 to 599), 4xx or 5xx that are no answer but a failure, which the step may retry or skip',
        path: 'steps[0].config.failOn',
      },
    ]);
    expect(await http(`{ ${url}, method: BREW, maxBytes: 0 }`)).toMatchObject([
      { path: 'steps[0].config.method' },
      { path: 'steps[0].config.maxBytes' },
    ]);
    expect(await http(`{ ${url}, failOn: [429, 5xx], timeoutMs: 5 }`)).toEqual([]);
  });

  it('is not told where the run fills it in', async () => {
    const config = '{ url: "{{input}}", method: "{{input}}", timeoutMs: "{{input}}", failOn: ["{{input}}"] }';
    expect(await http(config)).toEqual([]);
  });

  it('is told under a name that the function does not know', async () => {
    const schema = {
      type: 'object',
      additionalProperties: false,
      properties: { amount: { type: 'number' } },
    };
    const text = steps([`functionId: "${ONE}", config: { amuont: "{{input}}" }`]);
    expect(await told(text, schema)).toMatchObject([
      { code: 'DOC_UNKNOWN_FIELD', hint: 'did you mean "amount"?', path: 'steps[0].config.amuont' },
    ]);
    expect(await told(text, { ...schema, patternProperties: { '^am': {} } })).toEqual([]);
    expect(await told(text, { type: 'object' })).toEqual([]);
  });

  it('is judged as the whole schema would: what its parts refer to stands there', async () => {
    const shared = (reference: string) => ({
      type: 'object',
      $defs: { level: { enum: ['low', 'high'] } },
      properties: { level: { $ref: reference }, other: { type: 'string' } },
    });
    const text = steps([`functionId: "${ONE}", config: { level: 7 }`]);
    expect(await told(text, shared('#/$defs/level'))).toHaveLength(1);
    expect(await told(text, shared('#/properties/other'))).toHaveLength(1);
    expect(await told(text, shared('#/properties/absent'))).toEqual([]);
    expect(await told(text, { $id: 'https://a.example/s', ...shared('#/$defs/level') })).toHaveLength(1);
  });

  it('hole: a schema that refers to itself ended the whole look at a document', async () => {
    const tree = {
      type: 'object',
      properties: {
        name: { type: 'string' },
        parent: { $ref: '#' },
        kids: { type: 'array', items: { $ref: '#' } },
        'a/b': { $ref: '#/properties/name' },
      },
    };
    const text = (config: string) => steps([`functionId: "${ONE}", config: ${config}`]);
    expect(
      await told(text('{ parent: { name: a }, kids: [{ name: b, kids: [] }], "a/b": c }'), tree),
    ).toEqual([]);
    expect(await told(text('{ parent: { name: 1 }, kids: [{ name: 2 }], "a/b": 3 }'), tree)).toHaveLength(3);
  });

  it('hole: a field that the schema says nothing of cost a compilation each', async () => {
    const { team } = here;
    const writ = await team.open();
    let asked = 0;
    const schema = {
      type: 'object',
      get properties() {
        asked += 1;
        return {};
      },
    };
    team.functions.takes(ONE, schema);
    const fields = Array.from({ length: 5_000 }, (_, at) => `f${at}: 1`).join(', ');
    const { diagnostics } = await writ.validate({
      text: steps([`functionId: "${ONE}", config: { ${fields} }`]),
      file: null,
    });
    expect(diagnostics).toEqual([]);
    expect(asked).toBeLessThan(20_000);
  });

  it('is a warning where a run may end well without the step', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.takes(ONE, { type: 'object', properties: { amount: { type: 'number' } } });
    const text = steps([`functionId: "${ONE}", config: { amount: much }, errorMode: skip`]);
    const { diagnostics } = await writ.validate({ text, file: null });
    expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'DOC_BAD_VALUE' }]);
  });

  it.each([
    ['JSONPath', { parameters: { amount: 'much' } }, 'spec.states.A.parameters.amount'],
    ['JSONPath, filled in', { parameters: { 'amount.$': '$.a' } }, null],
    [
      'JSONata',
      { queryLanguage: 'JSONata', arguments: { amount: 'much' } },
      'spec.states.A.arguments.amount',
    ],
    [
      'JSONata, filled in',
      { queryLanguage: 'JSONata', arguments: { amount: '{% $states.input.a %}' } },
      null,
    ],
  ])('is told in a state too, by %s', async (_, fields, path) => {
    const text = states('A', { A: { type: 'Task', resource: ONE, end: true, ...fields } });
    const schema = {
      type: 'object',
      additionalProperties: false,
      properties: { amount: { type: 'number' } },
    };
    expect((await told(text, schema)).map((one) => one.path)).toEqual(path === null ? [] : [path]);
  });

  it('stops the run before it starts', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.takes(ONE, { type: 'object', properties: { amount: { type: 'number' } } });
    const workflow = { text: steps([`functionId: "${ONE}", config: { amount: much }`]), file: null };
    const alice = await team.as(writ, 'alice');
    const refused = await refusalOf(writ.start({ workflow, input: {}, agents: {} }, alice));
    expect(refused.kind).toBe('document');
    expect(team.functions.calls).toEqual([]);
    expect(await writ.runs()).toEqual([]);
  });
});
