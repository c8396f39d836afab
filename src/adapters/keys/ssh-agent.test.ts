import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyEd25519 } from '../../ed25519.js';
import { WritError } from '../../errors.js';
import { loadPersonKey } from './person-key.js';
import { isAgentKey, loadAgentKey } from './ssh-agent.js';

const hasAgent = ['ssh-agent', 'ssh-add', 'ssh-keygen'].every(
  (name) => spawnSync(name, ['-?'], { stdio: 'ignore' }).error === undefined,
);
const why = hasAgent ? '' : ' (skipped: OpenSSH is not here)';
const home = mkdtempSync(path.join(tmpdir(), 'writ-agent-'));
const at = (name: string): string => path.join(home, name);
const MESSAGE = new TextEncoder().encode('writ.decision.v1\0{}');

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return error instanceof WritError ? error.code : String(error);
  }
  return 'none';
};

describe('the name of a key', () => {
  it('is of the agent only where it says so, and else a file', () => {
    expect(['ssh-agent', 'ssh-agent:', 'ssh-agent:bob'].map(isAgentKey)).toEqual([true, true, true]);
    expect(['./ssh-agent', 'ssh-agents', 'bob.key', 'ssh', ''].map(isAgentKey)).toEqual(Array(5).fill(false));
    expect(codeOf(() => loadAgentKey('ssh-agent', undefined))).toBe('FUNCTION_UNAVAILABLE');
    expect(codeOf(() => loadAgentKey('ssh-agent', at('nobody.sock')))).toBe('FUNCTION_UNAVAILABLE');
  });
});

describe.skipIf(!hasAgent)(`a key in an ssh-agent${why}`, () => {
  let agent: ChildProcess;
  const socket = at('agent.sock');
  const raw = (name: string): string =>
    `ed25519:${Buffer.from(readFileSync(at(`${name}.pub`), 'utf8').split(' ')[1] ?? '', 'base64')
      .subarray(-32)
      .toString('base64')}`;
  const add = (...words: string[]): void => {
    expect(spawnSync('ssh-add', words, { env: { ...process.env, SSH_AUTH_SOCK: socket } }).status).toBe(0);
  };

  beforeAll(async () => {
    for (const [name, type] of [
      ['bob', 'ed25519'],
      ['carol', 'ed25519'],
      ['old', 'ecdsa'],
    ] as const) {
      spawnSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', name, '-f', at(name)]);
    }
    agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    if (agent.stdout !== null) await once(agent.stdout, 'data');
  });
  afterAll(() => {
    agent.kill();
  });

  it('signs what a key file would sign, and is found by its comment, by itself and when it is the only one', () => {
    add(at('old'), at('bob'));
    for (const which of ['ssh-agent', 'ssh-agent:bob', `ssh-agent:${raw('bob')}`]) {
      const key = loadAgentKey(which, socket);
      expect(key).toMatchObject({ name: 'bob', publicKey: raw('bob') });
      const publicKey = Buffer.from(key.publicKey.slice('ed25519:'.length), 'base64');
      expect(verifyEd25519(publicKey, MESSAGE, key.sign(MESSAGE))).toBe(true);
    }
    expect(codeOf(() => loadAgentKey('ssh-agent:carol', socket))).toBe('NOT_FOUND');
    expect(codeOf(() => loadAgentKey('ssh-agent:old', socket))).toBe('NOT_FOUND');
  });

  it('is not guessed where there are several, and signs no more when it was taken out', () => {
    add(at('carol'));
    expect(codeOf(() => loadAgentKey('ssh-agent', socket))).toBe('USAGE');
    const carol = loadAgentKey('ssh-agent:carol', socket);
    add('-d', at('carol'));
    expect(codeOf(() => carol.sign(MESSAGE))).toBe('FUNCTION_UNAVAILABLE');
  });

  it('is what --key names in place of a file', () => {
    const before = process.env['SSH_AUTH_SOCK'];
    process.env['SSH_AUTH_SOCK'] = socket;
    try {
      expect(loadPersonKey('ssh-agent:bob').publicKey).toBe(raw('bob'));
    } finally {
      if (before === undefined) delete process.env['SSH_AUTH_SOCK'];
      else process.env['SSH_AUTH_SOCK'] = before;
    }
  });
});

describe('an agent that answers something else', () => {
  /** Answers each request with the next of `answers`; in a thread, since the caller waits for it. */
  const LIAR = `
    const { workerData, parentPort } = require('node:worker_threads');
    const answers = [...workerData.answers];
    require('node:net').createServer((socket) => {
      socket.on('data', () => socket.write(Buffer.from(answers.shift() ?? '', 'hex')));
      socket.on('error', () => undefined);
    }).listen(workerData.path, () => parentPort.postMessage('listens'));
  `;
  const framed = (hex: string): string => (hex.length / 2).toString(16).padStart(8, '0') + hex;
  const string = (bytes: Buffer): string => framed(bytes.toString('hex'));
  const key = string(
    Buffer.concat([
      Buffer.from(string(Buffer.from('ssh-ed25519')), 'hex'),
      Buffer.from(string(Buffer.alloc(32, 7)), 'hex'),
    ]),
  );
  const list = framed(`0c00000001${key}${string(Buffer.from('x'))}`);
  const signature = (type: string, bytes: Buffer): string =>
    framed(`0e${string(Buffer.from(string(Buffer.from(type)) + string(bytes), 'hex'))}`);

  it.each<[string, readonly string[]]>([
    ['a refusal', [framed('05')]],
    ['a list that ends too early', [framed('0c00000002' + key)]],
    ['a list of four milliards', [framed('0cffffffff')]],
    ['a list with something behind it', [framed(`0c0000000000`)]],
    ['an answer longer than it says', [`${framed('0c00000000')}00`]],
    ['a signature that does not hold', [list, signature('ssh-ed25519', Buffer.alloc(64, 1))]],
    ['a signature of another kind', [list, signature('ssh-rsa', Buffer.alloc(64, 1))]],
    ['no signature', [list, framed('0e')]],
  ])('such as %s is refused', async (_, answers) => {
    const socket = at(`liar-${answers.join('').length}-${Math.random()}.sock`);
    const liar = new Worker(LIAR, { eval: true, workerData: { answers, path: socket } });
    await once(liar, 'message');
    expect(codeOf(() => loadAgentKey('ssh-agent', socket).sign(MESSAGE))).toBe('FUNCTION_UNAVAILABLE');
    await liar.terminate();
  });
});
