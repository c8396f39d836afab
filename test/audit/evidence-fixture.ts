// A run with everything a bundle can show, in a log in memory: two steps, one under a signed approval with a reason,
// payloads, an erasure after the end, another run beside it. Bundles are made by the product's own builder.
import { ed25519 } from '@noble/curves/ed25519.js';
import { encodeBase64 } from '../../src/audit/base64.js';
import { commitment, consistencyProof, inclusionProof, leafHash } from '../../src/audit/index.js';
import { buildEvidence, commitmentsOf } from '../../src/audit/evidence/build.js';
import { encodeEvidence, type DisclosedPayload, type Evidence } from '../../src/audit/evidence/format.js';
import { ProvenNodes } from '../../src/audit/evidence/shared-proof.js';
import { parseCheckpoint, parseEntry, parseNote } from '../../src/audit/index.js';
import { decisionBytes } from '../../src/approval/decision.js';
import { taskAnswerBytes } from '../../src/approval/task-answer.js';
import { digestOfSubjectBytes } from '../../src/approval/subject.js';
import type { Commitment, Hex, JsonObject } from '../../src/json.js';
import type { EntryDraft, LogRow, Signer } from '../../src/runtime/ports.js';
import { publish } from '../../src/runtime/log/publisher.js';
import {
  draftOf,
  MemoryDirectory,
  MemoryStore,
  opened,
  START_MS,
  testLocks,
  testSigner,
} from './log-fixture.js';

export const RUN = 'run_evidence';
const POLICY = '5f'.repeat(32) as EntryDraft['policy'];
const EXPIRES = new Date(START_MS + 3_600_000).toISOString();

const approverSecret = new Uint8Array(32).fill(9);
export const APPROVER_KEY = `ed25519:${encodeBase64(ed25519.getPublicKey(approverSecret))}`;

/** Replaces parts of the story, to tell it with a lie in it. */
export interface Story {
  /** What the person is said to have signed with; default: their signature. */
  readonly signature?: string;
  /** Left out: the run has no end. */
  readonly finished?: boolean;
  /** Text of the first input, of the step's name and of the reason: whatever a log may hold. */
  readonly hostile?: string;
  /** A form is filled in after the approved step: with what it is said to be signed; null = as it should be. */
  readonly form?: { readonly signature: string | null };
  /** Steps that need no approval, before the one that does: six entries each. */
  readonly plainSteps?: number;
  /** Entries of the run behind its steps, and payloads they commit to. */
  readonly more?: readonly EntryDraft[];
  readonly payloads?: readonly DisclosedPayload[];
}

export interface EvidenceLog {
  readonly store: MemoryStore;
  readonly signer: Signer;
  readonly vkey: string;
  /** Signed notes by size: of the log's beginning, and of the whole. */
  readonly early: string;
  readonly note: string;
  readonly payloads: readonly DisclosedPayload[];
  readonly erased: Commitment;
}

/** The log, signed once early and once at its end. */
export async function evidenceLog(story: Story = {}): Promise<EvidenceLog> {
  const { hostile = 'the amount is plausible', plainSteps = 1, finished = true } = story;
  const signer = testSigner();
  const store = new MemoryStore();
  const directory = new MemoryDirectory();
  const payloads: DisclosedPayload[] = [...(story.payloads ?? [])];
  const seal = (label: string, value: string): Commitment => {
    const bytes = new TextEncoder().encode(value);
    const salt = new Uint8Array(32).fill(payloads.length + 1);
    const made = commitment(salt, label, bytes);
    payloads.push({ commitment: made, label, salt, bytes, mediaType: 'application/json' });
    return made;
  };
  const add = (
    type: string,
    data: JsonObject,
    commit: EntryDraft['commit'] = {},
    run: string | null = RUN,
  ): LogRow => {
    const workflow = run === null ? null : { id: 'claims', hash: POLICY as never };
    const [row] = store.append([draftOf(type, data, { run, commit, policy: POLICY, workflow })]);
    if (row === undefined) throw new Error('nothing was appended');
    return row;
  };

  store.append([opened()]);
  add('policy.loaded', { policyHash: POLICY, modelHash: POLICY, files: {}, previous: null }, {}, null);
  add('secret.used', { name: 's', host: 'h', stepPath: 'a' }, {}, 'run_other');
  await publish({ store, directory, signer, locks: testLocks() });
  const early = directory.text('checkpoint');

  add(
    'run.started',
    { initiator: 'user:alice', parentRun: null },
    { input: seal('input', JSON.stringify({ text: hostile })) },
  );
  for (let i = 0; i < plainSteps; i++) step(add, seal, `Triage${i}`);
  add('secret.used', { name: 's', host: 'h', stepPath: 'a' }, {}, 'run_other');
  gatedStep(
    add,
    seal,
    hostile === 'the amount is plausible' ? 'HumanReview' : hostile,
    hostile,
    story.signature,
  );
  if (story.form !== undefined) formStep(add, seal, story.form.signature);
  for (const draft of story.more ?? []) store.append([draft]);
  const gone = seal('output', '{"decision":"pay"}');
  if (finished) add('run.finished', { status: 'completed', exitCode: 0, reason: null }, { output: gone });
  else add('secret.used', { name: 's', host: 'h', stepPath: 'a' }, { output: gone });
  const by = { basis: 'GDPR art. 17', requester: 'user:ada', label: 'output', commitment: gone };
  add('payload.erased', by);
  await publish({ store, directory, signer, locks: testLocks() });
  const left = payloads.filter((payload) => payload.commitment !== gone);
  return {
    store,
    signer,
    vkey: signer.vkey,
    early,
    note: directory.text('checkpoint'),
    payloads: left,
    erased: gone,
  };
}

type Add = (type: string, data: JsonObject, commit?: EntryDraft['commit']) => LogRow;
type Seal = (label: string, value: string) => Commitment;

function step(add: Add, seal: Seal, stepPath: string): void {
  const ref = { stepPath, attempt: 1 };
  judged(add, ref, 'allow');
  act(add, seal, ref, null);
}

function gatedStep(add: Add, seal: Seal, stepPath: string, reason: string, signature?: string): void {
  const ref = { stepPath, attempt: 1 };
  judged(add, ref, 'needs_approval');
  const subject = JSON.stringify({ run: RUN, step: 'exactly this' });
  const subjectDigest = digestOfSubjectBytes(new TextEncoder().encode(subject));
  const about = { approvalId: 'apr_1', subjectDigest };
  const quorum = [{ n: 1, role: 'role:reviewer' }];
  add(
    'approval.requested',
    { ...about, ...ref, mode: 'sync', quorum, expiresAt: EXPIRES },
    { subject: seal('subject', subject) },
  );
  const reasonCommitment = seal('reason', JSON.stringify({ text: reason }));
  const at = new Date(START_MS + 5).toISOString();
  const decision = { ...about, decision: 'approve', approver: 'user:bob', at, expiresAt: EXPIRES } as const;
  const signed = ed25519.sign(decisionBytes({ ...decision, reasonCommitment }), approverSecret);
  const proof = { assurance: 'key', keyId: APPROVER_KEY, signature: signature ?? encodeBase64(signed) };
  add('approval.decided', { ...decision, ...proof, state: 'approved' }, { reason: reasonCommitment });
  add('approval.consumed', { ...about, ...ref });
  act(add, seal, ref, 'apr_1');
}

function formStep(add: Add, seal: Seal, signature: string | null): void {
  const ref = { stepPath: 'Form', attempt: 1 };
  const [input, form] = [seal('input', '{"claim":"C-1"}'), 'f'.repeat(64) as Hex];
  judged(add, ref, 'allow');
  const call = { function: 'human::form', agentDigest: null, sandbox: null, iteration: null, item: null };
  const intent = add('step.intended', { ...ref, ...call, approvalId: null, idempotencyKey: 'k' }, { input });
  const about = { ...ref, taskId: 'tsk_1' };
  const who = { roles: ['role:reviewer'], separationOfDuties: true };
  add('task.opened', { ...about, kind: 'person', form, ...who, expiresAt: EXPIRES, heartbeatMs: null });
  const at = new Date(START_MS + 6).toISOString();
  const output = seal('output', '{"approved":true}');
  const said = { answer: 'success', by: 'user:bob', at } as const;
  const question = { ...about, run: RUN, form, input, expiresAt: EXPIRES };
  const signed = ed25519.sign(taskAnswerBytes({ ...question, ...said, commitment: output }), approverSecret);
  const proof = { assurance: 'key', keyId: APPROVER_KEY, signature: signature ?? encodeBase64(signed) };
  add('task.answered', { ...about, ...said, ...proof }, { output });
  const hash = Buffer.from(intent.leafHash).toString('hex');
  const end = { intent: hash, status: 'succeeded', code: null, durationMs: 40 };
  add('step.finished', { ...ref, ...end }, { output });
}

function judged(add: Add, ref: { stepPath: string; attempt: number }, verdict: string): void {
  const rules = [
    { subject: 'user:alice', ruleId: 'CL-010', effect: 'allow', rolePath: ['user:alice', 'role:adjuster'] },
  ];
  const asked = { action: 'agent.invoke', resource: 'ghcr.io/bank/triage', domain: 'default' };
  add('authz.decided', {
    ...ref,
    ...asked,
    subject: 'user:alice',
    agent: null,
    verdict,
    ruleId: 'CL-010',
    rules,
    code: null,
  });
  const layers = [{ layer: 'org', name: 'org-default', hash: POLICY, ok: true }];
  add('ceiling.composed', { ...ref, ceilingHash: POLICY, layers, effective: { limits: { memoryMiB: 64 } } });
}

function act(
  add: Add,
  seal: Seal,
  ref: { stepPath: string; attempt: number },
  approvalId: string | null,
): void {
  const input = seal('input', JSON.stringify({ claim: ref.stepPath }));
  const call = { function: 'f', agentDigest: null, sandbox: 'wasm', iteration: null, item: null };
  const intent = add(
    'step.intended',
    { ...ref, ...call, approvalId, idempotencyKey: `${RUN}/${ref.stepPath}/1` },
    { input },
  );
  add('sandbox.started', {
    ...ref,
    driver: 'wasm',
    imageDigest: null,
    limits: { memoryMiB: 64 },
    mounts: [],
    network: [],
  });
  add('sandbox.exited', { ...ref, status: 'exited', exitCode: 0, oomKilled: false, limitHit: null });
  const hash = Buffer.from(intent.leafHash).toString('hex');
  add(
    'step.finished',
    { ...ref, intent: hash, status: 'succeeded', code: null, durationMs: 40 },
    { output: seal('output', '{"ok":true}') },
  );
}

export interface BundleChange {
  readonly first?: boolean;
  readonly payloads?: 'all' | 'none';
  /** Rows of the run that are left out, by their seq. */
  readonly leaveOut?: readonly number[];
  readonly custodian?: string;
}

/** The bundle as the runtime makes it, but for what `change` says. */
export function evidenceOf(log: EvidenceLog, change: BundleChange = {}): Evidence {
  const { size } = parseCheckpoint(parseNote(log.note).text);
  const leaves = log.store.rows.map((row) => row.leafHash);
  const rows = log.store.rows.filter(
    ({ run, seq, type }) =>
      (run === RUN && change.leaveOut?.includes(seq) !== true) ||
      type === 'log.opened' ||
      type === 'policy.loaded',
  );
  const tree = new ProvenNodes(size, null);
  const entries = rows.map(({ index, bytes }) => ({
    index,
    bytes,
    proof: tree.shorten(index, leafHash(bytes), inclusionProof(leaves, index, size)),
  }));
  const shown = new Set(commitmentsOf(rows.map(({ bytes }) => parseEntry(bytes))).keys());
  const early = parseCheckpoint(parseNote(log.early).text).size;
  return buildEvidence({
    run: RUN,
    checkpoint: log.note,
    first:
      change.first === true
        ? { checkpoint: log.early, consistency: consistencyProof(leaves, early, size) }
        : null,
    entries,
    disclosed:
      change.payloads === 'none' ? [] : log.payloads.filter((payload) => shown.has(payload.commitment)),
    policy: `log ${log.vkey}\nquorum none\n`,
    version: '0.0.0-test',
    custodian: change.custodian ?? null,
  });
}

export function bundleOf(log: EvidenceLog, change: BundleChange = {}): Uint8Array {
  return encodeEvidence(evidenceOf(log, change));
}
