// A log for the audit benches: the product's own store, key, locks and directory in a temporary place, and entries
// like those of FORMAT.md section 3 with the data it names (about 600 bytes each), valid to the last rule of verification.
import path from 'node:path';
import { systemClock } from '../../dist/adapters/clock.js';
import { platformSha256 } from '../../dist/adapters/hash.js';
import { loadLogKey } from '../../dist/adapters/keys/log-key.js';
import { openLocks } from '../../dist/adapters/store/locks.js';
import { openSqliteStore } from '../../dist/adapters/store/sqlite/store.js';
import { openTileDirectory } from '../../dist/adapters/store/tile-directory.js';
import { openTrustStore } from '../../dist/adapters/store/trust-store.js';
import { pathsOf } from '../../dist/data-directory.js';
import { initWrit } from '../../dist/open.js';
import { extendLogWith } from '../../dist/runtime/log/log.js';
import { publish } from '../../dist/runtime/log/publisher.js';

export const BATCH = 100;
/** Runs that advance together: five entries of each fill a batch. */
const RUNS = 20;
/** Batches in which a run begins, advances and ends: ten times five entries. */
const LIFE = 10;

const hex = (text) => Buffer.from(platformSha256(Buffer.from(text))).toString('hex');
const WORKFLOW = { id: 'claims-review', hash: hex('workflow') };
const POLICY = hex('policy');
const CEILING = hex('ceiling');

/** Makes a data directory and opens what appends to it and publishes it. */
export async function openBenchLog(home) {
  const data = path.join(home, 'data');
  const trustFile = path.join(home, 'trust.json');
  await initWrit({ data, origin: 'bench.example/log', tenant: 'default', trustFile });
  return reopenBenchLog(home);
}

/** The same for one that is there, in this process or another. */
export async function reopenBenchLog(home) {
  const paths = pathsOf(path.join(home, 'data'));
  const trust = openTrustStore(path.join(home, 'trust.json'));
  const signer = loadLogKey(paths.logKey);
  const locks = openLocks(paths.locks);
  const directory = openTileDirectory(paths.audit);
  const extendLog = extendLogWith(platformSha256);
  const store = await openSqliteStore({ file: paths.database, extendLog, clock: systemClock });
  const parts = { store, directory, signer, locks, trust };
  return { ...parts, paths, publish: () => publish(parts) };
}

/** Drafts of batch after batch; `committed` of the last one is needed for the outcomes of the next. */
export function benchDrafts(prefix = 'run') {
  let batch = 0;
  let generation = 0;
  const context = (i) => ({
    run: `${prefix}-${generation}-${i}`,
    tenant: 'default',
    actor: { id: 'user:alice', via: 'cli' },
    workflow: WORKFLOW,
    policy: POLICY,
    commit: {},
  });
  const intents = [];
  return {
    /** One batch of BATCH drafts. */
    next() {
      const life = batch++ % LIFE;
      if (life === 0) generation += 1;
      return Array.from({ length: RUNS }, (_, i) => fiveOf(context(i), life, intents[i])).flat();
    },
    /** What the store answered: the leaf hashes of the intents. */
    committed(entries) {
      for (let i = 0; i < RUNS; i++) {
        intents[i] = Buffer.from(entries[i * 5 + 4].leafHash).toString('hex');
      }
    },
  };
}

function fiveOf(context, life, intent) {
  const draft = (type, data, commit = {}) => ({ ...context, type, data, commit });
  const before = { stepPath: `step-${life - 1}`, attempt: 1 };
  const step = { stepPath: `step-${life}`, attempt: 1 };
  const secret = draft('secret.used', { name: 'bank', host: 'api.bank.example', stepPath: step.stepPath });
  const first =
    life === 0
      ? draft('run.started', { initiator: 'user:alice', parentRun: null }, { input: hex(context.run) })
      : draft(
          'step.finished',
          { ...before, intent, status: 'succeeded', code: null, durationMs: 12 },
          { output: hex(intent) },
        );
  if (life === LIFE - 1) {
    const finished = draft('run.finished', { status: 'completed', exitCode: 0, reason: null });
    return [first, secret, secret, secret, finished];
  }
  const authz = {
    ...step,
    subject: 'user:alice',
    agent: 'agent:claims-triage',
    domain: 'default',
    action: 'function.invoke',
    resource: 'tool::shell_exec',
    verdict: 'allow',
    ruleId: 'CLAIMS-12',
    code: null,
  };
  const layers = ['org', 'workflow'].map((layer) => ({ layer, name: layer, ok: true }));
  const key = `${context.run}/${step.stepPath}/1`;
  const target = { function: 'tool::shell_exec', agentDigest: null, sandbox: null };
  const intended = { ...step, iteration: null, item: null, ...target, idempotencyKey: key, approvalId: null };
  return [
    first,
    draft('authz.decided', authz),
    draft('authz.decided', { ...authz, subject: 'agent:claims-triage', ruleId: 'CLAIMS-13' }),
    draft('ceiling.composed', { ...step, ceilingHash: CEILING, layers, effective: { timeoutMs: 60_000 } }),
    draft('step.intended', intended, { input: hex(key) }),
  ];
}

/** Appends `batches` batches, one commit each; resolves with the milliseconds of each. */
export async function appendBatches(store, drafts, batches) {
  const times = [];
  for (let i = 0; i < batches; i++) {
    const entries = drafts.next();
    const before = performance.now();
    const committed = await store.commit({ entries });
    times.push(performance.now() - before);
    drafts.committed(committed.entries);
  }
  return times;
}
