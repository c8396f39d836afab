// Judging an evidence bundle with nothing but the file and what the reader pins from outside. Every hash is computed
// from the bytes shown: leaf hashes from entries, roots from proofs, commitments from payloads. The rules and words
// are those of a log directory (FORMAT.md section 9), as far as a bundle can hold what they need.
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Checkpoint } from '../checkpoint.js';
import { commitment, SALT_BYTES } from '../commitment.js';
import { verifyConsistency } from '../consistency.js';
import { verifyEd25519, type VerifySignature } from '../ed25519.js';
import { readEntry, type Entry } from '../entry.js';
import { encodeBase64 } from '../base64.js';
import { leafHash, equalBytes } from '../tree-hash.js';
import { Chains } from '../verify/chain.js';
import { KeyHistory } from '../verify/key-history.js';
import { judged } from '../verify/judged-entry.js';
import type { VerifyDecision } from '../verify/approval-rules.js';
import { Meaning } from '../verify/meaning.js';
import { FindingList, signatureNotes, type Finding, type VerifyReport } from '../verify/report.js';
import type { VerifyAnswer } from '../verify/task-rules.js';
import { boundOf, TimeBounds } from '../verify/time-bound.js';
import { quorumFault } from '../verify/trust.js';
import { decodeEvidence, type Evidence } from './format.js';
import { ProvenNodes } from './shared-proof.js';
import { evidenceTrust, readable, type EvidenceTrust, type OpenedNote, type Trust } from './trust.js';

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

/** Up to where the bundle shows the run without a gap, and what that leaves open. */
export interface Completeness {
  /** `closed`: the last step-changing entry is the run's own `run.finished`. */
  readonly state: 'closed' | 'open' | 'broken';
  readonly entries: number;
  /** Log index of the run's last entry that is shown; null when there is none. */
  readonly last: string | null;
  /** In words, for people. */
  readonly message: string;
}

export interface EvidenceReport extends VerifyReport {
  readonly run: string | null;
  readonly completeness: Completeness | null;
  readonly payloads: { readonly disclosed: number; readonly erased: number; readonly withheld: number };
}

/** An entry that was proven to stand in the tree; `signature` of a vote or an answer: whether it holds, null = none. */
export interface ShownEntry {
  readonly index: bigint;
  readonly entry: Entry;
  readonly leafHash: string;
  readonly signature: boolean | null;
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
    return { report: reportOf([found], [], null, null, trust.pinned.length > 0), evidence, entries: [] };
  }
  const judge = new Judge(evidence, options, verify);
  return judge.run(trust, fault === 'digest' ? message : null);
}

type Opened = Exclude<OpenedNote, { verdict: unknown }>;

const OTHER_KEY =
  "; if the log's key was replaced, pin the one of the bundle's time, or have the bundle made again";

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
    const newest = this.checkpoint(trust);
    if (newest === null) {
      const rules = [this.early, this.damage];
      return { report: reportOf(rules, warnings, evidence, null, isPinned), evidence, entries: [] };
    }
    const { checkpoint } = newest;
    const proven = this.proven(checkpoint);
    for (const { index, entry } of proven) {
      if (LOG_KEYS.test(entry.type)) this.history.observe(index, judged(entry), checkpoint.origin);
    }
    this.history.finish();
    this.successor(trust);
    const first = this.first(trust, checkpoint);
    this.seen(trust, checkpoint);

    const shown = proven.map((one) => this.observe(one));
    this.timeBounds(trust, proven, first === null ? [newest] : [first, newest]);
    const openIntents = this.meaning.finish();
    const completeness = this.completeness(shown, checkpoint);
    const payloads = this.judgePayloads(shown);
    const { verifyDecision, verifyAnswer } = this.options;
    const met = this.meaning.signatures;
    const holding = (type: string): number =>
      shown.filter(({ entry, signature }) => entry.type === type && signature === true).length;
    const hold = {
      decisions: verifyDecision === undefined ? null : `${holding('approval.decided')} of ${met.decisions}`,
      answers: verifyAnswer === undefined ? null : `${holding('task.answered')} of ${met.answers}`,
    };
    warnings.push(...signatureNotes(met, hold));
    if (openIntents.length > 0) warnings.push(`${openIntents.length} intents have no outcome`);
    // Entries of a tree that does not hold are not the log's.
    const rules = this.tree.any
      ? [this.early, this.tree, this.damage]
      : [this.early, this.schema, this.order, this.payloads, this.damage];
    const report: EvidenceReport = {
      ...reportOf(rules, warnings, evidence, checkpoint, isPinned),
      cosignatures: newest.cosignatures.map(({ key, seconds }) => ({
        name: key.name,
        keyId: key.keyId,
        time: seconds.toString(),
      })),
      openIntents: this.tree.any ? [] : openIntents,
      completeness,
      payloads: payloads.counts,
      erased: payloads.erased,
    };
    return { report, evidence, entries: shown };
  }

  /** (2), (3) The note, who signed it, of which log it is, and the witnesses where a quorum is asked for. */
  private checkpoint(trust: Trust): Opened | null {
    const { checkpoint: note, origin } = this.evidence;
    const read = trust.open(note);
    if ('verdict' in read) {
      const rotated = read.claimed === undefined ? '' : OTHER_KEY;
      this.early.add(read.verdict, `the checkpoint: ${read.message}${rotated}`);
      // What is not signed as it must be can still be looked at; it is never called verified.
      const checkpoint = read.verdict === 'malformed' ? null : readable(note);
      return checkpoint === null ? null : { checkpoint, cosignatures: [] };
    }
    if (read.checkpoint.origin !== origin) {
      const message = `the bundle says ${origin}, its checkpoint is of ${read.checkpoint.origin}`;
      this.early.add('wrong-origin', message);
    }
    const fault = trust.policy === null ? null : quorumFault(trust.policy, read.cosignatures);
    if (fault !== null) this.early.add('quorum-missing', fault);
    return read;
  }

  /** Pinned is a key that the log itself calls replaced: say what to do, decide nothing. */
  private successor({ pinned }: Trust): void {
    for (const key of pinned) {
      if (this.history.lastSize(key) === null) continue;
      this.warnings.push(
        `the bundle says the key ${key.name}+${key.keyId} was replaced; a log can't introduce its own new key: get that from the log's keeper and pin it`,
      );
    }
  }

  /** As a trusted key opens it, or one that a trusted key has replaced, up to the size of that time. */
  private openOlder(trust: Trust, note: string): OpenedNote {
    const own = trust.open(note);
    if (!('verdict' in own) || this.history.broken) return own;
    for (const former of this.history.formerKeys(trust.keys)) {
      const read = trust.open(note, [former]);
      const until = this.history.lastSize(former);
      if (!('verdict' in read) && until !== null && read.checkpoint.size <= until) return read;
    }
    return own;
  }

  /** (4) The older checkpoint of the bundle is a prefix of the newer one. */
  private first(trust: Trust, newest: Checkpoint): Opened | null {
    if (this.evidence.first === null) return null;
    const { checkpoint: note, consistency: proof } = this.evidence.first;
    const read = this.openOlder(trust, note);
    if ('verdict' in read) {
      this.early.add(read.verdict, `the older checkpoint: ${read.message}`);
      return null;
    }
    const { origin, size: size1, root: root1 } = read.checkpoint;
    const { size: size2, root: root2 } = newest;
    if (origin !== newest.origin) {
      this.early.add('wrong-origin', `the older checkpoint is of ${origin}, this log is ${newest.origin}`);
    } else if (size1 > size2) {
      this.early.add('rollback', `the older checkpoint has size ${size1}, the newest ${size2}`);
    } else if (!verifyConsistency({ size1, size2, root1, root2, proof })) {
      this.early.add('fork', `the older checkpoint of size ${size1} is not shown to be a prefix of this log`);
    } else return read;
    return null;
  }

  /** (4) What the reader kept of this log; comparable where the bundle shows the same size. */
  private seen(trust: Trust, newest: Checkpoint): void {
    const first = this.evidence.first === null ? null : readable(this.evidence.first.checkpoint);
    for (const { note, what, named } of trust.seen) {
      const read = this.openOlder(trust, note);
      if ('verdict' in read) {
        // Of a key that came after this bundle, perhaps: a bundle shows no later succession than its own.
        const isLater = read.claimed !== undefined && read.claimed.checkpoint.size > newest.size;
        if (isLater) this.warnings.push(`${named} is of another key of the log: not compared`);
        else this.early.add(read.verdict, `${named}: ${read.message}`);
        continue;
      }
      const { origin, size, root } = read.checkpoint;
      const same = [newest, first].find((one) => one?.size === size) ?? null;
      if (origin !== newest.origin) {
        this.early.add('wrong-origin', `${named} is of ${origin}, this log is ${newest.origin}`);
      } else if (same === null) {
        this.warnings.push(
          `${what} has size ${size}, which this bundle does not show: it was not compared (a bundle made with --old shows it)`,
        );
      } else if (!equalBytes(same.root, root)) {
        this.early.add('fork', `${what} has another root for size ${size}`);
      }
    }
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
      if (entry.type === 'run.finished') this.finished = true;
      if (entry.type === 'run.redriven') this.finished = false;
      this.chains.observe(index, entry, hex);
      this.meaning.observe(index, judged(entry), hex);
    } else if (entry.run !== null) {
      this.schema.add('extra', `entry ${index} is of run ${entry.run}, the bundle is about ${run}`, {
        index,
      });
    }
    return { index, entry, leafHash: hex, signature: this.signature };
  }
  private finished = false;

  private completeness(shown: readonly ShownEntry[], { size }: Checkpoint): Completeness {
    const { run } = this.evidence.scope;
    const own = shown.filter(({ entry }) => entry.run === run);
    const last = own.at(-1);
    if (last === undefined) {
      const message = `the bundle holds no entry of run ${run}`;
      if (!this.tree.any) this.schema.add('missing', message);
      return { state: 'broken', entries: 0, last: null, message };
    }
    const entries = own.length;
    const at = { entries, last: last.index.toString() };
    if (this.tree.any || this.schema.any) {
      return {
        state: 'broken',
        ...at,
        message: 'entries are missing, changed or not proven: see the findings',
      };
    }
    const whole = `all ${entries} entries of the run up to entry ${last.index} are here: numbered from 0 and hash-linked without a gap`;
    if (this.finished) {
      const message = `${whole}; the run's end (run.finished) is among them, so no step of it is left out`;
      return { state: 'closed', ...at, message };
    }
    const message =
      `${whole}; the run's end is not among them. Either it was still open at the checkpoint of size ${size}, or later ` +
      `entries were left out: only the log itself can tell (writ audit verify DIR --run ${run})`;
    this.warnings.push(
      `the run has no end in this bundle: completeness is shown up to entry ${last.index} only`,
    );
    return { state: 'open', ...at, message };
  }

  /** (8) Payloads that are shown, and entries that say why one is gone. */
  private judgePayloads(shown: readonly ShownEntry[]): {
    readonly counts: EvidenceReport['payloads'];
    readonly erased: VerifyReport['erased'];
  } {
    const { disclosed, erased, scope } = this.evidence;
    const own = shown.filter(({ entry }) => entry.run === scope.run);
    const committed = new Map<string, Set<string>>();
    for (const { entry } of own) {
      for (const [label, hex] of Object.entries(entry.commit)) {
        committed.set(hex, (committed.get(hex) ?? new Set()).add(label));
      }
    }
    const logged = new Map<string, bigint>();
    for (const { index, entry } of shown) {
      const hex = entry.type === 'payload.erased' ? entry.data.commitment : null;
      if (typeof hex === 'string') logged.set(hex, index);
    }
    const subjects = subjectsOf(own);
    const present = new Set<string>();
    for (const { commitment: hex, label, salt, bytes } of disclosed) {
      const what = `the disclosed payload "${label}" (${hex})`;
      if (committed.get(hex)?.has(label) !== true) {
        this.payloads.add('payload-mismatch', `${what} is not committed to by an entry of the run`);
      } else if (salt.length !== SALT_BYTES || !isLabel(label) || commitment(salt, label, bytes) !== hex) {
        this.payloads.add('payload-mismatch', `${what} is not the committed one`);
      } else if (this.options.subjectDigest !== undefined && subjects.has(hex)) {
        const approved = subjects.get(hex);
        if (approved?.size !== 1 || !approved.has(this.options.subjectDigest(bytes)))
          this.payloads.add('payload-mismatch', `${what} is not what was approved: it has another digest`);
      }
      present.add(hex);
      const by = logged.get(hex);
      if (by !== undefined) this.warnings.push(`${what} was erased by entry ${by}, this copy still shows it`);
    }
    for (const { commitment: hex, entry } of erased) {
      if (logged.get(hex) === entry && committed.has(hex)) continue;
      const message = `payload ${hex} is called erased, but entry ${entry} does not say so`;
      this.payloads.add('erased-unlogged', message, { index: entry });
    }
    const gone = [...logged].filter(([hex]) => committed.has(hex));
    const withheld = [...committed.keys()].filter((hex) => !present.has(hex) && !logged.has(hex)).length;
    return {
      counts: { disclosed: present.size, erased: gone.length, withheld },
      erased: erased.map(({ commitment: hex, entry }) => ({ commitment: hex, entry: entry.toString() })),
    };
  }
}

/** By the commitment of a subject: the digests that people approved with it, of every approval that shows it. */
function subjectsOf(own: readonly ShownEntry[]): ReadonlyMap<string, ReadonlySet<unknown>> {
  const found = new Map<string, Set<unknown>>();
  for (const { entry } of own) {
    const hex = entry.type === 'approval.requested' ? entry.commit['subject'] : undefined;
    if (hex !== undefined) found.set(hex, (found.get(hex) ?? new Set()).add(entry.data.subjectDigest));
  }
  return found;
}

function isLabel(label: string): boolean {
  return label !== '' && !label.includes('\0');
}

/** The entries that say which key the log had when. */
const LOG_KEYS = /^(?:log\.opened|key\.rotated)$/;

function reportOf(
  rules: readonly FindingList[],
  warnings: readonly string[],
  evidence: Evidence | null,
  checkpoint: Checkpoint | null,
  isPinned: boolean,
): EvidenceReport {
  const findings: Finding[] = rules.flatMap((list) => list.items);
  const dropped = rules.reduce((sum, list) => sum + list.dropped, 0);
  if (findings.length === 0 && !isPinned) {
    const message =
      'the parts of the file fit together, but no key was given from outside: anyone could have made it';
    findings.push({ verdict: 'unpinned', message });
  }
  return {
    verdict: findings[0]?.verdict ?? 'verified',
    ok: findings.length === 0,
    origin: evidence === null ? null : (checkpoint?.origin ?? evidence.origin),
    size: checkpoint?.size.toString() ?? null,
    root: checkpoint === null ? null : encodeBase64(checkpoint.root),
    findings,
    warnings: dropped > 0 ? [...warnings, `${dropped} more findings are not listed`] : warnings,
    openIntents: [],
    erased: [],
    cosignatures: [],
    run: evidence?.scope.run ?? null,
    completeness: null,
    payloads: { disclosed: 0, erased: 0, withheld: 0 },
  };
}
