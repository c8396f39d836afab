// Cosignatures, quorums, policies, and the time they bound.
import {
  LOG,
  Log,
  START_S,
  STRANGER,
  W1,
  W2,
  W3,
  at,
  checkpointPath,
  cosigned,
  line,
  namedKey,
  signed,
} from './log.mjs';
import { group, ok, put } from './vector-file.mjs';

export function witnesses() {
  const { keep, test, write } = group(
    'witnesses',
    'cosignatures, quorums, policies, and the time they bound',
  );
  const grown = () =>
    new Log()
      .open()
      .notes(4)
      .publish({ witnesses: [[W1, START_S + 10]] })
      .notes(6)
      .publish({
        witnesses: [
          [W1, START_S + 20],
          [W2, START_S + 30],
        ],
      });
  keep('cosigned', grown());
  const all = [W1, W2, W3].map(({ vkey }) => vkey);
  const missing = { verdict: 'quorum-missing', path: 'checkpoint' };
  const policy = (...lines) => ({
    vkeys: [],
    policy: `${[`log ${LOG.vkey}`, ...all.map((vkey, i) => `witness w${i + 1} ${vkey}`), ...lines].join('\n')}\n`,
  });
  test('two of three', 'cosigned', ok, { quorum: 2, witnesses: all });
  test('three of three', 'cosigned', missing, { witnesses: all });
  test('the one that is named', 'cosigned', ok, { witnesses: [W2.vkey] });
  test('the one that did not cosign', 'cosigned', missing, { witnesses: [W3.vkey] });
  test('a policy that two meet', 'cosigned', ok, policy('group g 2 w1 w2 w3', 'quorum g'));
  test('a policy that needs all', 'cosigned', missing, policy('group g all w1 w2 w3', 'quorum g'));
  test('a policy of groups', 'cosigned', ok, policy('group a any w1 w3', 'group b all a w2', 'quorum b'));
  test(
    'a policy of groups that is not met',
    'cosigned',
    missing,
    policy('group a any w1 w2', 'group b all a w3', 'quorum b'),
  );
  test('a policy without quorum', 'cosigned', ok, policy('quorum none'));
  test(
    'a policy with another log',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { vkeys: [], policy: `log ${STRANGER.vkey}\nquorum none\n` },
  );
  test('a policy without a log', 'cosigned', { verdict: 'unpinned' }, { vkeys: [], policy: 'quorum none\n' });
  const text = grown().text;
  const replaced = (...lines) =>
    ['checkpoint', checkpointPath(6)].map((path) =>
      put(path, Buffer.from(signed(text, LOG) + lines.join(''))),
    );
  test(
    'a cosignature over another text',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(cosigned(`${text}x\n`, W1, START_S + 20)),
  );
  test(
    'a cosignature over another text, of a witness nobody asked for',
    'cosigned',
    ok,
    { witnesses: [W2.vkey] },
    replaced(cosigned(`${text}x\n`, W1, START_S + 20), cosigned(text, W2, START_S + 20)),
  );
  test(
    'a cosignature of another time than signed',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(
      line(W1, Buffer.concat([Buffer.alloc(7), Buffer.of(9), W1.sign(`cosignature/v1\ntime 8\n${text}`)])),
    ),
  );
  test(
    'a cosignature of time 0',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(cosigned(text, W1, 0)),
  );
  test(
    'a witness that signs as a log does',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(line(W1, W1.sign(text))),
  );
  test(
    'only a witness signed',
    'cosigned',
    { verdict: 'bad-signature', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    ['checkpoint', checkpointPath(6)].map((path) =>
      put(path, Buffer.from(`${text}\n${cosigned(text, W1, START_S + 20)}`)),
    ),
  );
  const mldsa = namedKey('pq.example', 6, Buffer.alloc(1312, 5));
  test(
    'a witness of a kind that is not verified never counts',
    'cosigned',
    missing,
    { witnesses: [mldsa.vkey] },
    replaced(line(mldsa, Buffer.alloc(2428))),
  );
  test(
    'a line of a kind that is not verified is ignored',
    'cosigned',
    ok,
    { witnesses: [W1.vkey] },
    replaced(line(mldsa, Buffer.alloc(2428)), cosigned(text, W1, START_S + 20)),
  );
  const stranger = Array.from({ length: 98 }, () => line(STRANGER, STRANGER.sign('x')));
  test(
    'a hundred signatures',
    'cosigned',
    ok,
    { witnesses: [W1.vkey] },
    replaced(...stranger, cosigned(text, W1, START_S + 20)),
  );
  test(
    'a hundred and one signatures',
    'cosigned',
    { verdict: 'malformed', path: 'checkpoint' },
    { witnesses: [W1.vkey] },
    replaced(...stranger, stranger[0], cosigned(text, W1, START_S + 20)),
  );

  /** Entry 3 claims `ms`; checkpoints at 5 and 6 were cosigned at those seconds. */
  const timed = (ms, five, six) => {
    const log = new Log().open().notes(3, () => 'run-1');
    log.add('secret.used', { host: 'h', name: 'x', stepPath: 'a' }, { time: at(ms) });
    log.notes(5, () => 'run-2').publish({ witnesses: five });
    return log.notes(6, () => 'run-2').publish({ witnesses: six });
  };
  const one = { witnesses: [W1.vkey] };
  const forged = { verdict: 'chain-broken', index: '3' };
  const seconds = (s, ...keys) => (keys.length > 0 ? keys : [W1]).map((key) => [key, START_S + s]);
  test('a time within the second of the next cosignature', timed(10_999, seconds(10), seconds(30)), ok, one);
  test(
    'a time after the second of the next cosignature',
    timed(11_000, seconds(10), seconds(30)),
    forged,
    one,
  );
  test('a time after the next cosignature, nobody being asked', timed(11_000, seconds(10), seconds(30)), ok);
  test('a time after the cosignature of the newest checkpoint', timed(31_000, [], seconds(30)), forged, one);
  test(
    'a time after one of two witnesses, the other being later',
    timed(11_000, [...seconds(10), ...seconds(20, W2)], seconds(30, W1, W2)),
    ok,
    { witnesses: [W1.vkey, W2.vkey] },
  );
  test(
    'a time after both witnesses',
    timed(21_000, [...seconds(10), ...seconds(20, W2)], seconds(30, W1, W2)),
    forged,
    { witnesses: [W1.vkey, W2.vkey] },
  );
  test('a time after a cosignature that was no quorum', timed(11_000, seconds(10), seconds(30, W1, W2)), ok, {
    witnesses: [W1.vkey, W2.vkey],
  });
  test('a time after a cosignature kept elsewhere', timed(11_000, [], seconds(30)), forged, {
    ...one,
    old: [timed(11_000, seconds(10), seconds(30)).note(5)],
  });
  write();
}
