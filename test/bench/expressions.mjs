// Expressions of dialect 2 in our process: reading paths, filling payloads, deciding rules, each parsed once and kept.
// Beside the paths: json-p3 with its query compiled beforehand.
import { compile } from 'json-p3';
import { evaluateChoice, fillPayload, parsePath, readPath } from '../../dist/expression/index.js';
import { median, rate, report } from './report.mjs';

const ROUNDS = 5;
const DATA = {
  claim: { id: 7, state: 'open' },
  items: Array.from({ length: 100 }, (_, i) => ({ id: i, price: i, tags: ['a', 'b'] })),
};
const SOURCES = {
  input: DATA,
  context: () => ({ Execution: { Id: 'run' } }),
  variable: () => undefined,
  random: () => new Uint8Array(32),
};

export function expressions() {
  for (const [source, target] of [
    ['$.claim.id', 1_000_000],
    ['$.items[*].id'],
    ['$.items[?(@.price > 50)].id'],
    ['$..id'],
  ]) {
    const compiled = compile(source);
    const measured = perSecond(() => readPath(parsePath(source), SOURCES));
    report(`path ${source}`, {
      measured: `${rate(measured)} readings/s`,
      beside: `json-p3, compiled beforehand: ${rate(perSecond(() => compiled.query(DATA).values()))}/s`,
      ...(target === undefined ? {} : { target: `>= ${rate(target)}/s`, met: measured >= target }),
    });
  }
  const template = { 'text.$': "States.Format('{}-{}', $.claim.id, $.claim.state)", fixed: { a: [1, 2] } };
  report('payload with one States.Format of two paths', {
    measured: `${rate(perSecond(() => fillPayload(template, SOURCES)))} payloads/s`,
  });
  const rule = {
    and: [
      { variable: '$.claim.id', operator: 'isPresent', operand: true },
      { variable: '$.claim.state', operator: 'stringEquals', operand: 'open' },
    ],
  };
  report('Choice rule of two comparisons', {
    measured: `${rate(perSecond(() => evaluateChoice(rule, SOURCES)))} rules/s`,
  });
}

/** Median over rounds of at least 100 ms each. */
function perSecond(work) {
  let count = 1;
  for (; ; count *= 2) if (round(work, count) > 100) break;
  return median(Array.from({ length: ROUNDS }, () => (1000 * count) / round(work, count)));
}

function round(work, count) {
  const before = performance.now();
  for (let i = 0; i < count; i++) work();
  return performance.now() - before;
}
