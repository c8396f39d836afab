// A claims triage that takes its time: it spins for SPIN_MS of wall time, then calls every claim low risk. Packed as
// an OCI layout as sandbox/build.mjs packs the real one, so that a test can meet a run in the middle of a step.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Long enough to be met by a test, short enough to be waited for. */
export const SPIN_MS = 3_000;

const ANSWER = '{"claimId":"CLM-2026-0101","risk":"low","reasons":[]}';
const CONFIG_TYPE = 'application/vnd.agentrc.agent.config.v1+json';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** Adds the package to the layout at `packages`; gives its digest. */
export function packSlowTriage(packages: string): string {
  const blob = (mediaType: string, contents: Uint8Array | string) => {
    const bytes = Buffer.from(contents);
    const hex = createHash('sha256').update(bytes).digest('hex');
    mkdirSync(join(packages, 'blobs', 'sha256'), { recursive: true });
    writeFileSync(join(packages, 'blobs', 'sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const layer = blob('application/wasm', slowModule());
  const config = blob(
    CONFIG_TYPE,
    JSON.stringify({
      v: 1,
      name: 'claims-triage',
      repository: 'ghcr.io/bank/claims-triage',
      argv: ['claims-triage'],
      entry: layer.digest,
      ceiling: { limits: { timeoutMs: 120_000, memoryMiB: 64, outputBytes: 65_536 } },
    }),
  );
  const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, artifactType: CONFIG_TYPE, config };
  return blob(MANIFEST_TYPE, JSON.stringify({ ...manifest, layers: [layer] })).digest;
}

/** `start = now; while (now - start < SPIN_MS) {}; write(1, ANSWER)`, assembled by hand. */
function slowModule(): Uint8Array {
  const [i32, i64, func] = [0x7f, 0x7e, 0x60];
  const clock = [0x41, 1, 0x42, 1];
  const now = (at: number) => [...clock, 0x41, at, 0x10, 0, 0x1a]; // clock_time_get(monotonic, 1, at); drop
  const load = (at: number) => [0x41, at, 0x29, 3, 0];
  const body = [
    ...[0, ...now(32), 0x03, 0x40, ...now(40)],
    ...[...load(40), ...load(32), 0x7d, 0x42, ...signed(SPIN_MS * 1_000_000), 0x54, 0x0d, 0, 0x0b],
    ...[0x41, 1, 0x41, 0, 0x41, 1, 0x41, 8, 0x10, 1, 0x1a, 0x0b], // fd_write(1, iov, 1, 8); drop
  ];
  const iov = [48, 0, 0, 0, ANSWER.length, 0, 0, 0];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [
      [func, 3, i32, i64, i32, 1, i32],
      [func, 4, i32, i32, i32, i32, 1, i32],
      [func, 0, 0],
    ]),
    ...section(2, [wasi('clock_time_get', 0), wasi('fd_write', 1)]),
    ...section(3, [[2]]),
    ...section(5, [[0, 1]]),
    ...section(7, [
      [...name('memory'), 2, 0],
      [...name('_start'), 0, 2],
    ]),
    ...section(10, [[body.length, ...body]]),
    ...section(11, [
      [0, 0x41, 0, 0x0b, iov.length, ...iov],
      [0, 0x41, 48, 0x0b, ...name(ANSWER)],
    ]),
  ]);
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const content = [items.length, ...items.flat()];
  return [id, ...unsigned(content.length), ...content];
}

function wasi(what: string, type: number): number[] {
  return [...name('wasi_snapshot_preview1'), ...name(what), 0, type];
}

/** Length and bytes; shorter than 128. */
function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...unsigned(Math.floor(value / 128))];
}

/** Signed LEB128 of a value that is not negative. */
function signed(value: number): number[] {
  return value < 64 ? [value] : [(value % 128) | 128, ...signed(Math.floor(value / 128))];
}
