// `writ policy explain RUN [STEP]`: what was decided in a run, as its log says it. Reading about a run is a right, and is
// logged. Rules are looked up by id in the policies here; which rules come close is told while they are the same ones.
import { WritError } from '../../errors.js';
import { isList, isObject, type Json, type JsonObject } from '../../json.js';
import type { CeilingRecord, PolicySnapshot } from '../../policy/index.js';
import { whoActs, withPublishedWrit, type Context } from '../context.js';
import { printable, type Output } from '../output.js';
import {
  approvalText,
  demandLine,
  layerLine,
  nearestTo,
  nearLine,
  ruleLines,
  verdictWord,
} from './answer.js';
import type { NearAnswer, RuleAnswer } from './answer.js';
import { loadHere } from './question.js';

/** What the log holds of one decision. */
interface LoggedDecision {
  readonly index: string;
  readonly time: string;
  readonly stepPath: string | null;
  readonly attempt: number | null;
  readonly verdict: string;
  readonly code: string | null;
  readonly action: string;
  readonly resource: string;
  readonly rules: readonly RuleAnswer[];
  readonly layers: readonly CeilingRecord[];
  /** As `ceiling.composed` has it; null = none was needed. */
  readonly approval: JsonObject | null;
  /** Which rules and ceilings asked for it; empty where nobody knows any more. */
  readonly demandedBy: readonly string[];
  /** What a ceiling lowered the step's limits to, by name. */
  readonly narrowed: Readonly<Record<string, number>>;
  readonly nearest: readonly NearAnswer[];
  readonly policyHash: string | null;
  /** The others that have decided, those of the run's start; null = they were not kept. Absent = there were no others. */
  readonly startPolicy?: string | null;
}

/** `step`: as the document names it, or as the log does; null = all. Throws NOT_FOUND where nothing was decided. */
export async function explainRun(context: Context, run: string, step: string | null): Promise<number> {
  const { output, policies } = context;
  const snapshot = await loadHere(policies);
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const { run: id, entries } = await writ.auditRun(run, await whoActs(context, writ));
    const demands = new Map(
      (await writ.approvals({ run: id })).map(({ stepPath, attempt, demandedBy }) => {
        return [attemptKey(stepPath, attempt), demandedBy] as const;
      }),
    );
    const all = decisionsIn(snapshot, entries, demands);
    const decisions = step === null ? all : all.filter((one) => isOfStep(one, step));
    if (decisions.length === 0) {
      const steps = [...new Set(all.flatMap(({ stepPath }) => stepPath ?? []))];
      const known = steps.slice(0, MOST_NAMED).join(', ') + (steps.length > MOST_NAMED ? ', …' : '');
      throw new WritError('NOT_FOUND', `nothing was decided about ${step === null ? id : `step ${step}`}`, {
        hint:
          step === null ? `see its steps: writ workflow status ${id}` : `decided were: ${known || 'none'}`,
      });
    }
    if (output.json) {
      output.value({ run: id, step, policyHash: snapshot.policyHash, decisions });
      return 0;
    }
    output.line(`run ${printable(id)}: ${decisions.length} decision${decisions.length === 1 ? '' : 's'}`);
    for (const decision of decisions) showLogged(output, decision, snapshot, policies);
    return 0;
  });
}

const MOST_NAMED = 20;

/** The path in the log, the same without the places of items, or the name in the document, which the step's layer has. */
function isOfStep({ stepPath, layers }: LoggedDecision, step: string): boolean {
  return (
    stepPath === step ||
    stepPath?.replaceAll(/(?:#\d+)?\[\d+\]/g, '') === step ||
    layers.some(({ layer, name }) => layer === 'step' && name === step)
  );
}

/** Each `authz.decided` with the `ceiling.composed` that follows it for the same attempt. */
function decisionsIn(
  snapshot: PolicySnapshot,
  entries: readonly { readonly index: bigint; readonly entry: LoggedEntry }[],
  demands: ReadonlyMap<string, readonly string[]>,
): readonly LoggedDecision[] {
  const found: LoggedDecision[] = [];
  for (const [position, { index, entry }] of entries.entries()) {
    if (entry.type !== 'authz.decided') continue;
    const { data } = entry;
    const next = entries[position + 1]?.entry;
    const composed = next?.type === 'ceiling.composed' && sameAttempt(next.data, data) ? next.data : null;
    const effective = objectOf(composed?.['effective']);
    const approval = objectOf(effective?.['approval']);
    const rules = rulesOf(snapshot, data);
    const stepPath = textOf(data['stepPath']);
    const attempt = typeof data['attempt'] === 'number' ? data['attempt'] : null;
    found.push({
      index: index.toString(),
      time: entry.time,
      stepPath,
      attempt,
      verdict: textOf(data['verdict']) ?? '',
      code: textOf(data['code']),
      action: textOf(data['action']) ?? '',
      resource: textOf(data['resource']) ?? '',
      rules,
      layers: listOf(composed?.['layers']).map(layerOf),
      approval,
      demandedBy: approval === null ? [] : (demands.get(attemptKey(stepPath, attempt)) ?? []),
      narrowed: narrowedBy(effective),
      nearest: entry.policy === snapshot.policyHash ? nearestOf(snapshot, data, rules) : [],
      policyHash: entry.policy,
      ...('startPolicy' in data ? { startPolicy: textOf(data['startPolicy']) } : {}),
    });
  }
  return found;
}

interface LoggedEntry {
  readonly type: string;
  readonly time: string;
  readonly policy: string | null;
  readonly data: JsonObject;
}

function sameAttempt(a: JsonObject, b: JsonObject): boolean {
  return a['stepPath'] === b['stepPath'] && a['attempt'] === b['attempt'];
}

function attemptKey(stepPath: string | null, attempt: number | null): string {
  return JSON.stringify([stepPath, attempt]);
}

function narrowedBy(effective: JsonObject | null): Readonly<Record<string, number>> {
  const { narrowed, limits } = effective ?? {};
  const names = Array.isArray(narrowed) ? narrowed : [];
  return Object.fromEntries(
    names.flatMap((name) => {
      const limit = typeof name === 'string' ? objectOf(limits)?.[name] : undefined;
      const value = typeof limit === 'string' ? Number(limit) : limit;
      return typeof name === 'string' && typeof value === 'number' ? [[name, value]] : [];
    }),
  );
}

/** Rules that would have had to match, for whom none did. */
function nearestOf(
  snapshot: PolicySnapshot,
  data: JsonObject,
  rules: readonly RuleAnswer[],
): readonly NearAnswer[] {
  const [domain, action, resource] = ['domain', 'action', 'resource'].map((name) => textOf(data[name]) ?? '');
  const asked = { domain: domain ?? '', action: action ?? '', resource: resource ?? '' };
  return rules.flatMap(({ effect, subject }) =>
    effect === 'none' ? nearestTo(snapshot, asked, subject) : [],
  );
}

/** Rules are named by id; where they stand is told by the policies here, if they are the same ones still. */
function rulesOf(snapshot: PolicySnapshot, data: JsonObject): readonly RuleAnswer[] {
  const logged = listOf(data['rules']);
  const rows =
    logged.length > 0 ? logged : [{ subject: data['subject'] ?? '', ruleId: data['ruleId'] ?? null }];
  return rows.map((row) => {
    const ruleId = textOf(row['ruleId']);
    const rule = ruleId === null ? null : snapshot.ruleById(ruleId);
    const effect = textOf(row['effect']) ?? rule?.effect ?? 'none';
    return {
      subject: textOf(row['subject']) ?? '',
      effect: effect === 'allow' || effect === 'deny' ? effect : 'none',
      ruleId,
      rolePath: (isList(row['rolePath']) ? row['rolePath'] : []).map(String),
      file: rule?.file ?? null,
      line: rule?.line ?? null,
      reason: rule?.reason ?? null,
    };
  });
}

function layerOf(row: JsonObject): CeilingRecord {
  const [field, limit, requested] = ['field', 'limit', 'requested'].map((name) => textOf(row[name]));
  return {
    layer: (textOf(row['layer']) ?? 'step') as CeilingRecord['layer'],
    name: textOf(row['name']) ?? '',
    hash: textOf(row['hash']) as CeilingRecord['hash'],
    ok: row['ok'] === true,
    ...(field == null ? {} : { field }),
    ...(limit == null ? {} : { limit }),
    ...(requested == null ? {} : { requested }),
  };
}

function showLogged(output: Output, decision: LoggedDecision, snapshot: PolicySnapshot, root: string): void {
  const { colors } = output;
  const { index, time, stepPath, attempt, verdict, code, action, resource, rules, layers } = decision;
  const { approval, demandedBy, narrowed, nearest } = decision;
  const what = stepPath === null ? 'the run' : `step ${stepPath}, attempt ${attempt ?? '?'}`;
  const word = verdict === 'allow' || verdict === 'needs_approval' ? verdict : 'deny';
  output.line();
  output.line(`${colors.bold(printable(what))}  ${printable(action)} on ${printable(resource)}`);
  output.line(
    `  ${verdictWord(word, colors)}${code === null ? '' : `  ${printable(code)}`}  entry ${index}, ${time}`,
  );
  for (const rule of rules) for (const text of ruleLines(rule, root, colors)) output.line(text);
  for (const near of nearest) output.line(colors.dim(`  close ${nearLine(near, root).trimStart()}`));
  for (const layer of layers) output.line(layerLine(layer, colors));
  for (const [name, limit] of Object.entries(narrowed)) {
    output.line(`  lowered     ${printable(name)} to ${limit}`);
  }
  const { startPolicy } = decision;
  if (startPolicy !== undefined) {
    const others =
      startPolicy === null
        ? 'those of its start were not kept, and had no say'
        : `decided as well by those of its start, ${printable(startPolicy.slice(0, 12))}`;
    output.line(`  policies    others are in force since the run began: ${others}`);
  }
  const isHere = decision.policyHash === snapshot.policyHash;
  if (approval !== null) {
    output.line(`  approval    ${approvalText(approval)}`);
    for (const text of demandedBy) {
      output.line(`  asked by    ${isHere ? demandLine(text, { snapshot, root }) : printable(text)}`);
    }
  }
  if (!isHere)
    output.line(colors.dim('  decided under other policies than those here; rules are looked up by id'));
}

function listOf(value: Json | undefined): readonly JsonObject[] {
  return isList(value) ? value.filter((one) => isObject(one)) : [];
}

function objectOf(value: Json | undefined): JsonObject | null {
  return isObject(value) ? value : null;
}

function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
