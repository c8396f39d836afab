import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openLinePrompt } from './line-prompt.js';
import { createOutput } from './output.js';

/** A terminal of two pipes; `type` is one chunk, as a terminal delivers it. */
function open() {
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  let drawn = '';
  stdout.on('data', (chunk: Buffer) => (drawn += chunk.toString()));
  const output = createOutput({ stdout, stderr: stdout, json: false, env: { NO_COLOR: '1' } });
  // What the prompt uses of a terminal's streams, pipes have too.
  const streams = { stdin, stdout } as unknown as Pick<NodeJS.Process, 'stdin' | 'stdout'>;
  const prompt = openLinePrompt({ ...streams, output });
  return { prompt, type: (text: string) => stdin.write(text), end: () => stdin.end(), drawn: () => drawn };
}

describe('questions that are answered by a line', () => {
  it('are answered in turn, each with what was typed after it', async () => {
    const { prompt, type, drawn } = open();
    const first = prompt.ask('one: ');
    type('a');
    type('b\r');
    expect(await first).toBe('ab');
    const second = prompt.ask('two: ');
    type('\r');
    expect(await second).toBe('');
    expect(drawn()).toContain('two: ');
    prompt.close();
  });

  it('HOLE: are not answered by a paste: of the lines of one chunk the first is the answer, the rest is dropped', async () => {
    const { prompt, type } = open();
    const first = prompt.ask('one: ');
    type('a\rb\ryes');
    expect(await first).toBe('a');
    const second = prompt.ask('send it? ');
    type('\r');
    expect(await second).toBe('');
    prompt.close();
  });

  it('are not answered by lines that nobody was asked for', async () => {
    const { prompt, type } = open();
    type('typed ahead\r');
    await new Promise(setImmediate);
    const asked = prompt.ask('one: ');
    type('now\r');
    expect(await asked).toBe('now');
    prompt.close();
  });

  it('end with Ctrl+C, this one and all that follow', async () => {
    const { prompt, type } = open();
    const asked = prompt.ask('one: ');
    type('half a line\u0003');
    expect(await asked).toBeNull();
    expect(prompt.isInterrupted).toBe(true);
    expect(await prompt.ask('two: ')).toBeNull();
  });

  it('end with the end of input, which is no interruption', async () => {
    const { prompt, end } = open();
    const asked = prompt.ask('one: ');
    end();
    expect(await asked).toBeNull();
    expect(prompt.isInterrupted).toBe(false);
  });
});
