// Builds what runs inside the WASM sandbox: compiles agents and tools to sandbox/wasm/modules, writes the sha256 manifest,
// and packs the example's OCI image layout. What is made of C is built apart (build-javascript.mjs) and only compared. Same sources and compiler, same bytes: nothing here reads a clock, an
// environment or a path of the machine. `--check` builds in memory and compares with what is committed.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const WASM = join(ROOT, 'sandbox/wasm');
const PACKAGES = join(ROOT, 'examples/claims-review/packages');
const WORKFLOW = join(ROOT, 'examples/claims-review/workflow.yaml');
const FLAGS = [
  '--optimize',
  '--runtime',
  'stub',
  '--exportStart',
  '_start',
  '--use',
  'abort=src/lib/process/onAbort',
];

const AGENTS = ['claims-triage', 'human-review-assistant', 'approval-agent'].map((name) => ({
  name,
  repository: `ghcr.io/bank/${name}`,
}));

/** Run by name, and by any step that names them; in no package. */
const TOOLS = ['json', 'csv', 'text'];

/** What a package asks for at most; the org's ceilings narrow it further. */
const CEILING = {
  network: { mode: 'none' },
  sandbox: { allowed: ['wasm'] },
  limits: { timeoutMs: 120000, memoryMiB: 64, outputBytes: 1048576 },
};

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_TYPE = 'application/vnd.agentrc.agent.config.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const LAYER_TYPE = 'application/wasm';

/** The module's bytes. Throws with the compiler's words when it doesn't compile. */
async function compile(name) {
  let bytes = null;
  const result = await asc.main(
    [`src/${name}.ts`, '--baseDir', WASM, '--outFile', `${name}.wasm`, ...FLAGS],
    {
      writeFile: (_file, contents) => {
        bytes = Buffer.from(contents);
      },
    },
  );
  if (result.error || bytes === null) throw new Error(`${name}: ${result.stderr.toString()}`);
  return bytes;
}

/** Every output file, by path relative to the repository, with its bytes. */
async function build() {
  const files = new Map();
  const put = (path, contents) => files.set(relative(ROOT, path), Buffer.from(contents));
  const blob = (mediaType, contents) => {
    const bytes = Buffer.from(contents);
    const hex = sha256(bytes);
    put(join(PACKAGES, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };

  const modules = [];
  const manifests = [];
  for (const { name, repository } of AGENTS) {
    const bytes = await compile(name);
    put(join(WASM, 'modules', `${name}.wasm`), bytes);
    modules.push({
      name,
      sha256: sha256(bytes),
      source: `src/${name}.ts`,
      toolchain: `assemblyscript ${asc.version} ${FLAGS.join(' ')}`,
    });

    const layer = blob(LAYER_TYPE, bytes);
    const config = { v: 1, name, repository, argv: [name], entry: layer.digest, ceiling: CEILING };
    const annotations = { 'io.agentrc.agent.name': name };
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      artifactType: CONFIG_TYPE,
      config: blob(CONFIG_TYPE, JSON.stringify(config)),
      layers: [layer],
      annotations,
    };
    const descriptor = blob(MANIFEST_TYPE, JSON.stringify(manifest));
    manifests.push({ ...descriptor, artifactType: CONFIG_TYPE, annotations });
  }

  for (const name of TOOLS) {
    const bytes = await compile(name);
    put(join(WASM, 'modules', `${name}.wasm`), bytes);
    modules.push({
      name,
      sha256: sha256(bytes),
      source: `src/${name}.ts`,
      toolchain: `assemblyscript ${asc.version} ${FLAGS.join(' ')}`,
    });
  }
  const javascript = JSON.parse(readFileSync(join(WASM, 'javascript.json'), 'utf8'));
  const built = read(join(WASM, 'modules/javascript.wasm'));
  if (built === null || sha256(built) !== javascript.sha256)
    throw new Error(
      'javascript.wasm is not what javascript.json says: run node sandbox/build-javascript.mjs',
    );
  put(join(WASM, 'modules/javascript.wasm'), built);
  modules.push(javascript);

  put(join(WASM, 'manifest.json'), `${JSON.stringify({ modules }, null, 2)}\n`);
  put(join(PACKAGES, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests };
  put(join(PACKAGES, 'index.json'), `${JSON.stringify(index, null, 2)}\n`);
  const pins = manifests.map((entry, i) => `${AGENTS[i].repository}@${entry.digest}`);
  return { files, pins };
}

/** Differences between `files` and the tree, one line each; files the build doesn't make are differences too. */
function differences(files) {
  const lines = [];
  for (const [path, bytes] of files) {
    const committed = read(join(ROOT, path));
    if (committed === null) lines.push(`${path}: missing`);
    else if (!committed.equals(bytes)) lines.push(`${path}: differs`);
  }
  for (const folder of [join(WASM, 'modules'), PACKAGES]) {
    for (const path of filesBelow(folder)) {
      if (!files.has(relative(ROOT, path))) lines.push(`${relative(ROOT, path)}: not made by the build`);
    }
  }
  return lines;
}

/** Pins are written by a person, so a build never edits them; it says when they are stale. */
function stalePins(pins) {
  const workflow = read(WORKFLOW)?.toString('utf8') ?? '';
  return pins
    .filter((pin) => !workflow.includes(pin))
    .map((pin) => `${relative(ROOT, WORKFLOW)}: does not pin ${pin}`);
}

function filesBelow(folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

const { files, pins } = await build();
if (process.argv.includes('--check')) {
  const lines = [...differences(files), ...stalePins(pins)];
  for (const line of lines) console.error(`build: error: ${line}`);
  if (lines.length > 0)
    console.error('build: hint: run node sandbox/build.mjs, and pin the digests it prints');
  process.exitCode = lines.length === 0 ? 0 : 1;
} else {
  for (const folder of [join(WASM, 'modules'), PACKAGES]) rmSync(folder, { recursive: true, force: true });
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), bytes);
  }
  for (const pin of pins) console.log(pin);
  for (const line of stalePins(pins)) console.error(`build: warning: ${line}`);
}
