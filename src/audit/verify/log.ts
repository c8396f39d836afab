// The verification of a whole log, in the order of FORMAT.md section 9: trust from outside, the note, earlier
// checkpoints, every file and the root, each entry, their meaning, payloads. Streaming; nothing here is believed
// because the log says so.
import { WritError } from '../../errors.js';
import { encodeBase64 } from '../base64.js';
import type { Checkpoint } from '../checkpoint.js';
import { verifyEd25519, type VerifySignature } from '../ed25519.js';
import { sha256, type Sha256 } from '../sha256.js';
import { checkpointPath } from '../tile-path.js';
import { tileHasher } from '../tile-hash.js';
import { formatVkey, type Vkey } from '../vkey.js';
import { Chains } from './chain.js';
import { checkFiles } from './files.js';
import { judgeFormer, signerFault } from './former-checkpoints.js';
import { Growth } from './growth.js';
import { History, mergeSeen, publishedCheckpoints, seenOf, type Seen } from './history.js';
import { readBatch } from './judged-entry.js';
import { KeyHistory } from './key-history.js';
import type { VerifyDecision } from './approval-rules.js';
import { Meaning } from './meaning.js';
import { newestCheckpoint, ownKey, pendingCheckpoint, ROTATED, type OwnKey } from './opening.js';
import { Payloads, type ReadPayload } from './payloads.js';
import { hexOf } from './hex.js';
import { FindingList, signatureNotes, type Finding, type VerifyReport } from './report.js';
import {
  checkpointOpener,
  keylessOpener,
  type OpenCheckpoint,
  type OpenedCheckpoint,
} from './signed-checkpoint.js';
import type { LogSource } from './source.js';
import { boundOf, TimeBounds, type TimeBound } from './time-bound.js';
import type { VerifyAnswer } from './task-rules.js';
import { walkTree, type LeafBatch, type WalkTree } from './tree-walk.js';
import { quorumFault, seenNotes, trustOf, type SeenNote, type Trust, type TrustOptions } from './trust.js';

/** All of it comes from outside the log that is judged. */
export interface VerifyOptions extends TrustOptions {
  /** Signed checkpoints of this log seen elsewhere, whole notes. */
  readonly old?: readonly string[];
  /** Judge the entries of this run only; the tree is judged whole. */
  readonly run?: string;
  /** Checks every commitment against its payload. */
  readonly payloads?: ReadPayload;
  /** `opaque`: a log of other software; entries are bytes, nothing is read from them. Default `writ`. */
  readonly entries?: 'writ' | 'opaque';
  /** Checks an approver's signature with the key its entry names; absent: signatures are counted, not checked. */
  readonly verifyDecision?: VerifyDecision;
  /** As `verifyDecision`, of a person's answer to a task. */
  readonly verifyAnswer?: VerifyAnswer;
  /** A faster Ed25519 than this room's, e.g. the platform's. */
  readonly verifySignature?: VerifySignature;
  /** A faster SHA-256 than this room's, e.g. the platform's. */
  readonly sha256?: Sha256;
  /** Reads and hashes the tree of the log in `source` elsewhere, e.g. in a thread; default: here, with `sha256`. */
  readonly walk?: WalkTree;
}

/** All of them: the compiler asks for a new one here too. */
const OPTIONS: Readonly<Record<keyof VerifyOptions, true>> = {
  vkeys: true,
  policy: true,
  witnesses: true,
  quorum: true,
  old: true,
  trust: true,
  run: true,
  payloads: true,
  entries: true,
  verifyDecision: true,
  verifyAnswer: true,
  verifySignature: true,
  sha256: true,
  walk: true,
};

/**
 * Verifies the log in `source`. Never rejects because of what the log holds: that is the report. Rejects with USAGE
 * on options this version does not know (what is not checked must not look checked), AUDIT_KEY_INVALID,
 * AUDIT_POLICY_INVALID, AUDIT_NOTE_INVALID and AUDIT_CHECKPOINT_INVALID on options that can't be read, and with what `source` rejects.
 */
export async function verifyLog(source: LogSource, options: VerifyOptions = {}): Promise<VerifyReport> {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined) {
    throw new WritError('USAGE', `verifyLog does not know the option "${unknown}"`, {
      hint: `it knows ${Object.keys(OPTIONS).join(', ')}`,
    });
  }
  const trust = trustOf(options);
  return new Verification(source, options, trust).run();
}

/** One verification; the lists are the rules, in the order that decides the verdict. */
class Verification {
  private readonly early = new FindingList();
  private readonly forks = new FindingList();
  private readonly tree = new FindingList();
  private readonly files = new FindingList();
  /** Of files that are there, and what is to be said of them. */
  private readonly listed = new FindingList();
  private readonly listWarnings: string[] = [];
  private readonly entries = new FindingList();
  private readonly order = new FindingList();
  private readonly payloadFindings = new FindingList();
  private readonly warnings: string[] = [];
  private readonly chains = new Chains(this.entries);
  private readonly times = new TimeBounds(this.entries);
  private readonly keyHistory: KeyHistory;
  private readonly verify: VerifySignature;
  private readonly witnesses: readonly Vkey[];
  private readonly given: readonly SeenNote[];
  private own: OwnKey = 'absent';
  private newest: OpenedCheckpoint | null = null;
  private readonly meaning: Meaning;
  private readonly payloads: Payloads;
  private readonly writ: boolean;

  constructor(
    private readonly source: LogSource,
    private readonly options: VerifyOptions,
    private readonly trust: Trust,
  ) {
    this.verify = options.verifySignature ?? verifyEd25519;
    this.keyHistory = new KeyHistory(this.entries, this.order, this.verify);
    this.witnesses = trust.policy?.witnesses.map((witness) => witness.key) ?? [];
    this.given = seenNotes(options.old, options.trust);
    const { verifyDecision: decision = null, verifyAnswer: answer = null } = options;
    this.meaning = new Meaning(this.entries, this.order, { decision, answer });
    this.payloads = new Payloads(options.payloads ?? null, this.payloadFindings, this.warnings);
    this.writ = options.entries !== 'opaque';
  }

  async run(): Promise<VerifyReport> {
    const { source } = this;
    this.own = await ownKey(source, this.early);
    if (this.own === 'absent' && this.writ) this.files.add('missing', 'vkey is missing', { path: 'vkey' });
    const keys = this.keys();
    const open =
      keys.length > 0
        ? checkpointOpener(keys, this.witnesses, this.verify)
        : keylessOpener(this.witnesses, this.verify);
    const known = this.options.trust ?? null;
    const newest = await newestCheckpoint(source, { open, known, verify: this.verify }, this.early);
    if (newest === null) return this.report(null);
    this.newest = newest;
    const { checkpoint } = newest;
    this.judgeQuorum(newest);
    const pending = await pendingCheckpoint(source, open, checkpoint, this.early, this.warnings);

    const published = publishedCheckpoints(this.source, open);
    const seen = mergeSeen(this.givenCheckpoints(open, checkpoint), published);
    const bound = (of: OpenedCheckpoint['cosignatures']): bigint | null => boundOf(this.trust.policy, of);
    const growth = new Growth(source, open, checkpoint, pending);
    const history = new History(seen, checkpoint, growth, this.early, this.forks, bound);
    // Listing waits for the disk, and the first batch of a thread takes a while: one beside the other.
    const both = [this.readTree(checkpoint, history), this.checkFiles(checkpoint, growth)];
    for (const done of await Promise.allSettled(both)) if (done.status === 'rejected') throw done.reason;
    this.warnings.push(...this.listWarnings);
    if (growth.warning !== null) this.warnings.push(growth.warning);
    this.judgeTime(newest);
    await this.judgeKeys({ keys, first: open }, newest, pending !== null, history);
    if (!this.writ || this.tree.any) return this.report(checkpoint);
    return this.report(checkpoint, this.meaning.finish(), this.payloads.finish());
  }

  /** (4) to (8) What the tree holds, from the first entry to the last. */
  private async readTree({ size, root, origin }: Checkpoint, history: History): Promise<void> {
    const walk = this.options.walk ?? this.walkHere();
    for await (const batch of walk(size, root, this.tree)) {
      const bounds = await history.observe(batch);
      if (this.writ && !this.tree.any) await this.readEntries(batch, origin, bounds);
    }
    await history.finish();
  }

  private walkHere(): WalkTree {
    const hash = this.options.sha256 ?? sha256;
    const hasher = tileHasher((bytes, into, at) => {
      into.set(hash(bytes), at);
    });
    return (size, root, findings) => walkTree(this.source, size, root, findings, hasher);
  }

  /** The pinned keys; without any, the log's own, which proves nothing but that the files fit together. */
  private keys(): readonly Vkey[] {
    const { pinned } = this.trust;
    if (pinned.length > 0 || typeof this.own === 'string') return pinned;
    return this.own.type === 1 ? [this.own] : [];
  }

  /** (3) Enough witnesses. */
  private judgeQuorum({ cosignatures }: OpenedCheckpoint): void {
    const { policy } = this.trust;
    if (policy === null) return;
    const fault = quorumFault(policy, cosignatures);
    if (fault !== null) this.early.add('quorum-missing', fault, { path: 'checkpoint' });
    const unread = policy.witnesses.filter(({ key }) => key.type === 6).map(({ name }) => name);
    if (unread.length > 0) {
      this.warnings.push(
        `cosignatures of ${unread.join(', ')} are ML-DSA-44, which is not verified: they don't count`,
      );
    }
  }

  /** (4) What others kept of this log; those of another log or without a good signature are findings. */
  private givenCheckpoints(open: OpenCheckpoint, newest: Checkpoint): Seen[] {
    return this.given.flatMap(({ note, what, named }) => {
      const read = open(note);
      const seen = seenOf(read, what);
      if (seen === null) {
        if ('verdict' in read) this.early.add(read.verdict, `${named}: ${read.message}`);
        return [];
      }
      const { origin } = seen.checkpoint;
      if (origin === newest.origin) return [seen];
      this.early.add('wrong-origin', `${named} is of ${origin}, this log is ${newest.origin}`);
      return [];
    });
  }

  /** (6) The newest checkpoint bounds every entry. */
  private judgeTime({ checkpoint, cosignatures }: OpenedCheckpoint): void {
    const seconds = boundOf(this.trust.policy, cosignatures);
    if (seconds === null || this.tree.any) return;
    this.times.judge({ size: checkpoint.size, seconds, what: 'checkpoint' });
  }

  /** (4) and (7) Checkpoints of keys that were replaced, and whether `vkey` is the key of today. */
  private async judgeKeys(
    { keys, first }: { readonly keys: readonly Vkey[]; readonly first: OpenCheckpoint },
    newest: OpenedCheckpoint,
    isUnfinished: boolean,
    history: History,
  ): Promise<void> {
    this.keyHistory.finish();
    this.judgeOwnKey(isUnfinished);
    // What can't be traced to the root, or does not hold, tells nothing about keys; it is a finding of its own.
    if (this.tree.any || this.keyHistory.broken) return;
    const { size } = newest.checkpoint;
    const fault = newest.signers.length === 0 ? null : signerFault(newest.signers, size, this.keyHistory);
    if (fault !== null) this.early.add('bad-signature', fault, { path: 'checkpoint' });
    const replaced = keys.some((key) => this.keyHistory.lastSize(key) !== null);
    const former = this.keyHistory.formerKeys(keys);
    if (!history.waiting && !replaced && former.length === 0) return;
    const open = checkpointOpener([...keys, ...former], [], this.verify);
    const { source, given, keyHistory } = this;
    const seen = { source, given, first, open, size, keys: keyHistory, forks: history.waitingForks };
    await judgeFormer(seen, this.early, this.forks);
  }

  private judgeOwnKey(isUnfinished: boolean): void {
    // The publication of a rotation writes `vkey` before `checkpoint`.
    if (typeof this.own === 'string' || isUnfinished) return;
    const { name, keyId, type, publicKey } = this.own;
    const { pinned } = this.trust;
    if (pinned.length > 0 && !pinned.some((key) => key.name === name && key.keyId === keyId)) {
      const message = `the log's own vkey (${name}+${keyId}) is not a trusted one`;
      if (pinned.some((key) => key.name === name)) {
        this.files.add('bad-signature', `${message}; ${ROTATED}`, { path: 'vkey' });
      } else {
        this.files.add('wrong-origin', message, { path: 'vkey' });
      }
      return;
    }
    const { newest } = this.keyHistory;
    if (this.tree.any || newest === null || newest === formatVkey(name, type, publicKey)) return;
    this.files.add('bad-signature', 'vkey is not the key that the log was opened with last', {
      path: 'vkey',
    });
  }

  /** (6) to (8), entry by entry. */
  private async readEntries(batch: LeafBatch, origin: string, bounds: readonly TimeBound[]): Promise<void> {
    const { first, width, bundle, layouts } = batch;
    const hashes = hexOf(batch.hashes);
    let next = 0;
    let i = -1;
    for (const entry of readBatch(bundle ?? new Uint8Array(0), layouts)) {
      i += 1;
      const index = first + BigInt(i);
      for (let bound = bounds[next]; bound !== undefined && bound.size <= index; bound = bounds[++next]) {
        this.times.judge(bound);
      }
      if ('fault' in entry) {
        const verdict = entry.fault === 'json' ? 'malformed' : 'not-canonical';
        this.entries.add(verdict, `entry ${index}: ${entry.message}`, { index });
        continue;
      }
      this.times.observe(index, entry);
      this.keyHistory.observe(index, entry, origin);
      if (this.options.run !== undefined && entry.run !== this.options.run) {
        this.meaning.passOver(entry);
        continue;
      }
      const hash = hashes.slice(i * 64, i * 64 + 64);
      this.chains.observe(index, entry, hash);
      this.meaning.observe(index, entry, hash);
      // Most entries have nothing to look up: no turn of the event loop for them.
      const looked = this.payloads.observe(index, entry);
      if (looked !== null) await looked;
    }
    if (bundle !== null && (i + 1 !== width || hashes.length !== width * 64))
      throw new WritError('INTERNAL', `the batch from entry ${first} has not one hash for each entry`);
    for (const bound of bounds.slice(next)) this.times.judge(bound);
  }

  /** (5) Exactly the files that belong to the log. */
  private async checkFiles({ size }: Checkpoint, growth: Growth): Promise<void> {
    const path = checkpointPath(size);
    if (this.writ && (await this.source.get(path)) === null) {
      this.listed.add('missing', `${path} is missing`, { path });
    }
    if (this.source.list === undefined) {
      this.listWarnings.push(
        'the source lists no files: older checkpoints and files beyond the tree were not looked for',
      );
      return;
    }
    const list = (under?: string): AsyncIterable<string> => this.list(under);
    const { source, listed: findings, listWarnings: warnings } = this;
    await checkFiles({ source, list, size, growth, findings, warnings });
  }

  private list(under?: string): AsyncIterable<string> {
    if (this.source.list === undefined) throw new WritError('INTERNAL', 'the source lists no files');
    return this.source.list(under);
  }

  private report(
    checkpoint: Checkpoint | null,
    openIntents: VerifyReport['openIntents'] = [],
    erased: VerifyReport['erased'] = [],
  ): VerifyReport {
    const { run } = this.options;
    const whole = !this.tree.any;
    if (run !== undefined && checkpoint !== null && whole && !this.chains.has(run)) {
      this.entries.add('missing', `the log has no entry of run ${run}`);
    }
    // Entries of a tree that does not hold are not the log's, and a fork can't be told from the damage.
    const rules = whole
      ? [this.early, this.forks, this.files, this.listed, this.entries, this.order, this.payloadFindings]
      : [this.early, this.tree, this.files, this.listed];
    const findings: Finding[] = rules.flatMap((list) => list.items);
    const dropped = rules.reduce((sum, list) => sum + list.dropped, 0);
    if (dropped > 0) this.warnings.push(`${dropped} more findings are not listed`);
    if (!this.writ) this.warnings.push('entries are not read: chains, meaning and payloads were not checked');
    const { verifyDecision, verifyAnswer } = this.options;
    const { decisions, answers } = this.meaning.signatures;
    const hold = {
      decisions: verifyDecision === undefined ? null : String(decisions),
      answers: verifyAnswer === undefined ? null : String(answers),
    };
    this.warnings.push(...signatureNotes({ decisions, answers }, hold));
    if (openIntents.length > 0) this.warnings.push(`${openIntents.length} intents have no outcome`);
    if (findings.length === 0 && this.trust.pinned.length === 0) {
      const message =
        "the files fit together, but no key was given from outside; the log's own key proves nothing";
      findings.push({ verdict: 'unpinned', message });
    }
    return {
      verdict: findings[0]?.verdict ?? 'verified',
      ok: findings.length === 0,
      origin: checkpoint?.origin ?? null,
      size: checkpoint?.size.toString() ?? null,
      root: checkpoint === null ? null : encodeBase64(checkpoint.root),
      cosignatures: (this.newest?.cosignatures ?? []).map(({ key, seconds }) => ({
        name: key.name,
        keyId: key.keyId,
        time: seconds.toString(),
      })),
      findings,
      warnings: this.warnings,
      openIntents,
      erased,
    };
  }
}
