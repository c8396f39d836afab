// `writ audit erase`: asks for an erasure, drives it as far as it goes, and says what is gone and what could not be
// reached. Where it waits for approval the same command again goes on with it.
import { WritError } from '../errors.js';
import { isObject, type Json } from '../json.js';
import type { EraseScope, Erasure, RunView, Writ } from '../runtime/writ.js';
import { untilSignal, whoActs, withPublishedWrit, type Context } from './context.js';
import { printable, type Output } from './output.js';
import { showProgress, showRun } from './run.js';

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
    if (erasure.run === null) return showNothingLeft(output, erasure);
    output.note(`run ${printable(erasure.run)}; the basis is public and stays in the log`);
    const { run } = erasure;
    const stop = showProgress(context, writ, run);
    const interrupted = await untilSignal(async (signal) => {
      await writ.drive(run, { stopAt: 'waiting', signal });
    }).finally(stop);
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

function showNothingLeft(output: Output, { before, scrub }: Erasure): number {
  const clean = scrub?.clean ?? true;
  if (output.json) output.value({ run: null, erased: [], before, ...scrub });
  else {
    output.line(before.length === 0 ? 'nothing to erase' : 'erased before:');
    for (const { commitment, label, run, entry } of before) {
      output.line(`  ${commitment}  ${printable(label)} of ${printable(run)}, entry ${entry}`);
    }
    for (const path of scrub?.removed ?? []) output.line(`removed    ${printable(path)}`);
    for (const { path, reason } of scrub?.outOfReach ?? [])
      output.line(`not reached ${printable(path)}: ${printable(reason)}`);
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
  else showResult(output, result);
  if (erasure.more) output.note('more payloads have expired: run the same command again');
  if (result['clean'] === true) return 0;
  noteNotClean(output, textOf(result['reason']));
  return EXIT_NOT_CLEAN;
}

function showResult(output: Output, result: { readonly [key: string]: Json }): void {
  for (const one of listOf(result['erased'])) {
    const { commitment, label, run, entry } = one;
    output.line(`erased      ${word(commitment)}  ${word(label)} of ${word(run)}, entry ${word(entry)}`);
  }
  for (const path of textsOf(result['copiesRemoved'])) output.line(`removed     ${printable(path)}`);
  for (const { path, reason } of listOf(result['copiesOutOfReach'])) {
    output.line(`not reached ${word(path)}: ${word(reason)}`);
  }
  const left = listOf(result['payloadsLeft']);
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
  output.note('writ: hint: put that right, then run the same command again: it finishes what is left');
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
