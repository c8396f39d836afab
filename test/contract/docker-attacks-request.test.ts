// Requests, images and engines that are not what they should be: nothing runs, or what runs is held as always.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/json.js';
import { openAttacks } from './docker/attack.js';
import { docker, imageProgram, noEngine, skipped } from './docker/engine.js';
import { text } from './sandbox.js';

const MiB = 1024 * 1024;

describe.skipIf(noEngine !== null)(`attacks on a container by its request and image${skipped}`, () => {
  const attacks = openAttacks();
  const { run, plain, imported } = attacks;

  it.each([['../x'], ['/work/../etc'], ['/etc'], ['/workspace'], ['/work/'], ['/work/a\0b'], ['']])(
    'X02: starts in no folder but its own: %j',
    async (cwd) => {
      await expect(attacks.driver.prepare({ ...plain(), cwd })).rejects.toMatchObject({
        code: 'SANDBOX_SPEC_INVALID',
      });
    },
  );

  it.each(['../x', '/etc/passwd', 'a/../../b', 'a//b', './a', 'a\n', ''])(
    'takes no file by the name %j',
    async (name) => {
      const files = [{ path: name, bytes: new Uint8Array(1) }];
      await expect(attacks.driver.prepare({ ...plain(), files })).rejects.toMatchObject({
        code: 'SANDBOX_SPEC_INVALID',
      });
    },
  );

  it.each([
    ['/nope', 127, 'the image has no such program'],
    ['nope', 127, 'the image has no such program'],
    ['/tmp', 126, 'the program can not be executed'],
    ['/bin/sh/x', 126, 'the program can not be executed'],
    [`/${'a'.repeat(300)}`, 126, 'the program can not be executed'],
  ])(
    "tells in its own words, and not in the engine's, that it can't start %s",
    async (program, exitCode, says) => {
      // Without `timeout` the engine itself starts it, beside what waits.
      const image = await imported('LABEL writ.tools="sleep tar"');
      // However little the program might have said: the engine says more.
      for (const limits of [{}, { outputBytes: 20 }]) {
        const shown: string[] = [];
        const result = await run([program], limits, {
          program: imageProgram(image),
          outputs: ['*'],
          onOutput: (_stream, bytes) => shown.push(text({ bytes })),
        });
        expect(result).toMatchObject({ status: 'exited', exitCode });
        expect(text(result.stdout)).toBe('');
        expect(text(result.stderr)).toBe(`${says}\n`);
        expect(shown).toEqual([]);
      }
    },
  );

  it.each([[{}], [{ files: [{ path: 'f', bytes: new Uint8Array(1) }] }]])(
    'runs a program whose step says where programs are, and not where ours are: %j',
    async (change) => {
      const env = { PATH: '/work' };
      const ran = await run(
        ['/bin/sh', '-c', 'echo $PATH'],
        {},
        { ...change, program: imageProgram(attacks.ids.sh), env },
      );
      expect([ran.exitCode, text(ran.stdout), text(ran.stderr)]).toEqual([0, '/work\n', '']);
    },
  );

  it('X04: refuses an image with a volume, and overrides all it says about how it is run', async () => {
    const image = await imported('VOLUME /data');
    await expect(attacks.driver.prepare({ ...plain(), program: imageProgram(image) })).rejects.toMatchObject({
      code: 'SANDBOX_UNSUPPORTED',
    });
    const other = await imported(
      'ENTRYPOINT ["/bin/false"]',
      'CMD ["/bin/false"]',
      'HEALTHCHECK CMD /bin/false',
      'USER 0',
      'WORKDIR /etc',
      'ONBUILD RUN /bin/false',
      'EXPOSE 80',
    );
    const result = await run(['sh', '-c', 'id -u; pwd'], {}, { program: imageProgram(other) });
    expect(text(result.stdout)).toBe('65534\n/work\n');
    const late = await run(['sleep', '60'], { timeoutMs: 500 }, { program: imageProgram(other) });
    expect(late).toMatchObject({ status: 'timeout' });
  });

  it('is held as always where its image has a label of a megabyte, and another names its tools ten thousand times', async () => {
    const maker = await docker.createContainer({ Image: attacks.ids.sh, Cmd: ['true'] });
    const Labels = { 'writ.tools': 'tar sleep '.repeat(10_000), other: 'x'.repeat(MiB) };
    const query = { container: maker.id };
    const { Id } = (await maker.commit({ _query: query, _body: { Labels } })) as { Id: Digest };
    try {
      const change = { program: imageProgram(Id), outputs: ['*'] };
      const result = await run(['sh', '-c', 'id -u'], {}, change);
      expect([result.status, text(result.stdout)]).toEqual(['exited', '65534\n']);
      expect(JSON.stringify(result.evidence).length).toBeLessThan(8_000);
    } finally {
      await maker.remove({ force: true });
      await docker.getImage(Id).remove({ force: true });
    }
  });

  it('X07: runs in no runtime but the one that is required', async () => {
    await expect(attacks.driver.prepare({ ...plain(), runtime: 'kata' })).rejects.toMatchObject({
      code: 'SANDBOX_RUNTIME_UNKNOWN',
    });
    const strict = attacks.here.open({ runtime: 'kata' });
    expect(await strict.preflight()).toMatchObject({ ok: false });
    expect((await strict.run(plain(), new AbortController().signal)).status).toBe('unavailable');
    await strict.close();
  });

  it('X06: runs nowhere when there is no engine', async () => {
    const gone = attacks.here.open({ socketPath: path.join(attacks.here.home, 'no.sock') });
    const { ok, problems } = await gone.preflight();
    expect(ok).toBe(false);
    expect(problems.join()).toContain('no Docker engine answers');
    await expect(gone.prepare(plain())).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    expect((await gone.run(plain(), new AbortController().signal)).status).toBe('unavailable');
    await gone.close();
  });
});
