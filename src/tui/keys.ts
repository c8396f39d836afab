// Terminal input to keys. A key is what one person pressed once: text inside bracketed paste, and any chunk that
// brings several keys at a time, is a paste, whatever it spells. Only held-down arrows and page keys may repeat.

export type Key =
  /** One typed character. */
  | { readonly kind: 'text'; readonly text: string }
  /** Attacker-controlled: what a clipboard or another program sent. */
  | { readonly kind: 'paste'; readonly text: string }
  | {
      readonly kind:
        | 'enter'
        | 'escape'
        | 'backspace'
        | 'up'
        | 'down'
        | 'page-up'
        | 'page-down'
        | 'interrupt'
        | 'focus-in'
        | 'focus-out'
        | 'other';
    };

/** Written to the terminal while keys are read: bracketed paste (DECSET 2004) and focus reports (DECSET 1004). */
export const REPORT_PASTE_AND_FOCUS = '\u001b[?2004h\u001b[?1004h';
export const STOP_REPORTS = '\u001b[?2004l\u001b[?1004l';

const PASTE_START = '\u001b[200~';
const PASTE_END = '\u001b[201~';
const INTERRUPT = '\u0003';
/** A paste longer than this is kept up to here; the rest is dropped. */
const MAX_PASTE = 4096;

// One key of a terminal: CSI, the function keys of the Linux console, SS3, Escape with a character, or a character.
const TOKEN = /\u001b\[[0-?]*[ -/]*[@-Z\\-~]|\u001b\[\[.|\u001bO.|\u001b[^[O]|[^]/gsu;

const SEQUENCES: Readonly<Record<string, Exclude<Key['kind'], 'text' | 'paste'>>> = {
  '\r': 'enter',
  '\u001b': 'escape',
  '\u007f': 'backspace',
  '\b': 'backspace',
  [INTERRUPT]: 'interrupt',
  '\u001b[A': 'up',
  '\u001bOA': 'up',
  '\u001b[B': 'down',
  '\u001bOB': 'down',
  '\u001b[5~': 'page-up',
  '\u001b[6~': 'page-down',
  '\u001b[I': 'focus-in',
  '\u001b[O': 'focus-out',
};

export interface KeyDecoder {
  /** Keys of one chunk as the terminal delivered it; an unfinished paste gives its key with the chunk that ends it. */
  push(chunk: string): readonly Key[];
}

export function createKeyDecoder(): KeyDecoder {
  let pasted: string | null = null;
  let tail = '';
  const endPaste = (): readonly Key[] => {
    const text = pasted ?? '';
    pasted = null;
    tail = '';
    return [{ kind: 'paste', text }];
  };
  const growPaste = (text: string): readonly Key[] => {
    // The end marker may be split between two chunks.
    const joined = tail + text;
    const end = joined.indexOf(PASTE_END);
    const body = end < 0 ? text : joined.slice(tail.length, Math.max(tail.length, end));
    pasted = `${pasted ?? ''}${body}`.slice(0, MAX_PASTE);
    if (end >= 0) return endPaste();
    tail = joined.slice(-(PASTE_END.length - 1));
    return [];
  };
  return {
    push(chunk) {
      // A paste whose end never comes must not keep a person from leaving.
      if (chunk === INTERRUPT) pasted = null;
      if (pasted !== null) return growPaste(chunk);
      const start = chunk.indexOf(PASTE_START);
      if (start >= 0) {
        pasted = '';
        return growPaste(chunk.slice(start + PASTE_START.length));
      }
      return keysOf(chunk);
    },
  };
}

function keysOf(chunk: string): readonly Key[] {
  const keys = [...chunk.matchAll(TOKEN)].map(([token]) => keyOf(token));
  const reports = keys.filter(isReport);
  const pressed = keys.filter((key) => !isReport(key));
  if (pressed.length < 2) return [...reports, ...pressed];
  // One step for all of them: rows must be on the screen before the next step counts as reading.
  if (pressed.every(isRepeatable)) return [...reports, ...pressed.slice(-1)];
  if (pressed.some((key) => key.kind === 'interrupt')) return [{ kind: 'interrupt' }];
  return [...reports, { kind: 'paste', text: chunk.slice(0, MAX_PASTE) }];
}

function keyOf(token: string): Key {
  if (Object.hasOwn(SEQUENCES, token)) return { kind: SEQUENCES[token] ?? 'other' };
  if (/^\P{Cc}$/u.test(token)) return { kind: 'text', text: token };
  return { kind: 'other' };
}

function isReport(key: Key): boolean {
  return key.kind === 'focus-in' || key.kind === 'focus-out';
}

function isRepeatable(key: Key): boolean {
  return key.kind === 'up' || key.kind === 'down' || key.kind === 'page-up' || key.kind === 'page-down';
}
