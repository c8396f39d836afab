// The checkpoints of a bundle, and those of its log that the reader kept: who signed them, and that they are of one log
// (FORMAT.md section 9, rules 2 to 4).
import type { Checkpoint } from '../checkpoint.js';
import { verifyConsistency } from '../consistency.js';
import { equalBytes } from '../tree-hash.js';
import type { KeyHistory } from '../verify/key-history.js';
import type { FindingList } from '../verify/report.js';
import { quorumFault } from '../verify/trust.js';
import type { Evidence } from './format.js';
import { readable, type OpenedNote, type Trust } from './trust.js';

export type Opened = Exclude<OpenedNote, { verdict: unknown }>;

const OTHER_KEY =
  "; if the log's key was replaced, pin the one of the bundle's time, or have the bundle made again";

interface Given {
  readonly evidence: Evidence;
  readonly trust: Trust;
  /** Grows until the older ones are asked about. */
  readonly history: KeyHistory;
  /** What is wrong with one. */
  readonly early: FindingList;
  readonly warnings: string[];
}

export class Checkpoints {
  constructor(private readonly given: Given) {}

  /** (2), (3) The note, who signed it, of which log it is, and the witnesses where a quorum is asked for. */
  newest(): Opened | null {
    const { checkpoint: note, origin } = this.given.evidence;
    const read = this.given.trust.open(note);
    if ('verdict' in read) {
      const rotated = read.claimed === undefined ? '' : OTHER_KEY;
      this.given.early.add(read.verdict, `the checkpoint: ${read.message}${rotated}`);
      // What is not signed as it must be can still be looked at; it is never called verified.
      const checkpoint = read.verdict === 'malformed' ? null : readable(note);
      return checkpoint === null ? null : { checkpoint, cosignatures: [] };
    }
    if (read.checkpoint.origin !== origin) {
      const message = `the bundle says ${origin}, its checkpoint is of ${read.checkpoint.origin}`;
      this.given.early.add('wrong-origin', message);
    }
    const fault =
      this.given.trust.policy === null ? null : quorumFault(this.given.trust.policy, read.cosignatures);
    if (fault !== null) this.given.early.add('quorum-missing', fault);
    return read;
  }

  /** Pinned is a key that the log itself calls replaced: say what to do, decide nothing. */
  successor(): void {
    for (const key of this.given.trust.pinned) {
      if (this.given.history.lastSize(key) === null) continue;
      this.given.warnings.push(
        `the bundle says the key ${key.name}+${key.keyId} was replaced; a log can't introduce its own new key: get that from the log's keeper and pin it`,
      );
    }
  }

  /** As a trusted key opens it, or one that a trusted key has replaced, up to the size of that time. */
  private openOlder(note: string): OpenedNote {
    const own = this.given.trust.open(note);
    if (!('verdict' in own) || this.given.history.broken) return own;
    for (const former of this.given.history.formerKeys(this.given.trust.keys)) {
      const read = this.given.trust.open(note, [former]);
      const until = this.given.history.lastSize(former);
      if (!('verdict' in read) && until !== null && read.checkpoint.size <= until) return read;
    }
    return own;
  }

  /** (4) The older checkpoint of the bundle is a prefix of the newer one. */
  first(newest: Checkpoint): Opened | null {
    if (this.given.evidence.first === null) return null;
    const { checkpoint: note, consistency: proof } = this.given.evidence.first;
    const read = this.openOlder(note);
    if ('verdict' in read) {
      this.given.early.add(read.verdict, `the older checkpoint: ${read.message}`);
      return null;
    }
    const { origin, size: size1, root: root1 } = read.checkpoint;
    const { size: size2, root: root2 } = newest;
    if (origin !== newest.origin) {
      this.given.early.add(
        'wrong-origin',
        `the older checkpoint is of ${origin}, this log is ${newest.origin}`,
      );
    } else if (size1 > size2) {
      this.given.early.add('rollback', `the older checkpoint has size ${size1}, the newest ${size2}`);
    } else if (!verifyConsistency({ size1, size2, root1, root2, proof })) {
      this.given.early.add(
        'fork',
        `the older checkpoint of size ${size1} is not shown to be a prefix of this log`,
      );
    } else return read;
    return null;
  }

  /** (4) What the reader kept of this log; comparable where the bundle shows the same size. */
  seen(newest: Checkpoint): void {
    const first = this.given.evidence.first === null ? null : readable(this.given.evidence.first.checkpoint);
    for (const { note, what, named } of this.given.trust.seen) {
      const read = this.openOlder(note);
      if ('verdict' in read) {
        // Of a key that came after this bundle, perhaps: a bundle shows no later succession than its own.
        const isLater = read.claimed !== undefined && read.claimed.checkpoint.size > newest.size;
        if (isLater) this.given.warnings.push(`${named} is of another key of the log: not compared`);
        else this.given.early.add(read.verdict, `${named}: ${read.message}`);
        continue;
      }
      const { origin, size, root } = read.checkpoint;
      const same = [newest, first].find((one) => one?.size === size) ?? null;
      if (origin !== newest.origin) {
        this.given.early.add('wrong-origin', `${named} is of ${origin}, this log is ${newest.origin}`);
      } else if (same === null) {
        this.given.warnings.push(
          `${what} has size ${size}, which this bundle does not show: it was not compared (a bundle made with --old shows it)`,
        );
      } else if (!equalBytes(same.root, root)) {
        this.given.early.add('fork', `${what} has another root for size ${size}`);
      }
    }
  }
}
