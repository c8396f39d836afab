// A decision as people and programs read it: verdict, the rule with its place, the roles that lead to it, every layer,
// and where nothing matched the rules that come closest.
import type { JsonObject } from '../../json.js';
import { decide, nearestRules } from '../../library/policy.js';
import type {
  CeilingRecord,
  Decision,
  EffectiveApproval,
  NearRule,
  PolicyQuestion,
  PolicySnapshot,
  QuorumFactor,
  RbacRecord,
} from '../../policy/index.js';
import type { Colors } from '../output.js';
import { printable, shortReference } from '../output.js';
import { durationText } from '../time-text.js';

/** What `--json` prints. */
export interface PolicyAnswer {
  readonly verdict: Decision['verdict'];
  readonly allowed: boolean;
  readonly code: string | null;
  readonly message: string;
  readonly hint: string | null;
  readonly question: PolicyQuestion;
  /** Taken for granted, since the question does not say. */
  readonly assumed: readonly string[];
  /** The initiator's; null = no rule matched. */
  readonly ruleId: string | null;
  readonly rules: readonly RuleAnswer[];
  /** Every layer, not the first that refuses. */
  readonly layers: readonly CeilingRecord[];
  readonly approval: EffectiveApproval | null;
  readonly demandedBy: readonly string[];
  readonly limits: Readonly<Record<string, number | undefined>>;
  readonly nearest: readonly NearAnswer[];
  readonly policyHash: string;
  readonly ceilingHash: string;
  readonly modelHash: string;
}

export interface RuleAnswer extends RbacRecord {
  readonly file: string | null;
  readonly line: number | null;
  readonly reason: string | null;
}

export interface NearAnswer {
  readonly ruleId: string;
  /** For whom: the initiator or the agent. */
  readonly for: string;
  readonly differs: NearRule['differs'];
  readonly file: string;
  readonly line: number;
  readonly subject: string;
  readonly domain: string;
  readonly action: string;
  readonly resource: string;
}

export function answerOf(
  snapshot: PolicySnapshot,
  question: PolicyQuestion,
  assumed: readonly string[],
): PolicyAnswer {
  const decision = decide(snapshot, question);
  const { verdict, code, message, hint, rbac, ceiling, effective, demandedBy } = decision;
  const unmatched = rbac.filter(({ effect }) => effect === 'none');
  return {
    ...{ verdict, allowed: verdict === 'allow', code, message, hint, question, assumed },
    ruleId: rbac[0]?.ruleId ?? null,
    rules: rbac.map((record) => ({ ...record, ...placeOf(snapshot, record.ruleId) })),
    layers: ceiling,
    ...{ approval: effective.approval, demandedBy, limits: effective.limits },
    nearest: unmatched.flatMap(({ subject }) => nearestTo(snapshot, question, subject)),
    policyHash: decision.policyHash,
    ceilingHash: decision.ceilingHash,
    modelHash: decision.modelHash,
  };
}

function placeOf(snapshot: PolicySnapshot, ruleId: string | null): Omit<RuleAnswer, keyof RbacRecord> {
  const rule = ruleId === null ? null : snapshot.ruleById(ruleId);
  if (rule === null) return { file: null, line: null, reason: null };
  return { file: rule.file, line: rule.line, reason: rule.reason };
}

/** Allow rules that come closest to what nothing allowed for this subject. */
export function nearestTo(
  snapshot: PolicySnapshot,
  { domain, action, resource }: Pick<PolicyQuestion, 'domain' | 'action' | 'resource'>,
  subject: string,
): readonly NearAnswer[] {
  return nearestRules(snapshot, { subject, domain, action, resource }).map(({ rule, differs }) => ({
    ruleId: rule.id,
    for: subject,
    differs,
    file: rule.file,
    line: rule.line,
    subject: rule.subject,
    domain: rule.domain,
    action: rule.action,
    resource: rule.resource,
  }));
}

/** Two to four lines: verdict and why. */
export function shortText(answer: PolicyAnswer, colors: Colors): string {
  const { message, hint, assumed } = answer;
  const lines = [`${verdictWord(answer.verdict, colors)}  ${printable(message)}`];
  if (answer.code !== null) lines.push(`code    ${answer.code}`);
  if (hint !== null) lines.push(`hint    ${printable(hint)}`);
  if (assumed.length > 0) lines.push(colors.dim(`assumed ${assumed.map(printable).join(', ')}`));
  return lines.join('\n');
}

/** Everything that was asked and what each said. */
export function longText(answer: PolicyAnswer, here: PoliciesHere, colors: Colors): string {
  const { root } = here;
  const { question, code, message, hint, rules, layers, approval, demandedBy, nearest, assumed } = answer;
  const { initiator, agent, action, resource, domain } = question;
  const who = agent === undefined ? initiator : `${initiator} through ${agent}`;
  // A question that can't be understood is told as far as it goes.
  const told = (what: string, value: unknown): string =>
    typeof value === 'string' ? printable(value) : `no ${what}`;
  const on = typeof resource === 'string' ? shortReference(resource) : 'no resource';
  const lines = [
    `${told('subject', who)} asks for ${told('action', action)} on ${on} in ${told('domain', domain)}`,
    row('verdict', `${verdictWord(answer.verdict, colors)}${code === null ? '' : `  ${code}`}`),
    row('because', printable(message)),
  ];
  if (hint !== null) lines.push(row('hint', printable(hint)));
  if (assumed.length > 0) lines.push(row('assumed', assumed.map(printable).join(', ')));
  if (rules.length > 0) lines.push('', colors.bold('rules'));
  for (const rule of rules) lines.push(...ruleLines(rule, root, colors));
  if (nearest.length > 0) lines.push('', colors.bold('rules that come closest'));
  for (const near of nearest) lines.push(nearLine(near, root));
  if (layers.length > 0) lines.push('', colors.bold('ceilings'));
  for (const layer of layers) lines.push(layerLine(layer, colors));
  if (approval !== null) {
    lines.push('', colors.bold('approval'), `  ${approvalText(approval)}`);
    for (const by of demandedBy) lines.push(`  ${demandLine(by, here)}`);
  }
  lines.push(
    '',
    colors.dim(`policy ${answer.policyHash.slice(0, 12)}, ceilings ${answer.ceilingHash.slice(0, 12)}`),
  );
  return lines.join('\n');
}

/** Policies, and what their directory is called. */
export interface PoliciesHere {
  readonly snapshot: PolicySnapshot;
  readonly root: string;
}

/** `sync, 1 x role:reviewer, within 1 h 0 min`; of a decision, or of the log. */
export function approvalText(approval: EffectiveApproval | JsonObject): string {
  const { mode, quorum, expiresSeconds, author } = approval;
  const factors = (Array.isArray(quorum) ? quorum : []) as readonly Partial<QuorumFactor>[];
  const people = factors.map(({ role = '?', n = 0 }) => `${n} x ${printable(role)}`).join(' and ');
  const word = typeof mode === 'string' ? mode : '?';
  const within = typeof expiresSeconds === 'number' ? `, within ${durationText(expiresSeconds * 1000)}` : '';
  return `${printable(word)}, ${people}${within}${author === true ? ', not by who wrote the workflow' : ''}`;
}

/** What asks for an approval, and the place of the ceiling's rule. */
export function demandLine(text: string, { snapshot, root }: PoliciesHere): string {
  for (const { file, lineOfDemand } of snapshot.ceilings) {
    const line = lineOfDemand(text);
    if (line !== null) return `${printable(text)} (${printable(`${root}/${file}`)}:${line})`;
  }
  return printable(text);
}

export function verdictWord(verdict: Decision['verdict'], colors: Colors): string {
  switch (verdict) {
    case 'allow':
      return colors.green('allow');
    case 'needs_approval':
      return colors.yellow('needs approval');
    case 'deny':
      return colors.red('deny');
  }
}

export function ruleLines(
  { subject, effect, ruleId, rolePath, file, line, reason }: RuleAnswer,
  root: string,
  colors: Colors,
): string[] {
  const word = effect === 'allow' ? colors.green('allow') : colors.red(effect === 'deny' ? 'deny' : 'none ');
  if (ruleId === null) return [`  ${word}  ${printable(subject)}: no rule matches`];
  const place = file === null ? '' : ` at ${printable(`${root}/${file}`)}:${line}`;
  const path = rolePath.length > 1 ? ` as ${rolePath.map(printable).join(' > ')}` : '';
  const lines = [`  ${word}  ${printable(subject)}${path}: rule ${printable(ruleId)}${place}`];
  if (reason !== null) lines.push(colors.dim(`         ${printable(reason)}`));
  return lines;
}

export function nearLine(near: NearAnswer, root: string): string {
  const rule = `${near.subject} ${near.action} ${near.resource} in ${near.domain}`;
  const place = printable(`${root}/${near.file}`);
  return `  ${printable(near.ruleId)} for ${printable(near.for)}: ${printable(rule)}; not the ${near.differs.join(' and ')} (${place}:${near.line})`;
}

export function layerLine(
  { layer, name, hash, ok, field, limit, requested }: CeilingRecord,
  colors: Colors,
): string {
  const label = `${layer.padEnd(11)} ${printable(name === '' ? '-' : name)}`;
  if (hash === null) return `  ${colors.dim('none')}  ${label}`;
  if (ok) return `  ${colors.green('ok')}    ${label}`;
  return `  ${colors.red('no')}    ${label}: ${field ?? ''} is ${printable(limit ?? '')}, asked for ${printable(requested ?? '')}`;
}

function row(name: string, text: string): string {
  return `${name.padEnd(8)} ${text}`;
}
