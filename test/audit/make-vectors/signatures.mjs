// Ed25519 signatures.
import { hex } from '../../../audit/verify.mjs';
import { LOG } from './log.mjs';
import { single } from './vector-file.mjs';

export function signatures() {
  const { test, write } = single(
    'signatures',
    'Ed25519: what counts as a signature, and encodings that do not',
  );
  const message = Buffer.from('message');
  const good = LOG.sign('message');
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const number = (bytes) => BigInt(`0x${hex(Buffer.from(bytes).reverse())}`);
  const bytesOf = (value) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
  const P = 2n ** 255n - 19n;
  const check = (name, isOk, signature, key = LOG.publicKey) =>
    test(name, { key, message, signature }, { ok: isOk });
  const [r, s] = [good.subarray(0, 32), good.subarray(32)];
  check('a good signature', true, good);
  check('a signature of another message', false, LOG.sign('else'));
  check('S and the group order', false, Buffer.concat([r, bytesOf(number(s) + L)]));
  check('S of 0', false, Buffer.concat([r, Buffer.alloc(32)]));
  check('63 bytes', false, good.subarray(1));
  check('65 bytes', false, Buffer.concat([good, Buffer.of(0)]));
  check('R with its sign turned', false, Buffer.concat([bytesOf(number(r) ^ (1n << 255n)), s]));
  check('a key with its sign turned', false, good, bytesOf(number(LOG.publicKey) ^ (1n << 255n)));
  const Y8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n;
  const zero = Buffer.alloc(32);
  for (const y of [0n, 1n, P - 1n, Y8, P - Y8])
    for (const sign of [0n, 1n << 255n])
      for (const [what, point] of [
        ['the neutral point', 1n],
        ['the key itself', y | sign],
      ])
        check(
          `a key of small order, y ${y}, sign ${sign === 0n ? 0 : 1}, with ${what} as R and S 0`,
          false,
          Buffer.concat([bytesOf(point), zero]),
          bytesOf(y | sign),
        );
  for (const y of [P, P + 1n, 2n ** 255n - 1n])
    check(`a key that encodes ${y - P} as ${y}`, false, Buffer.concat([bytesOf(1n), zero]), bytesOf(y));
  check('R in another encoding', false, Buffer.concat([bytesOf(P + 1n), zero]), bytesOf(1n));
  // Keys with a component of order 8: whether [S]B = R + [k]A holds depends on k, eight times it always holds.
  check(
    'a key of mixed order whose equation holds',
    true,
    Buffer.from(
      'HYTAnJFbHjVfQTCzlQ9nVCcLN2lvNvG2yl1Km0z0iGDDDXvbuPdtKFDZ4NTMsxMSf1fwUxBlPyW2WNaPAeiGAQ==',
      'base64',
    ),
    Buffer.from('sVvyZCTRtp3TO3qeV9td5KKq3qSioFHv2b/Wr3QWXSs=', 'base64'),
  );
  check(
    'a key of mixed order whose equation holds only with the cofactor',
    false,
    Buffer.from(
      'sxZ+G4vUq32YWPgfPKrPYPD21JNPkb5Syk6nKIXfTY3+dG52h385nvr3dRu622pHbMLErLVPjjMmK/v8a6kZCQ==',
      'base64',
    ),
    Buffer.from('sVvyZCTRtp3TO3qeV9td5KKq3qSioFHv2b/Wr3QWXSs=', 'base64'),
  );
  check('a key that is no point', false, good, bytesOf(2n));
  write();
}
