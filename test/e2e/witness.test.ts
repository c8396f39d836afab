// The built `writ` with two witness processes on loopback and 2 of 2 required: one is killed and nothing runs, it comes
// back and the run goes on, and both verifiers accept the log under the policy. Plus a time stamp authority.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FLOW, LOW, newDesk, type Desk } from '../cli/claims-desk.js';
import { environmentOf, hosted, MAIN } from '../cli/writ.js';
import { hasOpenssl, openTestAuthority } from './test-authority.js';

const SECOND_VERIFIER = fileURLToPath(new URL('../../audit/verify.mjs', import.meta.url));

let desk: Desk;
let logKey: string;
beforeAll(async () => {
  desk = await newDesk(hosted);
  logKey = (await desk.run(['audit', 'vkey'])).stdout.trim();
});
afterAll(() => {
  desk.remove();
});

const running: WitnessProcess[] = [];
afterEach(async () => {
  for (const witness of running.splice(0)) await witness.stop('SIGTERM');
});

interface WitnessProcess {
  readonly url: string;
  readonly vkey: string;
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** A witness process of the desk; its key is made when it is not there. */
async function startWitness(name: string, listen = '127.0.0.1:0'): Promise<WitnessProcess> {
  const words = ['audit', 'witness', 'serve', '--log', logKey, '--key', `${name}.key`, '--json'];
  const child: ChildProcess = spawn(
    process.execPath,
    [MAIN, ...words, '--state', `${name}.state`, '--listen', listen],
    { cwd: desk.folder, env: environmentOf(desk.folder), stdio: ['ignore', 'pipe', 'ignore'] },
  );
  if (child.stdout === null) throw new Error('no stdout');
  let text = '';
  for await (const line of createInterface({ input: child.stdout })) {
    text += line;
    if (line === '}') break;
  }
  const { url, vkey } = JSON.parse(text) as { url: string; vkey: string };
  const witness = {
    url,
    vkey,
    async stop(signal: NodeJS.Signals) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill(signal);
        await ended;
      }
      return child.exitCode;
    },
  };
  running.push(witness);
  return witness;
}

function writePolicy(witnesses: readonly WitnessProcess[], k: string): void {
  const lines = witnesses.map(({ vkey, url }, i) => `witness w${i + 1} ${vkey} ${url}\n`);
  const names = witnesses.map((_, i) => `w${i + 1}`).join(' ');
  const text = `log ${logKey}\n${lines.join('')}group g ${k} ${names}\nquorum g\n`;
  writeFileSync(desk.at('.writ', 'witnesses.policy'), text);
}

function requireWitnesses(): void {
  writeFileSync(
    desk.at('policies', 'ceilings', 'witnessed.yaml'),
    'apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: witnessed, layer: org }\nspec: { audit: { required: anchored } }\n',
  );
}

describe('a witness key', () => {
  it('is made once, with mode 0600, and not used with another mode', async () => {
    const made = await desk.run(['audit', 'witness', 'key', 'w0.key', '--name', 'witness.example/w0']);
    expect(made).toMatchObject({ code: 0 });
    expect(made.stdout).toMatch(/^witness\.example\/w0\+[0-9a-f]{8}\+B[A-Za-z0-9+/]+=*$/);
    expect(statSync(desk.at('w0.key')).mode & 0o777).toBe(0o600);
    expect((await desk.run(['audit', 'witness', 'vkey', 'w0.key'])).stdout).toBe(made.stdout);
    const again = await desk.run(['audit', 'witness', 'key', 'w0.key', '--name', 'witness.example/w0']);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('exists already') as string });
    chmodSync(desk.at('w0.key'), 0o644);
    const words = ['audit', 'witness', 'serve', '--log', logKey, '--state', 's', '--listen', '127.0.0.1:0'];
    const open = await desk.run([...words, '--key', 'w0.key']);
    expect(open).toMatchObject({ code: 5, stderr: expect.stringContaining('has mode 0644') as string });
    expect(readFileSync(desk.at('w0.key'), 'utf8')).not.toContain(open.stderr);
  });

  it('is no log key and no personal key, and a name with a space is refused', async () => {
    const words = ['audit', 'witness', 'serve', '--log', logKey, '--state', 's', '--listen', '127.0.0.1:0'];
    expect(await desk.run([...words, '--key', 'alice.key'])).toMatchObject({ code: 5 });
    expect(await desk.run([...words, '--key', 'absent.key'])).toMatchObject({ code: 2 });
    expect(await desk.run(['audit', 'witness', 'vkey', 'absent.key'])).toMatchObject({ code: 2 });
    expect(await desk.run(['audit', 'witness', 'key', 'x.key', '--name', 'a b'])).toMatchObject({ code: 2 });
    expect(await desk.run(['audit', 'witness', 'key', 'x.key'])).toMatchObject({ code: 2 });
    expect(await desk.run([...words.slice(0, -1), 'here', '--key', 'w0.key'])).toMatchObject({ code: 2 });
  });
});

describe('a witness that begins from nothing', () => {
  it('is warned of although an earlier start failed, and a bad --log is a mistake in the command', async () => {
    await desk.run(['audit', 'witness', 'key', 'w9.key', '--name', 'witness.example/w9']);
    const busy = createServer();
    busy.listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const { port } = busy.address() as AddressInfo;
    const listen = ['--listen', `127.0.0.1:${port}`];
    const words = ['audit', 'witness', 'serve', '--key', 'w9.key', '--state', 'w9.state', ...listen];
    const bad = await desk.run([...words, '--log', 'bad']);
    expect(bad).toMatchObject({ code: 2, stderr: expect.stringContaining('--log: invalid vkey') as string });
    expect(existsSync(desk.at('w9.state'))).toBe(false);
    const taken = await desk.run([...words, '--log', logKey]);
    expect(taken).toMatchObject({ code: 2, stderr: expect.stringContaining('it is in use') as string });
    expect(existsSync(desk.at('w9.state'))).toBe(true);
    busy.close();
    const child = desk.start([...words, '--log', logKey]);
    await child.says('has cosigned nothing of it yet');
    child.kill('SIGTERM');
    await child.ended;
  });
});

describe('two witnesses, both required', () => {
  it('stop every step while one is gone, and let the run go on when it is back', async () => {
    for (const name of ['w1', 'w2']) {
      await desk.run(['audit', 'witness', 'key', `${name}.key`, '--name', `witness.example/${name}`]);
    }
    const [first, second] = [await startWitness('w1'), await startWitness('w2')];
    writePolicy([first, second], 'all');
    requireWitnesses();
    expect(await desk.run(['workflow', 'run', FLOW, '--input', LOW])).toMatchObject({ code: 0 });

    expect(await second.stop('SIGTERM')).toBe(143);
    const refused = await desk.json(['workflow', 'run', FLOW, '--input', LOW]);
    expect(refused.code).toBe(6);
    expect(refused.value).toMatchObject({ error: { code: 'AUDIT_WITNESS_UNAVAILABLE' } });
    const run = /run (run_\w+)/.exec(refused.stderr)?.[1] ?? '';
    const held = await desk.json(['workflow', 'status', run]);
    expect(held.value).toMatchObject({ status: 'running', results: [] });
    expect(await desk.run(['audit', 'witness', 'anchor'])).toMatchObject({ code: 6 });

    const back = await startWitness('w2', new URL(second.url).host);
    expect(back.vkey).toBe(second.vkey);
    const resumed = await desk.json(['workflow', 'resume', run]);
    expect(resumed).toMatchObject({ code: 0, value: { status: 'completed' } });

    const status = (await desk.json(['audit', 'witness', 'status'])).value as {
      size: string;
      witnessed: { size: string };
      witnesses: { cosigned: { size: string } }[];
    };
    expect(status.witnessed.size).toBe(status.size);
    expect(status.witnesses.map(({ cosigned }) => cosigned.size)).toEqual([status.size, status.size]);

    const policy = desk.at('.writ', 'witnesses.policy');
    const verified = await desk.run(['audit', 'verify', '--no-trust', '--policy', policy]);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/^verified/) as string });
    const log = desk.at('.writ', 'audit');
    const standalone = await execa(process.execPath, [SECOND_VERIFIER, log, '--policy', policy], {
      reject: false,
    });
    expect([standalone.exitCode, standalone.stdout.split('\n', 1)[0]]).toEqual([0, 'verified']);
    expect(readFileSync(desk.at('.writ', 'audit', 'policy'), 'utf8')).toBe(readFileSync(policy, 'utf8'));
  });

  it.skipIf(!hasOpenssl)(
    'and a time stamp authority, whose token openssl verifies (needs openssl)',
    async () => {
      const authority = await openTestAuthority();
      try {
        const witnesses = [await startWitness('w1'), await startWitness('w2')];
        writePolicy(witnesses, 'all');
        const file = desk.at('.writ', 'config.json');
        const config = JSON.parse(readFileSync(file, 'utf8')) as object;
        writeFileSync(file, JSON.stringify({ ...config, timestamp: { url: authority.url } }));
        const anchored = await desk.run(['audit', 'witness', 'anchor']);
        expect(anchored).toMatchObject({
          code: 0,
          stdout: expect.stringContaining('time stamp  kept') as string,
        });
        const folder = desk.at('.writ', 'audit', 'checkpoints');
        const [token = ''] = readdirSync(folder).filter((name) => name.endsWith('.tsr'));
        const note = readFileSync(
          desk.at('.writ', 'audit', 'checkpoints', token.replace('.tsr', '')),
          'utf8',
        );
        const [text = ''] = note.split(/(?<=\n)\n/);
        const bytes = readFileSync(desk.at('.writ', 'audit', 'checkpoints', token));
        expect(authority.verifies(bytes, new TextEncoder().encode(text))).toBe(true);
        const log = desk.at('.writ', 'audit');
        expect(await desk.run(['audit', 'verify'])).toMatchObject({ code: 0 });
        const standalone = await execa(process.execPath, [SECOND_VERIFIER, log, '--vkey', logKey], {
          reject: false,
        });
        expect(standalone.exitCode).toBe(0);
      } finally {
        await authority.close();
      }
    },
  );
});

describe('a log whose configuration can not be read', () => {
  it.each([
    ['a policy without a quorum', 'witnesses.policy', 'log x\n', 'AUDIT_POLICY_INVALID'],
    ['a witness behind another scheme', 'witnesses.policy', null, 'AUDIT_POLICY_INVALID'],
    ['a cadence that is no number', 'config.json', '{"anchor":{"everyMs":"1h"}}', 'STORE_UNAVAILABLE'],
    [
      'a time stamp authority that is no URL',
      'config.json',
      '{"timestamp":{"url":"tsa"}}',
      'STORE_UNAVAILABLE',
    ],
  ])('is not opened: %s', async (_, name, text, code) => {
    const other = desk.copy();
    const file = other.at('.writ', name);
    const witness = (await desk.run(['audit', 'witness', 'vkey', 'w1.key'])).stdout.trim();
    const content = text ?? `witness w ${witness} ftp://w.example\nquorum w\n`;
    const config = JSON.parse(readFileSync(other.at('.writ', 'config.json'), 'utf8')) as object;
    const json = name === 'config.json' ? { ...config, ...(JSON.parse(content) as object) } : null;
    writeFileSync(file, json === null ? content : JSON.stringify(json));
    expect((await other.json(['audit', 'witness', 'status'])).value).toMatchObject({ error: { code } });
    other.remove();
  });
});
