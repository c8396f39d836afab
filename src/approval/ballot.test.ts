import { describe, expect, it } from 'vitest';
import { WritError, type ErrorCode } from '../errors.js';
import type { SubjectDigest } from '../json.js';
import { castVote, isExpired, type Ballot, type BallotState, type BallotVote, type Voter } from './ballot.js';

type Vote = Omit<BallotVote, 'nowMs'>;
type Person = Omit<Voter, 'holds'>;

const DIGEST = 'd'.repeat(64) as SubjectDigest;
const OTHER = `${'d'.repeat(63)}e` as SubjectDigest;
const EXPIRES = 10_000;

const ROLES: Readonly<Record<string, readonly string[]>> = {
  'user:ann': ['claims'],
  'user:bob': ['claims', 'legal'],
  'user:cat': ['legal'],
  'user:starter': ['claims', 'legal'],
  'agent:reviewer': ['claims', 'legal'],
  'service:relay': ['claims', 'legal'],
};
const holds = (person: string, role: string): boolean => new Set(ROLES[person]).has(role);

function ballot(fields: Partial<Ballot> = {}): Ballot {
  return {
    id: 'apr_1',
    subjectDigest: DIGEST,
    state: 'pending',
    quorum: [{ role: 'claims', n: 1 }],
    separationOfDuties: true,
    reasonRequired: false,
    requester: 'agent:payer',
    initiator: 'user:starter',
    expiresAtMs: EXPIRES,
    votes: [],
    ...fields,
  };
}

const APPROVE: Vote = { decision: 'approve', digest: DIGEST, reasonGiven: false };
const DENY: Vote = { decision: 'deny', digest: null, reasonGiven: false };
const person = (name: string, mayDecide = true): Person => ({ id: `user:${name}`, mayDecide, brings: holds });
const voted = (name: string, decision: 'approve' | 'deny' | 'revoke'): Ballot['votes'] => [
  { approver: `user:${name}`, decision },
];

function cast(of: Ballot, voter: Person, vote: Vote, nowMs = 0): BallotState | null {
  return castVote(of, { ...voter, holds }, { ...vote, nowMs });
}

function refuses(code: ErrorCode, act: () => unknown): void {
  expect(act).toThrow(expect.objectContaining({ code }) as Error);
}

describe('a vote for somebody else', () => {
  const nothing = (): boolean => false;
  const forBob = { ...person('cat'), brings: nothing, delegation: 'user:bob' };

  it('brings nothing without a delegation, though that person has voted themselves', () => {
    const open = ballot({ quorum: [{ role: 'claims', n: 2 }], votes: voted('bob', 'approve') });
    for (const vote of [APPROVE, DENY, { ...DENY, decision: 'revoke' } as const]) {
      refuses('APPROVAL_NOT_ELIGIBLE', () => cast(open, forBob, vote));
      refuses('APPROVAL_NOT_ELIGIBLE', () => cast({ ...open, state: 'approved' }, forBob, vote));
    }
  });
});

describe('a refusal says what is missing', () => {
  const refused = (code: ErrorCode, message: string, hint: string, act: () => unknown): void => {
    const told = { code, message: expect.stringContaining(message) as string };
    expect(act).toThrow(
      expect.objectContaining({ ...told, hint: expect.stringContaining(hint) as string }) as Error,
    );
  };
  const nothing = (): boolean => false;

  it('the role, the right, or the delegation', () => {
    const tell = (voter: Person, message: string, hint = 'policies/'): void =>
      refused('APPROVAL_NOT_ELIGIBLE', message, hint, () => cast(ballot(), voter, APPROVE));
    tell({ ...person('ann'), brings: nothing }, 'user:ann may not decide apr_1; it needs claims');
    // It is not a role that they lack.
    tell(person('ann', false), 'user:ann may not decide apr_1: no rule of rbac/ lets them');
    const forBob = { ...person('ann'), brings: nothing, delegation: 'user:bob' };
    tell(forBob, 'nothing lets user:ann decide apr_1 for user:bob', 'delegation of approvers.yaml');
  });

  it.each<[BallotState, string]>([
    ['approved', 'writ approvals revoke apr_1'],
    ['withdrawn', 'writ approvals list'],
    ['denied', 'writ approvals show apr_1'],
  ])('what can be done about a request that is %s', (state, hint) => {
    refused('APPROVAL_ALREADY_DECIDED', `apr_1 is ${state}`, hint, () =>
      cast(ballot({ state }), person('ann'), DENY),
    );
  });
});

describe('who wrote the workflow', () => {
  const by = { author: 'user:ann' };

  it('may not decide, be it approval or denial, though duties are not separated otherwise', () => {
    for (const vote of [APPROVE, DENY]) {
      refuses('APPROVAL_SEPARATION_OF_DUTIES', () =>
        cast(ballot({ ...by, separationOfDuties: false }), person('ann'), vote),
      );
    }
  });

  it('may not have somebody else vote in their name', () => {
    refuses('APPROVAL_SEPARATION_OF_DUTIES', () =>
      cast(ballot(by), { ...person('bob'), delegation: 'user:ann' }, APPROVE),
    );
  });

  it('is no other person, and nobody where it is not demanded', () => {
    expect(cast(ballot(by), person('bob'), APPROVE)).toBe('approved');
    expect(cast(ballot(), person('ann'), APPROVE)).toBe('approved');
  });
});

describe('a vote on a pending request', () => {
  it('approves it when it completes the quorum', () => {
    expect(cast(ballot(), person('ann'), APPROVE)).toBe('approved');
  });

  it('leaves it pending when the quorum is not complete', () => {
    expect(cast(ballot({ quorum: [{ role: 'claims', n: 2 }] }), person('ann'), APPROVE)).toBe('pending');
  });

  it('approves it as the last of several, each in one place', () => {
    const quorum = [
      { role: 'claims', n: 1 },
      { role: 'legal', n: 1 },
    ];
    expect(cast(ballot({ quorum }), person('bob'), APPROVE)).toBe('pending');
    expect(cast(ballot({ quorum, votes: voted('bob', 'approve') }), person('ann'), APPROVE)).toBe('approved');
    expect(cast(ballot({ quorum, votes: voted('ann', 'approve') }), person('cat'), APPROVE)).toBe('approved');
  });

  it('denies it at once, whoever approved before', () => {
    const two = ballot({ quorum: [{ role: 'claims', n: 2 }], votes: voted('ann', 'approve') });
    expect(cast(two, person('bob'), DENY)).toBe('denied');
    expect(cast(ballot(), person('ann'), DENY)).toBe('denied');
  });

  it('does not count an earlier approver who lost the role meanwhile', () => {
    const two = ballot({ quorum: [{ role: 'claims', n: 2 }], votes: voted('former', 'approve') });
    expect(cast(two, person('ann'), APPROVE)).toBe('pending');
  });

  it('does not count earlier votes that are no approvals', () => {
    const two = ballot({ quorum: [{ role: 'claims', n: 2 }], votes: voted('bob', 'revoke') });
    expect(cast(two, person('ann'), APPROVE)).toBe('pending');
  });
});

describe('who may vote', () => {
  it.each<[string, Person, ErrorCode]>([
    ['an agent', { id: 'agent:reviewer', mayDecide: true, brings: holds }, 'APPROVAL_NOT_ELIGIBLE'],
    ['a service', { id: 'service:relay', mayDecide: true, brings: holds }, 'APPROVAL_NOT_ELIGIBLE'],
    ['somebody without a kind', { id: 'ann', mayDecide: true, brings: holds }, 'APPROVAL_NOT_ELIGIBLE'],
    [
      'somebody whose kind only looks right',
      { id: 'USER:ann', mayDecide: true, brings: holds },
      'APPROVAL_NOT_ELIGIBLE',
    ],
    ['a person without any of the roles', person('cat'), 'APPROVAL_NOT_ELIGIBLE'],
    ['a person nobody knows', person('nobody'), 'APPROVAL_NOT_ELIGIBLE'],
    ['a person whom RBAC forbids it', person('ann', false), 'APPROVAL_NOT_ELIGIBLE'],
    ['the person who started the run', person('starter'), 'APPROVAL_SEPARATION_OF_DUTIES'],
  ])('not %s, neither to approve nor to deny', (_, voter, code) => {
    refuses(code, () => cast(ballot(), voter, APPROVE));
    refuses(code, () => cast(ballot(), voter, DENY));
  });

  it('not the requester', () => {
    refuses('APPROVAL_SEPARATION_OF_DUTIES', () =>
      cast(ballot({ requester: 'user:ann' }), person('ann'), APPROVE),
    );
  });

  it('the one who started the run, where policy asks for no separation of duties', () => {
    const alone = ballot({ separationOfDuties: false });
    expect(cast(alone, person('starter'), APPROVE)).toBe('approved');
    refuses('APPROVAL_NOT_ELIGIBLE', () =>
      cast(alone, { id: 'agent:reviewer', mayDecide: true, brings: holds }, APPROVE),
    );
  });

  it('nobody, where the quorum has no factor', () => {
    refuses('APPROVAL_NOT_ELIGIBLE', () => cast(ballot({ quorum: [] }), person('ann'), APPROVE));
  });

  it('is asked first: who may not decide learns nothing of the state', () => {
    for (const state of ['denied', 'expired', 'withdrawn', 'revoked', 'consumed', 'approved'] as const) {
      refuses('APPROVAL_NOT_ELIGIBLE', () =>
        cast(ballot({ state }), person('cat'), { ...APPROVE, digest: OTHER }, EXPIRES),
      );
    }
  });
});

describe('the digest', () => {
  it.each([APPROVE, DENY])('of another action is refused ($decision)', (vote) => {
    refuses('APPROVAL_DIGEST_MISMATCH', () => cast(ballot(), person('ann'), { ...vote, digest: OTHER }));
  });

  it('must be whole', () => {
    const short = DIGEST.slice(0, 4) as SubjectDigest;
    refuses('APPROVAL_DIGEST_MISMATCH', () => cast(ballot(), person('ann'), { ...APPROVE, digest: short }));
    const upper = DIGEST.toUpperCase() as SubjectDigest;
    refuses('APPROVAL_DIGEST_MISMATCH', () => cast(ballot(), person('ann'), { ...APPROVE, digest: upper }));
  });

  it('is needed to approve and may be left out to deny', () => {
    refuses('USAGE', () => cast(ballot(), person('ann'), { ...APPROVE, digest: null }));
    expect(cast(ballot(), person('ann'), { ...DENY, digest: null })).toBe('denied');
    expect(cast(ballot(), person('ann'), { ...DENY, digest: DIGEST })).toBe('denied');
  });
});

describe('a reason', () => {
  it.each([APPROVE, DENY])('is asked for where it is required ($decision)', (vote) => {
    const strict = ballot({ reasonRequired: true });
    refuses('APPROVAL_REASON_REQUIRED', () => cast(strict, person('ann'), vote));
    expect(cast(strict, person('ann'), { ...vote, reasonGiven: true })).toBe(
      vote.decision === 'deny' ? 'denied' : 'approved',
    );
  });
});

describe('expiry', () => {
  it('is at the border: one millisecond before is in time, the instant itself is too late', () => {
    expect(cast(ballot(), person('ann'), APPROVE, EXPIRES - 1)).toBe('approved');
    refuses('APPROVAL_EXPIRED', () => cast(ballot(), person('ann'), APPROVE, EXPIRES));
    refuses('APPROVAL_EXPIRED', () => cast(ballot(), person('ann'), DENY, EXPIRES));
    refuses('APPROVAL_EXPIRED', () => cast(ballot({ state: 'approved' }), person('ann'), DENY, EXPIRES));
  });

  it.each<[BallotState, number, boolean]>([
    ['pending', EXPIRES - 1, false],
    ['pending', EXPIRES, true],
    ['approved', EXPIRES - 1, false],
    ['approved', EXPIRES, true],
    ['denied', EXPIRES, false],
    ['withdrawn', EXPIRES, false],
    ['revoked', EXPIRES, false],
    ['consumed', EXPIRES, false],
    ['expired', EXPIRES, false],
  ])('a %s request at %i: has to be ended = %s', (state, nowMs, expected) => {
    expect(isExpired({ state, expiresAtMs: EXPIRES }, nowMs)).toBe(expected);
  });
});

describe('a vote after the decision', () => {
  it.each<[BallotState, ErrorCode]>([
    ['approved', 'APPROVAL_ALREADY_DECIDED'],
    ['denied', 'APPROVAL_ALREADY_DECIDED'],
    ['withdrawn', 'APPROVAL_ALREADY_DECIDED'],
    ['revoked', 'APPROVAL_ALREADY_DECIDED'],
    ['expired', 'APPROVAL_EXPIRED'],
    ['consumed', 'APPROVAL_CONSUMED'],
  ])('on a request that is %s never changes it', (state, code) => {
    refuses(code, () => cast(ballot({ state }), person('ann'), APPROVE));
    refuses(code, () => cast(ballot({ state }), person('ann'), DENY));
  });

  it('on a terminal request says the same after the expiry', () => {
    refuses('APPROVAL_ALREADY_DECIDED', () =>
      cast(ballot({ state: 'denied' }), person('ann'), APPROVE, EXPIRES),
    );
    refuses('APPROVAL_CONSUMED', () => cast(ballot({ state: 'consumed' }), person('ann'), APPROVE, EXPIRES));
  });
});

describe('a second vote of the same person', () => {
  const two = (decision: 'approve' | 'deny' | 'revoke', fields: Partial<Ballot> = {}): Ballot =>
    ballot({ quorum: [{ role: 'claims', n: 2 }], votes: voted('ann', decision), ...fields });

  it('the same way is a replay: nothing changes, and it fills no second place', () => {
    expect(cast(two('approve'), person('ann'), APPROVE)).toBeNull();
    expect(cast(two('deny', { state: 'denied' }), person('ann'), DENY)).toBeNull();
  });

  it.each<BallotState>(['approved', 'denied', 'withdrawn', 'revoked', 'consumed', 'expired'])(
    'the same way is a replay on a request that is %s meanwhile, also after expiry',
    (state) => {
      expect(cast(two('approve', { state }), person('ann'), APPROVE, EXPIRES)).toBeNull();
    },
  );

  it('the same way with another digest is no replay', () => {
    refuses('APPROVAL_DIGEST_MISMATCH', () =>
      cast(two('approve'), person('ann'), { ...APPROVE, digest: OTHER }),
    );
  });

  it('deny after approve counts while the request is pending', () => {
    expect(cast(two('approve'), person('ann'), DENY)).toBe('denied');
    refuses('APPROVAL_REASON_REQUIRED', () =>
      cast(two('approve', { reasonRequired: true }), person('ann'), DENY),
    );
    refuses('APPROVAL_EXPIRED', () => cast(two('approve'), person('ann'), DENY, EXPIRES));
  });

  it('deny after approve comes too late once the request is approved', () => {
    refuses('APPROVAL_ALREADY_VOTED', () => cast(two('approve', { state: 'approved' }), person('ann'), DENY));
  });

  it('approve after deny never counts', () => {
    refuses('APPROVAL_ALREADY_VOTED', () => cast(two('deny', { state: 'denied' }), person('ann'), APPROVE));
    refuses('APPROVAL_ALREADY_VOTED', () => cast(two('deny'), person('ann'), APPROVE));
  });

  it('after the decision the refusal says what is left, and not that another person can still deny (hint-to-deny-what-is-denied)', () => {
    const hintOf = (state: 'pending' | 'approved' | 'denied'): string | undefined => {
      try {
        cast(
          two(state === 'approved' ? 'approve' : 'deny', { state }),
          person('ann'),
          state === 'approved' ? DENY : APPROVE,
        );
      } catch (error) {
        return error instanceof WritError ? error.hint : undefined;
      }
      return undefined;
    };
    expect(hintOf('pending')).toContain('another person can still deny');
    expect(hintOf('approved')).toContain('writ approvals revoke');
    expect(hintOf('denied')).toContain('writ approvals show');
  });

  it('the last vote of a person is the one that is compared', () => {
    const votes = [...voted('ann', 'approve'), ...voted('ann', 'deny')];
    expect(cast(ballot({ state: 'denied', votes }), person('ann'), DENY)).toBeNull();
    refuses('APPROVAL_ALREADY_VOTED', () => cast(ballot({ state: 'denied', votes }), person('ann'), APPROVE));
  });

  it('of a person who may no longer decide is no replay', () => {
    refuses('APPROVAL_NOT_ELIGIBLE', () => cast(two('approve'), person('ann', false), APPROVE));
  });
});
