// What happened in a run, told from its entries alone: the line of events, who approved and answered what, which rule decided,
// which ceilings held, what the sandbox kept. A sentence here says no more than the entry it stands for; texts are the
// log's (attacker-controlled) and are made harmless where they are shown.
import type { Json, JsonObject } from '../../json.js';
import { isObject } from '../../json.js';
import { countOf, listOf, optional, shown, textOf } from './shown-value.js';
import type { ShownEntry } from './verify.js';

/** One entry as a line of the timeline. */
export interface Moment {
  readonly index: string;
  /** Within the run; null for an entry about the log itself. */
  readonly seq: number | null;
  readonly time: string;
  readonly type: string;
  readonly actor: string;
  readonly via: string;
  readonly step: string | null;
  readonly attempt: number | null;
  /** One sentence about it. */
  readonly what: string;
  readonly data: JsonObject;
  /** label -> commitment. */
  readonly commit: Readonly<Record<string, string>>;
}

/** What shows that an entry is what a person said. */
export interface ShownProof {
  /** When the person signed; the entry's time when it says none. */
  readonly at: string;
  readonly keyId: string | null;
  readonly assurance: string;
  /** `unchecked`: signed, but nothing here checks signatures. */
  readonly signature: 'holds' | 'fails' | 'unsigned' | 'unchecked';
}

export interface ShownVote extends ShownProof {
  readonly index: string;
  readonly approver: string;
  readonly decision: string;
  readonly reason: string | null;
}

/** An answer from outside to a step that waited for one. */
export interface ShownAnswer extends ShownProof {
  readonly index: string;
  readonly by: string;
  readonly answer: string;
  /** Commitment of what was answered. */
  readonly data: string | null;
}

export interface ShownTask {
  readonly id: string;
  readonly step: string;
  readonly attempt: number | null;
  /** In words: a form with its digest, or a token. */
  readonly asked: string;
  /** In words: the roles, and who is barred. */
  readonly who: string;
  readonly openedAt: string;
  readonly expiresAt: string;
  readonly answers: readonly ShownAnswer[];
}

export interface ShownApproval {
  readonly id: string;
  readonly step: string;
  readonly attempt: number | null;
  readonly subjectDigest: string;
  /** Commitment of the exact subject. */
  readonly subject: string | null;
  readonly mode: string;
  /** In words: `1 of role:reviewer`. */
  readonly quorum: string;
  readonly requestedAt: string;
  readonly expiresAt: string;
  /** As the last entry about it says: requested, approved, denied, revoked, expired, withdrawn, used. */
  readonly state: string;
  readonly votes: readonly ShownVote[];
}

export interface ShownDecision {
  readonly index: string;
  readonly time: string;
  readonly step: string | null;
  readonly attempt: number | null;
  readonly action: string;
  readonly resource: string;
  readonly verdict: string;
  readonly code: string | null;
  /** Each question that was asked: for whom, the rule that answered, and by which roles it applied. */
  readonly rules: readonly {
    readonly subject: string;
    readonly ruleId: string | null;
    readonly effect: string;
    readonly rolePath: readonly string[];
  }[];
}

export interface ShownCeiling {
  readonly index: string;
  readonly step: string;
  readonly attempt: number | null;
  readonly hash: string;
  readonly layers: readonly {
    readonly layer: string;
    readonly name: string;
    readonly hash: string | null;
    readonly ok: boolean;
  }[];
  readonly effective: Json;
}

export interface ShownSandbox {
  readonly index: string;
  readonly event: 'started' | 'exited';
  readonly step: string;
  readonly attempt: number | null;
  readonly data: JsonObject;
}

/** A committed payload and what the bundle holds of it. */
export interface ShownPayload {
  readonly commitment: string;
  readonly label: string;
  /** The entry that commits to it. */
  readonly index: string;
  readonly step: string | null;
  readonly type: string;
  readonly state: 'disclosed' | 'erased' | 'withheld';
  /** The `payload.erased`, null unless erased. */
  readonly erasedBy: string | null;
}

export interface RunStory {
  readonly run: string;
  readonly workflow: { readonly id: string; readonly hash: string } | null;
  readonly tenant: string | null;
  readonly initiator: string | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** As `run.finished` says; null without one. */
  readonly status: string | null;
  readonly moments: readonly Moment[];
  /** Entries about the log itself that the bundle holds. */
  readonly log: readonly Moment[];
  readonly approvals: readonly ShownApproval[];
  readonly tasks: readonly ShownTask[];
  readonly decisions: readonly ShownDecision[];
  readonly ceilings: readonly ShownCeiling[];
  readonly sandboxes: readonly ShownSandbox[];
  readonly payloads: readonly ShownPayload[];
}

const ENDS: ReadonlySet<string> = new Set(['run.finished', 'run.redriven']);

/** The story of `run` from entries in log order; `disclosed` = commitments whose payloads the bundle shows. */
export function storyOf(
  run: string,
  entries: readonly ShownEntry[],
  disclosed: ReadonlySet<string>,
): RunStory {
  const own = entries.filter(({ entry }) => entry.run === run);
  const first = own[0]?.entry;
  const started = own.find(({ entry }) => entry.type === 'run.started')?.entry;
  // Its last end: a run that was redriven after it is open again.
  const end = own.findLast(({ entry }) => ENDS.has(entry.type))?.entry;
  const finished = end?.type === 'run.finished' ? end : undefined;
  const only = (type: string): readonly ShownEntry[] => own.filter(({ entry }) => entry.type === type);
  return {
    run,
    workflow: first?.workflow ?? null,
    tenant: first?.tenant ?? null,
    initiator: started === undefined ? null : textOf(started.data.initiator),
    startedAt: started?.time ?? null,
    finishedAt: finished?.time ?? null,
    status: finished === undefined ? null : textOf(finished.data.status),
    moments: own.map(momentOf),
    log: entries.filter(({ entry }) => entry.run !== run).map((one) => ({ ...momentOf(one), seq: null })),
    approvals: approvalsOf(own),
    tasks: tasksOf(only('task.opened'), only('task.answered')),
    decisions: only('authz.decided').map(decisionOf),
    ceilings: only('ceiling.composed').map(ceilingOf),
    sandboxes: own.flatMap(sandboxOf),
    payloads: payloadsOf(own, entries, disclosed),
  };
}

function momentOf({ index, entry }: ShownEntry): Moment {
  const { seq, time, type, actor, data, commit } = entry;
  return {
    index: index.toString(),
    seq,
    time,
    type,
    actor: actor.id,
    via: actor.via,
    step: textOf(data.stepPath),
    attempt: countOf(data.attempt),
    what: sentence(type, data),
    data,
    commit,
  };
}

/** What the entry says, in words; types that this version does not know say nothing more than their name. */
function sentence(type: string, data: JsonObject): string {
  const say = (key: string): string => shown(data[key]);
  switch (type) {
    case 'run.started':
      return `run started by ${say('initiator')}`;
    case 'run.finished':
      return `run ${say('status')}, exit code ${say('exitCode')}${optional(', reason ', data.reason)}`;
    case 'run.redriven':
      return `run goes on where it stood, redrive ${say('redrive')}${data.lost === 'rerun' ? ', attempts without a known outcome too' : ''}`;
    case 'authz.decided':
      return `${verdictWord(data.verdict)}: ${say('action')} on ${say('resource')}${optional(', rule ', data.ruleId)}${optional(', ', data.code)}`;
    case 'ceiling.composed':
      return `ceilings composed${failedLayers(data.layers)}`;
    case 'approval.requested':
      return `approval ${say('approvalId')} requested: ${say('mode')}, ${quorumText(data.quorum)}, until ${say('expiresAt')}`;
    case 'approval.decided':
      return `${say('approver')}${optional(' for ', data.delegation)}: ${say('decision')} ${say('approvalId')}${data.breakGlass === true ? ' in an emergency' : ''}${optional(', now ', data.state)}`;
    case 'approval.expired':
      return `approval ${say('approvalId')} expired${optional(': ', data.cause)}`;
    case 'approval.withdrawn':
      return `approval ${say('approvalId')} withdrawn${optional(': ', data.cause)}`;
    case 'approval.reviewed':
      return `${say('reviewer')} has reviewed the emergency decision on ${say('approvalId')}`;
    case 'approval.consumed':
      return `approval ${say('approvalId')} used for this attempt`;
    case 'step.intended':
      return `about to call ${say('function')}${optional(' in sandbox ', data.sandbox)}${optional(' under approval ', data.approvalId)}`;
    case 'task.opened':
      return `waits for ${data.kind === 'person' ? 'a person to fill in its form' : 'an answer with its token'}: task ${say('taskId')}, until ${say('expiresAt')}`;
    case 'task.answered':
      return `${say('by')} answered task ${say('taskId')}: ${say('answer')}, ${typeof data.signature === 'string' ? 'signed' : `not signed, assurance ${say('assurance')}`}`;
    case 'step.finished':
      return `${say('status')} after ${say('durationMs')} ms${optional(', ', data.code)}`;
    case 'step.skipped':
      return `skipped: ${say('reason')}`;
    case 'step.retried':
      return `attempt ${say('attempt')} follows after ${say('delayMs')} ms`;
    case 'loop.ended':
      return `loop ended after ${say('iterations')} iterations, ${data.converged === true ? 'as its condition asked' : 'its condition was never true'}`;
    case 'sandbox.started':
      return `${say('driver')} sandbox started${optional(', program ', data.imageDigest)}`;
    case 'sandbox.exited':
      return `sandbox ended: ${say('status')}, exit code ${say('exitCode')}${optional(', limit hit: ', data.limitHit)}`;
    case 'secret.used':
      return `secret ${say('name')} used for ${say('host')}`;
    case 'policy.loaded':
      return `policies loaded: ${say('policyHash')}`;
    case 'payload.erased':
      return `payload ${say('label')} erased: ${say('basis')}, asked for by ${say('requester')}`;
    case 'log.opened':
      return `log ${say('origin')} opened with key ${say('vkey')}, software ${say('softwareVersion')}`;
    case 'key.rotated':
      return `log key replaced: ${say('oldVkey')} by ${say('newVkey')}`;
    default:
      return '';
  }
}

function verdictWord(verdict: Json | undefined): string {
  if (verdict === 'allow') return 'allowed';
  if (verdict === 'deny') return 'denied';
  if (verdict === 'needs_approval') return 'allowed once a person approves';
  return shown(verdict);
}

function failedLayers(layers: Json | undefined): string {
  const failed = layersOf(layers).filter((layer) => !layer.ok);
  return failed.length === 0
    ? ': all layers hold'
    : `: refused by ${failed.map(({ layer, name }) => `${layer} ${name}`.trim()).join(', ')}`;
}

function approvalsOf(own: readonly ShownEntry[]): readonly ShownApproval[] {
  const about = groups(
    own.filter(({ entry }) => entry.type.startsWith('approval.')),
    ({ approvalId }) => shown(approvalId),
  );
  return own
    .filter(({ entry }) => entry.type === 'approval.requested')
    .map(({ entry: { data, time, commit } }) => {
      const id = shown(data.approvalId);
      const all = about.get(id) ?? [];
      return {
        id,
        step: shown(data.stepPath),
        attempt: countOf(data.attempt),
        subjectDigest: shown(data.subjectDigest),
        subject: commit['subject'] ?? null,
        mode: shown(data.mode),
        quorum: quorumText(data.quorum),
        requestedAt: time,
        expiresAt: shown(data.expiresAt),
        state: stateOf(all.findLast(({ entry }) => entry.type !== 'approval.reviewed')),
        votes: all.filter(({ entry }) => entry.type === 'approval.decided').map(voteOf),
      };
    });
}

function stateOf(last: ShownEntry | undefined): string {
  if (last === undefined) return 'requested';
  switch (last.entry.type) {
    case 'approval.consumed':
      return 'used';
    case 'approval.expired':
      return 'expired';
    case 'approval.withdrawn':
      return 'withdrawn';
    case 'approval.decided':
      return decidedState(last.entry.data);
    default:
      return 'requested';
  }
}

/** What a vote leads to follows from the vote; only whether it was the last one needed is the entry's to say. */
function decidedState({ decision, state }: JsonObject): string {
  if (decision === 'deny') return 'denied';
  if (decision === 'revoke') return 'revoked';
  if (decision !== 'approve') return shown(decision);
  return state === 'approved' || state === undefined ? 'approved' : 'requested';
}

function voteOf(one: ShownEntry): ShownVote {
  const { data, commit } = one.entry;
  return {
    index: one.index.toString(),
    approver: shown(data.approver),
    decision: shown(data.decision),
    ...proofOf(one),
    reason: commit['reason'] ?? null,
  };
}

/** Those of one key together, in order: one pass, however many a hostile bundle holds. */
function groups(
  entries: readonly ShownEntry[],
  keyOf: (data: JsonObject) => string,
): ReadonlyMap<string, readonly ShownEntry[]> {
  const found = new Map<string, ShownEntry[]>();
  for (const one of entries) {
    const key = keyOf(one.entry.data);
    const group = found.get(key);
    if (group === undefined) found.set(key, [one]);
    else group.push(one);
  }
  return found;
}

/** An answer is to one attempt: another one with the same task id was not asked this. */
function tasksOf(opened: readonly ShownEntry[], answered: readonly ShownEntry[]): readonly ShownTask[] {
  const keyOf = ({ taskId, stepPath, attempt }: JsonObject): string =>
    JSON.stringify([shown(taskId), shown(stepPath), shown(attempt)]);
  const answers = groups(answered, keyOf);
  return opened.map((one) => taskOf(one, answers.get(keyOf(one.entry.data)) ?? []));
}

function taskOf({ entry: { data, time } }: ShownEntry, answers: readonly ShownEntry[]): ShownTask {
  const isForm = data.kind === 'person';
  const roles = listOf(data.roles).map(shown);
  const barred = data.separationOfDuties === true ? ', not who started the run' : '';
  return {
    id: shown(data.taskId),
    step: shown(data.stepPath),
    attempt: countOf(data.attempt),
    asked: isForm ? `a form, SHA-256 ${shown(data.form)}` : 'its token with an answer',
    who: `${roles.length === 0 ? 'whom policy lets answer' : roles.join(' or ')}${barred}`,
    openedAt: time,
    expiresAt: shown(data.expiresAt),
    answers: answers.map(answerOf),
  };
}

function answerOf(one: ShownEntry): ShownAnswer {
  const { data, commit } = one.entry;
  return {
    index: one.index.toString(),
    by: shown(data.by),
    answer: shown(data.answer),
    ...proofOf(one),
    data: commit['output'] ?? commit['error'] ?? null,
  };
}

function proofOf({ entry, signature }: ShownEntry): ShownProof {
  const { data, time } = entry;
  const holds = signature === null ? null : signature ? 'holds' : 'fails';
  return {
    at: textOf(data.at) ?? time,
    keyId: textOf(data.keyId),
    assurance: shown(data.assurance),
    signature: holds ?? (typeof data.signature === 'string' ? 'unchecked' : 'unsigned'),
  };
}

function decisionOf({ index, entry: { data, time } }: ShownEntry): ShownDecision {
  const rules = listOf(data.rules).flatMap((rule) =>
    isObject(rule)
      ? [
          {
            subject: shown(rule.subject),
            ruleId: textOf(rule.ruleId),
            effect: shown(rule.effect),
            rolePath: listOf(rule.rolePath).map(shown),
          },
        ]
      : [],
  );
  const single = { subject: shown(data.subject), ruleId: textOf(data.ruleId), effect: '', rolePath: [] };
  return {
    index: index.toString(),
    time,
    step: textOf(data.stepPath),
    attempt: countOf(data.attempt),
    action: shown(data.action),
    resource: shown(data.resource),
    verdict: shown(data.verdict),
    code: textOf(data.code),
    rules: rules.length > 0 ? rules : [single],
  };
}

function ceilingOf({ index, entry: { data } }: ShownEntry): ShownCeiling {
  return {
    index: index.toString(),
    step: shown(data.stepPath),
    attempt: countOf(data.attempt),
    hash: shown(data.ceilingHash),
    layers: layersOf(data.layers),
    effective: data.effective ?? null,
  };
}

function layersOf(layers: Json | undefined): ShownCeiling['layers'] {
  return listOf(layers).flatMap((layer) =>
    isObject(layer)
      ? [
          {
            layer: shown(layer.layer),
            name: textOf(layer.name) ?? '',
            hash: textOf(layer.hash),
            ok: layer.ok === true,
          },
        ]
      : [],
  );
}

function sandboxOf({ index, entry: { type, data } }: ShownEntry): ShownSandbox[] {
  const event = type === 'sandbox.started' ? 'started' : type === 'sandbox.exited' ? 'exited' : null;
  if (event === null) return [];
  const { stepPath, attempt } = data;
  return [{ index: index.toString(), event, step: shown(stepPath), attempt: countOf(attempt), data }];
}

function payloadsOf(
  own: readonly ShownEntry[],
  entries: readonly ShownEntry[],
  disclosed: ReadonlySet<string>,
): readonly ShownPayload[] {
  const erased = new Map<Json | undefined, string>();
  for (const { index, entry } of entries) {
    if (entry.type === 'payload.erased') erased.set(entry.data.commitment, index.toString());
  }
  return own.flatMap(({ index, entry }) =>
    Object.entries(entry.commit).map(([label, commitment]): ShownPayload => {
      const erasedBy = erased.get(commitment) ?? null;
      return {
        commitment,
        label,
        index: index.toString(),
        step: textOf(entry.data.stepPath),
        type: entry.type,
        state: disclosed.has(commitment) ? 'disclosed' : erasedBy === null ? 'withheld' : 'erased',
        erasedBy,
      };
    }),
  );
}

function quorumText(quorum: Json | undefined): string {
  const factors = listOf(quorum).map((factor) =>
    isObject(factor) ? `${shown(factor.n)} of ${shown(factor.role)}` : shown(factor),
  );
  if (factors.length > 0) return factors.join(' and ');
  return typeof quorum === 'string' || typeof quorum === 'number' ? `${quorum} approvals` : 'nobody named';
}
