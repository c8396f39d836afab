// `writ plan FILE|ID`: what would run and what would hold it up. A question: nothing starts, nothing is written.
import type { RbacRecord } from '../../policy/decision/decision.js';
import type { DataDeclaration } from '../../runtime/run/data.js';
import type {
  PlannedCall,
  PlannedStep,
  PlanProblem,
  PlanVerdict,
  RunPlan,
} from '../../runtime/plan/run-plan.js';
import { whoActs, withWrit, type Context } from '../context.js';
import { printable, shortReference, type Colors } from '../output.js';
import { readRunInput } from './input.js';
import { durationText } from '../time-text.js';
import { explainingDiagnostics, looksLikeFile, readWorkflowSource } from '../workflow/source.js';

export interface PlanFlags {
  readonly input?: string;
  readonly agent: Readonly<Record<string, string>>;
  /** What the input carries; absent = nothing is said. */
  readonly data?: DataDeclaration;
}

/** Exit 3 when policy or a ceiling would deny, else that of the first step that would fail, else 0. */
export async function planWorkflow(context: Context, workflow: string, flags: PlanFlags): Promise<number> {
  const { output } = context;
  const source = looksLikeFile(workflow) ? await readWorkflowSource(workflow) : null;
  const input = flags.input === undefined ? undefined : await readRunInput(flags.input, context.stdin);
  const open = { drives: false, asksOnly: true } as const;
  const ask = async (): Promise<RunPlan> =>
    withWrit(
      context,
      async (writ) =>
        writ.plan(
          {
            ...{ workflow: source ?? workflow, input, agents: flags.agent },
            ...(flags.data === undefined ? {} : { data: flags.data }),
          },
          await whoActs(context, writ),
        ),
      open,
    );
  const plan = source === null ? await ask() : await explainingDiagnostics(output, source, ask);
  if (output.json) output.value(plan);
  else output.line(renderPlan(plan, output.colors));
  return plan.exitCode;
}

export function renderPlan(plan: RunPlan, colors: Colors): string {
  const { workflow, start, steps } = plan;
  const version = workflow.isRegistered ? `version ${workflow.version}` : 'not registered yet';
  const calls = steps.filter((step) => step.call !== null);
  const lines = [
    `workflow   ${printable(workflow.id)} ${version} (${workflow.hash.slice(0, 12)})`,
    `initiator  ${printable(plan.initiator)} in ${printable(plan.tenant)}: ${startText(start, colors)}`,
    `policy     ${plan.policyHash.slice(0, 12)}`,
    `steps      ${calls.length}: ${countsText(calls)}`,
  ];
  if (workflow.timeoutMs !== null)
    lines.push(`time       at most ${durationText(workflow.timeoutMs)} in all`);
  if (!plan.inputIsKnown) lines.push('input      not given: what depends on it is not known (--input)');
  const width = String(steps.length).length;
  let group: string | null = null;
  for (const step of steps) {
    lines.push('');
    if (step.group !== null && step.group !== group) lines.push(...groupLines(plan, step));
    group = step.group;
    lines.push(...stepLines(plan, step, width, colors));
  }
  lines.push('', `verdict    ${verdictText(plan.verdict, colors)}; nothing was run, nothing was written`);
  return lines.join('\n');
}

function countsText(calls: readonly PlannedStep[]): string {
  const words: readonly (readonly [PlanVerdict, string])[] = [
    ['allow', 'allowed'],
    ['needs_approval', 'need approval'],
    ['deny', 'denied'],
    ['error', 'would fail'],
  ];
  const counts = words.flatMap(([verdict, word]) => {
    const count = calls.filter((step) => step.call?.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  return counts.length === 0 ? 'none calls anything' : counts.join(', ');
}

function startText({ ruleId, rolePath, problem }: RunPlan['start'], colors: Colors): string {
  if (problem !== null) return `${colors.red('may not start it')}, ${problemText(problem)}`;
  return `may start it, ${ruleText(ruleId, rolePath)}`;
}

/** Steps that begin together, or that a Map or Parallel holds, which is a step of its own. */
function groupLines({ steps }: RunPlan, { group }: PlannedStep): string[] {
  const fork = steps.find(({ key }) => key === group);
  if (fork !== undefined) return [`in ${printable(fork.name)}:`];
  const members = steps.filter((one) => one.group === group);
  return members.length < 2 ? [] : [`the next ${members.length} begin together`];
}

function stepLines(plan: RunPlan, step: PlannedStep, width: number, colors: Colors): string[] {
  const { order, name, call } = step;
  const pad = ' '.repeat(width + 2);
  const head = `${String(order).padStart(width)}  ${colors.bold(printable(name))}`;
  if (call === null) return [`${head}  ${kindText(plan, step)}`];
  const rows: [string, string][] = [
    ['how', modeText(step)],
    [
      'calls',
      `${shortReference(step.calls ?? '')}${call.principal === null ? '' : ` as ${printable(call.principal)}`}`,
    ],
    ['verdict', verdictText(call.verdict, colors)],
  ];
  if (call.problem !== null) rows.push(['why', problemText(call.problem)]);
  call.rules.forEach((rule, at) => rows.push([at === 0 ? 'initiator' : 'agent', rbacText(rule)]));
  rows.push(['ceilings', ceilingsText(call)], ['limits', limitsText(call)], ['approval', approvalText(call)]);
  rows.push(['sandbox', sandboxText(call)], ['reaches', reachText(call)]);
  if (call.waits !== null) rows.push(['waits', waitText(call.waits)]);
  if (call.data !== null) rows.push(['data', dataText(call.data)]);
  if (call.audit === 'anchored') rows.push(['log', 'witnesses have to cosign it before the step begins']);
  if (call.needs.length > 0)
    rows.push(['not known', `the request, before ${call.needs.map(printable).join(', ')}`]);
  return [head, ...rows.map(([label, text]) => `${pad}${label.padEnd(11)}${text}`)];
}

function kindText({ steps }: RunPlan, { kind, key }: PlannedStep): string {
  if (kind !== 'fork') return kind;
  return steps.some(({ group, map }) => group === key && map !== null) ? 'map' : 'parallel';
}

function waitText({ for: what, withinMs, roles }: NonNullable<PlannedCall['waits']>): string {
  const time = withinMs === null ? 'without a limit' : `for at most ${durationText(withinMs)}`;
  if (what === 'token') return `${time} until its task token is answered`;
  return `${time} until ${roles.map(printable).join(' or ') || 'somebody'} has filled in its form`;
}

/** Labels and classification in words. */
function dataText({ labels, classification }: NonNullable<PlannedCall['data']>): string {
  const carried = labels === null ? 'labels not known' : labels.map(printable).join(', ') || 'no labels';
  return `${carried}; ${classification ?? 'classification not known'}`;
}

function modeText({ mode, map, itemCount, loop, condition, conditionHolds }: PlannedStep): string {
  const parts: string[] = [mode ?? 'an approval before it'];
  if (map !== null) {
    const items =
      itemCount === null ? 'once per item, how many is not known yet' : `once for each of ${itemCount} items`;
    parts.push(items, map.concurrency === 0 ? 'all at once' : `${map.concurrency} at once`);
  }
  if (loop !== null) {
    const until = loop.until === null ? '' : `, until ${printable(untilText(loop.until))}`;
    parts.push(`at most ${loop.maxIterations} iterations${until}`);
  }
  if (condition !== null) {
    const holds =
      conditionHolds === null ? 'not known yet' : conditionHolds ? 'true' : 'false: it is skipped';
    parts.push(`if ${printable(condition)} (${holds})`);
  }
  return parts.join(', ');
}

type UntilValue = NonNullable<NonNullable<PlannedStep['loop']>['until']>;

function untilText(until: UntilValue): string {
  switch (until.kind) {
    case 'phrase':
      return `it says "${until.phrase}"`;
    case 'contains':
      return `it contains "${until.text}"`;
    case 'expression':
      return until.expression;
    case 'test':
      return `${until.path} ${until.operator} ${JSON.stringify(until.operand)}`;
  }
}

function rbacText({ subject, effect, ruleId, rolePath }: RbacRecord): string {
  const word = { allow: 'allowed', deny: 'denied', none: 'no rule allows it' }[effect];
  return `${printable(subject)}: ${word}${ruleId === null ? '' : `, ${ruleText(ruleId, rolePath)}`}`;
}

function ruleText(ruleId: string | null, rolePath: readonly string[]): string {
  const path = rolePath.length > 0 ? ` (${rolePath.map(printable).join(' > ')})` : '';
  return `rule ${printable(ruleId ?? '-')}${path}`;
}

function ceilingsText({ ceilings }: PlannedCall): string {
  const present = ceilings.filter((one) => one.hash !== null);
  if (present.length === 0) return 'none';
  return present
    .map(({ layer, name, ok, field, limit, requested }) => {
      const label = layer === 'step' ? layer : `${printable(name)} (${layer})`;
      if (ok) return `${label} ok`;
      return `${label} refuses: ${printable(field ?? '')} is ${printable(limit ?? '')}, asked for ${printable(requested ?? '')}`;
    })
    .join('; ');
}

function limitsText({ limits }: PlannedCall): string {
  return limits.map(({ name, value, from }) => `${name} ${value} (${printable(from)})`).join(', ');
}

function approvalText({ approval }: PlannedCall): string {
  if (approval === null) return 'not needed';
  const { mode, quorum, expiresSeconds, reasonRequired, separationOfDuties, author, demandedBy } = approval;
  const people = quorum.map(({ role, n }) => `${n} x ${printable(role)}`).join(' and ');
  const rules = [
    `within ${durationText(expiresSeconds * 1000)}`,
    ...(reasonRequired ? ['with a reason'] : []),
    ...(separationOfDuties ? [] : ['also by whoever started the run']),
    ...(author === true ? ['not by who wrote the workflow'] : []),
  ];
  return `${mode}, ${people}, ${rules.join(', ')}; ${demandedBy.map(printable).join('; ')}`;
}

function sandboxText({ sandbox }: PlannedCall): string {
  if (sandbox === null) return 'none: it runs in the runner itself';
  return sandbox.program === null ? sandbox.driver : `${sandbox.driver}, ${sandbox.program.slice(0, 19)}…`;
}

function reachText({ reach }: PlannedCall): string {
  if (reach === null) return 'not known yet';
  const { network, credentials, tools } = reach;
  const parts = [
    ...(network.length === 0 ? [] : [network.map(printable).join(', ')]),
    ...(credentials.length === 0 ? [] : [`secrets ${credentials.map(printable).join(', ')}`]),
    ...(tools.length === 0
      ? []
      : [`may ask for ${tools.map(printable).join(', ')}, each governed by itself`]),
  ];
  return parts.length === 0 ? 'nothing outside' : parts.join('; ');
}

function verdictText(verdict: PlanVerdict, colors: Colors): string {
  switch (verdict) {
    case 'allow':
      return colors.green('allowed');
    case 'needs_approval':
      return colors.yellow('needs approval');
    case 'deny':
      return colors.red('denied');
    case 'error':
      return colors.red('would fail');
  }
}

function problemText({ code, message, hint }: PlanProblem): string {
  return `${code}: ${printable(message)}${hint === null ? '' : ` (${printable(hint)})`}`;
}
