// npm run bench [-- --only NAME,…]: what governance and the log cost, beside a limit of the machine measured in the
// same run. RESULTS.md holds a dated copy. Nothing here fails a build: figures of a shared machine are no test.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { approvalsBench } from './approvals.mjs';
import { auditAppend } from './audit-append.mjs';
import { auditApprover } from './audit-approver.mjs';
import { auditMillion, auditVerify } from './audit-size.mjs';
import { auditProof } from './audit-proof.mjs';
import { coldStart } from './cold-start.mjs';
import { decideBench } from './decide.mjs';
import { evidenceBench } from './evidence.mjs';
import { expressions } from './expressions.mjs';
import { fanout } from './fanout.mjs';
import { governedStep } from './governed-step.mjs';
import { printTable } from './report.mjs';
import { states } from './states.mjs';
import { sandboxBench } from './sandbox.mjs';
import { wasmAgent } from './wasm-agent.mjs';

const FIGURES = {
  step: governedStep,
  decide: decideBench,
  approvals: approvalsBench,
  fanout,
  states,
  expressions,
  wasm: wasmAgent,
  sandbox: sandboxBench,
  cold: coldStart,
  append: auditAppend,
  approver: auditApprover,
  proof: auditProof,
  verify: auditVerify,
  million: auditMillion,
  evidence: evidenceBench,
};

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const wanted = values.only?.split(',') ?? Object.keys(FIGURES);
const unknown = wanted.find((name) => !Object.hasOwn(FIGURES, name));
if (unknown !== undefined) {
  console.error(`no figure is called ${unknown}; there are ${Object.keys(FIGURES).join(', ')}`);
  process.exit(2);
}

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const home = mkdtempSync(path.join(tmpdir(), 'writ-bench-'));
console.log(
  `${cpus()[0].model} x ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ` +
    `SQLite WAL synchronous=FULL; load average ${loadavg()[0].toFixed(1)} at the start`,
);
try {
  for (const name of wanted) {
    const own = path.join(home, name);
    mkdirSync(own);
    await FIGURES[name]({ root, home: own, at: (...parts) => path.join(own, ...parts) });
    rmSync(own, { recursive: true });
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
console.log(`load average ${loadavg()[0].toFixed(1)} at the end`);
printTable();
