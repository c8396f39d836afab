import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policyFingerprint, watchPolicyDirectory, type PolicyWatch } from './policy-watch.js';

let folder = '';
let watch: PolicyWatch | null = null;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'writ-watch-'));
  mkdirSync(path.join(folder, 'rbac'));
  writeFileSync(path.join(folder, 'rbac', 'a.yaml'), 'one');
});
afterEach(async () => {
  await watch?.stop();
  watch = null;
  rmSync(folder, { recursive: true, force: true });
});

/** Resolves with each change, in turn. */
async function watched(): Promise<() => Promise<void>> {
  let [told, heard] = [0, 0];
  let wake: () => void = () => undefined;
  watch = watchPolicyDirectory(folder, {
    since: await policyFingerprint(folder),
    everyMs: 5,
    changed: async () => {
      told += 1;
      wake();
      return true;
    },
    failed: () => undefined,
  });
  return async () => {
    while (told <= heard)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    heard += 1;
  };
}

describe('a watched policy directory', () => {
  it('tells a file that is written, new, renamed or removed, and a folder that goes and comes back', async () => {
    const change = await watched();
    const at = (name: string) => path.join(folder, 'rbac', name);
    writeFileSync(at('a.yaml'), 'two words');
    await change();
    writeFileSync(at('b.yaml'), 'one');
    await change();
    renameSync(at('b.yaml'), at('c.yaml'));
    await change();
    rmSync(at('c.yaml'));
    await change();
    renameSync(folder, `${folder}-aside`);
    await change();
    renameSync(`${folder}-aside`, folder);
    await change();
  });

  it('HOLE: a change that was not taken for a passing reason is told again, until it is taken, and then no more', async () => {
    const outcomes = [() => Promise.reject(new Error('a busy store')), async () => false, async () => true];
    const [failures, looks]: [string[], number[]] = [[], []];
    let taken: () => void = () => undefined;
    const isTaken = new Promise<void>((resolve) => {
      taken = resolve;
    });
    watch = watchPolicyDirectory(folder, {
      since: await policyFingerprint(folder),
      everyMs: 5,
      changed: async () => {
        looks.push(outcomes.length);
        const outcome = outcomes.shift();
        if (outcome === undefined) throw new Error('told again after it was taken');
        if (outcomes.length === 0) taken();
        return outcome();
      },
      failed: (error) => failures.push(String(error)),
    });
    // One change, and nothing moves after it.
    writeFileSync(path.join(folder, 'rbac', 'a.yaml'), 'two words');
    await isTaken;
    await watch.stop();
    expect([looks, failures]).toEqual([[3, 2, 1], ['Error: a busy store']]);
  });

  it('has one fingerprint while nothing changes, and files whose name begins with a dot change nothing', async () => {
    const before = await policyFingerprint(folder);
    writeFileSync(path.join(folder, 'rbac', '.a.yaml.swp'), 'an editor at work');
    expect(await policyFingerprint(folder)).toBe(before);
    writeFileSync(path.join(folder, 'rbac', 'a.yaml'), 'two words');
    expect(await policyFingerprint(folder)).not.toBe(before);
  });

  it('that is missing has a fingerprint too', async () => {
    const missing = path.join(folder, 'none');
    expect(await policyFingerprint(missing)).toBe(await policyFingerprint(missing));
    expect(await policyFingerprint(missing)).toContain('ENOENT');
  });
});
