// Names in a ceiling that nothing could ever be called by. A deny, a rate or a rule of approval that can never match looks
// like protection and is none, so such a document is refused. An `allow` that never matches lets nothing through: it is
// seen at once and stays.
import { packagePatternProblem, unmatchable } from '../rbac/action.js';
import type { CeilingSpec } from './shape.js';

export interface NeverMatching {
  /** JSON pointer inside `spec`. */
  readonly pointer: string;
  readonly message: string;
  readonly hint: string;
}

/** Every deny, rate and key of an approval rule that can never match. The shape of `spec` has been checked. */
export function neverMatching(spec: CeilingSpec): readonly NeverMatching[] {
  const rules = (spec.approval?.rules ?? []).map(({ match }, index) => {
    return { match, at: `/approval/rules/${index}/match` };
  });
  return [
    ...inList('/functions/deny', spec.functions?.deny, functionProblem),
    ...inList('/agents/deny', spec.agents?.deny, packagePatternProblem),
    ...PLAIN.flatMap((field) => inList(`/${field}/deny`, spec[field]?.deny, nameProblem)),
    ...(spec.rates ?? []).flatMap(({ match }, index) =>
      inList(`/rates/${index}/match`, [match], calledProblem).map((one) => {
        return { ...one, pointer: `/rates/${index}/match` };
      }),
    ),
    ...rules.flatMap(({ match, at }) => [
      ...inList(`${at}/functions`, match.functions, calledProblem),
      ...inList(`${at}/agents`, match.agents, packagePatternProblem),
      ...inList(`${at}/credentials`, match.credentials, nameProblem),
      ...Object.entries(match).flatMap(([key, values]) => (isEmpty(values) ? [emptyKey(at, key)] : [])),
    ]),
  ];
}

/** Lists of names that have no form but that of a name. */
const PLAIN = ['tools', 'skills', 'mcp', 'memory', 'delegation', 'credentials'] as const;

function inList(
  pointer: string,
  patterns: readonly string[] | undefined,
  problemOf: (pattern: string) => string | null,
): NeverMatching[] {
  return (patterns ?? []).flatMap((pattern, index) => {
    const message = problemOf(pattern);
    const hint = 'write it as it is called, such as tool::raw_* or ghcr.io/bank/*';
    return message === null ? [] : [{ pointer: `${pointer}/${index}`, message, hint }];
  });
}

function functionProblem(pattern: string): string | null {
  return unmatchable('function.invoke', pattern);
}

function nameProblem(pattern: string): string | null {
  return /\s/u.test(pattern) ? `can never match: a name holds no blank, and "${pattern}" does` : null;
}

/** A function, or a package by any of its names. */
function calledProblem(pattern: string): string | null {
  return packagePatternProblem(pattern) === null ? null : functionProblem(pattern);
}

function isEmpty(values: unknown): boolean {
  return Array.isArray(values) && values.length === 0;
}

function emptyKey(at: string, key: string): NeverMatching {
  const hint = `name what the rule is about, or leave "${key}" out: then it holds for all of them`;
  return { pointer: `${at}/${key}`, message: `"${key}" is empty, so the rule would never apply`, hint };
}
