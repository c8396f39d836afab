// Judging an evidence bundle with nothing but the file and what the reader pins from outside. Every hash is computed
// from the bytes shown: leaf hashes from entries, roots from proofs, commitments from payloads. The rules and words
// are those of a log directory (FORMAT.md section 9), as far as a bundle can hold what they need.
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Checkpoint } from '../checkpoint.js';
import { verifyEd25519, type VerifySignature } from '../ed25519.js';
import { readEntry, type Entry } from '../entry.js';
import { leafHash } from '../tree-hash.js';
import type { VerifyDecision } from '../verify/approval-rules.js';
import { Chains } from '../verify/chain.js';
import { judged } from '../verify/judged-entry.js';
import { KeyHistory } from '../verify/key-history.js';
import { Meaning } from '../verify/meaning.js';
import { FindingList, signatureNotes } from '../verify/report.js';
import type { VerifyAnswer } from '../verify/task-rules.js';
import { boundOf, TimeBounds } from '../verify/time-bound.js';
import { Checkpoints, type Opened } from './checkpoints.js';
import { completenessOf } from './completeness.js';
import { decodeEvidence, type Evidence } from './format.js';
import { judgePayloads } from './judge-payloads.js';
import { reportOf, type EvidenceReport, type ShownEntry } from './report.js';
import { ProvenNodes } from './shared-proof.js';
import { evidenceTrust, type EvidenceTrust, type Trust } from './trust.js';

/** All of it comes from outside the bundle. */
export interface EvidenceOptions extends EvidenceTrust {
  /** Checks an approver's signature with the key its entry names; absent: signatures are counted, not checked. */
  readonly verifyDecision?: VerifyDecision;
  /** As `verifyDecision`, of a person's answer to a task. */
  readonly verifyAnswer?: VerifyAnswer;
  /** The digest an approval binds to, of a disclosed subject's bytes; absent: subjects are not compared. */
  readonly subjectDigest?: (subject: Uint8Array) => string;
  /** A faster Ed25519 than this room's. */
  readonly verifySignature?: VerifySignature;
}

export interface JudgedEvidence {
  readonly report: EvidenceReport;
  /** null when the file can't be read at all. */
  readonly evidence: Evidence | null;
  /** Empty when the checkpoint can't be read. */
  readonly entries: readonly ShownEntry[];
}

/**
 * Judges the bundle in `bytes` (attacker-controlled). Never throws for what it holds: that is the report. Throws
 * AUDIT_KEY_INVALID, AUDIT_POLICY_INVALID, AUDIT_NOTE_INVALID and AUDIT_CHECKPOINT_INVALID on options that can't be read.
 */
export function verifyEvidence(bytes: Uint8Array, options: EvidenceOptions = {}): JudgedEvidence {
  const verify = options.verifySignature ?? verifyEd25519;
  const decoded = decodeEvidence(bytes);
  const { evidence, fault, message } = decoded;
  const trust = evidenceTrust(options, evidence?.policy ?? null, verify);
  if (evidence === null) {
    const found = new FindingList();
    found.add(fault === 'json' ? 'malformed' : 'not-canonical', message);
    const isPinned = trust.pinned.length > 0;
    const report = reportOf({ rules: [found], warnings: [], evidence, checkpoint: null, isPinned });
    return { report, evidence, entries: [] };
  }
  const judge = new Judge(evidence, options, verify);
  return judge.run(trust, fault === 'digest' ? message : null);
}

interface Proven {
  readonly index: bigint;
  readonly entry: Entry;
  readonly hash: Uint8Array;
}

/** One judgement; the lists are the rules, in the order that decides the verdict. */
class Judge {
  private readonly early = new FindingList();
  private readonly tree = new FindingList();
  private readonly schema = new FindingList();
  private readonly order = new FindingList();
  private readonly payloads = new FindingList();
  private readonly damage = new FindingList();
  private readonly warnings: string[] = [];
  private readonly chains = new Chains(this.schema);
  private readonly meaning: Meaning;
  private readonly history: KeyHistory;
  /** Whether the signature of the entry that is being judged holds. */
  private signature: boolean | null = null;

  constructor(
    private readonly evidence: Evidence,
    private readonly options: EvidenceOptions,
    verify: VerifySignature,
  ) {
    this.history = new KeyHistory(this.schema, this.order, verify);
    const remembered = <Said>(check: ((said: Said) => boolean) | undefined) =>
      check === undefined ? null : (said: Said): boolean => (this.signature = check(said));
    this.meaning = new Meaning(this.schema, this.order, {
      decision: remembered(options.verifyDecision),
      answer: remembered(options.verifyAnswer),
    });
  }

  run(trust: Trust, damage: string | null): JudgedEvidence {
    const { evidence, warnings } = this;
    const isPinned = trust.pinned.length > 0;
    if (damage !== null) this.damage.add('malformed', damage);
    const { early, history } = this;
    const checkpoints = new Checkpoints({ evidence, trust, history, early, warnings });
    const newest = checkpoints.newest();
    if (newest === null) {
      const rules = [early, this.damage];
      const report = reportOf({ rules, warnings, evidence, checkpoint: null, isPinned });
      return { report, evidence, entries: [] };
    }
    const { checkpoint } = newest;
    const proven = this.proven(checkpoint);
    for (const { index, entry } of proven) {
      if (LOG_KEYS.test(entry.type)) history.observe(index, judged(entry), checkpoint.origin);
    }
    history.finish();
    checkpoints.successor();
    const first = checkpoints.first(checkpoint);
    checkpoints.seen(checkpoint);

    const shown = proven.map((one) => this.observe(one));
    this.timeBounds(trust, proven, first === null ? [newest] : [first, newest]);
    const openIntents = this.meaning.finish();
    const { run } = evidence.scope;
    const isProven = !this.tree.any;
    const completeness = completenessOf({
      ...{ run, shown, isProven, schema: this.schema, size: checkpoint.size },
    });
    if (completeness.state === 'open') {
      warnings.push(
        `the run has no end in this bundle: completeness is shown up to entry ${completeness.last} only`,
      );
    }
    const { subjectDigest } = this.options;
    const payloads = judgePayloads(evidence, shown, { payloads: this.payloads, warnings, subjectDigest });
    warnings.push(...this.signatureNotes(shown));
    if (openIntents.length > 0) warnings.push(`${openIntents.length} intents have no outcome`);
    // Entries of a tree that does not hold are not the log's.
    const rules = isProven
      ? [early, this.schema, this.order, this.payloads, this.damage]
      : [early, this.tree, this.damage];
    const report: EvidenceReport = {
      ...reportOf({ rules, warnings, evidence, checkpoint, isPinned }),
      cosignatures: newest.cosignatures.map(({ key, seconds }) => ({
        name: key.name,
        keyId: key.keyId,
        time: seconds.toString(),
      })),
      openIntents: isProven ? openIntents : [],
      completeness,
      ...payloads,
    };
    return { report, evidence, entries: shown };
  }

  /** (6) No entry is later than the witnesses that had seen it. */
  private timeBounds({ policy }: Trust, proven: readonly Proven[], notes: readonly Opened[]): void {
    const bounds = new TimeBounds(this.schema);
    let next = 0;
    for (const { checkpoint, cosignatures } of notes) {
      for (let one = proven[next]; one !== undefined && one.index < checkpoint.size; one = proven[++next]) {
        bounds.observe(one.index, one.entry);
      }
      const seconds = boundOf(policy, cosignatures);
      if (seconds !== null) bounds.judge({ size: checkpoint.size, seconds, what: 'the checkpoint' });
    }
  }

  /** (5) Each entry's leaf hash, from its bytes, leads to the signed root; (6) and is an entry. */
  private proven(checkpoint: Checkpoint): Proven[] {
    const found: Proven[] = [];
    const { size, root } = checkpoint;
    const tree = new ProvenNodes(size, root);
    let last = -1n;
    for (const { index, bytes, proof } of this.evidence.entries) {
      if (index <= last) {
        this.tree.add('malformed', `entry ${index} stands after entry ${last}`, { index });
        continue;
      }
      last = index;
      const hash = leafHash(bytes);
      if (index >= size || !tree.verify(index, hash, proof)) {
        this.tree.add('entry-mismatch', `entry ${index} is not the one of the signed tree`, { index });
        continue;
      }
      const entry = readEntry(bytes);
      if ('fault' in entry) {
        const verdict = entry.fault === 'json' ? 'malformed' : 'not-canonical';
        this.schema.add(verdict, `entry ${index}: ${entry.message}`, { index });
        continue;
      }
      found.push({ index, entry, hash });
    }
    return found;
  }

  /** (6), (7) Chain and meaning of the run; entries about the log stand beside it, their chain has gaps here. */
  private observe({ index, entry, hash }: Proven): ShownEntry {
    const { run } = this.evidence.scope;
    const hex = bytesToHex(hash);
    this.signature = null;
    if (entry.run === run) {
      this.chains.observe(index, entry, hex);
      this.meaning.observe(index, judged(entry), hex);
    } else if (entry.run !== null) {
      this.schema.add('extra', `entry ${index} is of run ${entry.run}, the bundle is about ${run}`, {
        index,
      });
    }
    return { index, entry, leafHash: hex, signature: this.signature };
  }

  /** How many signatures of people hold, of those that there are. */
  private signatureNotes(shown: readonly ShownEntry[]): readonly string[] {
    const { verifyDecision, verifyAnswer } = this.options;
    const met = this.meaning.signatures;
    const holding = (type: string): number =>
      shown.filter(({ entry, signature }) => entry.type === type && signature === true).length;
    return signatureNotes(met, {
      decisions: verifyDecision === undefined ? null : `${holding('approval.decided')} of ${met.decisions}`,
      answers: verifyAnswer === undefined ? null : `${holding('task.answered')} of ${met.answers}`,
    });
  }
}

/** The entries that say which key the log had when. */
const LOG_KEYS = /^(?:log\.opened|key\.rotated)$/;
