// The older checkpoint that a bundle shows the log has grown from.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { decodeEvidence } from '../../src/audit/evidence/format.js';
import { emptyRoot, parseCheckpoint, parseNote, signCheckpoint } from '../../src/audit/index.js';
import { testKey } from '../contract/witness-log.js';
import { refusalOf, rules, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = steps(['functionId: "tool::test_one"']);

async function bundles(): Promise<(first: string) => Promise<Uint8Array>> {
  const { team } = here;
  const policies = team.policiesWith('rbac/test.yaml', () => undefined);
  const exporting = rules(['auditor', 'audit.export', '*']).replace('TEST-1', 'EXPORT-1');
  writeFileSync(path.join(policies, 'rbac', 'export.yaml'), exporting);
  const writ = await team.open({ policies });
  const { id: run } = await team.run(writ, ONE);
  const audrey = await team.as(writ, 'audrey');
  return (first) => writ.evidence({ run, first, payloads: 'none', custodian: null, files: [] }, audrey);
}

const key = testKey('log.example/older', 9);
const signed = (size: bigint, root: Uint8Array): string =>
  signCheckpoint(key.vkey, size, root, (message) => key.sign(message));

it('an honest older checkpoint of no entries is called what it is, and not a fork', async () => {
  const make = await bundles();
  expect(await refusalOf(make(signed(0n, emptyRoot())))).toMatchObject({ code: 'USAGE', exitCode: 2 });
  const wrong = signed(0n, new Uint8Array(32));
  expect(await refusalOf(make(wrong))).toMatchObject({ code: 'AUDIT_CHECKPOINT_INVALID' });
});

it('is one of this log, or the bundle is not made', async () => {
  const make = await bundles();
  const note = readFileSync(path.join(here.team.data, 'audit', 'checkpoint'), 'utf8');
  const { size, root } = parseCheckpoint(parseNote(note).text);
  expect(decodeEvidence(await make(note)).evidence?.first?.checkpoint).toBe(note);
  expect(await refusalOf(make(signed(1n, root)))).toMatchObject({ code: 'AUDIT_FORK' });
  expect(await refusalOf(make(signed(size + 1_000n, root)))).toMatchObject({ code: 'AUDIT_ROLLBACK' });
});
