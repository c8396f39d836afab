// The verification of a whole log, in the order of FORMAT.md section 9: trust from outside, the note, earlier
// checkpoints, every file and the root, each entry, their meaning, payloads. Streaming; nothing here is believed
// because the log says so.
import { WritError } from '../../errors.js';
import { encodeBase64 } from '../base64.js';
import { parseCheckpoint, type Checkpoint } from '../checkpoint.js';
import { verifyEd25519, type VerifySignature } from '../ed25519.js';
import { readEntry } from '../entry.js';
import { parseNote } from '../note.js';
import { checkpointPath } from '../tile-path.js';
import { parseVkey, type Vkey } from '../vkey.js';
import { Chains } from './chain.js';
import { checkFiles } from './files.js';
import { History, mergeSeen, publishedCheckpoints, type Seen } from './history.js';
import { Meaning, type VerifyDecision } from './meaning.js';
import { Payloads, type ReadPayload } from './payloads.js';
import { FindingList, type Finding, type VerifyReport } from './report.js';
import { checkpointOpener, type OpenCheckpoint } from './signed-checkpoint.js';
import type { LogSource } from './source.js';
import { walkTree, type LeafBatch } from './tree-walk.js';

/** All of it comes from outside the log that is judged. */
export interface VerifyOptions {
  /** Pinned log keys. Without any (and without `trust`) the best verdict is `unpinned`. */
  readonly vkeys?: readonly string[];
  /** Signed checkpoints of this log seen elsewhere, whole notes. */
  readonly old?: readonly string[];
  /** What this machine saw of the log; its key is a pin when `vkeys` gives none. */
  readonly trust?: { readonly vkey: string; readonly checkpoint: string | null } | null;
  /** Judge the entries of this run only; the tree is judged whole. */
  readonly run?: string;
  /** Checks every commitment against its payload. */
  readonly payloads?: ReadPayload;
  /** `opaque`: a log of other software; entries are bytes, nothing is read from them. Default `writ`. */
  readonly entries?: 'writ' | 'opaque';
  /** Checks an approver's signature with the key its entry names; absent: signatures are counted, not checked. */
  readonly verifyDecision?: VerifyDecision;
  /** A faster Ed25519 than this room's, e.g. the platform's. */
  readonly verifySignature?: VerifySignature;
}

const OPTIONS = ['vkeys', 'old', 'trust', 'run', 'payloads', 'entries', 'verifyDecision', 'verifySignature'];

/**
 * Verifies the log in `source`. Never rejects because of what the log holds: that is the report. Rejects with USAGE
 * on options this version does not know (a quorum that is not checked must not look checked), AUDIT_KEY_INVALID,
 * AUDIT_NOTE_INVALID and AUDIT_CHECKPOINT_INVALID on options that can't be read, and with what `source` rejects.
 */
export async function verifyLog(source: LogSource, options: VerifyOptions = {}): Promise<VerifyReport> {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw new WritError('USAGE', `verifyLog does not know the option "${unknown}"`, {
      hint: `it knows ${OPTIONS.join(', ')}; witness quorums and policies are not supported yet`,
    });
  }
  const trust = pinnedKeys(options);
  for (const note of [...(options.old ?? []), ...notes(options.trust)]) parseCheckpoint(parseNote(note).text);
  return new Verification(source, options, trust).run();
}

/** (1) Trust from outside. */
function pinnedKeys(options: VerifyOptions): readonly Vkey[] {
  const given = options.vkeys ?? [];
  const texts = given.length > 0 ? given : options.trust ? [options.trust.vkey] : [];
  const keys = texts.map(parseVkey);
  const other = keys.find((key) => key.type !== 1);
  if (other === undefined) return keys;
  throw new WritError('AUDIT_KEY_INVALID', `the key ${other.name} is a witness's, not a log's`, {
    hint: 'pin the key that writ audit vkey prints; witnesses are not supported yet',
  });
}

function notes(trust: VerifyOptions['trust']): string[] {
  return trust?.checkpoint ? [trust.checkpoint] : [];
}

/** One verification; the lists are the rules, in the order that decides the verdict. */
class Verification {
  private readonly early = new FindingList();
  private readonly forks = new FindingList();
  private readonly tree = new FindingList();
  private readonly files = new FindingList();
  private readonly entries = new FindingList();
  private readonly order = new FindingList();
  private readonly payloadFindings = new FindingList();
  private readonly warnings: string[] = [];
  private readonly chains = new Chains(this.entries);
  private readonly meaning: Meaning;
  private readonly payloads: Payloads;
  private readonly writ: boolean;

  constructor(
    private readonly source: LogSource,
    private readonly options: VerifyOptions,
    private readonly pinned: readonly Vkey[],
  ) {
    this.meaning = new Meaning(this.entries, this.order, options.verifyDecision ?? null);
    this.payloads = new Payloads(options.payloads ?? null, this.payloadFindings, this.warnings);
    this.writ = options.entries !== 'opaque';
  }

  async run(): Promise<VerifyReport> {
    const keys = await this.keys();
    const open = checkpointOpener(keys, this.options.verifySignature ?? verifyEd25519);
    const newest = await this.newestCheckpoint(open, keys.length > 0);
    if (newest === null) return this.report(null);
    const { checkpoint } = newest;
    const pending = await this.pendingCheckpoint(open, checkpoint);

    const published = publishedCheckpoints(this.source, open, this.early);
    const seen = mergeSeen(this.givenCheckpoints(open, checkpoint), published);
    const history = new History(seen, checkpoint, pending, this.early, this.forks);
    for await (const batch of walkTree(this.source, checkpoint.size, checkpoint.root, this.tree)) {
      await history.observe(batch);
      if (this.writ && !this.tree.any) await this.readEntries(batch, checkpoint.origin);
    }
    await history.finish();
    await this.checkFiles(newest, pending?.size ?? null);
    if (!this.writ || this.tree.any) return this.report(checkpoint);
    return this.report(checkpoint, this.meaning.finish(), this.payloads.finish());
  }

  /** The pinned keys; without any, the log's own, which proves nothing but that the files fit together. */
  private async keys(): Promise<readonly Vkey[]> {
    const bytes = await this.source.get('vkey');
    if (bytes === null) {
      if (this.writ) this.files.add('missing', 'vkey is missing', { path: 'vkey' });
      return this.pinned;
    }
    let own: Vkey;
    try {
      own = parseVkey(
        new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\n$/, ''),
      );
    } catch {
      // Whatever is wrong with it, the file is not the one line it must be.
      this.early.add('malformed', 'vkey is not one line with a vkey', { path: 'vkey' });
      return this.pinned;
    }
    if (this.pinned.length === 0) return own.type === 1 ? [own] : [];
    if (this.pinned.some((key) => key.name === own.name && key.keyId === own.keyId)) return this.pinned;
    const sameName = this.pinned.some((key) => key.name === own.name);
    const message = `the log's own vkey (${own.name}+${own.keyId}) is not a trusted one`;
    this.files.add(sameName ? 'bad-signature' : 'wrong-origin', message, { path: 'vkey' });
    return this.pinned;
  }

  /** (2) Note, signatures, origin, checkpoint. */
  private async newestCheckpoint(
    open: OpenCheckpoint,
    keyed: boolean,
  ): Promise<{ checkpoint: Checkpoint; text: string } | null> {
    const path = 'checkpoint';
    const bytes = await this.source.get(path);
    if (bytes === null) {
      this.early.add('missing', 'checkpoint is missing', { path });
      return null;
    }
    const read = open(bytes);
    if (!('verdict' in read)) return read;
    if (!keyed && read.verdict === 'bad-signature') {
      // No key at all: the hashes can still be checked, and the verdict says unpinned.
      const { text } = parseNote(bytes);
      return { checkpoint: parseCheckpoint(text), text };
    }
    this.early.add(read.verdict, read.message, { path });
    return null;
  }

  /**
   * The signed checkpoint of a publication that a crash interrupted, or that goes on right now: files up to its size
   * are no damage. Null when there is none, or when `checkpoint` has reached it.
   */
  private async pendingCheckpoint(open: OpenCheckpoint, newest: Checkpoint): Promise<Checkpoint | null> {
    const path = 'pending';
    const bytes = await this.source.get(path);
    if (bytes === null) return null;
    const read = open(bytes);
    if ('verdict' in read) {
      this.early.add(read.verdict, `pending: ${read.message}`, { path });
      return null;
    }
    const { checkpoint } = read;
    if (checkpoint.origin !== newest.origin) {
      this.early.add('wrong-origin', `pending is of ${checkpoint.origin}, this log is ${newest.origin}`, {
        path,
      });
      return null;
    }
    if (checkpoint.size <= newest.size) return null;
    const message = `the publication of size ${checkpoint.size} is unfinished: only ${newest.size} entries were judged`;
    this.warnings.push(message);
    return checkpoint;
  }

  /** (4) What others kept of this log; those of another log or without a good signature are findings. */
  private givenCheckpoints(open: OpenCheckpoint, newest: Checkpoint): Seen[] {
    const given = [
      ...(this.options.old ?? []).map((note, i) => ({ note, what: `old checkpoint ${i + 1}` })),
      ...notes(this.options.trust).map((note) => ({
        note,
        what: 'the checkpoint this machine verified before',
      })),
    ];
    return given.flatMap(({ note, what }) => {
      const read = open(note);
      if ('verdict' in read) {
        this.early.add(read.verdict, `${what}: ${read.message}`);
        return [];
      }
      if (read.checkpoint.origin !== newest.origin) {
        this.early.add(
          'wrong-origin',
          `${what} is of ${read.checkpoint.origin}, this log is ${newest.origin}`,
        );
        return [];
      }
      return [{ checkpoint: read.checkpoint, what }];
    });
  }

  /** (6) to (8), entry by entry. */
  private async readEntries(batch: LeafBatch, origin: string): Promise<void> {
    for (const [i, bytes] of (batch.entries ?? []).entries()) {
      const index = batch.first + BigInt(i);
      const entry = readEntry(bytes);
      if ('fault' in entry) {
        const verdict = entry.fault === 'json' ? 'malformed' : 'not-canonical';
        this.entries.add(verdict, `entry ${index}: ${entry.message}`, { index });
        continue;
      }
      if (this.options.run !== undefined && entry.run !== this.options.run) continue;
      const hash = batch.hashes[i];
      if (hash === undefined) throw new WritError('INTERNAL', `a batch without the hash of entry ${index}`);
      this.chains.observe(index, entry, hash);
      if (entry.type === 'log.opened' && entry.data.origin !== origin) {
        this.entries.add('wrong-origin', `entry ${index} opens another log than ${origin}`, { index });
      }
      this.meaning.observe(index, entry, hash);
      await this.payloads.observe(index, entry);
    }
  }

  /** (5) Exactly the files that belong to the log. */
  private async checkFiles(
    newest: { checkpoint: Checkpoint; text: string },
    pendingSize: bigint | null,
  ): Promise<void> {
    const { size } = newest.checkpoint;
    const path = checkpointPath(size);
    if (this.writ && (await this.source.get(path)) === null) {
      this.files.add('missing', `${path} is missing`, { path });
    }
    if (this.source.list === undefined) {
      this.warnings.push(
        'the source lists no files: older checkpoints and files beyond the tree were not looked for',
      );
      return;
    }
    await checkFiles(this.source, (under) => this.list(under), size, pendingSize, this.files, this.warnings);
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
      ? [this.early, this.forks, this.files, this.entries, this.order, this.payloadFindings]
      : [this.early, this.tree, this.files];
    const findings: Finding[] = rules.flatMap((list) => list.items);
    const dropped = rules.reduce((sum, list) => sum + list.dropped, 0);
    if (dropped > 0) this.warnings.push(`${dropped} more findings are not listed`);
    if (!this.writ) this.warnings.push('entries are not read: chains, meaning and payloads were not checked');
    if (this.meaning.signatures > 0) {
      this.warnings.push(
        this.options.verifyDecision === undefined
          ? `approver signatures not checked: ${this.meaning.signatures}`
          : `approver signatures that hold: ${this.meaning.signatures}; whose keys they are is for approvers.yaml to say`,
      );
    }
    if (openIntents.length > 0) this.warnings.push(`${openIntents.length} intents have no outcome`);
    if (findings.length === 0 && this.pinned.length === 0) {
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
      findings,
      warnings: this.warnings,
      openIntents,
      erased,
    };
  }
}
