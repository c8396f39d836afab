// What the linter refuses: unawaited promises, unhandled cases, impurity in the pure rooms, a second road to a
// side effect. Imports between rooms are .dependency-cruiser.cjs's part, layout is Prettier's.
// Inline `eslint-disable` has no effect in src: an exception to a door is made here, in sight.
import { builtinModules } from 'node:module';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import oneRoad from './test/doors/one-road.js';

const PURE = ['workflow', 'expression', 'engine', 'policy', 'approval', 'audit'].map(
  (room) => `src/${room}/**/*.{ts,tsx}`,
);
const TESTS = ['**/*.test.{ts,tsx}', 'test/**/*.{ts,tsx}'];

const asValue = 'a pure room gets time, ids, randomness and bytes as values';

const impureGlobals = [
  'process',
  'globalThis',
  'global',
  'require',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'WebSocket',
  'crypto',
  'performance',
  'navigator',
  'console',
].map((name) => ({ name, message: asValue }));

const impureProperties = [
  ['Date', 'now'],
  ['Math', 'random'],
].map(([object, property]) => ({ object, property, message: asValue }));

// A later `no-restricted-syntax` replaces an earlier one for the same file, so the lists are added up by hand.
// A RegExp made of the sources of other literals is as safe as they are.
const regExp = ":matches(NewExpression, CallExpression)[callee.name='RegExp']";
const everywhere = [
  `${regExp} > .arguments:not(Literal, TemplateLiteral)`,
  `${regExp} > TemplateLiteral > .expressions:not(MemberExpression[property.name='source'])`,
].map((selector) => ({
  selector,
  message: 'no RegExp from a value: text from outside may run for ever; write a literal or a linear matcher',
}));
const pure = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: asValue },
  { selector: "CallExpression[callee.name='Date']", message: asValue },
  { selector: "MetaProperty[meta.name='import']", message: asValue },
];
const reExportsOnly = [
  {
    selector: 'Program > :not(ExportNamedDeclaration[source], ExportAllDeclaration)',
    message: 'an index file re-exports and does nothing else',
  },
];

const core = {
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-async-promise-executor': 'error',
  'no-cond-assign': 'error',
  'no-constant-binary-expression': 'error',
  'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
  'no-debugger': 'error',
  'no-dupe-else-if': 'error',
  'no-duplicate-case': 'error',
  'no-empty': 'error',
  'no-eval': 'error',
  'no-extend-native': 'error',
  'no-irregular-whitespace': 'error',
  'no-loss-of-precision': 'error',
  'no-misleading-character-class': 'error',
  'no-new-func': 'error',
  'no-promise-executor-return': 'error',
  'no-proto': 'error',
  'no-prototype-builtins': 'error',
  'no-self-assign': 'error',
  'no-self-compare': 'error',
  'no-sparse-arrays': 'error',
  'no-unreachable-loop': 'error',
  'no-unsafe-finally': 'error',
  'no-unsafe-optional-chaining': 'error',
  'no-useless-catch': 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'use-isnan': 'error',
  'valid-typeof': 'error',
};

const nodeGlobals = Object.fromEntries(
  ['process', 'console', 'Buffer', 'URL', 'TextEncoder', 'TextDecoder', 'AbortController', 'AbortSignal']
    .concat(['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'fetch'])
    .concat(['WebAssembly', 'performance', 'structuredClone', 'crypto', 'module', 'require', '__dirname'])
    .map((name) => [name, 'readonly']),
);

export default defineConfig(
  // TypeScript under sandbox/ is AssemblyScript: guests, another language than ours.
  globalIgnores(['dist/', 'coverage/', 'sandbox/**/*.ts', '**/fixtures/', '**/blobs/', '.writ/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.test.json', './src/evidence-page/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    plugins: { writ: { rules: { 'one-road': oneRoad } } },
    rules: {
      ...core,
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // A port is async because one of its adapters is; the others need not await.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    ignores: TESTS,
    linterOptions: { noInlineConfig: true },
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': ['error', ...everywhere],
      'writ/one-road': 'error',
    },
  },
  { files: ['src/runtime/guard.ts'], rules: { 'writ/one-road': 'off' } },
  // A program of its own, without the runtime: its imports are .dependency-cruiser.cjs's part.
  { files: ['src/evidence-page/**'], rules: { 'writ/one-road': 'off' } },
  {
    files: PURE,
    ignores: TESTS,
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': ['error', ...impureProperties],
      'no-restricted-syntax': ['error', ...everywhere, ...pure],
      'no-restricted-imports': [
        'error',
        {
          paths: builtinModules.map((name) => ({ name, message: asValue })),
          patterns: [{ group: ['node:*'], message: asValue }],
        },
      ],
    },
  },
  {
    files: ['src/**/index.ts'],
    rules: { 'no-restricted-syntax': ['error', ...everywhere, ...reExportsOnly] },
  },
  {
    files: TESTS,
    rules: {
      // A test looks into JSON as it came; what it asserts is the check.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { globals: nodeGlobals },
    rules: { ...core, 'no-undef': 'error', 'no-unused-vars': 'error' },
  },
  { files: ['**/*.cjs'], languageOptions: { sourceType: 'commonjs' } },
);
