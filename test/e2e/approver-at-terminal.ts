// What a person does at an approval on a real terminal, key by key: waits until keys count, reads to the end, types digits.
// Each key waits for what it does on the screen, as a person does.
import { expect } from 'vitest';
import type { Desk } from '../cli/claims-desk.js';
import { environmentOf } from '../cli/writ.js';
import { onTerminal, plain, type TerminalSession } from './pseudo-terminal.js';

export const ENTER = '\r';
export const ESCAPE = '\u001b';
const PAGE_DOWN = '\u001b[6~';

/** Bob's terminal, unless `env` names another key. */
export function bobsTerminal(
  desk: Desk,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): TerminalSession {
  const own = { ...environmentOf(desk.folder), TERM: 'xterm-256color', WRIT_KEY: 'bob.key' };
  return onTerminal(words, { cwd: desk.folder, env: { ...own, ...env } });
}

export function armed(terminal: TerminalSession): Promise<void> {
  return terminal.shows('undecided; you are user:bob');
}

export async function readToTheEnd(terminal: TerminalSession): Promise<void> {
  const [, page = '', rows = ''] = /lines 1-(\d+) of (\d+)/u.exec(plain(terminal.drawn())) ?? [];
  for (let last = Number(page); last < Number(rows);) {
    last = Math.min(Number(rows), last + Number(page));
    terminal.type(PAGE_DOWN);
    await terminal.shows(`-${last} of ${rows}, `);
  }
  expect(plain(terminal.drawn())).toContain(`of ${rows}, end -`);
}

export async function typeDigits(terminal: TerminalSession, digits: string): Promise<void> {
  for (let length = 1; length <= digits.length; length += 1) {
    terminal.type(digits.charAt(length - 1));
    await terminal.shows(`then Enter: ${digits.slice(0, length)}_`);
  }
}
