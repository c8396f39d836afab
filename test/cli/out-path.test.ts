// What a command makes never lands among the files of the installation.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refuseInside } from '../../src/cli/audit/out-path.js';
import { type Desk, newDesk } from './claims-desk.js';
import { hosted } from './writ.js';

describe('a place to write to', () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'writ-out-')));
  const data = join(home, '.writ');
  afterAll(() => {
    rmSync(home, { recursive: true });
  });
  beforeAll(() => {
    mkdirSync(join(data, 'audit'), { recursive: true });
    mkdirSync(join(home, 'out'));
    symlinkSync(join(data, 'audit'), join(home, 'link'));
    symlinkSync(data, join(home, 'same'));
  });

  it.each(['.writ', '.writ/audit', '.writ/new/deep/f.html', 'link/f', 'link', 'same/x', 'out/../.writ/x'])(
    'is no place in the data directory: %s',
    async (path) => {
      for (const of of [data, join(home, 'same')]) {
        await expect(refuseInside(of, [join(home, 'fine'), `${home}/${path}`])).rejects.toMatchObject({
          code: 'USAGE',
        });
      }
    },
  );
  it.each(['out', 'out/new/f.html', '.writ2/f', '.writx', '..writ', '.'])(
    'may be any other: %s',
    async (path) => {
      await refuseInside(data, [`${home}/${path}`]);
    },
  );
});

describe('a command that writes what it makes', () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await newDesk(hosted);
  });
  afterAll(() => {
    desk.remove();
  });

  it.each([
    ['export', '--out', '.writ/audit/sub'],
    ['export', '--out', 'copy', '--payloads', '.writ/audit/p.jsonl'],
    ['bundle', 'run_x', '--out', '.writ/keys/log.html', '--force'],
    ['certify', 'run_x', '--out', '.writ/keys/log.key', '--force'],
    ['prove', '0', '--out', '.writ/audit/p.tlog-proof'],
  ])('audit %s is exit 2 for a place in the data directory, and writes nothing', async (...words) => {
    const key = readFileSync(desk.at('.writ', 'keys', 'log.key'), 'utf8');
    const { code, stderr } = await desk.run(['audit', ...words]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('in the data directory')]);
    for (const made of [
      'audit/sub',
      'audit/p.jsonl',
      'keys/log.html',
      'keys/log.json',
      'audit/p.tlog-proof',
    ]) {
      expect(existsSync(desk.at('.writ', made))).toBe(false);
    }
    expect(readFileSync(desk.at('.writ', 'keys', 'log.key'), 'utf8')).toBe(key);
    expect(existsSync(desk.at('copy'))).toBe(false);
  });
});
