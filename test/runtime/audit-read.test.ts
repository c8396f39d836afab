// Reading the log through its own right: what a run's entries are, the proof of one, and a copy of the whole.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { commitment, leafHash, parseEntry, verifyProof } from '../../src/audit/index.js';
import { canonicalJson } from '../../src/canonical-json.js';
import { isHex64, isObject, type Json } from '../../src/json.js';
import { verifyData } from '../../src/open.js';
import { WritError } from '../../src/errors.js';
import type { Store } from '../../src/runtime/ports.js';
import type { Writ } from '../../src/runtime/writ.js';
import { refusalOf, rules, steps, type Team, useTeam } from './fixture.js';

const here = useTeam();
const ONE = steps(['functionId: "tool::test_one"']);

/** Audrey may take copies away too. */
function exporting(team: Team): string {
  const policies = team.policiesWith('rbac/test.yaml', () => undefined);
  writeFileSync(
    path.join(policies, 'rbac', 'export.yaml'),
    rules(['auditor', 'audit.export', '*']).replace('TEST-1', 'EXPORT-1'),
  );
  return policies;
}

async function finished(): Promise<{ team: Team; writ: Writ; run: string }> {
  const { team } = here;
  const writ = await team.open({ policies: exporting(team) });
  const run = await team.run(writ, ONE, { claim: 'C-1' });
  return { team, writ, run: run.id };
}

describe('the entries of a run', () => {
  it('are shown in order, with the leaf hashes of their own bytes', async () => {
    const { team, writ, run } = await finished();
    const shown = await writ.auditRun(run, await team.as(writ, 'audrey'));
    expect(shown.entries.map(({ entry }) => entry.type)).toEqual(await team.types(run));
    for (const { bytes, leafHash: hash, entry } of shown.entries) {
      expect(hash).toEqual(leafHash(bytes));
      expect(parseEntry(bytes)).toEqual(entry);
    }
    expect(shown.entries.filter(({ isOpen }) => isOpen)).toEqual([]);
    expect(shown.size).toBe((await team.stored((store) => store.log())).size);
  });

  it('are shown to nobody without the right, which the log records either way', async () => {
    const { team, writ, run } = await finished();
    const refusal = await refusalOf(writ.auditRun(run, await team.as(writ, 'alice')));
    expect(refusal).toMatchObject({ kind: 'refusal', exitCode: 3 });
    await writ.auditRun(run, await team.as(writ, 'audrey'));
    const asked = (await team.entries(null)).filter(({ data }) => data['action'] === 'audit.read');
    expect(asked.map(({ actor, data }) => [actor.id, data['verdict'], data['resource']])).toEqual([
      ['user:alice', 'deny', run],
      ['user:audrey', 'allow', run],
    ]);
  });

  it('mark an intent whose outcome is not logged', async () => {
    const { team } = here;
    const writ = await team.open();
    let release: (value: Json) => void = () => undefined;
    const held = new Promise<Json>((resolve) => {
      release = resolve;
    });
    team.functions.answer('tool::test_one', () => held);
    const run = await team.start(writ, ONE);
    let seen: readonly string[] = [];
    const driving = team.drive(writ, run);
    while (team.functions.calls.length === 0) await new Promise(setImmediate);
    const audrey = await team.as(writ, 'audrey');
    seen = (await writ.auditRun(run, audrey)).entries
      .filter((one) => one.isOpen)
      .map((one) => one.entry.type);
    const [open] = (await writ.auditRun(run, audrey)).entries.filter((one) => one.isOpen);
    expect((await writ.auditEntry(open?.index ?? -1n, audrey)).isOpen).toBe(true);
    release({});
    await driving;
    expect(seen).toEqual(['step.intended']);
    expect((await writ.auditEntry(open?.index ?? -1n, audrey)).isOpen).toBe(false);
  });

  it('are found by index, also those about the log itself', async () => {
    const { team, writ, run } = await finished();
    const audrey = await team.as(writ, 'audrey');
    expect((await writ.auditEntry(0n, audrey)).entry.type).toBe('log.opened');
    const { entries } = await writ.auditRun(run, audrey);
    const last = entries.at(-1);
    expect((await writ.auditEntry(last?.index ?? 0n, audrey)).entry.type).toBe('run.finished');
    expect(await refusalOf(writ.auditEntry(10_000n, audrey))).toMatchObject({ code: 'NOT_FOUND' });
    for (const id of ['run_none', '']) {
      expect((await refusalOf(writ.auditRun(id, audrey))).code, id).toBe('NOT_FOUND');
    }
  });

  it('are not shown when somebody has changed one in the store', async () => {
    const { team, writ, run } = await finished();
    const audrey = await team.as(writ, 'audrey');
    const { entries } = await writ.auditRun(run, audrey);
    const index = entries[1]?.index ?? 0n;
    const before = Buffer.from(entries[1]?.bytes ?? []);
    const after = Buffer.from(before.toString().replace('user:alice', 'user:bobby'));
    const db = new Database(path.join(team.data, 'writ.db'));
    const put = db.prepare('UPDATE log_entry SET bytes = ? WHERE idx = ?');
    put.run(after, index);
    const refusal = await refusalOf(writ.auditRun(run, audrey));
    expect(refusal).toMatchObject({ code: 'AUDIT_ENTRY_INVALID', exitCode: 5 });
    put.run(before, index);
    db.close();
  });
});

describe('the proof of an entry', () => {
  it('verifies for every entry of the log under the log key', async () => {
    const { team, writ } = await finished();
    const audrey = await team.as(writ, 'audrey');
    const { size } = await team.stored((store) => store.log());
    for (let index = 0n; index < size; index++) {
      const made = await writ.proveEntry(index, audrey);
      expect(made.size).toBeGreaterThan(size);
      const report = verifyProof(made.proof, made.entry, { vkeys: [writ.vkey()] });
      expect(report.verdict, `entry ${index}`).toBe('verified');
      expect(report.index).toBe(index.toString());
    }
  });

  it('is found by the leaf hash as well', async () => {
    const { team, writ, run } = await finished();
    const audrey = await team.as(writ, 'audrey');
    const [first] = (await writ.auditRun(run, audrey)).entries;
    const made = await writ.proveEntry(first?.leafHash ?? new Uint8Array(32), audrey);
    expect(made.index).toBe(first?.index);
    expect(await refusalOf(writ.proveEntry(new Uint8Array(32), audrey))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await refusalOf(writ.proveEntry(9_999n, audrey))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is made for nobody without the right', async () => {
    const { team, writ } = await finished();
    const alice = await team.as(writ, 'alice');
    const known = await writ.proveEntry(0n, await team.as(writ, 'audrey'));
    // Also by a leaf hash, where nothing tells whether the log has it.
    for (const which of [0n, known.leafHash, new Uint8Array(32)]) {
      const refusal = await refusalOf(writ.proveEntry(which, alice));
      expect(refusal).toMatchObject({ kind: 'refusal', exitCode: 3 });
      expect((await team.entries(null)).at(-1)?.data).toMatchObject({
        action: 'audit.read',
        verdict: 'deny',
      });
    }
  });

  it('made before a change of the key holds under the former key, made after it under the new one', async () => {
    const { team, writ } = await finished();
    const audrey = await team.as(writ, 'audrey');
    const before = await writ.proveEntry(1n, audrey);
    const { oldVkey, newVkey } = await writ.rotateLogKey(await team.as(writ, 'ada'));
    const after = await writ.proveEntry(1n, audrey);
    const verdict = (made: typeof before, vkey: string): string =>
      verifyProof(made.proof, made.entry, { vkeys: [vkey] }).verdict;
    expect(verdict(before, oldVkey)).toBe('verified');
    expect(verdict(before, newVkey)).toBe('bad-signature');
    expect(verdict(after, newVkey)).toBe('verified');
    expect(verdict(after, oldVkey)).toBe('bad-signature');
  });
});

function filesBelow(dir: string): Map<string, string> {
  const found = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    found
      .map((entry) => path.join(entry.parentPath, entry.name))
      .sort()
      .map((file) => [path.relative(dir, file), readFileSync(file, 'base64')]),
  );
}

describe('a copy of the log', () => {
  it('is the published tree, byte for byte, and verifies', async () => {
    const { team, writ } = await finished();
    const dir = path.join(team.home, 'copy');
    const made = await writ.exportLog({ dir, payloads: null, size: null }, await team.as(writ, 'audrey'));
    expect(made.report.findings).toEqual([]);
    expect(made).toMatchObject({ vkey: writ.vkey(), payloads: null, report: { verdict: 'verified' } });
    const copy = filesBelow(dir);
    expect(copy).toEqual(filesBelow(path.join(team.data, 'audit')));
    expect(copy.size).toBe(made.files);
  });

  it('is refused where something is already, and to whoever may not take one', async () => {
    const { team, writ } = await finished();
    const audrey = await team.as(writ, 'audrey');
    const dir = path.join(team.home, 'copy');
    mkdirSync(dir);
    writeFileSync(path.join(dir, 'mine'), 'x');
    expect((await refusalOf(writ.exportLog({ dir, payloads: null, size: null }, audrey))).code).toBe('USAGE');
    const file = path.join(dir, 'mine');
    for (const wrong of [
      { dir: file, payloads: null, size: null },
      { dir: path.join(team.home, 'new'), payloads: file, size: null },
      { dir: path.join(team.home, 'new2'), payloads: path.join(team.home, 'no', 'where'), size: null },
    ]) {
      expect((await refusalOf(writ.exportLog(wrong, audrey))).code).toBe('USAGE');
    }
    expect(readdirSync(dir)).toEqual(['mine']);
    const other = path.join(team.home, 'other');
    const refusal = await refusalOf(
      writ.exportLog({ dir: other, payloads: null, size: null }, await team.as(writ, 'alice')),
    );
    expect(refusal.exitCode).toBe(3);
    expect(existsSync(other)).toBe(false);
  });

  it('is made of the log as it was when it was signed at a size, under the key of that time', async () => {
    const { team, writ } = await finished();
    const audrey = await team.as(writ, 'audrey');
    const { size } = await writ.proveEntry(0n, audrey);
    const { oldVkey, newVkey } = await writ.rotateLogKey(await team.as(writ, 'ada'));
    const dir = path.join(team.home, 'copy');
    const made = await writ.exportLog({ dir, payloads: null, size }, audrey);
    expect(made).toMatchObject({
      size,
      vkey: oldVkey,
      report: { verdict: 'verified', size: size.toString() },
    });
    const given = { dir, old: [], trust: null, run: null, payloads: false };
    expect((await verifyData({ ...given, vkeys: [newVkey] })).verdict).toBe('bad-signature');
    const never = writ.exportLog({ dir: path.join(team.home, 'no'), payloads: null, size: 10_000n }, audrey);
    expect((await refusalOf(never)).code).toBe('NOT_FOUND');
  });

  it('is left without a checkpoint when the published files are damaged', async () => {
    const { team, writ } = await finished();
    const tile = path.join(team.data, 'audit', 'tile', '0', '000.p', '2');
    const good = readFileSync(tile);
    const bad = Buffer.from(good);
    bad[0] = (bad[0] ?? 0) ^ 1;
    chmodSync(tile, 0o644);
    writeFileSync(tile, bad);
    const dir = path.join(team.home, 'copy');
    const made = await writ.exportLog({ dir, payloads: null, size: null }, await team.as(writ, 'audrey'));
    expect(made.report.ok).toBe(false);
    expect(existsSync(path.join(dir, 'checkpoint'))).toBe(false);
    writeFileSync(tile, good);
  });
});

describe('an export of payloads', () => {
  it('that fails leaves no file, and no record of one that would be named at every erasure', async () => {
    const { team } = await finished();
    const writ = await team.open({ policies: exporting(team), store: (inner) => withoutPayloads(inner) });
    const payloads = path.join(team.home, 'payloads.jsonl');
    const request = { dir: path.join(team.home, 'copy'), payloads, size: null };
    expect((await refusalOf(writ.exportLog(request, await team.as(writ, 'audrey')))).code).toBe('STORE_IO');
    expect(existsSync(payloads)).toBe(false);
    expect(await team.stored((store) => store.copies())).toEqual([]);
  });

  it('has one canonical line for each payload, in a private file that is recorded before it is written', async () => {
    const { team, writ } = await finished();
    const dir = path.join(team.home, 'copy');
    const payloads = path.join(team.home, 'payloads.jsonl');
    const made = await writ.exportLog({ dir, payloads, size: null }, await team.as(writ, 'audrey'));
    expect(statSync(payloads).mode & 0o777).toBe(0o600);
    const text = readFileSync(payloads, 'utf8');
    const lines = text.trimEnd().split('\n');
    expect(lines).toHaveLength(made.payloads ?? -1);
    const seen = new Set<string>();
    for (const line of lines) {
      const value = JSON.parse(line) as Json;
      if (!isObject(value)) throw new Error('a line is an object');
      expect(canonicalJson(value)).toBe(line);
      const { commitment: hex, label, salt, bytes } = value;
      if (typeof hex !== 'string' || !isHex64(hex) || typeof label !== 'string') throw new Error('text');
      if (typeof salt !== 'string' || typeof bytes !== 'string') throw new Error('base64');
      expect(commitment(Buffer.from(salt, 'base64'), label, Buffer.from(bytes, 'base64'))).toBe(hex);
      seen.add(hex);
    }
    expect(seen.size).toBe(lines.length);
    const given = { dir, vkeys: [writ.vkey()], old: [], trust: null, run: null };
    expect((await verifyData({ ...given, payloads })).verdict).toBe('verified');
    writeFileSync(payloads, `${lines.slice(1).join('\n')}\n`);
    expect((await verifyData({ ...given, payloads })).verdict).toBe('erased-unlogged');
    const copies = await team.stored((store) => store.copies());
    expect(copies).toMatchObject([{ path: payloads, run: null }]);
  });
});

/** A store that can't read payloads. */
function withoutPayloads(inner: Store): Store {
  return new Proxy(inner, {
    get: (target, name) => {
      if (name === 'payload') return () => Promise.reject(new WritError('STORE_IO', 'a bad sector'));
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
