import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import { describeQuorum, parsePolicy, policyOfWitnesses, quorumMet, type TlogPolicy } from './tlog-policy.js';
import { formatVkey, parseVkey, type KeyType } from './vkey.js';

const vkeyOf = (name: string, seed: number, type: KeyType): string =>
  formatVkey(
    name,
    type,
    type === 6 ? new Uint8Array(1312).fill(seed) : ed25519.getPublicKey(new Uint8Array(32).fill(seed)),
  );
const LOG = vkeyOf('log.example', 100, 1);
/** Witness i. */
const witness = (i: number): string => vkeyOf(`w${i}.example`, i, 4);

/** The example of the specification, with keys. */
const TWO_LEVELS = `log ${LOG}

witness X1 ${witness(1)}
witness X2 ${witness(2)}
witness X3 ${witness(3)}
group X-witnesses 2 X1 X2 X3

witness Y1 ${witness(4)}
witness Y2 ${witness(5)}
witness Y3 ${witness(6)}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

const met = (policy: TlogPolicy, ...ids: readonly number[]): boolean =>
  quorumMet(policy, ids.map(witness).map(parseVkey));

function refusalOf(text: string): { line: unknown; message: string } {
  try {
    parsePolicy(text);
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'AUDIT_POLICY_INVALID') throw error;
    return { line: error.details?.['line'], message: error.message };
  }
  throw new Error('the policy was accepted');
}

describe('a policy', () => {
  it('is read with groups of groups', () => {
    const policy = parsePolicy(TWO_LEVELS);
    expect(policy.logs.map(({ vkey, url }) => [vkey, url])).toEqual([[LOG, null]]);
    expect(policy.witnesses.map(({ name }) => name)).toEqual(['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3']);
    expect(policy.groups).toEqual([
      { name: 'X-witnesses', threshold: 2, members: ['X1', 'X2', 'X3'] },
      { name: 'Y-witnesses', threshold: 1, members: ['Y1', 'Y2', 'Y3'] },
      { name: 'X-and-Y', threshold: 2, members: ['X-witnesses', 'Y-witnesses'] },
    ]);
    expect(policy.quorum).toBe('X-and-Y');
    expect(describeQuorum(policy)).toBe('2 of (2 of X1, X2, X3), (1 of Y1, Y2, Y3)');
  });
  it('allows tabs, spaces around, comments, addresses, and names of other letters', () => {
    const policy = parsePolicy(
      `# x\n \t # y\n\t\n  log\t${LOG}  https://log.example/ \nwitness K ${witness(1)} https://k.example\n` +
        `witness \u212a ${witness(2)}\nquorum \u212a\n`,
    );
    expect(policy.logs[0]?.url).toBe('https://log.example/');
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([
      ['K', 'https://k.example'],
      ['\u212a', null],
    ]);
    expect([met(policy, 1), met(policy, 2)]).toEqual([false, true]);
  });
  it('may stand without logs, and without a quorum when it says so', () => {
    const policy = parsePolicy('quorum none\n');
    expect(policy).toEqual({ logs: [], witnesses: [], groups: [], quorum: null });
    expect([met(policy), describeQuorum(policy)]).toEqual([true, 'none']);
  });
  it('may name its quorum before other definitions', () => {
    expect(met(parsePolicy(`witness a ${witness(1)}\nquorum a\nwitness b ${witness(2)}\n`), 1)).toBe(true);
  });

  it.each([
    ['', null, 'no quorum line'],
    ['quorum none', 1, 'newline'],
    [`witness a ${witness(1)}\nquorum a`, 2, 'newline'],
    [`witness a ${witness(1)}\n`, null, 'no quorum line'],
    ['quorum none\nquorum none\n', 2, 'second quorum'],
    ['quorum\n', 1, 'a quorum line is'],
    ['quorum none none\n', 1, 'a quorum line is'],
    ['quorum a\n', 1, '"a" is not defined above'],
    [`quorum a\nwitness a ${witness(1)}\n`, 1, 'not defined above'],
    ['Quorum none\n', 1, 'begins with none of'],
    ['quorum\u00a0none\n', 1, 'begins with none of'],
    ['quorum none\r\n', 1, 'control character'],
    ['# \u007f\nquorum none\n', 1, 'control character'],
    ['# \u0000\nquorum none\n', 1, 'control character'],
    ['log\nquorum none\n', 1, 'a log line is'],
    [`log ${LOG} url more\n`, 1, 'a log line is'],
    [`log ${witness(1)}\n`, 1, 'not of type 1'],
    [`log ${LOG}x\n`, 1, 'invalid vkey'],
    [`log ${LOG}\nlog ${LOG}\n`, 2, 'public key stands in another line'],
    [`witness a\n`, 1, 'a witness line is'],
    [`witness a ${witness(1)} url more\n`, 1, 'a witness line is'],
    [`witness a ${LOG}\n`, 1, "is a log's"],
    [`witness none ${witness(1)}\n`, 1, 'a meaning of its own'],
    [`witness a ${witness(1)}\nwitness a ${witness(2)}\n`, 2, 'defined twice'],
    [`witness a ${witness(1)}\nwitness b ${witness(1)}\n`, 2, 'public key'],
    [`witness a ${witness(1)}\nwitness b ${vkeyOf('other.example', 1, 4)}\n`, 2, 'public key'],
    [`log ${vkeyOf('log.example', 1, 1)}\nwitness a ${witness(1)}\n`, 2, 'public key'],
    ['group g all\n', 1, 'a group line is'],
    ['group g\n', 1, 'a group line is'],
    ['group g any a\n', 1, '"a" is not defined above'],
    ['group g any g\n', 1, '"g" is not defined above'],
    ['group g any none\n', 1, '"none" is not defined above'],
    [`witness a ${witness(1)}\ngroup none any a\n`, 2, 'a meaning of its own'],
    [`witness a ${witness(1)}\ngroup a any a\n`, 2, 'defined twice'],
    [`witness a ${witness(1)}\ngroup g any a a\n`, 2, '"a" is a member already'],
    [`witness a ${witness(1)}\ngroup g any a\ngroup h any a\n`, 3, '"a" is a member already'],
    ...['0', '2', '-1', '1.0', '01', '+1', 'ALL', '1e0', '99999'].map((k): [string, number, string] => [
      `witness a ${witness(1)}\ngroup g ${k} a\n`,
      2,
      'the threshold',
    ]),
  ])('%j is refused at line %s: %s', (text, line, says) => {
    const refusal = refusalOf(text);
    expect(refusal.message).toContain(says);
    expect(refusal.line).toBe(line ?? undefined);
    if (line !== null) expect(refusal.message).toContain(`line ${line}`);
  });
  it('is refused when it is too long or holds too much', () => {
    const long = `#${'x'.repeat(65_536 - 14)}\nquorum none\n`;
    expect(new TextEncoder().encode(long)).toHaveLength(65_536);
    expect(parsePolicy(long).quorum).toBeNull();
    expect(refusalOf(`#${long}`).message).toContain('longer than 65536');
    const many = (n: number): string =>
      Array.from({ length: n }, (_, i) => `witness w${i} ${witness(i + 1)}\n`).join('') + 'quorum none\n';
    expect(parsePolicy(many(100)).witnesses).toHaveLength(100);
    expect(refusalOf(many(101))).toMatchObject({ line: 101 });
  });
  it('that is cut or changed anywhere is read or refused, nothing else', () => {
    fc.assert(
      fc.property(fc.nat(TWO_LEVELS.length - 1), fc.string(), fc.nat(3), (at, insert, cut) => {
        const text = TWO_LEVELS.slice(0, at) + insert + TWO_LEVELS.slice(at + cut);
        try {
          parsePolicy(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'AUDIT_POLICY_INVALID' });
        }
      }),
    );
  });
});

describe('a quorum', () => {
  it('needs what its groups need, at the border', () => {
    const policy = parsePolicy(TWO_LEVELS);
    expect(met(policy, 1, 2, 4)).toBe(true);
    expect(met(policy, 1, 2, 3, 4, 5, 6)).toBe(true);
    expect(met(policy, 1, 2, 3)).toBe(false);
    expect(met(policy, 1, 4, 5, 6)).toBe(false);
    expect(met(policy)).toBe(false);
  });
  it('counts a witness once, and strangers never', () => {
    const policy = parsePolicy(TWO_LEVELS);
    expect(met(policy, 1, 1, 4)).toBe(false);
    expect(met(policy, 1, 4, 7, 8)).toBe(false);
  });
  it('counts the very key: not another key of its name, not the same key of another name or type', () => {
    const policy = parsePolicy(`witness a ${witness(1)}\nquorum a\n`);
    for (const other of [vkeyOf('w1.example', 9, 4), vkeyOf('x.example', 1, 4), vkeyOf('w1.example', 1, 1)]) {
      expect(quorumMet(policy, [parseVkey(other)])).toBe(false);
    }
  });
  it('is never met by a key of type 6', () => {
    const vkey = vkeyOf('pq.example', 1, 6);
    const policy = parsePolicy(`witness a ${vkey}\nquorum a\n`);
    expect(quorumMet(policy, [parseVkey(vkey)])).toBe(false);
  });
  it('of k of n is met by exactly k', () => {
    for (let n = 1; n <= 5; n++) {
      const vkeys = Array.from({ length: n }, (_, i) => witness(i + 1));
      for (let k = 1; k <= n; k++) {
        const policy = policyOfWitnesses(vkeys, k);
        const ids = Array.from({ length: k }, (_, i) => n - i);
        expect([met(policy, ...ids), met(policy, ...ids.slice(1))]).toEqual([true, false]);
      }
    }
    expect(met(policyOfWitnesses([witness(1), witness(2)]), 1)).toBe(false);
    expect(describeQuorum(policyOfWitnesses([witness(1)]))).toContain('w1.example+');
  });
  it.each([0, 3, -1, 1.5, Number.NaN])('of %d of two witnesses is refused', (k) => {
    expect(() => policyOfWitnesses([witness(1), witness(2)], k)).toThrow("can't be met");
  });
  it('of the same witness twice, of a log key or of nobody is refused', () => {
    expect(() => policyOfWitnesses([witness(1), witness(1)])).toThrow('given twice');
    expect(() => policyOfWitnesses([LOG])).toThrow('log key');
    expect(() => policyOfWitnesses([])).toThrow("can't be met");
  });
});
