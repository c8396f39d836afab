// The process that test/crash/gate.test.ts kills a thousand times. Each life works on what earlier ones left: it decides
// what waits (approves, denies, changes the input first, takes an approval back), carries out what was approved, and
// starts another run when there are few. Its function has an effect outside the store: one synced line with the key of
// the attempt and the input that it was given. It speaks only of what is durable, one line each.
// Put together from fewer adapters than src/open.ts has; the test bundles it and keeps it as a V8 start-up snapshot with
// the policies read, because a life must begin in a moment.
// argv: home, seed of this life, `work` | `drain` (ends by itself when every run has ended).
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { startupSnapshot } from 'node:v8';
import { systemClock } from '../../src/adapters/clock.js';
import { openLocalDispatcher } from '../../src/adapters/dispatch/local.js';
import { openLogKeys } from '../../src/adapters/keys/log-key.js';
import { loadPersonKey } from '../../src/adapters/keys/person-key.js';
import { readPolicyDirectory } from '../../src/adapters/policy-directory.js';
import { systemRandom } from '../../src/adapters/random.js';
import { openLocks } from '../../src/adapters/store/locks.js';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { openTileDirectory } from '../../src/adapters/store/tile-directory.js';
import { openTrustStore } from '../../src/adapters/store/trust-store.js';
import { platformSha256 } from '../../src/adapters/hash.js';
import { canonicalJson } from '../../src/canonical-json.js';
import { buildSnapshot } from '../../src/policy/snapshot.js';
import { openApplication } from '../../src/runtime/application.js';
import { extendLogWith } from '../../src/runtime/log/log.js';
import { verifyWithNode } from '../../src/verify-trust.js';

const say = (line) => writeSync(1, `${line}\n`);
const isBusy = (error) => ['RUN_BUSY', 'STORE_BUSY', 'STORE_CONFLICT', 'NOT_FOUND'].includes(error.code);

/** mulberry32 */
let state = 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

let effects = -1;
const provider = {
  functionIds: ['tool::test_effect'],
  async invoke({ idempotencyKey, input }) {
    writeSync(effects, `${idempotencyKey} ${canonicalJson(input)}\n`);
    fsyncSync(effects);
    return { done: input.n };
  },
};
const WORKFLOW = {
  text:
    'id: test-gate\nagents: [claims-triage]\nsteps:\n' +
    ['one', 'two']
      .map(
        (name) =>
          `  - { name: ${name}, functionId: "tool::test_effect", config: { n: "{{input.n}}" }, approval: sync }\n`,
      )
      .join(''),
  file: null,
};

const buildPolicies = (files) => buildSnapshot({ files, canonicalize: canonicalJson });
let policy;
/** What does not change from life to life. */
async function prepare(home) {
  const files = await readPolicyDirectory(path.join(home, 'policies'));
  policy = { snapshot: await buildPolicies(files), files };
}

async function open(home) {
  const clock = systemClock;
  const data = path.join(home, 'data');
  const file = path.join(data, 'writ.db');
  // Another process's commit takes as long as the disk does, and with other work on the machine that can be seconds: this
  // is not about who gives up when.
  const busyTimeoutMs = 60_000;
  const store = await openSqliteStore({
    file,
    extendLog: extendLogWith(platformSha256),
    clock,
    busyTimeoutMs,
  });
  const locks = openLocks(path.join(data, 'locks'));
  const nothing = async () => null;
  const unused = () => {
    throw new Error('nothing here needs it');
  };
  return openApplication({
    tenant: 'default',
    via: 'crash',
    store,
    locks,
    clock,
    random: systemRandom,
    sha256: platformSha256,
    verifySignature: verifyWithNode,
    secrets: { current: () => [] },
    keys: openLogKeys(path.join(data, 'keys', 'log.key')),
    softwareVersion: 'test',
    directory: openTileDirectory(path.join(data, 'audit')),
    trust: openTrustStore(path.join(home, 'trust.json')),
    policy,
    loadPolicies: unused,
    buildPolicies,
    callables: {
      packages: { resolve: nothing },
      modules: { names: async () => [], module: nothing },
      drivers: {},
      images: { names: () => [], image: () => null },
      providers: [provider],
    },
    queries: { evaluate: unused, close: async () => undefined },
    artifacts: {},
    copyFiles: {},
    retention: { read: unused, write: unused },
    exports: {},
    packagesBeside: () => ({ resolve: nothing }),
    keepPackage: async () => undefined,
    dispatcher: (steps) => openLocalDispatcher({ steps, store, locks, clock }),
  });
}

let writ;
let people;

/** The other process may have decided, changed or used it a moment before, or hold the store for long. */
async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    if (error.kind !== 'refusal' && error.kind !== 'document' && !isBusy(error)) throw error;
    return null;
  }
}

async function vote(record, decision, by) {
  const { id, subjectDigest: digest } = record;
  const done = await attempt(() => writ.decide(id, { decision, digest, reason: null }, by));
  if (done !== null) say(`decided ${id} ${decision} ${by.id}`);
  return done;
}

async function decideOne(record) {
  const draw = random();
  if (draw < 0.1) return vote(record, 'deny', people.bob);
  if (draw < 0.25) {
    const edit = { digest: record.subjectDigest, input: { n: `changed ${Math.floor(random() * 1e9)}` } };
    const made = await attempt(() => writ.editApproval(record.id, edit, people.carol));
    if (made !== null) {
      say(`changed ${record.id}`);
      return vote(made, 'approve', people.bob);
    }
    return null;
  }
  const done = await vote(record, 'approve', people.bob);
  return done !== null && draw > 0.92 ? vote(record, 'revoke', people.bob) : done;
}

async function carryOn(run) {
  const after = await attempt(() =>
    writ.drive(run, { stopAt: 'waiting', signal: new AbortController().signal }),
  );
  // What was under way when a life ended waits for a person, who lets it fail.
  if (after?.status === 'indeterminate')
    await attempt(() => writ.resume(run, people.alice, { lost: 'fail' }));
  return after;
}

async function main([home, seed, mode]) {
  state = Number(seed) >>> 0;
  effects = openSync(path.join(home, 'effects.txt'), 'a', 0o600);
  writ = await open(home);
  people = Object.fromEntries(
    ['alice', 'bob', 'carol'].map((name) => {
      const key = loadPersonKey(path.join(home, `${name}.key`));
      const sign = (message) => key.sign(message);
      return [name, { id: `user:${name}`, assurance: 'key', publicKey: key.publicKey, sign }];
    }),
  );
  say('opened');
  for (let i = 0; ; i++) {
    const open = await writ.runs({ unfinished: true });
    if (mode === 'drain' && open.length === 0) break;
    if (mode === 'work' && open.length < 4) {
      const request = { workflow: WORKFLOW, input: { n: `${seed} ${i}` } };
      const run = await attempt(() => writ.start(request, people.alice));
      if (run === null) continue;
      say(`started ${run}`);
      await carryOn(run);
      continue;
    }
    const run = open[Math.floor(random() * open.length)].id;
    for (const record of await writ.approvals({ run, states: ['pending'] })) await decideOne(record);
    await carryOn(run);
  }
  closeSync(effects);
  await writ.publish();
  await writ.close();
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

if (startupSnapshot.isBuildingSnapshot()) {
  prepare(process.env.WRIT_CRASH_HOME).catch(fail);
  startupSnapshot.setDeserializeMainFunction(() => {
    main(process.argv.slice(-3)).catch(fail);
  });
} else {
  const given = process.argv.slice(-3);
  prepare(given[0])
    .then(() => main(given))
    .catch(fail);
}
