// Evidence bundles judged as their reader judges them: whole ones hold under the right key and under no other; every
// change, omission and lie has its word.
import { describe, expect, it } from 'vitest';
import { verifyClaimedDecision } from '../../src/approval/claimed-decision.js';
import { verifyClaimedTaskAnswer } from '../../src/approval/claimed-task-answer.js';
import { digestOfSubjectBytes } from '../../src/approval/subject.js';
import { decodeEvidence, encodeEvidence, type Evidence } from '../../src/audit/evidence/format.js';
import { storyOf } from '../../src/audit/evidence/timeline.js';
import { certificateText } from '../../src/audit/evidence/certificate.js';
import type { EvidenceReport } from '../../src/audit/evidence/report.js';
import { verifyEvidence, type EvidenceOptions } from '../../src/audit/evidence/verify.js';
import { canonicalJson } from '../../src/canonical-json.js';
import type { Json } from '../../src/json.js';
import { APPROVER_KEY, bundleOf, evidenceLog, evidenceOf, RUN } from './evidence-fixture.js';
import { fastVerify, logOfSizes, testSigner } from './log-fixture.js';

const log = await evidenceLog();
const OUTSIDE: EvidenceOptions = {
  vkeys: [log.vkey],
  verifyDecision: verifyClaimedDecision,
  verifyAnswer: verifyClaimedTaskAnswer,
  subjectDigest: digestOfSubjectBytes,
  verifySignature: fastVerify,
};

function judge(bytes: Uint8Array, options: EvidenceOptions = OUTSIDE): EvidenceReport {
  return verifyEvidence(bytes, options).report;
}

/** The verdict on a bundle of the log with something changed before it is written anew. */
function verdictOf(change: (evidence: Evidence) => Partial<Evidence>): string {
  const evidence = evidenceOf(log, { first: true });
  return judge(encodeEvidence({ ...evidence, ...change(evidence) })).verdict;
}

describe('a whole bundle', () => {
  it('is verified under the pinned key, with payloads, an older checkpoint and an erasure', () => {
    const report = judge(bundleOf(log, { first: true }));
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ verdict: 'verified', ok: true, run: RUN, origin: 'log.example/test' });
    expect(report.payloads).toEqual({ disclosed: log.payloads.length, erased: 1, withheld: 0 });
    expect(report.erased.map(({ commitment }) => commitment)).toEqual([log.erased]);
    expect(report.completeness).toMatchObject({ state: 'closed', entries: 18 });
  });

  it('is unpinned without a key from outside, whatever it says of itself', () => {
    const { vkeys: _, ...noKey } = OUTSIDE;
    const report = judge(bundleOf(log), noKey);
    expect(report.verdict).toBe('unpinned');
    expect(report.findings[0]?.message).toContain('anyone could have made it');
  });

  it('is refused under the key of another log, and of the same name', () => {
    const pin = (vkey: string): string => judge(bundleOf(log), { ...OUTSIDE, vkeys: [vkey] }).verdict;
    expect(pin(testSigner('log.example/other').vkey)).toBe('bad-signature');
    expect(pin(testSigner('log.example/test', 8).vkey)).toBe('bad-signature');
  });

  it('takes the key from a policy, and asks for its quorum', () => {
    const policy = (lines: string): string =>
      judge(bundleOf(log), { policy: `log ${log.vkey}\n${lines}` }).verdict;
    const witness = 'witness.example/w+a3e00fe2+BNxAB3wkGBjFiZpsaeW4hSYzQzVqqtSZIuGqiUEBb+2O';
    expect(policy('quorum none\n')).toBe('verified');
    expect(() => policy(`witness w ${witness}\nquorum w\n`)).toThrow(/policy/);
  });

  it('is the same bytes for the same content, and reads back as what was written', () => {
    const evidence = evidenceOf(log, { first: true, custodian: 'Maria Ruiz' });
    const bytes = encodeEvidence(evidence);
    expect(encodeEvidence(evidence)).toEqual(bytes);
    expect(decodeEvidence(bytes)).toMatchObject({ evidence, fault: null });
  });

  it('without payloads counts them as withheld, not as erased', () => {
    const report = judge(bundleOf(log, { payloads: 'none' }));
    expect(report.verdict).toBe('verified');
    expect(report.payloads).toEqual({ disclosed: 0, erased: 1, withheld: log.payloads.length });
  });

  it('compares what the reader kept of the log where the bundle shows that size, and says so where it does not', async () => {
    const bytes = bundleOf(log, { first: true });
    expect(judge(bytes, { ...OUTSIDE, old: [log.early, log.note] }).warnings.join()).not.toContain(
      'not compared',
    );
    const { report } = verifyEvidence(bundleOf(log), { ...OUTSIDE, old: [log.early] });
    expect(report.ok).toBe(true);
    expect(report.warnings.join()).toContain('not compared');
    // The same key, another log: the rewritten one that a stolen key can make.
    const other = await logOfSizes(3);
    expect(judge(bytes, { ...OUTSIDE, old: [other.directory.text('checkpoint')] }).verdict).toBe('fork');
  });
});

describe('completeness', () => {
  it('of a run without an end is shown up to its last entry, and no further', async () => {
    const open = await evidenceLog({ finished: false });
    const report = judge(bundleOf(open), { ...OUTSIDE, vkeys: [open.vkey] });
    expect(report.verdict).toBe('verified');
    expect(report.completeness?.state).toBe('open');
    expect(report.warnings.join()).toContain('has no end in this bundle');
  });

  it('is not claimed when the last entries are left out', () => {
    const report = judge(bundleOf(log, { leaveOut: [14, 15, 16, 17] }));
    expect(report.ok).toBe(true);
    expect(report.completeness?.state).toBe('open');
    expect(report.completeness?.message).toContain('only the log itself can tell');
  });

  it.each([0, 1, 7, 16])('is broken when entry %i of the run is left out before others', (seq) => {
    const report = judge(bundleOf(log, { leaveOut: [seq] }));
    expect(report.verdict).toBe('chain-broken');
    expect(report.completeness?.state).toBe('broken');
  });

  it('of nothing is missing', () => {
    expect(verdictOf(() => ({ scope: { run: 'run_none' }, disclosed: [], erased: [] }))).toBe('extra');
    const none = evidenceOf(log);
    const about = none.entries.slice(0, 2);
    expect(judge(encodeEvidence({ ...none, entries: about, disclosed: [], erased: [] })).verdict).toBe(
      'missing',
    );
  });
});

describe('a changed bundle', () => {
  it('has its word for each change', () => {
    const other = testSigner('log.example/test', 8);
    const swapped = log.note.replace(/\n\u2014.*/s, `\n— ${other.vkey.split('+')[0]} AAAA\n`);
    const words: Record<string, string> = {
      origin: verdictOf(() => ({ origin: 'log.example/else' })),
      note: verdictOf(() => ({ checkpoint: swapped })),
      size: verdictOf(({ checkpoint }) => ({ checkpoint: checkpoint.replace(/\n([0-9]+)\n/, '\n7\n') })),
      older: verdictOf(({ first }) => ({ first: first === null ? null : { ...first, consistency: [] } })),
      newer: verdictOf(({ checkpoint }) => ({ first: { checkpoint, consistency: [new Uint8Array(32)] } })),
      swap: verdictOf(({ entries }) => ({ entries: [...entries.slice(1), ...entries.slice(0, 1)] })),
      twice: verdictOf(({ entries }) => ({ entries: [...entries.slice(0, 3), ...entries.slice(2)] })),
      index: verdictOf(({ entries }) => ({
        entries: entries.map((entry, i) => (i === 5 ? { ...entry, index: entry.index + 1n } : entry)),
      })),
      beyond: verdictOf(({ entries }) => ({
        entries: entries.map((entry, i) => (i === entries.length - 1 ? { ...entry, index: 1000n } : entry)),
      })),
      payload: verdictOf(({ disclosed }) => ({
        disclosed: disclosed.map((one) => ({ ...one, bytes: new Uint8Array([1]) })),
      })),
      salt: verdictOf(({ disclosed }) => ({
        disclosed: disclosed.map((one) => ({ ...one, salt: new Uint8Array(31) })),
      })),
      label: verdictOf(({ disclosed }) => ({
        disclosed: disclosed.map((one) => ({ ...one, label: 'reason' })),
      })),
      nul: verdictOf(({ disclosed }) => ({ disclosed: disclosed.map((one) => ({ ...one, label: '\0' })) })),
      erased: verdictOf(({ disclosed, erased }) => ({
        disclosed: disclosed.slice(1),
        erased: [...erased, { commitment: disclosed[0]?.commitment ?? log.erased, entry: 5n }],
      })),
    };
    expect(words).toEqual({
      ...{ origin: 'wrong-origin', note: 'malformed', size: 'bad-signature', older: 'fork', newer: 'fork' },
      ...{ swap: 'entry-mismatch', twice: 'malformed', index: 'entry-mismatch', beyond: 'entry-mismatch' },
      ...{ payload: 'payload-mismatch', salt: 'payload-mismatch', label: 'payload-mismatch' },
      ...{ nul: 'payload-mismatch', erased: 'erased-unlogged' },
    });
  });

  it('never holds after any single bit was flipped, with and without a key', () => {
    const bytes = bundleOf(log, { first: true, custodian: 'Maria Ruiz' });
    const { vkeys: _, ...noKey } = OUTSIDE;
    for (let at = 0; at < bytes.length; at += 97) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      for (const options of [OUTSIDE, noKey]) {
        const report = judge(changed, options);
        expect(report.ok, `byte ${at}`).toBe(false);
        expect(report.verdict, `byte ${at}`).not.toBe('unpinned');
      }
    }
  });

  it('is malformed when it was edited and nothing else tells: who made it is no entry of the log', () => {
    const text = new TextDecoder().decode(bundleOf(log, { custodian: 'Maria Ruiz' }));
    const report = judge(new TextEncoder().encode(text.replace('Maria Ruiz', 'Mario Ruiz')));
    expect(report.findings).toMatchObject([{ verdict: 'malformed' }]);
    expect(report.findings[0]?.message).toContain('digest');
  });

  it('is refused in any other spelling of the same JSON, and with anything more or less in it', () => {
    const text = new TextDecoder().decode(bundleOf(log));
    const value = JSON.parse(text) as Record<string, Json>;
    const { policy: _, ...less } = value;
    const spell = (other: string): string => judge(new TextEncoder().encode(other)).verdict;
    expect(spell(`${text}\n`)).toBe('not-canonical');
    expect(spell(` ${text}`)).toBe('not-canonical');
    expect(spell(JSON.stringify(value, null, 1))).toBe('not-canonical');
    expect(spell(canonicalJson({ ...value, more: 1 }))).toBe('not-canonical');
    expect(spell(canonicalJson(less))).toBe('not-canonical');
    expect(spell(canonicalJson({ ...value, format: 'writ.evidence/v2' }))).toBe('not-canonical');
    expect(spell(text.replace('{"certificate"', '{"certificate":1,"certificate"'))).toBe('malformed');
    expect(spell('{')).toBe('malformed');
    expect(spell('')).toBe('malformed');
    expect(spell(`${'['.repeat(100)}${']'.repeat(100)}`)).toBe('malformed');
  });
});

describe('the meaning of a run', () => {
  it('is refused when the approver signature does not hold', async () => {
    const lie = await evidenceLog({ signature: `${'A'.repeat(86)}==` });
    const { report, entries } = verifyEvidence(bundleOf(lie), { ...OUTSIDE, vkeys: [lie.vkey] });
    expect(report.verdict).toBe('order-broken');
    const story = storyOf(RUN, entries, new Set());
    expect(story.approvals[0]?.votes[0]).toMatchObject({ approver: 'user:bob', signature: 'fails' });
  });

  it('tells who answered a form, and that the signature holds; it is refused when that does not hold', async () => {
    const told = async (signature: string | null) => {
      const one = await evidenceLog({ form: { signature } });
      const { report, entries } = verifyEvidence(bundleOf(one), { ...OUTSIDE, vkeys: [one.vkey] });
      return { report, story: storyOf(RUN, entries, new Set()) };
    };
    const { report, story } = await told(null);
    expect(report.verdict).toBe('verified');
    expect(report.warnings).toContainEqual(
      expect.stringContaining('signatures of answers to tasks that hold: 1 of 1'),
    );
    const answer = { by: 'user:bob', answer: 'success', keyId: APPROVER_KEY, signature: 'holds' };
    expect(story.tasks).toMatchObject([
      {
        step: 'Form',
        who: 'role:reviewer, not who started the run',
        asked: `a form, SHA-256 ${'f'.repeat(64)}`,
        answers: [answer],
      },
    ]);
    expect(story.moments.find(({ type }) => type === 'task.answered')?.what).toBe(
      'user:bob answered task tsk_1: success, signed',
    );
    const lie = await told(`${'A'.repeat(86)}==`);
    expect(lie.report.verdict).toBe('order-broken');
    expect(lie.story.tasks[0]?.answers).toMatchObject([{ signature: 'fails' }]);
  });

  it('is refused when what is shown as approved is not what was approved', () => {
    const evidence = evidenceOf(log);
    const digest = (): string => '0'.repeat(64);
    const report = judge(encodeEvidence(evidence), { ...OUTSIDE, subjectDigest: digest });
    expect(report.findings).toMatchObject([{ verdict: 'payload-mismatch' }]);
    expect(report.findings[0]?.message).toContain('not what was approved');
  });

  it('tells who approved what, which rule decided, under which ceilings, and what became of the data', () => {
    const bytes = bundleOf(log);
    const { entries, evidence } = verifyEvidence(bytes, OUTSIDE);
    const story = storyOf(RUN, entries, new Set(evidence?.disclosed.map(({ commitment }) => commitment)));
    expect(story).toMatchObject({ initiator: 'user:alice', status: 'completed', tenant: 'default' });
    expect(story.moments.map(({ seq }) => seq)).toEqual(Array.from({ length: 18 }, (_, i) => i));
    expect(story.approvals).toMatchObject([
      {
        step: 'HumanReview',
        attempt: 1,
        state: 'used',
        quorum: '1 of role:reviewer',
        votes: [{ approver: 'user:bob', decision: 'approve', keyId: APPROVER_KEY, signature: 'holds' }],
      },
    ]);
    expect(story.decisions.map(({ verdict, rules }) => [verdict, rules[0]?.ruleId])).toEqual([
      ['allow', 'CL-010'],
      ['needs_approval', 'CL-010'],
    ]);
    expect(story.ceilings[0]?.layers).toMatchObject([{ layer: 'org', name: 'org-default', ok: true }]);
    expect(story.payloads.filter(({ state }) => state === 'erased')).toMatchObject([{ label: 'output' }]);
    expect(story.log.map(({ type }) => type)).toEqual(['log.opened', 'policy.loaded']);
  });
});

function certificateOf(bytes: Uint8Array, custodian: string | null): string {
  const { report, evidence } = verifyEvidence(bytes, OUTSIDE);
  if (evidence === null) throw new Error('no evidence');
  return certificateText({
    ...{ evidence, report, vkey: log.vkey, file: 'claim.json', size: bytes.length, sha256: 'ab'.repeat(32) },
    ...{ madeAt: '2026-03-02T08:00:00.000Z', version: '0.1.0', custodian },
  });
}

describe('the certificate', () => {
  it('says what was checked, leaves to the person what only a person knows, and stays within its lines', () => {
    const bytes = bundleOf(log);
    const text = certificateOf(bytes, 'Maria Ruiz');
    expect(text).toContain('I, Maria Ruiz, am the custodian');
    expect(text).toContain(`SHA-256    ${'ab'.repeat(32)}`);
    expect(text).toContain('It found: verified.');
    expect(text.replace(/\s+/g, ' ')).toContain('Erased since: 1;');
    expect(text).toContain('[ ] The log was written by the software');
    const long = text.split('\n').filter((line) => line.length > 96 && !line.startsWith('Log key'));
    expect(long).toEqual([]);
  });

  it('takes no sentence from what the bundle says of itself: nobody signed that', () => {
    const forged = {
      custodian: 'Eve\n8.  I further declare\u001b[2J',
      hash: 'MD5',
      method: 'none\n9.  nothing',
      tool: 'writ\n10. x',
      version: '\u202e1',
    };
    const bytes = encodeEvidence({ ...evidenceOf(log), certificate: forged });
    expect(verifyEvidence(bytes, OUTSIDE).report.verdict).toBe('verified');
    const text = certificateOf(bytes, null);
    expect(text).not.toMatch(/^(8|9|10)\./m);
    expect(text).not.toMatch(/MD5|nothing|\u001b|\u202e/u);
    expect(text).toContain('to be in the Merkle tree (RFC 6962)');
    expect(text).toContain('Eve 8. I further declare');
  });
});
