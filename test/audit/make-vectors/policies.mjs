// tlog-policies.
import { LOG, NEXT, W1, W2, W3, keyOf, namedKey } from './log.mjs';
import { single } from './vector-file.mjs';

export function policies() {
  const { test, write } = single('policies', 'tlog-policies that are read, or refused');
  const base = [
    `log ${LOG.vkey}`,
    `witness w1 ${W1.vkey}`,
    `witness w2 ${W2.vkey} https://w2.example/`,
    `witness w3 ${W3.vkey}`,
  ];
  const policy = (name, isOk, ...lines) =>
    test(name, { policy: Buffer.from(`${lines.join('\n')}\n`) }, { ok: isOk });
  const good = (name, ...lines) => policy(name, true, ...base, ...lines);
  const bad = (name, ...lines) => policy(name, false, ...base, ...lines);
  good('a witness as quorum', 'quorum w1');
  good('no quorum', 'quorum none');
  good('any', 'group g any w1 w2', 'quorum g');
  good('all', 'group g all w1 w2', 'quorum g');
  good('a number', 'group g 2 w1 w2 w3', 'quorum g');
  good('groups in groups', 'group a any w1 w2', 'group b all a w3', 'quorum b');
  good('comments, tabs, empty lines', '# comment', '  \t# comment', '', ' \tquorum\tw1  ');
  good(
    'a quorum before a witness that is defined later',
    'quorum w1',
    `witness w4 ${keyOf('witness4.example', 14, 4).vkey}`,
  );
  good(
    'a witness of type 06',
    `witness pq ${namedKey('pq.example', 6, Buffer.alloc(1312, 5)).vkey}`,
    'quorum w1',
  );
  policy('nothing but a quorum', true, 'quorum none');
  bad('no quorum line');
  bad('two quorum lines', 'quorum w1', 'quorum w1');
  bad('a quorum that is not defined', 'quorum w9');
  bad('a quorum that is defined below', 'quorum g', 'group g any w1');
  bad('a quorum of two names', 'quorum w1 w2');
  bad('a name twice', `witness w1 ${keyOf('witness4.example', 14, 4).vkey}`, 'quorum w1');
  bad('a group named like a witness', 'group w1 any w2', 'quorum w1');
  bad('a group named none', 'group none any w1', 'quorum none');
  bad('a member none', 'group g any none', 'quorum g');
  bad('a member twice', 'group g 1 w1 w1', 'quorum g');
  bad('a member of two groups', 'group a any w1 w2', 'group b any w1 w3', 'quorum b');
  bad('a member of itself', 'group g any g', 'quorum g');
  bad('a group without members', 'group g any', 'quorum w1');
  bad('a threshold of 0', 'group g 0 w1', 'quorum g');
  bad('a threshold above the members', 'group g 3 w1 w2', 'quorum g');
  bad('a threshold with a leading zero', 'group g 01 w1', 'quorum g');
  bad('a threshold that is no number', 'group g some w1', 'quorum g');
  bad('a public key twice', `witness w4 ${keyOf('else.example', 11, 4).vkey}`, 'quorum w1');
  bad('a public key as log and as witness', `witness w4 ${keyOf('else.example', 1, 4).vkey}`, 'quorum w1');
  bad('a log key as witness', `witness w4 ${NEXT.vkey}`, 'quorum w1');
  bad('a witness key as log', `log ${keyOf('witness4.example', 14, 4).vkey}`, 'quorum w1');
  bad('a vkey that can not be read', `log ${LOG.vkey}x`, 'quorum w1');
  bad('too many words', `log ${NEXT.vkey} https://a b`, 'quorum w1');
  bad('an unknown word', 'threshold 2', 'quorum w1');
  bad('a word in upper case', 'QUORUM w1');
  bad('a carriage return', 'quorum w1\r');
  bad('a DEL', '# \u007f', 'quorum w1');
  bad('a no-break space behind the quorum', 'quorum w1\u00a0');
  test('no newline at the end', { policy: Buffer.from('quorum none') }, { ok: false });
  test('nothing', { policy: Buffer.alloc(0) }, { ok: false });
  write();
}
