// What an approval is bound to: one exact action. Any change of any key is another digest, so the old approval
// starts nothing (reference: subject digest, writ.approval.v1).
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from '../canonical-json.js';
import type { Hex, Json, JsonObject, SubjectDigest } from '../json.js';

/** Exactly these keys; absent values are null, but for `data`. */
export interface Subject {
  readonly tenant: string;
  readonly run: string;
  readonly workflowHash: Hex;
  readonly stepPath: string;
  /** From 1. */
  readonly attempt: number;
  /** From 0; null outside loops. */
  readonly iteration: number | null;
  /** From 0; null outside fan-outs. */
  readonly item: number | null;
  /** Function id, or the package reference with digest. */
  readonly function: string;
  /** The rendered input itself. */
  readonly input: Json;
  readonly agentDigest: string | null;
  /** As it will be enforced: driver, profile, image, mounts, network. */
  readonly sandbox: JsonObject | null;
  /** Names, sorted. */
  readonly credentials: readonly string[];
  readonly policyHash: Hex;
  readonly ceilingHash: Hex;
  /** Effective limits, units in the names. */
  readonly limits: JsonObject;
  /** Labels and classification of what the step may be given; absent = nobody has said any. */
  readonly data?: JsonObject;
}

const DOMAIN = utf8ToBytes('writ.approval.v1\0');

/** RFC 8785 bytes of the subject: what is stored, shown and hashed. */
export function subjectBytes(subject: Subject): Uint8Array {
  const { tenant, run, workflowHash, stepPath, attempt, iteration, item, input, agentDigest, sandbox } =
    subject;
  const { credentials, policyHash, ceilingHash, limits } = subject;
  const exact: JsonObject = {
    tenant,
    run,
    workflowHash,
    stepPath,
    attempt,
    iteration,
    item,
    function: subject.function,
    input,
    agentDigest,
    sandbox,
    credentials: [...credentials].sort(),
    policyHash,
    ceilingHash,
    limits,
    ...(subject.data === undefined ? {} : { data: subject.data }),
  };
  return utf8ToBytes(canonicalJson(exact));
}

/** Lower-case hex SHA-256 over `"writ.approval.v1\0"` and the RFC 8785 form of the subject. */
export function subjectDigest(subject: Subject): SubjectDigest {
  return digestOfSubjectBytes(subjectBytes(subject));
}

/** The same digest from the stored canonical bytes. */
export function digestOfSubjectBytes(bytes: Uint8Array): SubjectDigest {
  return bytesToHex(sha256(concatBytes(DOMAIN, bytes))) as SubjectDigest;
}
