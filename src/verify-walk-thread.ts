// The thread of verify-walk.ts: reads the log's files, hashes them and sends what the tree holds, batch by batch, never
// more than WALK_AHEAD ahead of the thread that judges.
import { parentPort, workerData } from 'node:worker_threads';
import { platformSha256Into } from './adapters/hash.js';
import { tileHasher } from './audit/tile-hash.js';
import { layOutBatch } from './audit/verify/entry-batch.js';
import { FindingList } from './audit/verify/report.js';
import { walkTree, type LeafBatch } from './audit/verify/tree-walk.js';
import { WritError } from './errors.js';
import { openReadable } from './verify-source.js';
import { WALK_AHEAD, WALK_AHEAD_BYTES, type WalkStep, type WalkTask } from './verify-walk.js';

/** Batches before a second thread that finds parts is worth the engine's learning how. */
const LAY_OUT_FROM = 512;

if (parentPort === null) throw new WritError('INTERNAL', 'this file runs in a thread of verify-walk');
const port = parentPort;
const { dir, size, root, taken } = workerData as WalkTask;
const findings = new FindingList();
let sent = 0;
let dropped = 0;
let batches = 0;
/** Bytes of each batch that has not been taken, when it was last looked. */
const ahead: number[] = [];

try {
  const source = await openReadable(dir);
  for await (const batch of walkTree(source, size, root, findings, tileHasher(platformSha256Into))) {
    while (isFarAhead()) Atomics.wait(taken, 0, batches - ahead.length);
    const hasTime = batches >= LAY_OUT_FROM && ahead.length > WALK_AHEAD / 2;
    ahead.push(batch.bundle?.length ?? 0);
    send({ ...batch, layouts: hasTime ? layOut(batch) : null });
    batches += 1;
  }
  send(null);
} catch (error) {
  if (!(error instanceof WritError)) throw error;
  const { code, message, hint } = error;
  send(null, { code, message, ...(hint === undefined ? {} : { hint }) });
}

function isFarAhead(): boolean {
  ahead.splice(0, ahead.length - (batches - Atomics.load(taken, 0)));
  return ahead.length === WALK_AHEAD || ahead.reduce((sum, bytes) => sum + bytes, 0) >= WALK_AHEAD_BYTES;
}

function send(batch: LeafBatch | null, error: WalkStep['error'] = null): void {
  const step: WalkStep = {
    findings: findings.items.slice(sent),
    dropped: findings.dropped - dropped,
    batch,
    error,
  };
  sent = findings.items.length;
  dropped = findings.dropped;
  const moved = [batch?.hashes, batch?.bundle, batch?.layouts].flatMap((bytes) =>
    bytes == null ? [] : [bytes.buffer],
  );
  port.postMessage(step, moved as ArrayBuffer[]);
}

function layOut({ bundle }: LeafBatch): LeafBatch['layouts'] {
  return bundle === null ? null : layOutBatch(bundle);
}
