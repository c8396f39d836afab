// The log's own keys through time (rule 7): the log opens once, and again only as the second half of a rotation that
// both keys signed. From it follows which former key may have signed which earlier checkpoint. It never makes a new
// key trusted: only keys that a trusted key has replaced are accepted, for the sizes of their time.
import type { VerifySignature } from '../ed25519.js';
import { verifyRotation } from '../key-rotation.js';
import { formatVkey, parseVkey, type Vkey } from '../vkey.js';
import type { JudgedEntry } from './judged-entry.js';
import type { FindingList } from './report.js';

interface Rotation {
  readonly oldVkey: string;
  readonly newVkey: string;
  /** Size of the tree with the rotation: the last one that the old key signs. */
  readonly until: bigint;
}

export class KeyHistory {
  private readonly rotations: Rotation[] = [];
  /** The vkey of the last `log.opened`. */
  private current: string | null = null;
  /** A rotation whose `log.opened` must be the next entry. */
  private opening: { readonly index: bigint; readonly newVkey: string } | null = null;
  /** A rotation that does not hold: then nothing is known about former keys. */
  broken = false;

  constructor(
    /** Origin and shape. */
    private readonly entries: FindingList,
    private readonly order: FindingList,
    private readonly verify: VerifySignature,
  ) {}

  /** Every entry of the log, in order. */
  observe(index: bigint, entry: JudgedEntry, origin: string): void {
    const { opening } = this;
    this.opening = null;
    if (opening !== null && (entry.type !== 'log.opened' || index !== opening.index + 1n))
      this.unopened(opening);
    if (entry.type === 'log.opened') this.opened(index, entry, origin, opening?.newVkey ?? null);
    else if (entry.type === 'key.rotated') this.rotated(index, entry, origin);
  }

  /** When the tree has ended. */
  finish(): void {
    if (this.opening !== null) this.unopened(this.opening);
  }

  /** The key that signs now, as the log says; null when it says none. */
  get newest(): string | null {
    return this.current;
  }

  /** Last size that this key signs; null = it was never replaced. */
  lastSize(key: Vkey): bigint | null {
    const vkey = textOf(key);
    return this.rotations.find((rotation) => rotation.oldVkey === vkey)?.until ?? null;
  }

  /** Keys that the trusted ones replaced, directly or in steps. */
  formerKeys(trusted: readonly Vkey[]): readonly Vkey[] {
    const known = new Set(trusted.map(textOf));
    const former: string[] = [];
    for (const { oldVkey, newVkey } of this.rotations.toReversed()) {
      if (!known.has(newVkey) || known.has(oldVkey)) continue;
      known.add(oldVkey);
      former.push(oldVkey);
    }
    return former.map(parseVkey);
  }

  private opened(index: bigint, entry: JudgedEntry, origin: string, expected: string | null): void {
    const vkey = entry.data.get('vkey');
    if (entry.data.get('origin') !== origin) {
      this.entries.add('wrong-origin', `entry ${index} opens another log than ${origin}`, { index });
      return;
    }
    if (typeof vkey !== 'string') {
      this.entries.add('not-canonical', `entry ${index} (log.opened) has no valid data.vkey`, { index });
      return;
    }
    if (entry.run !== null) this.wrong(index, 'log.opened stands in a run');
    else if (expected !== null && vkey !== expected) {
      this.wrong(index, 'the log is opened with another key than the one it was given');
    } else if (expected === null && index !== 0n)
      this.wrong(index, 'the log is opened again without key.rotated');
    this.current = vkey;
  }

  private rotated(index: bigint, entry: JudgedEntry, origin: string): void {
    const oldVkey = entry.data.get('oldVkey');
    const newVkey = entry.data.get('newVkey');
    if (entry.run !== null) return this.wrong(index, 'key.rotated stands in a run');
    if (typeof oldVkey !== 'string' || typeof newVkey !== 'string') {
      return this.wrong(index, 'key.rotated does not name two keys');
    }
    this.opening = { index, newVkey };
    if (!verifyRotation(entry.data.all(), origin, this.verify)) {
      return this.wrong(index, 'the old and the new key did not both sign their succession');
    }
    if (this.current !== null && oldVkey !== this.current) {
      return this.wrong(index, 'the key that is replaced is not the one the log was opened with');
    }
    if (this.rotations.some((rotation) => rotation.oldVkey === newVkey)) {
      return this.wrong(index, 'a key that was replaced comes back');
    }
    this.rotations.push({ oldVkey, newVkey, until: index + 2n });
  }

  private unopened({ index }: { readonly index: bigint }): void {
    this.wrong(index, 'the entry after key.rotated does not open the log with the new key');
  }

  private wrong(index: bigint, reason: string): void {
    this.broken = true;
    this.order.add('order-broken', `entry ${index}: ${reason}`, { index });
  }
}

function textOf(key: Vkey): string {
  return formatVkey(key.name, key.type, key.publicKey);
}
