/* global args, stdin, writeFile, print -- what the JavaScript module of the sandbox gives a script */
// Sums the second column of a CSV on stdin; amounts are counted in cents, so that nothing is rounded on the way.
const [currency] = args;
const rows = stdin().trim().split('\n').slice(1);
const cents = rows.map((row) => Math.round(Number(row.split(',')[1]) * 100));
if (cents.some(Number.isNaN)) throw new Error('an amount is no number');
const total = (cents.reduce((sum, one) => sum + one, 0) / 100).toFixed(2);
const result = JSON.stringify({ currency, count: rows.length, total });
writeFile('totals.json', result);
print(result);
