import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signWebhook, verifyWebhook, type VerifyWebhook, type WebhookFault } from './webhook.js';
import { webhookPublicKey } from './webhook-key.js';

const NOW = 1_700_000_000;
const SECRET_BYTES = Buffer.alloc(32, 7);
const SECRET = `whsec_${SECRET_BYTES.toString('base64')}`;
const OTHER = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
const SEED = Buffer.alloc(32, 9);
const PRIVATE = `whsk_${SEED.toString('base64')}`;
const PUBLIC = webhookPublicKey(PRIVATE) ?? '';
const BODY = '{"a":1}';

/** By Node's own HMAC: not the code under test. */
function v1(content: string, secret: Uint8Array = SECRET_BYTES): string {
  return `v1,${createHmac('sha256', secret).update(content).digest('base64')}`;
}

function call(
  fields: Partial<VerifyWebhook> = {},
  headers: Readonly<Record<string, string | readonly string[] | undefined>> = {},
): VerifyWebhook {
  return {
    keys: [SECRET],
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(NOW),
      'webhook-signature': v1(`msg_1.${NOW}.${BODY}`),
      ...headers,
    },
    body: BODY,
    nowSeconds: NOW,
    ...fields,
  };
}

function refuses(code: WebhookFault, given: VerifyWebhook): void {
  expect(verifyWebhook(given)).toEqual({ ok: false, code });
}

describe('a webhook', () => {
  it('is accepted with id and time when one of the keys signed it', () => {
    expect(verifyWebhook(call())).toEqual({ ok: true, id: 'msg_1', timestamp: NOW });
    expect(verifyWebhook(call({ keys: SECRET.slice('whsec_'.length) }))).toMatchObject({ ok: true });
    expect(verifyWebhook(call({ keys: [OTHER, SECRET] }))).toMatchObject({ ok: true });
    expect(verifyWebhook(call({ body: new TextEncoder().encode(BODY) }))).toMatchObject({ ok: true });
  });

  it('is refused under another key, for another body, id or time', () => {
    refuses('WEBHOOK_SIGNATURE_INVALID', call({ keys: [OTHER] }));
    refuses('WEBHOOK_SIGNATURE_INVALID', call({ body: `${BODY} ` }));
    refuses('WEBHOOK_SIGNATURE_INVALID', call({}, { 'webhook-id': 'msg_2' }));
    refuses('WEBHOOK_SIGNATURE_INVALID', call({}, { 'webhook-timestamp': String(NOW + 1) }));
  });

  it('covers the raw bytes, whether they are JSON, text or nothing', () => {
    for (const body of ['', '{', '\u0000', '\u00e9', ' {"a":1}']) {
      const signature = v1(`msg_1.${NOW}.${body}`);
      expect(verifyWebhook(call({ body }, { 'webhook-signature': signature }))).toMatchObject({ ok: true });
    }
    const bytes = Uint8Array.of(0xff, 0xfe, 0x00);
    const mac = createHmac('sha256', SECRET_BYTES).update(`msg_1.${NOW}.`).update(bytes).digest('base64');
    expect(verifyWebhook(call({ body: bytes }, { 'webhook-signature': `v1,${mac}` }))).toMatchObject({
      ok: true,
    });
  });
});

describe('the headers of a webhook', () => {
  it('are found in any case', () => {
    const headers = {
      'Webhook-Id': 'msg_1',
      'WEBHOOK-TIMESTAMP': String(NOW),
      'webhook-Signature': v1(`msg_1.${NOW}.${BODY}`),
    };
    expect(verifyWebhook({ ...call(), headers })).toMatchObject({ ok: true });
    expect(verifyWebhook({ ...call(), headers: new Headers(headers) })).toMatchObject({ ok: true });
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('need %s exactly once', (name) => {
    refuses('WEBHOOK_HEADER_MISSING', call({}, { [name]: undefined }));
    const value = (call().headers as Record<string, string>)[name] ?? '';
    refuses('WEBHOOK_HEADER_REPEATED', call({}, { [name]: [value, value] }));
    refuses('WEBHOOK_HEADER_REPEATED', call({}, { [name.toUpperCase()]: value }));
    const pairs = [...Object.entries(call().headers as Record<string, string>), [name, value] as const];
    refuses('WEBHOOK_HEADER_REPEATED', call({ headers: pairs.map(([key, one]) => [key, one] as const) }));
  });

  it.each([
    ['empty', ''],
    ['with the dot that would let id and time change places', 'msg_1.2'],
    ['with a blank', 'msg 1'],
    ['with a control character', 'msg\u00001'],
    ['that is not ASCII', 'm\u00e9'],
    ['of 257 characters', 'm'.repeat(257)],
  ])('refuse an id %s, however well signed', (_, id) => {
    const signature = v1(`${id}.${NOW}.${BODY}`);
    refuses('WEBHOOK_ID_INVALID', call({}, { 'webhook-id': id, 'webhook-signature': signature }));
  });

  it('take an id of 1 and of 256 characters', () => {
    for (const id of ['!', '~', '-', '/', 'm'.repeat(256)]) {
      const signature = v1(`${id}.${NOW}.${BODY}`);
      const headers = { 'webhook-id': id, 'webhook-signature': signature };
      expect(verifyWebhook(call({}, headers))).toMatchObject({ ok: true, id });
    }
  });

  it.each([
    '',
    ' 1700000000',
    '1700000000 ',
    '1700000000abc',
    '1.7e9',
    '+1700000000',
    '-1',
    '0x6553f100',
    '1700000000.0',
    '\u0661',
    '0001700000000',
    'NaN',
  ])('refuse the timestamp %j, which parseInt or Number might read', (time) => {
    const signature = v1(`msg_1.${time}.${BODY}`);
    refuses(
      'WEBHOOK_TIMESTAMP_INVALID',
      call({}, { 'webhook-timestamp': time, 'webhook-signature': signature }),
    );
  });

  it('take a time up to 300 s away, border included, on both sides', () => {
    expect(verifyWebhook(call({ nowSeconds: NOW + 300 }))).toMatchObject({ ok: true });
    expect(verifyWebhook(call({ nowSeconds: NOW - 300 }))).toMatchObject({ ok: true });
    refuses('WEBHOOK_TIMESTAMP_TOO_OLD', call({ nowSeconds: NOW + 301 }));
    refuses('WEBHOOK_TIMESTAMP_TOO_NEW', call({ nowSeconds: NOW - 301 }));
    expect(verifyWebhook(call({ nowSeconds: NOW + 5, toleranceSeconds: 5 }))).toMatchObject({ ok: true });
    refuses('WEBHOOK_TIMESTAMP_TOO_OLD', call({ nowSeconds: NOW + 1, toleranceSeconds: 0 }));
  });

  it.each([NaN, Infinity])('are not judged by a clock that shows %d', (nowSeconds) => {
    refuses('WEBHOOK_CALL_INVALID', call({ nowSeconds }));
    refuses('WEBHOOK_CALL_INVALID', call({ toleranceSeconds: -1 }));
    refuses('WEBHOOK_CALL_INVALID', call({ toleranceSeconds: NaN }));
  });
});

describe('the signatures of a webhook', () => {
  const good = v1(`msg_1.${NOW}.${BODY}`);
  const bad = v1('something else');
  const signed = (signature: string): VerifyWebhook => call({}, { 'webhook-signature': signature });

  it.each([
    ['the second of two', `${bad} ${good}`],
    ['between blanks', `  ${good}  `],
    ['beside an unknown version', `v2,${good.slice(3)} ${good}`],
    ['the last of 16', `${`${bad} `.repeat(15)}${good}`],
  ])('may hold the good one as %s', (_, signature) => {
    expect(verifyWebhook(signed(signature))).toMatchObject({ ok: true });
  });

  it.each<[string, string, WebhookFault]>([
    ['nothing', '', 'WEBHOOK_SIGNATURE_MALFORMED'],
    ['blanks', '   ', 'WEBHOOK_SIGNATURE_MALFORMED'],
    ['17 elements', `${`${bad} `.repeat(16)}${good}`, 'WEBHOOK_SIGNATURE_MALFORMED'],
    ['more than 4,096 characters', `${good}${' '.repeat(4_096)}`, 'WEBHOOK_SIGNATURE_MALFORMED'],
    ['an unknown version', `v2,${good.slice(3)}`, 'WEBHOOK_SIGNATURE_INVALID'],
    ['no version', good.slice(3), 'WEBHOOK_SIGNATURE_INVALID'],
    ['the version in upper case', good.replace('v1', 'V1'), 'WEBHOOK_SIGNATURE_INVALID'],
    ['no padding', good.slice(0, -1), 'WEBHOOK_SIGNATURE_INVALID'],
    ['a tab for the blank', `${bad}\t${good}`, 'WEBHOOK_SIGNATURE_INVALID'],
    ['a comma too many', good.replace(',', ',,'), 'WEBHOOK_SIGNATURE_INVALID'],
    [
      'half a signature',
      `v1,${Buffer.from(good.slice(3), 'base64').subarray(0, 16).toString('base64')}`,
      'WEBHOOK_SIGNATURE_INVALID',
    ],
    ['an HMAC as v1a', good.replace('v1', 'v1a'), 'WEBHOOK_SIGNATURE_INVALID'],
  ])('with %s sign nothing', (_, signature, code) => {
    refuses(code, signed(signature));
  });

  it('are canonical base64: the same bytes have one text', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const last = alphabet.indexOf(good.at(-2) ?? '');
    const twin = `${good.slice(0, -2)}${alphabet.charAt(last ^ 1)}=`;
    expect(Buffer.from(twin.slice(3), 'base64')).toEqual(Buffer.from(good.slice(3), 'base64'));
    refuses('WEBHOOK_SIGNATURE_INVALID', signed(twin));
    // Signatures until one has both characters that the URL alphabet spells in another way.
    let urlSafe = '';
    let id = '';
    for (let i = 0; !/[+/]/.test(urlSafe); i++) {
      id = `msg_${i}`;
      urlSafe = v1(`${id}.${NOW}.${BODY}`);
    }
    const spelled = urlSafe.replaceAll('+', '-').replaceAll('/', '_');
    refuses('WEBHOOK_SIGNATURE_INVALID', call({}, { 'webhook-id': id, 'webhook-signature': spelled }));
  });

  it('by Ed25519 are accepted under the public key, as made by other software', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const signature = sign(null, Buffer.from(`msg_1.${NOW}.${BODY}`), privateKey).toString('base64');
    const keys = [`whpk_${raw.toString('base64')}`];
    const headers = { 'webhook-signature': `v1a,${signature}` };
    expect(verifyWebhook(call({ keys }, headers))).toMatchObject({ ok: true });
    refuses('WEBHOOK_SIGNATURE_INVALID', call({ keys, body: 'x' }, headers));
    refuses('WEBHOOK_SIGNATURE_INVALID', call({ keys }, { 'webhook-signature': `v1,${signature}` }));
  });

  it('never cross: the public key as an HMAC secret signs nothing (key confusion)', () => {
    const raw = Buffer.from(PUBLIC.slice('whpk_'.length), 'base64');
    const forged = v1(`msg_1.${NOW}.${BODY}`, raw);
    refuses('WEBHOOK_SIGNATURE_INVALID', call({ keys: [PUBLIC] }, { 'webhook-signature': forged }));
    refuses(
      'WEBHOOK_SIGNATURE_INVALID',
      call({ keys: [PUBLIC] }, { 'webhook-signature': forged.replace('v1', 'v1a') }),
    );
    const asymmetric = signWebhook({ key: PRIVATE, id: 'msg_1', timestamp: NOW, body: BODY });
    refuses('WEBHOOK_SIGNATURE_INVALID', call({ keys: [SECRET], headers: asymmetric }));
  });

  it('verify in the order that the caller gives none: with all keys of a rotation', () => {
    const both = signWebhook({ key: [OTHER, PRIVATE], id: 'msg_1', timestamp: NOW, body: BODY });
    for (const keys of [[OTHER], [PUBLIC], [SECRET, OTHER], [SECRET, PUBLIC]]) {
      expect(verifyWebhook(call({ keys, headers: both }))).toMatchObject({ ok: true });
    }
    refuses('WEBHOOK_SIGNATURE_INVALID', call({ keys: [SECRET], headers: both }));
  });
});

describe('the keys of a webhook', () => {
  const base64 = (length: number): string => Buffer.alloc(length, 1).toString('base64');

  it.each([24, 64])('may be secrets of %d bytes', (length) => {
    const signature = v1(`msg_1.${NOW}.${BODY}`, Buffer.alloc(length, 1));
    const headers = { 'webhook-signature': signature };
    expect(verifyWebhook(call({ keys: [`whsec_${base64(length)}`] }, headers))).toMatchObject({ ok: true });
  });

  it.each([
    ['none', []],
    ['an empty one', ['']],
    ['one of 23 bytes', [`whsec_${base64(23)}`]],
    ['one of 65 bytes', [`whsec_${base64(65)}`]],
    ['one in the URL alphabet', [`whsec_${'-'.repeat(44)}`]],
    ['one with a blank', [` ${SECRET}`]],
    ['a public key of 31 bytes', [`whpk_${base64(31)}`]],
    ['a private key to verify with', [PRIVATE]],
    ['a good one beside one that is none', [SECRET, 'whsec_short']],
    ['17', Array.from({ length: 17 }, () => SECRET)],
  ])('that are %s verify nothing', (_, keys) => {
    refuses('WEBHOOK_KEY_INVALID', call({ keys }));
  });

  it('that sign are refused when they are none, and are not told', () => {
    for (const key of ['', 'whsec_x', PUBLIC, `whsk_${base64(64)}`, []]) {
      const act = (): unknown => signWebhook({ key, id: 'a', timestamp: NOW, body: '' });
      expect(act).toThrow(expect.objectContaining({ code: 'APPROVAL_WEBHOOK_INVALID' }) as Error);
      expect(act).not.toThrow(base64(64));
    }
    for (const fields of [
      { id: 'a.b' },
      { id: '' },
      { timestamp: 1.5 },
      { timestamp: -1 },
      { timestamp: NaN },
    ]) {
      const given = { key: SECRET, id: 'a', timestamp: NOW, body: '', ...fields };
      expect(() => signWebhook(given)).toThrow();
    }
  });
});

describe('verifying', () => {
  it('never throws, whatever it is given', () => {
    const anything = fc.anything();
    fc.assert(
      fc.property(anything, anything, anything, anything, (keys, headers, body, nowSeconds) => {
        const given = { keys, headers, body, nowSeconds } as unknown as VerifyWebhook;
        expect(verifyWebhook(given).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('accepts what is signed, and no other byte of it', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[!-\-/-~]{1,40}$/),
        fc.uint8Array({ maxLength: 200 }),
        fc.boolean(),
        fc.nat(),
        (id, body, asymmetric, at) => {
          const [key, keys] = asymmetric ? [PRIVATE, [PUBLIC]] : [SECRET, [SECRET]];
          const headers = signWebhook({ key, id, timestamp: NOW, body });
          expect(verifyWebhook({ keys, headers, body, nowSeconds: NOW })).toMatchObject({ ok: true, id });
          const other = Buffer.concat([body, Buffer.of(0)]);
          if (body.length > 0) other[at % body.length] = (other[at % body.length] ?? 0) ^ 1;
          const changed = body.length > 0 ? other.subarray(0, body.length) : other;
          expect(verifyWebhook({ keys, headers, body: changed, nowSeconds: NOW }).ok).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives the same verdict by the functions of a platform', () => {
    let asked = 0;
    const crypto = {
      hmacSha256: (secret: Uint8Array, message: Uint8Array) =>
        new Uint8Array(createHmac('sha256', secret).update(message).digest()),
      verifyEd25519: () => false,
      equal: (one: Uint8Array, other: Uint8Array) => (asked++, Buffer.compare(one, other) === 0),
    };
    expect(verifyWebhook(call({ crypto }))).toMatchObject({ ok: true });
    expect(verifyWebhook(call({ crypto, body: randomBytes(8) })).ok).toBe(false);
    expect(asked).toBe(2);
  });
});
