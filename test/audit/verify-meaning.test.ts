// Rule 7 and rule 8: what entries say about one another, and the payloads behind them.
import { bytesToHex } from '@noble/hashes/utils.js';
import { describe, expect, it } from 'vitest';
import { commitment, verifyLog, type ReadPayload, type VerifyReport } from '../../src/audit/index.js';
import type { SignedDecision, VerifyDecision } from '../../src/audit/verify/approval-rules.js';
import type { JsonObject } from '../../src/json.js';
import type { EntryDraft } from '../../src/runtime/ports.js';
import { publish } from '../../src/runtime/log/publisher.js';
import {
  commitmentOf,
  draftOf,
  fastVerify,
  MemoryDirectory,
  MemoryStore,
  opened,
  START_MS,
  testLocks,
  testSigner,
} from './log-fixture.js';

/** An entry, or one made from the leaf hash (hex) of an earlier one, counted from the first after log.opened. */
type Line = EntryDraft | ((leaf: (i: number) => string) => EntryDraft);

const EXPIRES_MS = START_MS + 60_000;
const STEP = { stepPath: 'deploy', attempt: 1 };
const ABOUT = { approvalId: 'apr_1', subjectDigest: 'd'.repeat(64) };

const authz = (verdict: string, over: JsonObject = {}): EntryDraft =>
  draftOf('authz.decided', {
    ...STEP,
    subject: 'user:alice',
    agent: null,
    domain: 'default',
    action: 'function.invoke',
    resource: 'f',
    verdict,
    ruleId: null,
    code: null,
    ...over,
  });
const requested = (over: JsonObject = {}): EntryDraft =>
  draftOf('approval.requested', {
    ...ABOUT,
    ...STEP,
    mode: 'sync',
    quorum: [{ role: 'ops', n: 1 }],
    expiresAt: new Date(EXPIRES_MS).toISOString(),
    ...over,
  });
const decided = (over: JsonObject = {}): EntryDraft =>
  draftOf('approval.decided', {
    ...ABOUT,
    approver: 'user:bob',
    decision: 'approve',
    keyId: null,
    signature: null,
    assurance: 'os',
    at: '',
    state: 'approved',
    ...over,
  });
const consumed = (over: JsonObject = {}): EntryDraft =>
  draftOf('approval.consumed', { ...ABOUT, ...STEP, ...over });
const intended = (over: JsonObject = {}): EntryDraft =>
  draftOf('step.intended', {
    ...STEP,
    iteration: null,
    item: null,
    function: 'f',
    agentDigest: null,
    sandbox: null,
    idempotencyKey: 'k1',
    approvalId: null,
    ...over,
  });
const finished =
  (i: number, over: JsonObject = {}): Line =>
  (leaf) =>
    draftOf('step.finished', {
      ...STEP,
      intent: leaf(i),
      status: 'succeeded',
      code: null,
      durationMs: 1,
      ...over,
    });
const withApproval = { approvalId: 'apr_1' };

async function judge(
  lines: readonly Line[],
  options: { nowMs?: number[]; payloads?: ReadPayload; verifyDecision?: VerifyDecision } = {},
): Promise<VerifyReport> {
  const log = { store: new MemoryStore(), directory: new MemoryDirectory(), signer: testSigner() };
  log.store.append([opened()], START_MS);
  const leaf = (i: number): string => bytesToHex(log.store.rows[i + 1]?.leafHash ?? new Uint8Array());
  lines.forEach((line, i) => {
    const draft = typeof line === 'function' ? line(leaf) : line;
    log.store.append([draft], options.nowMs?.[i] ?? START_MS);
  });
  await publish({ ...log, locks: testLocks() });
  const { payloads, verifyDecision } = options;
  return verifyLog(log.directory, {
    vkeys: [log.signer.vkey],
    verifySignature: fastVerify,
    ...(payloads === undefined ? {} : { payloads }),
    ...(verifyDecision === undefined ? {} : { verifyDecision }),
  });
}

const approved = [authz('needs_approval'), requested(), decided()];

describe('orders that are right', () => {
  const good: [string, Line[]][] = [
    ['allowed, run, finished', [authz('allow'), intended(), finished(1)]],
    ['approved, consumed, run, finished', [...approved, consumed(), intended(withApproval), finished(4)]],
    ['denied and never run', [authz('deny')]],
    [
      'a run that failed is redriven and goes on',
      [
        draftOf('run.finished', { status: 'failed' }),
        draftOf('run.redriven', {}),
        authz('allow'),
        intended(),
        finished(3),
      ],
    ],
    [
      'denied, then the next attempt allowed',
      [authz('deny'), authz('allow', { attempt: 2 }), intended({ attempt: 2 }), finished(2, { attempt: 2 })],
    ],
    [
      'a decision that is about no step',
      [authz('deny', { stepPath: null, attempt: null }), authz('allow'), intended(), finished(2)],
    ],
    [
      'a refused vote, then a good one',
      [
        authz('needs_approval'),
        requested(),
        authz('deny', { attempt: null }),
        decided(),
        consumed(),
        intended(withApproval),
        finished(5),
      ],
    ],
    [
      'two approvers of two',
      [
        requested({
          quorum: [
            { role: 'a', n: 1 },
            { role: 'b', n: 1 },
          ],
        }),
        decided({ state: 'pending' }),
        decided({ approver: 'user:carol' }),
        consumed(),
        intended(withApproval),
        finished(4),
      ],
    ],
    [
      'requested, withdrawn, requested again',
      [
        requested(),
        draftOf('approval.withdrawn', { ...ABOUT, cause: 'x' }),
        requested({ approvalId: 'apr_2' }),
        decided({ approvalId: 'apr_2' }),
        consumed({ approvalId: 'apr_2' }),
        intended({ approvalId: 'apr_2' }),
        finished(5),
      ],
    ],
    [
      'lost in a crash and run again under the same key',
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4, { status: 'indeterminate' }),
        intended(withApproval),
        finished(6),
      ],
    ],
    [
      'lost twice',
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4, { status: 'indeterminate' }),
        intended(withApproval),
        finished(6, { status: 'indeterminate' }),
        intended(withApproval),
        finished(8),
      ],
    ],
    [
      'a conversation of three turns under one approval, with calls in between',
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4, { calls: 2 }),
        intended({ stepPath: 's/call[0]', idempotencyKey: 'c' }),
        finished(6, { stepPath: 's/call[0]' }),
        intended({ ...withApproval, attempt: 2 }),
        finished(8, { attempt: 2, calls: 1 }),
        intended({ ...withApproval, attempt: 3 }),
        finished(10, { attempt: 3 }),
      ],
    ],
    [
      'a turn that was lost and run again',
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4, { calls: 1 }),
        intended({ ...withApproval, attempt: 2 }),
        finished(6, { attempt: 2, status: 'indeterminate' }),
        intended({ ...withApproval, attempt: 3 }),
        finished(8, { attempt: 3 }),
      ],
    ],
    [
      'in a sandbox',
      [
        authz('allow'),
        intended(),
        draftOf('sandbox.started', STEP),
        draftOf('sandbox.exited', STEP),
        finished(1),
        draftOf('run.finished', { status: 'completed' }),
      ],
    ],
  ];
  it.each(good)('%s', async (_name, lines) => {
    expect(await judge(lines)).toMatchObject({ verdict: 'verified', findings: [], openIntents: [] });
  });
  it('an intent without an outcome is a warning, not a finding', async () => {
    const report = await judge([authz('allow'), intended()]);
    expect(report).toMatchObject({
      verdict: 'verified',
      openIntents: [{ index: '2', run: 'run-1', stepPath: 'deploy', attempt: 1 }],
    });
    expect(report.warnings).toHaveLength(1);
  });
  it('finds a signature that does not hold under the key its entry names', async () => {
    const seen: SignedDecision[] = [];
    const signed = decided({ signature: 'c2ln', assurance: 'key', keyId: 'ed25519:a2V5' });
    const lines = [authz('needs_approval'), requested(), signed];
    const verifyDecision = (decision: SignedDecision): boolean => seen.push(decision) === 0;
    const report = await judge(lines, { verifyDecision });
    expect(report).toMatchObject({ verdict: 'order-broken', findings: [{ index: '3' }] });
    expect(seen).toMatchObject([{ keyId: 'ed25519:a2V5', signature: 'c2ln', reasonCommitment: null }]);
    expect(await judge(lines, { verifyDecision: () => true })).toMatchObject({ verdict: 'verified' });
  });
  it('says that approver signatures were not checked', async () => {
    const report = await judge([requested(), decided({ signature: 'c2ln' })]);
    expect(report.verdict).toBe('verified');
    expect(report.warnings[0]).toContain('approver signatures');
  });
  it('an approval is alive one millisecond before it expires', async () => {
    const lines = [requested(), decided(), consumed(), intended(withApproval), finished(3)];
    const late = [START_MS, START_MS, EXPIRES_MS - 1, EXPIRES_MS - 1, EXPIRES_MS];
    expect((await judge(lines, { nowMs: late })).verdict).toBe('verified');
  });
});

describe('orders that are broken', () => {
  const bad: [string, Line[]][] = [
    [
      'an outcome without an intent',
      [
        draftOf('step.finished', {
          ...STEP,
          intent: 'a'.repeat(64),
          status: 'succeeded',
          code: null,
          durationMs: 1,
        }),
      ],
    ],
    ['two outcomes of one intent', [intended(), finished(0), finished(0)]],
    ['an outcome of another step', [intended(), finished(0, { stepPath: 'other' })]],
    [
      'an outcome in another run',
      [intended(), (leaf) => ({ ...(finished(0) as (l: typeof leaf) => EntryDraft)(leaf), run: 'run-2' })],
    ],
    ['a step after a deny', [authz('deny'), intended(), finished(1)]],
    ['a step after a deny that an allow follows', [authz('deny'), authz('allow'), intended(), finished(2)]],
    ['a step that needed an approval and has none', [authz('needs_approval'), intended(), finished(1)]],
    ['an approval that was never requested', [consumed(), intended(withApproval), finished(1)]],
    ['an approval requested twice', [requested(), requested()]],
    ['an approval consumed while pending', [requested(), consumed(), intended(withApproval), finished(2)]],
    [
      'an approval consumed after a deny',
      [
        requested(),
        decided(),
        decided({ decision: 'deny', state: 'denied' }),
        consumed(),
        intended(withApproval),
        finished(4),
      ],
    ],
    [
      'an approval consumed after a revocation',
      [
        requested(),
        decided(),
        decided({ decision: 'revoke', state: 'revoked' }),
        consumed(),
        intended(withApproval),
        finished(4),
      ],
    ],
    [
      'an approval consumed after it was withdrawn',
      [
        requested(),
        decided(),
        draftOf('approval.withdrawn', { ...ABOUT, cause: 'x' }),
        consumed(),
        intended(withApproval),
        finished(4),
      ],
    ],
    ['an approval for another digest', [requested(), decided({ subjectDigest: 'e'.repeat(64) })]],
    [
      'a consumption for another digest',
      [
        requested(),
        decided(),
        consumed({ subjectDigest: 'e'.repeat(64) }),
        intended(withApproval),
        finished(3),
      ],
    ],
    [
      'a consumption for another step',
      [
        requested(),
        decided(),
        consumed({ stepPath: 'other' }),
        intended({ ...withApproval, stepPath: 'other' }),
        finished(3, { stepPath: 'other' }),
      ],
    ],
    [
      'a consumption for another attempt',
      [
        requested(),
        decided(),
        consumed({ attempt: 2 }),
        intended({ ...withApproval, attempt: 2 }),
        finished(3, { attempt: 2 }),
      ],
    ],
    [
      'an approval consumed twice',
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4),
        consumed(),
        intended(withApproval),
        finished(7),
      ],
    ],
    ['one of two approvals counted as enough', [requested({ quorum: [{ role: 'a', n: 2 }] }), decided()]],
    [
      'one person counted twice',
      [requested({ quorum: [{ role: 'a', n: 2 }] }), decided({ state: 'pending' }), decided()],
    ],
    ['a consumption without its intent', [requested(), decided(), consumed()]],
    [
      'a consumption apart from its intent',
      [requested(), decided(), consumed(), draftOf('secret.used'), intended(withApproval), finished(4)],
    ],
    [
      'a consumption next to the intent of another step',
      [
        requested(),
        decided(),
        consumed(),
        intended({ ...withApproval, stepPath: 'other' }),
        finished(3, { stepPath: 'other' }),
      ],
    ],
    [
      'a consumption next to an intent that names no approval',
      [requested(), decided(), consumed(), intended(), finished(3)],
    ],
    [
      'an intent whose approval was not consumed',
      [requested(), decided(), intended(withApproval), finished(2)],
    ],
    [
      'a second intent while the first is open',
      [...approved, consumed(), intended(withApproval), intended(withApproval)],
    ],
    [
      'a second run under the same approval after success',
      [...approved, consumed(), intended(withApproval), finished(4), intended(withApproval)],
    ],
    [
      'a second run after a crash under another key',
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4, { status: 'indeterminate' }),
        intended({ ...withApproval, idempotencyKey: 'k2' }),
      ],
    ],
    [
      'a second run after a crash without a key',
      [
        ...approved,
        consumed(),
        intended({ ...withApproval, idempotencyKey: null }),
        finished(4, { status: 'indeterminate' }),
        intended({ ...withApproval, idempotencyKey: null }),
      ],
    ],
    ...(
      [
        ['that asked for nothing', {}, { attempt: 2 }],
        ['that asked for no calls', { calls: 0 }, { attempt: 2 }],
        ['whose calls are no number', { calls: '1' }, { attempt: 2 }],
        ['that failed', { calls: 1, status: 'failed' }, { attempt: 2 }],
        ['but not the next attempt', { calls: 1 }, { attempt: 3 }],
        ['under another key', { calls: 1 }, { attempt: 2, idempotencyKey: 'k2' }],
        ['of another step', { calls: 1 }, { attempt: 2, stepPath: 'other' }],
      ] as const
    ).map(([what, end, next]): [string, Line[]] => [
      `a turn after one ${what}`,
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4, end),
        intended({ ...withApproval, ...next }),
      ],
    ]),
    [
      'two turns after one that asked for calls',
      [
        ...approved,
        consumed(),
        intended(withApproval),
        finished(4, { calls: 1 }),
        intended({ ...withApproval, attempt: 2 }),
        finished(6, { attempt: 2 }),
        intended({ ...withApproval, attempt: 3 }),
      ],
    ],
    [
      'a loop that ends after the end of its run',
      [
        draftOf('run.finished', { status: 'completed' }),
        draftOf('loop.ended', { stepPath: 's', iterations: 1, converged: true }),
      ],
    ],
    ['a redrive of a run that has not ended', [draftOf('run.redriven', {})]],
    [
      'a redrive of a run that has completed',
      [draftOf('run.finished', { status: 'completed' }), draftOf('run.redriven', {})],
    ],
    [
      'two redrives after one failure',
      [
        draftOf('run.finished', { status: 'failed' }),
        draftOf('run.redriven', {}),
        draftOf('run.redriven', {}),
      ],
    ],
    ['a sandbox without an intent', [draftOf('sandbox.started', STEP)]],
    ['a sandbox that ends without having begun', [intended(), draftOf('sandbox.exited', STEP), finished(0)]],
    [
      'an approval of another run',
      [
        ...approved,
        consumed(),
        draftOf('step.intended', { ...intended(withApproval).data }, { run: 'run-2' }),
      ],
    ],
  ];
  it.each(bad)('%s', async (_name, lines) => {
    expect((await judge(lines)).verdict).toBe('order-broken');
  });
  it('an approval consumed at the very moment it expires', async () => {
    const lines = [requested(), decided(), consumed(), intended(withApproval), finished(3)];
    const late = [START_MS, START_MS, EXPIRES_MS, EXPIRES_MS, EXPIRES_MS];
    expect((await judge(lines, { nowMs: late })).verdict).toBe('order-broken');
  });
  it('data that lacks what its type requires is not-canonical', async () => {
    expect((await judge([draftOf('step.intended', { stepPath: 'x' })])).verdict).toBe('not-canonical');
    expect((await judge([requested({ quorum: 'many' })])).verdict).toBe('not-canonical');
    expect((await judge([requested({ expiresAt: '2026-03-01' })])).verdict).toBe('not-canonical');
  });
});

describe('payloads', () => {
  const salt = new Uint8Array(32).fill(5);
  const bytes = new TextEncoder().encode('the input');
  const hex = commitment(salt, 'input', bytes);
  const entry = draftOf(
    'run.started',
    { initiator: 'user:alice', parentRun: null },
    { commit: { input: hex } },
  );
  const erased = draftOf('payload.erased', {
    commitment: hex,
    label: 'input',
    basis: 'b',
    requester: 'user:alice',
  });
  const stored = (payload: Awaited<ReturnType<ReadPayload>>): { payloads: ReadPayload } => ({
    payloads: (of) => Promise.resolve(of === hex ? payload : null),
  });

  it('verify when every committed payload is there', async () => {
    expect((await judge([entry], stored({ salt, bytes }))).verdict).toBe('verified');
  });
  it('are payload-mismatch when a byte or the salt was changed', async () => {
    for (const payload of [
      { salt, bytes: bytes.map((b, i) => (i === 0 ? b ^ 1 : b)) },
      { salt: salt.map((b, i) => (i === 31 ? b ^ 1 : b)), bytes },
      { salt: salt.subarray(1), bytes },
    ]) {
      expect(await judge([entry], stored(payload))).toMatchObject({
        verdict: 'payload-mismatch',
        findings: [{ index: '1' }],
      });
    }
  });
  it('are erased-unlogged when they are gone and no entry says so', async () => {
    for (const payload of [null, { salt: null, bytes: null }, { salt: null, bytes }, { salt, bytes: null }]) {
      expect(await judge([entry], stored(payload))).toMatchObject({
        verdict: 'erased-unlogged',
        findings: [{ index: '1' }],
      });
    }
  });
  it('may be gone when the log says they were erased, before or after the look', async () => {
    const gone = stored({ salt: null, bytes: null });
    const report = await judge([entry, erased, { ...entry, type: 'secret.used' }], gone);
    expect(report).toMatchObject({ verdict: 'verified', erased: [{ commitment: hex, entry: '2' }] });
  });
  it('that are logged as erased but still there are a warning', async () => {
    const report = await judge([entry, erased], stored({ salt, bytes }));
    expect(report.verdict).toBe('verified');
    expect(report.warnings[0]).toContain('still stored');
  });
  it('are not looked at unless asked', async () => {
    const other = { ...entry, commit: { input: commitmentOf('a') } };
    expect((await judge([other])).verdict).toBe('verified');
  });
});
