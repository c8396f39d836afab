// Entries that are not what they must be, in logs that are signed all the same.
import { hex, leafHash } from '../../../audit/verify.mjs';
import { Log, ORIGIN, at } from './log.mjs';
import { group, ok } from './vector-file.mjs';

export function entries() {
  const { test, write } = group(
    'entries',
    'logs whose one or few entries are not what they must be, signed all the same',
  );
  const text = new Log().open().entries[0].toString();
  const of = (...all) => {
    const log = new Log();
    for (const one of all) log.raw(Buffer.from(one));
    return log.publish();
  };
  const cases = [
    ['two equal keys', text.replace('"v":1', '"v":1,"v":1'), 'malformed'],
    ['two keys that are equal after unescaping', text.replace('"v":1', '"v":1,"\\u0076":1'), 'malformed'],
    [
      'two equal keys deep inside',
      text.replace('"softwareVersion":"0"', '"softwareVersion":{"a":1,"a":2}'),
      'malformed',
    ],
    ['a trailing newline', `${text}\n`, 'not-canonical'],
    ['a trailing value', `${text}{}`, 'malformed'],
    ['white space', text.replace(':', ': '), 'not-canonical'],
    ['a byte order mark', `\ufeff${text}`, 'malformed'],
    [
      'bytes that are not UTF-8',
      Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.of(0xff), Buffer.from('}')]),
      'malformed',
    ],
    ['an escaped letter', text.replace('alice', '\\u0061lice'), 'not-canonical'],
    ['an upper-case escape', text.replace('alice', '\\u000B'), 'not-canonical'],
    ['a raw control character', text.replace('alice', 'al\u0001ice'), 'malformed'],
    ['an unpaired surrogate', text.replace('alice', '\\ud800'), 'malformed'],
    [
      'keys in another order',
      text.replace('"v":1,"workflow":null', '"workflow":null,"v":1'),
      'not-canonical',
    ],
    ['a fraction of zero', text.replace('"seq":0', '"seq":0.0'), 'not-canonical'],
    ['a minus zero', text.replace('"seq":0', '"seq":-0'), 'not-canonical'],
    ['an exponent', text.replace('"seq":0', '"seq":0e0'), 'not-canonical'],
    [
      'an integer that no double holds',
      text.replace('"softwareVersion":"0"', '"softwareVersion":9007199254740993'),
      'malformed',
    ],
    [
      'an integer beyond 2^53-1 that a double holds',
      text.replace('"softwareVersion":"0"', '"softwareVersion":9007199254740992'),
      'not-canonical',
    ],
    [
      'a number that overflows',
      text.replace('"softwareVersion":"0"', '"softwareVersion":1e400'),
      'malformed',
    ],
    [
      'a number that vanishes',
      text.replace('"softwareVersion":"0"', '"softwareVersion":1e-400'),
      'malformed',
    ],
    [
      'a fraction of 400 digits',
      text.replace('"softwareVersion":"0"', `"softwareVersion":0.${'3'.repeat(400)}`),
      'not-canonical',
    ],
    [
      'an integer of 400 digits',
      text.replace('"softwareVersion":"0"', `"softwareVersion":${'3'.repeat(400)}`),
      'malformed',
    ],
    [
      'nesting that is too deep',
      text.replace('"softwareVersion":"0"', `"softwareVersion":${'['.repeat(63)}${']'.repeat(63)}`),
      'malformed',
    ],
    ['no object', '[]', 'not-canonical'],
    ['nothing', '', 'malformed'],
    ['an unknown key', text.replace('"workflow":null', '"workflow":null,"x":1'), 'not-canonical'],
    ['a missing key', text.replace(',"workflow":null', ''), 'not-canonical'],
    ['an actor with another key', text.replace('"via":"cli"', '"via":"cli","x":1'), 'not-canonical'],
    ['another version', text.replace('"v":1', '"v":2'), 'not-canonical'],
    ['a type without a dot', text.replace('log.opened', 'logopened'), 'not-canonical'],
    ['an empty tenant', text.replace('"tenant":"default"', '"tenant":""'), 'not-canonical'],
    ['a run that is a number', text.replace('"run":null', '"run":1'), 'not-canonical'],
    ['a negative seq', text.replace('"seq":0', '"seq":-1'), 'not-canonical'],
    ['a commit that is no hex', text.replace('"commit":{}', '"commit":{"a":"b"}'), 'not-canonical'],
    [
      'a commit with a label that has a space',
      text.replace('"commit":{}', `"commit":{"a b":"${'0'.repeat(64)}"}`),
      'not-canonical',
    ],
    ['data that is a list', text.replace(/"data":\{[^}]*\}/, '"data":[]'), 'not-canonical'],
    [
      'a policy hash in upper case',
      text.replace('"policy":null', `"policy":"${'A'.repeat(64)}"`),
      'not-canonical',
    ],
    ['a workflow without hash', text.replace('"workflow":null', '"workflow":{"id":"x"}'), 'not-canonical'],
    ['a time without milliseconds', text.replace('.000Z', 'Z'), 'not-canonical'],
    ['a day that does not exist', text.replace('2026-03-01', '2026-02-30'), 'not-canonical'],
    ['a leap second', text.replace('09:30:00', '09:30:60'), 'not-canonical'],
    ['a seq that begins at 1', text.replace('"seq":0', '"seq":1'), 'chain-broken'],
    [
      'a predecessor for the first',
      text.replace('"prev":null', `"prev":"${'0'.repeat(64)}"`),
      'chain-broken',
    ],
    ['another origin', text.replace(`"origin":"${ORIGIN}"`, '"origin":"log.example/else"'), 'wrong-origin'],
    ['no vkey', text.replace(/,"vkey":"[^"]*"/, ''), 'not-canonical'],
  ];
  for (const [name, entry, verdict] of cases) {
    if (String(entry) === text) throw new Error(`"${name}" changes nothing`);
    test(`an entry with ${name}`, of(entry), { verdict, index: '0' });
  }
  const deep = new Log().open();
  deep.add('secret.used', { deep: JSON.parse(`${'['.repeat(62)}${']'.repeat(62)}`) });
  test('an entry that is nested 64 deep', deep.publish(), ok);
  const strange = new Log().open();
  strange.add('secret.used', {
    '\u20ac': 1,
    '\r': 2,
    '\ufb33': 3,
    1: 4,
    '\ud83d\ude00': 5,
    '\u0080': 6,
    '\u00f6': 7,
    __proto__x: 8,
    small: 1e-7,
    half: 0.5,
    text: '\b\t\n\f\r"\\\u007f\u2028</script>',
  });
  test('an entry with keys and numbers that are easy to write wrong', strange.publish(), ok);
  const proto = new Log().open();
  proto.raw(
    Buffer.from(
      proto.entries[0]
        .toString()
        .replace(/"data":\{[^}]*\}/, '"data":{"__proto__":1,"constructor":2}')
        .replace('log.opened', 'secret.used')
        .replace('"run":null', '"run":"run-1"'),
    ),
  );
  test('an entry with a key __proto__', proto.publish(), ok);

  const five = () => new Log().open().notes(4);
  test('a seq that leaves one out', withEntry(five(), { seq: 2 }), { verdict: 'chain-broken', index: '4' });
  test('a predecessor of another run', withEntry(five(), { prev: hex(leafHash(five().entries[2])) }), {
    verdict: 'chain-broken',
    index: '4',
  });
  test('a time that goes back within a run', withEntry(five(), { time: at(-1) }), {
    verdict: 'chain-broken',
    index: '4',
  });
  test('a time that goes back between runs', withEntry(five(), { run: 'run-9', time: at(-1) }), ok);
  test('a time that stands still', withEntry(five(), { time: at(1) }), ok);
  const gone = new Log().open().notes(8);
  gone.entries.splice(4, 1);
  test('a log that leaves out an entry and signs the rest', gone.publish(), {
    verdict: 'chain-broken',
    index: '6',
  });
  const doubled = new Log().open().notes(5);
  doubled.raw(doubled.entries[4]);
  test('a log that repeats an entry', doubled.publish(), { verdict: 'chain-broken', index: '5' });
  const swapped = new Log().open().notes(5);
  [swapped.entries[1], swapped.entries[4]] = [swapped.entries[4], swapped.entries[1]];
  test('a log that swaps two entries of a run and signs', swapped.publish(), {
    verdict: 'chain-broken',
    index: '1',
  });
  const second = new Log().open();
  second.open();
  test('a log that is opened twice', second.publish(), { verdict: 'order-broken', index: '1' });
  const inRun = new Log().open();
  inRun.open({ run: 'run-1' });
  test('a log that is opened in a run', inRun.publish(), { verdict: 'order-broken', index: '1' });
  write();
}
function withEntry(log, over) {
  log.add('secret.used', { host: 'h', name: 'x', stepPath: 'a' }, { run: 'run-1', ...over });
  return log.publish();
}
