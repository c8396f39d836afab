// Bundles the command line: dist/bundle holds in a few files what `writ` would load from hundreds, its own modules and
// those of packages, with the schemas of policies and workflows compiled ahead. setup.mjs calls it after tsc; it can also
// be run by itself after a change: node test/bundle.mjs. Without it, or when tsc has written anything since, the command
// line runs from the plain modules (src/cli/main.ts): slower, and the same.
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const out = path.join(dist, 'bundle');
const startedAt = new Date();
const inDist = (name) => path.join(dist, ...name.split('/'));
// `open` is for the processes that tests start by the hundred (test/crash/built.mjs).
const ENTRIES = { writ: inDist('cli/start.js'), open: inDist('open.js') };
const MAIN = path.join(out, 'writ.js');
const importDist = (name) => import(pathToFileURL(inDist(name)).href);

// They find files of their own beside them, or are there for developers of packages.
const EXTERNAL = [
  /^better-sqlite3$/,
  /^@wasmer\/sdk/,
  /^@cedar-policy\//,
  /^dockerode$/,
  /^react-devtools-core$/,
];

/** What a part that not every command needs exports, and its text: it is a file of its own, read at first use. */
const LAZY = {
  ajv: { imports: { 'ajv/dist/2020.js': ['Ajv2020'], 'ajv-formats': ['default'] } },
  handlebars: { imports: { handlebars: ['default'] } },
  jsonata: { imports: { jsonata: ['default'] } },
};

// Names stay as they are, for whoever reads a stack.
const minify = { compress: true, mangle: false, codegen: { removeWhitespace: true } };
const comments = { legal: true, annotation: false, jsdoc: false };

/** Nothing is missing: it must not become an import that fails at a customer's. */
function refuse(level, log) {
  if (level === 'warn') throw new Error(`the command line can't be bundled: ${log.message}`);
}

// --- schemas compiled ahead ----------------------------------------------------------------------------------

/** Modules by their file, with what holds the validators that they are to give. */
const VALIDATORS = new Map([
  [inDist('policy/file/shape-validator.js'), 'policy-schemas.cjs'],
  [inDist('workflow/shape-validator.js'), 'workflow-schemas.cjs'],
]);

/** Stands for such a module, beside that file or in its own place. */
const validators = (file) =>
  `import { createRequire } from 'node:module';
const read = createRequire(import.meta.url);
export function validatorOf(name) {
  return read('${file}')[name];
}
`;

async function policyValidators() {
  const { SCHEMAS } = await importDist('policy/file/shape.js');
  const { openAjv } = await importDist('policy/file/shape-compiler.js');
  const { schemaId } = await importDist('policy/file/schema-parts.js');
  return compiledAhead(openAjv(SCHEMAS, { source: true }), Object.keys(SCHEMAS), schemaId);
}

async function workflowValidators() {
  const { openAjv, schemaId, SCHEMA_NAMES } = await importDist('workflow/shape-compiler.js');
  return compiledAhead(openAjv({ source: true }), SCHEMA_NAMES, schemaId);
}

/** A CommonJS module that exports a function for each schema, by its name. */
async function compiledAhead(ajv, names, schemaId) {
  const standaloneCode = createRequire(import.meta.url)('ajv/dist/standalone').default;
  const { boundErrors } = await importDist('schema-errors.js');
  const local = (at) => `schema${at}`;
  const code = standaloneCode(ajv, Object.fromEntries(names.map((name, at) => [local(at), schemaId(name)])));
  return names.reduce(
    (text, name, at) => `${text}\nexports[${JSON.stringify(name)}] = exports.${local(at)};`,
    boundErrors(code),
  );
}

// --- parts that are read at first use ------------------------------------------------------------------------

const LAZY_OF = new Map(
  Object.entries(LAZY).flatMap(([file, { imports }]) =>
    Object.entries(imports).map(([from, names]) => [from, { file, names }]),
  ),
);

/** Stands for a package in the modules of writ: what it exports is looked up when it is called. */
function lazyModule(from) {
  const { file, names } = LAZY_OF.get(from);
  const lines = names.map((name) => {
    const found = `read('./${file}.cjs')[${JSON.stringify(from)}]${name === 'default' ? '' : `.${name}`}`;
    return `export ${name === 'default' ? 'default' : `const ${name} =`} later(() => ${found});`;
  });
  return `import { createRequire } from 'node:module';
    const read = createRequire(import.meta.url);
    const later = (found) => new Proxy(function () {}, {
      get: (_, name) => found()[name],
      apply: (_, self, values) => found()(...values),
      construct: (_, values) => new (found())(...values),
    });
    ${lines.join('\n')}`;
}

const lazyEntry = ({ imports }) =>
  Object.keys(imports)
    .map((from) => `exports[${JSON.stringify(from)}] = require(${JSON.stringify(from)});`)
    .join('\n');

/** One CommonJS file of the bundle; returns the files it is made of. */
async function writePart(name, text) {
  const id = path.join(root, `${name}.cjs`);
  const bundle = await rolldown({
    input: id,
    cwd: root,
    platform: 'node',
    plugins: [
      {
        name: 'part',
        resolveId: (asked) => (asked === id ? id : null),
        load: (asked) => (asked === id ? text : null),
      },
    ],
    onLog: refuse,
  });
  const { output } = await bundle.generate({ format: 'cjs', minify, comments });
  await bundle.close();
  fs.writeFileSync(path.join(out, `${name}.cjs`), output[0].code);
  return output[0].moduleIds;
}

// --- all of it -----------------------------------------------------------------------------------------------

const ownModules = {
  name: 'own-modules',
  resolveId(asked, importer) {
    return LAZY_OF.has(asked) && importer?.startsWith(dist) ? `\0later:${asked}` : null;
  },
  load(id) {
    if (id.startsWith('\0later:')) return lazyModule(id.slice(7));
    return VALIDATORS.has(id) ? validators(`./${VALIDATORS.get(id)}`) : undefined;
  },
  // A module goes on finding what is beside the file that tsc wrote.
  transform(code, id) {
    if (!id.startsWith(dist) || VALIDATORS.has(id) || !code.includes('import.meta.url')) return null;
    const place = path.relative(out, id).split(path.sep).join('/');
    return code.replaceAll('import.meta.url', `new URL(${JSON.stringify(place)}, import.meta.url).href`);
  },
};

// From nothing, and what all else hangs on last: until then the command line runs from the plain modules.
fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
// tsc would not write again what it has written before: from now on it writes everything, the validators' modules too.
fs.rmSync(path.join(dist, '.tsbuildinfo'), { force: true });

const bundle = await rolldown({
  input: ENTRIES,
  cwd: root,
  platform: 'node',
  external: EXTERNAL,
  plugins: [ownModules],
  onLog: refuse,
});
const { output } = await bundle.generate({
  format: 'esm',
  entryFileNames: '[name].js',
  minify,
  comments,
  chunkFileNames: '[name]-[hash].js',
  // Who loads one of a group loads all that it needs: every command, commands about keys, the verifier, questions to
  // policy, what opens Writ. What two groups need is with the first.
  codeSplitting: {
    includeDependenciesRecursively: true,
    groups: [
      ['cli/invocation.js'],
      ['adapters/keys/person-key.js'],
      ['verify-data.js', 'verify-file.js', 'adapters/store/trust-store.js', 'data-directory.js'],
      ['library/policy.js'],
      ['open.js'],
    ].map((names, at) => ({
      name: path.basename(names[0], '.js'),
      test: (id) => names.some((name) => id === inDist(name)),
      priority: 10 - at,
    })),
  },
});
await bundle.close();
const modules = output.flatMap(({ moduleIds }) => moduleIds ?? []);
for (const [name, part] of Object.entries(LAZY)) modules.push(...(await writePart(name, lazyEntry(part))));
modules.push(...(await writePart('policy-schemas', await policyValidators())));
modules.push(...(await writePart('workflow-schemas', await workflowValidators())));
fs.writeFileSync(path.join(out, 'LICENSES.txt'), licences(modules));
const files = new Map(output.map(({ fileName, code }) => [path.join(out, fileName), code]));
for (const [file, code] of files) if (file !== MAIN) fs.writeFileSync(file, code);
for (const [file, made] of VALIDATORS) {
  const place = path.relative(path.dirname(file), inDist(`bundle/${made}`));
  fs.writeFileSync(file, validators(place.replaceAll(path.sep, '/')));
}
fs.writeFileSync(MAIN, files.get(MAIN));
// What tsc writes from now on is newer, also while this was at work.
fs.utimesSync(MAIN, startedAt, startedAt);

/** The bundle is handed out with code of others in it: their licences go with it. */
function licences(modules) {
  const folders = modules.flatMap(
    (id) => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id) ?? [],
  );
  return [...new Set(folders)]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        fs.readFileSync(path.join(folder, 'package.json'), 'utf8'),
      );
      const file = fs.readdirSync(folder).find((found) => /^licen[cs]e/i.test(found));
      const text = file === undefined ? '' : fs.readFileSync(path.join(folder, file), 'utf8').trim();
      return `${name} ${version}, ${license}\n\n${text}`.trim();
    })
    .join(`\n\n${'-'.repeat(80)}\n\n`);
}
