// `writ audit show RUN` and `--index N`: what the log itself says, entry by entry, with index and leaf hash so that each
// line can be proven. Everything in an entry is data from elsewhere: hidden characters are written out.
import { parseTreeSize } from '../../audit/tree-size.js';
import { WritError } from '../../errors.js';
import { isList, isObject, readJson, type Json, type JsonObject } from '../../json.js';
import type { AuditEntry } from '../../runtime/log/view.js';
import { commandLine } from '../command-line.js';
import { whoActs, withPublishedWrit, type Context } from '../context.js';
import { printable, shortReference, type Output } from '../output.js';

export interface ShowFlags {
  readonly index?: string;
}

/** Exit 0; 3 without the right `audit.read`, 2 for a run or an index that the log does not know. */
export async function showAudit(
  context: Context,
  run: string | undefined,
  flags: ShowFlags,
): Promise<number> {
  if ((run === undefined) === (flags.index === undefined)) {
    throw new WritError('USAGE', 'name a run, or one entry with --index', {
      hint: 'writ audit show RUN, or writ audit show --index 12',
    });
  }
  const { output } = context;
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const reader = await whoActs(context, writ);
    if (flags.index !== undefined) {
      showEntry(output, await writ.auditEntry(indexOf(flags.index), reader));
      return 0;
    }
    const { run: id, size, entries } = await writ.auditRun(run ?? '', reader);
    if (output.json) {
      output.value({ run: id, size, entries: entries.map(entryJson) });
      return 0;
    }
    output.line(`run      ${printable(id)}`);
    output.line(`entries  ${entries.length}, in a log of ${size}`);
    for (const entry of entries) {
      output.line();
      for (const line of entryLines(output, entry)) output.line(line);
    }
    output.line();
    output.line(`whole entry  ${commandLine(context, 'audit', 'show', '--index', 'INDEX')}`);
    output.line(`proof of it  ${commandLine(context, 'audit', 'prove', 'INDEX', '--out', 'F.tlog-proof')}`);
    return 0;
  });
}

/** A decimal log index as the command line takes it; USAGE on anything else. */
export function indexOf(text: string): bigint {
  const index = parseTreeSize(text);
  if (index !== null) return index;
  throw new WritError('USAGE', `"${text}" is no index of an entry`, {
    hint: 'a decimal number; writ audit show RUN lists those of a run',
  });
}

function showEntry(output: Output, one: AuditEntry): void {
  if (output.json) {
    output.value(entryJson(one));
    return;
  }
  for (const line of entryLines(output, one)) output.line(line);
  output.line();
  for (const line of JSON.stringify(valueOf(one), null, 2).split('\n')) output.line(printable(line));
}

function entryJson(one: AuditEntry): Record<string, unknown> {
  return { index: one.index, leafHash: hex(one), open: one.isOpen, entry: valueOf(one) };
}

/** The entry as the log holds it. */
function valueOf({ bytes }: AuditEntry): Json {
  // Read and found canonical by the runtime.
  return readJson(new TextDecoder().decode(bytes));
}

const MAX_LINE = 110;

/** Data worth a line, by type and in this order; other types show all of theirs that are plain. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  'authz.decided': [
    ...['verdict', 'action', 'resource', 'subject', 'agent', 'ruleId', 'rules', 'grant', 'code'],
    'startPolicy',
  ],
  'ceiling.composed': ['layers', 'ceilingHash'],
  'approval.requested': [
    ...['approvalId', 'mode', 'quorum', 'expiresAt', 'editors', 'redriver', 'author'],
    ...['supersedes', 'subjectDigest'],
  ],
  'approval.decided': [
    ...['decision', 'approver', 'delegation', 'breakGlass', 'assurance', 'state'],
    ...['approvalId', 'subjectDigest', 'keyId'],
  ],
  'task.answered': ['answer', 'by', 'assurance', 'taskId', 'keyId'],
  'step.intended': ['function', 'agentDigest', 'sandbox', 'approvalId', 'idempotencyKey'],
  'step.finished': ['status', 'code', 'durationMs', 'intent'],
  'sandbox.started': ['driver', 'imageDigest', 'network'],
  'sandbox.exited': ['status', 'exitCode', 'oomKilled', 'limitHit'],
};

function entryLines({ colors }: Output, one: AuditEntry): string[] {
  const { entry, index } = one;
  const margin = ' '.repeat(Math.max(6, index.toString().length) + 2);
  const { stepPath, attempt } = entry.data;
  const step = typeof stepPath === 'string' ? `  step ${printable(stepPath)}` : '';
  const nth = typeof attempt === 'number' ? ` attempt ${attempt}` : '';
  const actor = `${printable(entry.actor.id)} (${printable(entry.actor.via)})`;
  const lines = [
    `${index.toString().padStart(6)}  ${entry.time}  ${colors.bold(printable(entry.type))}  ${actor}${step}${nth}`,
  ];
  const facts = factsOf(entry.type, entry.data);
  lines.push(...wrapped(facts, margin));
  for (const [label, commitment] of Object.entries(entry.commit)) {
    lines.push(colors.dim(`${margin}payload ${printable(label)} ${commitment}`));
  }
  if (one.isOpen)
    lines.push(colors.yellow(`${margin}open: no outcome is logged; it runs, or a crash took it`));
  lines.push(colors.dim(`${margin}leaf ${hex(one)}`));
  return lines;
}

function factsOf(type: string, data: JsonObject): string[] {
  const names = SHOWN[type] ?? Object.keys(data).filter((name) => name !== 'stepPath' && name !== 'attempt');
  return names.flatMap((name) => {
    const text = factText(data[name]);
    return text === null ? [] : [`${printable(name)} ${text}`];
  });
}

/** Facts side by side, as many as fit into a line. */
function wrapped(facts: readonly string[], margin: string): string[] {
  const lines: string[] = [];
  for (const fact of facts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + fact.length < MAX_LINE)
      lines[lines.length - 1] = `${last}, ${fact}`;
    else lines.push(margin + fact);
  }
  return lines;
}

/** One line of a value, a package's digest shortened (`--index` shows all of it); null for what has none. */
function factText(value: Json | undefined): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (isList(value)) {
    const items = value.map(itemText).filter((text) => text !== null);
    return items.length === 0 ? null : `[${items.join('; ')}]`;
  }
  if (typeof value === 'string') return shortReference(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

/** A layer, a rule, a factor of a quorum. */
function itemText(item: Json): string | null {
  if (!isObject(item)) return factText(item);
  if (typeof item['layer'] === 'string') {
    const name = factText(item['name']);
    return `${factText(item['layer'])}${name === null ? '' : ` ${name}`}${item['ok'] === false ? ' refused' : ''}`;
  }
  if (typeof item['role'] === 'string') return `${factText(item['n']) ?? '?'} x ${factText(item['role'])}`;
  if (typeof item['subject'] === 'string') {
    const roles = factText(item['rolePath']);
    return `${factText(item['subject'])} ${factText(item['effect']) ?? 'no'} by ${factText(item['ruleId']) ?? 'no rule'}${roles === null ? '' : ` through ${roles}`}`;
  }
  return null;
}

function hex({ leafHash }: AuditEntry): string {
  return Buffer.from(leafHash).toString('hex');
}
