// Witnesses and the one road: where policy requires them nothing runs without the quorum, elsewhere nobody waits for
// them. The witnesses are the product's own, behind a fake of the HTTP port.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openWitnessState } from '../../src/adapters/store/witness-state.js';
import { noteCosignatures, parseNote, parseVkey } from '../../src/audit/index.js';
import {
  DEFAULT_ANCHOR_EVERY_MS,
  type AnchorReport,
  type Anchoring,
} from '../../src/runtime/witness/anchor.js';
import type { HttpPost, HttpPostAnswer, TimestampAuthority, WitnessState } from '../../src/runtime/ports.js';
import { openWitness, type Witness } from '../../src/runtime/witness/witness.js';
import { readWitnessSet } from '../../src/runtime/witness/set.js';
import type { Writ } from '../../src/runtime/writ.js';
import { verifyData } from '../../src/verify-data.js';
import { testKey } from '../contract/witness-log.js';
import { interfering, refusalOf, steps, useTeam, type Team } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TWO = 'functionId: "tool::test_two"';
const GATED = `${ONE}, approval: sync`;
const NEVER = new AbortController().signal;

/** Some witnesses of the team's log. */
class Witnesses {
  readonly keys = ['w1', 'w2', 'w3'].map((name, i) => testKey(`witness.example/${name}`, 40 + i, 4));
  readonly states: WitnessState[];
  readonly down = new Set<string>();
  /** Bodies that arrived, by witness. */
  readonly asked: { readonly name: string; readonly old: string }[] = [];
  readonly #witnesses: readonly Witness[];
  /** Changes what a witness answers. */
  tamper: (name: string, answer: { status: number; body: string }) => { status: number; body: string } = (
    _,
    answer,
  ) => answer;

  constructor(
    team: Team,
    readonly vkey: string,
  ) {
    this.states = this.keys.map((_, i) => openWitnessState(path.join(team.home, `witness-${i}.state`)));
    this.#witnesses = this.keys.map((signer, i) => {
      const state = this.states[i];
      if (state === undefined) throw new Error('no state');
      return openWitness({ logs: [vkey], signer, state, clock: team.clock });
    });
  }

  readonly post: HttpPost = async ({ url, body }): Promise<HttpPostAnswer> => {
    const [, digit = '0'] = /^http:\/\/w([123])\.example\/add-checkpoint$/.exec(url) ?? [];
    const name = `w${digit}`;
    this.asked.push({ name, old: new TextDecoder().decode(body).split('\n', 1)[0] ?? '' });
    const witness = this.#witnesses[Number(digit) - 1];
    if (witness === undefined || this.down.has(name)) return { failure: "can't be reached (ECONNREFUSED)" };
    const said = this.tamper(name, witness(body));
    return { status: said.status, body: new TextEncoder().encode(said.body) };
  };

  policy(k = '2'): string {
    const lines = this.keys.map(({ vkey }, i) => `witness w${i + 1} ${vkey} http://w${i + 1}.example/\n`);
    return `log ${this.vkey}\n${lines.join('')}group all3 ${k} w1 w2 w3\nquorum all3\n`;
  }

  anchors(change: Partial<Anchoring> = {}, policy = this.policy()): Omit<Anchoring, 'publication' | 'clock'> {
    return {
      post: this.post,
      witnesses: readWitnessSet(policy),
      timestamps: null,
      everyMs: DEFAULT_ANCHOR_EVERY_MS,
      ...change,
    };
  }
}

let witnesses: Witnesses;
afterEach(() => {
  for (const state of witnesses.states) state.close();
});

function team(): Team {
  const { team: current } = here;
  witnesses = new Witnesses(current, readFileSync(path.join(current.data, 'audit', 'vkey'), 'utf8').trim());
  return current;
}

/** The policies with a ceiling that requires witnesses. */
function anchored(current: Team): string {
  const copy = current.policiesWith('ceilings/org.yaml', (document) => {
    document.setIn(['spec', 'audit'], { required: 'anchored' });
  });
  return copy;
}

const fileOf = (current: Team, name: string): string => path.join(current.data, 'audit', ...name.split('/'));
const noteOf = (current: Team): string => readFileSync(fileOf(current, 'checkpoint'), 'utf8');
const sizeOf = (note: string): number => Number(note.split('\n')[1]);

function cosigners(note: string): string[] {
  const keys = witnesses.keys.map(({ vkey }) => parseVkey(vkey));
  return noteCosignatures(note, keys).map(({ key }) => key.name.replace('witness.example/', ''));
}

async function verifiedWith(current: Team, policy: string): Promise<string> {
  const file = path.join(current.home, 'given.policy');
  writeFileSync(file, policy);
  const dir = path.join(current.data, 'audit');
  const options = { dir, vkeys: [], old: [], trust: null, run: null, payloads: false };
  return (await verifyData({ ...options, policy: file, witnesses: [], quorum: null })).verdict;
}

describe('a step that policy wants witnessed', () => {
  it('does not run while the witnesses are down; later the run goes on where it was', async () => {
    const current = team();
    const writ = await current.open({ policies: anchored(current), anchors: witnesses.anchors() });
    witnesses.down.add('w1').add('w2').add('w3');
    const runId = await current.start(writ, steps([ONE]));
    const before = await current.record(runId);
    const refused = await refusalOf(current.drive(writ, runId));
    expect(refused).toMatchObject({ code: 'AUDIT_WITNESS_UNAVAILABLE', exitCode: 6 });
    expect(refused.message).toContain('2 of w1, w2, w3');
    expect(refused.message).toContain("w3: can't be reached");
    expect(refused.hint).toContain(`writ workflow resume ${runId}`);
    expect(current.functions.calls).toEqual([]);
    expect(await current.types(runId)).toEqual(['run.started']);
    expect(await current.record(runId)).toEqual(before);

    witnesses.down.clear();
    await writ.resume(runId, await current.as(writ, 'alice'));
    expect(await current.drive(writ, runId)).toMatchObject({ status: 'completed' });
    expect(current.functions.calls).toHaveLength(1);
    expect(cosigners(noteOf(current))).toEqual(['w1', 'w2', 'w3']);
    expect(await verifiedWith(current, witnesses.policy('all'))).toBe('verified');
  });

  it('runs with the quorum and not with one witness less', async () => {
    const current = team();
    const writ = await current.open({ policies: anchored(current), anchors: witnesses.anchors() });
    witnesses.down.add('w2').add('w3');
    const runId = await current.start(writ, steps([ONE]));
    expect(await refusalOf(current.drive(writ, runId))).toMatchObject({ code: 'AUDIT_WITNESS_UNAVAILABLE' });
    expect(current.functions.calls).toEqual([]);
    witnesses.down.delete('w2');
    expect(await current.drive(writ, runId)).toMatchObject({ status: 'completed' });
    expect(cosigners(noteOf(current))).toEqual(['w1', 'w2']);
    expect(await verifiedWith(current, witnesses.policy('2'))).toBe('verified');
    expect(await verifiedWith(current, witnesses.policy('all'))).toBe('quorum-missing');
  });

  it.each([
    ['its run', [ONE, TWO], 2],
    ['the items before it', [`${ONE}, mode: fanout, concurrency: 1, items: [1, 2, 3]`], 3],
  ])(
    'has everything logged about %s cosigned by the quorum when its function is called',
    async (_, lines, calls) => {
      const current = team();
      const writ = await current.open({ policies: anchored(current), anchors: witnesses.anchors() });
      const runId = await current.start(writ, steps(lines));
      const seen: { intent: bigint; sizes: bigint[] }[] = [];
      const look = async () => {
        const rows = await current.stored((store) => store.entriesOfRun(runId));
        const intent = rows.findLast(({ type }) => type === 'step.intended')?.index ?? -1n;
        seen.push({ intent, sizes: witnesses.states.map((state) => state.latest()[0]?.size ?? 0n) });
        return {};
      };
      current.functions.answer('tool::test_one', look);
      current.functions.answer('tool::test_two', look);
      await current.drive(writ, runId);
      expect(seen).toHaveLength(calls);
      for (const { intent, sizes } of seen) {
        const earlier = (await current.stored((store) => store.entriesOfRun(runId))).filter(
          ({ index, type }) => index < intent && !['authz.decided', 'ceiling.composed'].includes(type),
        );
        // What is committed together with the intent can't be witnessed before it.
        const last = earlier.at(-1)?.index ?? -1n;
        for (const size of sizes) expect(size).toBeGreaterThan(last);
      }
      // And after the last step all of it is.
      expect(sizeOf(noteOf(current))).toBe(Number((await current.stored((store) => store.log())).size));
      expect(cosigners(noteOf(current))).toHaveLength(3);
    },
  );

  it('is refused without witnesses.policy, and under a quorum of none', async () => {
    const current = team();
    const policies = anchored(current);
    const text = witnesses.policy().replace(/group.*\nquorum all3/, 'quorum none');
    for (const anchors of [witnesses.anchors({ witnesses: null }), witnesses.anchors({}, text)]) {
      const writ = await current.open({ policies, anchors });
      const refused = await refusalOf(current.run(writ, steps([ONE])));
      expect(refused).toMatchObject({ code: 'AUDIT_WITNESS_UNAVAILABLE' });
      expect(refused.hint).toContain('witnesses.policy');
    }
    expect(current.functions.calls).toEqual([]);
  });

  it('keeps its approval for later', async () => {
    const current = team();
    const writ = await current.open({ policies: anchored(current), anchors: witnesses.anchors() });
    const run = await current.run(writ, steps([GATED]));
    await current.approve(writ, await current.pending(writ, run.id));
    witnesses.down.add('w1').add('w2');
    expect(await refusalOf(current.drive(writ, run.id))).toMatchObject({ code: 'AUDIT_WITNESS_UNAVAILABLE' });
    expect(await current.types(run.id)).not.toContain('approval.consumed');
    expect(current.functions.calls).toEqual([]);
    witnesses.down.clear();
    expect(await current.drive(writ, run.id)).toMatchObject({ status: 'completed' });
  });

  it('may be asked for by the workflow itself', async () => {
    const current = team();
    const writ = await current.open({ anchors: witnesses.anchors() });
    witnesses.down.add('w1').add('w2');
    const text = steps([ONE], 'ceilings: { audit: { required: anchored } }\n');
    const outcome = await refusalOf(current.run(writ, text));
    expect(outcome).toMatchObject({ code: 'AUDIT_WITNESS_UNAVAILABLE' });
    expect(current.functions.calls).toEqual([]);
  });

  it('does not run when the store can not keep what was cosigned', async () => {
    const current = team();
    const store = (inner: Parameters<typeof interfering>[0]) =>
      new Proxy(inner, {
        get: (target, name) => {
          if (name === 'anchorCheckpoint') return () => Promise.resolve(false);
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    const writ = await current.open({ policies: anchored(current), anchors: witnesses.anchors(), store });
    const stop = new AbortController();
    const runId = await current.start(writ, steps([ONE]));
    // The dispatcher takes a conflict for somebody else's change and looks again; here it stays one.
    let tries = 0;
    witnesses.tamper = (_, answer) => {
      if (++tries > 6) stop.abort();
      return answer;
    };
    await writ.drive(runId, { stopAt: 'waiting', signal: stop.signal });
    expect(current.functions.calls).toEqual([]);
  });
});

describe('a log with witnesses that policy does not require', () => {
  const DUE: [string, number, number][] = [
    ['not before the hour is over', DEFAULT_ANCHOR_EVERY_MS - 1, 0],
    ['when the hour is over', DEFAULT_ANCHOR_EVERY_MS, 3],
  ];

  async function ran(
    change: Partial<Anchoring> = {},
  ): Promise<{ current: Team; writ: Writ; reports: AnchorReport[] }> {
    const current = team();
    const writ = await current.open({ anchors: witnesses.anchors(change) });
    const reports: AnchorReport[] = [];
    writ.onAnchor((report) => reports.push(report));
    return { current, writ, reports };
  }

  it('has its newest checkpoint cosigned at the end of the first run', async () => {
    const { current, writ, reports } = await ran();
    await current.run(writ, steps([ONE]));
    expect(reports).toMatchObject([{ quorumMet: true, quorum: '2 of w1, w2, w3', timestamp: null }]);
    expect(cosigners(noteOf(current))).toEqual(['w1', 'w2', 'w3']);
    const size = sizeOf(noteOf(current));
    expect(readFileSync(fileOf(current, `checkpoints/${String(size).padStart(20, '0')}`), 'utf8')).toBe(
      noteOf(current),
    );
    expect(readFileSync(fileOf(current, 'policy'), 'utf8')).toBe(witnesses.policy());
    expect(await verifiedWith(current, witnesses.policy('all'))).toBe('verified');
  });

  it('runs as ever when all of them are down, and says so', async () => {
    const { current, writ, reports } = await ran();
    witnesses.down.add('w1').add('w2').add('w3');
    expect(await current.run(writ, steps([ONE]))).toMatchObject({ status: 'completed' });
    expect(reports).toMatchObject([
      { quorumMet: false, witnesses: [{ name: 'w1', problem: "can't be reached (ECONNREFUSED)" }, {}, {}] },
    ]);
    expect(cosigners(noteOf(current))).toEqual([]);
    // Not forgotten: the next run asks again.
    witnesses.down.clear();
    await current.run(writ, steps([ONE]));
    expect(reports[1]).toMatchObject({ quorumMet: true });
  });

  it.each(DUE)('is anchored again %s', async (_, laterMs, asked) => {
    const { current, writ } = await ran();
    await current.run(writ, steps([ONE]));
    const before = witnesses.asked.length;
    current.clock.advance(laterMs);
    await current.run(writ, steps([ONE]));
    expect(witnesses.asked.length - before).toBe(asked);
  });

  it('asks only those who have not cosigned this checkpoint, from where each of them is', async () => {
    const { current, writ } = await ran();
    witnesses.down.add('w3');
    await writ.publish();
    await writ.anchor(NEVER);
    const size = sizeOf(noteOf(current));
    witnesses.down.clear();
    witnesses.asked.length = 0;
    expect(await writ.anchor(NEVER)).toMatchObject({ quorumMet: true });
    expect(witnesses.asked).toEqual([{ name: 'w3', old: 'old 0' }]);
    await current.run(writ, steps([ONE]));
    witnesses.asked.length = 0;
    await writ.anchor(NEVER);
    expect(witnesses.asked).toEqual(['w1', 'w2', 'w3'].map((name) => ({ name, old: `old ${size}` })));
  });

  it('begins where a witness says it is, once', async () => {
    const { current, writ } = await ran();
    await writ.anchor(NEVER);
    const size = sizeOf(noteOf(current));
    await current.run(writ, steps([ONE]));
    // As after a restore of the store: nothing is known any more of who cosigned what.
    const file = path.join(current.data, 'writ.db');
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(file);
    db.exec('UPDATE log_checkpoint SET cosigned_at = NULL');
    db.close();
    witnesses.asked.length = 0;
    expect(await writ.anchor(NEVER)).toMatchObject({ quorumMet: true });
    expect(witnesses.asked.filter(({ name }) => name === 'w1').map(({ old }) => old)).toEqual([
      'old 0',
      `old ${size}`,
    ]);
  });

  it('never loses a cosignature to another process that publishes, nor goes back', async () => {
    const { current, writ } = await ran();
    const other = await current.open({ anchors: witnesses.anchors() });
    await Promise.all([
      ...Array.from({ length: 4 }, () => writ.anchor(NEVER)),
      ...Array.from({ length: 4 }, () => other.anchor(NEVER)),
      current.run(other, steps([ONE])),
      current.run(writ, steps([ONE])),
    ]);
    await Promise.all([writ.anchor(NEVER), other.publish(), other.anchor(NEVER)]);
    expect(cosigners(noteOf(current))).toHaveLength(3);
    const rows = await current.stored((store) => store.anchoredCheckpoints(100));
    for (const { size, note } of rows) {
      const copy = readFileSync(fileOf(current, `checkpoints/${String(size).padStart(20, '0')}`), 'utf8');
      expect(copy).toBe(note);
    }
    expect(sizeOf(noteOf(current))).toBe(Number(rows[0]?.size));
  });

  it('brings the files to what the store says when a crash came in between', async () => {
    const { current, writ } = await ran();
    await current.run(writ, steps([ONE]));
    const whole = noteOf(current);
    const bare = `${whole.split('\n').slice(0, 5).join('\n')}\n`;
    expect(cosigners(bare)).toEqual([]);
    const copy = fileOf(current, `checkpoints/${String(sizeOf(whole)).padStart(20, '0')}`);
    writeFileSync(copy, bare);
    writeFileSync(fileOf(current, 'checkpoint'), bare);
    await writ.anchor(NEVER);
    expect(noteOf(current)).toBe(whole);
    expect(readFileSync(copy, 'utf8')).toBe(whole);
  });

  it('writes back the policy file that somebody removed', async () => {
    const { current, writ } = await ran();
    await writ.anchor(NEVER);
    rmSync(fileOf(current, 'policy'));
    await writ.anchor(NEVER);
    expect(readFileSync(fileOf(current, 'policy'), 'utf8')).toBe(witnesses.policy());
  });

  it('shows what each witness has cosigned, and what is wrong with the policy', async () => {
    const { current, writ } = await ran();
    expect(await writ.witnesses()).toMatchObject({ witnessed: null, problems: [] });
    expect((await writ.doctor()).find(({ name }) => name === 'witnesses')).toMatchObject({ ok: false });
    witnesses.down.add('w2');
    await current.run(writ, steps([ONE]));
    const { size, witnessed, witnesses: found } = await writ.witnesses();
    expect(witnessed?.size).toBe(size);
    expect(found).toMatchObject([{ name: 'w1', cosigned: { size } }, { name: 'w2', cosigned: null }, {}]);
    expect((await writ.doctor()).find(({ name }) => name === 'witnesses')).toMatchObject({ ok: true });
    const mute = witnesses
      .policy()
      .replace(' http://w2.example/', '')
      .replace(/^log .*\n/, '');
    const text = `log ${testKey('log.example/other', 3).vkey}\n${mute}`;
    const other = await current.open({ anchors: witnesses.anchors({}, text) });
    expect((await other.witnesses()).problems).toEqual([
      'w2 has no URL',
      expect.stringContaining('no log line'),
    ]);
    const report = await other.anchor(NEVER);
    expect(report?.witnesses[1]).toEqual({ name: 'w2', problem: 'it has no URL in witnesses.policy' });
  });
});

describe('what a witness answers', () => {
  type Answer = { status: number; body: string };
  const cases: [string, (answer: Answer) => Answer, string | null][] = [
    [
      'a line of somebody else beside its own is ignored',
      ({ status, body }) => ({ status, body: `\u2014 x AAAAAAAA\n${body}` }),
      null,
    ],
    ['nothing', () => ({ status: 200, body: '' }), 'holds no cosignature of its key'],
    [
      'only lines of others',
      () => ({ status: 200, body: '\u2014 x AAAAAAAA\n' }),
      'holds no cosignature of its key',
    ],
    [
      'a line that does not verify',
      ({ body }) => ({
        status: 200,
        body: body.replace(
          /(.)(.)(==?\n|\n)$/,
          (_, a: string, b: string, end: string) => `${a === 'A' ? 'B' : 'A'}${b}${end}`,
        ),
      }),
      'does not verify',
    ],
    ['a line without its newline', ({ body }) => ({ status: 200, body: body.trimEnd() }), 'does not verify'],
    ['500', () => ({ status: 500, body: '' }), 'status 500'],
    ['a redirect', () => ({ status: 302, body: '' }), 'status 302'],
    ['403', () => ({ status: 403, body: '' }), 'does not know the key'],
    ['404', () => ({ status: 404, body: '' }), 'does not know this log'],
    ['422', () => ({ status: 422, body: '' }), 'not consistent'],
    ['409 with the size that was sent', () => ({ status: 409, body: '0\n' }), 'contradicts itself'],
    ['409 with nonsense', () => ({ status: 409, body: 'many\n' }), 'contradicts itself'],
    ['409 for ever', () => ({ status: 409, body: '1\n' }), 'contradicts itself'],
    ['409 with a size beyond the log', () => ({ status: 409, body: '999\n' }), 'cosigned 999 entries'],
  ];
  it.each(cases)('%s', async (_, change, problem) => {
    const current = team();
    const writ = await current.open({ anchors: witnesses.anchors() });
    witnesses.tamper = (name, answer) => (name === 'w1' ? change(answer) : answer);
    const report = await writ.anchor(NEVER);
    if (problem === null) expect(report?.witnesses[0]).toEqual({ name: 'w1', problem: null });
    else expect(report?.witnesses[0]?.problem).toContain(problem);
    expect(cosigners(noteOf(current))).toEqual(problem === null ? ['w1', 'w2', 'w3'] : ['w2', 'w3']);
    expect(parseNote(noteOf(current)).signatures).toHaveLength(problem === null ? 4 : 3);
    expect(await verifiedWith(current, witnesses.policy('2'))).toBe('verified');
  });

  it.each([
    ['behind the last entry by more than a moment', -60_000, 'behind'],
    ['ahead of the log by more than five minutes', 6 * 60_000, 'ahead'],
  ])('with a clock %s is not kept', async (_, offMs, problem) => {
    const current = team();
    const state = openWitnessState(path.join(current.home, 'late.state'));
    const [signer] = witnesses.keys;
    if (signer === undefined) throw new Error('no key');
    const clock = {
      nowMs: () => current.clock.nowMs() + offMs,
      sleepUntil: () => Promise.resolve(),
      sleep: () => Promise.resolve(),
    };
    const late = openWitness({ logs: [witnesses.vkey], signer, state, clock });
    const post: HttpPost = async (request) => {
      if (!request.url.includes('w1')) return witnesses.post(request);
      const { status, body } = late(request.body);
      return { status, body: new TextEncoder().encode(body) };
    };
    const writ = await current.open({ anchors: witnesses.anchors({ post }) });
    await current.run(writ, steps([ONE]));
    const report = await writ.anchor(NEVER);
    expect(report?.witnesses[0]?.problem).toContain(problem);
    expect(cosigners(noteOf(current))).toEqual(['w2', 'w3']);
    state.close();
  });
});

describe('a time stamp', () => {
  it('is kept beside its checkpoint, over the signed text, once', async () => {
    const current = team();
    const stamped: string[] = [];
    const timestamps: TimestampAuthority = {
      url: 'http://tsa.example',
      stamp: async (message) => {
        stamped.push(new TextDecoder().decode(message));
        return Uint8Array.of(48, 0);
      },
    };
    const writ = await current.open({ anchors: witnesses.anchors({ timestamps }) });
    const report = await writ.anchor(NEVER);
    expect(report?.timestamp).toEqual({ url: 'http://tsa.example', problem: null });
    expect(stamped).toEqual([parseNote(noteOf(current)).text]);
    const file = fileOf(current, `checkpoints/${String(sizeOf(noteOf(current))).padStart(20, '0')}.tsr`);
    expect([...readFileSync(file)]).toEqual([48, 0]);
    expect((await writ.anchor(NEVER))?.timestamp).toBeNull();
    expect(stamped).toHaveLength(1);
  });

  it('works without witnesses, and its absence is only reported', async () => {
    const current = team();
    const { WritError } = await import('../../src/errors.js');
    const timestamps: TimestampAuthority = {
      url: 'http://tsa.example',
      stamp: () => Promise.reject(new WritError('AUDIT_TIMESTAMP_FAILED', 'no time stamp: down')),
    };
    const writ = await current.open({ anchors: witnesses.anchors({ timestamps, witnesses: null }) });
    expect(await current.run(writ, steps([ONE]))).toMatchObject({ status: 'completed' });
    const report = await writ.anchor(NEVER);
    expect(report).toMatchObject({ quorumMet: true, timestamp: { problem: 'no time stamp: down' } });
  });

  it('of no checkpoint is not part of a log', async () => {
    const current = team();
    await (await current.open()).publish();
    writeFileSync(fileOf(current, `checkpoints/${'7'.padStart(20, '0')}.tsr`), Uint8Array.of(48, 0));
    expect((await current.verify()).verdict).toBe('extra');
    rmSync(fileOf(current, `checkpoints/${'7'.padStart(20, '0')}.tsr`));
  });
});
