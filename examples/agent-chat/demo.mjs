// Shows a run with models, without one: a stand-in on this machine speaks the protocol and answers by stand-in.json.
// With WRIT_MODEL_BASE_URL, WRIT_MODEL_API_KEY and WRIT_MODEL set, a real model is asked instead; its host has to be in
// policies/ceilings/org.yaml. Everything lies below .writ/agent-chat. Only the `writ` command is used.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { startModelServer } from '../../test/model-server/server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const example = path.join(root, 'examples', 'agent-chat');
const home = process.env.WRIT_DEMO_HOME ?? path.join(root, '.writ', 'agent-chat');
const project = path.join(home, 'project');
const key = path.join(home, 'alice.key');
const say = (line) => process.stdout.write(`${line}\n`);

/** Runs `writ` as alice; stderr comes through. The stand-in answers from this process, so it must not be blocked. */
function writ(args, env = {}) {
  const words = [path.join(root, 'dist', 'cli', 'main.js'), '--data', path.join(home, 'data')];
  words.push('--policies', path.join(project, 'policies'), ...args);
  const child = spawn(process.execPath, words, {
    cwd: root,
    env: { ...process.env, XDG_STATE_HOME: path.join(home, 'state'), WRIT_KEY: key, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out }));
  });
}

async function must(args, env) {
  const { code, out } = await writ(args, env);
  if (code === 0) return out;
  process.stderr.write(`${out}\ndemo: writ ${args.join(' ')} ended with exit code ${code}\n`);
  process.exit(1);
}

async function setUp() {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  // The files of the example as they are now; the data directory and its log stay.
  rmSync(project, { recursive: true, force: true });
  for (const folder of ['agents', 'hands', 'policies']) {
    cpSync(path.join(example, folder), path.join(project, folder), { recursive: true });
  }
  if (!existsSync(key)) await must(['keys', 'create', 'alice', '--out', key]);
  const approvers = path.join(project, 'policies', 'approvers.yaml');
  const document = parseDocument(readFileSync(approvers, 'utf8'));
  document.setIn(['people', 0, 'keys'], [JSON.parse(readFileSync(key, 'utf8')).publicKey]);
  writeFileSync(approvers, document.toString());
  if (!existsSync(path.join(home, 'data', 'config.json'))) await must(['init']);
}

await setUp();
say('$ writ agent check');
process.stdout.write(await must(['agent', 'check']));

const isReal = (process.env.WRIT_MODEL_BASE_URL ?? '') !== '';
const script = JSON.parse(readFileSync(path.join(example, 'stand-in.json'), 'utf8'));
const standInKey = 'stand-in-key-0123456789';
const server = isReal ? null : await startModelServer({ key: standInKey, script });
const env =
  server === null
    ? {}
    : { WRIT_MODEL_BASE_URL: server.url, WRIT_MODEL_API_KEY: standInKey, WRIT_MODEL: 'stand-in' };

say(
  `\n$ writ run workflow.yaml --input @input.json      # models: ${server === null ? 'yours' : 'the stand-in'}`,
);
const file = (name) => path.join(example, name);
const out = await must(['run', file('workflow.yaml'), '--input', `@${file('input.json')}`, '--json'], env);
const run = JSON.parse(out);
for (const step of run.results) {
  const { output } = step;
  const text = output?.content ?? output?.response ?? JSON.stringify(output ?? null);
  say(`\n${step.stepName} (${step.status})\n  ${text.slice(0, 300)}`);
}
say('\n$ writ audit verify');
process.stdout.write(await must(['audit', 'verify']));
await server?.close();
