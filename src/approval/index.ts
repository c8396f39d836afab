export { castVote, isExpired, type Ballot, type BallotState, type BallotVote, type Voter } from './ballot.js';
export { decisionBytes, verifyDecision, type Decision } from './decision.js';
export { displaySubject, revealHidden } from './display.js';
export { quorumMet, type Factor, type HoldsRole } from './quorum.js';
export { digestOfSubjectBytes, subjectBytes, subjectDigest, type Subject } from './subject.js';
