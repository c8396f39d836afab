// Asking one witness: the clock rules at their borders. What a witness may answer otherwise is in test/runtime.
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import {
  cosignatureLine,
  emptyRoot,
  formatCheckpoint,
  formatVkey,
  parseVkey,
  signNote,
} from '../../audit/index.js';
import { askWitness, type Asked } from './request.js';

const SECRET = new Uint8Array(32).fill(1);
const key = (name: string, type: 1 | 4) => {
  const vkey = formatVkey(name, type, ed25519.getPublicKey(SECRET));
  return { vkey, key: parseVkey(vkey) };
};
const sign = (message: Uint8Array): Uint8Array => ed25519.sign(message, SECRET);
const log = key('log.example', 1);
const witness = { name: 'w', url: 'http://w.example', ...key('w.example', 4) };
const text = formatCheckpoint('log.example', 0n, emptyRoot());
const note = signNote(text, log.key, sign);
const NOW_S = 1_770_000_000;
const signal = new AbortController().signal;

/** Asks once with a witness whose clock shows `seconds`, then moves on as this machine's does. */
async function ask(seconds: number, { lastTimeMs = 0, nowMs = NOW_S * 1000 } = {}) {
  let requests = 0;
  let sleptMs = 0;
  const clock = {
    nowMs: () => nowMs + sleptMs,
    sleepUntil: () => Promise.reject(new Error('how far it is behind is no time of this clock')),
    sleep: async (durationMs: number) => {
      sleptMs = durationMs;
    },
  };
  const post = async () => {
    requests += 1;
    const at = BigInt(Math.floor(seconds + sleptMs / 1000));
    return { status: 200, body: new TextEncoder().encode(cosignatureLine(text, witness.key, at, sign)) };
  };
  const store = { hashes: () => Promise.reject(new Error('no proof is needed from 0')) };
  const asked: Asked = { note, size: 0n, lastTimeMs };
  const limits = { deadlineMs: nowMs + 10_000, signal };
  const said = await askWitness({ store, clock, post }, witness, asked, 0n, limits);
  return { said, requests, sleptMs };
}

describe('a cosignature', () => {
  it('from the second of the last entry is kept', async () => {
    const { said, requests } = await ask(NOW_S, { lastTimeMs: NOW_S * 1000 + 999 });
    expect(said).toMatchObject({ seconds: BigInt(NOW_S) });
    expect(requests).toBe(1);
  });

  it('from a moment before the last entry is asked for again when the moment is over', async () => {
    const lastTimeMs = (NOW_S + 1) * 1000;
    const { said, requests, sleptMs } = await ask(NOW_S + 0.999, { lastTimeMs, nowMs: lastTimeMs });
    expect(said).toMatchObject({ seconds: BigInt(NOW_S + 1) });
    expect([requests, sleptMs]).toEqual([2, 1]);
  });

  it('from two seconds before is waited for, from one millisecond more is not', async () => {
    const at = (behindMs: number) => ({ lastTimeMs: (NOW_S + 1) * 1000 + behindMs - 1 });
    expect((await ask(NOW_S, at(2_000))).said).toMatchObject({ seconds: BigInt(NOW_S + 2) });
    expect(await ask(NOW_S, at(2_001))).toMatchObject({
      said: { problem: 'its clock is 3 s behind' },
      sleptMs: 0,
    });
  });

  it('from five minutes ahead is kept, from one second more is not', async () => {
    expect((await ask(NOW_S + 300)).said).toMatchObject({ seconds: BigInt(NOW_S + 300) });
    expect((await ask(NOW_S + 301)).said).toEqual({ problem: 'its clock is 301 s ahead' });
  });

  it('from the end of time is not kept', async () => {
    const { said } = await ask(Number.MAX_SAFE_INTEGER);
    expect(said).toMatchObject({ problem: expect.stringContaining('ahead') as string });
  });
});

it('a witness is not asked without a URL, with a key that is never verified, or when time is up', async () => {
  const parts = {
    store: { hashes: () => Promise.resolve([]) },
    clock: { nowMs: () => 5, sleepUntil: () => Promise.resolve(), sleep: () => Promise.resolve() },
    post: () => Promise.reject(new Error('it was asked')),
  };
  const asked: Asked = { note, size: 0n, lastTimeMs: 0 };
  const limits = { deadlineMs: 6, signal };
  const say = (one: typeof witness | (Omit<typeof witness, 'url'> & { url: null }), deadlineMs = 6) =>
    askWitness(parts, one, asked, 0n, { ...limits, deadlineMs });
  expect(await say({ ...witness, url: null })).toEqual({ problem: 'it has no URL in witnesses.policy' });
  expect(await say({ ...witness, key: { ...witness.key, type: 6 } })).toHaveProperty('problem');
  expect(await say(witness, 5)).toEqual({ problem: 'no answer in time' });
});
