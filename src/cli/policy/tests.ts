// `writ policy test | lint | diff`: does a policy directory do what its tests say, what in it is likely a mistake, and
// which decisions change from one directory to another. Nothing is written.
import type { Context } from '../context.js';
import { printable, type Output } from '../output.js';
import { renderTable } from '../table.js';
import { loadHere } from './question.js';
import type {
  CaseResult,
  DecisionChange,
  LintFinding,
  PolicyComparison,
  TestReport,
} from '../../policy/index.js';

const FAILED = 1;

/** Exit 0 when every case gets its verdict, 1 when one does not or there is none; 2 for files that can't be read. */
export async function testPolicies(
  context: Context,
  flags: { readonly coverage: boolean; readonly minCoverage: number | null },
): Promise<number> {
  const { output, policies } = context;
  const nowMs = context.nowMs();
  const report = await reportOf(policies, nowMs);
  const { rules, covered } = report.coverage;
  const percent = rules === 0 ? 100 : (covered / rules) * 100;
  const isCovered = flags.minCoverage === null || percent >= flags.minCoverage;
  const ok = report.ok && report.cases.length > 0 && isCovered;
  if (output.json) {
    output.value({ ...report, ok, coverage: { ...report.coverage, percent: Math.floor(percent * 10) / 10 } });
    return ok ? 0 : FAILED;
  }
  for (const one of report.cases) if (!one.ok) showFailure(output, policies, one);
  const failed = report.cases.filter((one) => !one.ok).length;
  const words = `${report.cases.length - failed} of ${report.cases.length} cases as expected`;
  if (report.cases.length === 0) {
    output.line(output.colors.red(`there are no tests in ${printable(policies)}/tests`));
  } else {
    output.line(failed === 0 ? output.colors.green(words) : output.colors.red(words));
  }
  output.line(`${covered} of ${rules} rules decide at least one case (${Math.floor(percent)} %)`);
  if (flags.coverage || !isCovered) {
    for (const id of report.coverage.uncovered) output.line(`  not covered: ${printable(id)}`);
  }
  return ok ? 0 : FAILED;
}

function showFailure(output: Output, root: string, one: CaseResult): void {
  const { file, line, name, expected, verdict, by, decidedBy, message } = one;
  output.line(`${output.colors.red('failed')} ${printable(`${root}/${file}`)}:${line}  ${printable(name)}`);
  if (verdict !== expected) output.line(`  expected ${expected}, got ${verdict}: ${printable(message)}`);
  if (by !== null && !decidedBy.includes(by)) {
    const found = decidedBy.length === 0 ? 'nothing' : decidedBy.map(printable).join(', ');
    output.line(`  expected it by ${printable(by)}, it was by ${found}`);
  }
  if (verdict === expected && by === null) {
    output.line(`  nobody can ask that, so it is denied whatever the policies say: ${printable(message)}`);
    output.line('  correct the request; where this is what is tested, add by: POLICY_REQUEST_INVALID');
  }
}

async function reportOf(directory: string, nowMs: number): Promise<TestReport> {
  const { readPolicyDirectory } = await import('../../adapters/policy-directory.js');
  const { readPolicyTests, runPolicyTests } = await import('../../library/policy.js');
  const snapshot = await loadHere(directory);
  const cases = readPolicyTests(await readPolicyDirectory(directory), directory);
  return runPolicyTests(snapshot, cases, nowMs);
}

/** Exit 0 without errors, 1 with one (with --strict: with any finding); 2 for files that can't be loaded. */
export async function lintHere(context: Context, flags: { readonly strict: boolean }): Promise<number> {
  const { output, policies } = context;
  const nowMs = context.nowMs();
  const { lintPolicies } = await import('../../library/policy.js');
  const report = await reportOf(policies, nowMs);
  const uncovered = report.cases.length === 0 ? null : report.coverage.uncovered;
  const findings = lintPolicies(await loadHere(policies), { nowMs, uncovered });
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const ok = flags.strict ? findings.length === 0 : errors === 0;
  if (output.json) {
    output.value({ ok, findings });
    return ok ? 0 : FAILED;
  }
  for (const finding of findings) output.line(findingText(finding, policies, output));
  const counts = `${errors} errors, ${findings.length - errors} warnings`;
  output.line(findings.length === 0 ? output.colors.green('nothing to say') : counts);
  return ok ? 0 : FAILED;
}

function findingText(finding: LintFinding, root: string, { colors }: Output): string {
  const { code, severity, file, line, message, hint } = finding;
  const place = file === null ? '' : `${printable(`${root}/${file}`)}${line === null ? '' : `:${line}`}  `;
  const word = severity === 'error' ? colors.red('error') : colors.yellow('warning');
  return `${word}  ${place}${printable(message)} [${code}]\n         ${colors.dim(printable(hint))}`;
}

/** Exit 0 whether or not something changes (1 with --exit-code and a change); 2 where one can't be loaded. */
export async function diffPolicies(
  context: Context,
  [before = '', after = '']: readonly string[],
  flags: { readonly exitCode: boolean },
): Promise<number> {
  const { output } = context;
  const { comparePolicies } = await import('../../library/policy.js');
  const comparison = comparePolicies(await loadHere(before), await loadHere(after));
  if (output.json) output.value(comparison);
  else showComparison(output, comparison);
  return flags.exitCode && !comparison.same ? FAILED : 0;
}

function showComparison(output: Output, comparison: PolicyComparison): void {
  const { same, decisions, rules, rulesNotAsked, asked, notAsked } = comparison;
  const { ceilings, roles, approvers, packageSigners } = comparison;
  if (same) {
    output.line(output.colors.green('the same policies: no decision changes'));
    return;
  }
  output.line(`${decisions.length} of ${asked} decisions change`);
  if (notAsked > 0) output.line(output.colors.yellow(`${notAsked} more were not asked`));
  if (decisions.length > 0) {
    const rows = decisions.slice(0, MOST_SHOWN).map((one) => changeRow(one, output));
    output.line(
      renderTable(output.colors, ['was', 'is', 'subject', 'domain', 'action', 'resource', 'rules'], rows),
    );
    const left = decisions.length - MOST_SHOWN;
    if (left > 0) output.line(`and ${left} more (--json shows them)`);
  }
  for (const [what, ids] of Object.entries(rules)) {
    if (ids.length > 0) output.line(`rules ${what}: ${ids.slice(0, MOST_SHOWN).map(printable).join(', ')}`);
  }
  if (rulesNotAsked.length > 0) {
    const ids = rulesNotAsked.slice(0, MOST_SHOWN).map(printable).join(', ');
    output.line(output.colors.yellow(`look at these rules yourself, no example of them was found: ${ids}`));
  }
  for (const { what, before, after } of [...ceilings, ...roles, ...approvers, ...packageSigners]) {
    output.line(
      `${printable(what)}: ${printable(JSON.stringify(before))} -> ${printable(JSON.stringify(after))}`,
    );
  }
}

const MOST_SHOWN = 50;

function changeRow({ before, after, subject, domain, action, resource }: DecisionChange, { colors }: Output) {
  const word = (verdict: 'allow' | 'deny') => ({
    styled: verdict === 'allow' ? colors.green('allow') : colors.red('deny'),
  });
  const rules = `${before.ruleId ?? '-'} -> ${after.ruleId ?? '-'}`;
  const short = resource.replace(/@sha256:0{64}$/u, '@…');
  return [word(before.verdict), word(after.verdict), subject, domain, action, short, rules];
}
