// A folder in which writ is installed as npm would install it: the files of the package, as `npm pack` names them, and
// copies of the packages it depends on. Without network; nothing of the folder leads back here.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');

export interface Installed {
  readonly folder: string;
  /** Writes a file of the program. */
  write(name: string, text: string): void;
  /** What tsc says of the program's files, emitting what it can; empty = nothing. */
  compile(options?: Readonly<Record<string, unknown>>): Promise<string>;
  remove(): void;
}

export async function installWrit(): Promise<Installed> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-installed-'));
  const home = join(folder, 'node_modules', 'writ');
  const packed = await execa('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: REPOSITORY });
  const [{ files }] = JSON.parse(packed.stdout) as [{ files: { path: string }[] }];
  for (const { path } of files) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    cpSync(join(REPOSITORY, path), join(home, path));
  }
  const lock = JSON.parse(readFileSync(join(REPOSITORY, 'node_modules', '.package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [place, { dev }] of Object.entries(lock.packages)) {
    // Nested ones are inside the folder of another.
    if (dev === true || place.lastIndexOf('node_modules/') > 0) continue;
    cpSync(join(REPOSITORY, place), join(folder, place), { recursive: true, filter: isUsed });
  }
  writeFileSync(join(folder, 'package.json'), '{"type": "module", "private": true}');
  return {
    folder,
    write(name, text) {
      writeFileSync(join(folder, name), text);
    },
    async compile(options = {}) {
      const compilerOptions = {
        target: 'ES2023',
        module: 'nodenext',
        moduleResolution: 'nodenext',
        types: ['node'],
        strict: true,
        exactOptionalPropertyTypes: true,
        ...options,
      };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
      const { stdout } = await execa(process.execPath, [TSC, '-p', folder], { cwd: folder, reject: false });
      return stdout;
    },
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** SQLite's sources are compiled already. */
function isUsed(path: string): boolean {
  return !/better-sqlite3[/\\](?:deps|src|build[/\\]Release[/\\](?:obj|\.deps))(?:[/\\]|$)/u.test(path);
}
