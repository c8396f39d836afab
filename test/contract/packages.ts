// The contract of every PackageStore: what the pinned digest names is returned whole, what is absent is null, and
// anything changed is refused on the very next read.
import { describe, expect, it } from 'vitest';
import { isDigest, type Digest } from '../../src/json.js';
import type { PackageStore } from '../../src/runtime/ports.js';

export interface PackageFixture {
  readonly store: PackageStore;
  readonly digest: Digest;
  readonly name: string;
  /** Flips one bit of a part of the package. */
  tamper(part: 'manifest' | 'config' | 'module'): Promise<void>;
  /** Removes a part of the package. */
  remove(part: 'manifest' | 'config' | 'module'): Promise<void>;
}

export function digest(text: string): Digest {
  if (!isDigest(text)) throw new Error(`${text} is no digest`);
  return text;
}

export function packagesContract(name: string, make: () => Promise<PackageFixture>): void {
  describe(`package store contract: ${name}`, () => {
    it('resolves a package by its digest, ceiling included', async () => {
      const fixture = await make();
      const found = await fixture.store.resolve(fixture.digest);
      expect(found).toMatchObject({ digest: fixture.digest, name: fixture.name });
      expect(found?.module.bytes.length).toBeGreaterThan(0);
      expect(found?.argv.length).toBeGreaterThan(0);
      expect(found?.ceiling).toMatchObject({ network: { mode: 'none' } });
    });

    it('has no package under a digest it does not hold', async () => {
      const { store } = await make();
      expect(await store.resolve(digest(`sha256:${'0'.repeat(64)}`))).toBeNull();
    });

    it('refuses anything but a digest, a path above all', async () => {
      const { store } = await make();
      for (const text of ['', 'latest', 'sha256:../../../../etc/passwd', `sha256:${'A'.repeat(64)}`]) {
        await expect(store.resolve(text as Digest)).rejects.toMatchObject({ code: 'INTEGRITY_PACKAGE' });
      }
    });

    it.each(['manifest', 'config', 'module'] as const)(
      'refuses one changed bit in the %s, also after a good read',
      async (part) => {
        const { store, digest: pinned, tamper } = await make();
        expect(await store.resolve(pinned)).not.toBeNull();
        await tamper(part);
        await expect(store.resolve(pinned)).rejects.toMatchObject({
          code: 'INTEGRITY_DIGEST',
          kind: 'fatal',
        });
      },
    );

    it('calls a package without its manifest absent, and one without another part broken', async () => {
      const whole = await make();
      await whole.remove('manifest');
      expect(await whole.store.resolve(whole.digest)).toBeNull();
      for (const part of ['config', 'module'] as const) {
        const broken = await make();
        await broken.remove(part);
        await expect(broken.store.resolve(broken.digest)).rejects.toMatchObject({
          code: 'INTEGRITY_PACKAGE',
        });
      }
    });
  });
}
