import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { fillForm } from './fill-form.js';

/** A person who types `lines` one after the other and then goes away. */
async function filled(form: Json, ...lines: readonly string[]) {
  const said: string[] = [];
  const asked: string[] = [];
  const left = [...lines];
  const result = await fillForm(form, 'user:bob', {
    say: (line) => said.push(line),
    ask: async (question) => {
      asked.push(question);
      return left.shift() ?? null;
    },
  });
  return { result, said: said.join('\n'), asked, left };
}

const REVIEW = {
  type: 'object',
  required: ['approved', 'why'],
  additionalProperties: false,
  properties: {
    approved: { type: 'boolean', title: 'Pay it', description: 'is it covered\u202e?' },
    amount: { type: 'number', minimum: 0, maximum: 1000, default: 100 },
    why: { enum: ['covered', 'goodwill'] },
    note: { type: 'string', maxLength: 5 },
  },
};

describe('a form at a terminal', () => {
  it('is asked for field by field, with what each of them is, and sent after a yes to all of it', async () => {
    const { result, said, asked } = await filled(REVIEW, 'yes', '12', '2', '', 'yes');
    expect(result).toEqual({ output: { approved: true, amount: 12, why: 'goodwill' } });
    expect(asked).toEqual([
      'approved: ',
      'amount [100]: ',
      'why: ',
      'note: ',
      'send it as user:bob? yes or no: ',
    ]);
    expect(said).toContain('approved: boolean, required: Pay it; is it covered\\u202e?');
    expect(said).toContain('amount: number, from 0, to 1000');
    expect(said).toContain('why: one of these, required\n  1) covered\n  2) goodwill');
    expect(said).toContain('your answer\n  {\n    "approved": true,\n    "amount": 12,');
  });

  it('takes the default for an empty line, and leaves out what is not required', async () => {
    const { result } = await filled(REVIEW, 'no', '', 'covered', '', 'yes');
    expect(result).toEqual({ output: { approved: false, amount: 100, why: 'covered' } });
  });

  it('asks again for what does not fit, says why, and never skips what is required', async () => {
    const { result, said, asked } = await filled(
      REVIEW,
      ...['', 'maybe', 'yes', '1001', 'x', '1000', '3', '1', 'too long', 'fits', 'yes'],
    );
    expect(result).toEqual({ output: { approved: true, amount: 1000, why: 'covered', note: 'fits' } });
    for (const why of [
      'it is required',
      'say yes or no',
      'must be <= 1000',
      'that is no number',
      'none of them',
    ])
      expect(said).toContain(why);
    expect(said).toContain('must NOT have more than 5 characters');
    expect(asked).toHaveLength(11);
  });

  it.each<[string, readonly string[]]>([
    ['at the first question', []],
    ['in the middle', ['yes', '12']],
    ['before the last yes', ['yes', '12', '1', '']],
    ['with no', ['yes', '12', '1', '', 'no']],
    ['with an empty line at the end', ['yes', '12', '1', '', '']],
    ['with y, which is no yes', ['yes', '12', '1', '', 'y']],
  ])('is not answered when the person leaves %s', async (_, lines) => {
    expect((await filled(REVIEW, ...lines)).result).toBeNull();
  });

  it('asks for the fields of an object one by one, and for an optional one whether at all', async () => {
    const person = {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' }, age: { type: 'integer' } },
    };
    const form = { type: 'object', required: ['payee'], properties: { payee: person, witness: person } };
    const { result, asked } = await filled(form, 'Ann', '', '', 'yes');
    expect(result).toEqual({ output: { payee: { name: 'Ann' } } });
    expect(asked.slice(0, 2)).toEqual(['payee.name: ', 'payee.age: ']);
    const both = await filled(form, 'Ann', '40', 'yes', 'Ben', '', 'yes');
    expect(both.result).toEqual({ output: { payee: { name: 'Ann', age: 40 }, witness: { name: 'Ben' } } });
  });

  it('is one value where it has no fields, and deep objects are JSON', async () => {
    expect((await filled({}, '"fine"', 'yes')).result).toEqual({ output: 'fine' });
    expect((await filled({ type: 'boolean' }, 'y', 'yes')).result).toEqual({ output: true });
    let form: Json = { type: 'string' };
    for (let depth = 0; depth < 6; depth++) form = { required: ['a'], properties: { a: form } };
    const deep = await filled(form, '{"a": "x"}', 'yes');
    expect(deep.result).toEqual({ output: { a: { a: { a: { a: { a: { a: 'x' } } } } } } });
    expect(deep.asked[0]).toBe('a.a.a.a.a: ');
  });

  it('as a whole that does not fit is asked for once more, with what was given before', async () => {
    const form = {
      properties: { from: { type: 'integer' }, to: { $ref: '#/$defs/day' } },
      required: ['from', 'to'],
      $defs: { day: { type: 'integer', maximum: 31 } },
    };
    const { result, said, asked } = await filled(form, '1', '32', '', '31', 'yes');
    expect(said).toContain('this does not fit the form yet:\n  to must be <= 31');
    expect(asked.slice(2, 4)).toEqual(['from [1]: ', 'to [32]: ']);
    expect(result).toEqual({ output: { from: 1, to: 31 } });
  });

  it('shows names, values and words of the document with what hides in them written out', async () => {
    const form = { properties: { 'a\u001b[2J': { enum: ['x\u0007', 'y'], title: 'b\u202e' } } };
    const { said, asked } = await filled(form, '1', 'yes');
    expect(`${said}${asked.join('')}`).not.toMatch(/[\u001b\u0007\u202e]/u);
    expect(asked[0]).toBe('a\\u001b[2J: ');
  });
});
