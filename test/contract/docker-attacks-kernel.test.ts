// Privileges that a hostile program in a container tries to gain, and system calls that it tries to make. Each denial has a
// control: the same probe sees success where nothing stands in its way.
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/json.js';
import { SYSCALL, importedFrom, openAttacks, printed } from './docker/attack.js';
import { docker, imageProgram, noEngine, skipped } from './docker/engine.js';
import { text } from './sandbox.js';

describe.skipIf(noEngine !== null)(`attacks from a container on the kernel${skipped}`, () => {
  const attacks = openAttacks();
  const { run, calls } = attacks;

  it('D14, D15: has no privilege and gains none', async () => {
    const denied = await calls(
      '[s(n,*a) for n,a in ((105,(0,)),(106,(0,)),(117,(0,0,0)),(119,(0,0,0)),(116,(1,(ctypes.c_uint*1)(0))))]; ' +
        'print(os.geteuid(),os.getegid(),l.prctl(39,0,0,0,0),l.prctl(38,0,0,0,0))',
    );
    expect(denied.slice(0, 5).every((line) => line.endsWith('Operation not permitted'))).toBe(true);
    expect(denied.slice(5)).toEqual(['65534 65534 1 -1', 'END']);
    const status = await run(['grep', '-E', 'Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs|Seccomp:', '/proc/self/status']);
    const values = text(status.stdout)
      .trim()
      .split('\n')
      .map((line) => line.split(/:\s+/)[1]);
    expect(values).toEqual([...Array.from({ length: 4 }, () => '0'.repeat(16)), '1', '2']);
  });

  it('D14b: finds no set-id file in any image we make', async () => {
    for (const kind of ['sh', 'python'] as const) {
      const found = await run(
        ['sh', '-c', 'find / -xdev -type f -perm /6000 2>/dev/null; echo END'],
        {},
        { program: imageProgram(attacks.ids[kind]) },
      );
      expect(text(found.stdout)).toBe('END\n');
    }
  });

  it('D14b: becomes nobody else by a set-id program of the image', async () => {
    const maker = await docker.createContainer({
      Image: attacks.ids.python,
      Cmd: ['sh', '-c', 'cp /usr/bin/python3 /suid && chmod 4755 /suid'],
      Entrypoint: [],
      User: '0',
      HostConfig: { NetworkMode: 'none' },
    });
    const argv = ['/suid', '-IS', '-c', 'import os; print(os.geteuid())'];
    let made: Digest | null = null;
    try {
      await maker.start();
      await maker.wait();
      made = await importedFrom(maker, []);
      // The control: without no-new-privileges it works.
      expect(await printed(made, argv)).toContain('0\n');
      expect(text((await run(argv, {}, { program: imageProgram(made) })).stdout)).toBe('65534\n');
    } finally {
      await maker.remove({ force: true });
      if (made !== null) await docker.getImage(made).remove({ force: true });
    }
  });

  it.each([
    ['D17: bpf', 's(321,0,0,0)'],
    ['D18: keyctl', 's(250,0,-3,0)'],
    ['D18: add_key', "s(248,b'user',b'x',b'y',1,-3)"],
    ['D19: perf_event_open', 's(298,0,0,-1,-1,0)'],
    ['D20: userfaultfd', 's(323,0)'],
    ['D09, D22: unshare user, cgroup and mount', '[s(272,f) for f in (0x10000000,0x02000000,0x12020000)]'],
    ['clone with a user namespace', 's(56,0x10000011,0,0,0,0)'],
    ['D22: clone3', 's(435,0,0)'],
    ['setns', 's(308,0,0)'],
    ['D09: mount', "s(165,b'c',b'/tmp',b'cgroup',0,b'rdma')"],
    ['fsopen and open_tree', "s(430,b'tmpfs',0); s(428,-100,b'/',1)"],
    ['D23: init_module and kexec_load', 's(175,0,0,0); s(246,0,0,0,0)'],
    ['io_uring_setup', 's(425,1,(ctypes.c_ubyte*120)())'],
    ['ptrace and process_vm_readv', 's(101,0,0,0,0); s(310,1,0,0,0,0,0)'],
    ['open_by_handle_at', 's(304,-100,0,0)'],
    ['D24: a packet and a raw socket', 's(41,17,3,0); s(41,2,3,1)'],
    ['a netlink and a vsock socket', 's(41,16,3,0); s(41,40,1,0)'],
    ['D26: AF_ALG', 's(41,38,5,0)'],
    [
      "a socket whose protocol loads a module of the host's kernel: SCTP, DCCP, MPTCP, UDP-Lite, ping",
      's(41,2,1,132); s(41,2,5,0); s(41,2,6,33); s(41,10,1,262); s(41,2,2,136); s(41,2,2,1); s(41,10,2,58)',
    ],
    [
      'D27: chroot, sethostname, settimeofday, pivot_root',
      "s(161,b'/'); s(170,b'z',1); s(164,(ctypes.c_long*2)(978307200,0),0); s(155,b'/',b'/')",
    ],
    ['a personality that turns protections off', 's(135,0x0040000)'],
    ['reboot and swapon', "s(169,0xfee1dead,672274793,0,0); s(167,b'/tmp/x',0)"],
  ])('is refused %s', async (_what, code) => {
    const said = await calls(code);
    expect(said.at(-1)).toBe('END');
    expect(said.slice(0, -1).length).toBeGreaterThan(0);
    for (const line of said.slice(0, -1)) {
      expect(line).toMatch(
        / (Operation not permitted|Function not implemented|Address family not supported by protocol)$/,
      );
    }
  });

  it.each([
    ['x32', 's(0x40000000 + 39)'],
    [
      'i386',
      'import mmap; code = mmap.mmap(-1, 4096, prot=7); code.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3])); ' +
        'print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))(), "ALLOWED")',
    ],
  ])(
    'is killed for a system call of another kind of machine, whose numbers no filter here reads: %s',
    async (_what, code) => {
      const result = await run(['python3', '-IS', '-c', SYSCALL, code]);
      expect(result).toMatchObject({
        status: 'crashed',
        reason: expect.stringContaining('SIGSYS') as string,
      });
      expect(text(result.stdout)).not.toContain('ALLOWED');
    },
  );

  it('control: a plain socket is allowed, and without our profile a user namespace is', async () => {
    const plainSockets = 's(41,2,1,0); s(41,2,1,6); s(41,10,0x80802,17); s(41,1,5,0)';
    expect(await calls(plainSockets)).toEqual([...new Array<string>(4).fill('41 ALLOWED'), 'END']);
    const argv = ['python3', '-IS', '-c', SYSCALL, 's(272,0x10000000)'];
    expect(await printed(attacks.ids.python, argv, ['seccomp=unconfined'])).toContain('272 ALLOWED');
  });
});
