// The system call filter: what is committed is what its list makes, and nothing dangerous is on the list.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly args: readonly unknown[];
  }[];
}

const profile = JSON.parse(readFileSync(`${ROOT}/sandbox/seccomp.json`, 'utf8')) as Profile;

describe('sandbox/seccomp.json', () => {
  it('is what sandbox/seccomp.mjs makes', () => {
    execFileSync(process.execPath, ['sandbox/seccomp.mjs', '--check'], { cwd: ROOT });
  });

  it('refuses what it does not name', () => {
    expect(profile).toMatchObject({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64'],
    });
  });

  it('names each call once, and these only under a condition', () => {
    const names = profile.syscalls.flatMap((rule) => (rule.args.length === 0 ? rule.names : []));
    expect(new Set(names).size).toBe(names.length);
    const conditional = profile.syscalls.flatMap((rule) => (rule.args.length === 0 ? [] : rule.names));
    expect([...new Set(conditional)].sort()).toEqual(['clone', 'personality', 'socket', 'socketpair']);
    expect(conditional.filter((name) => names.includes(name))).toEqual([]);
  });

  it.each(
    (
      'acct add_key adjtimex bpf chroot clock_adjtime clock_settime create_module delete_module fanotify_init ' +
      'finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter io_uring_register io_uring_setup ioperm ' +
      'iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie memfd_secret mount mount_setattr move_mount ' +
      'move_pages name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root ' +
      'process_vm_readv process_vm_writev ptrace quotactl reboot request_key setdomainname sethostname setns ' +
      'settimeofday swapoff swapon syslog umount2 unshare uselib userfaultfd vhangup'
    ).split(' '),
  )('does not allow %s', (name) => {
    const allowing = profile.syscalls.filter((rule) => rule.names.includes(name));
    expect(allowing).toEqual([]);
  });
});
