// A driver and the ways in which tests attack from its containers. Whoever opens it does so inside of `describe`: it is closed
// after the tests, and after each of them no container is left.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type Docker from 'dockerode';
import type { Digest } from '../../../src/json.js';
import type {
  SandboxDriver,
  SandboxLimits,
  SandboxRequest,
  SandboxResult,
} from '../../../src/runtime/ports.js';
import { commandLines } from '../../processes.js';
import { text } from '../sandbox.js';
import { docker, imageProgram, images, installation, left, type TestDriver } from './engine.js';

export const SYSCALL = readFileSync(new URL('syscall.py', import.meta.url), 'utf8');
/** Bombs are small. */
export const SMALL = { memoryMiB: 64, diskMiB: 8, timeoutMs: 8_000 };

type Run = (command: string, limits?: Partial<SandboxLimits>) => Promise<SandboxResult>;

export interface Attacks {
  readonly here: TestDriver;
  /** From the first test on. */
  readonly driver: SandboxDriver;
  readonly ids: Readonly<Record<'sh' | 'python', Digest>>;
  /** In the image of Python, unless it is a shell's. */
  readonly run: (
    argv: readonly string[],
    limits?: Partial<SandboxLimits>,
    change?: Partial<SandboxRequest>,
  ) => Promise<SandboxResult>;
  readonly sh: Run;
  readonly py: Run;
  /** What system calls came to, one a line. */
  readonly calls: (code: string) => Promise<string[]>;
  /** What an attack has printed: it came to its end, and never to success. */
  readonly withoutEscape: (command: string) => Promise<string>;
  readonly plain: () => SandboxRequest;
  /** Our image with more said about it, as its id; removed after the tests. */
  readonly imported: (...changes: readonly string[]) => Promise<Digest>;
}

export function openAttacks(): Attacks {
  const here = installation();
  const made: Digest[] = [];
  const opened: { driver?: SandboxDriver; ids?: Attacks['ids'] } = {};
  const driver = (): SandboxDriver => known(opened.driver);
  const ids = (): Attacks['ids'] => known(opened.ids);
  beforeAll(() => {
    opened.ids = images('sh', 'python');
    opened.driver = here.open();
  });
  afterAll(async () => {
    await driver().close();
    for (const image of made) await docker.getImage(image).remove({ force: true });
  });
  afterEach(async () => {
    expect(await left(here.home)).toEqual([]);
  });

  const run: Attacks['run'] = (argv, limits = {}, change = {}) =>
    driver().run(
      {
        argv,
        env: {},
        stdin: new Uint8Array(0),
        program: imageProgram(ids()[argv[0] === 'sh' || argv[0] === 'grep' ? 'sh' : 'python']),
        limits: { ...driver().defaults, ...SMALL, ...limits },
        ...change,
      },
      new AbortController().signal,
    );
  const sh: Run = (command, limits = {}) => run(['sh', '-c', command], limits);
  return {
    here,
    get driver() {
      return driver();
    },
    get ids() {
      return ids();
    },
    run,
    sh,
    py: (code, limits = {}) => run(['python3', '-IS', '-c', code], limits),
    async calls(code) {
      const { stdout } = await run(['python3', '-IS', '-c', SYSCALL, code]);
      return text(stdout).trim().split('\n');
    },
    async withoutEscape(command) {
      const out = text((await sh(command)).stdout);
      expect(out).toMatch(/END\n$/);
      expect(out).not.toContain('ESC');
      return out;
    },
    plain: () => ({
      argv: ['true'],
      env: {},
      stdin: new Uint8Array(0),
      program: imageProgram(ids().sh),
      limits: driver().defaults,
    }),
    async imported(...changes) {
      const container = await docker.createContainer({ Image: ids().sh, Cmd: ['true'] });
      try {
        const image = await importedFrom(container, changes);
        made.push(image);
        return image;
      } finally {
        await container.remove({ force: true });
      }
    },
  };
}

function known<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('not before the first test');
  return value;
}

export async function importedFrom(container: Docker.Container, changes: readonly string[]): Promise<Digest> {
  const answer = await docker.importImage(await container.export(), { changes });
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(Buffer.from(chunk as Buffer));
  const id = /sha256:[0-9a-f]{64}/.exec(Buffer.concat(chunks).toString())?.[0];
  return id as Digest;
}

/** What a program prints in a container of the test's own, which nothing of ours holds but its user. */
export async function printed(
  image: Digest,
  argv: readonly string[],
  SecurityOpt: readonly string[] = [],
): Promise<string> {
  const container = await docker.createContainer({
    Image: image,
    Cmd: [...argv],
    Entrypoint: [],
    User: '65534:65534',
    HostConfig: { NetworkMode: 'none', SecurityOpt: [...SecurityOpt] },
  });
  try {
    const stream = await container.attach({ stream: true, stdout: true });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await container.start();
    await once(stream, 'end');
    return Buffer.concat(chunks).toString();
  } finally {
    await container.remove({ force: true });
  }
}

/** Processes of this machine, containers included, whose command line holds `nonce`. */
export function processesWith(nonce: string): readonly string[] {
  return commandLines().filter((line) => line.includes(nonce));
}
