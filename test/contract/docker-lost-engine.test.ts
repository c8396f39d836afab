// X06, during a step: the engine goes away while a program runs, or before it has said that it has begun one. Then nobody
// claims that nothing ran, and what is left is removed as soon as the engine answers again, by the same runner.
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/json.js';
import type { SandboxDriver, SandboxRequest, SandboxResult } from '../../src/runtime/ports.js';
import { openDoor, type Door } from './docker/door.js';
import { imageProgram, images, installation, left, noEngine, skipped } from './docker/engine.js';

const text = ({ bytes }: { readonly bytes: Uint8Array }): string => Buffer.from(bytes).toString();
const FILES = { files: [{ path: 'in', bytes: new Uint8Array(1) }], outputs: ['*'] };

describe.skipIf(noEngine !== null)(`an engine that goes away${skipped}`, () => {
  const here = installation();
  let door: Door;
  let driver: SandboxDriver;
  let sh: Digest;
  beforeAll(async () => {
    ({ sh } = images('sh'));
    door = await openDoor(path.join(here.home, 'engine.sock'));
    driver = here.open({ socketPath: door.path });
  });
  afterAll(async () => {
    await driver.close();
    await door.shut();
    expect(await left(here.home)).toEqual([]);
  });
  afterEach(async () => {
    // Back again: the next step finds everything in order, and nothing of the one before.
    expect(await run('echo back')).toMatchObject({ status: 'exited', exitCode: 0 });
  });

  const run = (
    command: string,
    change: Partial<SandboxRequest> = {},
    signal = new AbortController().signal,
  ): Promise<SandboxResult> => {
    const limits = { ...driver.defaults, timeoutMs: 20_000 };
    const argv = ['sh', '-c', command];
    return driver.run(
      { argv, env: {}, stdin: new Uint8Array(0), program: imageProgram(sh), limits, ...change },
      signal,
    );
  };

  it.each([
    ['its own container', {}],
    ['one that has files', FILES],
  ])('while a program runs in %s: lost, and never told to be unavailable', async (_where, change) => {
    let begun: () => void = () => undefined;
    const speaks = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const running = run('echo begun; sleep 15', { ...change, onOutput: () => begun() });
    await speaks;
    await door.shut();
    const result = await running;
    expect(result).toMatchObject({ status: 'crashed', isLost: true, limitHit: 'unknown', exitCode: null });
    expect(text(result.stdout)).toBe('begun\n');
    // Nobody could remove it, and it still runs.
    expect(await left(here.home)).not.toEqual([]);
    expect(await run('true')).toMatchObject({ status: 'unavailable' });
    await door.open();
    expect(await run('true')).toMatchObject({ status: 'exited', exitCode: 0 });
    expect(await left(here.home)).toEqual([]);
  });

  it.each([
    ['a container', /^POST \/containers\/[0-9a-f]{64}\/start/, {}],
    [
      'a program beside others',
      /^POST \/exec\/[0-9a-f]{64}\/start[^]*Upgrade: tcp/,
      { env: { PATH: '/bin' } },
    ],
  ])('before it has said that %s has begun: lost', async (_what, begins, change) => {
    expect(await run('true', change)).toMatchObject({ status: 'exited' });
    door.swallowAnswerTo(begins);
    const result = await run('sleep 15', change);
    expect(result).toMatchObject({ status: 'crashed', isLost: true, limitHit: 'unknown' });
  });

  it('before a program can have begun: nothing ran', async () => {
    door.swallowAnswerTo(/^POST \/containers\/create/);
    expect(await run('true')).toMatchObject({ status: 'unavailable' });
    expect(await left(here.home)).toEqual([]);
  });
});
