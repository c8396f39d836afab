// Makes the images for the Docker sandbox from programs this machine has (no registry, no download) and loads them
// into the engine: `node sandbox/images/build.mjs [sh] [python] [node] [--docker-yaml FILE]`. Prints `name id`, one a
// line. `sh` is busybox; the others are that plus their interpreter. With --docker-yaml the ids are written into FILE
// (docker.yaml of a project), `sh` as `default` too where it names no default yet. `Dockerfile` makes the same images of
// what a registry has.
// Same programs, same id: the archive holds no time, no owner and no name of the machine.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { imageOf } from './archive.mjs';

/** What a container needs to run with nobody's rights, and what our driver looks for in the label. */
export const CONFIG = {
  Env: ['PATH=/bin:/usr/bin'],
  Labels: { 'writ.tools': 'sleep tar timeout' },
  User: '65534:65534',
  WorkingDir: '/work',
};
export const USERS = 'root:x:0:0:root:/:/bin/false\nnobody:x:65534:65534:nobody:/work:/bin/false\n';
export const GROUPS = 'root:x:0:\nnogroup:x:65534:\n';
/** Applets that only make sense with rights no guest has, or with a network. `busybox` would link to itself. */
export const WITHOUT = new Set([
  'busybox',
  'su',
  'login',
  'passwd',
  'adduser',
  'addgroup',
  'deluser',
  'delgroup',
  'init',
]);

export const IMAGES = { sh: shell, python, node };

/** Archive and id of an image. Throws with what to install. */
export function build(name) {
  const files = new Map();
  base(files);
  IMAGES[name](files);
  return imageOf(sorted(files), { name: `writ-sandbox/${name}`, config: CONFIG });
}

/** Builds and loads `name`; its id, as the engine has confirmed it. */
export async function load(name, docker) {
  const { id, archive } = build(name);
  const images = await docker.listImages();
  if (!images.some((image) => image.Id === id)) {
    const answer = await docker.loadImage(Readable.from([archive]), { quiet: true });
    await new Promise((done, failed) => {
      answer.on('end', done).on('error', failed).resume();
    });
  }
  const found = (await docker.getImage(id).inspect()).Id;
  if (found !== id) throw new Error(`${name} is ${found} in the engine, built was ${id}`);
  return id;
}

function base(files) {
  for (const path of ['bin', 'dev', 'etc', 'proc', 'sys', 'usr', 'usr/bin', 'usr/lib', 'run'])
    directory(files, path);
  directory(files, 'tmp', 0o1777);
  directory(files, 'work', 0o1777);
  text(files, 'etc/passwd', USERS);
  text(files, 'etc/group', GROUPS);
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (busybox === undefined) throw new Error('no busybox here: apt-get install busybox-static');
  if (librariesOf(busybox).length > 0)
    throw new Error('busybox is not static here: apt-get install busybox-static');
  file(files, 'bin/busybox', busybox);
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n')) {
    if (!WITHOUT.has(applet) && !applet.includes('/')) link(files, `bin/${applet}`, 'busybox');
  }
}

function shell() {}

/** Debian's Python with its standard library. */
function python(files) {
  const interpreter = '/usr/bin/python3';
  if (!existsSync(interpreter)) throw new Error('no Debian python3 here: apt-get install python3');
  const binary = realpathSync(interpreter);
  const version = binary.slice(binary.lastIndexOf('/') + 1);
  program(files, `usr/bin/${version}`, binary);
  link(files, 'usr/bin/python3', version);
  link(files, 'usr/bin/python', version);
  const libraries = `usr/lib/${version}`;
  tree(
    files,
    libraries,
    `/${libraries}`,
    (path) =>
      !/(^|\/)(__pycache__|test|tests|idlelib|tkinter|ensurepip|turtledemo|config-[^/]*|dist-packages|site-packages)(\/|$)/.test(
        path,
      ),
  );
}

/** The Node that runs this. */
function node(files) {
  program(files, 'usr/bin/node', process.execPath);
}

/** A binary with the shared libraries it names. */
function program(files, path, source) {
  file(files, path, source);
  for (const library of librariesOf(source)) {
    parents(files, library.slice(1));
    file(files, library.slice(1), realpathSync(library));
  }
}

function librariesOf(binary) {
  let listed;
  try {
    listed = execFileSync('ldd', [binary], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return []; // a static program: ldd says so and fails
  }
  return [...listed.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path]) => path);
}

/** A folder of the machine; links that lead out of it become the file they mean. */
function tree(files, at, source, wanted) {
  parents(files, at);
  directory(files, at);
  for (const name of readdirSync(source).sort()) {
    const [path, from] = [`${at}/${name}`, join(source, name)];
    if (!wanted(path)) continue;
    const info = lstatSync(from);
    if (info.isDirectory()) tree(files, path, from, wanted);
    else if (info.isSymbolicLink() && !readlinkSync(from).includes('/'))
      link(files, path, readlinkSync(from));
    else if (existsSync(from) && lstatSync(realpathSync(from)).isFile()) {
      file(files, path, realpathSync(from));
      if (name.endsWith('.so')) for (const library of librariesOf(from)) needed(files, library);
    }
  }
}

function needed(files, library) {
  if (files.has(library.slice(1))) return;
  parents(files, library.slice(1));
  file(files, library.slice(1), realpathSync(library));
}

function parents(files, path) {
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    if (!files.has(parent)) directory(files, parent);
  }
}

function directory(files, path, mode = 0o755) {
  files.set(path, { path, mode, type: 'directory' });
}

function text(files, path, content) {
  files.set(path, { path, mode: 0o644, type: 'file', bytes: Buffer.from(content) });
}

function file(files, path, source) {
  const mode = (lstatSync(source).mode & 0o111) === 0 ? 0o644 : 0o755;
  files.set(path, { path, mode, type: 'file', bytes: readFileSync(source) });
}

function link(files, path, target) {
  files.set(path, { path, mode: 0o777, type: 'link', target });
}

function sorted(files) {
  return [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** docker.yaml with these ids, whatever else it holds kept: who may read it, and where a link to it leads, too. */
export async function record(named, ids) {
  const { parseDocument } = await import('yaml');
  const isLink = lstatSync(named, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (isLink && !existsSync(named)) throw new Error(`${named} is a link that leads nowhere`);
  const path = isLink ? realpathSync(named) : named;
  const before = statSync(path, { throwIfNoEntry: false });
  const document = parseDocument(existsSync(path) ? readFileSync(path, 'utf8') : '');
  if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0].message}`);
  for (const [name, id] of Object.entries(ids)) document.setIn(['images', name], id);
  if (ids.sh !== undefined && !document.hasIn(['images', 'default']))
    document.setIn(['images', 'default'], ids.sh);
  // Never half of it: what stands there decides which runtime holds containers.
  const whole = `${path}.new`;
  rmSync(whole, { force: true });
  try {
    writeFileSync(whole, document.toString(), { flag: 'wx', mode: before === undefined ? 0o666 : 0o600 });
    if (before !== undefined) {
      keepOwner(whole, before);
      chmodSync(whole, before.mode & 0o7777);
    }
    renameSync(whole, path);
  } catch (error) {
    rmSync(whole, { force: true });
    throw error;
  }
}

/** Of a file that somebody else owns, who may write its folder keeps the group, where they are in it. */
function keepOwner(path, { uid, gid }) {
  const now = statSync(path);
  for (const owner of [uid, now.uid]) {
    if (owner === now.uid && gid === now.gid) return;
    try {
      return chownSync(path, owner, gid);
    } catch (error) {
      if (error.code !== 'EPERM') throw error;
    }
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'docker-yaml': { type: 'string' } },
  });
  const names = positionals.length === 0 ? ['sh'] : positionals;
  const unknown = names.find((name) => !Object.hasOwn(IMAGES, name));
  if (unknown !== undefined)
    throw new Error(`no image ${unknown}: there are ${Object.keys(IMAGES).join(', ')}`);
  const { default: Docker } = await import('dockerode');
  const docker = new Docker({ socketPath: socketOf(process.env.DOCKER_HOST) });
  const ids = {};
  for (const name of names) {
    ids[name] = await load(name, docker);
    console.log(`${name} ${ids[name]}`);
  }
  if (values['docker-yaml'] !== undefined) await record(resolve(values['docker-yaml']), ids);
}

function socketOf(host = '') {
  return host.startsWith('unix://') ? host.slice('unix://'.length) : '/var/run/docker.sock';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch (error) {
    const noEngine = ['ENOENT', 'ECONNREFUSED', 'EACCES'].includes(error.code);
    console.error(noEngine ? 'no Docker engine answers: start it, or set DOCKER_HOST' : error.message);
    process.exitCode = 1;
  }
}
