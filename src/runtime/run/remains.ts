// What a run that has failed or was cancelled leaves for a redrive: its state as one payload, which `run.finished` commits
// to. So it lies nowhere but among the payloads, goes with them when the run's data is erased, and what is taken up
// later is to the byte what the log names.
import { commitment } from '../../audit/commitment.js';
import type { Remains } from '../../engine/redrive.js';
import type { RunHead } from '../../engine/state.js';
import { WritError } from '../../errors.js';
import { isObject, type Commitment, type Json } from '../../json.js';
import { sealBytes, type Sealing } from '../log/payload.js';
import type { Payload, RunRecord, Store } from '../ports.js';
import { finishedState } from './state.js';

/** A larger state is not kept: such a run can't be redriven. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** Its label in `commit`. */
export const REMAINS = 'state';

/** Null when it is too large to be kept. */
export function sealRemains(run: string, { head, parts }: Remains, by: Sealing): Payload | null {
  const texts = [JSON.stringify(by.redact.json(head as unknown as Json))]; // plain JSON by type
  let characters = 0;
  for (const [key, value] of parts) {
    const text = JSON.stringify([key, by.redact.json(value)]);
    characters += text.length;
    if (characters > MAX_CHARACTERS) return null;
    texts.push(text);
  }
  const bytes = new TextEncoder().encode(`[${texts.join(',')}]`);
  return sealBytes(run, REMAINS, bytes, 'application/json', by);
}

/** Throws RUN_NOT_REDRIVABLE where there is nothing to go on with, INTEGRITY_DIGEST when the store was changed. */
export async function openRemains(store: Pick<Store, 'payload'>, run: RunRecord): Promise<Remains> {
  const hex: Commitment | null = finishedState(run)?.remains ?? null;
  const payload = hex === null ? null : await store.payload(hex);
  const { salt = null, bytes = null, erasedBy = null } = payload ?? {};
  if (hex === null || salt === null || bytes === null) {
    const why =
      hex === null ? 'was not kept' : erasedBy === null ? 'is gone' : `was erased (entry ${erasedBy})`;
    throw new WritError('RUN_NOT_REDRIVABLE', `what run ${run.id} would go on with ${why}`, {
      hint: `run it anew: writ workflow run ${run.workflowId}`,
    });
  }
  if (commitment(salt, REMAINS, bytes) !== hex) {
    throw new WritError('INTEGRITY_DIGEST', `the stored state of run ${run.id} was changed`, {
      hint: 'do not go on with it; find out who changed the store: writ audit verify --payloads',
    });
  }
  // Bytes of our own, as the log names them.
  const [head, ...parts] = JSON.parse(new TextDecoder().decode(bytes)) as readonly [
    Json,
    ...[string, Json][],
  ];
  if (!isObject(head) || head['v'] !== 3) {
    throw new WritError('RUN_NOT_REDRIVABLE', `run ${run.id} was left in a form this version can't read`, {
      hint: 'redrive it with the version of writ that ran it',
    });
  }
  return { head: head as unknown as RunHead, parts: new Map(parts) };
}
