// Which runtimes have a way out, and the folders that sockets are in.
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { egressWay } from './egress.js';
import { makeFolder, reapFolders, removeFolders } from './folders.js';

describe('egressWay', () => {
  it.each(['runc', 'crun', 'io.containerd.runc.v2'])('is a relay for %s', (runtime) => {
    expect(egressWay(runtime, [])).toBe('relay');
  });

  it('is the socket itself for gVisor, where it was told to let one in', () => {
    expect(egressWay('runsc', ['--network=none', '--host-uds=open'])).toBe('socket');
    expect(egressWay('runsc-kvm', ['--host-uds=all'])).toBe('socket');
    expect(egressWay('runsc', ['--fsgofer-host-uds'])).toBe('socket');
  });

  it.each([
    ['runsc', []],
    ['runsc', ['--host-uds=none']],
    ['runsc', ['--host-uds=create']],
    ['kata', ['--host-uds=open']],
    ['io.containerd.kata.v2', []],
  ])('is none for %s %j', (runtime, args) => {
    expect(() => egressWay(runtime, args)).toThrow(expect.objectContaining({ code: 'SANDBOX_UNSUPPORTED' }));
  });
});

describe('folders of sockets', () => {
  const [owner, runner, other] = [0, 1, 2].map(() => randomBytes(16).toString('hex'));

  it("are the runner's alone, short enough for a socket, and go with it or after its death", async () => {
    if (owner === undefined || runner === undefined || other === undefined) throw new Error('no ids');
    const mine = await makeFolder({ owner, runner });
    const left = await makeFolder({ owner, runner: other });
    const parent = path.dirname(mine);
    expect(statSync(parent).mode & 0o777).toBe(0o700);
    expect(path.join(mine, 'socket', 'p.sock').length).toBeLessThan(108);
    mkdirSync(path.join(left, 'socket'));
    await reapFolders(owner, (id) => id === other);
    expect([existsSync(mine), existsSync(path.dirname(left))]).toEqual([true, false]);
    // Of another installation: nothing is touched.
    await reapFolders(randomBytes(16).toString('hex'), () => true);
    expect(existsSync(mine)).toBe(true);
    removeFolders({ owner, runner });
    expect(existsSync(parent)).toBe(false);
    rmSync(parent, { recursive: true, force: true });
  });
});
