// Every vector of audit/vectors against both verifiers: the verdict and its place are the expected ones, and the same.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MemoryDirectory } from './log-fixture.js';
import { verifyClaimedDecision } from '../../src/approval/claimed-decision.js';
import { verifyClaimedTaskAnswer } from '../../src/approval/claimed-task-answer.js';
import { digestOfSubjectBytes } from '../../src/approval/subject.js';
import { verifyEvidence } from '../../src/audit/evidence/verify.js';
import { openNote } from '../../src/audit/index.js';
import { verifyEd25519 } from '../../src/audit/ed25519.js';
import { parsePolicy } from '../../src/audit/tlog-policy.js';
import { verifyProof } from '../../src/audit/tlog-proof.js';
import type { VerifyReport } from '../../src/audit/verify/report.js';
import { WritError } from '../../src/errors.js';
import { verifyWithNode } from '../../src/verify-trust.js';
import { decisive, judgeFirst, judgeSecond, second, type Given, type Payload } from './second-verifier.js';

type Edit =
  | { readonly op: 'put'; readonly path: string; readonly base64: string }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'copy'; readonly from: string; readonly path: string }
  | { readonly op: 'keep'; readonly paths: readonly string[] }
  | { readonly op: 'flip'; readonly path: string; readonly at: number; readonly bit: number }
  | { readonly op: 'cut'; readonly path: string; readonly bytes: number }
  | { readonly op: 'replace'; readonly path: string; readonly from: string; readonly to: string }
  | {
      readonly op: 'arrange';
      readonly path: string;
      readonly ranges: readonly (readonly [number, number])[];
    };

interface Vector {
  readonly name: string;
  readonly log: string;
  readonly edits: readonly Edit[];
  readonly given: Omit<Given, 'old' | 'payloads'> & {
    readonly old: readonly string[];
    readonly payloads?: Readonly<
      Record<string, { readonly salt: string | null; readonly bytes: string | null }>
    >;
  };
  readonly expect: {
    readonly verdict: string;
    readonly index?: string;
    readonly path?: string;
    readonly openIntents?: number;
    readonly erased?: number;
  };
}
interface VectorFile {
  readonly about: string;
  readonly logs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly tests: readonly Vector[];
}

const FOLDER = path.join(import.meta.dirname, '../../audit/vectors');
const decode = (text: string): Buffer => Buffer.from(text, 'base64');
const decodeOrNull = (text: string | null): Buffer | null => (text === null ? null : decode(text));

function logOf(file: VectorFile, { log, edits }: Vector): MemoryDirectory {
  const directory = new MemoryDirectory();
  for (const [name, base64] of Object.entries(file.logs[log] ?? {}))
    directory.files.set(name, decode(base64));
  for (const edit of edits) apply(directory.files, edit);
  return directory;
}

function apply(files: Map<string, Uint8Array>, edit: Edit): void {
  const old = 'path' in edit ? Buffer.from(files.get(edit.path) ?? []) : Buffer.alloc(0);
  switch (edit.op) {
    case 'put':
      files.set(edit.path, decode(edit.base64));
      return;
    case 'remove':
      files.delete(edit.path);
      return;
    case 'copy':
      files.set(edit.path, files.get(edit.from) ?? Buffer.alloc(0));
      return;
    case 'keep':
      for (const name of files.keys()) if (!edit.paths.includes(name)) files.delete(name);
      return;
    case 'flip':
      old[edit.at] = (old[edit.at] ?? 0) ^ (1 << edit.bit);
      files.set(edit.path, old);
      return;
    case 'cut':
      files.set(edit.path, old.subarray(0, old.length - edit.bytes));
      return;
    case 'replace': {
      const text = old.toString('latin1');
      if (!text.includes(edit.from)) throw new Error(`${edit.path} does not hold ${edit.from}`);
      files.set(edit.path, Buffer.from(text.replace(edit.from, edit.to), 'latin1'));
      return;
    }
    case 'arrange': {
      const items: Buffer[] = [];
      for (let at = 0; at < old.length; at += 2 + old.readUInt16BE(at))
        items.push(old.subarray(at, at + 2 + old.readUInt16BE(at)));
      files.set(edit.path, Buffer.concat(edit.ranges.flatMap(([from, to]) => items.slice(from, to))));
    }
  }
}

function givenOf({ old, payloads, ...given }: Vector['given']): Given {
  const read = (payload: { salt: string | null; bytes: string | null }): Payload => ({
    salt: decodeOrNull(payload.salt),
    bytes: decodeOrNull(payload.bytes),
  });
  const entries = Object.entries(payloads ?? {}).map(([hex, payload]) => [hex, read(payload)] as const);
  return {
    ...given,
    old: old.map(decode),
    ...(payloads === undefined ? {} : { payloads: Object.fromEntries(entries) }),
  };
}

const LOGS = ['sizes', 'tampered', 'entries', 'meaning', 'keys', 'witnesses', 'payloads'];

const FILES = ['proofs', 'evidence', 'notes', 'policies', 'signatures'];

it('reads every file of audit/vectors', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  expect(files.map((name) => path.basename(name, '.json')).sort()).toEqual([...LOGS, ...FILES].sort());
});

function read<T>(name: string): T {
  return JSON.parse(readFileSync(path.join(FOLDER, `${name}.json`), 'utf8')) as T;
}

describe.each(LOGS)('audit/vectors/%s.json', (name) => {
  const file = read<VectorFile>(name);

  it.each(file.tests)('$name: $expect.verdict', async (vector) => {
    const { verdict, index, path: where, openIntents = 0, erased = 0 } = vector.expect;
    const [directory, given] = [logOf(file, vector), givenOf(vector.given)];
    const reports = [judgeSecond(directory, given), await judgeFirst(directory, given)];
    for (const report of reports) {
      expect(decisive(report), report.findings[0]?.message).toEqual({
        verdict,
        ...(index === undefined ? {} : { index }),
        ...(where === undefined ? {} : { path: where }),
      });
      expect(report.ok).toBe(verdict === 'verified');
      if (!report.ok) continue;
      expect(report.openIntents).toHaveLength(openIntents);
      expect(report.erased).toHaveLength(erased);
    }
    const [ours, theirs] = reports;
    expect([ours?.origin, ours?.size, ours?.root]).toEqual([theirs?.origin, theirs?.size, theirs?.root]);
    expect(ours?.cosignatures).toEqual(theirs?.cosignatures);
    if (ours?.ok === true)
      expect([ours.openIntents, ours.erased]).toEqual([theirs?.openIntents, theirs?.erased]);
  });
});

interface FileVector {
  readonly name: string;
  readonly given: Vector['given'];
  readonly expect: Vector['expect'];
}

function expectVerdict(reports: readonly VerifyReport[], { verdict, index }: Vector['expect']): void {
  for (const report of reports) {
    expect(decisive(report), report.findings[0]?.message).toEqual({
      verdict,
      ...(index === undefined ? {} : { index }),
    });
    expect(report.ok).toBe(verdict === 'verified');
  }
}
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('audit/vectors/proofs.json', () => {
  const { tests } = read<{ tests: readonly (FileVector & { proof: string; entry: string })[] }>('proofs');
  it.each(tests)('$name: $expect.verdict', (vector) => {
    const { old = [], ...given } = givenOf(vector.given);
    const [proof, entry] = [decode(vector.proof), decode(vector.entry)];
    const ours = verifyProof(proof, entry, {
      ...given,
      old: old.map(textOf),
      verifySignature: verifyWithNode,
    });
    expectVerdict([ours, second.verifyProof(proof, entry, { ...given, old })], vector.expect);
  });
});

describe('audit/vectors/evidence.json', () => {
  const { tests } = read<{ tests: readonly (FileVector & { bundle: string })[] }>('evidence');
  it.each(tests)('$name: $expect.verdict', (vector) => {
    const { old = [], ...given } = givenOf(vector.given);
    const bundle = decode(vector.bundle);
    const ours = verifyEvidence(bundle, {
      ...given,
      old: old.map(textOf),
      verifyDecision: verifyClaimedDecision,
      verifyAnswer: verifyClaimedTaskAnswer,
      verifySignature: verifyWithNode,
      subjectDigest: digestOfSubjectBytes,
    });
    expectVerdict([ours.report, second.verifyEvidence(bundle, { ...given, old })], vector.expect);
  });
});

/** What `act` gives, null when it refuses; any other error is a crash. */
function accepted<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof WritError)) expect(error).toHaveProperty('verdict');
    return null;
  }
}

describe('audit/vectors/notes.json', () => {
  const { tests } = read<{
    tests: readonly {
      name: string;
      note: string;
      given: { vkeys: string[] };
      expect: { ok: boolean; verified?: string[]; unverified?: number };
    }[];
  }>('notes');
  it.each(tests)('$name: $expect.ok', ({ note, given, expect: { ok, verified, unverified } }) => {
    for (const open of [openNote, second.openNote]) {
      const opened = accepted(() => open(decode(note), given.vkeys));
      expect(opened !== null).toBe(ok);
      if (opened === null) continue;
      expect(opened.verified.map(({ name }) => name)).toEqual(verified);
      expect(opened.unverified).toBe(unverified);
    }
  });
});

describe('audit/vectors/policies.json', () => {
  const { tests } = read<{ tests: readonly { name: string; policy: string; expect: { ok: boolean } }[] }>(
    'policies',
  );
  it.each(tests)('$name: $expect.ok', ({ policy, expect: { ok } }) => {
    for (const parse of [parsePolicy, second.parsePolicy])
      expect(accepted(() => parse(textOf(decode(policy)))) !== null).toBe(ok);
  });
});

describe('audit/vectors/signatures.json', () => {
  const { tests } = read<{
    tests: readonly {
      name: string;
      key: string;
      message: string;
      signature: string;
      expect: { ok: boolean };
    }[];
  }>('signatures');
  it.each(tests)('$name: $expect.ok', ({ key, message, signature, expect: { ok } }) => {
    for (const verify of [verifyEd25519, verifyWithNode, second.verifySignature])
      expect(verify(decode(key), decode(message), decode(signature))).toBe(ok);
  });
});
