// What a container does not see of /proc and /sys: what they tell of the host that no program needs. In place of the
// engine's own list, which depends on its release, and in most places longer than its newest one. What programs do read there stays: memory,
// load and processors, their topology, the container's control group, and settings of the kernel.

const PROC: readonly string[] = [
  ...[
    'acpi',
    'asound',
    'buddyinfo',
    'bus',
    'cmdline',
    'config.gz',
    'diskstats',
    'driver',
    'fs',
    'interrupts',
  ],
  ...[
    'iomem',
    'ioports',
    'irq',
    'kallsyms',
    'kcore',
    'key-users',
    'keys',
    'latency_stats',
    'locks',
    'mdstat',
  ],
  ...['modules', 'mtrr', 'pagetypeinfo', 'partitions', 'sched_debug', 'schedstat', 'scsi', 'slabinfo'],
  ...['softirqs', 'swaps', 'timer_list', 'timer_stats', 'tty', 'vmallocinfo', 'zoneinfo'],
];

/** Disks and file systems, buses and what hangs on them, sensors, power, firmware, the kernel's own books. */
const SYS: readonly string[] = [
  ...['block', 'bus', 'class', 'dev', 'firmware', 'hypervisor', 'module', 'power'],
  ...['devices/LNXSYSTM:00', 'devices/pci0000:00', 'devices/platform', 'devices/pnp0', 'devices/virtual'],
  ...['devices/system/memory', 'fs/bpf', 'fs/btrfs', 'fs/ext4', 'fs/f2fs', 'fs/pstore', 'fs/xfs'],
  ...[
    'boot_params',
    'btf',
    'debug',
    'iommu_groups',
    'irq',
    'notes',
    'security',
    'slab',
    'tracing',
    'vmcoreinfo',
  ].map((name) => `kernel/${name}`),
];

/** Paths that a machine has not are hidden as well, which is nothing. `cores`: how many processors it says it has. */
export function hiddenPaths(cores: number): string[] {
  const thermal = Array.from({ length: cores }, (_, n) => `devices/system/cpu/cpu${n}/thermal_throttle`);
  return [...PROC.map((name) => `/proc/${name}`), ...[...SYS, ...thermal].map((name) => `/sys/${name}`)];
}
