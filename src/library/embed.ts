// Writ inside another program: what the command line has, for one acting person, with functions of the program's own.
import { systemRandom } from '../adapters/random.js';
import { identify, openWrit as openData } from '../open.js';
import type { FunctionProvider } from '../runtime/ports.js';
import type { Principal, Writ } from '../runtime/writ.js';
import { openBackgroundRuns } from './background-runs.js';
import {
  checkFunctionId,
  ownFunction,
  type FunctionDefinition,
  type FunctionHandler,
} from './own-function.js';
import { openTrigger, type Trigger, type TriggerParts } from './trigger.js';

export interface OpenOptions {
  /** A data directory that `writ init`, or `initWrit`, has made. */
  readonly data: string;
  /** The policies; agents, hands and the other files of an operator are looked for beside that folder. */
  readonly policies: string;
  /** Private key file of the person who acts, as `--key`. Default: the operating system's user. */
  readonly key?: string;
  /** Whole sets of functions; `function` registers a single one. */
  readonly functions?: readonly FunctionProvider[];
  /** Told why a run that nobody waits for is no longer driven. Default: a warning of the process (on stderr). */
  readonly onError?: (error: unknown, runId: string) => void;
}

export interface CloseOptions {
  /** Steps that still run after so many milliseconds are stopped; default: they are waited for. */
  readonly stopAfterMs?: number;
}

/** Writ for one acting person. Many may be open at once, on one data directory too, in one process and in several. */
export interface EmbeddedWrit extends Writ, AsyncDisposable {
  /** Workflows and runs by function id; runs that it starts are driven by this process. */
  readonly trigger: Trigger;
  /**
   * Registers a function of this program: steps may name it from now on, and each call of it is authorized, fits under
   * every ceiling, is approved where required and logged before the handler sees it. Policy must allow it
   * (`function.invoke` on its id), for it is outside every sandbox. Throws USAGE for an id that is reserved or taken, and
   * for a schema that is none.
   */
  function<In, Out>(id: string, definition: FunctionDefinition, handler: FunctionHandler<In, Out>): void;
  /** Who acts in `trigger`. Throws POLICY_IDENTITY_UNKNOWN when policy does not know them. */
  whoActs(): Promise<Principal>;
  /**
   * Runs that go on here come to their end, or to where they wait for a person or a time; then everything is closed. A
   * run that waits is kept, and another process may go on with it.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Opens an initialised data directory. Throws NOT_INITIALISED, POLICY_INVALID, AUDIT_*, STORE_*, USAGE for a function
 * that can't be registered, and with `key` POLICY_IDENTITY_UNKNOWN.
 */
export async function openWrit(options: OpenOptions): Promise<EmbeddedWrit> {
  return (await openEmbedded(options, 1)).writ;
}

/** As `openWrit`, with what a `trigger` is made of; `wasmPool` sandbox children are started ahead of need. */
export async function openEmbedded(
  options: OpenOptions,
  wasmPool: number,
): Promise<{ readonly writ: EmbeddedWrit; readonly parts: TriggerParts }> {
  const { data, policies, functions = [], onError = warn } = options;
  for (const id of functions.flatMap((one) => one.functionIds)) checkFunctionId(id);
  const opened = await openData({ data, policies, functions, wasmPool });
  try {
    let person: Promise<Principal> | null = null;
    const whoActs = (): Promise<Principal> => {
      person ??= identify(opened, options.key ?? null);
      return person;
    };
    if (options.key !== undefined) await whoActs();
    const background = openBackgroundRuns(opened, onError);
    const parts: TriggerParts = { writ: opened, principal: whoActs, random: systemRandom, background };
    let closing: Promise<void> | null = null;
    const close = ({ stopAfterMs }: CloseOptions = {}): Promise<void> => {
      closing ??= background.close(stopAfterMs ?? null).finally(() => opened.close());
      return closing;
    };
    // What is inside stays inside: a caller's road to a function is a run.
    const { guard: _guard, ...surface } = opened as Writ & { readonly guard?: unknown };
    const writ: EmbeddedWrit = {
      ...surface,
      // It changes with a reload.
      get policyHash() {
        return opened.policyHash;
      },
      trigger: openTrigger(() => Promise.resolve(parts)),
      function: (id, definition, handler) => opened.register(ownFunction(id, definition, handler)),
      register(provider) {
        for (const id of provider.functionIds) checkFunctionId(id);
        opened.register(provider);
      },
      whoActs,
      close,
      [Symbol.asyncDispose]: () => close(),
    };
    return { writ, parts };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

function warn(error: unknown, runId: string): void {
  const warning = new Error(`run ${runId} is not driven any more: ${messageOf(error)}`, { cause: error });
  warning.name = 'WritWarning';
  process.emitWarning(warning);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
