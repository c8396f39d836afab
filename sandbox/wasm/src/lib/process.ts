// A process with two streams and an exit code: all of stdin in, one text out, errors on stderr. Bounded; no clock,
// no random, no files, no environment, so the same input always gives the same output.
import { fd_read, fd_write, proc_exit } from './wasi_snapshot_preview1';

/** Exit codes of packaged processes (75 = temporary failure is not used: nothing here can fail for a while). */
export const EXIT_BAD_DATA: u32 = 65;
export const EXIT_BROKEN: u32 = 70;
export const EXIT_DENIED: u32 = 77;

/** Longest input, in bytes. */
export const MAX_INPUT_BYTES: i32 = 1 << 20;
const CHUNK_BYTES: i32 = 1 << 14;

const io = memory.data(16);

/** All of stdin as text. Ends the process when there is more than MAX_INPUT_BYTES. */
export function readInput(): string {
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  let length = 0;
  while (true) {
    if (length == buffer.byteLength) {
      const larger = new ArrayBuffer(buffer.byteLength << 1);
      memory.copy(changetype<usize>(larger), changetype<usize>(buffer), length);
      buffer = larger;
    }
    store<usize>(io, changetype<usize>(buffer) + length);
    store<usize>(io, buffer.byteLength - length, 4);
    if (fd_read(0, io, 1, io + 8) != 0) fail(EXIT_BROKEN, 'stdin could not be read');
    const count = load<u32>(io, 8);
    if (count == 0) break;
    length += count;
    if (length > MAX_INPUT_BYTES) fail(EXIT_BAD_DATA, 'input has more than 1 MiB');
  }
  return String.UTF8.decodeUnsafe(changetype<usize>(buffer), length);
}

/** Writes `text` and a newline to stdout. */
export function writeOutput(text: string): void {
  write(1, text + '\n');
}

/** Writes one line to stderr and ends the process. Names fields and rules, never values of the input. */
export function fail(code: u32, message: string): void {
  write(2, message + '\n');
  proc_exit(code);
  unreachable();
}

/** What the compiler calls for a failed assertion; an agent's own fault. */
export function onAbort(_message: string | null, _file: string | null, line: u32, _column: u32): void {
  fail(EXIT_BROKEN, 'internal error, line ' + line.toString());
}

function write(fd: u32, text: string): void {
  const bytes = String.UTF8.encode(text);
  let at: usize = 0;
  const length = <usize>bytes.byteLength;
  while (at < length) {
    store<usize>(io, changetype<usize>(bytes) + at);
    store<usize>(io, length - at, 4);
    if (fd_write(fd, io, 1, io + 8) != 0) return proc_exit(EXIT_BROKEN);
    at += load<u32>(io, 8);
  }
}
