// What a user gets for everything that is wrong with a document, an input, the policies, a key, the data directory
// or the log: a message with its place, what to do, the right exit code, one JSON value under --json - and the proof
// that nothing ran.
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { execaSync } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  BOB,
  FLOW,
  HIGH,
  LOW,
  STEPS,
  changed,
  countsOf,
  entriesOf,
  errorOf,
  expectVerified,
  newDesk,
  startWaiting,
  type Counts,
  type Desk,
} from './claims-desk.js';
import { packSlowTriage } from './slow-agent.js';
import { MAIN, hosted, type RunOptions } from './writ.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const BLOBS = '.writ/packages/blobs/sha256';
const TRIAGE = 'sha256:be566a157969505189d680e3803abfc685015095d753e37b9f76d43e61fae11a';

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
});
afterAll(() => desk.remove());

interface Refusal {
  readonly exit: number;
  readonly code: string;
  /** Parts of the message. */
  readonly says: readonly string[];
  readonly hint: string;
}

/** The command fails as said for people and, one value on stdout, for programs. Gives that value. */
async function expectRefusal(on: Desk, words: readonly string[], refusal: Refusal, options: RunOptions = {}) {
  const [human, program] = await Promise.all([on.run(words, options), on.json(words, options)]);
  const lines = human.stderr.trimEnd().split('\n');
  const message = lines.find((line) => line.startsWith('writ: error: ')) ?? '';
  for (const part of refusal.says) expect(message).toContain(part);
  expect(lines.at(-1)).toMatch(/^writ: hint: /u);
  expect(lines.at(-1)).toContain(refusal.hint);
  expect([human.code, human.stdout]).toEqual([refusal.exit, '']);
  expect([program.code, errorOf(program)]).toMatchObject([
    refusal.exit,
    {
      code: refusal.code,
      message: message.slice('writ: error: '.length),
      hint: refusal.hint === '' ? {} : expect.any(String),
    },
  ]);
  return program.value as { error: { details?: { diagnostics?: { code?: string }[] } } };
}

/** `file:line:column` of the first `marker` in a file, as an editor counts. */
function placeOf(on: Desk, file: string, marker: string): string {
  const before = readFileSync(on.at(file), 'utf8').split(marker)[0]?.split('\n') ?? [];
  return `${file}:${before.length}:${(before.at(-1) ?? '').length + 1}`;
}

const run = (workflow: string, input = LOW): string[] => ['workflow', 'run', workflow, '--input', input];

interface DocumentRow {
  readonly title: string;
  readonly file: string;
  /** What of the file is changed into what. */
  readonly from: string;
  readonly to: string;
  /** The diagnostic's code. */
  readonly finding: string;
  /** The diagnostic's place is where this text begins. */
  readonly at: string;
  readonly says: string;
  readonly hint: string;
}

describe('what is refused before anything is written', () => {
  let before: Counts;
  let checkpoint: string;
  beforeAll(() => {
    before = countsOf(desk);
    checkpoint = readFileSync(desk.at('.writ/audit/checkpoint'), 'utf8');
  });
  /** No run, no intent, and not one byte more in the log, which verifies. */
  afterAll(async () => {
    expect(countsOf(desk)).toEqual({ ...before, runs: 0, intents: 0 });
    expect(readFileSync(desk.at('.writ/audit/checkpoint'), 'utf8')).toBe(checkpoint);
    await expectVerified(desk);
  });
  const expectUntouched = (): void => {
    expect(countsOf(desk)).toEqual(before);
  };

  // prettier-ignore
  it.each<DocumentRow>([
    { title: 'an unknown field', file: FLOW, from: 'resultPath: $.triage', to: 'resultPth: $.triage',
      finding: 'DOC_UNKNOWN_FIELD', at: 'resultPth', says: 'no field "resultPth"', hint: 'did you mean "resultPath"?' },
    { title: 'a value of the wrong type', file: FLOW, from: 'timeoutSeconds: 120', to: 'timeoutSeconds: soon',
      finding: 'DOC_WRONG_TYPE', at: 'soon', says: '"timeoutSeconds" must be a whole number', hint: 'writ validate' },
    { title: 'YAML that does not parse', file: FLOW, from: 'startAt: Triage', to: 'startAt: [Triage',
      finding: 'DOC_SYNTAX', at: 'states:', says: 'flow sequence', hint: 'a [ or { is closed' },
    { title: 'a duplicate key', file: FLOW, from: '  states:\n', to: '  startAt: Triage\n  states:\n',
      finding: 'DOC_DUPLICATE_FIELD', at: 'startAt: Triage\n  states', says: '"startAt" is given twice', hint: 'keep one' },
    { title: 'an agent that no store holds', file: FLOW, from: TRIAGE, to: `sha256:${'0'.repeat(64)}`,
      finding: 'DOC_AGENT_UNRESOLVED', at: 'ghcr.io/bank/claims-triage', says: 'no package store here holds sha256:000', hint: 'packages/' },
    { title: 'a tag instead of a digest', file: FLOW, from: `@${TRIAGE}`, to: ':1.2.0',
      finding: 'DOC_AGENT_TAG', at: 'ghcr.io/bank/claims-triage', says: 'names a tag', hint: '@sha256:<64 hex digits>' },
    { title: 'an elided digest', file: FLOW, from: TRIAGE, to: 'sha256:be566a…',
      finding: 'DOC_DIGEST_ELIDED', at: 'ghcr.io/bank/claims-triage', says: 'incomplete digest', hint: '@sha256:<64 hex digits>' },
    { title: 'an unknown function', file: STEPS, from: 'Triage\n    functionId: tool::wasm', to: 'Triage\n    functionId: tool::wams',
      finding: 'DOC_UNKNOWN_FUNCTION', at: 'tool::wams', says: 'tool::wams', hint: 'did you mean "tool::wasm"?' },
    { title: 'an unknown module', file: STEPS, from: 'module: claims-triage', to: 'module: claims-triag',
      finding: 'DOC_UNKNOWN_FUNCTION', at: 'claims-triag\n', says: 'no module "claims-triag"', hint: 'claims-triage' },
    { title: 'an unknown state in next', file: FLOW, from: 'next: RiskChoice', to: 'next: RiskChoise',
      finding: 'DOC_UNKNOWN_STATE', at: 'RiskChoise', says: 'no state "RiskChoise"', hint: 'did you mean "RiskChoice"?' },
    { title: 'a step above a ceiling', file: FLOW, from: 'timeoutSeconds: 120', to: 'timeoutSeconds: 301',
      finding: 'DOC_CEILING_EXCEEDED', at: '301', hint: 'org-default',
      says: 'limits.timeoutMs is 300000 in ceiling org-default (org), the step asks for 301000' },
    { title: 'ceilings with an unknown field', file: STEPS, from: 'steps:\n', to: 'ceilings: { limit: { timeoutMs: 1000 } }\nsteps:\n',
      finding: 'DOC_BAD_VALUE', at: '{ timeoutMs: 1000 }', says: 'unknown field "limit"', hint: 'limits' },
  ])('a workflow with $title', async ({ file, from, to, finding, at, says, hint }) => {
    const bad = changed(desk, file, from, to, `example/bad-${file.slice('example/'.length)}`);
    const place = `${placeOf(desk, bad, at)}: `;
    const value = await expectRefusal(desk, run(bad), {
      exit: 2,
      code: 'DOC_INVALID',
      says: [place, says],
      hint,
    });
    expect(value.error.details?.diagnostics?.[0]).toMatchObject({
      code: finding,
      line: expect.any(Number),
    });
    expectUntouched();
  });

  it('a workflow with a problem, shown with its line', async () => {
    const bad = changed(desk, FLOW, 'next: RiskChoice', 'next: RiskChoise', 'example/framed.yaml');
    const { stderr } = await desk.run(run(bad));
    expect(stderr).toMatch(/^> 26 \| {7}next: RiskChoise\n {5}\| {13}\^$/mu);
  });

  it('an input that is not JSON, by its place', async () => {
    writeFileSync(desk.at('bad.json'), '{"claim":\n  {,}}\n');
    for (const workflow of [FLOW, STEPS]) {
      await expectRefusal(desk, run(workflow, '@bad.json'), {
        exit: 2,
        code: 'INPUT_INVALID',
        says: ['bad.json:2:4: '],
        hint: 'one JSON value',
      });
    }
    expectUntouched();
  });

  it("an input that does not fit the workflow's inputs", async () => {
    const inputs =
      'inputs: { type: object, required: [claim], properties: { claim: { type: object, required: [id] } } }\nsteps:\n';
    const strict = changed(desk, STEPS, 'steps:\n', inputs, 'example/strict.yaml');
    await expectRefusal(desk, run(strict, '{"claim": {}}'), {
      exit: 2,
      code: 'INPUT_INVALID',
      says: ["claim must have required property 'id'"],
      hint: 'inputs',
    });
    expect(countsOf(desk).runs).toBe(0);
    // The workflow itself is fine and is registered; its log is as it was.
    expectUntouched();
  });

  // prettier-ignore
  it.each([
    { title: 'an effect in capitals', file: 'rbac/claims.yaml', from: 'CL-001\n    effect: allow', to: 'CL-001\n    effect: Deny',
      at: 'Deny', says: '"effect" must be exactly one of allow, deny' },
    { title: 'an unknown field', file: 'rbac/claims.yaml', from: 'reason: adjusters start', to: 'reasons: adjusters start',
      at: 'reasons', says: 'unknown field "reasons"' },
    { title: 'a duplicate id', file: 'rbac/claims.yaml', from: 'id: CL-002', to: 'id: CL-001',
      at: 'CL-001\n    effect: allow\n    subject: role:adjuster\n    domain: default\n    action: run.cancel',
      says: 'duplicate rule id CL-001, first in rbac/claims.yaml:6' },
    { title: 'a typo in a ceiling', file: 'ceilings/org.yaml', from: 'memoryMiB: 256', to: 'memoryMib: 256',
      at: 'memoryMib', says: 'unknown field "memoryMib"' },
    { title: 'a changed model', file: 'model.conf', from: 'e = ', to: 'e =  ', at: 'e =', says: 'the model is frozen' },
  ])('policies with $title, by their place', async ({ file, from, to, at, says }) => {
    const path = `policies/${file}`;
    const good = readFileSync(desk.at(path), 'utf8');
    try {
      changed(desk, path, from, to);
      const place = `${placeOf(desk, path, at)}: `;
      await expectRefusal(desk, run(FLOW), {
        exit: 2,
        code: 'POLICY_INVALID',
        says: [place, says],
        hint: '',
      });
    } finally {
      writeFileSync(desk.at(path), good);
    }
    expectUntouched();
  });

  it('a policies directory that is not there', async () => {
    await expectRefusal(desk, [...run(FLOW), '--policies', 'nowhere'], {
      exit: 2,
      code: 'POLICY_INVALID',
      says: ['nowhere', 'does not exist'],
      hint: '--policies DIR',
    });
    expectUntouched();
  });

  it('a key that nobody is enrolled with', async () => {
    await expectRefusal(
      desk,
      run(FLOW),
      {
        exit: 3,
        code: 'POLICY_IDENTITY_UNKNOWN',
        says: ['no person in approvers.yaml holds ed25519:'],
        hint: 'policies/approvers.yaml',
      },
      { env: { WRIT_KEY: 'eve.key' } },
    );
    expectUntouched();
  });

  it('no key at all', async () => {
    await expectRefusal(
      desk,
      run(FLOW),
      { exit: 3, code: 'POLICY_IDENTITY_UNKNOWN', says: ['no key given'], hint: 'writ keys create' },
      { env: { WRIT_KEY: '' } },
    );
    expectUntouched();
  });

  it("a person's key file that is not there", async () => {
    await expectRefusal(
      desk,
      run(FLOW),
      { exit: 2, code: 'NOT_FOUND', says: ['no personal key at nokey.key'], hint: 'key file' },
      { env: { WRIT_KEY: 'nokey.key' } },
    );
    expectUntouched();
  });

  it("an approver's key file that is not there, before anything has started", async () => {
    const refusal = { exit: 2, code: 'NOT_FOUND', says: ['no personal key at nokey.key'], hint: 'key file' };
    await expectRefusal(desk, [...run(FLOW), '--approver-key', 'nokey.key'], refusal);
    expectUntouched();
  });

  it('a data directory that is a file', async () => {
    await expectRefusal(desk, [...run(FLOW), '--data', 'low.json'], {
      exit: 2,
      code: 'USAGE',
      says: ['low.json is no directory'],
      hint: '--data DIR',
    });
  });

  it('a data directory that is none', async () => {
    await expectRefusal(desk, [...run(FLOW), '--data', 'other'], {
      exit: 2,
      code: 'NOT_INITIALISED',
      says: ['other is no data directory'],
      hint: 'writ init --data other',
    });
    expect(readdirSync(desk.folder)).not.toContain('other');
  });

  it('a second init of the same place', async () => {
    const key = readFileSync(desk.at('.writ/keys/log.key'), 'utf8');
    await expectRefusal(desk, ['init'], {
      exit: 2,
      code: 'USAGE',
      says: ['.writ is already a data directory'],
      hint: '--data',
    });
    expect(readFileSync(desk.at('.writ/keys/log.key'), 'utf8')).toBe(key);
    expectUntouched();
  });
});

describe('a person whom no rule allows to start', () => {
  it('gets exit 3, and the refusal is in the log', async () => {
    const own = desk.copy();
    const before = countsOf(own);
    await expectRefusal(
      own,
      run(FLOW),
      {
        exit: 3,
        code: 'POLICY_NO_MATCH',
        says: ['no rule allows user:bob workflow.run claims-review-flow'],
        hint: 'role:adjuster',
      },
      BOB,
    );
    expect(countsOf(own)).toMatchObject({ runs: 0, intents: 0 });
    const denied = {
      type: 'authz.decided',
      data: { subject: 'user:bob', action: 'workflow.run', verdict: 'deny', code: 'POLICY_NO_MATCH' },
    };
    // Asked twice: for people and for programs.
    expect(entriesOf(own).slice(before.entries)).toMatchObject([denied, denied]);
    await expectVerified(own);
    own.remove();
  });
});

describe('a data directory that can not be used', () => {
  let own: Desk;
  let before: Counts;
  beforeEach(() => {
    own = desk.copy();
    before = countsOf(own);
    return () => own.remove();
  });

  it('for want of its log key', async () => {
    rmSync(own.at('.writ/keys/log.key'));
    await expectRefusal(own, run(FLOW), {
      exit: 6,
      code: 'AUDIT_KEY_MISSING',
      says: ['no log key at .writ/keys/log.key'],
      hint: 'backup',
    });
    expect(countsOf(own)).toEqual(before);
    await expectVerified(own);
  });

  it('because others may read its log key', async () => {
    chmodSync(own.at('.writ/keys/log.key'), 0o644);
    await expectRefusal(own, run(FLOW), {
      exit: 5,
      code: 'AUDIT_KEY_INVALID',
      says: ['.writ/keys/log.key has mode 0644'],
      hint: 'chmod 600',
    });
    expect(countsOf(own)).toEqual(before);
    await expectVerified(own);
  });

  const readable = isRoot
    ? execaSync(process.execPath, [MAIN, '--version'], { uid: NOBODY, gid: NOBODY, reject: false })
        .exitCode === 0
    : true;
  it.skipIf(!readable)(
    `because it is read-only${readable ? '' : ' (skipped: user 65534 can not read this checkout)'}`,
    async () => {
      const files = ['.writ', '.writ/writ.db', '.writ/audit'];
      if (isRoot)
        for (const path of ['.', ...readdirSync(own.folder, { recursive: true }).map(String)])
          chownSync(own.at(path), NOBODY, NOBODY);
      for (const path of files) {
        if (isRoot) chownSync(own.at(path), 0, 0);
        chmodSync(own.at(path), statSync(own.at(path)).isDirectory() ? 0o555 : 0o444);
      }
      const as = isRoot ? { uid: NOBODY } : {};
      try {
        await expectRefusal(
          own,
          run(FLOW),
          { exit: 6, code: 'STORE_READ_ONLY', says: ['writ.db', 'can not be written'], hint: 'write access' },
          as,
        );
        // An auditor needs no write access to the log.
        expect(await own.json(['audit', 'verify'], as)).toMatchObject({
          code: 0,
          value: { verdict: 'verified' },
        });
      } finally {
        for (const path of files) chmodSync(own.at(path), 0o755);
      }
      expect(countsOf(own)).toEqual(before);
    },
  );

  it('because another process holds the write lock', async () => {
    const other = new Database(own.at('.writ/writ.db'));
    other.exec('BEGIN IMMEDIATE');
    try {
      await expectRefusal(own.apart(), run(FLOW), {
        exit: 6,
        code: 'STORE_BUSY',
        says: ['another process holds the write lock'],
        hint: 'wait for the other',
      });
    } finally {
      other.exec('ROLLBACK');
      other.close();
    }
    expect(countsOf(own)).toEqual(before);
    expect(await own.run(run(FLOW))).toMatchObject({ code: 0 });
    await expectVerified(own);
  });
});

describe('a full disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-disk-'));
  const mounts = isRoot && mountSmallDisk(folder);
  if (mounts) execaSync('umount', [folder]);
  beforeAll(() => {
    if (mounts) mountSmallDisk(folder);
  });
  afterAll(() => {
    if (mounts) execaSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  // KiB that are left; where the disk fills up then
  it.skipIf(!mounts).each([
    [48, 'before the run is there'],
    [120, 'in the middle of the run'],
  ])(
    `with %i KiB left, %s: nothing is half written, and it goes on with space${mounts ? '' : ' (skipped: needs root and a tmpfs mount)'}`,
    async (left) => {
      const own = desk.copy();
      const data = join(folder, 'data');
      const filler = join(folder, 'filler');
      cpSync(own.at('.writ'), data, { recursive: true });
      const freeKiB = freeKiBOf(folder);
      writeFileSync(filler, Buffer.alloc((freeKiB - left) * 1024));
      const before = countsOf(own);
      const words = [...run(FLOW), '--data', data];
      const full = await own.json(words);
      expect([full.code, errorOf(full)]).toMatchObject([
        6,
        { code: 'STORE_FULL', hint: expect.stringContaining('free space') },
      ]);
      expect(await own.json(['audit', 'verify', '--data', data])).toMatchObject({
        code: 0,
        value: { verdict: 'verified' },
      });

      rmSync(filler);
      const after = await own.json(words);
      expect([after.code, after.value]).toMatchObject([0, { status: 'completed' }]);
      cpSync(data, own.at('after'), { recursive: true });
      // A run that had begun is the one that went on.
      expect(countsOf(own, 'after')).toMatchObject({ runs: before.runs + 1 });
      const { id } = after.value as { id: string };
      const types = entriesOf(own, id, 'after').map((entry) => entry.type);
      expect(types.filter((type) => type === 'run.started' || type === 'run.finished')).toEqual([
        'run.started',
        'run.finished',
      ]);
      await expectVerified(own, data);
      rmSync(data, { recursive: true });
      own.remove();
    },
  );
});

/** False where this is not allowed. */
function mountSmallDisk(folder: string): boolean {
  const mount = ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder];
  return execaSync('mount', mount, { reject: false }).exitCode === 0;
}

function freeKiBOf(folder: string): number {
  const { stdout } = execaSync('df', ['-Pk', folder]);
  return Number(stdout.trim().split('\n').at(-1)?.split(/\s+/u)[3]);
}

describe('a run that another process advances', () => {
  it('is left to it, exit 6', async () => {
    const own = desk.copy();
    const slow = changed(own, FLOW, TRIAGE, packSlowTriage(own.at('example/packages')), 'example/slow.yaml');
    const first = own.start([...run(slow), '--json']);
    await first.says('step Triage: started');
    // Stopped as it is: it keeps the run for as long as this test needs.
    first.kill('SIGSTOP');
    const id = first.said(/^run (\S+)$/mu);
    await expectRefusal(own.apart(), ['workflow', 'resume', id], {
      exit: 6,
      code: 'RUN_BUSY',
      says: [id, 'another process'],
      hint: `writ workflow status ${id}`,
    });
    first.kill('SIGCONT');
    expect(await first.ended).toMatchObject({ code: 0 });
    const intents = entriesOf(own, id).filter((entry) => entry.type === 'step.intended');
    expect(intents).toMatchObject([
      { data: { stepPath: 'Triage', attempt: 1 } },
      { data: { stepPath: 'AutoApprove', attempt: 1 } },
    ]);
    await expectVerified(own);
    own.remove();
  });
});

describe('a changed byte', () => {
  let used: Desk;
  let waiting: Awaited<ReturnType<typeof startWaiting>>;
  let own: Desk;
  let before: Counts;
  beforeAll(async () => {
    used = desk.copy();
    expect(await used.run(run(FLOW))).toMatchObject({ code: 0 });
    waiting = await startWaiting(used);
    await expectVerified(used);
    return () => used.remove();
  });
  beforeEach(() => {
    own = used.copy();
    before = countsOf(own);
    return () => own.remove();
  });

  const flip = (path: string, at: (bytes: Buffer) => number): void => {
    const bytes = readFileSync(own.at(path));
    const index = at(bytes);
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    writeFileSync(own.at(path), bytes);
  };
  const middle = (bytes: Buffer): number => bytes.length >> 1;
  const verdictOf = async (...flags: string[]): Promise<unknown> => {
    const { code, value } = await own.json(['audit', 'verify', ...flags]);
    return [code, (value as { verdict: string }).verdict];
  };
  /** The blob of the module that the workflow's pin of an agent leads to. */
  const moduleOf = (pin: RegExp): string => {
    const [, manifest = ''] = pin.exec(readFileSync(own.at(FLOW), 'utf8')) ?? [];
    const { layers } = JSON.parse(readFileSync(own.at(BLOBS, manifest), 'utf8')) as {
      layers: { digest: string }[];
    };
    return `${BLOBS}/${layers[0]?.digest.slice('sha256:'.length)}`;
  };

  it('of a package lets nothing start', async () => {
    flip(moduleOf(/claims-triage@sha256:(\S+)/u), middle);
    for (const workflow of [FLOW, 'claims-review-flow']) {
      const { value } = await own.json(run(workflow));
      expect(value).toMatchObject({
        error: { details: { diagnostics: [{ code: 'INTEGRITY_DIGEST', severity: 'error' }] } },
      });
    }
    expect(countsOf(own)).toEqual(before);
    await expectVerified(own);
  });

  it('of a package ends the command with exit 5', async () => {
    flip(moduleOf(/claims-triage@sha256:(\S+)/u), middle);
    expect(await own.run(run(FLOW))).toMatchObject({ code: 5 });
  });

  it('of a package, made while a run waits for its approval, ends that run with exit 5', async () => {
    flip(moduleOf(/human-review-assistant@sha256:(\S+)/u), middle);
    const decide = ['approvals', 'approve', waiting.approval, '--digest', waiting.digest, '--no-continue'];
    expect(await own.run(decide, BOB)).toMatchObject({ code: 0 });
    const { code, value, stderr } = await own.json(['workflow', 'resume', waiting.run]);
    expect(stderr).toContain('step HumanReview: refused, INTEGRITY_DIGEST');
    expect([code, value]).toMatchObject([5, { status: 'failed', error: { code: 'INTEGRITY_DIGEST' } }]);
    expect(countsOf(own).intents).toBe(before.intents);
    await expectVerified(own);
  });

  it('in an entry of the log is found', async () => {
    flip(newestTile('entries'), (bytes) => bytes.lastIndexOf('user:alice'));
    expect(await verdictOf()).toEqual([5, 'entry-mismatch']);
  });

  it('in a hash of the log is found', async () => {
    flip(newestTile('0'), middle);
    expect(await verdictOf()).toEqual([5, 'tile-mismatch']);
  });

  it('in the signed checkpoint is found, and nothing is appended to such a log', async () => {
    truncateSync(own.at('.writ/audit/checkpoint'), 100);
    expect(await verdictOf()).toEqual([5, 'malformed']);
    await expectRefusal(own, run(FLOW), {
      exit: 5,
      code: 'AUDIT_NOTE_INVALID',
      says: ['invalid signed note'],
      hint: '',
    });
    expect(countsOf(own)).toEqual(before);
  });

  it('in a row of the store, which the log on disk still contradicts, stops the next run', async () => {
    const db = new Database(own.at('.writ/writ.db'));
    db.exec('UPDATE log_entry SET leaf_hash = zeroblob(32) WHERE idx = 5');
    db.close();
    await expectRefusal(own, run(FLOW), {
      exit: 5,
      code: 'AUDIT_FORK',
      says: ['another root than the rows of the store'],
      hint: 'writ audit verify',
    });
    expect(countsOf(own)).toEqual(before);
  });

  it('in the text of a row of the store is found once it is published', async () => {
    const db = new Database(own.at('.writ/writ.db'));
    const bytes = db.prepare('SELECT bytes FROM log_entry WHERE idx = 5').pluck().get() as Buffer;
    const text = bytes.toString('latin1').replace('alice', 'alicf');
    expect(text).not.toBe(bytes.toString('latin1'));
    db.prepare('UPDATE log_entry SET bytes = ? WHERE idx = 5').run(Buffer.from(text, 'latin1'));
    db.close();
    await own.run(run(FLOW));
    expect(await verdictOf()).toEqual([5, 'entry-mismatch']);
  });

  it('is the same as an old copy of the whole directory: a rollback, and nothing is appended to it', async () => {
    const old = desk.at('.writ');
    rmSync(own.at('.writ'), { recursive: true });
    mkdirSync(own.at('.writ'), { mode: 0o700 });
    cpSync(old, own.at('.writ'), { recursive: true });
    const restored = countsOf(own);
    expect(restored.entries).toBeLessThan(before.entries);
    expect(await verdictOf()).toEqual([5, 'rollback']);
    // Whoever trusts nothing they saw before can't see it.
    expect(
      await verdictOf('--no-trust', '--vkey', readFileSync(own.at('.writ/audit/vkey'), 'utf8').trim()),
    ).toEqual([0, 'verified']);
    await expectRefusal(own, run(FLOW, HIGH), {
      exit: 5,
      code: 'AUDIT_ROLLBACK',
      says: [`has size ${before.entries}, but the store holds ${restored.entries} entries`],
      hint: 'nothing was appended',
    });
    expect(countsOf(own)).toEqual(restored);
  });

  /** The partial tile of the whole log; it has fewer than 256 entries. */
  function newestTile(level: string): string {
    return `.writ/audit/tile/${level}/000.p/${before.entries}`;
  }
});
