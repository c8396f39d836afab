// Words of engines and runtimes about programs that they could not start, as they were seen (runc 1.1.5, runsc of 2022).
import { describe, expect, it } from 'vitest';
import { noProgramIn } from './no-program.js';

describe("the engine's words for a program that it can't start", () => {
  const FAILED = 'OCI runtime exec failed: exec failed: unable to start container process';
  const OLDER =
    'OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused';
  const GVISOR = 'OCI runtime exec failed: executing processes for container: executing command';
  const ABSENT = 'no such file or directory: unknown\r\n';
  it.each([
    ['x', `${FAILED}: exec: "x": executable file not found in $PATH: unknown\r\n`, 127],
    ['x', `${OLDER}: exec: "x": executable file not found in $PATH: unknown`, 127],
    ['/work/x', `${FAILED}: exec: "/work/x": stat /work/x: no such file or directory: unknown\r\n`, 127],
    ['a "b"', `${FAILED}: exec: "a \\"b\\"": executable file not found in $PATH: unknown\r\n`, 127],
    ['/work', `${FAILED}: exec: "/work": permission denied: unknown\r\n`, 126],
    [
      '/bin/sh/x',
      `${FAILED}: exec: "/bin/sh/x": stat /bin/sh/x: not a directory: unknown: Are you trying`,
      126,
    ],
    [
      '/work/x',
      `${FAILED}: exec: "/work/x": stat /work/x: too many levels of symbolic links: unknown\r\n`,
      126,
    ],
    ['/x', `${FAILED}: exec: "/x": stat /x: file name too long: unknown\r\n`, 126],
    ['/tmp/x', `${FAILED}: eaccess /tmp/x: permission denied: unknown\r\n`, 126],
    ['x', `${GVISOR} "x" in sandbox: error finding executable "x" in PATH [/bin]: ${ABSENT}`, 127],
    ['/x', `${GVISOR} "/x" in sandbox: failed to load /x: ${ABSENT}`, 127],
    ['./x"y', `${GVISOR} "./x\\"y" in sandbox: failed to load /work/x"y: ${ABSENT}`, 127],
    ['/x', `${GVISOR} "/x" in sandbox: failed to load /x: permission denied: unknown\r\n`, 126],
    ['/x', `${GVISOR} "/x" in sandbox: failed to load /x: exec format error: unknown\r\n`, 126],
    [
      '/x',
      `${GVISOR} "/x" in sandbox: failed to load /x: too many symbolic links encountered: unknown\r\n`,
      126,
    ],
    [
      '/x/y',
      `${GVISOR} "/x/y" in sandbox: failed to load /x/y: not a directory: unknown: Are you trying`,
      126,
    ],
  ])('are told as by a shell: %s', (program, words, exitCode) => {
    expect(noProgramIn(words, program)).toMatchObject({ exitCode });
  });

  // As Go quotes them.
  it.each([
    ['a\u0001b', 'a\\x01b'],
    ['a\u007fb', 'a\\x7fb'],
    ['a\u00a0b', 'a\\u00a0b'],
    ['a\u202eb', 'a\\u202eb'],
    ['\ufeffx', '\\ufeffx'],
    ['\u{e0001}', '\\U000e0001'],
    ['\u0007\b\f\n\r\t\v', '\\a\\b\\f\\n\\r\\t\\v'],
    ['a\ufffdb', 'a\ufffdb'],
    ['\u{1f600}ä<&>%s', '\u{1f600}ä<&>%s'],
    ['\\x41', '\\\\x41'],
    ['a: executable file not found in $PATH: unknown', 'a: executable file not found in $PATH: unknown'],
  ])(
    'hole: a program with a name of odd characters was told as an engine that is not there: %j',
    (program, quoted) => {
      const missing = 'executable file not found in $PATH: unknown';
      expect(noProgramIn(`${FAILED}: exec: "${quoted}": ${missing}\r\n`, program)).toMatchObject({
        exitCode: 127,
      });
      expect(
        noProgramIn(
          `${GVISOR} "${quoted}" in sandbox: error finding executable "${quoted}" in PATH [/bin]: ${ABSENT}`,
          program,
        ),
      ).toMatchObject({ exitCode: 127 });
      expect(noProgramIn(`${FAILED}: exec: "${quoted}": ${missing}\r\n`, `${program}x`)).toBeNull();
    },
  );

  it.each([
    'process_linux.go:99: starting setns process: resource temporarily unavailable',
    `${FAILED}: chdir to cwd ("/work/x") set in config.json failed: no such file or directory: unknown`,
    `${FAILED}: error during container init: mkdir /proc/x: no such file or directory: unknown`,
    `${FAILED}: error during container init: exec: "/sbin/docker-init": permission denied: unknown`,
    `${FAILED}: exec: "/sbin/docker-init": stat /sbin/docker-init: no such file or directory: unknown`,
    `${FAILED}: open /proc/self/attr/exec: permission denied: unknown`,
    `${FAILED}: exec: "x": input/output error: unknown`,
    'failed to mount "overlay": permission denied',
    `${GVISOR} "y" in sandbox: failed to load /y: ${ABSENT}`,
    `${GVISOR} "x" in sandbox: failed to load /x: cannot allocate memory: unknown`,
    `${GVISOR} "x" in sandbox: setting up FDs: ${ABSENT}`,
    'executable file `x` not found in $PATH: No such file or directory: unknown', // crun: not seen at work
    'exec: "x": executable file not found in $PATH', // somebody else's words
  ])(
    'hole: other errors of the engine that speak of files were told as a program that is not there: %s',
    (words) => {
      expect(noProgramIn(words, 'x')).toBeNull();
    },
  );

  it('hole: another error of the engine was taken for the words that stand in the name of a program', () => {
    const program = '/a: no such file or directory: unknown';
    const words = `${FAILED}: exec: "${program}": stat ${program}: input/output error: unknown`;
    expect(noProgramIn(words, program)).toBeNull();
  });
});
