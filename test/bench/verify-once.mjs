// Verifies a log once and says how long it took, in JSON. argv: home of the log.
import path from 'node:path';
import Database from 'better-sqlite3';
import { verifyData } from '../../dist/open.js';

const home = process.argv[2];
const dir = path.join(home, 'data', 'audit');
const options = { vkeys: [], old: [], witnesses: [], policy: null, quorum: null, run: null, payloads: false };
const cpu = process.cpuUsage();
const before = performance.now();
const report = await verifyData({ ...options, dir, trust: path.join(home, 'trust.json') });
const took = performance.now() - before;
const { user, system } = process.cpuUsage(cpu);
if (report.verdict !== 'verified') throw new Error(JSON.stringify(report.findings));
const db = new Database(path.join(home, 'data', 'writ.db'), { readonly: true });
const bytes = db
  .prepare('SELECT SUM(length(bytes)) FROM (SELECT bytes FROM log_entry LIMIT 10000)')
  .pluck()
  .get();
console.log(
  JSON.stringify({
    size: report.size,
    ms: took,
    cpuMs: (user + system) / 1000,
    rssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    bytes: (bytes / Math.min(10_000, Number(report.size))) * Number(report.size),
  }),
);
