// The driver's own probe: a WASI command of a hundred bytes that copies up to 16 bytes of stdin to stdout. A child
// runs it before it is ready, so that the engine's workers are up when a step comes.

const TEXT = new TextEncoder();
const WASI = 'wasi_snapshot_preview1';

function text(value: string): number[] {
  const bytes = [...TEXT.encode(value)];
  return [bytes.length, ...bytes];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, body.length, ...body];
}

/** `fd_read(0, …)`, then `fd_write(1, …)` through one iovec at address 0: {buf 16, len 16}. */
export function warmUpModule(): Uint8Array {
  const i32 = 0x7f;
  const call = (fd: number, index: number): number[] => [
    ...[0x41, fd, 0x41, 0, 0x41, 1, 0x41, 8], // i32.const: descriptor, iovec, one of them, count at 8
    ...[0x10, index, 0x1a], // call, drop the error code
  ];
  const body = [0, ...call(0, 0), ...call(1, 1), 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // types: 0 = (i32 i32 i32 i32) -> i32, 1 = () -> ()
    ...section(1, [2, 0x60, 4, i32, i32, i32, i32, 1, i32, 0x60, 0, 0]),
    ...section(2, [2, ...text(WASI), ...text('fd_read'), 0, 0, ...text(WASI), ...text('fd_write'), 0, 0]),
    ...section(3, [1, 1]),
    ...section(5, [1, 1, 1, 1]),
    ...section(7, [2, ...text('memory'), 2, 0, ...text('_start'), 0, 2]),
    ...section(10, [1, body.length, ...body]),
    ...section(11, [1, 0, 0x41, 0, 0x0b, 8, 16, 0, 0, 0, 16, 0, 0, 0]),
  ]);
}
