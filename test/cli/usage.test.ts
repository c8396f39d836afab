import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { hosted, newPlace } from './writ.js';

const { folder, run, json } = newPlace(hosted);

const COMMANDS = [
  'init',
  'validate',
  'run',
  'doctor',
  'workflow create',
  'workflow list',
  'workflow show',
  'workflow run',
  'workflow status',
  'workflow results',
  'workflow resume',
  'workflow cancel',
  'workflow templates',
  'approvals list',
  'approvals show',
  'approvals approve',
  'approvals deny',
  'approvals revoke',
  'approvals edit',
  'approvals review',
  'audit verify',
  'audit vkey',
  'keys create',
  'keys show',
  'keys list',
  'mcp pin',
];

describe('help', () => {
  it('of writ names every group, on stdout, with exit 0', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const word of ['init', 'validate', 'workflow', 'run', 'approvals', 'audit', 'keys', 'doctor']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${word}\\b`, 'mu'));
    }
  });

  it.each(COMMANDS)('of %s ends with an example of itself', async (command) => {
    const { code, stdout } = await run([...command.split(' '), '--help']);
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^ {2}\\$ writ ${command}\\b`, 'u'));
    expect(stdout).toContain('--data <dir>');
  });

  it.each([[[]], [['workflow']], [['audit']], [['keys']]])(
    'goes to stderr with exit 2 when the command is missing: %j',
    async (words) => {
      const { code, stdout, stderr } = await run(words);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('Usage: writ');
      expect(stderr).toContain('writ: error: a command is missing');
    },
  );

  it('is not needed for the version', async () => {
    expect(await run(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
  });
});

describe('a command line that is wrong', () => {
  it.each([
    [['wrkflow'], "unknown command 'wrkflow'", 'did you mean workflow?'],
    [['workflow', 'lst'], "unknown command 'lst'", 'did you mean list?'],
    [['approvals', 'aprove', 'x'], "unknown command 'aprove'", 'did you mean approve?'],
    [['run', 'x', '--inptu', '{}'], "unknown option '--inptu'", 'did you mean --input?'],
    [['init', '--jsno'], "unknown option '--jsno'", 'did you mean --json?'],
    [['run'], "missing required argument 'workflow'", '--help'],
    [['run', 'x', '--agent', 'coder'], 'role=instance', '--help'],
    [['run', 'x', '--agent', 'a=b', '--agent', 'a=c'], 'given twice', '--help'],
    [
      ['run', 'x', '--input', '1', '--input', '2'],
      "option '--input <json>' is given twice",
      'leave one of them out',
    ],
    [['--data', 'a', 'workflow', 'list', '--data', 'a'], "option '--data <dir>' is given twice", 'one value'],
    [
      ['approvals', 'approve', 'x', '--digest', 'a', '--digest=b'],
      "option '--digest <hex64>' is given twice",
      'leave one of them out',
    ],
    [['workflow', 'list', '--format', 'xml'], 'Allowed choices are table, json', '--help'],
    [['approvals', 'approve', 'apr_x'], '--digest', 'writ approvals show apr_x'],
    [
      ['approvals', 'approve', 'apr_x', '--digest', 'abcd'],
      '64 lower-case hex digits',
      'writ approvals show',
    ],
    [['workflow', 'resume', 'r', '--rerun-lost', '--fail-lost'], 'exclude each other', 'one of them'],
    [
      ['policy', 'check', 'user:a', 'function.invoke', 'tool::x', '--label', 'pii', '--unlabelled'],
      'exclude each other',
      'one of them',
    ],
    [['approvals', 'list', '--limit', '0'], 'It is a whole number, 1 to 100.', '--help'],
    [['task', 'list', '--limit', 'x'], 'It is a whole number, 1 to 100.', '--help'],
    [['task', 'complete', '--token', '@', '--output', '{}'], '--token @ names no file', '@FILE'],
    [['task', 'complete', '--token', '@-', '--output', '@-'], 'stdin is read once', '@FILE'],
    [['artifact', 'put', '.'], '. is a directory', 'name a file'],
    [['validate', ''], 'there is no file ""', ''],
    [['keys', 'create', '../x'], "a key's name", 'writ keys create alice'],
    [['validate', 'nowhere.yaml'], 'there is no file nowhere.yaml', ''],
    [['run', 'flow.yaml', '--input', '{"a":'], 'there is no file flow.yaml', ''],
    [['run', 'flow', '--input', '{"a":'], '--input:1:6', '@FILE'],
    [['run', 'flow', '--input', '@nowhere.json'], 'there is no file nowhere.json', ''],
  ])('%j ends with exit 2, a message and a hint on stderr', async (words, message, hint) => {
    const { code, stdout, stderr } = await run(words);
    expect([code, stdout]).toEqual([2, '']);
    const [error = '', advice = ''] = stderr.split('\n');
    expect(error).toMatch(/^writ: error: /u);
    expect(error).toContain(message);
    if (hint !== '') expect(advice).toMatch(/^writ: hint: /u);
    expect(advice).toContain(hint);
  });

  it.each([
    [['wrkflow']],
    [['run']],
    [['approvals', 'approve', 'apr_x']],
    [['validate', 'nowhere.yaml']],
    [['workflow']],
  ])('%j gives the same as one JSON value under --json', async (words) => {
    const { code, value } = await json(words);
    expect(code).toBe(2);
    expect(value).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
  });

  it('can not control the terminal through what it echoes', async () => {
    const { stderr } = await run(['\u001b]0;owned\u0007\u001b[2J']);
    expect(stderr).toContain('\\u001b]0;owned');
    expect(stderr).not.toContain('\u001b');
  });
});

describe('without a data directory', () => {
  it.each([
    [['workflow', 'list']],
    [['workflow', 'status', 'run_x']],
    [['approvals', 'list']],
    [['run', 'some-id']],
    [['approvals', 'deny', 'apr_x']],
  ])('%j ends with NOT_INITIALISED, exit 2, and says how to make one', async (words) => {
    const { code, value } = await json(words);
    expect(code).toBe(2);
    expect(value).toMatchObject({
      error: { code: 'NOT_INITIALISED', hint: expect.stringContaining('writ init') },
    });
  });

  it('doctor says so and does not fail', async () => {
    const { code, value } = await json(['doctor']);
    expect(code).toBe(0);
    expect(value).toMatchObject({ ok: true, checks: [{ name: 'node', ok: true }, { name: 'data' }] });
  });

  it('audit verify says that there is no log, and where it looked, exit 2', async () => {
    const { code, value } = await json(['audit', 'verify']);
    const message = expect.stringContaining(join('.writ', 'audit')) as string;
    expect([code, value]).toMatchObject([2, { error: { code: 'NOT_INITIALISED', message } }]);
  });

  it('validate checks the document and says what it could not check', async () => {
    writeFileSync(join(folder, 'bad.yaml'), 'id: bad\nname: Bad\nstpes: []\nsteps: []\n');
    const human = await run(['validate', 'bad.yaml']);
    expect(human.code).toBe(2);
    expect(human.stdout).toMatch(/^bad\.yaml:3:1: error DOC_UNKNOWN_FIELD/mu);
    expect(human.stdout).toContain('> 3 | stpes: []');
    expect(human.stdout).toContain('bad.yaml: invalid (');
    expect(human.stderr).toContain('agents, functions and ceilings were not checked');
    const { code, value } = await json(['validate', 'bad.yaml']);
    expect(code).toBe(2);
    expect(value).toMatchObject({ ok: false, checked: 'document', diagnostics: expect.any(Array) });
  });
});

describe('validate of several files', () => {
  it('judges every one of them when one can not be read, which is a finding of its own', async () => {
    writeFileSync(
      join(folder, 'good.yaml'),
      'id: good\nsteps: [{ name: A, functionId: "tool::health_check" }]\n',
    );
    writeFileSync(join(folder, 'wrong.yaml'), 'id: wrong\nstpes: []\nsteps: []\n');
    writeFileSync(join(folder, 'latin.yaml'), Buffer.from('id: w\nname: caf\u00e9\n', 'latin1'));
    const files = ['nowhere.yaml', 'good.yaml', 'latin.yaml', 'wrong.yaml', '.'];
    const human = await run(['validate', ...files]);
    expect(human.code).toBe(2);
    expect(human.stdout).toContain('nowhere.yaml: error NOT_FOUND: there is no file nowhere.yaml\n');
    expect(human.stdout).toContain(
      'latin.yaml: error DOC_SYNTAX: latin.yaml:2: the line is not UTF-8 text\n  hint: ',
    );
    for (const verdict of ['nowhere.yaml: invalid (1 error)', 'good.yaml: valid', '.: invalid (1 error)']) {
      expect(human.stdout).toContain(verdict);
    }
    expect(human.stdout).toContain('wrong.yaml:2:1: error DOC_UNKNOWN_FIELD');
    const { code, value } = await json(['validate', ...files]);
    expect(code).toBe(2);
    expect(value).toMatchObject({ ok: false, checked: 'document' });
    const { diagnostics } = value as { diagnostics: { file: string; code: string }[] };
    const named = [...new Set(diagnostics.map(({ file }) => file))];
    expect(named).toEqual(['nowhere.yaml', 'latin.yaml', 'wrong.yaml', '.']);
    expect(diagnostics[0]).toMatchObject({ code: 'NOT_FOUND', line: 1, column: 1, path: '' });
    expect(diagnostics[1]).toMatchObject({ code: 'DOC_SYNTAX', line: 2, column: 10 });
  });
});

describe('output', () => {
  it('has no colour without a terminal, and none under NO_COLOR even when forced', async () => {
    const forced = await run(['validate', 'bad.yaml'], { env: { FORCE_COLOR: '1' } });
    expect(forced.stdout).toContain('\u001b[31m');
    const plain = await run(['validate', 'bad.yaml']);
    expect(plain.stdout).not.toContain('\u001b');
    const refused = await run(['validate', 'bad.yaml'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
    expect(refused.stdout).toBe(plain.stdout);
  });

  it('is quiet about a reader that went away', async () => {
    const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
    const child = spawn(process.execPath, [main, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const errors: string[] = [];
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
    const code = await new Promise((resolve) => {
      child.on('close', resolve);
    });
    expect([code, errors.join('')]).toEqual([0, '']);
  });
});
