// A run on this terminal while it goes on, whoever advances it. What is shown is read from the store, so it has
// happened; only what a step says just now comes from the process that runs it and is stored nowhere.
import { listenToRun } from '../../adapters/spoken-words.js';
import { pathsOf } from '../../data-directory.js';
import { openLiveRows } from '../../tui/live-rows.js';
import type { OutlineStep } from '../../runtime/plan/outline.js';
import type { RunView, Writ } from '../../runtime/writ.js';
import type { Context } from '../context.js';
import { runRows, type RunScene } from './rows.js';

/** How often it is looked whether anything was committed. */
const LOOK_MS = 200;
/** Reading a large run takes a while: it is read so seldom that this part of the time is spent on it at most. */
const READING_SHARE = 10;
/** The end of what a step says, in characters; no more of it is kept, and not of more steps. */
const MAX_SAID = 4_096;
const MAX_SPEAKERS = 32;
/** After so long another step is shown. */
const SILENT_MS = 1_500;

export interface LiveRun {
  /** The run as it is read, once `isEnd` says so or `signal` aborts; rejects when it can't be read any more. */
  until(isEnd: (run: RunView) => boolean, signal: AbortSignal): Promise<RunView>;
  /** Takes it off the terminal. */
  close(): Promise<void>;
}

export interface LiveRunOptions {
  readonly runId: string;
  /** The last row: what Ctrl+C does. */
  readonly foot: string;
  readonly onInterrupt: () => void;
  /** Its steps may run in another process: what they say is listened to there. */
  readonly elsewhere?: true;
}

/** Throws NOT_FOUND. stdout must be a terminal that redraws. */
export async function openLiveRun(
  context: Context,
  writ: Writ,
  { runId, foot, onInterrupt, elsewhere }: LiveRunOptions,
): Promise<LiveRun> {
  const reader = await RunReader.open(writ, runId);
  const { colors } = context.output;
  const rows = openLiveRows({
    stdin: context.stdin,
    stdout: context.stdout,
    onInterrupt,
    rows: (size) => runRows({ ...reader.scene, foot }, { ...size, nowMs: context.nowMs(), colors }),
  });
  // A line between the rows would stay there.
  const letNotesGo = context.output.holdNotes();
  reader.start(() => rows.redraw(), elsewhere === true ? pathsOf(context.data).live : null);
  return {
    until: (isEnd, signal) => reader.until(isEnd, signal),
    async close() {
      await reader.stop();
      await rows.close();
      letNotesGo();
    },
  };
}

/** Reads the run again when something was committed. */
class RunReader {
  readonly #writ: Writ;
  readonly #runId: string;
  readonly #outline: readonly OutlineStep[];
  #scene: Omit<RunScene, 'foot'>;
  #counter = -1;
  #nextAtMs = 0;
  #failure: { readonly error: unknown } | null = null;
  #reading: Promise<void> | null = null;
  #told: () => void = () => undefined;
  #stopAll: () => void = () => undefined;
  readonly #waiters = new Set<() => void>();
  readonly #said = new Said();

  private constructor(writ: Writ, runId: string, outline: readonly OutlineStep[], run: RunView) {
    this.#writ = writ;
    this.#runId = runId;
    this.#outline = outline;
    this.#scene = { run, outline, pending: [], said: null };
  }

  static async open(writ: Writ, runId: string): Promise<RunReader> {
    const outline = await writ.outline(runId);
    const reader = new RunReader(writ, runId, outline, await writ.status(runId, { nested: 0 }));
    await reader.#read();
    return reader;
  }

  get scene(): Omit<RunScene, 'foot'> {
    return this.#scene;
  }

  /** `sockets`: where other processes tell what their steps say; null = only this one runs any. */
  start(told: () => void, sockets: string | null): void {
    this.#told = told;
    const timer = setInterval(() => this.#look(), LOOK_MS);
    const stopListening = this.#writ.onProgress((notice) => {
      if (notice.run === this.#runId) this.#says(notice.stepPath, notice.text);
    });
    const stopEntries = this.#writ.onEntry(({ run, type, data }) => {
      const { stepPath } = data;
      if (run === this.#runId && type === 'step.finished' && typeof stepPath === 'string') {
        this.#unsays(stepPath);
      }
    });
    const stopHearing =
      sockets === null
        ? () => undefined
        : listenToRun(sockets, this.#runId, {
            says: (stepPath, text) => this.#says(stepPath, text),
            ends: (stepPath) => {
              this.#unsays(stepPath);
              this.#told();
            },
          });
    this.#stopAll = () => {
      stopHearing();
      clearInterval(timer);
      stopListening();
      stopEntries();
    };
  }

  async stop(): Promise<void> {
    this.#told = () => undefined;
    this.#stopAll();
    await this.#reading;
  }

  async until(isEnd: (run: RunView) => boolean, signal: AbortSignal): Promise<RunView> {
    while (!signal.aborted && this.#failure === null && !isEnd(this.#scene.run)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          this.#waiters.delete(go);
          signal.removeEventListener('abort', go);
          resolve();
        };
        this.#waiters.add(go);
        signal.addEventListener('abort', go, { once: true });
      });
    }
    if (this.#failure !== null) throw this.#failure.error;
    return this.#scene.run;
  }

  #look(): void {
    if (this.#reading !== null || this.#failure !== null || performance.now() < this.#nextAtMs) return;
    this.#reading = this.#readIfNew()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#reading = null;
        this.#told();
        for (const go of [...this.#waiters]) go();
      });
  }

  async #readIfNew(): Promise<void> {
    if (this.#writ.changeCounter() === this.#counter) return;
    const startedAtMs = performance.now();
    await this.#read();
    this.#nextAtMs = startedAtMs + READING_SHARE * (performance.now() - startedAtMs);
  }

  async #read(): Promise<void> {
    this.#counter = this.#writ.changeCounter();
    const run = await this.#writ.status(this.#runId, { nested: 0 });
    const isAsking = run.waitingFor?.kind === 'approval';
    const pending = isAsking ? await this.#writ.approvals({ run: run.id, states: ['pending'] }) : [];
    this.#scene = { run, outline: this.#outline, pending, said: this.#said.now };
  }

  #says(stepPath: string, text: string): void {
    this.#said.add(stepPath, text, performance.now());
    this.#scene = { ...this.#scene, said: this.#said.now };
    this.#told();
  }

  /** What an attempt has said is over with it. */
  #unsays(stepPath: string): void {
    this.#said.end(stepPath);
    this.#scene = { ...this.#scene, said: this.#said.now };
  }
}

/** What steps say while they run. One of them is shown, for as long as it speaks: not each word of another one. */
class Said {
  readonly #texts = new Map<string, string>();
  #speaker: { readonly stepPath: string; readonly atMs: number } | null = null;

  get now(): RunScene['said'] {
    const stepPath = this.#speaker?.stepPath;
    return stepPath === undefined ? null : { stepPath, text: this.#texts.get(stepPath) ?? '' };
  }

  add(stepPath: string, text: string, nowMs: number): void {
    const said = `${this.#texts.get(stepPath) ?? ''}${text}`.slice(-MAX_SAID);
    this.#texts.delete(stepPath);
    this.#texts.set(stepPath, said);
    // The one that has been silent for longest goes.
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > MAX_SPEAKERS && oldest !== undefined) this.#texts.delete(oldest);
    const speaker = this.#speaker;
    const isSilent = speaker === null || nowMs - speaker.atMs > SILENT_MS;
    if (isSilent || speaker.stepPath === stepPath) this.#speaker = { stepPath, atMs: nowMs };
  }

  end(stepPath: string): void {
    this.#texts.delete(stepPath);
    if (this.#speaker?.stepPath === stepPath) this.#speaker = null;
  }
}
