// Signed notes alone.
import { LOG, NEXT, START_S, STRANGER, W1, cosigned, line, signed } from './log.mjs';
import { single } from './vector-file.mjs';

export function notes() {
  const { test, write } = single('notes', 'signed notes under known keys: `verified` names who signed');
  const text = 'any text\nof two lines\n';
  const by = (...keys) => ({ note: Buffer.from(signed(text, ...keys)) });
  const good = signed(text, LOG);
  const raw = (note) => ({ note: Buffer.from(note) });
  const verified = (...keys) => ({ ok: true, unverified: 0, verified: keys.map(({ name }) => name) });
  const known = { vkeys: [LOG.vkey, W1.vkey] };
  const wrong = { ok: false };
  test('one signature', by(LOG), verified(LOG), known);
  test('one signature twice', by(LOG, LOG), verified(LOG), known);
  test('a signature of nobody known beside', by(LOG, STRANGER), { ...verified(LOG), unverified: 1 }, known);
  test(
    'the same unknown line twice',
    by(LOG, STRANGER, STRANGER),
    { ...verified(LOG), unverified: 1 },
    known,
  );
  test('nobody known', by(STRANGER), wrong, known);
  test('a cosignature alone', raw(`${text}\n${cosigned(text, W1, START_S)}`), verified(W1), known);
  test('log and cosignature', raw(good + cosigned(text, W1, 2n ** 63n - 1n)), verified(LOG, W1), known);
  test('a cosignature of time 2^63', raw(good + cosigned(text, W1, 2n ** 63n)), wrong, known);
  test('a cosignature of time 0', raw(good + cosigned(text, W1, 0)), wrong, known);
  test(
    'a cosignature without its time',
    raw(good + line(W1, W1.sign(`cosignature/v1\ntime 1\n${text}`))),
    wrong,
    known,
  );
  test(
    'a log signature that is too long',
    raw(`${text}\n${line(LOG, Buffer.concat([LOG.sign(text), Buffer.of(0)]))}`),
    wrong,
    known,
  );
  test('one good and one bad line of a key', raw(good + line(LOG, LOG.sign('x'))), wrong, known);
  test('two keys of one name', by(LOG, NEXT), verified(LOG, NEXT), { vkeys: [LOG.vkey, NEXT.vkey] });
  test('an empty line in the text', raw(signed('a\n\nb\n', LOG)), verified(LOG), known);
  test('no empty line', raw(good.replace('\n\n', '\n')), wrong, known);
  test('no newline at the end', raw(good.slice(0, -1)), wrong, known);
  test('an empty line at the end', raw(`${good}\n`), wrong, known);
  test('a line that is no signature', raw(`${good}x\n`), wrong, known);
  test('a hyphen instead of the dash', raw(good.replace('\u2014', '-')), wrong, known);
  test('two spaces', raw(good.replace('\u2014 ', '\u2014  ')), wrong, known);
  test('a carriage return', raw(signed('a\r\n', LOG)), wrong, known);
  test('a tab', raw(signed('a\tb\n', LOG)), wrong, known);
  test('a DEL', raw(signed('a\u007fb\n', LOG)), verified(LOG), known);
  test(
    'bytes that are not UTF-8',
    { note: Buffer.concat([Buffer.of(0xff), Buffer.from(good)]) },
    wrong,
    known,
  );
  test('base64 without padding', raw(good.replace(/=+\n$/, '\n')), wrong, known);
  test(
    'base64 with bits left over',
    raw(good.replace(/.=\n$/, (end) => `${String.fromCharCode(end.charCodeAt(0) + 1)}=\n`)),
    wrong,
    known,
  );
  test(
    '65,536 bytes',
    raw(signed(`${'x'.repeat(65_536 - Buffer.byteLength(signed('\n', LOG)))}\n`, LOG)),
    verified(LOG),
    known,
  );
  test(
    '65,537 bytes',
    raw(signed(`${'x'.repeat(65_537 - Buffer.byteLength(signed('\n', LOG)))}\n`, LOG)),
    wrong,
    known,
  );
  test('nothing', raw(''), wrong, known);
  write();
}
