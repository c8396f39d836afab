// `writ audit erase`: asks for an erasure, drives it as far as it goes, and says what is gone and what could not be
// reached. Where it waits for approval the same command again goes on with it.
import { WritError } from '../../errors.js';
import { isObject, type Json } from '../../json.js';
import { isErasure } from '../../runtime/erasure/workflow.js';
import type { EraseScope, Erasure, RunView, Writ } from '../../runtime/writ.js';
import { untilSignal, whoActs, withPublishedWrit, type Context } from '../context.js';
import { printable, type Output } from '../output.js';
import { withPlace } from '../failure.js';
import { showRun } from '../run/run.js';
import { showProgress } from '../run/show-progress.js';

export interface EraseFlags {
  readonly payload: readonly string[];
  readonly run?: string;
  readonly label?: string;
  readonly expired: boolean;
  readonly basis?: string;
}

/** Bytes may still be in files: not done yet, though the log says it is erased. */
const EXIT_NOT_CLEAN = 6;

/** Exit 0 once no file of the store holds the bytes; 10 while it waits for approval; 6 when bytes may be left. */
export async function eraseAudit(context: Context, flags: EraseFlags): Promise<number> {
  const { output } = context;
  const what = scopeOf(flags);
  const { basis } = flags;
  if (basis === undefined) {
    throw new WritError('USAGE', 'an erasure needs --basis', {
      hint: 'say why: a rule or a case, and no person; it stays in the log for ever',
    });
  }
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const principal = await whoActs(context, writ);
    const erasure = await writ.erase({ what, basis }, principal);
    if (erasure.run === null) return showNothingLeft(output, writ, erasure);
    output.note(`run ${printable(erasure.run)}; the basis is public and stays in the log`);
    const { run } = erasure;
    const stop = await showProgress(context, writ, run);
    const interrupted = await untilSignal(async (signal) => {
      await writ.drive(run, { stopAt: 'waiting', signal });
    })
      .catch((error: unknown) => {
        throw withPlace(context, run, error);
      })
      .finally(stop);
    return interrupted ?? (await showErasure(context, writ, await writ.results(run), erasure));
  });
}

function scopeOf({ payload, run, label, expired }: EraseFlags): EraseScope {
  const given = [payload.length > 0, run !== undefined, expired].filter(Boolean).length;
  if (given !== 1 || (label !== undefined && run === undefined)) {
    throw new WritError('USAGE', 'erase takes one of --payload, --run [--label] and --expired', {
      hint: 'see the payloads of a run: writ workflow results RUN --json',
    });
  }
  if (run !== undefined) return { kind: 'run', run, label: label ?? null };
  return expired ? { kind: 'expired' } : { kind: 'payloads', commitments: payload };
}

async function showNothingLeft(output: Output, writ: Writ, erasure: Erasure): Promise<number> {
  const { before, scrub, left } = erasure;
  const clean = scrub?.clean ?? true;
  const erasedBy = [...new Set(before.flatMap((one) => (one.erasure === null ? [] : [one.erasure])))];
  // What those runs could not reach is still not reached; this call had nothing to look at.
  const earlier: Readonly<Record<string, Json>>[] = [];
  for (const id of erasedBy) {
    const { output: result } = await writ.results(id);
    if (isObject(result)) earlier.push(...listOf(result['copiesOutOfReach']));
  }
  const outOfReach = [...earlier, ...(scrub?.outOfReach ?? [])];
  if (output.json) {
    const found = { erasedBy, copiesOutOfReach: outOfReach, payloadsLeft: left };
    output.value({ run: null, erased: [], before, ...scrub, ...found });
  } else {
    output.line(before.length === 0 ? 'nothing to erase' : 'erased before:');
    for (const { commitment, label, run, entry } of before) {
      output.line(`  ${commitment}  ${printable(label)} of ${printable(run)}, entry ${entry}`);
    }
    for (const path of scrub?.removed ?? []) output.line(`removed    ${printable(path)}`);
    for (const id of erasedBy) output.line(`by run     ${printable(id)}`);
    for (const { path, reason } of outOfReach) output.line(`not reached ${word(path)}: ${word(reason)}`);
    if (before.length > 0) showRest(output, left);
  }
  if (!clean) noteNotClean(output, scrub?.reason ?? null);
  return clean ? 0 : EXIT_NOT_CLEAN;
}

async function showErasure(context: Context, writ: Writ, view: RunView, erasure: Erasure): Promise<number> {
  const { output } = context;
  if (view.status !== 'completed' || !isObject(view.output)) {
    await showRun(context, writ, view);
    if (view.status === 'waiting')
      output.note('nothing is erased yet; once it is approved, the same command goes on with it');
    return view.exitCode;
  }
  const result = view.output;
  if (output.json) output.value({ run: view.id, ...result, before: erasure.before, more: erasure.more });
  else showResult(output, view.id, result);
  if (erasure.more) output.note('more payloads have expired: run the same command again');
  if (result['clean'] === true) return 0;
  noteNotClean(output, textOf(result['reason']));
  return EXIT_NOT_CLEAN;
}

/** What a run erased, once somebody's vote let it; nothing for a run that is no erasure or is not done. */
export function showErased(output: Output, { id, workflow, status, output: result }: RunView): void {
  const { id: workflowId, hash: workflowHash } = workflow;
  // Anybody may call a workflow of their own by that name.
  if (!isErasure({ workflowId, workflowHash }) || status !== 'completed' || !isObject(result)) return;
  if (!output.json) showResult(output, id, result);
  if (result['clean'] !== true) noteNotClean(output, textOf(result['reason']));
}

function showResult(output: Output, run: string, result: { readonly [key: string]: Json }): void {
  for (const one of listOf(result['erased'])) {
    const { commitment, label, run, entry } = one;
    output.line(`erased      ${word(commitment)}  ${word(label)} of ${word(run)}, entry ${word(entry)}`);
  }
  for (const digest of textsOf(result['artifactsErased']))
    output.line(`removed     artifact ${printable(digest)}`);
  for (const path of textsOf(result['copiesRemoved'])) output.line(`removed     ${printable(path)}`);
  for (const digest of textsOf(result['artifactsKept'])) {
    output.line(`kept        artifact ${printable(digest)}: another run, or a person, has written the same`);
  }
  for (const { path, reason } of listOf(result['copiesOutOfReach'])) {
    output.line(`not reached ${word(path)}: ${word(reason)}`);
  }
  output.line(`by run      ${printable(run)}`);
  showRest(output, listOf(result['payloadsLeft']));
}

/** What no erasure reaches is said every time. */
function showRest(
  output: Output,
  left: readonly { readonly commitment?: Json; readonly label?: Json; readonly run?: Json }[],
): void {
  if (left.length > 0) {
    output.line();
    output.line('still there, and perhaps with the same data in them:');
    for (const { commitment, label, run } of left) {
      output.line(`  ${word(commitment)}  ${word(label)} of ${word(run)}`);
    }
  }
  output.line();
  output.line(
    'not reached: backups of the data directory, and copies that people made of what they were given.',
  );
}

function noteNotClean(output: Output, reason: string | null): void {
  output.note(`writ: error: the log says it is erased, but the store's files may still hold its bytes`);
  if (reason !== null) output.note(`writ: error: ${printable(reason)}`);
  output.note('writ: hint: put that right, then ask for the same erasure again: it finishes what is left');
}

function listOf(value: Json | undefined): readonly { readonly [key: string]: Json }[] {
  return Array.isArray(value) ? value.filter((one: Json) => isObject(one)) : [];
}

function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one: Json) => typeof one === 'string') : [];
}

function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function word(value: Json | undefined): string {
  return printable(textOf(value) ?? '');
}
