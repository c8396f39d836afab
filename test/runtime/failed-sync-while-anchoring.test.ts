// A sync that fails while the log is anchored, its key is changed or an erasure is finished ends the process as one that
// fails while publishing does: what the failed write left on the disk is unknown, so nothing may act on it.
import path from 'node:path';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import type { LogDirectory } from '../../src/runtime/ports.js';
import type { Writ } from '../../src/runtime/writ.js';
import { readWitnessSet } from '../../src/runtime/witness/set.js';
import { replacing } from '../contract/fault-store.js';
import { testKey } from '../contract/witness-log.js';
import { refusalOf, steps, useTeam, type OpenChange, type Team } from './fixture.js';

const here = useTeam();
const ONE = steps(['functionId: "tool::test_one"']);
const failed = (what: string): WritError => new WritError('STORE_IO', `can't make ${what} durable`);

/** The first `put` of `file` after `arm` fails. */
function failing(file: string): {
  readonly arm: () => void;
  readonly directory: (inner: LogDirectory) => LogDirectory;
} {
  let armed = false;
  const directory = (inner: LogDirectory): LogDirectory =>
    replacing(inner, {
      put: async (name, bytes) => {
        if (armed && name === file) {
          armed = false;
          throw failed(file);
        }
        await inner.put(name, bytes);
      },
    });
  return { arm: () => (armed = true), directory };
}

/** A witness that never answers. */
function anchorsOf(team: Team): NonNullable<OpenChange['anchors']> {
  const witness = testKey('witness.example/w1', 40, 4);
  const vkey = readFileSync(path.join(team.data, 'audit', 'vkey'), 'utf8').trim();
  const policy = `log ${vkey}\nwitness w1 ${witness.vkey} http://w1.example/\nquorum w1\n`;
  const post = async (): Promise<{ failure: string }> => ({ failure: 'down' });
  return { post, witnesses: readWitnessSet(policy), timestamps: null, everyMs: 0 };
}

const anchor = (writ: Writ): Promise<unknown> => writ.anchor(new AbortController().signal);

it.each([
  ['the copy of the policy', 'policy', anchor],
  ['the checkpoint while anchoring', 'checkpoint', anchor],
  ['the copy of the policy at the end of a run', 'policy', (writ: Writ) => here.team.run(writ, ONE)],
  [
    'the checkpoint while the key is changed',
    'checkpoint',
    async (writ: Writ) => writ.rotateLogKey(await here.team.as(writ, 'ada')),
  ],
] as const)('ends the process, whatever it wrote: %s', async (_, file, act) => {
  const { team } = here;
  const { arm, directory } = failing(file);
  const writ = await team.open({ directory, anchors: anchorsOf(team) });
  if (file === 'checkpoint')
    await writ.start({ workflow: { text: ONE, file: null }, input: {} }, await team.as(writ, 'alice'));
  arm();
  expect((await refusalOf(act(writ))).code).toBe('STORE_IO');
  const calls = team.functions.calls.length;
  expect((await refusalOf(team.run(writ, ONE))).code).toBe('STORE_IO');
  expect((await refusalOf(anchor(writ))).code).toBe('STORE_IO');
  expect(team.functions.calls.length).toBe(calls);
});

it('ends the process when what an erasure left to do can not be finished', async () => {
  const { team } = here;
  let armed = false;
  const writ = await team.open({
    store: (inner) =>
      replacing(inner, {
        unscrubbed: async () => {
          if (armed) throw failed('the store');
          return inner.unscrubbed();
        },
      }),
  });
  armed = true;
  const request = { what: { kind: 'expired' }, basis: 'retention' } as const;
  expect((await refusalOf(writ.erase(request, await team.as(writ, 'ada')))).code).toBe('STORE_IO');
  armed = false;
  expect((await refusalOf(team.run(writ, ONE))).code).toBe('STORE_IO');
  expect(team.functions.calls).toEqual([]);
});
