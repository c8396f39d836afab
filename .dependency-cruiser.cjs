// The doors of the house, over imports: who may know whom. Globals, clocks and calls are eslint.config.js's part.
// `npm run lint` enforces it; test/doors plants a forbidden import behind each rule and sees it refused.
// It needs TypeScript 6: with 7 alone it reads 0 modules and reports success.

const PURE = '^src/(workflow|expression|engine|policy|approval|audit)/';
const TEST = '\\.test\\.tsx?$';
const SHARED =
  '^src/(errors|json|canonical-json|ed25519|nearest|plain-(yaml|reader|scalar)|retry-after|schema-(keywords|errors))\\.ts$';
const PORTS =
  '^src/(errors|json|retry-after|schema-keywords|network-address|runtime/ports|runtime/ports/[a-z-]+)\\.ts$';
const COMPOSES =
  '^src/((cli|tui|server|library|testing)/|(open(-sandboxes|-functions)?|heard-elsewhere|operator-policies|digest|init|data-directory|agent-files|docker-file|mcp-project|policy-(signers|reload)|verify-(data|file|source|trust|walk|walk-thread))\.ts$)';

// Libraries that only compute: no file, socket, clock or process behind the calls the rooms make.
const COMPUTES = [
  '@babel/code-frame',
  '@noble/(curves|hashes)',
  'ajv',
  'ajv-formats',
  'casbin',
  'fastest-levenshtein',
  // Parses the text of an expression; evaluating it is done in a process of its own.
  'jsonata',
  'handlebars',
  'smol-toml',
  'yaml',
].join('|');

const forbidden = [
  {
    name: 'pure-room-no-node',
    comment: 'A pure room does no I/O: time, ids, randomness and bytes come in as values.',
    from: { path: PURE, pathNot: TEST },
    to: { dependencyTypes: ['core'] },
  },
  {
    name: 'pure-room-only-computing-libraries',
    comment: 'A pure room uses libraries that only compute; a new one is named in this file first.',
    from: { path: PURE, pathNot: TEST },
    to: { path: 'node_modules/', pathNot: `node_modules/(${COMPUTES})/` },
  },
  {
    name: 'pure-room-arrows',
    comment: 'expression, policy, approval and audit know only themselves and what is shared.',
    from: { path: '^src/(expression|policy|approval|audit)/', pathNot: TEST },
    to: { path: '^src/', pathNot: [SHARED, '^src/$1/'] },
  },
  {
    name: 'workflow-arrows',
    comment: 'workflow knows expression and what is shared.',
    from: { path: '^src/workflow/', pathNot: TEST },
    to: { path: '^src/', pathNot: [SHARED, '^src/(workflow|expression)/'] },
  },
  {
    name: 'engine-arrows',
    comment: 'engine knows workflow, expression and what is shared.',
    from: { path: '^src/engine/', pathNot: TEST },
    to: { path: '^src/', pathNot: [SHARED, '^src/(engine|workflow|expression)/'] },
  },
  {
    name: 'runtime-arrows',
    comment: 'runtime knows the pure rooms and its own ports; adapters are handed to it.',
    from: { path: '^src/runtime/', pathNot: TEST },
    to: { path: '^src/', pathNot: [SHARED, PURE, '^src/runtime/'] },
  },
  {
    name: 'adapter-arrows',
    comment:
      'An adapter knows the ports, errors, json, retry-after and schema-keywords: no pure room, nothing else of the runtime.',
    from: { path: '^src/adapters/', pathNot: TEST },
    to: { path: '^src/', pathNot: [PORTS, '^src/adapters/'] },
  },
  {
    name: 'adapter-not-to-adapter',
    comment: 'Adapters (a folder, or a file directly under adapters) do not know one another.',
    from: { path: '^src/adapters/([^/]+)', pathNot: TEST },
    to: { path: '^src/adapters/', pathNot: '^src/adapters/$1(/|$)' },
  },
  {
    name: 'only-composition-knows-adapters',
    comment: 'Adapters are put together in cli, tui, server, library, testing and open.ts only.',
    from: { path: '^src/', pathNot: [COMPOSES, '^src/adapters/', TEST] },
    to: { path: '^src/adapters/' },
  },
  {
    name: 'only-doors-know-composition',
    comment:
      'The command line, its screens, the server, the library and open.ts are ends: only index.ts re-exports them.',
    from: { path: '^src/', pathNot: [COMPOSES, '^src/index\\.ts$', TEST] },
    to: { path: COMPOSES },
  },
  {
    name: 'evidence-page-arrows',
    comment:
      'The evidence page runs in a browser: it knows pure rooms only, and nothing of the product imports it.',
    from: { path: '^src/evidence-page/' },
    to: { pathNot: [SHARED, '^src/(audit|approval|evidence-page)/', 'node_modules/@noble/hashes/'] },
  },
  {
    name: 'evidence-page-is-built-apart',
    comment: 'It is bundled by test/evidence-page.mjs; the built file is read, not imported.',
    from: { path: '^src/', pathNot: '^src/evidence-page/' },
    to: { path: '^src/evidence-page/' },
  },
  {
    name: 'shared-is-a-leaf',
    comment:
      'errors.ts, json.ts, canonical-json.ts, ed25519.ts, nearest.ts, plain-yaml.ts, plain-reader.ts, plain-scalar.ts, retry-after.ts, schema-keywords.ts and schema-errors.ts are imported by all, so they import only one another ' +
      '(and the cryptography and the distance of words that have no imports of their own).',
    from: { path: SHARED },
    to: { pathNot: [SHARED, '^node_modules/(@noble|fastest-levenshtein)/'] },
  },
  {
    name: 'no-cycles',
    comment: 'Two files that need each other are one file, or a third noun is missing.',
    from: { path: '^src/' },
    to: { circular: true },
  },
  {
    name: 'product-not-to-test',
    comment: 'Test code is not built.',
    from: { path: '^src/', pathNot: TEST },
    to: { path: [TEST, '^test/'] },
  },
  {
    name: 'no-dev-dependency-in-product',
    comment: 'What the product imports is in `dependencies`, not in `devDependencies`.',
    from: { path: '^src/', pathNot: TEST },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'no-undeclared-dependency',
    comment: 'A package that another package happens to bring along is not ours to import.',
    from: { path: '^src/' },
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'resolvable',
    comment: 'An import that does not resolve would pass every other door unseen.',
    from: { path: '^src/' },
    to: { couldNotResolve: true },
  },
];

module.exports = {
  forbidden: forbidden.map((rule) => ({ severity: 'error', ...rule })),
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.test.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
