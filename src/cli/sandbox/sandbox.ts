// `writ sandbox exec`: one program in a sandbox, to try a profile, an image or limits by hand. Governed like any step:
// it is a run of a workflow made of the flags, with its rights, ceilings, approval and entries. What is printed beyond
// the step's own output is not stored anywhere.
import { createHash } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../../adapters/store/durable-file.js';
import { WritError } from '../../errors.js';
import type { Json, JsonObject } from '../../json.js';
import type { SandboxResult } from '../../runtime/ports.js';
import type { RunView, Writ } from '../../runtime/writ.js';
import { untilSignal, whoActs, withPublishedWrit, type Context } from '../context.js';
import { noteFailure } from '../failure.js';
import { printable } from '../output.js';
import { renderPending } from '../run/render.js';
import { inputOf, MODULE_HINT, requireFit, textOf, usage, workflowOf, type ExecFlags } from './request.js';

const NOT_ENDED_WELL = 1;

/** Exit 0 when the program ended with 0; else 1, or the exit code of what refused it. */
export async function execInSandbox(
  context: Context,
  argv: readonly string[],
  flags: ExecFlags,
): Promise<number> {
  requireFit(flags);
  await requireOutDir(context, flags);
  const source = workflowOf(flags);
  const input = await inputOf(context, argv, flags);
  let result: SandboxResult | null = null;
  const sandbox = {
    ...(flags.runtime === undefined ? {} : { runtime: flags.runtime }),
    onResult: (one: SandboxResult) => {
      result = one;
    },
  };
  return withPublishedWrit(context, { drives: flags.driver === 'wasm', sandbox }, async (writ) => {
    const who = await whoActs(context, writ);
    const run = await writ.start({ workflow: source, input }, who).catch(toldOfFlags);
    context.output.note(`run ${printable(run)}`);
    const interrupted = await untilSignal(async (signal) => {
      await writ.drive(run, { stopAt: 'waiting', signal });
    });
    const view = await writ.status(run);
    if (result === null) return interrupted ?? (await tellNothingRan(context, writ, view, flags));
    const unwritten = flags.outDir === undefined ? null : await writeOutputs(flags.outDir, result);
    show(context, view, result);
    if (unwritten !== null) noteFailure(context.output, unwritten);
    return interrupted ?? (unwritten === null ? exitOf(result, view) : NOT_ENDED_WELL);
  });
}

/** Found out before anything runs: what a program has made would be lost. */
async function requireOutDir({ output }: Context, { outDir, out }: ExecFlags): Promise<void> {
  if (outDir === undefined) return;
  const found = await stat(outDir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw usage(`--out-dir ${printable(outDir)} can't be used`);
  });
  if (found?.isDirectory() === false) throw usage(`--out-dir ${printable(outDir)} is no folder`);
  if (out.length === 0) output.note('writ: warning: --out-dir stays empty: no --out names a file');
}

/** The document is made of the flags, and nobody has seen its lines. */
function toldOfFlags(thrown: unknown): never {
  if (!(thrown instanceof WritError) || thrown.kind !== 'document') throw thrown;
  const { code, message, hint, details, cause } = thrown;
  throw new WritError(code, message.replace(/^workflow:\d+:\d+: /, ''), {
    ...(hint === undefined ? {} : { hint }),
    ...(details === undefined ? {} : { details }),
    cause,
  });
}

/**
 * The driver has refused unsafe paths; a name that is taken is not overwritten. What can't be written does not take the
 * rest of the result with it: it is told beside that.
 */
async function writeOutputs(folder: string, { outputs = [] }: SandboxResult): Promise<WritError | null> {
  let unwritten: WritError | null = null;
  await makeDirectory(folder, 0o777).catch(() => undefined); // told with the first file
  for (const { path, bytes } of outputs) {
    const file = join(folder, path);
    try {
      await makeDirectory(dirname(file), 0o777);
      await writeNew(file, bytes);
    } catch (cause) {
      const { code } = Object(cause) as { code?: unknown };
      const isTaken = code === 'EEXIST';
      const why = isTaken ? 'it is there already' : String(code);
      unwritten ??= new WritError('USAGE', `the output ${printable(file)} was not written: ${why}`, {
        hint: isTaken
          ? 'nothing is overwritten: give --out-dir a folder that is new or empty, and run it again'
          : 'give --out-dir a folder that can be written to and has room, and run it again',
        cause,
      });
    }
  }
  return unwritten;
}

/** Whole, or not there: a file cut off would pass for the output. */
async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function show(context: Context, view: RunView, result: SandboxResult): void {
  const { output } = context;
  if (output.json) {
    output.value(resultJson(view, result));
    return;
  }
  const { stdout, stderr, status, exitCode, reason, outputs = [] } = result;
  for (const { bytes } of [stdout, stderr]) {
    const lines = new TextDecoder().decode(bytes).split('\n');
    if (lines.at(-1) === '') lines.pop();
    for (const line of lines) {
      if (bytes === stdout.bytes) output.line(printable(line));
      else output.note(printable(line));
    }
  }
  for (const { path, bytes } of outputs) output.note(`output ${printable(path)}: ${bytes.length} bytes`);
  const ended = status === 'exited' ? `exit code ${String(exitCode)}` : `${status}: ${reason ?? ''}`;
  output.note(`${ended}, ${Math.round(result.usage.wallMs)} ms`);
}

/** What --json prints of a result. */
function resultJson(view: RunView, result: SandboxResult): JsonObject {
  const { status, exitCode, stdout, stderr, outputs = [], usage: used, limitHit, reason, evidence } = result;
  const stream = ({ bytes, truncated }: SandboxResult['stdout']): JsonObject => ({
    ...textOrBase64(bytes),
    bytes: bytes.length,
    sha256: sha256(bytes),
    truncated,
  });
  return {
    run: view.id,
    status,
    exitCode,
    stdout: stream(stdout),
    stderr: stream(stderr),
    outputs: outputs.map(({ path, bytes }) => ({ path, size: bytes.length, sha256: sha256(bytes) })),
    usage: {
      wallMs: Math.round(used.wallMs),
      ...(used.cpuMs === undefined ? {} : { cpuMs: Math.round(used.cpuMs) }),
    },
    limitHit,
    reason,
    evidence,
  };
}

function textOrBase64(bytes: Uint8Array): JsonObject {
  const text = textOf(bytes);
  return text === null ? { base64: Buffer.from(bytes).toString('base64') } : { text };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function exitOf({ status, exitCode }: SandboxResult, view: RunView): number {
  if (status === 'unavailable') return view.exitCode;
  return status === 'exited' && exitCode === 0 ? 0 : NOT_ENDED_WELL;
}

/** Nothing can be run here as things stand. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'SANDBOX_UNAVAILABLE',
  'SANDBOX_IMAGE_MISSING',
  'SANDBOX_RUNTIME_UNKNOWN',
]);
/** A request that can't be read is one that names no image or module there is: all else of it is made here. */
const UNKNOWN_NAME = 'FUNCTION_REQUEST_INVALID';
/** What the flags ask for could never run anywhere: as a document's error would be told. */
const USAGE: ReadonlySet<string> = new Set(['SANDBOX_SPEC_INVALID', UNKNOWN_NAME]);
const BAD_USAGE = 2;

/** Of what refused the step, for who gave flags: a step's own hints speak of documents. */
const WHAT_TO_DO: Readonly<Record<string, string>> = {
  SANDBOX_UNAVAILABLE: 'start Docker, or choose --driver wasm; `writ doctor` shows what is missing',
  SANDBOX_IMAGE_MISSING:
    'load it (docker load), or build one: node sandbox/images/build.mjs; nothing is pulled',
  SANDBOX_RUNTIME_UNKNOWN: "register it in the engine's daemon.json; no other runtime takes its place",
};

/** Where the refusal itself says nothing better. */
const OTHERWISE: Readonly<Record<string, string>> = {
  SANDBOX_SPEC_INVALID: 'see writ sandbox exec --help, and sandbox/README.md for what fits',
  SANDBOX_UNSUPPORTED:
    'leave out what the message names, or choose the other driver; `writ doctor` shows what is kept',
  SANDBOX_MODULE_INVALID: MODULE_HINT,
};

/** What to do about a refusal, in words of the flags; undefined = nothing is known. */
function hintFor(error: NonNullable<RunView['error']>, { driver }: ExecFlags): string | undefined {
  if (error.code !== UNKNOWN_NAME) return WHAT_TO_DO[error.code] ?? error.hint ?? OTHERWISE[error.code];
  return driver === 'docker'
    ? '--image takes a name that docker.yaml gives, or sha256:… of an image that the engine has'
    : `--module takes a name, sha256:… or a FILE.wasm; ${error.hint ?? ''}`;
}

/** Denied, refused, unavailable, or waiting for a person: as any run tells it. */
async function tellNothingRan(
  context: Context,
  writ: Writ,
  view: RunView,
  flags: ExecFlags,
): Promise<number> {
  const { output } = context;
  const waiting = view.waitingFor;
  const todo = view.error === null ? undefined : hintFor(view.error, flags);
  if (output.json)
    output.value({
      run: view.id,
      status: UNAVAILABLE.has(view.error?.code ?? '') ? 'unavailable' : view.status,
      waitingFor: waiting as Json,
      error: view.error === null || todo === undefined ? view.error : { ...view.error, hint: todo },
    });
  else if (waiting?.kind === 'approval') {
    output.line(renderPending(context, (await writ.approval(waiting.approvalId)).record, context.nowMs()));
  } else if (view.error !== null) {
    const hint = todo === undefined ? {} : { hint: todo };
    noteFailure(output, new WritError('RUN_FAILED', `${view.error.code}: ${view.error.message}`, hint));
  }
  return USAGE.has(view.error?.code ?? '') ? BAD_USAGE : view.exitCode;
}
