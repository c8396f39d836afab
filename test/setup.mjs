// Makes a clone ready: packages as the lock file says, then dist as src says. Does only what is missing, says each
// thing it does in one line on stderr, and is silent when there is nothing to do. Plain Node, no dependency, because
// it runs before there are any. `--build-only` leaves the packages alone.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MIN = [20, 19];
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => path.join(root, ...parts);
const say = (line) => process.stderr.write(`setup: ${line}\n`);

/** Everything was said. Thrown, so that what goes on beside it comes to its end and leaves no process behind. */
const FAILED = Symbol('failed');

function fail(...lines) {
  for (const line of lines) say(line);
  throw FAILED;
}

function readJson(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : null;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  fail(`writ needs Node ${NODE_MIN.join('.')} or newer, this is ${process.versions.node}`);
}

// --- packages --------------------------------------------------------------------------------------------

/** True when npm's own record of what it installed agrees with the lock file, whoever ran the install. */
function packagesAreCurrent() {
  const wanted = readJson(at('package-lock.json'));
  const installed = readJson(at('node_modules', '.package-lock.json'));
  if (installed === null) return false;
  return Object.entries(wanted.packages).every(([place, entry]) => {
    if (place === '') return true;
    const found = installed.packages[place];
    if (found === undefined) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

/** Resolves, silently, with {ok, output}: it does not keep this process from other work. */
function carryOut(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const said = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => said.push(bytes));
    child.on('error', (error) => said.push(Buffer.from(error.message)));
    child.on('close', (code) => resolve({ ok: code === 0, output: Buffer.concat(said).toString() }));
  });
}

/** npm; the headers beside the running Node spare node-gyp a download, and it compiles several files at a time. */
function npm(...args) {
  const env = { JOBS: 'max', ...process.env };
  const prefix = path.dirname(path.dirname(process.execPath));
  if (!env.npm_config_nodedir && fs.existsSync(path.join(prefix, 'include', 'node', 'node.h'))) {
    env.npm_config_nodedir = prefix;
  }
  return carryOut('npm', args, { env, shell: process.platform === 'win32' });
}

function npmFailed(command, output) {
  const tail = output.trimEnd().split('\n').slice(-40);
  const lines = [...tail, `${command} failed`];
  if (/better-sqlite3|node-gyp|gyp ERR/.test(output)) {
    lines.push(
      'better-sqlite3 was not built: install python3, make and a C++ compiler and run this again',
      'Debian, Ubuntu: apt-get install -y python3 make g++',
      'without network access to the Node headers set npm_config_nodedir to a Node prefix that has include/node',
    );
  }
  fail(...lines);
}

/** Without their install scripts: `npm rebuild` refuses, as `npm ci` does, those that `allowScripts` does not name. */
async function installPackages() {
  if (packagesAreCurrent()) return;
  say('installing packages (npm ci)');
  const { ok, output } = await npm('ci', '--include=dev', '--ignore-scripts');
  if (!ok) npmFailed('npm ci', output);
}

/** A binary is bound to the Node it was built for: after a change of Node the packages are right, but it is not. */
async function buildAddon() {
  if (addonProblem() === null) return;
  say(`building better-sqlite3 for Node ${process.versions.node} (about a minute)`);
  const { allowScripts } = readJson(at('package.json'));
  const { ok, output } = await npm(
    'rebuild',
    ...Object.keys(allowScripts).filter((name) => allowScripts[name]),
  );
  if (!ok || addonProblem() !== null) npmFailed('npm rebuild better-sqlite3', output);
}

/** null when the addon loads; in a process of its own, because a failed load stays cached in this one. */
function addonProblem() {
  const script = "new (require('better-sqlite3'))(':memory:').close()";
  const child = spawnSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' });
  return child.status === 0 ? null : child.stderr;
}

// --- dist ------------------------------------------------------------------------------------------------

function filesUnder(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

const isTest = (file) => /\.test\.tsx?$/.test(file);
const isCode = (file) => /\.tsx?$/.test(file);

/** Changes with any byte that the build reads: sources, compiler settings and the packages' versions. */
function fingerprint(sources) {
  const hash = createHash('sha256');
  for (const file of [...sources, PAGE_BUILD, BUNDLE_BUILD, at('tsconfig.json'), at('package-lock.json')]) {
    const bytes = fs.readFileSync(file);
    hash.update(`${path.relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

const PAGE_BUILD = at('test', 'evidence-page.mjs');
const BUNDLE_BUILD = at('test', 'bundle.mjs');

/** The evidence page's files become one script; every other source has an output of its own. */
function outputOf(source) {
  const folder = at('src', 'evidence-page');
  if (source.startsWith(`${folder}${path.sep}`)) return at('dist', 'evidence-page', 'page.js');
  return at('dist', path.relative(at('src'), source).replace(/\.tsx?$/, '.js'));
}

async function build() {
  const sources = filesUnder(at('src')).filter((file) => !isTest(file));
  const stamp = at('dist', '.built-from');
  const wanted = fingerprint(sources);
  const built = fs.existsSync(stamp) ? fs.readFileSync(stamp, 'utf8') : '';
  const outputs = [at('dist', 'bundle', 'writ.js'), ...sources.map(outputOf)];
  if (built === wanted && outputs.every((file) => fs.existsSync(file))) return;

  say('building dist (tsc -p .)');
  // From nothing, so that no output of a deleted source stays.
  fs.rmSync(at('dist'), { recursive: true, force: true });
  const tsc = createRequire(at('package.json')).resolve('typescript/bin/tsc');
  const { ok, output } = await carryOut(process.execPath, [tsc, '-p', '.']);
  if (!ok) fail(...output.trimEnd().split('\n'), 'the build failed');

  say('building the evidence page (rolldown)');
  await run(PAGE_BUILD, 'the evidence page');

  // Schemas, templates and the like are read at run time from where the code is.
  for (const file of sources.filter((source) => !isCode(source) && !outputOf(source).endsWith('page.js'))) {
    fs.mkdirSync(path.dirname(outputOf(file)), { recursive: true });
    fs.copyFileSync(file, outputOf(file));
  }
  say('bundling the command line (rolldown)');
  await run(BUNDLE_BUILD, 'the bundle');
  if (fs.existsSync(at('dist', 'cli', 'main.js'))) fs.chmodSync(at('dist', 'cli', 'main.js'), 0o755);
  fs.writeFileSync(stamp, wanted);
}

/** Runs a build script of its own. */
async function run(script, what) {
  const { ok, output } = await carryOut(process.execPath, [script]);
  if (!ok) fail(output.trimEnd(), `the build of ${what} failed`);
}

async function main(options) {
  const unknown = options.find((option) => option !== '--build-only');
  if (unknown !== undefined) fail(`unknown option ${unknown}; the only one is --build-only`);
  checkNode();
  if (options.includes('--build-only')) return build();
  await installPackages();
  // A compiler of C beside one of TypeScript, each for about as long as the other: neither needs what the other makes.
  const both = await Promise.allSettled([buildAddon(), build()]);
  const reasons = both.flatMap(({ status, reason }) => (status === 'rejected' ? [reason] : []));
  for (const reason of reasons) if (reason !== FAILED) console.error(reason);
  if (reasons.length > 0) throw FAILED;
}

main(process.argv.slice(2)).catch((error) => {
  if (error !== FAILED) console.error(error);
  process.exitCode = 1;
});
