// How a program ends, for the first reason there is, and the kill where that is a limit or somebody's wish.
import type { Program } from './program.js';

/** How it ended, as far as the runner can tell without the engine's account of memory. */
export type ProgramEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'timeout'; readonly limit: 'timeoutMs' | 'cpuMs' }
  | { readonly kind: 'output-limit'; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'egress'; readonly why: EgressEnd }
  /** It never ran: what came on its stream are the engine's words, not a program's. */
  | { readonly kind: 'unstarted'; readonly said: string }
  /** The engine could not say how it ended. */
  | { readonly kind: 'lost'; readonly error: unknown };

/** Why nothing may leave the sandbox any more (EgressProxy.ended). */
export type EgressEnd = 'egressBytes' | 'egressRequests' | 'egressRefused' | 'unrecorded';

export class Ending {
  /** Why it ends. */
  readonly first: Promise<ProgramEnd>;
  readonly #program: Program;
  readonly #beforeKill: () => Promise<void>;
  #tell: (end: ProgramEnd) => void = () => undefined;
  #killing: Promise<void> | null = null;

  /** `beforeKill`: the last moment at which the program can be looked at; it may not reject. */
  constructor(program: Program, beforeKill: () => Promise<void>) {
    this.#program = program;
    this.#beforeKill = beforeKill;
    this.first = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  /** Settles with the kill; null = there was none. */
  get killing(): Promise<void> | null {
    return this.#killing;
  }

  /** It has ended by itself, or nobody can say how. */
  told(end: ProgramEnd): void {
    this.#tell(end);
  }

  /** The reason is there before the kill is sent. */
  stop(end: ProgramEnd): void {
    if (this.#killing !== null) return;
    this.#tell(end);
    this.#kill(this.#beforeKill());
  }

  /** What was sent before there was anything to kill has killed nothing. */
  begun(): void {
    if (this.#killing !== null) this.#kill(this.#killing.catch(() => undefined));
  }

  #kill(after: Promise<void>): void {
    this.#killing = after.then(() => this.#program.kill());
    this.#killing.catch(() => undefined); // awaited where the program's end is
  }
}
