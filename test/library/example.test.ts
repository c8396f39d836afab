// examples/embed does what its README says.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const EXAMPLE = fileURLToPath(new URL('../../examples/embed', import.meta.url));

it('examples/embed prints what its README shows', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-embed-'));
  const { exitCode, stdout, stderr } = await execa(process.execPath, [join(EXAMPLE, 'main.mjs'), folder], {
    cwd: folder,
    extendEnv: false,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder },
    reject: false,
  });
  expect([exitCode, stderr]).toEqual([0, '']);
  const [, shown = ''] = /\$ node examples\/embed\/main\.mjs\n([^`]*)```/u.exec(
    readFileSync(join(EXAMPLE, 'README.md'), 'utf8'),
  ) ?? [''];
  const plain = (text: string): string => text.trim().replace(/writ\.local\/[0-9a-f]+/u, 'writ.local/…');
  expect(plain(stdout)).toBe(plain(shown));
  rmSync(folder, { recursive: true, force: true });
});
