// The demo: sets everything up below .writ/demo, runs the claims review on every claim of this folder, lets a second
// person decide the risky ones, and verifies the log it wrote. On a terminal that person is you; without one the
// script decides as bob, by the rule it prints. Only the `writ` command is used.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { parseDocument } from 'yaml';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const example = path.join(root, 'examples', 'claims-review');
const home = path.join(root, '.writ', 'demo');
const data = path.join(home, 'data');
const policies = path.join(home, 'policies');
const key = (person) => path.join(home, `${person}.key`);
const interactive = process.stdin.isTTY === true && process.stdout.isTTY === true;
const say = (line) => process.stdout.write(`${line}\n`);

/** Alice starts, bob decides; the others are for what the demo says one can try afterwards. */
const PEOPLE = ['alice', 'bob', 'carol', 'audrey', 'ada'];

/** Runs `writ` as one person; stdout is captured, progress goes to this terminal. */
function writ(person, args, { inherit = false } = {}) {
  const command = [
    path.join(root, 'dist', 'cli', 'main.js'),
    '--data',
    data,
    '--policies',
    policies,
    ...args,
  ];
  const env = { ...process.env, XDG_STATE_HOME: path.join(home, 'state'), WRIT_KEY: key(person) };
  if (inherit) env.WRIT_APPROVER_KEY = key('bob');
  const done = spawnSync(process.execPath, command, {
    cwd: root,
    env,
    stdio: ['inherit', inherit ? 'inherit' : 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (done.error) throw done.error;
  return { code: done.status, out: done.stdout ?? '' };
}

function writJson(person, args) {
  const { code, out } = writ(person, [...args, '--json']);
  return { code, value: JSON.parse(out) };
}

/** Fails loudly: the demo never goes on after something it did not expect. */
function expect(condition, what) {
  if (condition) return;
  process.stderr.write(`demo: ${what}\n`);
  process.exit(1);
}

function setUp() {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  for (const person of PEOPLE) {
    if (existsSync(key(person))) continue;
    const { code } = writ(person, ['keys', 'create', person, '--out', key(person)]);
    expect(code === 0, `could not make the key of ${person}`);
  }
  if (!existsSync(policies)) cpSync(path.join(root, 'policies'), policies, { recursive: true });
  enrol(path.join(policies, 'approvers.yaml'));
  if (!existsSync(path.join(data, 'config.json'))) {
    const { code } = writ('alice', ['init']);
    expect(code === 0, 'could not make the data directory');
  }
}

/** Puts the public keys of the demo's people where nobody has one yet. */
function enrol(file) {
  const document = parseDocument(readFileSync(file, 'utf8'));
  for (const [index, { id, keys }] of document.toJS().people.entries()) {
    const name = id.replace('user:', '');
    if (keys.length > 0 || !existsSync(key(name))) continue;
    document.setIn(['people', index, 'keys'], [JSON.parse(readFileSync(key(name), 'utf8')).publicKey]);
  }
  writeFileSync(file, document.toString());
}

/** Triage rules (sandbox/wasm/src/claims-triage.ts): filed before the incident or late, shared payout account. */
const SUSPICIOUS = new Set(['T06', 'T09']);

function decideAsBob(approvalId) {
  const { subject, subjectDigest } = writJson('bob', ['approvals', 'show', approvalId]).value;
  const reasons = subject.input.triage?.reasons ?? [];
  const verb = reasons.some(({ rule }) => SUSPICIOUS.has(rule)) ? 'deny' : 'approve';
  const { code, value } = writJson('bob', ['approvals', verb, approvalId, '--digest', subjectDigest]);
  expect(code === 0, `bob could not ${verb} ${approvalId}`);
  return value.run;
}

function review(file) {
  const name = path.basename(file, '.json');
  say(`\n── ${name}`);
  const input = path.join(home, 'input.json');
  writeFileSync(input, JSON.stringify({ claim: JSON.parse(readFileSync(file, 'utf8')) }));
  const started = Date.now();
  const args = ['workflow', 'run', path.join(example, 'workflow.yaml'), '--input', `@${input}`];
  const run = interactive ? runOnTerminal(name, args) : runAlone(name, args);
  return row(name, run, Date.now() - started);
}

/** The prompt opens inside the run; whatever is decided there, the run is what `results` says. */
function runOnTerminal(name, args) {
  const before = new Set(runIds());
  const { code } = writ('alice', args, { inherit: true });
  if (code === 130 || code === 143) {
    say('\nstopped; what waits can still be decided: writ approvals list, and npm run demo starts anew');
    process.exit(code);
  }
  const runId = runIds().find((id) => !before.has(id));
  expect(runId !== undefined, `no run was started for ${name}`);
  return writJson('alice', ['workflow', 'results', runId]).value;
}

function runAlone(name, args) {
  const { code, value } = writJson('alice', args);
  expect(code === 0 || code === 10, `the run of ${name} ended with exit code ${code}`);
  if (code === 0) return value;
  say(`   exit 10: waiting for approval ${value.waitingFor.approvalId}`);
  const run = decideAsBob(value.waitingFor.approvalId);
  expect(run.status === 'completed', `run ${run.id} of ${name} is ${run.status}`);
  return run;
}

function runIds() {
  return writJson('alice', ['workflow', 'list', '--runs']).value.runs.map((run) => run.id);
}

function row(name, run, wallMs) {
  const triage = run.results.find((step) => step.stepPath === 'Triage');
  const gate = run.results.map((step) => step.approval).find((one) => one !== null);
  const people = gate?.decidedBy.join(', ') ?? '';
  // A step that bob denied has failed too, and never ran.
  const ran = run.results.filter((step) => step.durationMs !== null && step.status !== 'skipped');
  return {
    run: run.id,
    claim: name,
    risk: triage?.output?.risk ?? '(triage failed)',
    decision: gate === undefined ? (run.output?.approval?.decision ?? run.status) : decided(gate.state),
    by: gate === undefined ? 'policy' : people === '' ? '-' : people,
    steps: ran
      .map((step) => (step.attempts > 1 ? `${step.stepName} x${step.attempts}` : step.stepName))
      .join(' > '),
    time: `${(wallMs / 1000).toFixed(1)} s`,
  };
}

/** A used approval is an approved claim; one that still waits is neither. */
function decided(state) {
  return state === 'consumed' ? 'approved' : state === 'denied' ? 'declined' : `${state}: undecided`;
}

setUp();
say('Claims review: alice starts every run; a risky claim needs bob, because nobody approves their own run.');
say(
  interactive
    ? "You are bob at the prompts: read to the end, press a, type the digest's first four digits, Enter; or d and Enter to deny."
    : 'No terminal: bob is this script. It denies what triage finds suspicious (T06, T09) and approves the rest.',
);
const claims = readdirSync(path.join(example, 'claims')).filter((file) => file.endsWith('.json'));
const rows = claims.sort().map((file) => review(path.join(example, 'claims', file)));

const table = new Table({
  head: ['claim', 'risk', 'decision', 'decided by', 'steps', 'time'],
  style: { head: [], border: [], compact: true },
});
for (const one of rows) table.push([one.claim, one.risk, one.decision, one.by, one.steps, one.time]);
say(`\n${table.toString()}\n`);

say('$ writ audit verify');
const verified = writ('alice', ['audit', 'verify']);
process.stdout.write(verified.out);

const shown = rows.find(({ by }) => by !== 'policy')?.run ?? rows[0].run;
say(`
To go on by hand in this folder (audrey is the auditor, ada the administrator, bob and carol the reviewers):
$ alias writ="node dist/cli/main.js"
$ export WRIT_DATA=.writ/demo/data WRIT_POLICIES=.writ/demo/policies XDG_STATE_HOME="$PWD/.writ/demo/state"
$ writ audit show ${shown} --key .writ/demo/audrey.key
$ writ audit bundle ${shown} --out .writ/demo/evidence.html --key .writ/demo/audrey.key
$ node audit/verify.mjs .writ/demo/evidence.json --vkey "$(writ audit vkey)"
$ writ audit erase --run ${shown} --basis "request 7" --key .writ/demo/ada.key`);
process.exit(verified.code);
