import { existsSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listenToRun, openSpokenWords, type SpokenWords } from './spoken-words.js';

let folder: string;
let words: SpokenWords;
let stops: (() => void)[];
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'writ-words-')), 'live');
  words = openSpokenWords(folder);
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) stop();
  await words.close();
});

/** What a watcher has heard so far. */
function watching(run = 'run_1'): { readonly heard: string[] } {
  const heard: string[] = [];
  stops.push(
    listenToRun(folder, run, {
      says: (stepPath, text) => heard.push(`${stepPath}: ${text}`),
      ends: (stepPath) => heard.push(`${stepPath} ends`),
    }),
  );
  return { heard };
}

const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 20 });
const tell = (text: string, stepPath = 'ask', run = 'run_1'): void => words.tell({ run, stepPath, text });

describe('what steps say', () => {
  it('is heard by those who watch, whoever came first, each run for itself', async () => {
    const before = watching();
    const other = watching('run_2');
    tell('Hello ');
    await until(() => expect(before.heard).toEqual(['ask: Hello ']));
    tell('world');
    await until(() => expect(before.heard).toEqual(['ask: Hello ', 'ask: world']));
    const later = watching();
    await until(() => expect(later.heard).toEqual(['ask: Hello world']));
    expect(other.heard).toEqual([]);
  });

  it('ends with its step, and with its run', async () => {
    const watcher = watching();
    tell('a');
    tell('b', 'answer');
    await until(() => expect(watcher.heard).toHaveLength(2));
    words.stepEnded('run_1', 'ask');
    words.runEnded('run_1');
    await until(() => expect(watcher.heard.slice(2)).toEqual(['ask ends', 'answer ends']));
    await until(() => expect(readdirSync(folder)).toEqual([]));
  });

  it('is for the owner of the data directory only, and leaves no file', async () => {
    tell('a');
    await until(() => expect(readdirSync(folder)).toEqual(['run_1.sock']));
    expect(statSync(folder).mode & 0o077).toBe(0);
    await words.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes the place of a process that was killed', async () => {
    tell('a');
    await until(() => expect(existsSync(join(folder, 'run_1.sock'))).toBe(true));
    await words.close();
    writeFileSync(join(folder, 'run_1.sock'), 'left behind');
    words = openSpokenWords(folder);
    const watcher = watching();
    tell('b');
    await until(() => expect(watcher.heard).toEqual(['ask: b']));
  });

  it('does not hold up who speaks when nobody reads, or no socket can be had', async () => {
    tell('a');
    await until(() => expect(existsSync(join(folder, 'run_1.sock'))).toBe(true));
    const deaf = connect(join(folder, 'run_1.sock'));
    await until(() => expect(deaf.readyState).toBe('open'));
    deaf.pause();
    const gone = new Promise<void>((resolve) => {
      deaf.once('close', () => resolve());
    });
    for (let i = 0; i < 2_000; i += 1) tell('x'.repeat(1_000));
    deaf.resume();
    await gone;
    const nowhere = openSpokenWords(join(folder, 'run_1.sock', 'no', 'folder'));
    expect(() => nowhere.tell({ run: 'run_1', stepPath: 'ask', text: 'a' })).not.toThrow();
    await nowhere.close();
    const tooLong = openSpokenWords(join(folder, 'x'.repeat(200)));
    tooLong.tell({ run: 'run_1', stepPath: 'ask', text: 'a' });
    await tooLong.close();
  });
});
