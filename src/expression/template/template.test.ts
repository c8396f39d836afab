import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { Scope } from '../scope.js';
import {
  checkTemplate,
  EACH_MAX_ROUNDS,
  RENDERED_MAX_BYTES,
  isOnePath,
  renderTemplate,
  renderValue,
  templateVariables,
} from './template.js';
import { TEMPLATE_MAX_BYTES } from './tree.js';

const STEPS = ['Check Status', 'Post-Mortem', "Bob's (x) v1.2"];

function scope(values: Record<string, Json>, onMissing: Scope['onMissing'] = 'error'): Scope {
  return {
    values: new Map(Object.entries(values)),
    known: new Set([...STEPS, 'feedback', 'iteration', 'output']),
    onMissing,
  };
}

function render(source: string, values: Record<string, Json> = {}, onMissing?: Scope['onMissing']): string {
  return renderTemplate(source, scope(values, onMissing));
}

function failure(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof WritError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('nothing was thrown');
}

function codes(source: string, names: readonly string[] = []): readonly string[] {
  const problem = checkTemplate(source, new Set([...STEPS, ...names]));
  return problem === null ? [] : [problem.code];
}

describe('a template', () => {
  it.each<[string, Record<string, Json>, string]>([
    ['Design: {{goal}}.', { goal: 'grüße 🌊 <b> & "q"' }, 'Design: grüße 🌊 <b> & "q".'],
    [
      '{{o}} {{l}} {{n}} {{b}} [{{z}}]',
      { o: { a: [1] }, l: [1, 'x'], n: 1.5, b: true, z: null },
      '{"a":[1]} [1,"x"] 1.5 true []',
    ],
    ['{{{o}}} {{&o}}', { o: '<&>' }, '<&> <&>'],
    ['{{json o}}', { o: { a: 1 } }, '{\n  "a": 1\n}'],
    ['{{o.a.[0].b}}', { o: { a: [{ b: 'x' }] } }, 'x'],
    ['{{o.a[0].b}}', { o: { a: [{ b: 'x' }] } }, 'x'],
    ['{{l[1][0]}}{{#each l[0]}}{{this}}{{/each}}', { l: [[1, 2], [3]] }, '312'],
    ['{{#if l[0]}}{{json l[0]}}{{/if}}{{default l[9] "[0]"}}', { l: ['a'] }, '"a"[0]'],
    ['{{text.severity}}', { text: '{"severity":"P0"}' }, 'P0'],
    ['{{text}}', { text: '{ "severity": "P0" }' }, '{ "severity": "P0" }'],
    ['{{! note }}{{!-- {{x}} --}}a', {}, 'a'],
    ['a  {{~x~}}  b', { x: 1 }, 'a1b'],
    ['\\{{x}} {{x}}', { x: 1 }, '{{x}} 1'],
  ])('%s prints what the values say', (source, values, expected) => {
    expect(render(source, values)).toBe(expected);
  });

  it.each<[string, Record<string, Json>, string]>([
    ['{{#if iteration > 0}}again{{else}}first{{/if}}', { iteration: 1 }, 'again'],
    ['{{#if iteration > 0}}again{{else}}first{{/if}}', { iteration: 0 }, 'first'],
    ['{{#if iteration > 0}}again{{else}}first{{/if}}', {}, 'first'],
    ["{{#if a == 'x' && b != 1}}y{{/if}}", { a: 'x', b: 2 }, 'y'],
    ["{{#if a == 'y'}}1{{else if a == 'x'}}2{{else}}3{{/if}}", { a: 'x' }, '2'],
    ['{{#unless a >= 2}}low{{/unless}}', { a: 1 }, 'low'],
    ['{{^if a > 2}}low{{/if}}', { a: 1 }, 'low'],
    ['{{#if !feedback}}none{{/if}}', {}, 'none'],
    ['{{#if (gt a 1)}}{{#if (and a (not b))}}y{{/if}}{{/if}}', { a: 2, b: 0 }, 'y'],
    ["{{#if Check Status.status == 'ok'}}y{{/if}}", { 'Check Status': { status: 'ok' } }, 'y'],
    ['{{#if (a > 1) || b}}y{{/if}}', { a: 1, b: 1 }, 'y'],
  ])('%s compares without coercion', (source, values, expected) => {
    expect(render(source, values)).toBe(expected);
  });

  it('hole: an index in the name of a step was read as one behind it', () => {
    const values = {
      'Check a[0]': { x: 'whole', l: ['first'] },
      "Bob's list": ['b'],
      a: { 'x][0': { y: 1 } },
    };
    const known = new Set(Object.keys(values));
    const read = (source: string) => renderTemplate(source, { ...scope(values), known });
    expect(read('{{Check a[0].x}} {{Check a[0].l[0]}}')).toBe('whole first');
    expect(read('{{#if Check a[0].x}}y{{else}}n{{/if}}')).toBe('y');
    expect(read("{{Bob's list[0]}}")).toBe('b');
    expect(read('{{a.[x\\][0].y}}')).toBe('1');
  });

  it('finds step names with blanks, hyphens and other characters', () => {
    const values = {
      'Check Status': '{"status":"ok","l":[1,2]}',
      'Post-Mortem': 'pm',
      "Bob's (x) v1.2": 'b',
    };
    expect(render('{{Check Status.status}} {{[Check Status].status}}', values)).toBe('ok ok');
    expect(render("{{Post-Mortem}} {{Bob's (x) v1.2}}", values)).toBe('pm b');
    expect(render('{{#each Check Status.l as |n|}}{{n}},{{/each}}', values)).toBe('1,2,');
    expect(render('{{#with Check Status}}{{status}}{{/with}}', values)).toBe('ok');
    expect(render('{{json Check Status.l}}', values)).toBe('[\n  1,\n  2\n]');
  });

  it('lets no input property change what a template says', () => {
    const values = { 'json x': 'evil', 'iteration > 0': 'evil', x: 1 };
    expect(render('{{json x}}', values)).toBe('1');
    expect(render('{{#if iteration > 0}}evil{{else}}ok{{/if}}', values)).toBe('ok');
  });

  it('goes through lists and objects, with index, key, first, last and outer names', () => {
    const values = { l: [{ n: 'a' }, { n: 'b' }], o: { k: 1, m: 2 }, t: '-' };
    expect(render('{{#each l}}{{@index}}{{n}}{{../t}}{{#unless @last}},{{/unless}}{{/each}}', values)).toBe(
      '0a-,1b-',
    );
    expect(render('{{#each o as |v k|}}{{k}}={{v}};{{/each}}', values)).toBe('k=1;m=2;');
    expect(render('{{#each o}}{{@key}}={{this}};{{/each}}', values)).toBe('k=1;m=2;');
    expect(render('{{#each l}}{{#if @index > 0}}{{n}}{{/if}}{{/each}}', values)).toBe('b');
    expect(render("{{#each l}}{{#if this.n == 'a'}}{{n}}{{/if}}{{/each}}", values)).toBe('a');
    expect(render('{{#each empty}}x{{else}}none{{/each}}', { empty: [] })).toBe('none');
  });

  it('compares outer names inside a block, and refuses what leads out of it or no block gives', () => {
    const values = {
      l: [
        { n: 'a', m: [1, 2] },
        { n: 'b', m: [3] },
      ],
      t: 'b',
      'Check Status': { n: 'a' },
    };
    expect(render('{{#each l}}{{#if n == ../t}}{{n}}{{/if}}{{/each}}', values)).toBe('b');
    expect(render('{{#each l}}{{#if ../Check Status.n == n}}{{n}}{{/if}}{{/each}}', values)).toBe('a');
    expect(
      render(
        '{{#each l}}{{#each m}}{{#if ../n == ../../t || @../index < 1 && this > 1}}{{this}}{{/if}}{{/each}}{{/each}}',
        values,
      ),
    ).toBe('23');
    expect(render('{{#if l.[1].n == t && l[0].m.[1] == 2}}y{{/if}}', values)).toBe('y');
    for (const head of ['@index > 0', '../t == 1', '@idx > 0 && t']) {
      expect(codes(`{{#if ${head}}}x{{/if}}`)).toEqual(['DOC_TEMPLATE']);
    }
    expect(codes('{{#each l}}{{#if @idx > 0}}x{{/if}}{{/each}}')).toEqual(['DOC_TEMPLATE']);
    expect(templateVariables('{{#each l}}{{#if ../t == n}}x{{/if}}{{/each}}', new Set())).toMatchObject([
      { name: 'l' },
      { name: 't', offset: 17 },
    ]);
  });

  it.each<[string, string]>([
    ['{"a": {"b": {{n}}}}', '{"a": {"b": 7}}'],
    ['{"a":{{json o}}}', '{"a":{\n  "b": 1\n}}'],
    ['{"a":{{{o}}}}', '{"a":{"b":1}}'],
    ['{{#if n}}}{{/if}}}', '}}'],
    ['{{#each l}}{"i":{{this}}}{{/each}}', '{"i":1}{"i":2}'],
    ['{{default z "}}}"}}', '}}}'],
    ['{{n}}}}}}', '7}}}}'],
  ])('may stand right before a brace that is text: %s', (source, text) => {
    expect(render(source, { n: 7, o: { b: 1 }, l: [1, 2], z: null })).toBe(text);
  });

  it('has lookup, default and the comparison helpers', () => {
    expect(render("{{lookup o 'a b'}}{{lookup l 1}}", { o: { 'a b': 1 }, l: [1, 2] })).toBe('12');
    expect(render("{{default priority 'P3'}}{{default z 'x'}}{{default n 1}}", { z: '', n: 0 })).toBe('P3x0');
    expect(render("{{eq 1 1}} {{eq 1 '1'}} {{ne 1 2}} {{lt 1 'a'}} {{lte 1 1}} {{gte 1 2}} {{or 0 1}}")).toBe(
      'true false true false true false true',
    );
  });

  it('prints values as data: braces in a value are not expanded again', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const evil = `{{output}}${text}{{#if`;
        expect(render('<{{x}}>', { x: evil, output: 'secret' })).toBe(`<${evil}>`);
      }),
    );
  });

  it('prints a known name without a value as nothing', () => {
    expect(render('Feedback (if any): {{feedback}}{{feedback.text}}.')).toBe('Feedback (if any): .');
    expect(render('{{Check Status}}|')).toBe('|');
  });

  it('fails on a name nobody gives, and names the path', () => {
    expect(failure(() => render('a {{nope}}'))).toEqual({
      code: 'STEP_TEMPLATE_UNRESOLVED',
      message: 'template names nope, which has no value (line 1, column 5 of the template)',
    });
    expect(failure(() => render('{{a.b.c}}', { a: { b: 1 } })).message).toContain('a.b.c');
    // As it is written: `a.2` would be no path of a template.
    expect(failure(() => render('{{a.[2]}}', { a: [1] })).message).toContain('template names a.[2], which');
    expect(failure(() => render('{{#if nope}}x{{/if}}')).code).toBe('STEP_TEMPLATE_UNRESOLVED');
    expect(failure(() => render('{{#if nope > 1}}x{{/if}}')).code).toBe('STEP_TEMPLATE_UNRESOLVED');
    expect(failure(() => render('{{#each l}}{{goal}}{{/each}}', { l: [1], goal: 'x' })).message).toContain(
      'goal',
    );
  });

  it('prints nothing for an unknown name with empty, and leaves the text with keep', () => {
    expect(render('a {{nope.x}} b', {}, 'empty')).toBe('a  b');
    expect(render('a {{nope.x}} {{json nope}} {{ok}}', { ok: 1 }, 'keep')).toBe(
      'a {{nope.x}} {{json nope}} 1',
    );
    expect(render('{{Check Status.nope}}', { 'Check Status': {} }, 'keep')).toBe('{{Check Status.nope}}');
    expect(render('{{#if nope}}x{{else}}y{{/if}}', {}, 'keep')).toBe('y');
  });

  it.each([
    'constructor',
    '__proto__',
    'prototype',
    'o.constructor',
    'o.__proto__',
    'o.constructor.constructor',
    'o.toString',
    'l.map',
    's.length',
    'o.hasOwnProperty',
  ])('never reaches a prototype through %s', (path) => {
    const own = JSON.parse('{"__proto__": "own", "constructor": "own"}') as Json;
    const values = new Map<string, Json>([
      ['o', own],
      ['l', []],
      ['s', 'text'],
      ['constructor', 'x'],
      ['__proto__', 'x'],
    ]);
    const run = () => renderTemplate(`{{${path}}}`, { values, known: new Set(), onMissing: 'error' });
    expect(failure(run).code).toBe('STEP_TEMPLATE_UNRESOLVED');
  });

  it('never reaches a prototype through lookup or each', () => {
    expect(render("{{lookup o 'constructor'}}{{lookup o '__proto__'}}|", { o: {} })).toBe('|');
    expect(render('{{#each o}}{{@key}}{{/each}}|', { o: {} })).toBe('|');
  });

  it.each([
    '{{> partial}}',
    '{{#> layout}}{{/layout}}',
    '{{#*inline "a"}}{{/inline}}',
    '{{* decorator}}',
    '{{{{raw}}}}x{{{{/raw}}}}',
    '{{helper x}}',
    '{{#section}}x{{/section}}',
    '{{^section}}x{{/section}}',
    '{{#eq a b}}x{{/eq}}',
    '{{#if a b}}x{{/if}}',
    '{{#if a includeZero=true}}x{{/if}}',
    '{{json a indent=4}}',
    '{{json}}{{json a b}}',
    '{{this}}',
    '{{@root}}',
    '{{@index}}',
    '{{../a}}',
    '{{#each l}}{{../../a}}{{/each}}',
    '{{@writ_condition_0}}',
    '{{#if a}}',
    '{{/if}}',
    '{{else}}',
    '{{}}',
    '{{a',
    '{{a b',
    '{{log a}}',
    '{{lookup a}}',
  ])('refuses %s at load and at run time', (source) => {
    expect(codes(source, ['a', 'l'])).toEqual(['DOC_TEMPLATE']);
    expect(failure(() => render(source, { a: 1, l: [1] })).code).toBe('DOC_TEMPLATE');
  });

  it('refuses a head that is no condition and says where', () => {
    const problem = checkTemplate('abc {{#if iteration > }}x{{/if}}', new Set());
    expect(problem).toMatchObject({ code: 'DOC_EXPRESSION', offset: 21 });
  });

  it('tells which variables it asks for, and where', () => {
    const source =
      'a {{goal.x}} {{#each l as |v i|}}{{x}}{{v}}{{../nope}}{{/each}}\n{{#if other > 1}}{{default z "-"}}{{/if}}{{Check Status.ok}}';
    const found = templateVariables(source, new Set(STEPS));
    expect(found.map(({ name }) => name)).toEqual(['goal', 'l', 'nope', 'other', 'z', 'Check Status']);
    for (const { name, offset } of found) {
      expect(source.slice(offset).replace('../', ''), name).toMatch(new RegExp(`^${name}`));
    }
    expect(templateVariables('{{a b}}', new Set())).toEqual([]);
  });

  it('tells one path from any other text', () => {
    const names = new Set(STEPS);
    expect(
      ['{{a.b}}', '{{Check Status.x}}', '{{ [a].[0] }}', '{{a[0].b[1]}}'].map((one) => isOnePath(one, names)),
    ).toEqual([true, true, true, true]);
    for (const source of ['a', '', ' {{a}}', '{{a}}{{b}}', '{{json a}}', '{{"a"}}', '{{#if a}}b{{/if}}']) {
      expect(isOnePath(source, names), source).toBe(false);
    }
  });

  it.each<[string, string]>([
    ['ab {{#if x}}cd', '{{#if x}}'],
    ['{{#if x}}{{#each y}}{{/each}} {{#with z}}cd {{else}}', '{{#with z}}'],
    ['a\nb {{c d}} e', '{{c d}}'],
    ['a\n b {{foo[a]}} c', 'foo[a]'],
    ['a\nb\n{{#if a}}{{/unless}}', 'if a'],
    ['{{Check Status}}\n {{Check Status}} {{> part}}', '{{> part}}'],
    ['{{Check Status}} {{/if}}', '{{/if}}'],
    ['{{#if a > 1}}x{{/if}} {{else}}', '{{else}}'],
    ['{{#if Check Status == 1}}x{{/if}} {{log a}}', '{{log a}}'],
    ['x {{#* inline "a"}}{{/inline}}', '{{#* inline'],
    ['é🌊 {{a (b}}', '}}'],
  ])('%j: says where it is malformed', (source, place) => {
    const problem = checkTemplate(source, new Set(STEPS));
    expect(source.slice(problem?.offset).startsWith(place), `${problem?.offset} ${problem?.message}`).toBe(
      true,
    );
  });

  it('says where a name without a value stands, and which name may be meant', () => {
    const error = (source: string) => {
      try {
        render(source, { tech_spec: { a: 1 } });
      } catch (thrown) {
        if (thrown instanceof WritError) return thrown;
      }
      throw new Error('nothing was thrown');
    };
    const misspelt = error('one\ntwo {{#if true}}{{feedbak.x}}{{/if}}');
    expect(misspelt.message).toContain('(line 2, column 19 of the template)');
    expect(misspelt).toMatchObject({
      code: 'STEP_TEMPLATE_UNRESOLVED',
      hint: 'did you mean "feedback"?',
      details: { path: 'feedbak.x', line: 2, column: 19 },
    });
    expect(error('{{tech_spec.b}}').hint).toBe('check the name, or write {{default tech_spec.b "…"}}');
    expect(error('{{nobody}}').hint).toContain('give it in the input');
    expect(error('{{#with tech_spec}}{{output}}{{/with}}').hint).toContain(
      'or {{../output}} for what is outside',
    );
    expect(error('{{#with tech_spec}}{{nobody}}{{/with}}').hint).toMatch(/^check the name/);
  });

  it('is bounded: size, nesting, rounds, rendered text', () => {
    expect(codes('x'.repeat(TEMPLATE_MAX_BYTES))).toEqual([]);
    expect(codes('x'.repeat(TEMPLATE_MAX_BYTES + 1))).toEqual(['DOC_TEMPLATE']);
    expect(codes('é'.repeat(TEMPLATE_MAX_BYTES / 2 + 1))).toEqual(['DOC_TEMPLATE']);
    expect(codes(`${'{{#if a}}'.repeat(33)}${'{{/if}}'.repeat(33)}`)).toEqual(['DOC_TEMPLATE']);
    expect(codes(`{{#if a}}${'{{else if a}}'.repeat(4000)}{{/if}}`)).toEqual(['DOC_TEMPLATE']);
    expect(codes(`{{json ${'(json '.repeat(5000)}a`)).toEqual(['DOC_TEMPLATE']);
    const rounds = (n: number) => render('{{#each l}}{{/each}}', { l: Array<Json>(n).fill(1) });
    expect(rounds(EACH_MAX_ROUNDS)).toBe('');
    expect(failure(() => rounds(EACH_MAX_ROUNDS + 1)).code).toBe('DOC_TEMPLATE');
    const nested = '{{#each l}}{{#each ../l}}{{/each}}{{/each}}';
    expect(failure(() => render(nested, { l: Array<Json>(200).fill(1) })).code).toBe('DOC_TEMPLATE');
    expect(render('{{x}}', { x: 'x'.repeat(RENDERED_MAX_BYTES) })).toHaveLength(RENDERED_MAX_BYTES);
    expect(failure(() => render('{{x}}', { x: 'x'.repeat(RENDERED_MAX_BYTES + 1) })).code).toBe(
      'DOC_TEMPLATE',
    );
  });

  it('says so when data is nested too deeply to print', () => {
    let deep: Json = 1;
    for (let i = 0; i < 20_000; i++) deep = [deep];
    expect(failure(() => render('{{x}}', { x: deep })).code).toBe('DOC_TEMPLATE');
  });

  it('never throws anything but a WritError, whatever the text', () => {
    const parts = [
      '{{',
      '}}',
      '#if ',
      '/if',
      'else',
      'a',
      ' > ',
      '{{{',
      '}}}',
      '!',
      '"',
      "'",
      '[',
      ']',
      '(',
      ')',
      '../',
      '@',
      '.',
      '\\',
      '\n',
      '~',
      '|',
      'as ',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 30 }), (pieces) => {
        const source = pieces.join('');
        const problem = checkTemplate(source, new Set(['a']));
        const offset = problem?.offset ?? 0;
        expect(offset >= 0 && offset <= source.length, `${offset}`).toBe(true);
        templateVariables(source, new Set(['a']));
        try {
          render(source, { a: 1 }, 'empty');
        } catch (error) {
          expect(error).toBeInstanceOf(WritError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a head that compares with text', () => {
  const shown = (source: string, values: Record<string, Json>, names: readonly string[] = []) =>
    renderTemplate(source, {
      values: new Map(Object.entries(values)),
      known: new Set(names),
      onMissing: 'error',
    });

  it.each<[string, Json, string]>([
    ["{{#if s == '}}'}}y{{else}}n{{/if}}", '}}', 'y'],
    ["{{#if s == '}}'}}y{{else}}n{{/if}}", '}', 'n'],
    ['{{~#if s != "a}}b" ~}} y {{~else~}} n {{~/if}}', 'a}}b', 'n'],
    ["{{#if s == 'x'}}x{{else if s == '{{\\'}}'}}y{{/if}}", "{{'}}", 'y'],
    ["{{#unless [s] == '}}' || s == ']'}}y{{/unless}}", 'a', 'y'],
    ["{{#if s == '}}'}}'{{/if}}'", '}}', "''"],
  ])('ends behind it, whatever braces it holds: %s', (source, s, expected) => {
    expect(shown(source, { s })).toBe(expected);
  });

  it('ends at its braces where a name has the quote, or the text has no end', () => {
    const named = "{{#if Bob's}}y{{/if}} it's {{s}}";
    expect(shown(named, { "Bob's": true, s: 1 }, ["Bob's"])).toBe("y it's 1");
    expect(codes("{{#if s == 'a}}y{{/if}}")).toEqual(['DOC_EXPRESSION']);
    expect(failure(() => shown("{{#if s == 'a}}y{{/if}}", { s: 'a' })).message).toContain('closing quote');
  });
});

describe('a tag as long as a template may be', () => {
  const fill = (head: string, piece: string, tail: string): string =>
    head + piece.repeat(Math.floor((TEMPLATE_MAX_BYTES - head.length - tail.length) / piece.length)) + tail;

  // Quadratic patterns took a minute for these, and a document holds many templates: what fails then is the time limit
  // of the test.
  it('is read once, whatever blanks, open quotes and brackets it holds', () => {
    expect(codes(fill('{{#if', ' ', 'x}}y{{/if}}'))).toEqual([]);
    expect(codes(fill('{{json', ' ~', 'x}}'))).toEqual(['DOC_TEMPLATE']);
    expect(codes(fill('{{json', '~', 'x}}'))).toEqual(['DOC_TEMPLATE']);
    expect(codes(fill('{{#if ', '[', '}}y{{/if}}'))).toEqual(['DOC_TEMPLATE']);
    expect(codes(fill('{{#if "', '\\"', 'x}}y{{/if}}'))).toEqual(['DOC_TEMPLATE']);
    expect(codes(fill("{{#if '", "\\'", 'x}}y{{/if}}'))).toEqual(['DOC_TEMPLATE']);
    for (const piece of ["{{#if '}}", '{{#if \'}}"[', "}}'", "}'"]) {
      expect(
        failure(() =>
          renderTemplate(fill("{{#if '", piece, ''), {
            values: new Map(),
            known: new Set(),
            onMissing: 'empty',
          }),
        ).code,
      ).toMatch(/^DOC_/);
    }
  });

  it('still says what it lacks', () => {
    expect(failure(() => render('{{#if "a == 1}}y{{/if}}')).message).toContain('closing quote');
    expect(codes('{{#if [a == 1}}y{{/if}}')).toEqual(['DOC_EXPRESSION']);
    expect(codes('{{#if [a == 1]}}y{{/if}}')).toEqual([]);
  });
});

describe('renderValue', () => {
  it('keeps the type of a value named alone and renders every other text', () => {
    const config = { a: '{{o}}', b: ['{{n}}', 'n={{n}}', true, null], c: { d: '{{t}}' } };
    const values = { o: { x: [1] }, n: 3, t: '{"k":1}' };
    expect(renderValue(config, scope(values))).toEqual({
      a: { x: [1] },
      b: [3, 'n=3', true, null],
      c: { d: '{"k":1}' },
    });
  });

  it('gives null for a known name without a value, and fails on an unknown one', () => {
    expect(renderValue({ a: '{{feedback}}' }, scope({}))).toEqual({ a: null });
    expect(failure(() => renderValue({ a: '{{nope}}' }, scope({}))).code).toBe('STEP_TEMPLATE_UNRESOLVED');
    expect(renderValue(['{{nope}}'], scope({}, 'keep'))).toEqual(['{{nope}}']);
  });

  it('keeps a key called __proto__ a key', () => {
    const config = JSON.parse('{"__proto__": "{{n}}"}') as Json;
    const rendered = renderValue(config, scope({ n: 1 }));
    expect(JSON.stringify(rendered)).toBe('{"__proto__":1}');
    expect(Object.getPrototypeOf(rendered)).toBe(Object.prototype);
  });
});
