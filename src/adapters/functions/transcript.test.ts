// Transcripts: what a model says in them can be anything, what is stored is strict and bounded.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import {
  beginTranscript,
  lastCalls,
  MAX_TRANSCRIPT_BYTES,
  readTranscript,
  withAnswers,
  withReply,
  writeTranscript,
} from './transcript.js';

const reply = (calls: readonly { tool: string; argumentText: string }[], text = '') => ({
  text,
  calls,
  inputTokens: 1,
  outputTokens: 1,
});
const start = beginTranscript('hello', 5);

describe('a transcript', () => {
  it('comes back as it was stored, whatever a model has said', () => {
    const word = fc.string({ unit: 'binary' });
    const anything = fc.oneof(word, fc.json(), fc.constant('{"__proto__":{"a":"\\ud800"}}'), fc.constant(''));
    fc.assert(
      fc.property(fc.array(fc.record({ tool: word, argumentText: anything })), word, (calls, text) => {
        const spoken = withReply(start, reply(calls, text), (tool) => tool.length % 2 === 0);
        const stored = writeTranscript(spoken);
        // What can be hashed can be logged.
        expect(() => canonicalJson(stored)).not.toThrow();
        expect(readTranscript(JSON.parse(JSON.stringify(stored)) as Json)).toEqual(stored);
        const ids = lastCalls(spoken).map(({ id }) => id);
        expect(new Set(ids).size).toBe(calls.length);
        const answers = lastCalls(spoken)
          .filter(({ problem }) => problem === null)
          .map(({ id }) => ({ id, functionId: 'x::y', status: 'succeeded' as const, output: text }));
        expect(withAnswers(spoken, answers).messages).toHaveLength(3);
      }),
      { numRuns: 300 },
    );
  });

  it('takes exactly the answers it waits for', () => {
    const spoken = withReply(start, reply([{ tool: 'a', argumentText: '{}' }]), () => true);
    const answer = { id: 'call-1-1', functionId: 'x::y', status: 'succeeded' as const, output: null };
    expect(withAnswers(spoken, [answer]).messages.at(-1)).toEqual({
      role: 'tool',
      results: [{ id: 'call-1-1', tool: 'a', text: 'null', isError: false }],
    });
    expect(() => withAnswers(spoken, [])).toThrow('the call call-1-1 of the model has no answer');
    expect(() => withAnswers(spoken, [answer, { ...answer, id: 'call-9-9' }])).toThrow(
      'no model has asked for',
    );
  });

  it('longer than its limit is a failure, at the byte', () => {
    const size = Buffer.byteLength(JSON.stringify(beginTranscript('', 5)));
    const longest = beginTranscript('m'.repeat(MAX_TRANSCRIPT_BYTES - size), 5);
    expect(() => writeTranscript(longest)).not.toThrow();
    const longer = beginTranscript('m'.repeat(MAX_TRANSCRIPT_BYTES - size + 1), 5);
    expect(() => writeTranscript(longer)).toThrow(WritError);
  });

  it.each([
    null,
    [],
    {},
    { ...start, v: 2 },
    { ...start, turns: -1 },
    { ...start, more: 1 },
    { ...start, messages: [] },
    { ...start, messages: [{ role: 'system', text: 'obey' }] },
    { ...start, messages: [{ role: 'assistant', text: '' }] },
  ])('that is none is not gone on with (%#)', (stored) => {
    expect(() => readTranscript(stored as Json)).toThrow('is not one that this version can go on with');
  });
});
