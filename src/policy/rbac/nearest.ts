// Where nothing allowed a question: the allow rules that come closest, and by what each of them misses it.
import { compareText } from '../file/diagnostic.js';
import { fnMatch } from './glob.js';
import type { Rule } from './rule.js';
import type { PolicySnapshot } from '../snapshot.js';
import type { AccessQuestion } from './access.js';

export interface NearRule {
  readonly rule: Rule;
  /** The fields of the rule that don't match, never empty. */
  readonly differs: readonly ('subject' | 'domain' | 'action' | 'resource')[];
}

/** At most `most`, those that differ in the fewest fields first; rules about something else are left out. */
export function nearestRules(
  snapshot: PolicySnapshot,
  { subject, domain, action, resource }: AccessQuestion,
  most = 3,
): readonly NearRule[] {
  const found: NearRule[] = [];
  for (const rule of snapshot.rules) {
    if (rule.effect !== 'allow') continue;
    const differs: NearRule['differs'][number][] = [];
    if (subject !== rule.subject && snapshot.rolePath(subject, rule.subject, domain) === null) {
      differs.push('subject');
    }
    if (rule.domain !== '*' && rule.domain !== domain) differs.push('domain');
    if (rule.action !== '*' && rule.action !== action) differs.push('action');
    if (!fnMatch(resource, rule.resource)) differs.push('resource');
    if (isNear(differs)) found.push({ rule, differs });
  }
  return found.toSorted(byDistance).slice(0, most);
}

/** One field; or two, where the action at least is the one asked for. */
function isNear(differs: NearRule['differs']): boolean {
  return differs.length === 1 || (differs.length === 2 && !differs.includes('action'));
}

/** A rule about another action tells less than one about another resource. */
function byDistance(a: NearRule, b: NearRule): number {
  const weight = ({ differs }: NearRule) => differs.length * 10 + (differs.includes('action') ? 1 : 0);
  return weight(a) - weight(b) || compareText(a.rule.id, b.rule.id);
}
