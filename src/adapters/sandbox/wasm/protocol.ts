// What the driver and its child say to each other. Driver to child, on fd 0: one JSON line, then the announced
// bytes (module, stdin, files); end of file means the runner is gone. Child to driver, on fd 3: one JSON line a message.
// Guest output goes raw over fd 4 (stdout) and fd 5 (stderr), wanted files over fd 6. The child imports this file, so it
// imports nothing.

/** Longest JSON line either side reads; arguments and environment are bounded to fit. */
export const MAX_ORDER_LINE_BYTES = 1024 * 1024;
/** Longest line the driver reads from a child, which a hostile guest may control. */
export const MAX_REPORT_LINE_BYTES = 1024 * 1024;
/** Files a child lists; a guest that leaves more has gone over the limit. */
export const MAX_LISTED_FILES = 1_024;
/** Longest path that is listed, in bytes. */
export const MAX_LISTED_PATH_BYTES = 255;

/** One run. Times in ms, sizes in bytes. */
export interface Order {
  readonly t: 'run';
  readonly moduleBytes: number;
  readonly stdinBytes: number;
  /** Put below the guest's /workspace; their bytes follow stdin's, in this order. */
  readonly files: readonly Sized[];
  /** Of all files below /workspace together. */
  readonly diskBytes: number;
  /** Files are wanted back: the report of an exit lists them, and a `take` line follows. */
  readonly lists: boolean;
  /** Without argv[0], which the guest always sees as `main`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** stdout and stderr together. */
  readonly outputBytes: number;
  /** The driver kills at this time; the child ends itself a little later, in case the driver can't. */
  readonly timeoutMs: number;
}

/** A file by its path below /workspace. */
export interface Sized {
  readonly path: string;
  readonly size: number;
}

/** After the report of an exit that lists files: these are sent, one after the other, and then `taken` is reported. */
export interface Take {
  readonly t: 'take';
  readonly paths: readonly string[];
  /** Of these it is only asked whether they are regular files. */
  readonly regular: readonly string[];
}

/** Modules the child runs to have them compiled while it waits; only ones the product ships. Sent before any order. */
export interface WarmUp {
  readonly t: 'warm';
  readonly moduleBytes: readonly number[];
}

/** What the child sees from inside: the proof of what the driver arranged. */
export interface Ready {
  readonly t: 'ready';
  readonly uid: number;
  /** The permission model refuses to read the file system's root. */
  readonly filesDenied: boolean;
  readonly spawnDenied: boolean;
  /** Names of network interfaces other than `lo`. */
  readonly interfaces: number;
  readonly envNames: number;
}

/** `out` and `err` = bytes of each stream that are on their way; all of them were written before this line. */
export type Report =
  | Ready
  /** Once, before anything of an order: the driver's own probe has run, or an order was there first. */
  | { readonly t: 'warm' }
  | {
      readonly t: 'exit';
      readonly code: number;
      readonly out: number;
      readonly err: number;
      /** What lies below /workspace, where the order asks; null = more, deeper or longer names than are listed. */
      readonly files: readonly Sized[] | null;
    }
  | { readonly t: 'trap'; readonly trap: Trap; readonly out: number; readonly err: number }
  | { readonly t: 'limit'; readonly stream: 'stdout' | 'stderr'; readonly out: number; readonly err: number }
  /** /workspace has more bytes or entries than it may. */
  | { readonly t: 'disk'; readonly out: number; readonly err: number }
  /** Whether all that was to be taken was a regular file, and is on its way. */
  | { readonly t: 'taken'; readonly ok: boolean }
  /** Whether its bytes are WebAssembly that this process can compile. */
  | { readonly t: 'load-failed'; readonly isValid: boolean };

/** Why a guest was stopped by the engine; `engine` = the engine itself gave up, as a rule for want of memory. */
export const TRAPS = [
  'engine',
  'unreachable',
  'divide_by_zero',
  'integer_overflow',
  'indirect_call',
  'exception',
  'atomic_wait',
  'out_of_bounds',
  'stack_overflow',
  'other',
] as const;
export type Trap = (typeof TRAPS)[number];
