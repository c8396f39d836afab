// What a witness answers (C2SP tlog-witness), over its real state: every status at its border, and no way back.
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWitnessState } from '../../src/adapters/store/witness-state.js';
import {
  emptyRoot,
  formatAddCheckpoint,
  MAX_NOTE_BYTES,
  noteCosignatures,
  parseVkey,
} from '../../src/audit/index.js';
import type { WitnessState } from '../../src/runtime/ports.js';
import { openWitness, type Witness } from '../../src/runtime/witness/witness.js';
import { bytes, ORIGIN, testKey, WitnessedLog } from './witness-log.js';

const home = mkdtempSync(join(tmpdir(), 'writ-witness-'));
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const log = new WitnessedLog(300);
const fork = new WitnessedLog(300, { salt: 'x' });
const stranger = new WitnessedLog(5, { origin: 'log.example/other', seed: 9 });
const signer = testKey('witness.example/w1', 4, 4);
const NOW_MS = Date.UTC(2026, 2, 1, 9, 30, 0, 999);
let nowMs = NOW_MS;
const clock = { nowMs: () => nowMs, sleepUntil: () => Promise.resolve(), sleep: () => Promise.resolve() };

let count = 0;
let file: string;
let state: WitnessState;
let witness: Witness;
beforeEach(() => {
  file = join(home, `${++count}.state`);
  state = openWitnessState(file);
  witness = openWitness({ logs: [log.key.vkey], signer, state, clock });
  nowMs = NOW_MS;
});
afterEach(() => {
  state.close();
});

/** Cosigns 0 -> each size in turn. */
function cosigned(...sizes: readonly number[]): void {
  [0, ...sizes].reduce((old, size) => {
    expect(witness(log.request(old, size)).status).toBe(200);
    return size;
  });
}

const latest = (): bigint | null => state.latest().find(({ origin }) => origin === ORIGIN)?.size ?? null;

describe('a consistent checkpoint', () => {
  it('is cosigned with the whole second of the clock, and remembered', () => {
    const answer = witness(log.request(0, 3));
    expect(answer).toMatchObject({ status: 200, origin: ORIGIN, size: 3n, message: null });
    const [cosignature] = noteCosignatures(log.note(3) + answer.body, [parseVkey(signer.vkey)]);
    expect(cosignature?.seconds).toBe(BigInt(Math.floor(NOW_MS / 1000)));
    expect(latest()).toBe(3n);
  });

  it('is cosigned again at the same size, with a new time', () => {
    cosigned(3);
    nowMs += 60_000;
    const again = witness(log.request(3, 3));
    const [cosignature] = noteCosignatures(log.note(3) + again.body, [parseVkey(signer.vkey)]);
    expect(cosignature?.seconds).toBe(BigInt(Math.floor(NOW_MS / 1000) + 60));
  });

  it('may be of size 0 with the empty root, and the log may grow from there', () => {
    expect(witness(log.request(0, 0)).status).toBe(200);
    expect(latest()).toBe(0n);
    expect(witness(log.request(0, 4)).status).toBe(200);
  });

  it('may carry lines of keys that nobody here knows', () => {
    const signed = `${log.note(2)}\u2014 else.example AAAAAAAA\n`;
    expect(witness(bytes(formatAddCheckpoint(0n, [], signed))).status).toBe(200);
  });

  it('is cosigned under either key of a log whose key was rotated', () => {
    const old = new WitnessedLog(4, { seed: 8 });
    witness = openWitness({ logs: [old.key.vkey, log.key.vkey], signer, state, clock });
    expect(witness(old.request(0, 2)).status).toBe(200);
    expect(witness(log.request(2, 4)).status).toBe(200);
  });
});

describe('what can not be read is 400', () => {
  const note = log.note(3);
  it.each([
    ['an empty body', ''],
    ['no empty line', 'old 0\nabc'],
    ['no old line', `\n\n${note}`],
    ['another word', `new 0\n\n${note}`],
    ['a leading zero', `old 00\n\n${note}`],
    ['a sign', `old -1\n\n${note}`],
    ['a size beyond 2^63-1', `old 9223372036854775808\n\n${note}`],
    ['two spaces', `old  0\n\n${note}`],
    ['a carriage return', `old 0\r\n\r\n${note}`],
    ['a proof line that is no base64', `old 0\n%%%\n\n${note}`],
    ['a proof line of 31 bytes', `old 0\n${Buffer.alloc(31).toString('base64')}\n\n${note}`],
    [
      'base64 that is not canonical',
      `old 0\n${Buffer.alloc(32).toString('base64').replace('A=', 'B=')}\n\n${note}`,
    ],
    ['64 proof lines', `old 0\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}\n${note}`],
    ['a note without signatures', `old 0\n\n${note.split('\n\n')[0]}\n`],
    ['a checkpoint of two lines', `old 0\n\norigin\n3\n\n\u2014 a AAAAAAAA\n`],
    ['a note beyond its limit', `old 0\n\n${'x'.repeat(MAX_NOTE_BYTES)}${note}`],
  ])('%s', (_, body) => {
    expect(witness(bytes(body)).status).toBe(400);
    expect(latest()).toBeNull();
  });

  it('bytes that are no UTF-8', () => {
    expect(witness(Uint8Array.from([...bytes('old 0\n\n'), 0xff, 0xfe])).status).toBe(400);
  });

  it('63 proof lines are read, and then refused as a proof', () => {
    const body = `old 0\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(63)}\n${note}`;
    expect(witness(bytes(body)).status).toBe(422);
  });

  it('an old size larger than the checkpoint', () => {
    cosigned(3);
    expect(witness(bytes(formatAddCheckpoint(4n, [], note))).status).toBe(400);
  });
});

describe('who signed', () => {
  it('is 404 for an origin it does not know', () => {
    expect(witness(stranger.request(0, 3))).toMatchObject({ status: 404 });
  });

  it('is 403 without a signature of the trusted key', () => {
    const other = new WitnessedLog(4, { seed: 11 });
    expect(witness(other.request(0, 3)).status).toBe(403);
  });

  it('is 403 when the line of the trusted key fails, though another trusted key signed', () => {
    const second = new WitnessedLog(4, { seed: 12 });
    witness = openWitness({ logs: [log.key.vkey, second.key.vkey], signer, state, clock });
    const [text = ''] = log.note(3).split('\n\n');
    const wrong = fork.note(3).split('\n\n')[1] ?? '';
    expect(witness(bytes(formatAddCheckpoint(0n, [], `${text}\n\n${wrong}`))).status).toBe(403);
    const both = `${second.note(3)}${wrong}`;
    expect(witness(bytes(formatAddCheckpoint(0n, [], both))).status).toBe(403);
    expect(latest()).toBeNull();
  });

  it('can not be a witness: its own cosignature is no signature of a log', () => {
    const line = witness(log.request(0, 3)).body;
    const note = `${log.note(3).split('\n\n')[0]}\n\n${line}`;
    expect(witness(bytes(formatAddCheckpoint(3n, [], note))).status).toBe(403);
  });
});

describe('another size than the last one is 409 with that size', () => {
  it('0 before anything was cosigned', () => {
    const answer = witness(log.request(2, 3));
    expect(answer).toMatchObject({ status: 409, body: '0\n', contentType: 'text/x.tlog.size' });
  });
  it('whether it is smaller or larger', () => {
    cosigned(5);
    for (const [old, size] of [
      [0, 5],
      [0, 9],
      [4, 9],
      [6, 9],
    ] as const) {
      expect(witness(log.request(old, size))).toMatchObject({ status: 409, body: '5\n' });
    }
    expect(latest()).toBe(5n);
  });
});

describe('trees that do not agree are 422, and nothing is remembered', () => {
  it('a fork of the same size', () => {
    cosigned(5);
    expect(witness(fork.request(5, 5)).status).toBe(422);
  });
  it('a fork of a larger size, with the proof of its own tree', () => {
    cosigned(5);
    expect(witness(fork.request(5, 9)).status).toBe(422);
  });
  it('a proof that is empty, too short, too long, or has a bit changed', () => {
    cosigned(5);
    const proof = log.proof(5, 9);
    const flipped = proof.map((hash, i) =>
      i === 0 ? hash.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) : hash,
    );
    for (const wrong of [[], proof.slice(1), [...proof, emptyRoot()], flipped]) {
      expect(witness(bytes(formatAddCheckpoint(5n, wrong, log.note(9)))).status).toBe(422);
    }
    expect(latest()).toBe(5n);
  });
  it('a proof for equal sizes', () => {
    cosigned(5);
    expect(witness(bytes(formatAddCheckpoint(5n, [emptyRoot()], log.note(5)))).status).toBe(422);
  });
  it('a proof from 0 that is not empty', () => {
    expect(witness(bytes(formatAddCheckpoint(0n, [emptyRoot()], log.note(5)))).status).toBe(422);
  });
  it('size 0 with another root than the empty one', () => {
    const wrong = log
      .note(0)
      .replace(Buffer.from(emptyRoot()).toString('base64'), Buffer.alloc(32).toString('base64'));
    // Signed as it is, so that only the root is wrong.
    const [text = ''] = wrong.split('\n\n');
    const signature = Buffer.concat([
      Buffer.from(parseVkey(log.key.vkey).keyId, 'hex'),
      log.key.sign(bytes(`${text}\n`)),
    ]).toString('base64');
    const note = `${text}\n\n\u2014 ${ORIGIN} ${signature}\n`;
    expect(witness(bytes(formatAddCheckpoint(0n, [], note))).status).toBe(422);
  });
});

describe('every pair of sizes', () => {
  it('from 0..40 is cosigned with its proof, and refused with the proof of another pair', () => {
    const small = 40;
    for (let old = 0; old <= small; old++) {
      const at = openWitnessState(join(home, `pairs-${old}.state`));
      const judge = openWitness({ logs: [log.key.vkey], signer, state: at, clock });
      if (old > 0) expect(judge(log.request(0, old)).status).toBe(200);
      expect(judge(log.request(old, small)).status).toBe(200);
      expect(at.latest()[0]?.size).toBe(BigInt(small));
      at.close();
    }
  });
});

describe('the state', () => {
  it('is a file only its owner may read', () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is what the next witness process begins from', () => {
    cosigned(5);
    state.close();
    state = openWitnessState(file);
    witness = openWitness({ logs: [log.key.vkey], signer, state, clock });
    expect(witness(log.request(0, 9))).toMatchObject({ status: 409, body: '5\n' });
    expect(witness(log.request(5, 9)).status).toBe(200);
  });

  it('keeps the logs apart', () => {
    witness = openWitness({ logs: [log.key.vkey, stranger.key.vkey], signer, state, clock });
    cosigned(5);
    expect(witness(stranger.request(0, 2)).status).toBe(200);
    expect(state.latest().map(({ origin, size }) => [origin, size])).toEqual([
      ['log.example/other', 2n],
      [ORIGIN, 5n],
    ]);
  });

  it('refuses a file that is something else, and leaves it as it is', () => {
    const other = join(home, 'other.db');
    writeFileSync(other, 'not a database, but long enough to look like a file of somebody');
    expect(() => openWitnessState(other)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^STORE_/) }),
    );
  });

  it('never goes back, in whatever order two processes are asked', () => {
    const orders = fc.array(
      fc.record({
        which: fc.boolean(),
        old: fc.integer({ min: 0, max: 24 }),
        size: fc.integer({ min: 0, max: 24 }),
      }),
      { maxLength: 40 },
    );
    let run = 0;
    fc.assert(
      fc.property(orders, (asked) => {
        const shared = join(home, `race-${++run}.state`);
        const states = [openWitnessState(shared), openWitnessState(shared)];
        const both = states.map((one) => openWitness({ logs: [log.key.vkey], signer, state: one, clock }));
        let size = 0;
        for (const { which, old, size: wanted } of asked) {
          if (old > wanted) continue;
          const { status } = both[which ? 1 : 0]?.(log.request(old, wanted)) ?? {};
          expect(status).toBe(old === size ? 200 : 409);
          if (status === 200) size = wanted;
        }
        expect(states[0]?.latest()[0]?.size ?? 0n).toBe(BigInt(size));
        for (const one of states) one.close();
      }),
      { numRuns: 40 },
    );
  });
});

describe('its keys', () => {
  it('are refused when the kinds are mixed up or one is given twice', () => {
    const parts = { state, clock };
    const wrong = expect.objectContaining({ code: 'AUDIT_KEY_INVALID' });
    expect(() => openWitness({ ...parts, logs: [signer.vkey], signer })).toThrow(wrong);
    expect(() => openWitness({ ...parts, logs: [], signer: log.key })).toThrow(wrong);
    expect(() => openWitness({ ...parts, logs: [log.key.vkey, log.key.vkey], signer })).toThrow(wrong);
  });
});
