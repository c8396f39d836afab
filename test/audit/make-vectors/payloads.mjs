// Commitments and the payloads behind them.
import { createHmac } from 'node:crypto';
import { base64 } from './log.mjs';
import { logOf } from './run-lines.mjs';
import { group, ok } from './vector-file.mjs';

export function payloads() {
  const { keep, test, write } = group(
    'payloads',
    'commitments and the payloads behind them, there, changed, erased',
  );
  const [salt, bytes] = [Buffer.alloc(32, 5), Buffer.from('the input')];
  const commitment = createHmac('sha256', salt).update('\0input\0').update(bytes).digest('hex');
  const started = [
    'run.started',
    { initiator: 'user:alice', parentRun: null },
    { commit: { input: commitment } },
  ];
  const erased = [
    'payload.erased',
    { basis: 'b', commitment, label: 'input', requester: 'user:alice' },
    { run: null },
  ];
  keep('committed', logOf([started]));
  keep('erased', logOf([started, erased]));
  const given = (payload) => ({ payloads: payload === null ? {} : { [commitment]: payload } });
  const there = { salt: base64(salt), bytes: base64(bytes) };
  test('the payload is there', 'committed', ok, given(there));
  test('nobody asked for payloads', 'committed', ok);
  test(
    'the payload is another',
    'committed',
    { verdict: 'payload-mismatch', index: '1' },
    given({ ...there, bytes: base64('the inpuT') }),
  );
  test(
    'the salt is another',
    'committed',
    { verdict: 'payload-mismatch', index: '1' },
    given({ ...there, salt: base64(Buffer.alloc(32, 6)) }),
  );
  test(
    'the salt is too short',
    'committed',
    { verdict: 'payload-mismatch', index: '1' },
    given({ ...there, salt: base64(salt.subarray(1)) }),
  );
  for (const [name, payload] of [
    ['payload', null],
    ['salt and bytes are', { salt: null, bytes: null }],
    ['salt is', { ...there, salt: null }],
    ['bytes are', { ...there, bytes: null }],
  ])
    test(
      `the ${name} gone and no entry says so`,
      'committed',
      { verdict: 'erased-unlogged', index: '1' },
      given(payload),
    );
  test('the payload is gone and an entry says so', 'erased', { ...ok, erased: 1 }, given(null));
  test(
    'the payload is still there although an entry says it was erased',
    'erased',
    { ...ok, erased: 1 },
    given(there),
  );
  test('an erasure of nothing', logOf([['payload.erased', { commitment: 'x' }, { run: null }]]), {
    verdict: 'not-canonical',
    index: '1',
  });
  write();
}
