// What a hostile guest tries, by verb in argv[1]. AssemblyScript; compiled by programs.ts. Without a verb it copies
// stdin to stdout, writes "err" to stderr and exits 3.
@external("wasi_snapshot_preview1", "fd_read") declare function fd_read(fd: u32, iov: usize, n: usize, out: usize): u32;
@external("wasi_snapshot_preview1", "fd_write") declare function fd_write(fd: u32, iov: usize, n: usize, out: usize): u32;
@external("wasi_snapshot_preview1", "proc_exit") declare function proc_exit(code: u32): void;
@external("wasi_snapshot_preview1", "args_sizes_get") declare function args_sizes_get(n: usize, size: usize): u32;
@external("wasi_snapshot_preview1", "args_get") declare function args_get(pointers: usize, buffer: usize): u32;
@external("wasi_snapshot_preview1", "environ_sizes_get") declare function environ_sizes_get(n: usize, size: usize): u32;
@external("wasi_snapshot_preview1", "environ_get") declare function environ_get(pointers: usize, buffer: usize): u32;
@external("wasi_snapshot_preview1", "path_open") declare function path_open(fd: u32, flags: u32, path: usize, length: usize, oflags: u32, rights: u64, inheriting: u64, fdflags: u32, out: usize): u32;
@external("wasi_snapshot_preview1", "poll_oneoff") declare function poll_oneoff(subscriptions: usize, events: usize, n: usize, out: usize): u32;
@external("wasi_snapshot_preview1", "path_symlink") declare function path_symlink(target: usize, targetLength: usize, fd: u32, path: usize, length: usize): u32;
@external("wasi_snapshot_preview1", "clock_time_get") declare function clock_time_get(id: u32, precision: u64, out: usize): u32;
@external("wasi_snapshot_preview1", "random_get") declare function random_get(at: usize, length: usize): u32;
@external("wasi_snapshot_preview1", "fd_close") declare function fd_close(fd: u32): u32;
@external("wasi_snapshot_preview1", "sock_recv") declare function sock_recv(fd: u32, iov: usize, n: usize, flags: u32, size: usize, out: usize): u32;

const BUFFER: usize = 65536;
const buffer = memory.data(65536);
const pointers = memory.data(8192);
const io = memory.data(16);
const subscription = memory.data(48);
const events = memory.data(32);
let counter: i32 = 0;

function print(fd: u32, at: usize, length: usize): void {
  store<usize>(io, at);
  store<usize>(io, length, 4);
  fd_write(fd, io, 1, io + 8);
}

function say(text: string): void {
  const bytes = String.UTF8.encode(text);
  print(1, changetype<usize>(bytes), bytes.byteLength);
}

function argument(i: u32): string {
  const start = <usize>load<u32>(pointers + <usize>i * 4);
  let end = start;
  while (load<u8>(end) != 0) end++;
  return String.UTF8.decodeUnsafe(start, end - start);
}

function recurse(n: i32): i32 {
  return n < 0 ? 0 : recurse(n + 1) + recurse(n + 2) + 1;
}

/** Absolute paths of a guest lie below the directory that it is given. */
function relative(path: string): string {
  return path.startsWith('/') ? path.substring(1) : path;
}

/** Opens a path below every preopened directory; 0 = opened. */
function openPath(path: string, create: bool): u32 {
  const bytes = String.UTF8.encode(path);
  let last: u32 = 0xffff;
  for (let fd: u32 = 3; fd < 8; fd++) {
    last = path_open(fd, 1, changetype<usize>(bytes), bytes.byteLength, create ? 1 : 0, create ? 0x40 : 2, 0, 0, io + 8);
    if (last == 0) break;
  }
  return last;
}

args_sizes_get(io, io + 4);
const count = load<u32>(io);
const size = load<u32>(io, 4);
args_get(pointers, buffer);
const verb = count > 1 ? argument(1) : '';

if (verb == 'args') {
  print(1, buffer, size);
  proc_exit(0);
} else if (verb == 'env') {
  environ_sizes_get(io, io + 4);
  const length = load<u32>(io, 4);
  environ_get(pointers, buffer);
  print(1, buffer, length);
  proc_exit(0);
} else if (verb == 'exit') {
  proc_exit(<u32>parseInt(argument(2)));
} else if (verb == 'spin') {
  say('spinning');
  while (true) counter++;
} else if (verb == 'sleep') {
  say('sleeping');
  store<u8>(subscription, 0, 8); // a clock, relative
  store<u64>(subscription, 30_000_000_000, 24);
  poll_oneoff(subscription, events, 1, io);
  proc_exit(0);
} else if (verb == 'mem') {
  let grown = 0;
  while (true) {
    const page = memory.grow(16);
    if (page < 0) break;
    memory.fill(<usize>page << 16, 1, 16 << 16);
    grown++;
  }
  say(grown.toString());
  proc_exit(9);
} else if (verb == 'yes') {
  while (true) print(1, buffer, BUFFER);
} else if (verb == 'yes-err') {
  while (true) print(2, buffer, BUFFER);
} else if (verb == 'bytes') {
  let left = <usize>parseInt(argument(2));
  while (left > 0) {
    const part = left < BUFFER ? left : BUFFER;
    print(1, buffer, part);
    left -= part;
  }
  proc_exit(0);
} else if (verb == 'fill') {
  if (openPath('workspace/big', true) != 0) proc_exit(4);
  const fd = load<u32>(io, 8);
  let wrote: i32 = 0;
  const most = count > 2 ? <i32>parseInt(argument(2)) << 20 : 2_000_000_000;
  while (wrote < most) {
    store<usize>(io, buffer);
    store<usize>(io, BUFFER, 4);
    if (fd_write(fd, io, 1, io + 8) != 0) proc_exit(5);
    wrote += <i32>BUFFER;
  }
  proc_exit(0);
} else if (verb == 'trap') {
  say('before');
  unreachable();
} else if (verb == 'div') {
  say((1 / counter).toString());
} else if (verb == 'null') {
  store<u32>(0xfffffff0, 1);
} else if (verb == 'rec') {
  counter = recurse(0);
  say(counter.toString());
} else if (verb == 'copy') {
  if (openPath(relative(argument(2)), false) != 0) proc_exit(2);
  const from = load<u32>(io, 8);
  if (openPath(relative(argument(3)), true) != 0) proc_exit(4);
  const to = load<u32>(io, 8);
  while (true) {
    store<usize>(io, buffer);
    store<usize>(io, BUFFER, 4);
    if (fd_read(from, io, 1, io + 8) != 0) proc_exit(5);
    const length = load<u32>(io, 8);
    if (length == 0) break;
    print(to, buffer, length);
  }
  proc_exit(0);
} else if (verb == 'link') {
  const target = String.UTF8.encode(argument(2));
  const name = String.UTF8.encode(relative(argument(3)));
  let last: u32 = 0xffff;
  for (let fd: u32 = 3; fd < 8 && last != 0; fd++) {
    last = path_symlink(changetype<usize>(target), target.byteLength, fd, changetype<usize>(name), name.byteLength);
  }
  if (last != 0) proc_exit(4);
  proc_exit(openPath(relative(argument(3)), false) == 0 ? 0 : 2);
} else if (verb == 'many') {
  const files = <i32>parseInt(argument(2));
  for (let i: i32 = 0; i < files; i++) {
    if (openPath('workspace/f' + i.toString(), true) != 0) proc_exit(4);
    fd_close(load<u32>(io, 8));
  }
  proc_exit(0);
} else if (verb == 'clock') {
  clock_time_get(0, 1, io);
  random_get(buffer, 16);
  let text = load<u64>(io).toString() + ' ';
  for (let i = 0; i < 16; i++) text += load<u8>(buffer + i).toString(16).padStart(2, '0');
  say(text);
  proc_exit(0);
} else if (verb == 'open') {
  proc_exit(openPath(argument(2), false) == 0 ? 0 : 2);
} else if (verb == 'stream') {
  if (openPath(argument(2), false) != 0) proc_exit(2);
  const from = load<u32>(io, 8);
  while (true) {
    store<usize>(io, buffer);
    store<usize>(io, BUFFER, 4);
    if (fd_read(from, io, 1, io + 8) != 0) proc_exit(5);
    print(1, buffer, load<u32>(io, 8));
  }
} else if (verb == 'hold') {
  if (openPath(argument(2), true) != 0) proc_exit(4);
  say('held');
  store<u8>(subscription, 0, 8);
  store<u64>(subscription, 60_000_000_000, 24);
  poll_oneoff(subscription, events, 1, io);
} else if (verb == 'touch') {
  if (openPath(argument(2), true) != 0) proc_exit(4);
  proc_exit(openPath(argument(2), false) == 0 ? 0 : 2); // the control: what was written can be opened
} else if (verb == 'net') {
  let open = 0;
  for (let fd: u32 = 3; fd < 10; fd++) {
    store<usize>(io, buffer);
    store<usize>(io, 16, 4);
    if (sock_recv(fd, io, 1, 0, io + 8, io + 12) == 0) open++;
  }
  proc_exit(open);
} else {
  while (true) {
    store<usize>(io, buffer);
    store<usize>(io, BUFFER, 4);
    if (fd_read(0, io, 1, io + 8) != 0) break;
    const length = load<u32>(io, 8);
    if (length == 0) break;
    print(1, buffer, length);
  }
  store<u32>(buffer, 0x00727265); // "err"
  print(2, buffer, 3);
  proc_exit(3);
}
