// `writ policy check | explain`: what policy would say, or has said. Asks and shows; decides, runs and writes nothing,
// except that reading about a run is a right and is logged.
import { WritError } from '../errors.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import { whoActs, withPublishedWrit, type Context } from './context.js';
import { printable, type Output } from './output.js';
import { answerOf, layerLine, longText, ruleLines, shortText, verdictWord } from './policy-answer.js';
import type { RuleAnswer } from './policy-answer.js';
import { loadHere, questionOf, wholeQuestion, type QuestionFlags } from './policy-question.js';
import type { CeilingRecord, PolicySnapshot } from '../policy/index.js';

const DENIED = 3;

/** Exit 0 where it is allowed, if need be with an approval; 3 where it is denied. */
export async function checkPolicy(
  context: Context,
  words: readonly string[],
  flags: QuestionFlags,
): Promise<number> {
  const { output, policies } = context;
  const snapshot = await loadHere(policies);
  const { question, assumed } = await questionOf(context, snapshot, words, flags);
  const answer = answerOf(snapshot, question, assumed);
  if (output.json) output.value(answer);
  else output.line(shortText(answer, output.colors));
  return answer.verdict === 'deny' ? DENIED : 0;
}

/**
 * A request (three words, or one whole question), or what was decided in a run or a step of it. Exit as `check` for a
 * request; for a run 0 once it is told, whatever was decided.
 */
export async function explainPolicy(
  context: Context,
  words: readonly string[],
  flags: QuestionFlags,
): Promise<number> {
  const [first = '', second] = words;
  const isWhole = words.length === 1 && /^[@{]/u.test(first);
  if (!isWhole && words.length < 3) return explainRun(context, first, second ?? null);
  const { output, policies } = context;
  const snapshot = await loadHere(policies);
  const { question, assumed } = isWhole
    ? await wholeQuestion(first, context.nowMs())
    : await questionOf(context, snapshot, words, flags);
  const answer = answerOf(snapshot, question, assumed);
  if (output.json) output.value(answer);
  else output.line(longText(answer, policies, output.colors));
  return answer.verdict === 'deny' ? DENIED : 0;
}

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
  readonly policyHash: string | null;
}

async function explainRun(context: Context, run: string, step: string | null): Promise<number> {
  const { output, policies } = context;
  const snapshot = await loadHere(policies);
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const { run: id, entries } = await writ.auditRun(run, await whoActs(context, writ));
    const decisions = decisionsIn(snapshot, entries).filter(
      ({ stepPath }) => step === null || stepPath === step,
    );
    if (decisions.length === 0) {
      throw new WritError('NOT_FOUND', `nothing was decided about ${step === null ? id : `step ${step}`}`, {
        hint: `see its steps: writ workflow status ${id}`,
      });
    }
    if (output.json) {
      output.value({ run: id, step, policyHash: snapshot.policyHash, decisions });
      return 0;
    }
    output.line(`run ${printable(id)}: ${decisions.length} decisions`);
    for (const decision of decisions) showLogged(output, decision, snapshot, policies);
    return 0;
  });
}

/** Each `authz.decided` with the `ceiling.composed` that follows it for the same attempt. */
function decisionsIn(
  snapshot: PolicySnapshot,
  entries: readonly { readonly index: bigint; readonly entry: LoggedEntry }[],
): readonly LoggedDecision[] {
  const found: LoggedDecision[] = [];
  for (const [position, { index, entry }] of entries.entries()) {
    if (entry.type !== 'authz.decided') continue;
    const { data } = entry;
    const next = entries[position + 1]?.entry;
    const composed = next?.type === 'ceiling.composed' && sameAttempt(next.data, data) ? next.data : null;
    found.push({
      index: index.toString(),
      time: entry.time,
      stepPath: textOf(data['stepPath']),
      attempt: typeof data['attempt'] === 'number' ? data['attempt'] : null,
      verdict: textOf(data['verdict']) ?? '',
      code: textOf(data['code']),
      action: textOf(data['action']) ?? '',
      resource: textOf(data['resource']) ?? '',
      rules: rulesOf(snapshot, data),
      layers: listOf(composed?.['layers']).map(layerOf),
      policyHash: entry.policy,
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
      rolePath: (Array.isArray(row['rolePath']) ? (row['rolePath'] as readonly Json[]) : []).map(String),
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
  const what = stepPath === null ? 'the run' : `step ${stepPath}, attempt ${attempt ?? '?'}`;
  const word = verdict === 'allow' || verdict === 'needs_approval' ? verdict : 'deny';
  output.line();
  output.line(`${colors.bold(printable(what))}  ${printable(action)} on ${printable(resource)}`);
  output.line(
    `  ${verdictWord(word, colors)}${code === null ? '' : `  ${printable(code)}`}  entry ${index}, ${time}`,
  );
  for (const rule of rules) for (const text of ruleLines(rule, root, colors)) output.line(text);
  for (const layer of layers) output.line(layerLine(layer, colors));
  if (decision.policyHash !== snapshot.policyHash) {
    output.line(colors.dim('  decided under other policies than those here; rules are looked up by id'));
  }
}

function listOf(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter((one) => isObject(one)) : [];
}

function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
