// `writ simulate FILE`: a workflow on a virtual clock with mocked functions. Needs no data directory; calls nothing,
// writes nothing, waits for nothing.
import { WritError } from '../../errors.js';
import { isPrincipal } from '../../policy/file/text.js';
import type { Json } from '../../json.js';
import type { AttemptSeen } from '../../testing/attempt.js';
import type { Governed } from '../../testing/governance.js';
import type { Mocks } from '../../testing/mocks.js';
import type { Simulated } from '../../testing/simulate.js';
import type { Context } from '../context.js';
import { printable, type Colors } from '../output.js';
import { loadHere } from '../policy/question.js';
import { readRunInput } from '../run/input.js';
import { explainingDiagnostics, readWorkflowSource } from './source.js';

export interface SimulateFlags {
  readonly input?: string;
  /** A file, or JSON. */
  readonly mocks?: string;
  /** Who would start it, `user:alice`: the policies decide. Absent: they are not asked. */
  readonly as?: string;
  readonly tenant?: string;
  readonly agent: Readonly<Record<string, string>>;
}

/** One state that was entered, where, and how its attempts ended. */
interface Visit {
  readonly name: string;
  place: string;
  readonly attempts: AttemptSeen['outcome'][];
}

/** Exit 0 when the workflow succeeds; else 1, 3 (policy, ceiling) or 4 (approval) by the error's name. */
export async function simulateFile(context: Context, file: string, flags: SimulateFlags): Promise<number> {
  const { output } = context;
  const source = await readWorkflowSource(file);
  const input = await readRunInput(flags.input, context.stdin);
  const mocks = await readMocks(flags.mocks, context);
  const [{ simulatePlan }, { planOf }] = await Promise.all([
    import('../../testing/simulate.js'),
    import('../../testing/definition.js'),
  ]);
  const policies = await policiesOf(context, flags);
  const { visits, entered, attempted } = recordVisits();
  const result = await explainingDiagnostics(output, source, async () =>
    // Checked where it is read.
    simulatePlan(
      planOf(source.text),
      { input, mocks: mocks as Mocks, ...(policies === null ? {} : { policies }) },
      { entered, attempted },
    ),
  );
  if (output.json) output.value(result);
  else output.line(renderSimulation(visits, result, output.colors));
  return exitCodeOf(result);
}

/** Items and branches are entered before the first of them has an outcome: that is of the first that has none yet. */
function recordVisits() {
  const visits: Visit[] = [];
  const byPlace = new Map<string, Visit>();
  const waiting = new Map<string, Visit[]>();
  const entered = (name: string): void => {
    const visit = { name, place: name, attempts: [] };
    visits.push(visit);
    const others = waiting.get(name);
    if (others === undefined) waiting.set(name, [visit]);
    else others.push(visit);
  };
  const attempted = ({ state, place, visit: count, outcome }: AttemptSeen): void => {
    const key = JSON.stringify([place, count]);
    const visit = byPlace.get(key) ?? waiting.get(state)?.shift();
    if (visit === undefined) return;
    byPlace.set(key, visit);
    visit.place = place;
    visit.attempts.push(outcome);
  };
  return { visits, entered, attempted };
}

async function policiesOf(
  { policies }: Context,
  { as: initiator, tenant, agent: agents }: SimulateFlags,
): Promise<Governed | null> {
  const isGiven = tenant !== undefined || Object.keys(agents).length > 0;
  if (initiator === undefined && !isGiven) return null;
  if (initiator === undefined || !isPrincipal(initiator)) {
    throw new WritError('USAGE', '--as names who would start the run, and then policies decide', {
      hint: 'writ simulate workflow.yaml --as user:alice',
    });
  }
  const snapshot = await loadHere(policies);
  return { snapshot, initiator, agents, ...(tenant === undefined ? {} : { tenant }) };
}

async function readMocks(argument: string | undefined, { stdin }: Context): Promise<Json> {
  if (argument === undefined) return {};
  const isText = /^\s*\{/.test(argument) || argument.startsWith('@');
  return readRunInput(isText ? argument : `@${argument}`, stdin, '--mocks');
}

function exitCodeOf({ status, error = '' }: Simulated): number {
  if (status === 'SUCCEEDED') return 0;
  if (/^(Policy|Ceiling)\./.test(error)) return 3;
  return error.startsWith('Approval.') ? 4 : 1;
}

/** Longest part of a long run that is told: its beginning and its end. */
const SHOWN = 500;

function renderSimulation(visits: readonly Visit[], result: Simulated, colors: Colors): string {
  const digits = String(visits.length).length;
  const names = Math.min(40, Math.max(...visits.map(({ name }) => printable(name).length), 0));
  const lines = visits.map(({ name, place, attempts }, at) => {
    const isLast = at === visits.length - 1 && result.status === 'FAILED' && attempts.length === 0;
    // Only where there is more than one of it: an item, a branch.
    const where = place !== name && /[/[]/u.test(place) ? `${printable(place)} ` : '';
    const ends = attempts.map((one) => outcomeText(one, colors)).join(', ');
    const told = isLast ? colors.red('failed') : `${where}${ends}`;
    return `${String(at + 1).padStart(digits)}  ${printable(name).padEnd(names)}  ${told}`.trimEnd();
  });
  const left = lines.length - SHOWN;
  if (left > 0) lines.splice(SHOWN / 2, left, `${' '.repeat(digits)}  … ${left} more`);
  const { status, error, cause, output } = result;
  if (status === 'SUCCEEDED') lines.push('', colors.green(status), JSON.stringify(output, null, 2));
  else {
    lines.push('', `${colors.red(status)}${error === undefined ? '' : ` ${printable(error)}`}`);
    if (cause !== undefined) lines.push(printable(cause));
  }
  return lines.join('\n');
}

function outcomeText(outcome: AttemptSeen['outcome'], colors: Colors): string {
  if (outcome === 'returned') return colors.green(outcome);
  if (outcome === 'needed approval') return colors.yellow(outcome);
  return colors.red(outcome === 'timed out' ? outcome : `threw ${printable(outcome.threw)}`);
}
