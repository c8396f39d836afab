// X01, X02: what a document may say about its sandbox. There is no way from a document to the engine's own settings: each
// key is an error at its line, before anything could be created.
import { describe, expect, it } from 'vitest';
import { validate } from '../../src/workflow/index.js';

/** A key the engine knows, as a document might try to set it. */
const KEYS: readonly (readonly [string, string])[] = [
  ['privileged', 'true'],
  ['binds', '["/:/host"]'],
  ['volumes', '["/:/host"]'],
  ['networkMode', 'host'],
  ['capAdd', '[ALL]'],
  ['pidMode', 'host'],
  ['ipcMode', 'host'],
  ['usernsMode', 'host'],
  ['devices', '["/dev/sda"]'],
  ['securityOpt', '["seccomp=unconfined"]'],
  ['seccomp', 'unconfined'],
  ['user', 'root'],
  ['entrypoint', '[sh]'],
  ['runtimeArgs', '[--platform=kvm]'],
  ['docker', '{ Privileged: true }'],
  ['HostConfig', '{ Privileged: true }'],
  ['hostConfig', '{ Binds: ["/:/host"] }'],
];

/** One step; `lines` stand at the end of it, from line 6 on. */
function problems(...lines: readonly string[]): readonly (readonly [string, number, string])[] {
  const text = [
    'id: attack',
    'agents: [claims-triage]',
    'steps:',
    '  - name: Run',
    '    functionId: "tool::shell_exec"',
    ...lines.map((line) => `    ${line}`),
  ].join('\n');
  return validate(text)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code, line, message }) => [code, line, message] as const);
}

const CONFIG = 'config: { argv: ["true"] }';

describe('X01: a document has no way to the settings of the engine', () => {
  it('control: the same step without them is valid', () => {
    expect(problems(CONFIG, 'sandbox:', '  driver: docker', '  limits:', '    pids: 8')).toEqual([]);
  });

  describe.each(KEYS)('%s', (key, value) => {
    const told = (line: number): unknown[] => [
      ['DOC_UNKNOWN_FIELD', line, expect.stringContaining(JSON.stringify(key)) as string],
    ];

    it('is no field of the step', () => {
      expect(problems(CONFIG, `${key}: ${value}`)).toEqual(told(7));
    });
    it('is no field of its sandbox', () => {
      expect(problems(CONFIG, 'sandbox:', '  driver: docker', `  ${key}: ${value}`)).toEqual(told(9));
    });
    it('is no limit', () => {
      expect(problems(CONFIG, 'sandbox:', '  driver: docker', '  limits:', `    ${key}: ${value}`)).toEqual(
        told(10),
      );
    });
    it('is no field of the request', () => {
      expect(problems('config:', '  argv: ["true"]', `  ${key}: ${value}`)).toEqual(told(8));
    });
  });
});
