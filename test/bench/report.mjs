// What a figure is printed with: its name, what was measured, the target of the issue, and a limit of the machine
// measured in the same run, because a number alone says as much about the machine as about the code.

export const quantile = (values, q) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];
export const median = (values) => quantile(values, 0.5);
export const ms = (value) => `${value.toFixed(2)} ms`;
export const rate = (value) => Math.round(value).toLocaleString('en');
export const percent = (part, whole) => `${((100 * part) / whole).toFixed(0)} %`;

const rows = [];

/** One figure; `met` is shown when it is false and left open when it is undefined. */
export function report(what, { measured, target = '', met, beside = '' }) {
  rows.push({ what, measured, target: met === false ? `${target}, **not met**` : target, beside });
  console.log(`${what}\n  ${measured}\n  target ${target || 'none'}${met === false ? ' NOT MET' : ''}`);
  if (beside !== '') console.log(`  beside it: ${beside}`);
}

/** A figure of many times in milliseconds, with upper limits for some of its quantiles. */
export function reportTimes(what, times, limits = {}, beside = '') {
  const found = { p50: quantile(times, 0.5), p99: quantile(times, 0.99), max: Math.max(...times) };
  const target = Object.entries(limits).map(([name, limit]) => `${name} <= ${limit} ms`);
  report(what, {
    measured: `p50 ${ms(found.p50)}, p99 ${ms(found.p99)}, max ${ms(found.max)} (n=${times.length})`,
    target: target.join(', '),
    met: Object.entries(limits).every(([name, limit]) => found[name] <= limit),
    beside,
  });
}

export function printTable() {
  console.log('\n| what | measured | target | beside it |\n|---|---|---|---|');
  for (const { what, measured, target, beside } of rows)
    console.log(`| ${what} | ${measured} | ${target} | ${beside} |`);
}

/** Milliseconds that `work` takes. */
export async function timed(work) {
  const before = performance.now();
  await work();
  return performance.now() - before;
}
