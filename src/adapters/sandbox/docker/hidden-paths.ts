// What a container does not see of /proc and /sys: what they tell of the host that no program needs. In place of the
// engine's own list, which depends on its release, and in most places longer than its newest one. What programs do read there stays: memory,
// load and processors, their topology, the container's control group, and settings of the kernel. And no pseudo-terminals.

/**
 * The machine has few for all of its containers, what they hold counts to no memory limit, and a line discipline that is
 * asked for by one is loaded into the host's kernel.
 */
const TERMINALS = '/dev/pts';

const PROC = `
  acpi asound buddyinfo bus cmdline config.gz consoles devices diskstats dma driver dynamic_debug execdomains fb fs
  interrupts iomem ioports irq kallsyms kcore key-users keys latency_stats locks mdstat misc modules mtrr pagetypeinfo
  partitions sched_debug schedstat scsi slabinfo softirqs swaps timer_list timer_stats tty vmallocinfo zoneinfo`;

/** Disks and file systems, buses and what hangs on them, sensors, power, firmware, the kernel's own books. */
const SYS = `
  block bus class dev firmware hypervisor module power
  devices/LNXSYSTM:00 devices/pci0000:00 devices/platform devices/pnp0 devices/virtual devices/system/memory
  fs/bpf fs/btrfs fs/erofs fs/ext4 fs/f2fs fs/nilfs2 fs/pstore fs/xfs fs/zonefs
  kernel/boot_params kernel/btf kernel/debug kernel/iommu_groups kernel/irq kernel/notes kernel/security kernel/slab
  kernel/tracing kernel/vmcoreinfo`;

/** Paths that a machine has not are hidden as well, which is nothing. `cores`: how many processors it says it has. */
export function hiddenPaths(cores: number): string[] {
  const thermal = Array.from({ length: cores }, (_, n) => `devices/system/cpu/cpu${n}/thermal_throttle`);
  const below = (root: string, names: readonly string[]): string[] => names.map((name) => `${root}/${name}`);
  return [TERMINALS, ...below('/proc', words(PROC)), ...below('/sys', [...words(SYS), ...thermal])];
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
