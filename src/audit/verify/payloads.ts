// Rule 8: what a commitment says is still there, or its erasure is in the log. Memory grows with erasures only.
import { isHex64, type Commitment } from '../../json.js';
import { commitment, SALT_BYTES } from '../commitment.js';
import type { JudgedEntry } from './judged-entry.js';
import type { FindingList, VerifyReport } from './report.js';

/** The stored payload of a commitment; null = never stored, null salt or bytes = erased. */
export type ReadPayload = (
  commitment: Commitment,
) => Promise<{ readonly salt: Uint8Array | null; readonly bytes: Uint8Array | null } | null>;

export class Payloads {
  /** Commitments whose payload is there and is the committed one. */
  private held = 0;
  private readonly erased = new Map<Commitment, bigint>();
  /** Absent payloads whose erasure was not met yet. */
  private readonly absent = new Map<Commitment, { readonly index: bigint; readonly label: string }>();

  constructor(
    private readonly read: ReadPayload | null,
    private readonly findings: FindingList,
    private readonly warnings: string[],
  ) {}

  /** null when there is nothing to look up. */
  observe(index: bigint, entry: JudgedEntry): Promise<void> | null {
    if (entry.type === 'payload.erased') return this.look(index, entry);
    return this.read === null ? null : this.look(index, entry);
  }

  private async look(index: bigint, entry: JudgedEntry): Promise<void> {
    for (const [label, hex] of Object.entries(entry.commit)) {
      if (isHex64(hex)) await this.check(index, label, hex);
    }
    if (entry.type !== 'payload.erased') return;
    const hex = entry.data.get('commitment');
    if (typeof hex !== 'string' || !isHex64(hex)) {
      this.findings.add('not-canonical', `entry ${index} erases no commitment`, { index });
      return;
    }
    this.erased.set(hex, index);
    this.absent.delete(hex);
    const left = await this.read?.(hex);
    if (left !== undefined && left !== null && (left.bytes !== null || left.salt !== null)) {
      this.warnings.push(`payload ${hex} is erased by entry ${index} but still stored`);
    }
  }

  /** What is absent without an entry that says why; returns what was erased. */
  finish(): VerifyReport['erased'] {
    if (this.read !== null)
      this.warnings.push(`payloads checked against their commitments: ${this.held} hold`);
    for (const [hex, { index, label }] of this.absent) {
      const message = `the payload "${label}" of entry ${index} is absent and no entry says it was erased (${hex})`;
      this.findings.add('erased-unlogged', message, { index });
    }
    return [...this.erased].map(([hex, entry]) => ({ commitment: hex, entry: entry.toString() }));
  }

  private async check(index: bigint, label: string, hex: Commitment): Promise<void> {
    if (this.read === null || this.erased.has(hex)) return;
    const payload = await this.read(hex);
    if (payload === null || payload.salt === null || payload.bytes === null) {
      if (!this.absent.has(hex)) this.absent.set(hex, { index, label });
      return;
    }
    const { salt, bytes } = payload;
    if (salt.length === SALT_BYTES && commitment(salt, label, bytes) === hex) {
      this.held += 1;
      return;
    }
    this.findings.add(
      'payload-mismatch',
      `the payload "${label}" of entry ${index} is not the committed one`,
      { index },
    );
  }
}
