// Each clause of rule 7, kept and broken.
import { BOB, LOG, STRANGER, at, base64 } from './log.mjs';
import {
  ABOUT,
  EXPIRES,
  answered,
  approve,
  authz,
  consumed,
  decided,
  ended,
  finished,
  formOpened,
  intended,
  logOf,
  requested,
  sandbox,
  started,
  taskAnswered,
  taskOpened,
  vote,
} from './run-lines.mjs';
import { group, ok } from './vector-file.mjs';

export function meaning() {
  const { test, write } = group(
    'meaning',
    'what entries of a run say about one another: each clause of rule 7, kept and broken',
  );
  const good = (name, lines, openIntents = 0) => test(name, logOf(lines), { ...ok, openIntents });
  /** The finding is at line `i`, unless another verdict says otherwise. */
  const bad = (name, lines, i, verdict = 'order-broken') =>
    test(name, logOf(lines), { verdict, index: String(i + 1) });
  const approved = [authz('needs_approval'), requested(), decided()];
  const ran = [...approved, consumed(), intended(approve)];
  const two = [
    { n: 1, role: 'a' },
    { n: 1, role: 'b' },
  ];
  const late = { time: EXPIRES };
  const over = ['run.finished', { status: 'completed' }];

  good('allowed, run, finished', [authz('allow'), intended(), finished(1)]);
  good('approved, consumed, run, finished', [...ran, finished(4)]);
  good('denied and never run', [authz('deny')]);
  good('denied, then the next attempt allowed', [
    authz('deny'),
    authz('allow', { attempt: 2 }),
    intended({ attempt: 2 }),
    finished(2, { attempt: 2 }),
  ]);
  good('a decision about no step', [
    authz('deny', { attempt: null, stepPath: null }),
    authz('allow'),
    intended(),
    finished(2),
  ]);
  const host = { attempt: null, ofAttempt: 1, action: 'network.egress' };
  good('a host refused to a program in a sandbox, and its step lost and run again', [
    authz('allow'),
    intended(),
    sandbox('started'),
    authz('deny', { ...host, resource: '169.254.169.254:80', reason: 'the host is not listed' }),
    authz('allow', { ...host, resource: 'api.example:443' }),
    sandbox('exited'),
    finished(1, { status: 'indeterminate' }),
    intended(),
    finished(7),
  ]);
  good('two approvers of two', [
    requested({ quorum: two }),
    decided({ state: 'pending' }),
    decided({ approver: 'user:carol' }),
    consumed(),
    intended(approve),
    finished(4),
  ]);
  good('a quorum that is a number or its text', [
    requested({ quorum: 1 }),
    requested({ approvalId: 'apr_2', quorum: '1' }),
  ]);
  good('withdrawn and requested again', [
    requested(),
    ended('withdrawn'),
    requested({ approvalId: 'apr_2' }),
  ]);
  good('requested and expired', [requested(), ended('expired')]);
  good('an approval one millisecond before it expires', [
    requested(),
    decided(),
    consumed({}, { time: at(59_999) }),
    intended(approve, { time: at(59_999) }),
    finished(3, {}, late),
  ]);
  good('lost and run again under the same key', [
    ...ran,
    finished(4, { status: 'indeterminate' }),
    intended(approve),
    finished(6),
  ]);
  good('stopped with its process and run again', [
    ...ran,
    finished(4, { status: 'cancelled' }),
    intended(approve),
    finished(6),
  ]);
  good('a conversation of three turns under one approval', [
    ...ran,
    finished(4, { calls: 2 }),
    intended({ stepPath: 'deploy/call[0]', idempotencyKey: 'c' }),
    finished(6, { stepPath: 'deploy/call[0]' }),
    intended({ ...approve, attempt: 2 }),
    finished(8, { attempt: 2, calls: 1 }),
    intended({ ...approve, attempt: 3 }),
    finished(10, { attempt: 3 }),
  ]);
  good('a turn that was lost and run again', [
    ...ran,
    finished(4, { calls: 1 }),
    intended({ ...approve, attempt: 2 }),
    finished(6, { attempt: 2, status: 'indeterminate' }),
    intended({ ...approve, attempt: 3 }),
    finished(8, { attempt: 3 }),
  ]);
  good('in a sandbox', [
    authz('allow'),
    intended(),
    sandbox('started'),
    sandbox('exited'),
    finished(1),
    over,
  ]);
  const output = { commit: { output: 'c'.repeat(64) } };
  const waits = [authz('allow'), intended(), taskOpened()];
  good('a task that is answered, and goes on with the answer', [
    ...waits,
    taskAnswered(),
    finished(1, {}, output),
  ]);
  good('a task that is answered with a failure', [
    ...waits,
    taskAnswered({ answer: 'failure' }, { commit: { error: 'e'.repeat(64) } }),
    finished(1, { status: 'failed' }),
  ]);
  good('a task that nobody answers in time', [...waits, finished(1, { status: 'timed-out' }, late)]);
  good('a task that is answered one millisecond before its time', [
    ...waits,
    taskAnswered({}, { time: at(59_999) }),
    finished(1, {}, { ...output, ...late }),
  ]);
  good('a task that is answered while its call runs, which then fails', [
    ...waits,
    taskAnswered(),
    finished(1, { status: 'failed' }),
  ]);
  good('a task of an approved step', [...ran, taskOpened(), taskAnswered(), finished(4, {}, output)]);
  good('a task of the attempt after one that was not answered', [
    ...waits,
    finished(1, { status: 'timed-out' }),
    intended({ attempt: 2 }),
    taskOpened({ attempt: 2, taskId: 'tsk_2' }),
    taskAnswered({ attempt: 2, taskId: 'tsk_2' }),
    finished(4, { attempt: 2 }, output),
  ]);
  bad('a task without an intent', [authz('allow'), taskOpened()], 1);
  bad('a task apart from its intent', [authz('allow'), intended(), sandbox('started'), taskOpened()], 3);
  bad('a task beside the intent of another step', [intended(), taskOpened({ stepPath: 'other' })], 1);
  bad('a task beside the intent of another run', [intended(), taskOpened({}, { run: 'run-2' })], 1);
  bad('an answer that nothing waits for', [authz('allow'), intended(), taskAnswered()], 2);
  bad('an answer to another task', [...waits, taskAnswered({ taskId: 'tsk_2' })], 3);
  bad('an answer to another attempt', [...waits, taskAnswered({ attempt: 2 })], 3);
  bad('an answer in another run', [...waits, taskAnswered({}, { run: 'run-2' })], 3);
  bad('two answers to one task', [...waits, taskAnswered(), taskAnswered()], 4);
  bad('an answer at the moment the time is over', [...waits, taskAnswered({}, late)], 3);
  bad('an answer after the outcome', [...waits, finished(1, { status: 'timed-out' }), taskAnswered()], 4);
  bad(
    'an answer after the end of the run',
    [...waits, finished(1, { status: 'failed' }), over, taskAnswered()],
    5,
  );
  bad(
    'an answer that is neither success nor failure',
    [...waits, taskAnswered({ answer: 'maybe' })],
    3,
    'not-canonical',
  );
  bad('a task that succeeds without an answer', [...waits, finished(1, {}, output)], 3);
  bad(
    'a task that succeeds though it was answered with a failure',
    [...waits, taskAnswered({ answer: 'failure' }), finished(1, {}, output)],
    4,
  );
  bad(
    'a task that succeeds with another output than it was answered with',
    [...waits, taskAnswered(), finished(1, {}, { commit: { output: 'd'.repeat(64) } })],
    4,
  );
  const asked = [started(), authz('allow'), ...formOpened()];
  const error = { commit: { error: 'e'.repeat(64) } };
  good('a form that is filled in with a signature', [...asked, answered(), finished(2, {}, output)]);
  good('a form that is refused with a signature', [
    ...asked,
    answered({ answer: 'failure', commitment: 'e'.repeat(64) }, { answer: 'failure' }, error),
    finished(2, { status: 'failed' }),
  ]);
  good('a form that an identity provider answers for', [
    ...asked,
    taskAnswered({ assurance: 'oidc' }),
    finished(2, {}, output),
  ]);
  good('a form that who started the run may fill in', [
    started('user:bob'),
    authz('allow'),
    ...formOpened({ separationOfDuties: false }),
    answered(),
    finished(2, {}, output),
  ]);
  const byBob = { redriver: 'user:bob' };
  good('a form that another fills in than who redrove the run', [
    started(),
    authz('allow'),
    ...formOpened({ redriver: 'user:carol' }),
    answered(),
    finished(2, {}, output),
  ]);
  good('a form that who redrove the run may fill in', [
    started(),
    authz('allow'),
    ...formOpened({ ...byBob, separationOfDuties: false }),
    answered(),
    finished(2, {}, output),
  ]);
  bad(
    'a form that who redrove the run fills in',
    [started(), authz('allow'), ...formOpened(byBob), answered()],
    4,
  );
  bad(
    'a form whose redriver is a list',
    [started(), authz('allow'), ...formOpened({ redriver: ['user:bob'] })],
    3,
    'not-canonical',
  );
  good('a token that a person brings back with a signature', [
    ...waits,
    answered({ form: null, input: null }),
    finished(1, {}, output),
  ]);
  const signedFor = [
    ['another task', { taskId: 'tsk_2' }],
    ['another run', { run: 'run-2' }],
    ['another step', { stepPath: 'other' }],
    ['another attempt', { attempt: 2 }],
    ['another form', { form: '0'.repeat(64) }],
    ['another input', { input: '0'.repeat(64) }],
    ['another end', { expiresAt: at(120_000) }],
    ['another time', { at: at(2000) }],
    ['another answer', { commitment: 'd'.repeat(64) }],
    ['a failure', { answer: 'failure' }],
    ['somebody else', { by: 'user:carol' }],
  ];
  for (const [what, about] of signedFor)
    bad(`an answer whose signature is for ${what}`, [...asked, answered(about)], 4);
  const stranger = `ed25519:${base64(STRANGER.publicKey)}`;
  bad('an answer under another key', [...asked, answered({}, { keyId: stranger })], 4);
  bad(
    'an answer with a forged signature',
    [...asked, answered({}, { signature: base64(Buffer.alloc(64, 7)) })],
    4,
  );
  bad('an answer with a signature that is no base64', [...asked, answered({}, { signature: '?' })], 4);
  bad('a signed answer that commits to nothing', [...asked, answered({}, {}, { commit: {} })], 4);
  const unsigned = [
    ['no signature', { signature: null }],
    ['no key', { keyId: null }],
    ['no time', { at: null }],
  ];
  for (const [what, over] of unsigned)
    bad(`an answer by key with ${what}`, [...asked, answered({}, over)], 4, 'not-canonical');
  bad(
    'an answer with an assurance that nobody knows',
    [...asked, taskAnswered({ assurance: 'hearsay' })],
    4,
    'not-canonical',
  );
  bad('an answer by nobody', [...asked, taskAnswered({ by: null })], 4, 'not-canonical');
  bad(
    'a form that who started the run fills in',
    [started('user:bob'), authz('allow'), ...formOpened(), answered()],
    4,
  );
  bad(
    'a form of a run that nobody is said to have started',
    [authz('allow'), ...formOpened(), answered()],
    3,
  );
  bad(
    'a run that is said to be started by another before its form is filled in',
    [started('user:bob'), started(), ...formOpened(), answered()],
    4,
  );
  bad('a form that a service fills in', [...asked, taskAnswered({ by: 'service:carrier' })], 4);
  const shapes = [
    ['of an unknown kind', { kind: 'fax' }],
    ['without its form', { form: null }],
    ['without its roles', { roles: null }],
    ['that does not say who may not', { separationOfDuties: null }],
  ];
  for (const [what, over] of shapes)
    bad(`a task ${what}`, [started(), authz('allow'), ...formOpened(over)], 3, 'not-canonical');
  bad(
    'an approval that is consumed before an intent of no run',
    [requested(), decided(), consumed(), intended(approve, { run: null })],
    2,
  );
  good('a refused vote after the end', [over, authz('deny', { attempt: null })]);
  const failed = ['run.finished', { status: 'failed' }];
  const redriven = ['run.redriven', { redrive: 1, previous: 'failed' }];
  good('a failed run that is redriven, and the attempt that follows', [
    authz('deny'),
    failed,
    redriven,
    authz('allow', { attempt: 2 }),
    intended({ attempt: 2 }),
    finished(4, { attempt: 2 }),
    over,
  ]);
  good('a cancelled run that is redriven, and fails again', [
    ['run.finished', { status: 'cancelled' }],
    ['run.redriven', { redrive: 1, previous: 'cancelled' }],
    failed,
    ['run.redriven', { redrive: 2, previous: 'failed' }],
  ]);
  bad('a completed run that is redriven', [over, redriven], 1);
  bad('a run that is redriven before its end', [authz('allow'), redriven], 1);
  bad('a run that is redriven twice after one end', [failed, redriven, redriven], 2);
  bad('a step after the second end of a run', [failed, redriven, failed, authz('allow'), intended()], 4);
  bad('a denied attempt that a redrive begins', [authz('deny'), failed, redriven, intended()], 3);
  bad(
    'an attempt with its outcome that a redrive begins again',
    [authz('allow'), intended(), finished(1), failed, redriven, intended()],
    5,
  );
  bad(
    'an approval that was used before the redrive',
    [...ran, finished(4), failed, redriven, intended(approve)],
    8,
  );
  good('an intent without an outcome is a warning', [authz('allow'), intended()], 1);
  good('a signed vote', [requested(), vote()]);
  const lent = { delegation: 'user:ann' };
  const emergency = { breakGlass: true };
  good('a vote for who has delegated it', [requested(), vote(lent, lent)]);
  good('an emergency vote, and its review', [
    requested(),
    vote(emergency, emergency),
    ['approval.reviewed', { ...ABOUT, reviewer: 'user:carol', late: false }],
  ]);
  good('two voices, of which one is lent', [
    requested({ quorum: two }),
    decided({ state: 'pending', ...lent }),
    decided({ approver: 'user:carol' }),
    consumed(),
    intended(approve),
    finished(4),
  ]);
  good('a signed vote with a reason', [requested(), vote({}, {}, { reason: 'a'.repeat(64) })]);

  const separate = { separationOfDuties: true };
  const edited = { ...separate, editors: ['user:carol', 'user:bob'] };
  const goneOn = { ...separate, redriver: 'user:bob' };
  const written = { author: 'user:bob' };
  const takenBack = decided({ decision: 'revoke', state: 'revoked' });
  good('a vote of another, with separation of duties', [
    started(),
    requested({ ...separate, editors: ['user:carol'], author: 'user:alice' }),
    decided(),
    consumed(),
    intended(approve),
    finished(4),
  ]);
  good('a vote of who started the run, where duties are not separated', [
    started('user:bob'),
    requested({ separationOfDuties: false }),
    decided(),
  ]);
  good('a vote of who changed the input, where duties are not separated', [
    started(),
    requested({ ...edited, separationOfDuties: false }),
    decided(),
  ]);
  good('a vote of who redrove the run, where duties are not separated', [
    started(),
    requested({ ...goneOn, separationOfDuties: false }),
    decided(),
  ]);
  good('a vote of another than who redrove the run', [
    started(),
    requested({ ...goneOn, redriver: 'user:carol' }),
    decided(),
    consumed(),
    intended(approve),
    finished(4),
  ]);
  good('a vote of who changed the input, of an older request that does not tell', [
    requested({ editors: ['user:bob'] }),
    decided(),
  ]);
  good('an approval that who started the run takes back', [
    started('user:bob'),
    requested(separate),
    decided({ approver: 'user:carol' }),
    takenBack,
  ]);
  const deny = { decision: 'deny', state: 'denied' };
  for (const [who, lines] of [
    ['who wrote the workflow', [started(), requested(written)]],
    ['who changed the input', [started(), requested(edited)]],
    ['who redrove the run', [started(), requested(goneOn)]],
    ['who started the run', [started('user:bob'), requested(separate)]],
    ['anybody, in a run that nobody is said to have started', [['secret.used', {}], requested(separate)]],
  ]) {
    bad(`a vote of ${who}`, [...lines, decided()], 2);
    bad(`a signed vote of ${who}`, [...lines, vote()], 2);
    bad(`a deny of ${who}`, [...lines, decided(deny)], 2);
    bad(`a vote for ${who}`, [...lines, decided({ approver: 'user:dora', delegation: 'user:bob' })], 2);
  }
  bad(
    'a vote of who started the run, who is said to be another afterwards',
    [started('user:bob'), started(), requested(separate), decided()],
    3,
  );
  bad(
    'an approval of who wrote the workflow that is used',
    [started(), requested(written), decided(), consumed(), intended(approve), finished(4)],
    2,
  );
  for (const who of ['agent:claims', 'service:writ', 'bob']) {
    bad(`a vote of ${who}, who is no person`, [requested(), decided({ approver: who })], 1);
    bad(`a vote for ${who}, who is no person`, [requested(), decided({ delegation: who })], 1);
  }
  for (const [what, over] of [
    ['duties are text', { separationOfDuties: 'true' }],
    ['duties are null', { separationOfDuties: null }],
    ['editors are one name', { editors: 'user:bob' }],
    ['editors are no names', { editors: [1] }],
    ['redriver is a list', { redriver: ['user:bob'] }],
    ['author is null', { author: null }],
  ])
    bad(`a request whose ${what}`, [requested(over)], 0, 'not-canonical');
  bad('a delegation that was not signed', [requested(), vote({}, lent)], 1);
  bad('a delegation that was signed and is not told', [requested(), vote(lent)], 1);
  bad('an emergency that was not signed', [requested(), vote({}, emergency)], 1);
  bad('a delegation that is no name', [requested(), vote(lent, { delegation: 1 })], 1, 'not-canonical');
  bad(
    'an emergency that is not told as true',
    [requested(), vote({}, { breakGlass: false })],
    1,
    'not-canonical',
  );
  bad(
    'two votes of one voice: one for the other, then the other',
    [requested({ quorum: two }), decided({ state: 'pending', ...lent }), decided({ approver: 'user:ann' })],
    2,
  );
  bad('an outcome without an intent', [finished(0, { intent: 'a'.repeat(64) })], 0);
  bad('two outcomes of one intent', [intended(), finished(0), finished(0)], 2);
  bad('an outcome of another step', [intended(), finished(0, { stepPath: 'other' })], 1);
  bad('an outcome of another attempt', [intended(), finished(0, { attempt: 2 })], 1);
  bad('an outcome in another run', [intended(), finished(0, {}, { run: 'run-2' })], 1);
  bad('a step after the end', [over, intended()], 1);
  bad('an outcome after the end', [intended(), over, finished(0)], 2);
  bad('an approval asked for after the end', [over, requested()], 1);
  bad('a second end', [over, over], 1);
  bad('an approval requested again after it was used', [...ran, finished(4), requested()], 6);
  bad(
    'one signed vote used for a second run of the step',
    [requested(), vote(), consumed(), intended(approve), finished(3), requested(), vote()],
    5,
  );
  bad(
    'one signed vote used in a second run',
    [requested(), vote(), consumed(), intended(approve), finished(3), requested({}, { run: 'run-2' })],
    5,
  );
  bad(
    'one approval asked for in a second run while it is open',
    [requested(), requested({}, { run: 'run-2' })],
    1,
  );
  const again = [requested(), requested({}, { run: 'run-2' })];
  const broken = { verdict: 'order-broken', index: '2' };
  test('one approval asked for in a second run, of which alone is asked', logOf(again), broken, {
    run: 'run-2',
  });
  test('one approval asked for in a second run, when the first is asked of', logOf(again), ok, {
    run: 'run-1',
  });
  bad(
    'one approval asked for after the end of the run that had it',
    [requested(), over, requested({}, { run: 'run-2' })],
    2,
  );
  bad('an attempt begun again after its outcome', [authz('allow'), intended(), finished(1), intended()], 3);
  bad(
    'an attempt begun again without approval after its approved outcome',
    [...ran, finished(4), intended()],
    6,
  );
  bad(
    'an attempt begun again after its outcome and a new decision',
    [authz('allow'), intended(), finished(1, { status: 'failed' }), authz('allow'), intended()],
    4,
  );
  good('an attempt begun again after it was lost', [
    authz('allow'),
    intended(),
    finished(1, { status: 'indeterminate' }),
    intended(),
    finished(3),
  ]);
  good('the same attempt of another run', [
    intended(),
    finished(0),
    intended({}, { run: 'run-2' }),
    finished(2, {}, { run: 'run-2' }),
  ]);
  bad('a step after a deny', [authz('deny'), intended(), finished(1)], 1);
  bad('a step after a deny that an allow follows', [authz('deny'), authz('allow'), intended()], 2);
  bad('a step that needed an approval and names none', [authz('needs_approval'), intended()], 1);
  bad('an approval that was never requested', [consumed(), intended(approve)], 0);
  bad('an approval of another run', [...approved, consumed({}, { run: 'run-2' })], 3);
  bad('an approval requested twice', [requested(), requested()], 1);
  bad('a vote for another digest', [requested(), decided({ subjectDigest: 'e'.repeat(64) })], 1);
  bad('an end for another digest', [requested(), ended('withdrawn', { subjectDigest: 'e'.repeat(64) })], 1);
  bad(
    'a consumption for another digest',
    [requested(), decided(), consumed({ subjectDigest: 'e'.repeat(64) })],
    2,
  );
  bad('a consumption while pending', [requested(), consumed(), intended(approve)], 1);
  for (const [name, line] of [
    ['a deny', decided({ decision: 'deny', state: 'denied' })],
    ['a revocation', decided({ decision: 'revoke', state: 'revoked' })],
    ['it was withdrawn', ended('withdrawn')],
    ['it was called expired', ended('expired')],
  ])
    bad(`a consumption after ${name}`, [requested(), decided(), line, consumed(), intended(approve)], 3);
  bad('a vote after a deny', [requested(), decided({ decision: 'deny', state: 'denied' }), decided()], 2);
  bad(
    'an end after a deny',
    [requested(), decided({ decision: 'deny', state: 'denied' }), ended('expired')],
    2,
  );
  bad(
    'a consumption for another step',
    [requested(), decided(), consumed({ stepPath: 'other' }), intended({ ...approve, stepPath: 'other' })],
    2,
  );
  bad(
    'a consumption for another attempt',
    [requested(), decided(), consumed({ attempt: 2 }), intended({ ...approve, attempt: 2 })],
    2,
  );
  bad(
    'a consumption at the moment it expires',
    [requested(), decided(), consumed({}, late), intended(approve, late)],
    2,
  );
  bad('an approval consumed twice', [...ran, finished(4), consumed(), intended(approve)], 6);
  bad('one of two approvers counted as enough', [requested({ quorum: [{ n: 2, role: 'a' }] }), decided()], 1);
  bad('one person counted twice', [requested({ quorum: two }), decided({ state: 'pending' }), decided()], 2);
  bad(
    'a quorum that is not there yet',
    [requested({ quorum: two }), decided({ state: 'pending' }), consumed()],
    2,
  );
  bad('a consumption at the end', [requested(), decided(), consumed()], 2);
  bad(
    'a consumption apart from its intent',
    [requested(), decided(), consumed(), ['secret.used', {}], intended(approve)],
    2,
  );
  bad(
    'a consumption apart from its intent by another run',
    [requested(), decided(), consumed(), ['secret.used', {}, { run: 'run-2' }], intended(approve)],
    2,
  );
  bad(
    'a consumption beside the intent of another step',
    [requested(), decided(), consumed(), intended({ ...approve, stepPath: 'other' })],
    2,
  );
  bad('a consumption beside an intent without approval', [requested(), decided(), consumed(), intended()], 2);
  bad('an intent whose approval was not consumed', [requested(), decided(), intended(approve)], 2);
  bad('a second intent while the first is open', [...ran, intended(approve)], 5);
  bad('a second run after success', [...ran, finished(4), intended(approve)], 6);
  bad(
    'a second run after a crash under another key',
    [...ran, finished(4, { status: 'indeterminate' }), intended({ ...approve, idempotencyKey: 'k2' })],
    6,
  );
  bad(
    'a second run after a crash without a key',
    [
      ...approved,
      consumed(),
      intended({ ...approve, idempotencyKey: null }),
      finished(4, { status: 'indeterminate' }),
      intended({ ...approve, idempotencyKey: null }),
    ],
    6,
  );
  bad(
    'a second run after a crash of another step',
    [...ran, finished(4, { status: 'indeterminate' }), intended({ ...approve, stepPath: 'other' })],
    6,
  );
  for (const [name, end, next] of [
    ['that asked for nothing', {}, {}],
    ['that asked for no calls', { calls: 0 }, {}],
    ['whose calls are text', { calls: '1' }, {}],
    ['whose calls are a fraction', { calls: 1.5 }, {}],
    ['that failed', { calls: 1, status: 'failed' }, {}],
    ['that is not the one before', { calls: 1 }, { attempt: 3 }],
    ['under another key', { calls: 1 }, { idempotencyKey: 'k2' }],
    ['without a key', { calls: 1 }, { idempotencyKey: null }],
    ['of another step', { calls: 1 }, { stepPath: 'other' }],
  ])
    bad(
      `a turn after one ${name}`,
      [...ran, finished(4, end), intended({ ...approve, attempt: 2, ...next })],
      6,
    );
  bad(
    'two turns after one that asked for calls',
    [
      ...ran,
      finished(4, { calls: 1 }),
      intended({ ...approve, attempt: 2 }),
      finished(6, { attempt: 2 }),
      intended({ ...approve, attempt: 3 }),
    ],
    8,
  );
  bad('a loop that ends after the end of its run', [over, ['loop.ended', { stepPath: 'deploy' }, {}]], 1);
  bad('a sandbox without an intent', [sandbox('started')], 0);
  bad('a sandbox that ends without having begun', [intended(), sandbox('exited')], 1);

  for (const [name, about] of Object.entries({
    subject: { subjectDigest: 'e'.repeat(64) },
    decision: { decision: 'deny' },
    approver: { approver: 'user:eve' },
    moment: { at: at(2000) },
    expiry: { expiresAt: at(120_000) },
    approval: { approvalId: 'apr_2' },
    reason: { reasonCommitment: 'a'.repeat(64) },
  }))
    bad(`a vote signed over another ${name}`, [requested(), vote(about)], 1);
  bad('a vote under another key', [requested(), vote({}, { keyId: `ed25519:${base64(LOG.publicKey)}` })], 1);
  bad(
    'a vote under a key of small order',
    [
      requested(),
      vote(
        {},
        {
          keyId: `ed25519:${base64(Buffer.from([1, ...Array(31).fill(0)]))}`,
          signature: base64(Buffer.from([1, ...Array(63).fill(0)])),
        },
      ),
    ],
    1,
  );
  bad(
    'a vote under a key that is no point',
    [requested(), vote({}, { keyId: `ed25519:${base64(Buffer.alloc(32, 2))}` })],
    1,
  );
  bad(
    'a vote with a key of another kind',
    [requested(), vote({}, { keyId: `rsa:${base64(BOB.publicKey)}` })],
    1,
  );
  bad(
    'a vote with a signature in another alphabet',
    [requested(), vote({}, { signature: vote()[1].signature.replace(/=+$/, '') })],
    1,
  );
  bad('a vote with an empty key', [requested(), vote({}, { keyId: 'ed25519:' })], 1);
  bad('a vote with a short signature', [requested(), vote({}, { signature: 'c2ln' })], 1);
  bad('an intent that lacks its fields', [['step.intended', { stepPath: 'x' }]], 0, 'not-canonical');
  bad('an attempt that is text', [intended({ attempt: '1' })], 0, 'not-canonical');
  bad('a quorum that can not be read', [requested({ quorum: 'many' })], 0, 'not-canonical');
  bad('a quorum with a negative part', [requested({ quorum: [{ n: -1, role: 'a' }] })], 0, 'not-canonical');
  const most = { n: 2 ** 53 - 1, role: 'a' };
  bad('a quorum beyond every number', [requested({ quorum: [most, most] })], 0, 'not-canonical');
  bad('an expiry that is a day', [requested({ expiresAt: '2026-03-01' })], 0, 'not-canonical');
  bad('a decision of another name', [requested(), decided({ decision: 'maybe' })], 1, 'not-canonical');
  bad(
    'a vote without signature that is not of the machine',
    [requested(), decided({ assurance: 'key' })],
    1,
    'not-canonical',
  );
  bad('a signed vote without a key', [requested(), vote({}, { keyId: null })], 1, 'not-canonical');
  write();
}
