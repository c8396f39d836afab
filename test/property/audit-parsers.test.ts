// The readers of everything a stranger may hand over: notes, checkpoints, keys, paths, policies, proofs, entries,
// payload lines. On any mutation of a good input they say WritError, or read exactly what is there: writing the value
// again gives the same text, so nothing was skipped, repaired or taken for something else.
import fc from 'fast-check';
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../src/audit/base64.js';
import {
  canonicalize,
  checkpointPath,
  cosignatureLine,
  decodeBundle,
  decodeTile,
  encodeBundle,
  encodeTile,
  formatAddCheckpoint,
  formatCheckpoint,
  formatVkey,
  leafHash,
  nodeHash,
  openNote,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseTilePath,
  parseVkey,
  readAddCheckpoint,
  signCheckpoint,
  tilePath,
  type TileLevel,
} from '../../src/audit/index.js';
import { buildEntry, readEntry } from '../../src/audit/entry.js';
import { parseJson } from '../../src/audit/json-reader.js';
import { formatPayloadLine, parsePayloadLine } from '../../src/audit/payload-line.js';
import { parseCheckpointPath } from '../../src/audit/tile-path.js';
import { formatProof, parseProof, verifyProof } from '../../src/audit/tlog-proof.js';
import { WritError } from '../../src/errors.js';
import { fastVerify, testSigner } from '../audit/log-fixture.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
const RUNS = { numRuns: 1500 };

const signer = testSigner();
const origin = parseVkey(signer.vkey).name;
const witness = (seed: number) => {
  const secret = new Uint8Array(32).fill(seed);
  const vkey = formatVkey(`witness${seed}.example`, 4, ed25519.getPublicKey(secret));
  return { vkey, key: parseVkey(vkey), sign: (message: Uint8Array) => ed25519.sign(message, secret) };
};
const [w1, w2] = [witness(21), witness(22)];

const ENTRY = buildEntry(
  {
    type: 'step.intended',
    run: 'run-1',
    tenant: 'default',
    actor: { id: 'user:alice', via: 'cli' },
    workflow: { id: 'claims', hash: 'ab'.repeat(32) as never },
    policy: null,
    data: {
      stepPath: 'a/b',
      attempt: 1,
      amount: -1.5,
      text: 'é\u2028😀"\\\n',
      list: [true, null, { a: [] }],
    },
    commit: { input: 'cd'.repeat(32) as never },
  },
  { seq: 3, prev: new Uint8Array(32).fill(9), timeMs: Date.UTC(2026, 2, 1) },
);
const sibling = leafHash(utf8('other'));
const checkpointText = formatCheckpoint(origin, 2n, nodeHash(sibling, leafHash(ENTRY)));
const signed = signCheckpoint(signer.vkey, 2n, nodeHash(sibling, leafHash(ENTRY)), signer.sign);
const cosigned =
  signed +
  cosignatureLine(checkpointText, w1.key, 1_700_000_000n, w1.sign) +
  cosignatureLine(checkpointText, w2.key, 1_700_000_001n, w2.sign);
const PROOF = formatProof({ index: 1n, hashes: [sibling], checkpoint: cosigned, extra: utf8('x') });
const POLICY =
  `# a comment\nlog ${signer.vkey} https://log.example/\n\nwitness one ${w1.vkey}\n` +
  `witness two ${w2.vkey} https://w2.example/\ngroup both any one two\nquorum both\n`;

/** Pieces that readers of lines, numbers, base64 and JSON are most likely to trip over. */
const SPICE = [
  '\n',
  '\n\n',
  ' ',
  '\t',
  '\r\n',
  '\0',
  '\ufeff',
  '\u2028',
  '\u2014 ',
  '+',
  '/',
  '=',
  '==',
  '0',
  '-',
  '00',
]
  .concat([
    '"',
    '\\',
    '\\u0000',
    '\\ud800',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    'null',
    '1e400',
    '9007199254740993',
    '1.0',
  ])
  .concat([
    '..',
    'x000/',
    '.p/256',
    '__proto__',
    'A',
    'a',
    '\u00e9',
    'e\u0301',
    '\u0130',
    '18446744073709551616',
  ]);
const spice = fc.constantFrom(...SPICE).map(utf8);
const junk = fc.oneof(spice, fc.uint8Array({ minLength: 1, maxLength: 6 }));

/** One change: a bit, a cut, something put in, a part doubled, two parts swapped, one byte replaced. */
const change = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'insert', 'double', 'swap', 'replace', 'truncate'),
  at: fc.nat(),
  length: fc.integer({ min: 1, max: 90 }),
  junk,
});

function mutate(
  bytes: Uint8Array,
  changes: readonly (typeof change extends fc.Arbitrary<infer C> ? C : never)[],
) {
  let now = bytes;
  for (const { kind, at, length, junk: put } of changes) {
    const i = now.length === 0 ? 0 : at % (now.length + 1);
    const end = Math.min(now.length, i + length);
    const [before, part, after] = [now.subarray(0, i), now.subarray(i, end), now.subarray(end)];
    if (kind === 'flip') {
      now = now.slice();
      if (i < now.length) now[i] = (now[i] ?? 0) ^ (1 << (length % 8));
    } else if (kind === 'cut') now = Uint8Array.of(...before, ...after);
    else if (kind === 'insert') now = Uint8Array.of(...before, ...put, ...now.subarray(i));
    else if (kind === 'double') now = Uint8Array.of(...before, ...part, ...part, ...after);
    else if (kind === 'swap') now = Uint8Array.of(...part, ...before, ...after);
    else if (kind === 'replace') now = Uint8Array.of(...before, ...put, ...now.subarray(i + put.length));
    else now = now.slice(0, i);
  }
  return now;
}
const mutations = (good: Uint8Array | string): fc.Arbitrary<Uint8Array> =>
  fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => mutate(typeof good === 'string' ? utf8(good) : good, changes));

/** What `read` gives, or null when it refuses; any other error than WritError fails the test. */
function attempt<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof WritError) return null;
    throw error;
  }
}

/** Every mutation is refused, or `check` agrees with what was read. The good input itself must be read. */
function judge<Value>(
  good: Uint8Array | string,
  read: (bytes: Uint8Array) => Value | null,
  check: (value: Value, bytes: Uint8Array) => void,
): void {
  const bytes = typeof good === 'string' ? utf8(good) : good;
  const value = attempt(() => read(bytes));
  if (value === null) throw new Error('the good input is refused');
  check(value, bytes);
  fc.assert(
    fc.property(mutations(good), (mutated) => {
      const found = attempt(() => read(mutated));
      if (found !== null) check(found, mutated);
    }),
    RUNS,
  );
  // Any text, and any bytes, that have nothing to do with it.
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary' }).map(utf8)),
      (any) => {
        const found = attempt(() => read(any));
        if (found !== null) check(found, any);
      },
    ),
    { numRuns: 300 },
  );
}

describe('a mutated signed note', () => {
  it('is refused, or opens to exactly the text that was signed', () => {
    judge(
      cosigned,
      (note) => openNote(note, [signer.vkey]),
      (opened) => expect(opened.text).toBe(checkpointText),
    );
  });
  it('never gives a witness that did not sign this text', () => {
    judge(
      cosigned,
      (note) => openNote(note, [signer.vkey, w1.vkey, w2.vkey]),
      ({ text: opened, verified }) => {
        expect(opened).toBe(checkpointText);
        expect(verified.map(({ name }) => name).filter((name) => name !== origin).length).toBeLessThanOrEqual(
          2,
        );
      },
    );
  });
  it('is read as what is written in it: text, empty line, signature lines', () => {
    judge(cosigned, parseNote, ({ text: signedText, signatures }, bytes) => {
      const lines = signatures.map(({ name, keyId, signature }) => {
        const blob = Buffer.concat([Buffer.from(keyId, 'hex'), signature]);
        return `\u2014 ${name} ${blob.toString('base64')}\n`;
      });
      expect(`${signedText}\n${lines.join('')}`).toBe(text(bytes));
    });
  });
});

describe('mutated text with one spelling', () => {
  it('of a checkpoint is refused or means what it says', () => {
    judge(
      `${checkpointText}extension line\n`,
      (bytes) => parseCheckpoint(text(bytes)),
      ({ origin: name, size, root, extensions }, bytes) => {
        const lines = extensions.map((line) => `${line}\n`).join('');
        expect(formatCheckpoint(name, size, root) + lines).toBe(text(bytes));
        expect(size).toBeLessThan(2n ** 63n);
      },
    );
  });
  it('of a vkey is refused or is the vkey of what was read', () => {
    for (const vkey of [signer.vkey, w1.vkey]) {
      judge(
        vkey,
        (bytes) => parseVkey(text(bytes)),
        ({ name, type, publicKey }, bytes) => expect(formatVkey(name, type, publicKey)).toBe(text(bytes)),
      );
    }
  });
  it('of a tile path is refused or names that tile', () => {
    for (const path of ['tile/0/x001/x234/067.p/255', 'tile/entries/000', 'tile/63/x999/999']) {
      judge(
        path,
        (bytes) => parseTilePath(text(bytes)),
        (tile, bytes) => expect(tilePath(tile)).toBe(text(bytes)),
      );
    }
    const level = fc.oneof(fc.nat(70), fc.constant<TileLevel>('entries'));
    fc.assert(
      fc.property(level, fc.bigInt(0n, 2n ** 55n - 1n), fc.integer({ min: 1, max: 256 }), (l, n, width) => {
        const tile = { level: l, n, width };
        expect(parseTilePath(tilePath(tile))).toEqual(l !== 'entries' && l > 63 ? null : tile);
      }),
    );
  });
  it('of the name of a checkpoint is refused or names that size', () => {
    judge(
      'checkpoints/00000000000000012345',
      (bytes) => parseCheckpointPath(text(bytes)),
      (size, bytes) => expect(checkpointPath(size)).toBe(text(bytes)),
    );
  });
  it('of base64 is refused or encodes what was read', () => {
    judge(
      encodeBase64(new Uint8Array(32).fill(251)),
      (bytes) => decodeBase64(text(bytes)),
      (value, bytes) => expect(encodeBase64(value)).toBe(text(bytes)),
    );
  });
});

describe('a mutated policy', () => {
  const meaning = (bytes: Uint8Array): string => {
    // Comments, empty lines and spaces between words are all that may differ.
    const lines = text(bytes)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    return lines
      .map((line) =>
        line
          .trim()
          .split(/[ \t]+/)
          .join(' '),
      )
      .filter((line) => line !== '')
      .join('\n');
  };
  it('is refused, or has only the keys, members and quorum that its lines name', () => {
    judge(
      POLICY,
      (bytes) => parsePolicy(text(bytes)),
      ({ logs, witnesses, groups, quorum }, bytes) => {
        const words = new Set(meaning(bytes).split(/[ \n]/));
        for (const { vkey } of [...logs, ...witnesses]) expect(words).toContain(vkey);
        for (const { vkey, key } of [...logs, ...witnesses])
          expect(formatVkey(key.name, key.type, key.publicKey)).toBe(vkey);
        const names = [...witnesses.map(({ name }) => name), ...groups.map(({ name }) => name)];
        expect(new Set(names).size).toBe(names.length);
        for (const { members, threshold } of groups) {
          expect(threshold).toBeGreaterThanOrEqual(1);
          expect(threshold).toBeLessThanOrEqual(members.length);
          for (const member of members) expect(names).toContain(member);
        }
        if (quorum !== null) expect(names).toContain(quorum);
        const said = text(bytes).match(/^[ \t]*quorum[ \t]/gmu) ?? [];
        expect(said).toHaveLength(1);
      },
    );
  });
});

describe('a mutated proof', () => {
  it('is refused or is what its file says', () => {
    judge(PROOF, parseProof, (proof, bytes) => expect(formatProof(proof)).toBe(text(bytes)));
  });
  it('never verifies another index, checkpoint or entry than the ones it was made for', () => {
    const options = { vkeys: [signer.vkey], verifySignature: fastVerify };
    expect(verifyProof(PROOF, ENTRY, options)).toMatchObject({ verdict: 'verified', index: '1', size: '2' });
    fc.assert(
      fc.property(mutations(PROOF), (mutated) => {
        const report = verifyProof(mutated, ENTRY, options);
        if (report.ok) expect(report).toMatchObject({ verdict: 'verified', index: '1', size: '2', origin });
      }),
      { numRuns: 600 },
    );
    fc.assert(
      fc.property(mutations(ENTRY), (entry) => {
        const isSame = Buffer.compare(entry, ENTRY) === 0;
        expect(verifyProof(PROOF, entry, options).ok).toBe(isSame);
      }),
      { numRuns: 600 },
    );
  });
  it('sent to a witness is refused or is the checkpoint that was signed', () => {
    const keys = [parseVkey(signer.vkey)];
    judge(
      formatAddCheckpoint(1n, [sibling], cosigned),
      (body) => {
        const read = readAddCheckpoint(body, keys, fastVerify);
        return 'status' in read ? null : read;
      },
      (read) => expect(read.text).toBe(checkpointText),
    );
  });
});

describe('a mutated JSON value', () => {
  it('as an entry is refused or is canonical to the byte', () => {
    judge(
      ENTRY,
      (bytes) => {
        const entry = readEntry(bytes);
        return 'fault' in entry ? null : entry;
      },
      ({ time: _, timeMs, seq, prev, ...fields }, bytes) => {
        const place = { seq, prev: prev === null ? null : Buffer.from(prev, 'hex'), timeMs };
        expect(Buffer.compare(buildEntry(fields, place), bytes)).toBe(0);
      },
    );
  });
  it('is refused or is the value that JSON.parse sees, with nothing said twice', () => {
    judge(ENTRY, parseJson, (value, bytes) => {
      expect(canonicalize(value)).toBe(canonicalize(JSON.parse(text(bytes)) as never));
    });
  });
  it('as a payload line is refused or is canonical to the byte', () => {
    const line = formatPayloadLine({
      commitment: 'ab'.repeat(32) as never,
      label: 'input',
      mediaType: 'application/json',
      run: 'run-1',
      salt: new Uint8Array(32).fill(7),
      bytes: utf8('{"amount":7}'),
    });
    judge(line.subarray(0, -1), parsePayloadLine, (read, bytes) => {
      expect(Buffer.compare(formatPayloadLine(read).subarray(0, -1), bytes)).toBe(0);
    });
  });
});

describe('mutated tiles', () => {
  it('and bundles are refused or hold exactly their bytes', () => {
    const hashes = [sibling, leafHash(ENTRY), sibling];
    judge(
      encodeTile(hashes),
      (bytes) => decodeTile(bytes, 3),
      (read, bytes) => expect(encodeTile(read)).toEqual(bytes),
    );
    judge(
      encodeBundle([ENTRY, new Uint8Array(), utf8('x')]),
      (bytes) => decodeBundle(bytes, 3),
      (read, bytes) => expect(encodeBundle(read)).toEqual(bytes),
    );
  });
});
