import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_POLICY_BYTES } from './audit/tlog-policy.js';
import { readConfig, readWitnessFile } from './data-directory.js';

let home: string;
let file: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'writ-data-'));
  file = join(home, 'witnesses.policy');
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

describe('witnesses.policy', () => {
  it('is read up to its limit; absent, it names nobody', async () => {
    expect(await readWitnessFile(file)).toBeNull();
    for (const text of ['quorum none\n', '#'.repeat(MAX_POLICY_BYTES)]) {
      writeFileSync(file, text);
      expect(await readWitnessFile(file)).toBe(text);
    }
  });

  it.each<[string, () => void]>([
    ['a FIFO, for which nobody waits', () => execFileSync('mkfifo', [file])],
    ['a directory', () => mkdirSync(file)],
    ['a link to nowhere', () => symlinkSync(join(home, 'none'), file)],
    ['longer than a policy may be', () => writeFileSync(file, '#'.repeat(MAX_POLICY_BYTES + 1))],
    ['no UTF-8', () => writeFileSync(file, Buffer.from([0xff]))],
  ])('is refused, not taken for none, when it is %s', async (_, plant) => {
    plant();
    await expect(readWitnessFile(file)).rejects.toMatchObject({ code: 'AUDIT_POLICY_INVALID' });
  });
});

const KEY = `ed25519:${'A'.repeat(43)}=`;

describe('config.json', () => {
  it.each([
    ['anchor', null],
    ['anchor', [1]],
    ['anchor', {}],
    ['timestamp', 'http://tsa.example'],
    ['timestamp', { url: 1 }],
    ['retention', []],
    ['policySigners', { quorum: 2, signers: [KEY, KEY] }],
    ['policySigners', { quorum: 2, signers: [KEY, KEY.replace('A=', 'B=')] }],
    ['policySigners', { quorum: 0, signers: [KEY] }],
  ])('is refused when %s is %j', async (key, value) => {
    const config = join(home, 'config.json');
    writeFileSync(config, JSON.stringify({ v: 1, origin: 'o', tenant: 't', [key]: value }));
    await expect(readConfig(config)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
