// Unit tests of policies: policies/tests/*.yaml, each a question and the verdict it must get. They decide nothing; they
// tell an operator that a change does what it should. Coverage is the rules that decided at least one case.
import { labelOf } from '../ceiling/ceiling.js';
import { compareText, Problems } from '../file/diagnostic.js';
import { decide, refuseQuestion } from '../decision/decide.js';
import type { Decision } from '../decision/decision.js';
import { pointerSegment, readDocument } from '../file/document.js';
import { readQuestion } from './question.js';
import type { PolicySnapshot } from '../snapshot.js';
import { checkShape } from '../file/shape.js';
import type { PolicyTestDocument } from './shape.js';

export interface PolicyCase {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  /** As the file says it; judged when it is asked. */
  readonly request: unknown;
  readonly expect: Decision['verdict'];
  /** A rule's id, `name-of-layer:field`, or POLICY_REQUEST_INVALID; null = whatever rule or ceiling decides. */
  readonly by: string | null;
}

export interface CaseResult {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly ok: boolean;
  readonly expected: Decision['verdict'];
  readonly verdict: Decision['verdict'];
  /** What had to decide, null = nothing was said. */
  readonly by: string | null;
  /** Rules that decided, and `layer:field` of what refused. */
  readonly decidedBy: readonly string[];
  readonly message: string;
}

export interface TestReport {
  readonly ok: boolean;
  readonly cases: readonly CaseResult[];
  readonly coverage: {
    readonly rules: number;
    readonly covered: number;
    /** Ids of rules that no case was decided by, sorted. */
    readonly uncovered: readonly string[];
  };
}

/** The cases of `tests/*.yaml`, in the order of the files. Throws POLICY_INVALID with every problem. */
export function readPolicyTests(
  files: ReadonlyMap<string, string>,
  root = 'policies',
): readonly PolicyCase[] {
  const problems = new Problems();
  const cases: PolicyCase[] = [];
  for (const [file, text] of [...files].toSorted(([a], [b]) => compareText(a, b))) {
    if (!/^tests\/[^/]+\.yaml$/.test(file)) continue;
    const source = readDocument(file, text, problems);
    if (source === null) continue;
    const shape = checkShape('PolicyTest', source.value);
    if (!shape.ok) {
      for (const { pointer, key, message, hint } of shape.problems) {
        problems.add(file, key ? source.keyPlace(pointer) : source.place(pointer), message, hint);
      }
      continue;
    }
    for (const [index, one] of shape.document.cases.entries()) {
      const { line } = source.place(`/cases${pointerSegment(index)}`);
      cases.push({ file, line, ...caseOf(one) });
    }
  }
  problems.throwIfAny(root);
  return cases;
}

function caseOf({ name, request, expect, by }: PolicyTestDocument['cases'][number]) {
  return { name, request, expect, by: by ?? null };
}

/** Asks every case. `nowMs` is the time of those that name none. */
export function runPolicyTests(
  snapshot: PolicySnapshot,
  cases: readonly PolicyCase[],
  nowMs: number,
): TestReport {
  const covered = new Set<string>();
  const results = cases.map((one): CaseResult => {
    const read = readQuestion(one.request, nowMs);
    const decision = read.ok ? decide(snapshot, read.request) : refuseQuestion(snapshot, read.problem);
    for (const { ruleId } of decision.rbac) if (ruleId !== null) covered.add(ruleId);
    const decidedBy = decidersOf(decision);
    const { file, line, name, expect, by } = one;
    return {
      ...{ file, line, name, expected: expect, verdict: decision.verdict, by, decidedBy },
      // A question that nobody can ask is denied whatever the policies say: a misspelt one would prove nothing.
      ok: decision.verdict === expect && (by === null ? !isUnjudged(decision) : decidedBy.includes(by)),
      message: decision.message,
    };
  });
  const uncovered = snapshot.rules.map(({ id }) => id).filter((id) => !covered.has(id));
  return {
    ok: results.every(({ ok }) => ok),
    cases: results,
    coverage: {
      rules: snapshot.rules.length,
      covered: snapshot.rules.length - uncovered.length,
      uncovered,
    },
  };
}

/** No rule and no ceiling was asked: the question is none, or policy failed. */
function isUnjudged({ code }: Decision): boolean {
  return code === 'POLICY_REQUEST_INVALID' || code === 'POLICY_ERROR';
}

/**
 * Rules that allowed or denied, and of ceilings what refused: `org-prod:network` for `network.mode` and
 * `network.allow` alike, and the field in full; `org-prod:approval` of one that asks for the approval. Where nothing was
 * judged, the code alone.
 */
function decidersOf(decision: Decision): readonly string[] {
  const { rbac, ceiling, code, demandedBy } = decision;
  if (code !== null && isUnjudged(decision)) return [code];
  const rules = rbac.flatMap(({ ruleId }) => (ruleId === null ? [] : [ruleId]));
  const layers = ceiling.flatMap(({ name, ok, field }) =>
    ok || field === undefined ? [] : [`${name}:${field.split('.')[0] ?? ''}`, `${name}:${field}`],
  );
  const asking = ceiling
    .filter((of) => demandedBy.some((text) => text.startsWith(`${labelOf(of)}: `)))
    .map(({ name }) => `${name}:approval`);
  return [...new Set([...rules, ...layers, ...asking])];
}
