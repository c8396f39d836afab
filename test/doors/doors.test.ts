// The doors hold: behind every rule of the import map and of the purity lint one forbidden line is planted in a copy
// of the tree, and must be refused; the real tree must be read (more than 0 modules) and be clean.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

interface Cruise {
  modules: number;
  violations: { rule: string; from: string; to: string }[];
}

async function cruise(folder: string): Promise<Cruise> {
  const args = ['src', '--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
  const { stdout } = await run(folder, 'depcruise', args);
  const { summary } = JSON.parse(stdout);
  const violations = summary.violations.map(
    (found: { rule: { name: string }; from: string; to: string }) => ({
      rule: found.rule.name,
      from: found.from,
      to: found.to,
    }),
  );
  return { modules: summary.totalCruised, violations };
}

/** File (relative) -> ids of the rules that refused something in it. */
async function lint(folder: string, files: string[]): Promise<Map<string, string[]>> {
  const { stdout } = await run(folder, 'eslint', ['--format', 'json', ...files]);
  const results: { filePath: string; messages: { ruleId: string | null; message: string }[] }[] =
    JSON.parse(stdout);
  return new Map(
    results.map(({ filePath, messages }) => [
      path.relative(fs.realpathSync(folder), filePath),
      messages.map(({ ruleId, message }) => ruleId ?? message),
    ]),
  );
}

async function run(folder: string, command: string, args: string[]) {
  const result = await execa(command, args, {
    cwd: folder,
    preferLocal: true,
    localDir: root,
    reject: false,
    env: { NO_COLOR: '1' },
  });
  return { exitCode: result.exitCode ?? -1, stdout: result.stdout };
}

/** rule, planted file, its text. Names of planted files begin with `planted`. */
const imports: [rule: string, file: string, text: string][] = [
  ['pure-room-no-node', 'src/policy/planted-node.ts', `import 'node:fs';`],
  ['pure-room-no-node', 'src/policy/planted-bare.ts', `import 'fs';`],
  ['pure-room-no-node', 'src/policy/planted-dynamic.ts', `export const late = () => import('node:os');`],
  ['pure-room-no-node', 'src/audit/planted-type.ts', `export type { Stats } from 'node:fs';`],
  ['pure-room-only-computing-libraries', 'src/engine/planted-driver.ts', `import 'better-sqlite3';`],
  ['pure-room-arrows', 'src/approval/planted.ts', `export type { Plan } from '../workflow/plan.js';`],
  ['pure-room-arrows', 'src/expression/planted.ts', `export type { Plan } from '../workflow/plan.js';`],
  ['workflow-arrows', 'src/workflow/planted.ts', `import '../audit/planted-type.js';`],
  ['engine-arrows', 'src/engine/planted.ts', `export type { Store } from '../runtime/ports.js';`],
  ['runtime-arrows', 'src/runtime/planted.ts', `import '../adapters/store/planted.js';`],
  ['only-composition-knows-adapters', 'src/planted.ts', `import './adapters/store/planted.js';`],
  ['adapter-not-to-adapter', 'src/adapters/store/planted.ts', `import '../keys/planted.js';`],
  ['adapter-not-to-adapter', 'src/adapters/planted-file.ts', `import './keys/planted.js';`],
  ['adapter-arrows', 'src/adapters/keys/planted.ts', `export type { Plan } from '../../workflow/plan.js';`],
  ['adapter-arrows', 'src/adapters/planted-runtime.ts', `import '../runtime/planted.js';`],
  ['only-doors-know-composition', 'src/runtime/planted-cli.ts', `import '../cli/planted-dev.js';`],
  ['shared-is-a-leaf', 'src/json.ts', `export type { Plan } from './workflow/plan.js';`],
  ['no-cycles', 'src/audit/planted-egg.ts', `import './planted-hen.js';`],
  ['product-not-to-test', 'src/tui/planted.ts', `import './planted-frame.test.js';`],
  ['no-dev-dependency-in-product', 'src/cli/planted-dev.ts', `import 'fast-check';`],
  ['no-undeclared-dependency', 'src/cli/planted-transitive.ts', `import 'semver';`],
  ['evidence-page-arrows', 'src/evidence-page/planted.ts', `import '../policy/host.js';`],
  ['evidence-page-is-built-apart', 'src/cli/planted-page.ts', `import '../evidence-page/element.js';`],
  ['resolvable', 'src/cli/planted-nowhere.ts', `import './planted-absent.js';`],
];

const importsAllowed: [file: string, text: string][] = [
  // The other half of the cycle, which is reported once, at its first file.
  ['src/audit/planted-hen.ts', `export type * from './planted-egg.js';`],
  ['src/tui/planted-frame.test.ts', `import 'fast-check';`],
  ['src/policy/planted.test.ts', `import 'node:fs';`],
  ['src/engine/planted-allowed.ts', `export type { Plan } from '../workflow/plan.js';`],
  ['src/policy/planted-allowed.ts', `export * from '../errors.js'; export * from '../canonical-json.js';`],
  ['src/adapters/store/planted-part.ts', `export type * from '../../runtime/ports.js';`],
  ['src/adapters/store/planted-whole.ts', `export type * from './planted-part.js';`],
  ['src/cli/planted-compose.ts', `import '../adapters/store/planted.js';`],
];

const ports = `import type { FunctionProvider, SandboxDriver, Store } from './ports.js';`;
const request = `{ functionId: 'f', input: null, idempotencyKey: 'k', timeoutMs: 1 }`;

const code: [rule: string, file: string, text: string][] = [
  ['no-restricted-properties', 'src/engine/planted-now.ts', `export const now = () => Date.now();`],
  ['no-restricted-properties', 'src/engine/planted-now-taken.ts', `export const { now } = Date;`],
  ['no-restricted-properties', 'src/audit/planted-random.ts', `export const dice = () => Math.random();`],
  ['no-restricted-syntax', 'src/audit/planted-date.ts', `export const now = () => new Date();`],
  ['no-restricted-globals', 'src/policy/planted-env.ts', `export const home = process.env['HOME'];`],
  ['no-restricted-globals', 'src/policy/planted-global.ts', `export const all = globalThis;`],
  ['no-restricted-globals', 'src/workflow/planted-fetch.ts', `export const get = () => fetch('http://a');`],
  ['no-restricted-globals', 'src/workflow/planted-timer.ts', `setTimeout(() => undefined, 1);`],
  ['no-restricted-imports', 'src/expression/planted-crypto.ts', `export * from 'node:crypto';`],
  [
    'no-restricted-properties',
    'src/engine/planted-disable.ts',
    `/* eslint-disable */\nexport const now = () => Date.now(); // eslint-disable-line`,
  ],
  [
    'no-restricted-syntax',
    'src/cli/planted-regexp.ts',
    `export const matcher = (text: string) => new RegExp(text);`,
  ],
  [
    'no-restricted-syntax',
    'src/cli/planted-template.ts',
    `export const matcher = (text: string) => new RegExp(\`^\${text}$\`, 'u');`,
  ],
  ['no-restricted-syntax', 'src/approval/index.ts', `export const approved = true;`],
  [
    'writ/one-road',
    'src/runtime/planted-invoke.ts',
    `${ports}\nexport const go = (it: FunctionProvider) => it.invoke(${request}, AbortSignal.abort());`,
  ],
  [
    'writ/one-road',
    'src/runtime/planted-run.ts',
    `${ports}\nexport const go = (it: SandboxDriver | null) => it?.run;`,
  ],
  [
    'writ/one-road',
    'src/runtime/planted-index.ts',
    `${ports}\nexport const go = (it: FunctionProvider) => it['invoke'];`,
  ],
  [
    'writ/one-road',
    'src/runtime/planted-taken.ts',
    `${ports}\nexport const go = ({ run }: SandboxDriver) => typeof run;`,
  ],
  [
    'writ/one-road',
    'src/runtime/planted-pick.ts',
    `${ports}\nexport const go = (it: Pick<FunctionProvider, 'invoke'>) => it.invoke;`,
  ],
  [
    'writ/one-road',
    'src/server/planted-generic.ts',
    `import type { SandboxDriver } from '../runtime/ports.js';\n` +
      `export const go = <D extends SandboxDriver>(it: D) => it.run;`,
  ],
  [
    'writ/one-road',
    'src/cli/planted-class.ts',
    `import type { FunctionProvider } from '../runtime/ports.js';\n` +
      `class Direct implements FunctionProvider { functionIds = []; invoke() { return Promise.resolve(null); } }\n` +
      `export const go = () => new Direct().invoke();`,
  ],
  [
    '@typescript-eslint/no-floating-promises',
    'src/runtime/planted-floating.ts',
    `${ports}\nexport const go = (it: Store) => { it.close(); };`,
  ],
  [
    '@typescript-eslint/switch-exhaustiveness-check',
    'src/engine/planted-switch.ts',
    `export function go(it: 'a' | 'b') { switch (it) { case 'a': return 1; } return 2; }`,
  ],
];

const codeAllowed: [file: string, text: string][] = [
  [
    'src/runtime/guard.ts',
    `${ports}\nexport const act = (it: FunctionProvider) => it.invoke(${request}, AbortSignal.abort());\n` +
      `export const box = (it: SandboxDriver) => it.run;`,
  ],
  ['src/runtime/planted-store.ts', `${ports}\nexport const load = (it: Store) => it.run('r1');`],
  ['src/cli/planted-source.ts', `const a = /a/;\nexport const b = new RegExp(\`^\${a.source}$\`, 'u');`],
  ['src/engine/planted-date.ts', `export const iso = (ms: number) => new Date(ms).toISOString();`],
  ['src/engine/planted-date.test.ts', `import 'node:fs';\nexport const now = Date.now();`],
  ['src/policy/index.ts', `export * from '../errors.js';\nexport type { Json } from '../json.js';`],
];

/** A copy of the tree with the given files added (text goes to the end of a file that exists, unless `replace`). */
function copyWith(plants: (readonly [file: string, text: string])[], replace: boolean): string {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'writ-doors-'));
  const settings = [
    'package.json',
    'tsconfig.json',
    'tsconfig.test.json',
    'eslint.config.js',
    '.dependency-cruiser.cjs',
  ];
  for (const entry of ['src', 'test/doors/one-road.js', ...settings]) {
    fs.cpSync(path.join(root, entry), path.join(copy, entry), { recursive: true });
  }
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'), 'dir');
  for (const [file, text] of plants) {
    const place = path.join(copy, file);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    fs.writeFileSync(place, `\n${text}\n`, { flag: replace ? 'w' : 'a' });
  }
  return copy;
}

const copies: string[] = [];
afterAll(() => {
  for (const copy of copies) fs.rmSync(copy, { recursive: true, force: true });
});

describe('doors between rooms', () => {
  let copy: string;
  let planted: Cruise;
  beforeAll(async () => {
    copy = copyWith([...imports.map(([, file, text]) => [file, text] as const), ...importsAllowed], false);
    copies.push(copy);
    planted = await cruise(copy);
  });

  it.each(imports)('%s refuses the line planted in %s', (rule, file) => {
    expect(planted.violations.filter(({ from }) => from === file).map((found) => found.rule)).toContain(rule);
  });

  it.each(importsAllowed)('%s may import what it imports', (file) => {
    expect(planted.violations.filter(({ from }) => from === file)).toEqual([]);
  });

  it('fails the command of `npm run lint` when something was refused', async () => {
    const { exitCode } = await run(copy, 'depcruise', ['src', '--config', '.dependency-cruiser.cjs']);
    expect(exitCode).toBeGreaterThan(0);
  });

  it('has a planted line behind every rule', async () => {
    const config = await import(path.join(root, '.dependency-cruiser.cjs'));
    const rules: string[] = config.default.forbidden.map(({ name }: { name: string }) => name);
    expect(rules.filter((rule) => !imports.some(([name]) => name === rule))).toEqual([]);
  });

  it('reads the real tree and finds every door closed', async () => {
    const real = await cruise(root);
    const files = fs.readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' });
    expect(real.violations).toEqual([]);
    expect(real.modules).toBeGreaterThanOrEqual(files.filter((file) => /\.tsx?$/.test(file)).length);
    expect(real.modules).toBeGreaterThan(0);
  });
});

describe('purity and the one road', () => {
  let found: Map<string, string[]>;
  beforeAll(async () => {
    const plants = [...code.map(([, file, text]) => [file, text] as const), ...codeAllowed];
    const copy = copyWith(plants, true);
    copies.push(copy);
    found = await lint(
      copy,
      plants.map(([file]) => file),
    );
  });

  it.each(code)('%s refuses the line planted in %s', (rule, file) => {
    expect(found.get(file)).toContain(rule);
  });

  it.each(codeAllowed)('%s may do what it does', (file) => {
    const doors = [...new Set(code.map(([rule]) => rule))];
    expect(found.get(file)?.filter((rule) => doors.includes(rule))).toEqual([]);
  });
});
