// A value is taken out of an answer wherever it is cut.
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { redactingStream } from './redaction.js';

const VALUE = 'sk-0123456789';

async function through(...pieces: readonly string[]): Promise<string> {
  const stream = redactingStream(
    (bytes) => Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll(VALUE, '<secret>'), 'latin1'),
    VALUE.length,
  );
  let all = '';
  stream.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
  for (const piece of pieces) stream.write(piece);
  stream.end();
  await once(stream, 'end');
  return all;
}

describe('redactingStream', () => {
  it('finds a value that is cut at any place', async () => {
    const filler = 'x'.repeat(400);
    const text = `${filler}${VALUE}${filler}`;
    for (let at = 395; at < 420; at++)
      expect(await through(text.slice(0, at), text.slice(at))).toBe(`${filler}<secret>${filler}`);
  });

  it('finds it byte by byte, at the very beginning and the very end', async () => {
    expect(await through(...`${VALUE}-${VALUE}`)).toBe('<secret>-<secret>');
  });

  it('changes nothing else, and keeps what is only the beginning of one', async () => {
    expect(await through('abc', VALUE.slice(0, -1))).toBe(`abc${VALUE.slice(0, -1)}`);
    expect(await through()).toBe('');
  });

  it('chunks of one byte: what comes at once is looked through at once, and nothing of it is lost', async () => {
    let looks = 0;
    const stream = redactingStream((bytes) => {
      looks += 1;
      return bytes;
    }, VALUE.length);
    const text = 'abcdefgh'.repeat(1_000);
    let all = '';
    stream.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
    for (const one of text) stream.write(one);
    stream.end();
    await once(stream, 'end');
    expect(all).toBe(text);
    expect(looks).toBeLessThan(10);
  });

  it('ends with an error when it can not be looked through', async () => {
    const stream = redactingStream(() => {
      throw new Error('no secrets to be had');
    }, VALUE.length);
    stream.write('x');
    const [error] = (await once(stream, 'error')) as [Error];
    expect([error.message, stream.read()]).toEqual(['no secrets to be had', null]);
  });
});
