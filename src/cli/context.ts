// What a command gets from the process: its streams, environment and global options, as values, so that a test
// can hand in its own. Opening Writ happens here and nowhere else in the command line, and so does closing it.
import { WritError } from '../errors.js';
import type { SandboxTrial } from '../open-sandboxes.js';
import { keepPolicies, policyFingerprint, type PolicyKeeping } from '../policy-reload.js';
import type { AnchorReport } from '../runtime/witness/anchor.js';
import type { Principal, Writ } from '../runtime/writ.js';
import { printable, type Environment, type Output, type Sink } from './output.js';

/** Where the data directory is when neither --data nor WRIT_DATA says so. */
export const DEFAULT_DATA = '.writ';
/** Where the policies are when neither --policies nor WRIT_POLICIES says so. */
export const DEFAULT_POLICIES = 'policies';

export interface Context {
  readonly output: Output;
  readonly data: string;
  readonly policies: string;
  /** Private key file that proves who acts; null = the operating system's user. */
  readonly keyFile: string | null;
  readonly env: Environment;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  nowMs(): number;
}

/** `drives` for commands that drive a run: a sandbox child is then started ahead of need. */
export interface OpenFlags {
  readonly drives: boolean;
  /** A question that leaves nothing behind. */
  readonly asksOnly?: true;
  readonly sandbox?: SandboxTrial;
}

/** Opens Writ for the time of `body`; closes it however `body` ends. */
export async function withWrit<T>(
  context: Context,
  body: (writ: Writ) => Promise<T>,
  { drives, sandbox, asksOnly }: OpenFlags = { drives: false },
): Promise<T> {
  const { openWrit } = await import('../open.js');
  const { data, policies } = context;
  const writ = await openWrit({
    data,
    policies,
    via: 'cli',
    wasmPool: drives ? 1 : 0,
    ...(sandbox === undefined ? {} : { sandbox }),
    ...(asksOnly === undefined ? {} : { asksOnly }),
  });
  if (drives) {
    writ.onAnchor((report) => noteMissing(context.output, report));
    writ.onWait(({ message }) =>
      context.output.note(`writ: warning: ${printable(message)}; the run waits for it`),
    );
  }
  let result: T;
  try {
    result = await body(writ);
  } catch (error) {
    try {
      await writ.close();
    } catch (then) {
      throw bothFailed(error, then);
    }
    throw error;
  }
  await writ.close();
  return result;
}

/**
 * What failed first is told first, and alone where it is fatal: what follows is most often of the same cause. Else what
 * failed after it is told too, and gives the exit code.
 */
function bothFailed(first: unknown, then: unknown): unknown {
  if (!(first instanceof WritError) || first.kind === 'fatal') return first;
  if (!(then instanceof WritError)) return then;
  const { code, hint, details } = then;
  return new WritError(code, `${first.message}; and after it: ${then.message}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(details === undefined ? {} : { details }),
    cause: new AggregateError([first, then]),
  });
}

/** Who did not cosign or stamp is said, and delays nothing. */
function noteMissing(output: Output, { witnesses, timestamp, quorum, quorumMet, size }: AnchorReport): void {
  for (const { name, problem } of [
    ...witnesses,
    { name: 'time stamp', problem: timestamp?.problem ?? null },
  ]) {
    if (problem !== null) output.note(`writ: warning: ${printable(name)}: ${printable(problem)}`);
  }
  if (!quorumMet) {
    output.note(`writ: warning: the log of ${size} entries is not witnessed yet (${printable(quorum)})`);
    output.note('writ: hint: when they answer again: writ audit witness anchor');
  }
}

/** As `withWrit`, for commands that commit: the log on disk is current afterwards, after a refusal too. */
export async function withPublishedWrit<T>(
  context: Context,
  flags: OpenFlags,
  body: (writ: Writ) => Promise<T>,
): Promise<T> {
  const since = flags.drives ? await policyFingerprint(context.policies) : null;
  const published = async (writ: Writ): Promise<T> => {
    const keeper =
      since === null ? null : keepPolicies(writ, context.policies, { since, ...tellsOf(context) });
    const forget = keeper === null || hasTerminal(context) ? () => undefined : onHangUp(() => keeper.ask());
    let result: T;
    try {
      result = await body(writ).finally(() => {
        forget();
        return keeper?.stop();
      });
    } catch (error) {
      await publishAfter(writ, error);
      throw error;
    }
    await publishOrTell(writ, context.output);
    return result;
  };
  return withWrit(context, published, flags);
}

/**
 * What the command did is durable before its log is published, and it ends as what it did: that another process was in
 * the way of the publication is told.
 */
export async function publishOrTell(writ: Pick<Writ, 'publish'>, output: Output): Promise<void> {
  try {
    await writ.publish();
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'STORE_BUSY') throw error;
    output.note(`writ: warning: done, and the log is not published yet: ${printable(error.message)}`);
    output.note('writ: hint: nothing is lost: the next command that writes publishes it');
  }
}

/** At a terminal SIGHUP says that it is gone, and with it who watched the run: then the process ends, as ever. */
function hasTerminal({ stdin, stdout }: Context): boolean {
  return stdin.isTTY || stdout.isTTY;
}

/** Elsewhere SIGHUP asks for the policy files to be read, as of `writ serve`. Call the result to end that. */
function onHangUp(act: () => void): () => void {
  process.on('SIGHUP', act);
  return () => {
    process.off('SIGHUP', act);
  };
}

/** A run may go on for hours: it says when other policies hold, and when the files that are there do not. */
function tellsOf({ output }: Context): Pick<PolicyKeeping, 'told' | 'failed'> {
  return {
    told: ({ status, problem }) => {
      output.note(
        status === 'loaded'
          ? 'the policies have changed: they hold from now on'
          : `the policy files can't be taken, those of before hold on: ${printable(problem?.message ?? '')}`,
      );
    },
    failed: (error) => {
      output.note(
        `the policies could not be read again: ${error instanceof Error ? printable(error.message) : ''}`,
      );
    },
  };
}

/** The refusal's own entry is published; when that fails too, and not for being busy, both failures are told. */
async function publishAfter(writ: Writ, cause: unknown): Promise<void> {
  if (cause instanceof WritError && cause.kind === 'fatal') return;
  try {
    await writ.publish();
  } catch (error) {
    // Somebody is at it for long: the entry is durable, and who publishes next publishes it too.
    if (error instanceof WritError && error.code === 'STORE_BUSY') return;
    throw bothFailed(cause, error);
  }
}

/** Who acts: `keyFile` or --key or WRIT_KEY, else the operating system's user. */
export async function whoActs(
  context: Context,
  writ: Writ,
  keyFile: string | null = context.keyFile,
): Promise<Principal> {
  const { identify } = await import('../open.js');
  return identify(writ, keyFile);
}

/** A person can be asked here: both ends are a terminal that redraws, and stdout is not promised to a program. */
export function isInteractive(
  context: Pick<Context, 'env' | 'output'> & { readonly stdin: { isTTY?: boolean }; readonly stdout: Sink },
): boolean {
  const { env, output, stdin, stdout } = context;
  return (
    !output.json &&
    stdin.isTTY === true &&
    stdout.isTTY === true &&
    env['TERM'] !== 'dumb' &&
    !isAutomated(env)
  );
}

/** Rows can be drawn anew on stdout, and whoever looks at them sees that: no program, and no screen reader. */
export function canRedraw({ env, output, stdout }: Pick<Context, 'env' | 'output' | 'stdout'>): boolean {
  return (
    !output.json &&
    stdout.isTTY &&
    env['TERM'] !== 'dumb' &&
    env['INK_SCREEN_READER'] !== 'true' &&
    !isAutomated(env)
  );
}

/** How wide a line may be on stdout; no limit where that is no terminal. */
export function widthOf({ stdout }: Pick<Context, 'stdout'>): number {
  return stdout.isTTY && stdout.columns > 0 ? stdout.columns : Infinity;
}

/** Ink draws nothing but the last frame when CI is set, so a prompt would be invisible there. */
function isAutomated(env: Environment): boolean {
  return env['CI'] !== undefined && env['CI'] !== 'false' && env['CI'] !== '0';
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs `body` with a signal that aborts at the first SIGINT or SIGTERM; the second one ends the process at once.
 * `interrupt` is Ctrl+C where the terminal gives it as a key. Resolves with the signal's exit code, null without one.
 */
export async function untilSignal(
  body: (signal: AbortSignal, interrupt: () => void) => Promise<void>,
): Promise<number | null> {
  const controller = new AbortController();
  let interrupted: number | null = null;
  const onSignal = (name: NodeJS.Signals): void => {
    const code = name === 'SIGTERM' ? SIGNALS.SIGTERM : SIGNALS.SIGINT;
    if (interrupted !== null) process.exit(code);
    interrupted = code;
    controller.abort(new Error(`interrupted by ${name}`));
  };
  const interrupt = (): void => {
    onSignal('SIGINT');
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    await body(controller.signal, interrupt);
  } catch (error) {
    // What an aborted wait throws says nothing new; a broken store or log still does.
    if (interrupted === null || (error instanceof WritError && error.kind === 'fatal')) throw error;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
  return interrupted;
}
