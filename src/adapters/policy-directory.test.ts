import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { MAX_POLICY_FILE_BYTES, readPolicyDirectory } from './policy-directory.js';

let base: string;
let directory: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'writ-policy-'));
  directory = join(base, 'policies');
  await mkdir(join(directory, 'rbac'), { recursive: true });
  await writeFile(join(directory, 'model.conf'), 'model');
  await writeFile(join(directory, 'rbac', 'a.yaml'), 'rules: é');
});
afterEach(() => rm(base, { recursive: true, force: true }));

async function refusal(path = directory): Promise<WritError> {
  const error: unknown = await readPolicyDirectory(path).catch((thrown: unknown) => thrown);
  if (!(error instanceof WritError)) throw new Error('the directory was read');
  expect(error.code).toBe('POLICY_INVALID');
  return error;
}

describe('readPolicyDirectory', () => {
  it('gives relative paths with their text, sorted, without dot files', async () => {
    await writeFile(join(directory, '.hidden'), 'x');
    expect([...(await readPolicyDirectory(directory))]).toEqual([
      ['model.conf', 'model'],
      ['rbac/a.yaml', 'rules: é'],
    ]);
  });

  it('says what to do when the directory is missing, or is a file', async () => {
    const missing = await refusal(join(base, 'none'));
    expect(missing.message).toContain('does not exist');
    expect(missing.hint).toContain('--policies');
    await refusal(join(directory, 'model.conf'));
  });

  it('follows a link inside the directory, and none that leads out', async () => {
    await symlink('a.yaml', join(directory, 'rbac', 'b.yaml'));
    expect((await readPolicyDirectory(directory)).get('rbac/b.yaml')).toBe('rules: é');
    await writeFile(join(base, 'outside.yaml'), 'x');
    await symlink('../../outside.yaml', join(directory, 'rbac', 'c.yaml'));
    // As the operator has named the directory: another one may be read beside it.
    expect((await refusal()).message).toContain(`${directory}/rbac/c.yaml: link leads out`);
  });

  it('refuses links to folders, dangling links and pipes, without waiting', async () => {
    await symlink('rbac', join(directory, 'roles'));
    expect((await refusal()).message).toContain('roles: is not a regular file');
    await rm(join(directory, 'roles'));
    await symlink('nowhere', join(directory, 'dangling.yaml'));
    expect((await refusal()).message).toContain('ENOENT');
    await rm(join(directory, 'dangling.yaml'));
    execFileSync('mkfifo', [join(directory, 'pipe.yaml')]);
    expect((await refusal()).message).toContain('pipe.yaml: is not a regular file');
  });

  it('takes a file of 1 MiB and refuses one byte more', async () => {
    await writeFile(join(directory, 'rbac', 'big.yaml'), 'x'.repeat(MAX_POLICY_FILE_BYTES));
    expect((await readPolicyDirectory(directory)).get('rbac/big.yaml')).toHaveLength(MAX_POLICY_FILE_BYTES);
    await writeFile(join(directory, 'rbac', 'big.yaml'), 'x'.repeat(MAX_POLICY_FILE_BYTES + 1));
    expect((await refusal()).message).toContain('larger than 1048576 bytes');
  });

  it('takes 200 files and refuses 201', async () => {
    for (let i = 0; i < 198; i += 1) await writeFile(join(directory, 'rbac', `n${i}.yaml`), '');
    expect((await readPolicyDirectory(directory)).size).toBe(200);
    await writeFile(join(directory, 'rbac', 'one-more.yaml'), '');
    expect((await refusal()).message).toContain('more than 200 files');
  });

  it('refuses a file that is written while it is read: half of it could be whole to the loader', async () => {
    const file = join(directory, 'rbac', 'a.yaml');
    const script = `const fs = require('node:fs'); const file = fs.openSync(process.argv[1], 'a');
      process.stdout.write('begun');
      for (let at = 1; ; at += 1) { fs.writeSync(file, '# x\\n'); if (at % 1000 === 0) fs.ftruncateSync(file); }`;
    const writer = spawn(process.execPath, ['-e', script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(writer.stdout, 'data');
      const seen = async (): Promise<string> => {
        try {
          await readPolicyDirectory(directory);
          return '';
        } catch (error) {
          return error instanceof WritError ? error.message : String(error);
        }
      };
      await expect.poll(seen, { timeout: 20_000, interval: 0 }).toMatch(/was written while it was read/u);
    } finally {
      writer.kill('SIGKILL');
    }
  });

  it('refuses bytes that are not UTF-8, and folders without end', async () => {
    await writeFile(join(directory, 'rbac', 'bad.yaml'), new Uint8Array([0xff, 0xfe]));
    expect((await refusal()).message).toContain('it is not UTF-8');
    await rm(join(directory, 'rbac', 'bad.yaml'));
    await mkdir(join(directory, '1/2/3/4/5/6'), { recursive: true });
    expect((await refusal()).message).toContain('nested deeper');
  });
});
