// What a hostile program in a container tries to see and change of its host: its files, processes, kernel, control groups,
// devices and networks. Each denial has a control: the same probe sees success where nothing stands in its way. Probes of
// the network go to listeners of this test only, or to documentation addresses, and only after the probe has seen that there
// is no way out.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openAttacks, printed, processesWith } from './docker/attack.js';
import { noEngine, skipped } from './docker/engine.js';
import { text } from './sandbox.js';

describe.skipIf(noEngine !== null)(`attacks from a container on its host${skipped}`, () => {
  const attacks = openAttacks();
  const { sh, py, withoutEscape } = attacks;

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
      expect(processesWith(nonce)).toHaveLength(1);
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

  it("hole: other files of /sys and /proc told of the host's disks, file systems, sensors and buses", async () => {
    const { stdout } = await sh(
      'for f in fs swaps bus irq softirqs consoles devices dma fb misc; do cat /proc/$f/* /proc/$f; done 2>/dev/null; ' +
        'ls /sys/class /sys/bus /sys/dev /sys/fs/ext4 /sys/fs/erofs /sys/power /sys/kernel/slab /sys/devices/virtual /sys/devices/pci0000:00 2>/dev/null | grep -v ":$" | grep .; ' +
        'find /sys -name "thermal*" -o -name "hwmon*" -o -name "[sv]d[a-z]" -o -name "nvme*" 2>/dev/null | grep -v thermal_throttle; ' +
        'ls /sys/devices/system/cpu/cpu*/thermal_throttle 2>/dev/null | grep -v ":$" | grep .; ' +
        'cat /sys/devices/system/cpu/online; cat /proc/meminfo | head -1; echo END',
    );
    const lines = text(stdout).trim().split('\n');
    // What programs do read there is not hidden.
    expect(lines.splice(-3)).toEqual([
      expect.stringMatching(/^0/),
      expect.stringMatching(/^MemTotal/),
      'END',
    ]);
    expect(lines).toEqual([]);
  });

  it('hole: a pseudo-terminal led to every line discipline of the kernel, and to memory that no limit counts', async () => {
    const open = `import os
for name in ('/dev/ptmx', '/dev/pts/ptmx'):
    try: os.open(name, os.O_RDWR | os.O_NOCTTY); print('ESC')
    except OSError: pass
print(os.listdir('/dev/pts'), 'END')`;
    expect(text((await py(open)).stdout)).toBe('[] END\n');
    const control = await printed(attacks.ids.python, ['python3', '-IS', '-c', open]);
    expect(control).toContain('ESC\n');
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
});
