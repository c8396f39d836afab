// The thread of verify-walk.ts: reads the log's files, hashes them and sends what the tree holds, batch by batch, never
// more than WALK_AHEAD ahead of the thread that judges.
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { platformSha256 } from './adapters/hash.js';
import { encodeTile } from './audit/tile.js';
import { treeHasher } from './audit/tree-hash.js';
import { FindingList } from './audit/verify/report.js';
import { walkTree, type LeafBatch } from './audit/verify/tree-walk.js';
import { WritError } from './errors.js';
import { openReadable } from './verify-source.js';
import { WALK_AHEAD, type PackedBatch, type WalkStep, type WalkTask } from './verify-walk.js';

if (parentPort === null) throw new WritError('INTERNAL', 'this file runs in a thread of verify-walk');
const port = parentPort;
const { dir, size, root } = workerData as WalkTask;
const findings = new FindingList();
let sent = 0;
let dropped = 0;
let credit = WALK_AHEAD;
port.on('message', (batches: number) => (credit += batches));

try {
  const source = await openReadable(dir);
  for await (const batch of walkTree(source, size, root, findings, treeHasher(platformSha256))) {
    while (credit === 0) await once(port, 'message');
    credit -= 1;
    send(pack(batch));
  }
  send(null);
} catch (error) {
  if (!(error instanceof WritError)) throw error;
  const { code, message, hint } = error;
  send(null, { code, message, ...(hint === undefined ? {} : { hint }) });
}

function send(batch: PackedBatch | null, error: WalkStep['error'] = null): void {
  const step: WalkStep = {
    findings: findings.items.slice(sent),
    dropped: findings.dropped - dropped,
    batch,
    error,
  };
  sent = findings.items.length;
  dropped = findings.dropped;
  const moved = [batch?.hashes, batch?.bundle].flatMap((bytes) => (bytes == null ? [] : [bytes.buffer]));
  port.postMessage(step, moved as ArrayBuffer[]);
}

function pack({ first, hashes, root, bundle }: LeafBatch): PackedBatch {
  return {
    first,
    width: hashes.length,
    hashes: encodeTile(hashes),
    root: root?.slice() ?? null,
    bundle,
  };
}
