// The standalone verifier (audit/verify.mjs) with types, and both verifiers asked the same question. It is plain
// JavaScript outside of the build, so what it exports is described here.
import { pathToFileURL } from 'node:url';
import path from 'node:path';
import { verifyLog, type LogSource, type VerifyReport } from '../../src/audit/index.js';
import type { ReadPayload } from '../../src/audit/verify/payloads.js';
import { verifyClaimedDecision } from '../../src/approval/claimed-decision.js';
import { verifyClaimedTaskAnswer } from '../../src/approval/claimed-task-answer.js';
import { verifyWithNode } from '../../src/verify-trust.js';
import type { MemoryDirectory } from './log-fixture.js';

/** What both verifiers are told, all of it from outside the log. */
export interface Given {
  readonly vkeys?: readonly string[];
  readonly policy?: string;
  readonly witnesses?: readonly string[];
  readonly quorum?: number;
  readonly old?: readonly Uint8Array[];
  readonly run?: string;
  /** By commitment. */
  readonly payloads?: Readonly<Record<string, Payload>>;
}
export interface Payload {
  readonly salt: Uint8Array | null;
  readonly bytes: Uint8Array | null;
}

type Claim = Readonly<Record<string, unknown>>;
interface LogFiles {
  readonly get: (path: string) => Uint8Array | null;
  readonly list: (under: string) => Iterable<string>;
}
export interface SecondVerifier {
  readonly leafHash: (bytes: Uint8Array) => Uint8Array;
  readonly nodeHash: (left: Uint8Array, right: Uint8Array) => Uint8Array;
  readonly treeHash: (hashes: readonly Uint8Array[]) => Uint8Array;
  readonly verifyInclusion: (claim: Claim) => boolean;
  readonly verifyConsistency: (claim: Claim) => boolean;
  readonly canonicalize: (value: unknown) => string;
  readonly parseVkey: (text: string) => { name: string; id: string; type: number; key: Uint8Array };
  readonly openNote: (
    note: Uint8Array,
    vkeys: readonly string[],
  ) => { text: string; verified: { name: string; keyId: string }[]; unverified: number };
  readonly parseCheckpoint: (text: string) => {
    origin: string;
    size: bigint;
    root: Uint8Array;
    extensions: string[];
  };
  readonly parsePolicy: (text: string) => unknown;
  readonly verifySignature: (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  readonly tilePath: (level: number | 'entries', n: bigint, width?: number) => string;
  readonly parseTilePath: (path: string) => { level: number | 'entries'; n: bigint; width: number } | null;
  readonly readEntry: (bytes: Uint8Array) => unknown;
  readonly verifyProof: (proof: Uint8Array, entry: Uint8Array, options: Claim) => VerifyReport;
  readonly verifyEvidence: (bytes: Uint8Array, options: Claim) => VerifyReport;
  readonly directorySource: (dir: string) => LogFiles;
  readonly verifyLog: (source: LogFiles, options: Claim) => VerifyReport;
}

export const SECOND_VERIFIER = path.join(import.meta.dirname, '../../audit/verify.mjs');
export const second = (await import(pathToFileURL(SECOND_VERIFIER).href)) as SecondVerifier;

/** The standalone verifier's report on a log in memory. */
export function judgeSecond(directory: MemoryDirectory, { payloads, ...given }: Given): VerifyReport {
  const source = {
    get: (name: string) => {
      const bytes = directory.files.get(name);
      return bytes === undefined ? null : Buffer.from(bytes);
    },
    list: (under: string) =>
      [...directory.files.keys()].sort().filter((name) => under === '' || name.startsWith(`${under}/`)),
  };
  const payload = payloads === undefined ? null : (hex: string) => payloads[hex] ?? null;
  return second.verifyLog(source, { ...given, payload });
}

/** What the first verifier checks signatures with, as the command line does. */
export const SIGNATURES = {
  verifyDecision: verifyClaimedDecision,
  verifyAnswer: verifyClaimedTaskAnswer,
  verifySignature: verifyWithNode,
};

/** This repository's report, as `writ audit verify --no-trust` makes it. */
export function judgeFirst(directory: LogSource, { payloads, old, ...given }: Given): Promise<VerifyReport> {
  const read: ReadPayload = (hex) => Promise.resolve(payloads?.[hex] ?? null);
  return verifyLog(directory, {
    ...given,
    old: (old ?? []).map((note) => new TextDecoder().decode(note)),
    ...(payloads === undefined ? {} : { payloads: read }),
    ...SIGNATURES,
  });
}

/** Verdict and place of what decides: what two verifiers have to agree on. */
export function decisive(report: VerifyReport): { verdict: string; index?: string; path?: string } {
  const [first] = report.findings;
  const { index, path: file } = first ?? {};
  return {
    verdict: report.verdict,
    ...(index === undefined ? {} : { index }),
    ...(file === undefined ? {} : { path: file }),
  };
}
