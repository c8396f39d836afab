// `writ agent`: files of AgentOS become files of ours, and broken files are told at their lines.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { hosted, newPlace, type Place } from './writ.js';

let place: Place;
beforeEach(() => {
  place = newPlace(hosted);
});
const put = (path: string, text: string) => {
  mkdirSync(join(place.folder, path, '..'), { recursive: true });
  writeFileSync(join(place.folder, path), text);
};

const AGENT = `[agent]
name = "clerk"
description = "Answers letters"
[agent.model]
model = "large"
[agent.capabilities]
functions = ["fn::wasm", "*"]
[agent.resources]
system_prompt = """
Be kind.
"""
`;

describe('writ agent check', () => {
  it('warns of agents and hands that name what no other file describes, at the line', async () => {
    put('models.yaml', 'providers:\n  house: { baseUrl: "http://127.0.0.1:9/v1", keyless: true }\n');
    put('agents/clerk.yaml', 'name: clerk\nprovider: haus\n');
    put('agents/fine.yaml', 'name: fine\nprovider: house\n');
    put('hands/desk.yaml', 'id: desk\nagent: cleark\nfunctions: { allowed: [] }\n');
    const { code, stdout } = await place.run(['agent', 'check']);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'agents/clerk.yaml:2:11: warning CONFIG_INVALID: no provider "haus" is described',
    );
    expect(stdout).toContain('did you mean "house"?');
    expect(stdout).toContain('hands/desk.yaml:2:8: warning CONFIG_INVALID: there is no agents/cleark.yaml');
    expect(stdout).toMatch(/fine\.yaml: valid\n/u);
  });
});

describe('writ agent import', () => {
  it('prints the file, and what it leaves out on stderr', async () => {
    put('agent.toml', AGENT);
    const { code, stdout, stderr } = await place.run(['agent', 'import', 'agent.toml']);
    expect(code).toBe(0);
    expect(stdout).toBe(`name: clerk
description: Answers letters
model: large
systemPrompt: |
  Be kind.
tools:
  - tool::wasm`);
    expect(stderr.replace(/:\d+:1: /, ':N:1: ')).toBe(
      'writ: warning: agent.toml:N:1: the function "*" is not imported: name the functions one by one, or a namespace as ns::*',
    );
  });

  it('writes it where it belongs, once, and what it writes is valid', async () => {
    put('agent.toml', AGENT);
    put('HAND.toml', '[hand]\nid = "desk"\n[hand.functions]\nallowed = ["fn::wasm"]\n');
    const agent = await place.json(['agent', 'import', 'agent.toml', '--out', '.']);
    expect([agent.code, agent.value]).toMatchObject([
      0,
      { kind: 'agent', name: 'clerk', file: 'agents/clerk.yaml', warnings: [expect.any(String)] },
    ]);
    expect((await place.run(['agent', 'import', 'HAND.toml', '--out', '.'])).stdout).toBe('hands/desk.yaml');
    const before = readFileSync(join(place.folder, 'agents', 'clerk.yaml'), 'utf8');
    const again = await place.json(['agent', 'import', 'agent.toml', '--out', '.']);
    expect([again.code, again.value]).toMatchObject([2, { error: { code: 'USAGE' } }]);
    expect(readFileSync(join(place.folder, 'agents', 'clerk.yaml'), 'utf8')).toBe(before);
    const check = await place.json(['agent', 'check']);
    expect([check.code, check.value]).toMatchObject([0, { ok: true, diagnostics: [] }]);
  });

  it('says where TOML is broken, and what is no such file', async () => {
    put('broken.toml', '[agent]\nname = "a\n');
    const broken = await place.json(['agent', 'import', 'broken.toml']);
    expect([broken.code, broken.value]).toMatchObject([
      2,
      { error: { code: 'DOC_SYNTAX', message: expect.stringMatching(/^broken\.toml:2:\d+: /) as unknown } },
    ]);
    put('Cargo.toml', '[package]\nname = "a"\n');
    expect((await place.json(['agent', 'import', 'Cargo.toml'])).value).toMatchObject({
      error: { code: 'DOC_INVALID' },
    });
    expect((await place.json(['agent', 'import', 'nowhere.toml'])).value).toMatchObject({
      error: { code: 'NOT_FOUND' },
    });
  });

  it('does not write into the data directory', async () => {
    await place.run(['init']);
    put('agent.toml', AGENT);
    const { code, value } = await place.json(['agent', 'import', 'agent.toml', '--out', '.writ']);
    expect([code, value]).toMatchObject([2, { error: { code: 'USAGE' } }]);
  });
});

describe('writ agent check', () => {
  it('shows every problem of every file, with a frame of the source', async () => {
    put('agents/clerk.yaml', 'name: clerk\nmodle: large\n');
    put('hands/desk.yaml', 'id: desk\n');
    put('models.yaml', 'providers: {}\n');
    const { code, stdout } = await place.run(['agent', 'check']);
    expect(code).toBe(2);
    expect(stdout).toContain(
      'agents/clerk.yaml:2:1: error DOC_UNKNOWN_FIELD: the document knows no field "modle"',
    );
    expect(stdout).toContain('> 2 | modle: large');
    expect(stdout).toContain('did you mean "model"?');
    expect(stdout).toContain('hands/desk.yaml: invalid (1 error)');
    expect(stdout).toContain('models.yaml: valid');
  });

  it('looks beside the policies it is given', async () => {
    put('project/agents/clerk.yaml', 'name: clerk\n');
    const { code, stdout } = await place.run(['agent', 'check', '--policies', 'project/policies']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('project/agents/clerk.yaml: valid')]);
    const none = await place.run(['agent', 'check']);
    expect([none.code, none.stdout, none.stderr]).toEqual([
      0,
      '',
      expect.stringContaining('no agents/*.yaml'),
    ]);
  });

  it('does not stand in the way of other commands', async () => {
    put('agents/clerk.yaml', 'nonsense: [');
    put('models.yaml', '- no');
    expect((await place.run(['init'])).code).toBe(0);
    expect((await place.run(['workflow', 'list'])).code).toBe(0);
  });
});
