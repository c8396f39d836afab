// The system calls a guest in a container may make, and the one place where that list is kept. Writes seccomp.json;
// `--check` compares instead. Whatever is not named here is refused, calls of later kernels included: EPERM, or ENOSYS
// where a C library then falls back to an older call.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('seccomp.json', import.meta.url));

/** By what a program does with them. Names are those of x86_64. */
const ALLOWED = {
  files: `access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
    fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fsetxattr
    fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init
    inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lseek lstat mkdir mkdirat
    mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
    readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat statfs statx symlink
    symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write
    writev`,
  memory: `brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock
    munlockall munmap pkey_alloc pkey_free pkey_mprotect`,
  processes: `arch_prctl capget execve exit exit_group fork getegid geteuid getgid getgroups getpgid getpgrp getpid
    getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid kill pause pidfd_open
    pidfd_send_signal prctl prlimit64 rseq sched_get_priority_max sched_get_priority_min sched_getaffinity
    sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_yield
    set_robust_list get_robust_list set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid
    setresgid setresuid setreuid setrlimit setsid setuid sysinfo tgkill times tkill uname vfork wait4 waitid`,
  signals: `alarm restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4`,
  waiting: `epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 futex
    futex_waitv poll ppoll pselect6 select`,
  time: `clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time timer_create
    timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime`,
  // There is no network to reach: these serve sockets inside the container.
  sockets: `accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg
    sendmsg sendto setsockopt shutdown`,
  other: `getcpu getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self`,
};

const EPERM = 1;
const ENOSYS = 38;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWTIME is no flag of clone. */
const NAMESPACE_FLAGS = 0x7e020000;
const [AF_UNIX, AF_INET, AF_INET6] = [1, 2, 10];
/** The kind of a socket without the flags that stand beside it. */
const SOCKET_KIND = 0xf;
/** Streams by TCP and datagrams by UDP, 0 = the kind's own: any other may load a module of the host's kernel for it. */
const PROTOCOLS = [
  { kind: 1, protocols: [0, 6] },
  { kind: 2, protocols: [0, 17] },
];
const PERSONALITY_QUERY = 0xffffffff;

const equals = (index, value) => ({ index, value, op: 'SCMP_CMP_EQ' });
const masked = (index, value, valueTwo) => ({ index, value, valueTwo, op: 'SCMP_CMP_MASKED_EQ' });
const when = (name, ...args) => ({ names: [name], action: 'SCMP_ACT_ALLOW', args });

export const profile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  architectures: ['SCMP_ARCH_X86_64'],
  syscalls: [
    {
      names: Object.values(ALLOWED)
        .flatMap((names) => names.split(/\s+/))
        .sort(),
      action: 'SCMP_ACT_ALLOW',
      args: [],
    },
    when('socket', equals(0, AF_UNIX)),
    ...[AF_INET, AF_INET6].flatMap((family) =>
      PROTOCOLS.flatMap(({ kind, protocols }) =>
        protocols.map((protocol) =>
          when('socket', equals(0, family), masked(1, SOCKET_KIND, kind), equals(2, protocol)),
        ),
      ),
    ),
    when('socketpair', equals(0, AF_UNIX)),
    // A thread or a process, never a namespace.
    when('clone', masked(0, NAMESPACE_FLAGS, 0)),
    // Its flags are in memory, where no filter sees them: the C library falls back to clone.
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, args: [] },
    ...[0, PERSONALITY_QUERY].map((persona) => when('personality', equals(0, persona))),
  ],
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const written = () => JSON.stringify(JSON.parse(readFileSync(FILE, 'utf8')));
  if (!process.argv.includes('--check')) writeFileSync(FILE, `${JSON.stringify(profile, null, 2)}\n`);
  else if (written() !== JSON.stringify(profile)) {
    console.error('sandbox/seccomp.json is not what sandbox/seccomp.mjs makes: run node sandbox/seccomp.mjs');
    process.exitCode = 1;
  }
}
