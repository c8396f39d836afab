// Everything the command line shows goes through here. Rules: results on stdout, all else on stderr; with --json
// stdout carries exactly one JSON value and no line; names and text from documents never control the terminal;
// a reader that went away (EPIPE) is not an error, and a run is not abandoned for it.
import pc from 'picocolors';
import { revealHidden } from '../approval/display.js';

/** The part of a stream the output needs; `process.stdout` and a test's buffer both are one. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;
export type Colors = ReturnType<typeof pc.createColors>;

export interface Output {
  readonly json: boolean;
  /** Styles for stdout; the identity without a terminal or under NO_COLOR. */
  readonly colors: Colors;
  /** A line of the result for people; nothing under --json. Line ends in `text` are kept, other controls are not. */
  line(text?: string): void;
  /** A line about what happens, on stderr; never part of the result. */
  note(text: string): void;
  /** Notes wait until the result is called: for as long as something else draws on the terminal. */
  holdNotes(): () => void;
  /** One object on one line of stdout, for a command whose result is such lines. */
  record(value: object): void;
  /** The one JSON value of --json; throws on a second one, so that no command can print two. */
  value(value: unknown): void;
}

export function createOutput(streams: {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly json: boolean;
  readonly env: Environment;
}): Output {
  const { stdout, stderr, json, env } = streams;
  let printed = false;
  let held: string[] | null = null;
  return {
    json,
    colors: pc.createColors(wantsColor(stdout, env)),
    line(text = '') {
      if (!json) stdout.write(`${harmless(text)}\n`);
    },
    note(text) {
      if (held === null) stderr.write(`${harmless(text)}\n`);
      else held.push(text);
    },
    holdNotes() {
      held ??= [];
      return () => {
        const waiting = held ?? [];
        held = null;
        for (const text of waiting) this.note(text);
      };
    },
    record(value) {
      stdout.write(`${escaped(JSON.stringify(value, bigintAsText))}\n`);
    },
    value(value) {
      if (printed) throw new Error('a command prints one JSON value');
      printed = true;
      stdout.write(`${escaped(JSON.stringify(value, bigintAsText, 2))}\n`);
    },
  };
}

/** https://no-color.org: any non-empty NO_COLOR wins over a terminal and over FORCE_COLOR. */
export function wantsColor(sink: Sink, env: Environment): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  if ((env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0') return true;
  return sink.isTTY === true && env['TERM'] !== 'dumb';
}

/** One line of foreign text: hidden characters, line ends among them, are written out. */
export function printable(text: string): string {
  return revealHidden(text);
}

/** A function or package reference for a table: 12 digits of a package's digest. Never where something is approved. */
export function shortReference(reference: string): string {
  return printable(reference.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]{52}$/u, '$1…'));
}

// The styles picocolors writes for this program: colours, bold, dim and their ends. Nothing that hides or moves.
const STYLE = /(\p{Cc}\[(?:0|1|2|22|3[1-7]|39|90)m)/u;

/** Last line of defence for text a caller forgot to make printable. */
function harmless(text: string): string {
  return text
    .split('\n')
    .map((line) =>
      line
        .split(STYLE)
        .map((part) => (STYLE.test(part) && part.startsWith('\u001b') ? part : revealHidden(part)))
        .join(''),
    )
    .join('\n');
}

/** The same JSON value: characters that could hide or reorder text on a terminal are written as `\u` escapes. */
function escaped(json: string): string {
  return json.replace(/[^\P{C}\n]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => {
      return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
    }).join(''),
  );
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** Broken pipes are quiet: what is written after one goes nowhere. Call once, before the first write. */
export function ignoreBrokenPipes(...streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
