// Lines of a run as [type, data, more], and the log they make.
import { canonicalize } from '../../../audit/verify.mjs';
import { BOB, Log, at, base64 } from './log.mjs';

const STEP = { attempt: 1, stepPath: 'deploy' };
export const ABOUT = { approvalId: 'apr_1', subjectDigest: 'd'.repeat(64) };
export const EXPIRES = at(60_000);
export const authz = (verdict, over = {}) => [
  'authz.decided',
  {
    ...STEP,
    action: 'function.invoke',
    agent: null,
    code: null,
    domain: 'default',
    resource: 'f',
    ruleId: null,
    subject: 'user:alice',
    verdict,
    ...over,
  },
];
export const requested = (over = {}, more = {}) => [
  'approval.requested',
  { ...ABOUT, ...STEP, expiresAt: EXPIRES, mode: 'sync', quorum: [{ n: 1, role: 'ops' }], ...over },
  more,
];
export const decided = (over = {}) => [
  'approval.decided',
  {
    ...ABOUT,
    approver: 'user:bob',
    assurance: 'os',
    at: '',
    decision: 'approve',
    keyId: null,
    signature: null,
    state: 'approved',
    ...over,
  },
];
export const ended = (type, over = {}) => [`approval.${type}`, { ...ABOUT, cause: 'x', ...over }];
export const consumed = (over = {}, more = {}) => ['approval.consumed', { ...ABOUT, ...STEP, ...over }, more];
export const intended = (over = {}, more = {}) => [
  'step.intended',
  {
    ...STEP,
    agentDigest: null,
    approvalId: null,
    function: 'f',
    idempotencyKey: 'k1',
    item: null,
    iteration: null,
    sandbox: null,
    ...over,
  },
  more,
];
/** `i` counts lines from 0. */
export const finished =
  (i, over = {}, more = {}) =>
  (hashes) => [
    'step.finished',
    { ...STEP, code: null, durationMs: 1, intent: hashes[i], status: 'succeeded', ...over },
    more,
  ];
export const taskOpened = (over = {}, more = {}) => [
  'task.opened',
  { ...STEP, expiresAt: EXPIRES, heartbeatMs: null, kind: 'token', taskId: 'tsk_1', ...over },
  more,
];
export const taskAnswered = (over = {}, more = {}) => [
  'task.answered',
  {
    ...STEP,
    answer: 'success',
    assurance: 'os',
    at: at(1000),
    by: 'user:bob',
    keyId: null,
    signature: null,
    taskId: 'tsk_1',
    ...over,
  },
  { commit: { output: 'c'.repeat(64) }, ...more },
];
export const started = (initiator = 'user:alice', more = {}) => ['run.started', { initiator }, more];
const FORM = 'f'.repeat(64);
const INPUT = '1'.repeat(64);
/** The intent and the task of a form that a person fills in. */
export const formOpened = (over = {}) => [
  intended({}, { commit: { input: INPUT } }),
  taskOpened({ form: FORM, kind: 'person', roles: ['role:ops'], separationOfDuties: true, ...over }),
];
/** A signed answer to it; `about` is what is signed where it differs from what is said, `over` what is said. */
export function answered(about = {}, over = {}, more = {}) {
  const said = { ...STEP, answer: 'success', at: at(1000), by: 'user:bob', taskId: 'tsk_1' };
  const asked = { run: 'run-1', form: FORM, input: INPUT, expiresAt: EXPIRES };
  const exact = { ...said, ...asked, commitment: 'c'.repeat(64), ...about };
  const signature = base64(BOB.sign(`writ.task-answer.v1\0${canonicalize(exact)}`));
  const keyId = `ed25519:${base64(BOB.publicKey)}`;
  const data = { ...said, assurance: 'key', keyId, signature, ...over };
  return ['task.answered', data, { commit: { output: 'c'.repeat(64) }, ...more }];
}
export const sandbox = (what) => [`sandbox.${what}`, { ...STEP }];
export const approve = { approvalId: 'apr_1' };
/** A signed vote; `about` is what is signed where it differs from what is said, `over` what is said. */
export function vote(about = {}, over = {}, commit = {}) {
  const said = { ...ABOUT, approver: 'user:bob', at: at(1000), decision: 'approve' };
  const exact = {
    ...said,
    expiresAt: EXPIRES,
    reasonCommitment: commit.reason ?? null,
    delegation: null,
    breakGlass: null,
    ...about,
  };
  const signature = base64(BOB.sign(`writ.decision.v1\0${canonicalize(exact)}`));
  const data = {
    ...said,
    assurance: 'key',
    keyId: `ed25519:${base64(BOB.publicKey)}`,
    signature,
    state: 'approved',
    ...over,
  };
  return ['approval.decided', data, { commit }];
}
export function logOf(lines) {
  const log = new Log().open();
  const hashes = [];
  for (const item of lines) {
    const [type, data, over] = typeof item === 'function' ? item(hashes) : item;
    hashes.push(log.add(type, data, over));
  }
  return log.publish();
}
