// An evidence bundle of a run of 1,000 entries like those of the claims review (sandbox evidence, signed approvals and
// payloads included) in a log of 20,000: its size, how long it takes to make, and to verify in Node and in Chromium.
// `node test/bench/evidence.mjs FOLDER` only makes the bundle there, for the tests in a browser.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { randomBytes } from 'node:crypto';
import { parseDocument } from 'yaml';
import { systemClock } from '../../dist/adapters/clock.js';
import { loadPersonKey, createPersonKey } from '../../dist/adapters/keys/person-key.js';
import { openSqliteStore } from '../../dist/adapters/store/sqlite/store.js';
import { decisionBytes } from '../../dist/approval/decision.js';
import { digestOfSubjectBytes } from '../../dist/approval/subject.js';
import { evidencePage } from '../../dist/audit/evidence/page-file.js';
import { verifyEvidence } from '../../dist/audit/evidence/verify.js';
import { leafHash } from '../../dist/audit/index.js';
import { pathsOf } from '../../dist/data-directory.js';
import { initWrit, openWrit } from '../../dist/open.js';
import { extendLog } from '../../dist/runtime/log/log.js';
import { sealJson } from '../../dist/runtime/log/payload.js';
import { NO_REDACTION } from '../../dist/runtime/redaction.js';
import { median, ms, report, timed } from './report.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const RUN = 'run_bench';
const ENTRIES = 1_000;
const OTHERS = 19_000;
const HASH = '5f'.repeat(32);
const SEALING = { random: { bytes: (n) => randomBytes(n) }, redact: NO_REDACTION };

/** For run.mjs. */
export async function evidenceBench({ home }) {
  const made = await makeEvidenceRun(home);
  const sizeMb = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
  const html = readFileSync(made.html).length;
  report(`evidence bundle of a run of ${ENTRIES} entries, log of ${ENTRIES + OTHERS}`, {
    measured: `JSON ${sizeMb(readFileSync(made.json).length)}, page ${sizeMb(html)}`,
    target: '<= 2 MB',
    met: html <= 2e6,
    beside: `its entries alone: ${sizeMb(made.entryBytes)}, as base64 ${sizeMb((made.entryBytes * 4) / 3)}`,
  });
  report('evidence bundle made: right asked, published, proven, page written', {
    measured: ms(made.buildMs),
    target: '<= 2,000 ms',
    met: made.buildMs <= 2_000,
  });
  const json = readFileSync(made.json);
  const times = [];
  for (let i = 0; i < 5; i++) {
    times.push(await timed(() => verifyEvidence(json, { vkeys: [made.vkey] })));
  }
  const inBrowser = existsSync('/usr/bin/chromium') ? await verifiedInChromium(made) : null;
  report('evidence bundle verified', {
    measured: `${ms(median(times))} in Node, ${inBrowser === null ? 'no Chromium here' : `${ms(inBrowser)} in Chromium`}`,
    target: '<= 2,000 ms in Chromium',
    met: inBrowser === null ? undefined : inBrowser <= 2_000,
    beside: `hashing its entries, portable SHA-256: ${ms(await timed(() => made.hashAll()))}`,
  });
}

async function verifiedInChromium({ html, vkey }) {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    await page.goto(`${pathToFileURL(html).href}#vkey=${encodeURIComponent(vkey)}`);
    const { verdict, verifyMs } = await page.evaluate('({ ...document.documentElement.dataset })');
    if (verdict !== 'verified') throw new Error(`Chromium says ${verdict}`);
    return Number(verifyMs);
  } finally {
    await browser.close();
  }
}

/** Makes the log, the run and its bundle below `home`, which must be empty. */
export async function makeEvidenceRun(home) {
  mkdirSync(home, { recursive: true });
  const at = (...parts) => path.join(home, ...parts);
  const policies = at('policies');
  cpSync(path.join(ROOT, 'policies'), policies, { recursive: true });
  const auditor = createPersonKey(at('audrey.key'), 'user:audrey');
  const bob = loadPersonKeyOf(at('bob.key'));
  edit(path.join(policies, 'approvers.yaml'), (document) => {
    const at = document.toJS().people.findIndex(({ id }) => id === 'user:audrey');
    document.setIn(['people', at, 'keys'], [auditor.publicKey]);
  });
  edit(path.join(policies, 'roles', 'default.yaml'), (document) => {
    document.setIn(['members', 'role:auditor'], ['user:audrey']);
  });
  const trustFile = at('trust.json');
  const data = at('data');
  const { vkey } = await initWrit({ data, origin: 'bench.example/log', tenant: 'default', trustFile });
  const store = await openSqliteStore({ file: pathsOf(data).database, extendLog, clock: systemClock });
  await fill(store, OTHERS / 2, 'before');
  await commitRun(store, bob);
  await fill(store, OTHERS / 2, 'after');
  const rows = await store.entriesOfRun(RUN);
  await store.close();

  const writ = await openWrit({ data, policies, trustFile, wasmPool: 0 });
  const key = loadPersonKey(at('audrey.key'));
  const who = writ.principalOfKey(key.publicKey, (message) => key.sign(message));
  await writ.publish();
  const [json, html] = [at('run.json'), at('run.html')];
  const page = (name) => readFileSync(path.join(ROOT, 'dist', 'evidence-page', name), 'utf8');
  const parts = { script: page('page.js'), style: page('page.css') };
  const files = [
    { path: json, replaces: true, contentOf: (bytes) => bytes },
    { path: html, replaces: true, contentOf: (bytes) => evidencePage(bytes, parts) },
  ];
  const request = { run: RUN, payloads: 'none', first: null, custodian: null, files };
  const buildMs = await timed(async () => {
    await writ.evidence(request, who);
  });
  await writ.close();
  const entryBytes = rows.reduce((sum, row) => sum + row.bytes.length, 0);
  const hashAll = () => rows.forEach((row) => leafHash(row.bytes));
  return { json, html, vkey, buildMs, entryBytes, entries: rows.length, hashAll };
}

function loadPersonKeyOf(file) {
  createPersonKey(file, 'user:bob');
  return loadPersonKey(file);
}

function edit(file, change) {
  const document = parseDocument(readFileSync(file, 'utf8'));
  change(document);
  writeFileSync(file, document.toString());
}

async function fill(store, count, name) {
  for (let done = 0; done < count; done += 500) {
    const entries = Array.from({ length: 500 }, (_, i) =>
      draft(`run_${name}_${done + i}`, 'run.started', { initiator: 'user:alice', parentRun: null }),
    );
    await store.commit({ entries });
  }
}

/** The life of the claims review over and over: six entries a step, every fifth step with its approval. */
async function commitRun(store, approver) {
  const workflow = {
    id: 'bench',
    hash: HASH,
    version: 1,
    name: 'bench',
    source: '{}',
    file: null,
    createdAtMs: 0,
    author: null,
  };
  const record = {
    ...{
      id: RUN,
      tenant: 'default',
      workflowId: 'bench',
      workflowHash: HASH,
      policyHash: HASH,
      initiator: 'user:alice',
    },
    ...{
      status: 'completed',
      plan: {},
      state: {},
      waitingFor: null,
      wakeAtMs: null,
      agents: {},
      createdAtMs: 0,
    },
    ...{ updatedAtMs: 0, exitCode: 0, version: 1 },
  };
  const started = draft(RUN, 'run.started', { initiator: 'user:alice', parentRun: null, agents: {} });
  await store.commit({ workflows: [workflow], runs: [{ op: 'insert', record }], entries: [started] });
  let count = 1;
  for (let step = 0; count + 12 < ENTRIES; step++) count += await commitStep(store, step, approver);
  while (count < ENTRIES - 1) {
    await store.commit({ entries: [draft(RUN, 'secret.used', { name: 's', host: 'h', stepPath: 'last' })] });
    count += 1;
  }
  await store.commit({
    entries: [draft(RUN, 'run.finished', { status: 'completed', exitCode: 0, reason: null })],
  });
}

async function commitStep(store, step, approver) {
  const stepPath = `Review${step}`;
  const ref = { stepPath, attempt: 1 };
  const gated = step % 5 === 0;
  const input = sealJson(RUN, 'input', { claim: { id: `C-${step}`, amount: 1100 } }, SEALING);
  const approvalId = gated ? `apr_${step}` : null;
  const entries = [...judged(ref, gated)];
  const payloads = [];
  if (gated) {
    const subject = sealJson(RUN, 'subject', { run: RUN, stepPath }, SEALING);
    const subjectDigest = digestOfSubjectBytes(subject.bytes);
    const at = new Date(Date.now()).toISOString();
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const request = {
      ...ref,
      approvalId,
      subjectDigest,
      expiresAt,
      mode: 'sync',
      quorum: [{ n: 1, role: 'role:reviewer' }],
    };
    payloads.push({ payload: subject, entry: entries.length });
    entries.push(
      draft(RUN, 'approval.requested', request, { input: input.commitment, subject: subject.commitment }),
    );
    const decision = { approvalId, subjectDigest, decision: 'approve', approver: 'user:bob', at, expiresAt };
    const signature = approver.sign(decisionBytes({ ...decision, reasonCommitment: null }));
    const vote = {
      assurance: 'key',
      keyId: approver.publicKey,
      signature: Buffer.from(signature).toString('base64'),
    };
    entries.push(draft(RUN, 'approval.decided', { ...decision, ...vote, state: 'approved' }));
    entries.push(
      ...judged(ref, gated),
      draft(RUN, 'approval.consumed', { ...ref, approvalId, subjectDigest }),
    );
  }
  const intended = {
    ...{
      ...ref,
      iteration: null,
      item: null,
      function: FUNCTION,
      agentDigest: DIGEST,
      sandbox: 'wasm',
      approvalId,
    },
    idempotencyKey: `${RUN}/${stepPath}/1`,
  };
  payloads.push({ payload: input, entry: entries.length });
  entries.push(draft(RUN, 'step.intended', intended, { input: input.commitment }));
  entries.push(
    draft(RUN, 'sandbox.started', {
      ...ref,
      driver: 'wasm',
      imageDigest: DIGEST,
      limits: LIMITS,
      mounts: [],
      network: [],
      evidence: EVIDENCE,
    }),
  );
  const { entries: committed } = await store.commit({ entries, payloads });
  const intent = Buffer.from(committed.at(-2).leafHash).toString('hex');
  const output = sealJson(RUN, 'output', { ok: true, notes: 'x'.repeat(300) }, SEALING);
  await store.commit({
    entries: [
      draft(RUN, 'sandbox.exited', {
        ...ref,
        status: 'exited',
        exitCode: 0,
        oomKilled: false,
        limitHit: null,
        evidence: { ...EVIDENCE, wallMs: 39, stdoutBytes: 462, stderrBytes: 0 },
      }),
      draft(
        RUN,
        'step.finished',
        { ...ref, intent, status: 'succeeded', code: null, durationMs: 47 },
        { output: output.commitment },
      ),
    ],
    payloads: [{ payload: output, entry: 1 }],
  });
  return entries.length + 2;
}

const DIGEST = `sha256:${'7e'.repeat(32)}`;
const FUNCTION = `ghcr.io/bank/claims-triage@${DIGEST}`;
const LIMITS = { memoryMiB: 64, outputBytes: 1_048_576, timeoutMs: 120_000 };
/** As the WASM driver gives it. */
const EVIDENCE = {
  driver: 'wasm',
  engine: '@wasmer/sdk',
  engineVersion: '0.16.0',
  keptBy: {
    cpu: 'wall time, RLIMIT_CPU 270 s as backstop',
    environment: "the step's variables only",
    files: 'empty file system of its own, permission model',
    memoryMiB: 'module maximum 1024 pages, engine maximum 1024 pages, process killed above 224 MiB resident',
    network: 'no socket imports, own network namespace',
    openFiles: 'RLIMIT_NOFILE 128',
    outputBytes: 'counted in the process and by the runner, SIGKILL at the cap',
    processes: 'permission model, own process namespace',
    timeoutMs: 'SIGKILL by the runner',
  },
  limits: LIMITS,
  moduleAsRunSha256: DIGEST,
  moduleSha256: DIGEST,
  mounts: 'none',
  network: 'none',
  runtime: 'node',
  runtimeVersion: 'v20.20.2',
  user: '65534',
};

function judged(ref, gated) {
  const rule = (subject, role, ruleId) => ({ effect: 'allow', rolePath: [subject, role], ruleId, subject });
  const layer = (name, hash) => ({ hash, layer: name, name: `${name}-default`, ok: true });
  const decided = {
    ...{
      ...ref,
      subject: 'user:alice',
      agent: 'agent:claims-triage',
      domain: 'default',
      action: 'agent.invoke',
    },
    ...{ resource: FUNCTION, verdict: gated ? 'needs_approval' : 'allow', ruleId: 'CL-010', code: null },
    rules: [
      rule('user:alice', 'role:adjuster', 'CL-010'),
      rule('agent:claims-triage', 'role:claims-agent', 'CL-011'),
    ],
  };
  const layers = [
    layer('org', HASH),
    layer('environment', null),
    layer('tenant', null),
    layer('workflow', null),
    layer('agent', HASH),
    layer('step', HASH),
  ];
  const effective = { approval: null, limits: LIMITS, narrowed: [] };
  return [
    draft(RUN, 'authz.decided', decided),
    draft(RUN, 'ceiling.composed', { ...ref, ceilingHash: HASH, layers, effective }),
  ];
}

function draft(run, type, data, commit = {}) {
  const actor = { id: 'user:alice', via: 'runner' };
  return {
    type,
    run,
    tenant: 'default',
    actor,
    workflow: { id: 'bench', hash: HASH },
    policy: HASH,
    data,
    commit,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await makeEvidenceRun(process.argv[2])));
}
