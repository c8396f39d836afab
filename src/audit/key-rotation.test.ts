import { describe, expect, it } from 'vitest';
import { fastVerify, ORIGIN, testSigner } from '../../test/audit/log-fixture.js';
import { WritError } from '../errors.js';
import type { JsonObject } from '../json.js';
import { rotationData, rotationMessage, verifyRotation } from './key-rotation.js';
import { formatVkey } from './vkey.js';

const old = testSigner(ORIGIN, 1);
const next = testSigner(ORIGIN, 2);
const third = testSigner(ORIGIN, 3);
const data = rotationData(ORIGIN, old, next);

const holds = (change: JsonObject, origin = ORIGIN): boolean =>
  verifyRotation({ ...data, ...change }, origin, fastVerify);

describe('the signatures of a key change', () => {
  it('are over the domain, a NUL and the canonical form of origin, old and new vkey', () => {
    expect(new TextDecoder().decode(rotationMessage('o', 'a+1+x', 'b+2+y'))).toBe(
      'writ.key-rotation.v1\0{"newVkey":"b+2+y","oldVkey":"a+1+x","origin":"o"}',
    );
  });

  it('hold when both keys signed', () => {
    expect(holds({})).toBe(true);
    expect(data).toMatchObject({ oldVkey: old.vkey, newVkey: next.vkey });
  });

  it('hold for no other log, order or key', () => {
    expect(holds({}, 'other.example')).toBe(false);
    expect(holds({ oldVkey: next.vkey, newVkey: old.vkey })).toBe(false);
    expect(holds({ newVkey: third.vkey })).toBe(false);
    expect(holds({ oldVkey: third.vkey })).toBe(false);
    const { signatureByOld = '', signatureByNew = '' } = data;
    expect(holds({ signatureByOld: signatureByNew, signatureByNew: signatureByOld })).toBe(false);
    expect(holds({ signatureByOld: signatureByNew })).toBe(false);
    expect(holds({ signatureByNew: signatureByOld })).toBe(false);
  });

  it('never hold, and never throw, for data that is not what it must be', () => {
    const witness = formatVkey(ORIGIN, 4, new Uint8Array(32).fill(5));
    for (const wrong of [null, 7, '', 'x', {}, [], old.vkey.slice(0, -1), witness, 'x'.repeat(10_000)]) {
      for (const name of ['oldVkey', 'newVkey', 'signatureByOld', 'signatureByNew']) {
        expect(holds({ [name]: wrong }), `${name} ${JSON.stringify(wrong).slice(0, 40)}`).toBe(false);
      }
      expect(verifyRotation(wrong, ORIGIN, fastVerify)).toBe(false);
    }
    expect(verifyRotation(undefined, ORIGIN, fastVerify)).toBe(false);
    const { signatureByOld } = data;
    if (typeof signatureByOld !== 'string') throw new Error('a signature is text');
    expect(holds({ signatureByOld: `${signatureByOld}\n` })).toBe(false);
    expect(holds({ signatureByOld: signatureByOld.replace(/=+$/, '') })).toBe(false);
  });

  it('are not made for a key that follows itself, or a key of another log', () => {
    for (const [one, other] of [
      [old, old],
      [old, testSigner('other.example', 2)],
      [testSigner('other.example', 1), next],
    ] as const) {
      expect(() => rotationData(ORIGIN, one, other)).toThrow(WritError);
    }
  });
});
