// Whom a verifier trusts, as a file (C2SP tlog-policy): logs, witnesses, groups of witnesses, and the quorum that a
// checkpoint needs. Names mean something within the file only. Read strictly; a line that can't be read refuses it.
import { bytesToHex } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { parseVkey, type Vkey } from './vkey.js';

/** Bounds on a policy file; C2SP asks for at least 32 of each. */
export const MAX_POLICY_BYTES = 65_536;
const MAX_POLICY_ITEMS = 100;

export interface PolicyLog {
  readonly key: Vkey;
  /** As it stands in the file. */
  readonly vkey: string;
  readonly url: string | null;
}

export interface PolicyWitness extends PolicyLog {
  /** Its name in the file; the key's own name is `key.name`. */
  readonly name: string;
}

export interface PolicyGroup {
  readonly name: string;
  /** How many members must have witnessed: 1 to the number of members. */
  readonly threshold: number;
  readonly members: readonly string[];
}

export interface TlogPolicy {
  /** Log keys, all of type 1. */
  readonly logs: readonly PolicyLog[];
  /** Witness keys of type 4, or 6, whose cosignatures are never verified and so never count. */
  readonly witnesses: readonly PolicyWitness[];
  /** Members are defined above their group. */
  readonly groups: readonly PolicyGroup[];
  /** A witness or a group; null = `quorum none`, no cosignature is needed. */
  readonly quorum: string | null;
}

/**
 * The policy in `text`, which must be what the file's bytes say as UTF-8 (the caller decodes strictly). Throws
 * AUDIT_POLICY_INVALID with the number of the line.
 */
export function parsePolicy(text: string): TlogPolicy {
  if (new TextEncoder().encode(text).length > MAX_POLICY_BYTES) {
    throw invalid(null, `it is longer than ${MAX_POLICY_BYTES} bytes`);
  }
  const lines = text.split('\n');
  if (lines.pop() !== '') throw invalid(lines.length + 1, 'the last line does not end with a newline');
  const reader = new PolicyReader();
  lines.forEach((line, i) => {
    reader.read(line, i + 1);
  });
  return reader.finish();
}

/** The policy that asks for `k` of these witnesses (default: all). Throws AUDIT_POLICY_INVALID, AUDIT_KEY_INVALID. */
export function policyOfWitnesses(vkeys: readonly string[], k: number = vkeys.length): TlogPolicy {
  const witnesses = vkeys.map((vkey) => {
    const key = parseVkey(vkey);
    return { name: `${key.name}+${key.keyId}`, key, vkey, url: null };
  });
  const members = witnesses.map((witness) => witness.name);
  if (witnesses.some(({ key }) => key.type === 1)) throw invalid(null, 'the key of a witness is a log key');
  if (new Set(witnesses.map(({ key }) => bytesToHex(key.publicKey))).size !== witnesses.length) {
    throw invalid(null, 'a witness is given twice');
  }
  if (witnesses.length > MAX_POLICY_ITEMS) throw invalid(null, `more than ${MAX_POLICY_ITEMS} witnesses`);
  if (!Number.isSafeInteger(k) || k < 1 || k > members.length) {
    throw invalid(null, `a quorum of ${k} can't be met by ${members.length} witnesses`);
  }
  return { logs: [], witnesses, groups: [{ name: 'quorum', threshold: k, members }], quorum: 'quorum' };
}

/** Whether the witnesses that cosigned (verified keys, in any order) are enough. */
export function quorumMet(policy: TlogPolicy, cosigners: readonly Vkey[]): boolean {
  if (policy.quorum === null) return true;
  const signed = new Set(cosigners.filter((key) => key.type === 4).map(keyOf));
  const witnessed = new Set(
    policy.witnesses.filter(({ key }) => signed.has(keyOf(key))).map((witness) => witness.name),
  );
  // Groups stand below their members, so one pass in file order settles them all.
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => witnessed.has(member)).length >= threshold) witnessed.add(name);
  }
  return witnessed.has(policy.quorum);
}

/** `2 of a, b, c`: what the quorum asks for, in words and with its groups spelled out. */
export function describeQuorum(policy: TlogPolicy): string {
  if (policy.quorum === null) return 'none';
  const texts = new Map(policy.witnesses.map(({ name }) => [name, name]));
  for (const { name, threshold, members } of policy.groups) {
    const inner = members.map((member) => texts.get(member) ?? member).join(', ');
    texts.set(name, members.length === 1 ? inner : `(${threshold} of ${inner})`);
  }
  return (texts.get(policy.quorum) ?? policy.quorum).replace(/^\((.*)\)$/su, '$1');
}

/** Reads line by line; every name and key is known before it is used. */
class PolicyReader {
  private readonly logs: PolicyLog[] = [];
  private readonly witnesses: PolicyWitness[] = [];
  private readonly groups: PolicyGroup[] = [];
  private readonly names = new Set<string>();
  /** Members of some group: each name counts in one way only. */
  private readonly used = new Set<string>();
  /** Public keys, whatever their name and type. */
  private readonly keys = new Set<string>();
  private quorum: string | null | undefined;

  /** `line` is attacker-controlled as far as somebody else wrote the policy. */
  read(line: string, number: number): void {
    // Octets of C2SP: tab and printable ASCII; above 0x7f opaque.
    if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(line)) {
      throw invalid(number, 'a control character other than tab and newline');
    }
    const words = line.split(/[ \t]+/).filter((word) => word !== '');
    const [kind, ...rest] = words;
    if (kind === undefined || kind.startsWith('#')) return;
    if (kind === 'log') this.log(rest, number);
    else if (kind === 'witness') this.witness(rest, number);
    else if (kind === 'group') this.group(rest, number);
    else if (kind === 'quorum') this.setQuorum(rest, number);
    else throw invalid(number, 'it begins with none of log, witness, group, quorum and #');
  }

  finish(): TlogPolicy {
    if (this.quorum === undefined) throw invalid(null, 'it has no quorum line');
    return { logs: this.logs, witnesses: this.witnesses, groups: this.groups, quorum: this.quorum };
  }

  private log([vkey, url, ...more]: readonly string[], line: number): void {
    if (vkey === undefined || more.length > 0) throw invalid(line, 'a log line is: log <vkey> [<url>]');
    const key = this.key(vkey, line);
    if (key.type !== 1) throw invalid(line, 'the key of a log is not of type 1');
    this.logs.push({ key, vkey, url: url ?? null });
    this.bound(this.logs, line);
  }

  private witness([name, vkey, url, ...more]: readonly string[], line: number): void {
    if (name === undefined || vkey === undefined || more.length > 0) {
      throw invalid(line, 'a witness line is: witness <name> <vkey> [<url>]');
    }
    const key = this.key(vkey, line);
    if (key.type === 1) throw invalid(line, "the key of a witness is a log's");
    this.define(name, line);
    this.witnesses.push({ name, key, vkey, url: url ?? null });
    this.bound(this.witnesses, line);
  }

  private group([name, k, ...members]: readonly string[], line: number): void {
    if (name === undefined || k === undefined || members.length === 0) {
      throw invalid(line, 'a group line is: group <name> <k|any|all> <member>...');
    }
    for (const member of members) {
      if (!this.names.has(member)) throw invalid(line, `the member "${member}" is not defined above`);
      if (this.used.has(member)) throw invalid(line, `"${member}" is a member already`);
      this.used.add(member);
    }
    this.define(name, line);
    const threshold = k === 'any' ? 1 : k === 'all' ? members.length : decimal(k);
    if (threshold === null || threshold > members.length) {
      throw invalid(line, `the threshold is not any, all or 1 to ${members.length}`);
    }
    this.groups.push({ name, threshold, members });
    this.bound(this.groups, line);
  }

  private setQuorum([name, ...more]: readonly string[], line: number): void {
    if (name === undefined || more.length > 0) throw invalid(line, 'a quorum line is: quorum <name|none>');
    if (this.quorum !== undefined) throw invalid(line, 'a second quorum line');
    if (name !== 'none' && !this.names.has(name)) throw invalid(line, `"${name}" is not defined above`);
    this.quorum = name === 'none' ? null : name;
  }

  private key(vkey: string, line: number): Vkey {
    let key: Vkey;
    try {
      key = parseVkey(vkey);
    } catch (error) {
      if (error instanceof WritError) throw invalid(line, error.message);
      throw error;
    }
    const id = bytesToHex(key.publicKey);
    if (this.keys.has(id)) throw invalid(line, 'its public key stands in another line');
    this.keys.add(id);
    return key;
  }

  private define(name: string, line: number): void {
    if (name === 'none') throw invalid(line, 'the name "none" has a meaning of its own');
    if (this.names.has(name)) throw invalid(line, `the name "${name}" is defined twice`);
    this.names.add(name);
  }

  private bound(items: readonly unknown[], line: number): void {
    if (items.length > MAX_POLICY_ITEMS) throw invalid(line, `more than ${MAX_POLICY_ITEMS} of one kind`);
  }
}

function decimal(text: string): number | null {
  return /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : null;
}

function keyOf(key: Vkey): string {
  return `${key.name}+${key.keyId}+${bytesToHex(key.publicKey)}`;
}

function invalid(line: number | null, reason: string): WritError {
  const where = line === null ? '' : ` line ${line}`;
  return new WritError('AUDIT_POLICY_INVALID', `invalid tlog-policy${where}: ${reason}`, {
    hint: 'see https://c2sp.org/tlog-policy',
    ...(line === null ? {} : { details: { line } }),
  });
}
