import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { evaluateCondition } from '../condition/evaluate.js';
import { parseCondition } from '../condition/parse.js';
import type { Scope } from '../scope.js';
import { renderTemplate, renderValue } from './template.js';
import { RENDER_MAX_WORK, TemplateWork } from './work.js';
import { opener } from '../value.js';

function scope(values: Record<string, Json>): Scope {
  return { values: new Map(Object.entries(values)), known: new Set(), onMissing: 'error' };
}

/** JSON text of nearly the size that is searched for JSON. */
const report = JSON.stringify({ title: 'x', lines: Array.from({ length: 60_000 }, (_, line) => ({ line })) });
const tooMuch = `rendering takes more than ${RENDER_MAX_WORK} steps`;

describe('the work of rendering', () => {
  // Read again for each name, these took minutes: what fails then is the time limit of the test.
  it('reads a text that holds JSON once, however often it is asked', () => {
    const many = { report, l: Array.from({ length: 5000 }, () => 1) };
    expect(renderTemplate('{{#each l}}{{../report.title}}{{/each}}', scope(many))).toBe('x'.repeat(5000));
    expect(renderTemplate('{{#each l}}{{lookup ../report "title"}}{{/each}}', scope(many))).toHaveLength(
      5000,
    );
    const config = Array.from({ length: 5000 }, () => '{{report.title}}');
    expect(renderValue(config, scope(many))).toEqual(config.map(() => 'x'));
  });

  it('reads it once for all the names of a condition', () => {
    const open = opener();
    expect(open(report)).toBe(open(report));
    const condition = parseCondition(Array.from({ length: 80 }, () => "report.title == 'y'").join(' || '));
    expect(evaluateCondition(condition, scope({ report })).value).toBe(false);
  });

  it.each([
    ['names', `{{#each l}}${'{{../empty}}'.repeat(2000)}{{/each}}`],
    ['texts that are compared', '{{#each l}}{{#if (lt ../long ../longer)}}{{/if}}{{/each}}'],
    ['what a condition compares', '{{#each l}}{{#if this.a == this.b}}{{/if}}{{/each}}'],
    ['objects that are compared', '{{#each l}}{{#if (eq ../o ../p)}}{{/if}}{{/each}}'],
    ['objects that are written and thrown away', '{{#each l}}{{#if (json ../o)}}{{/if}}{{/each}}'],
  ])('is bounded when a template asks each item for %s', (_, template) => {
    const o = JSON.parse(report) as Json;
    const long = 'a'.repeat(500_000);
    const values = { empty: '', o, p: JSON.parse(report) as Json, long, longer: `${long}a` };
    const l = Array.from({ length: 10_000 }, () => ({ a: o, b: values.p }));
    expect(() => renderTemplate(template, scope({ ...values, l }))).toThrow(tooMuch);
  });

  it('is bounded for all templates of a request together', () => {
    const items = Array.from({ length: 9_000 }, () => 1);
    const one = `{{#each items}}${'{{../empty}}'.repeat(10)}{{/each}}`;
    expect(renderValue([one], scope({ items, empty: '' }))).toEqual(['']);
    expect(() =>
      renderValue(
        Array.from({ length: 6 }, () => one),
        scope({ items, empty: '' }),
      ),
    ).toThrow(tooMuch);
  });

  it('ends exactly at its bound', () => {
    const work = new TemplateWork();
    work.spend(RENDER_MAX_WORK - 1);
    expect(() => work.spend()).not.toThrow();
    expect(() => work.read('a')).toThrow(tooMuch);
  });

  it('asks an object once whether it is empty', () => {
    let asked = 0;
    const watched = new Proxy({ a: 1 }, { ownKeys: (target) => ((asked += 1), Reflect.ownKeys(target)) });
    const work = new TemplateWork();
    expect([work.isTrue(watched), work.isTrue(watched), work.isTrue({}), work.isTrue([])]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(asked).toBe(1);
  });
});
