// Builds sandbox/wasm/modules/javascript.wasm: QuickJS 2021-03-27 (MIT), whose C sources an npm package carries, and our
// own src/javascript.c, with clang 14, wasm-ld and wasi-libc (Debian: clang lld wasi-libc libclang-rt-14-dev-wasm32).
// Needed only when one of them changes; the module is committed, with its SHA-256 in javascript.json. Same sources and
// compiler, same bytes. `--check` compares and writes nothing. Afterwards: node sandbox/build.mjs.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WASM = join(dirname(fileURLToPath(import.meta.url)), 'wasm');
/** Unpacked only: nothing of the package is run or installed. */
const PACKAGE = 'qjsc@0.3.0';
const PACKAGE_SHA512 =
  'a7+cU6/IVcZbIejffdt/wZVMX6LL2MDL3HQ9Zb5Gm23G9DvBMS/z9GHFxz39bAvp2PvMOM+ypSOAyokt2DdZ2w==';
const SOURCES = 'package/deps/quickjs_2021_03_27';
const CLANG = process.env.CLANG ?? 'clang-14';

const TARGET = ['--target=wasm32-wasi', '-O2', '-DNDEBUG', '-DFE_DOWNWARD=1', '-DFE_UPWARD=2'];
// EMSCRIPTEN leaves out threads and what WASI has not; the stack check it would leave out is put back: a script that
// recurses too deep gets an error that it can catch.
const QUICKJS = [
  '-w',
  '-D_GNU_SOURCE',
  '-DEMSCRIPTEN',
  '-DCONFIG_STACK_CHECK',
  '-DCONFIG_VERSION="2021-03-27"',
];
// Digits are rounded by our functions: see src/javascript.c.
const ROUNDING = ['-Dsnprintf=writ_snprintf', '-Dfesetround=writ_fesetround'];
const LINK = ['--target=wasm32-wasi', '-Wl,--stack-first', '-Wl,-z,stack-size=1048576', '-Wl,--strip-all'];

const folder = mkdtempSync(join(tmpdir(), 'writ-javascript-'));
const run = (program, ...words) => execFileSync(program, words, { cwd: folder, encoding: 'utf8' });
try {
  const tarball = run('npm', 'pack', PACKAGE, '--silent').trim().split('\n').at(-1);
  const sha512 = createHash('sha512')
    .update(readFileSync(join(folder, tarball)))
    .digest('base64');
  if (sha512 !== PACKAGE_SHA512) throw new Error(`${PACKAGE} has other bytes than expected`);
  run('tar', '-xzf', tarball);

  const include = `-I${SOURCES}`;
  run(CLANG, ...TARGET, ...QUICKJS, ...ROUNDING, include, '-c', `${SOURCES}/quickjs.c`, '-o', 'quickjs.o');
  for (const name of ['libregexp', 'libunicode', 'cutils'])
    run(CLANG, ...TARGET, ...QUICKJS, include, '-c', `${SOURCES}/${name}.c`, '-o', `${name}.o`);
  writeFileSync(join(folder, 'javascript.c'), readFileSync(join(WASM, 'src/javascript.c')));
  run(CLANG, ...TARGET, '-Wall', include, '-c', 'javascript.c', '-o', 'javascript.o');
  const objects = ['javascript', 'quickjs', 'libregexp', 'libunicode', 'cutils'].map((name) => `${name}.o`);
  run(CLANG, ...LINK, '-o', 'javascript.wasm', ...objects);

  const bytes = readFileSync(join(folder, 'javascript.wasm'));
  const module = {
    name: 'javascript',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    source: `src/javascript.c, QuickJS 2021-03-27 of ${PACKAGE}`,
    toolchain: `${run(CLANG, '--version').split('\n')[0]}, wasm32-wasi; flags in sandbox/build-javascript.mjs`,
  };
  if (process.argv.includes('--check')) {
    const committed = JSON.parse(readFileSync(join(WASM, 'javascript.json'), 'utf8'));
    if (committed.sha256 !== module.sha256) {
      console.error('build: error: javascript.wasm differs from what its sources give');
      process.exitCode = 1;
    }
  } else {
    writeFileSync(join(WASM, 'modules/javascript.wasm'), bytes);
    writeFileSync(join(WASM, 'javascript.json'), `${JSON.stringify(module, null, 2)}\n`);
    console.log(`javascript ${module.sha256} ${bytes.length} bytes`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
