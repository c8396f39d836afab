// One entry as a line of the timeline: who did what and when, in one sentence that says no more than the entry. Texts are the
// log's (attacker-controlled) and are made harmless where they are shown.
import type { Json, JsonObject } from '../../json.js';
import { layersOf } from './shown-ceiling.js';
import { quorumText } from './shown-approval.js';
import { countOf, optional, shown, textOf } from './shown-value.js';
import type { ShownEntry } from './report.js';

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

export function momentOf({ index, entry }: ShownEntry): Moment {
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
      return `loop ended after ${say('iterations')} iterations, ${data.converged === true ? 'its condition was true or it has none' : 'its condition was never true'}`;
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
