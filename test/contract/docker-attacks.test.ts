// What a hostile program in a container tries, and what it gets. Each denial has a control: the same probe sees success
// where nothing stands in its way. Probes of the network go to listeners of this test only, or to documentation
// addresses, and only after the probe has seen that there is no way out.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type Docker from 'dockerode';
import type { Digest } from '../../src/json.js';
import type { SandboxDriver, SandboxLimits, SandboxRequest, SandboxResult } from '../../src/runtime/ports.js';
import { docker, imageProgram, images, installation, left, noEngine, skipped } from './docker/engine.js';
import { text } from './sandbox.js';

const SYSCALL = readFileSync(new URL('docker/syscall.py', import.meta.url), 'utf8');
/** Bombs are small. */
const SMALL = { memoryMiB: 64, diskMiB: 8, timeoutMs: 8_000 };
const MiB = 1024 * 1024;

describe.skipIf(noEngine !== null)(`attacks from a container${skipped}`, () => {
  const here = installation();
  let driver: SandboxDriver;
  let ids: Record<'sh' | 'python', Digest>;
  beforeAll(() => {
    ids = images('sh', 'python');
    driver = here.open();
  });
  const made: Digest[] = [];
  afterAll(async () => {
    await driver.close();
    for (const image of made) await docker.getImage(image).remove({ force: true });
  });
  afterEach(async () => {
    expect(await left(here.home)).toEqual([]);
  });

  const run = (
    argv: readonly string[],
    limits: Partial<SandboxLimits> = {},
    change: Partial<SandboxRequest> = {},
  ): Promise<SandboxResult> =>
    driver.run(
      {
        argv,
        env: {},
        stdin: new Uint8Array(0),
        program: imageProgram(ids[argv[0] === 'sh' || argv[0] === 'grep' ? 'sh' : 'python']),
        limits: { ...driver.defaults, ...SMALL, ...limits },
        ...change,
      },
      new AbortController().signal,
    );
  const sh = (command: string, limits: Partial<SandboxLimits> = {}): Promise<SandboxResult> =>
    run(['sh', '-c', command], limits);
  const py = (code: string, limits: Partial<SandboxLimits> = {}): Promise<SandboxResult> =>
    run(['python3', '-IS', '-c', code], limits);
  const calls = async (code: string): Promise<string[]> =>
    text((await run(['python3', '-IS', '-c', SYSCALL, code])).stdout)
      .trim()
      .split('\n');
  /** What an attack has printed: it came to its end, and never to success. */
  const withoutEscape = async (command: string): Promise<string> => {
    const result = await sh(command);
    const out = text(result.stdout);
    expect(out).toMatch(/END\n$/);
    expect(out).not.toContain('ESC');
    return out;
  };

  it('D01: sees no socket of the engine', async () => {
    await withoutEscape(
      'for p in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock; do [ -e $p ] && echo ESC; done; echo END',
    );
  });

  it("D02, D41: reads no file of the host through any name of its root, nor the runner's environment", async () => {
    const secret = randomBytes(16).toString('hex');
    const canary = path.join(tmpdir(), `canary-${secret.slice(0, 8)}`);
    writeFileSync(canary, secret);
    process.env['WRIT_CANARY'] = secret;
    try {
      expect(readFileSync(canary, 'utf8')).toBe(secret);
      const result = await sh(
        `for p in '' /proc/1/root /proc/self/root /proc/self/cwd/../../../.. /proc/thread-self/root; do cat $p${canary}; done; env; cat /proc/1/environ /proc/self/mountinfo; echo END`,
      );
      const said = text(result.stdout) + text(result.stderr);
      expect(said).toContain('END');
      expect(said).not.toContain(secret);
      const names = /PATH=|HOME=|HOSTNAME=|PWD=|SHLVL=|OLDPWD=|_=/;
      const environment = text((await sh('env')).stdout)
        .trim()
        .split('\n');
      expect(environment.filter((line) => !names.test(line))).toEqual([]);
    } finally {
      delete process.env['WRIT_CANARY'];
      rmSync(canary);
    }
  });

  it('D03: sees no process of the host', async () => {
    const nonce = `nonce-${randomBytes(8).toString('hex')}`;
    const other = spawn('sleep', ['60'], { argv0: nonce, stdio: 'ignore' });
    try {
      const out = text((await sh('ls /proc | grep -cE "^[0-9]+$"; cat /proc/*/cmdline')).stdout);
      expect(Number(out.split('\n')[0])).toBeLessThan(8);
      expect(out).not.toContain(nonce);
      expect(processesWith(nonce)).toBe(1);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('D04, D06: writes nothing of the kernel', async () => {
    const before = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
    await withoutEscape("echo '|/tmp/x' > /proc/sys/kernel/core_pattern && echo ESC; echo END");
    expect(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')).toBe(before);
    const read = await sh(
      'for f in /proc/kcore /proc/keys /proc/timer_list /dev/kmsg /dev/mem; do head -c4 $f 2>/dev/null | wc -c; done',
    );
    expect(text(read.stdout).trim().split('\n')).toEqual(['0', '0', '0', '0', '0']);
  });

  it('reads nothing of how the host is booted, made and used that no program needs', async () => {
    const hidden = ['cmdline', 'config.gz', 'diskstats', 'interrupts', 'kallsyms', 'key-users', 'partitions'];
    const { stdout } = await sh(
      `for f in ${hidden.join(' ')}; do head -c9 /proc/$f 2>/dev/null; done; ls /sys/block /sys/module; echo END`,
    );
    expect(
      text(stdout)
        .split('\n')
        .filter((line) => line !== ''),
    ).toEqual(['/sys/block:', '/sys/module:', 'END']);
    expect(readFileSync('/proc/cmdline', 'utf8')).not.toBe(''); // control
  });

  it('D07, D08: changes no control group and mounts none', async () => {
    await withoutEscape(
      'echo /x > /sys/fs/cgroup/memory/release_agent && echo ESC; mkdir /sys/fs/cgroup/memory/x && echo ESC; ' +
        'echo a > /sys/fs/cgroup/devices/devices.allow && echo ESC; mkdir /sys/fs/cgroup/x && echo ESC; ' +
        'mkdir -p /tmp/c; mount -t cgroup -o rdma cgroup /tmp/c && echo ESC; mount -t cgroup2 none /tmp/c && echo ESC; echo END',
    );
  });

  it('D10, D11: makes no device, mounts and unmounts nothing', async () => {
    await withoutEscape(
      'mknod /tmp/vda b 254 0 && head -c1 /tmp/vda && echo ESC; head -c1 /dev/vda && echo ESC; ' +
        'mount -o remount,rw / && echo ESC; umount /proc/sys && echo ESC; mount -t proc p /tmp && echo ESC; ' +
        'mount --bind / /tmp && echo ESC; echo END',
    );
  });

  it('D12, D13: writes nothing outside its own folders, and executes nothing from /tmp', async () => {
    await withoutEscape(
      'for f in /x /etc/passwd /bin/sh /usr/x /run/x; do echo x > $f && echo ESC; done; echo END',
    );
    await withoutEscape(
      'cp /bin/busybox /tmp/ && [ -x /tmp/busybox ] || echo ESC; /tmp/busybox echo ESC; echo END',
    );
    const control = await sh('cp /bin/busybox /work/; /work/busybox echo runs');
    expect(text(control.stdout)).toBe('runs\n');
  });

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
        { program: imageProgram(ids[kind]) },
      );
      expect(text(found.stdout)).toBe('END\n');
    }
  });

  it('D14b: becomes nobody else by a set-id program of the image', async () => {
    const maker = await docker.createContainer({
      Image: ids.python,
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
    expect(await printed(ids.python, argv, ['seccomp=unconfined'])).toContain('272 ALLOWED');
  });

  it('D28, D30, D42: reaches no network: not the host, not another, not by name', async () => {
    const server: Server = createServer((socket) => socket.end('reached'));
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    try {
      const { port } = server.address() as { port: number };
      const mine = Object.values(networkInterfaces()).flatMap((list) =>
        (list ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address),
      );
      const [reached] = (await once(connect(port, '127.0.0.1'), 'data')) as [Buffer];
      expect(reached.toString()).toBe('reached');
      const code = `
import socket
routes = open('/proc/net/route').read().strip().split('\\n')[1:]
links = [l.split(':')[0].strip() for l in open('/proc/net/dev').read().strip().split('\\n')[2:]]
if routes or links != ['lo']:
    print('ESC', routes, links); raise SystemExit
for a, p in [*((a, ${port}) for a in ${JSON.stringify([...new Set(['127.0.0.1', ...mine])])}), ('192.0.2.1', 9)]:
    try:
        socket.create_connection((a, p), 1); print('ESC', a)
    except OSError as e:
        print(a, e.strerror)
try:
    print('ESC', socket.getaddrinfo('secret.example.test', 80))
except OSError:
    print('no name')
print(open('/etc/resolv.conf').read())
print('END')`;
      const out = text((await py(code)).stdout);
      expect(out).toMatch(/END\n$/);
      expect(out).not.toContain('ESC');
      // None at all means the same: 127.0.0.1, where nobody answers.
      expect((out.match(/^nameserver .*$/gm) ?? []).filter((line) => !line.endsWith(' 127.0.0.1'))).toEqual(
        [],
      );
      expect(out).toContain('192.0.2.1 Network is unreachable');
    } finally {
      server.close();
    }
  });

  it('D31: forks no bomb, and nobody else notices', async () => {
    const bomb = sh('i=0; while [ $i -lt 200 ]; do sleep 1 & i=$((i+1)); done; echo ESC', { pids: 64 });
    const other = sh('echo fine');
    expect(text((await other).stdout)).toBe('fine\n');
    const result = await bomb;
    expect(text(result.stdout)).not.toContain('ESC');
    expect(text(result.stderr)).toContain("can't fork");
    expect(result.exitCode).not.toBe(0);
  });

  it('D32, X15: is told to have run out of memory, whatever the exit code says', async () => {
    expect(await py("x=bytearray(300<<20);print('ESC')")).toMatchObject({
      status: 'oom',
      limitHit: 'memoryMiB',
    });
    const hidden = await run(
      ['sh', '-c', "python3 -IS -c 'x=bytearray(200<<20)'; true"],
      {},
      { program: imageProgram(ids.python) },
    );
    expect(hidden).toMatchObject({ status: 'oom', exitCode: 0, limitHit: 'memoryMiB' });
  });

  it('D33: fills no folder beyond its size', async () => {
    await withoutEscape(
      'for d in /tmp /work /dev/shm; do dd if=/dev/zero of=$d/f bs=1M count=20 2>/dev/null && echo ESC; rm -f $d/f; done; echo END',
    );
    const control = await sh(
      'for d in /tmp /work; do dd if=/dev/zero of=$d/f bs=1M count=1 2>/dev/null && echo fits; done',
    );
    expect(text(control.stdout)).toBe('fits\nfits\n');
  });

  it('D36: kills nothing but its own', async () => {
    const nonce = `nonce-${randomBytes(8).toString('hex')}`;
    const other = spawn('sleep', ['60'], { argv0: nonce, stdio: 'ignore', uid: 65534, gid: 65534 });
    const beside = sh('sleep 1; echo alive');
    try {
      const result = await py(`
import os, time
child = os.fork()
if child == 0:
    time.sleep(60)
os.kill(1, 9)
os.kill(-1, 9)
print(os.waitpid(child, 0)[1])
os.kill(1, 0)
print('END')`);
      // Its child has died of it, so the call did something; the init and it itself live.
      expect(text(result.stdout)).toBe('9\nEND\n');
      expect(result).toMatchObject({ status: 'exited', exitCode: 0 });
      expect(text((await beside).stdout)).toBe('alive\n');
      expect(processesWith(nonce)).toBe(1);
    } finally {
      other.kill('SIGKILL');
    }
  });

  it('D38: overwrites no runtime', async () => {
    const hash = (): string => createHash('sha256').update(readFileSync('/usr/sbin/runc')).digest('hex');
    const before = hash();
    await withoutEscape('echo x > /proc/1/exe && echo ESC; echo x > /proc/self/exe && echo ESC; echo END');
    expect(hash()).toBe(before);
  });

  it('D39: inherits no descriptor of the host', async () => {
    const out = await withoutEscape('for p in self 1; do ls -l /proc/$p/fd; done; echo END');
    const targets = [...out.matchAll(/ -> (\S+)/g)].map(([, target]) => target);
    expect(targets.length).toBeGreaterThan(2);
    expect(
      targets.filter(
        (one) => !/^(pipe:|socket:|\/dev\/null|\/proc\/|anon_inode:\[signalfd\])/.test(one ?? ''),
      ),
    ).toEqual([]);
  });

  it.each(['sleep 0', 'sleep 30', 'kill -9 $$'])(
    'D43, X11: leaves no daemon of its own behind (%s)',
    async (end) => {
      const nonce = `nonce-${randomBytes(8).toString('hex')}`;
      await sh(
        `(${nonce}=1 setsid sleep 300 ${nonce.length} &) ; echo ${nonce} >/dev/null; (exec -a ${nonce} sleep 300 &); ${end}`,
        { timeoutMs: 1_500 },
      );
      expect(processesWith(nonce)).toBe(0);
    },
  );

  it('D44: forges no stream', async () => {
    const result = await sh("printf '\\002\\000\\000\\000\\000\\000\\000\\005evil\\nEND\\n'");
    expect(Buffer.from(result.stdout.bytes).toString('latin1')).toBe('\x02\0\0\0\0\0\0\x05evil\nEND\n');
    expect(result.stderr.bytes.length).toBe(0);
  });

  it('X10: ignores no deadline: SIGTERM trapped, and a stop by hand', async () => {
    const trapped = await sh("trap '' TERM; sleep 100", { timeoutMs: 1_000 });
    expect(trapped).toMatchObject({ status: 'timeout', limitHit: 'timeoutMs' });
    expect(trapped.usage.wallMs).toBeLessThan(8_000);
    const abort = new AbortController();
    let abortedMs = 0;
    const cancelled = await driver.run(
      {
        argv: ['sh', '-c', "trap '' TERM; echo trapped; sleep 100"],
        onOutput() {
          abortedMs = performance.now();
          abort.abort();
        },
        env: {},
        stdin: new Uint8Array(0),
        program: imageProgram(ids.sh),
        limits: { ...driver.defaults, ...SMALL },
      },
      abort.signal,
    );
    expect(cancelled.status).toBe('cancelled');
    expect(abortedMs).toBeGreaterThan(0);
    // The promise is two seconds (npm run bench); a busy machine gets more.
    expect(performance.now() - abortedMs).toBeLessThan(8_000);
  });

  it('uses no more CPU time than it may, over all its processes', async () => {
    const result = await sh('for i in 1 2 3; do (while :; do :; done) & done; wait', {
      cpuMs: 1_000,
      timeoutMs: 60_000,
    });
    expect(result).toMatchObject({ status: 'timeout', limitHit: 'cpuMs' });
  });

  it.each([
    ['a link', 'ln -s /etc/passwd /work/out/l'],
    ['a hard link', 'echo x > /work/out/a; ln /work/out/a /work/out/b'],
    ['a fifo', 'mkfifo /work/out/p'],
    ['a link in place of the folder', 'rm -r /work/out; ln -s /etc /work/out'],
    ['file that it may not read itself', 'echo x > /work/out/a; chmod 000 /work/out/a'],
    [
      'folder that it may not read itself',
      'mkdir /work/out/d; echo x > /work/out/d/a; chmod 000 /work/out/d',
    ],
    ['name with a line break', 'printf x > "/work/out/a\nb"'],
    ['name with an escape sequence', 'printf x > "/work/out/$(printf \'a\\033[2J\')"'],
    ['name that is no UTF-8', 'printf x > "/work/out/$(printf \'a\\377\')"'],
  ])('hands out no %s', async (_what, command) => {
    const wants = { outputs: ['out/**'] };
    const result = await run(['sh', '-c', `mkdir -p /work/out; ${command}`], {}, wants);
    expect(result).toMatchObject({ status: 'output-refused' });
    expect(result.outputs).toBeUndefined();
  });

  it.each([
    ['a folder that is a link', 'ln -s /etc d', 'd/passwd'],
    ['a folder that is a link, and a pattern', 'mkdir r; echo x > r/a.txt; ln -s . l', 'l/r/*.txt'],
    ['a link further up', 'mkdir -p r/e; echo x > r/e/a; ln -s r l', 'l/e/a'],
    ['a link further down', 'mkdir r; ln -s /etc r/l', 'r/l/passwd'],
    ["another process's root", 'ln -s /proc/1/root d', 'd/etc/passwd'],
  ])('follows no link on the way to an output: %s', async (_what, command, wanted) => {
    const result = await run(['sh', '-c', `cd /work; ${command}`], {}, { outputs: [wanted] });
    expect(result).toMatchObject({ status: 'output-refused', exitCode: 0 });
    expect(result.outputs).toBeUndefined();
  });

  it('hands out what lies in folders, beside a link that nobody asked for', async () => {
    const command = 'cd /work; mkdir -p r/e; echo x > r/e/a; echo y > r/b; ln -s /etc r/e/l; ln -s /etc m';
    const wants = { outputs: ['r/e/a', 'r/b', 'absent/folder/a'] };
    const result = await run(['sh', '-c', command], {}, wants);
    expect(result.outputs?.map(({ path: name }) => name)).toEqual(['r/b', 'r/e/a']);
  });

  it('hands out no socket, and what is wanted beside one', async () => {
    const binding = [
      'python3',
      '-IS',
      '-c',
      'import socket; socket.socket(socket.AF_UNIX).bind("/work/s"); open("/work/a.txt", "w").write("a")',
    ];
    expect(await run(binding, {}, { outputs: ['*'] })).toMatchObject({ status: 'output-refused' });
    const beside = await run(binding, {}, { outputs: ['*.txt', 'absent', 'no/such/*'] });
    expect(beside.outputs?.map((file) => file.path)).toEqual(['a.txt']);
  });

  it.each([
    ['too many files', 'i=0; while [ $i -lt 300 ]; do : > /work/$i; i=$((i+1)); done'],
    [
      'folders too deep',
      'd=/work; i=0; while [ $i -lt 40 ]; do d=$d/d; i=$((i+1)); done; mkdir -p $d; : > $d/f',
    ],
    [
      'folders deeper than a program can open',
      'cd /work; i=0; while [ $i -lt 400 ]; do mkdir d; cd d; i=$((i+1)); done; : > f',
    ],
    ['too many bytes', 'dd if=/dev/zero of=/work/a bs=1M count=30 2>/dev/null'],
  ])('X13: hands out no more than fits: %s', async (_what, command) => {
    const result = await run(['sh', '-c', command], { diskMiB: 40, memoryMiB: 128 }, { outputs: ['**'] });
    expect(result).toMatchObject({ status: 'output-limit', limitHit: 'outputs' });
  });

  it.each([
    ['killed', '-KILL', 'output-refused', 'what came out of the sandbox is no archive'],
    ['held up for ever', '-STOP', 'output-limit', 'the outputs could not be read in time'],
  ])(
    'hands out nothing where what takes its files is %s by what a program has left running',
    // The program has to be faster than what takes its files, and is not always.
    { timeout: 40_000, retry: 4 },
    async (_what, signal, status, reason) => {
      const left = `for p in /proc/[0-9]*; do read c < $p/comm && [ "$c" = tar ] && kill ${signal} \${p#/proc/}; done`;
      const command = `echo 1 > x; (while :; do ${left}; done) > /dev/null 2>&1 & echo END`;
      const result = await run(['sh', '-c', command], { timeoutMs: 15_000 }, { outputs: ['x'] });
      expect(result).toMatchObject({ status, reason });
      expect(text(result.stdout)).toBe('END\n');
    },
  );

  it('X13: makes no sparse file larger than its folder', async () => {
    const result = await run(['sh', '-c', 'truncate -s 10G /work/f; echo $?'], {}, { outputs: ['**'] });
    expect(
      result.status === 'exited'
        ? (result.outputs ?? []).every(({ bytes }) => bytes.length <= 8 * MiB)
        : true,
    ).toBe(true);
  });

  it.each([['../x'], ['/work/../etc'], ['/etc'], ['/workspace'], ['/work/'], ['/work/a\0b'], ['']])(
    'X02: starts in no folder but its own: %j',
    async (cwd) => {
      await expect(driver.prepare({ ...plain(), cwd })).rejects.toMatchObject({
        code: 'SANDBOX_SPEC_INVALID',
      });
    },
  );

  it.each(['../x', '/etc/passwd', 'a/../../b', 'a//b', './a', 'a\n', ''])(
    'takes no file by the name %j',
    async (name) => {
      const files = [{ path: name, bytes: new Uint8Array(1) }];
      await expect(driver.prepare({ ...plain(), files })).rejects.toMatchObject({
        code: 'SANDBOX_SPEC_INVALID',
      });
    },
  );

  it.each([
    ['/nope', 127, 'the image has no such program'],
    ['nope', 127, 'the image has no such program'],
    ['/tmp', 126, 'the program can not be executed'],
    ['/bin/sh/x', 126, 'the program can not be executed'],
    [`/${'a'.repeat(300)}`, 126, 'the program can not be executed'],
  ])(
    "tells in its own words, and not in the engine's, that it can't start %s",
    async (program, exitCode, says) => {
      // Without `timeout` the engine itself starts it, beside what waits.
      const image = await imported('LABEL writ.tools="sleep tar"');
      const shown: string[] = [];
      const result = await run(
        [program],
        {},
        {
          program: imageProgram(image),
          outputs: ['*'],
          onOutput: (_stream, bytes) => shown.push(text({ bytes })),
        },
      );
      expect(result).toMatchObject({ status: 'exited', exitCode });
      expect(text(result.stdout)).toBe('');
      expect(text(result.stderr)).toBe(`${says}\n`);
      expect(shown).toEqual([]);
    },
  );

  it.each([[{}], [{ files: [{ path: 'f', bytes: new Uint8Array(1) }] }]])(
    'runs a program whose step says where programs are, and not where ours are: %j',
    async (change) => {
      const env = { PATH: '/work' };
      const ran = await run(
        ['/bin/sh', '-c', 'echo $PATH'],
        {},
        { ...change, program: imageProgram(ids.sh), env },
      );
      expect([ran.exitCode, text(ran.stdout), text(ran.stderr)]).toEqual([0, '/work\n', '']);
    },
  );

  it('X04: refuses an image with a volume, and overrides all it says about how it is run', async () => {
    const image = await imported('VOLUME /data');
    await expect(driver.prepare({ ...plain(), program: imageProgram(image) })).rejects.toMatchObject({
      code: 'SANDBOX_UNSUPPORTED',
    });
    const other = await imported(
      'ENTRYPOINT ["/bin/false"]',
      'CMD ["/bin/false"]',
      'HEALTHCHECK CMD /bin/false',
      'USER 0',
      'WORKDIR /etc',
      'ONBUILD RUN /bin/false',
      'EXPOSE 80',
    );
    const result = await run(['sh', '-c', 'id -u; pwd'], {}, { program: imageProgram(other) });
    expect(text(result.stdout)).toBe('65534\n/work\n');
    const late = await run(['sleep', '60'], { timeoutMs: 500 }, { program: imageProgram(other) });
    expect(late).toMatchObject({ status: 'timeout' });
  });

  it('X07: runs in no runtime but the one that is required', async () => {
    await expect(driver.prepare({ ...plain(), runtime: 'kata' })).rejects.toMatchObject({
      code: 'SANDBOX_RUNTIME_UNKNOWN',
    });
    const strict = here.open({ runtime: 'kata' });
    expect(await strict.preflight()).toMatchObject({ ok: false });
    expect((await strict.run(plain(), new AbortController().signal)).status).toBe('unavailable');
    await strict.close();
  });

  it('X06: runs nowhere when there is no engine', async () => {
    const gone = here.open({ socketPath: path.join(here.home, 'no.sock') });
    const { ok, problems } = await gone.preflight();
    expect(ok).toBe(false);
    expect(problems.join()).toContain('no Docker engine answers');
    await expect(gone.prepare(plain())).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    expect((await gone.run(plain(), new AbortController().signal)).status).toBe('unavailable');
    await gone.close();
  });

  const plain = (): SandboxRequest => ({
    argv: ['true'],
    env: {},
    stdin: new Uint8Array(0),
    program: imageProgram(ids.sh),
    limits: driver.defaults,
  });

  /** Our image with more said about it, as its id. */
  async function imported(...changes: readonly string[]): Promise<Digest> {
    const container = await docker.createContainer({ Image: ids.sh, Cmd: ['true'] });
    try {
      const image = await importedFrom(container, changes);
      made.push(image);
      return image;
    } finally {
      await container.remove({ force: true });
    }
  }
});

async function importedFrom(container: Docker.Container, changes: readonly string[]): Promise<Digest> {
  const answer = await docker.importImage(await container.export(), { changes });
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(Buffer.from(chunk as Buffer));
  const id = /sha256:[0-9a-f]{64}/.exec(Buffer.concat(chunks).toString())?.[0];
  return id as Digest;
}

/** What a program prints in a container of the test's own, which nothing of ours holds but its user. */
async function printed(
  image: Digest,
  argv: readonly string[],
  SecurityOpt: readonly string[] = [],
): Promise<string> {
  const container = await docker.createContainer({
    Image: image,
    Cmd: [...argv],
    Entrypoint: [],
    User: '65534:65534',
    HostConfig: { NetworkMode: 'none', SecurityOpt: [...SecurityOpt] },
  });
  try {
    const stream = await container.attach({ stream: true, stdout: true });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await container.start();
    await once(stream, 'end');
    return Buffer.concat(chunks).toString();
  } finally {
    await container.remove({ force: true });
  }
}

/** Processes of this machine, containers included, whose command line holds `text`. */
function processesWith(nonce: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^[0-9]+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(nonce);
    } catch {
      return false;
    }
  }).length;
}
