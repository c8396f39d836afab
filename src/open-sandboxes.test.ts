import { describe, expect, it } from 'vitest';
import { installationOf } from './open-sandboxes.js';

describe('an installation, as containers name it', () => {
  it('hole: two with the same path on different disks, behind one engine, took each other for dead', () => {
    const data = '/data';
    expect(installationOf({ data, origin: 'writ.local/a' })).not.toBe(
      installationOf({ data, origin: 'writ.local/b' }),
    );
    expect(installationOf({ data, origin: 'o' })).not.toBe(installationOf({ data: '/other', origin: 'o' }));
  });
});
