import { afterEach, describe, expect, it, vi } from 'vitest';
import { WritError } from '../errors.js';
import { commandLine } from './command-line.js';
import { isInteractive, publishOrTell, untilSignal } from './context.js';
import { createOutput } from './output.js';
import { looksLikeFile } from './workflow/source.js';

const sink = { isTTY: true, write: () => true };
const terminal = (change: {
  stdin?: boolean;
  stdout?: boolean;
  json?: boolean;
  env?: Record<string, string>;
}) => {
  const env = change.env ?? {};
  return {
    env,
    output: createOutput({ stdout: sink, stderr: sink, json: change.json ?? false, env }),
    stdin: { isTTY: change.stdin ?? true },
    stdout: { ...sink, isTTY: change.stdout ?? true },
  };
};

describe('asking at the terminal', () => {
  it.each([
    [true, {}],
    [false, { stdin: false }],
    [false, { stdout: false }],
    [false, { json: true }],
    [false, { env: { TERM: 'dumb' } }],
    [false, { env: { CI: 'true' } }],
    [true, { env: { CI: 'false' } }],
  ])('is possible: %s with %j', (possible, change) => {
    expect(isInteractive(terminal(change))).toBe(possible);
  });
});

describe('a signal', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s aborts what waits and gives exit code %d', async (name, code) => {
    const interrupted = await untilSignal(async (signal) => {
      process.emit(name, name);
      expect(signal.aborted).toBe(true);
      throw new Error('aborted');
    });
    expect(interrupted).toBe(code);
  });

  it('ends the process at once when it comes a second time', async () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    await untilSignal(async () => {
      process.emit('SIGINT', 'SIGINT');
      process.emit('SIGINT', 'SIGINT');
    });
    expect(exit).toHaveBeenCalledWith(130);
  });

  it('does not hide a broken store', async () => {
    const broken = new WritError('STORE_IO', 'the disk is gone');
    await expect(
      untilSignal(async (_, interrupt) => {
        interrupt();
        throw broken;
      }),
    ).rejects.toBe(broken);
  });

  it('leaves no listener behind', async () => {
    const before = process.listenerCount('SIGINT');
    await untilSignal(async () => undefined);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});

describe('the publication at the end of a command', () => {
  const told = async (error: WritError): Promise<string> => {
    let text = '';
    const stderr = { isTTY: false, write: (part: string) => ((text += part), true) };
    const output = createOutput({ stdout: sink, stderr, json: true, env: {} });
    await publishOrTell({ publish: () => Promise.reject(error) }, output);
    return text;
  };

  it('is told and left to the next one when another process is in the way: the command ends as what it did', async () => {
    const text = await told(new WritError('STORE_BUSY', 'lock publish is held by another process'));
    expect(text).toContain(
      'warning: done, and the log is not published yet: lock publish is held by another process',
    );
    expect(text).toContain('the next command that writes publishes it');
  });

  it('ends the command with any other fault', async () => {
    const broken = new WritError('AUDIT_FORK', 'another root');
    await expect(told(broken)).rejects.toBe(broken);
  });
});

describe('a printed command', () => {
  it('names the directories that are not the default, quoted for a shell', () => {
    const place = { data: "/tmp/it's here", policies: 'policies', env: {} };
    expect(commandLine(place, 'approvals', 'show', 'apr_1')).toBe(
      `writ approvals show apr_1 --data '/tmp/it'\\''s here'`,
    );
    expect(commandLine({ data: '.writ', policies: 'policies', env: {} }, 'doctor')).toBe('writ doctor');
  });

  it('leaves out what the environment says anyway', () => {
    const place = { data: '/d', policies: '/p', env: { WRIT_DATA: '/d', WRIT_POLICIES: '/p' } };
    expect(commandLine(place, 'doctor')).toBe('writ doctor');
  });
});

describe('a workflow on the command line', () => {
  it.each([
    ['claims-review', false],
    ['flow.yaml', true],
    ['flow.JSON', true],
    ['./claims-review', true],
    ['dir/flow', true],
  ])('%s is a file: %s', (name, isFile) => {
    expect(looksLikeFile(name)).toBe(isFile);
  });
});
