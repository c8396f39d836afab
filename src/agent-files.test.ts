// Files of agents, hands and models on disk: what is broken stands in the way of itself only.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyVariables, readAgentFiles } from './agent-files.js';
import { WritError } from './errors.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-agents-'));
  mkdirSync(join(folder, 'agents'));
  mkdirSync(join(folder, 'hands'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
const put = (path: string, text: string | Uint8Array) => {
  writeFileSync(join(folder, path), text);
};
const messageOf = (value: unknown) =>
  value instanceof WritError ? value.message.replace(`${folder}/`, '') : value;

describe('agent files', () => {
  it('need not be there', async () => {
    const { agents, hands, models, environment, read } = await readAgentFiles(join(folder, 'nowhere'), {});
    expect([agents.size, hands.size, read]).toEqual([0, 0, []]);
    expect(models).toMatchObject({ default: null });
    expect(environment).toBeInstanceOf(WritError);
  });

  it('are found by name, with the digest of their bytes', async () => {
    put('agents/clerk.yaml', 'name: clerk\n');
    put('agents/other.yml', 'name: other\n');
    put('agents/.hidden.yaml', 'nonsense: [');
    put('agents/README.md', '# agents');
    put('hands/desk.yaml', 'id: desk\nfunctions: {allowed: []}\n');
    put('models.yaml', 'providers: {house: {baseUrl: "https://x.example/v1", keyEnv: HOUSE_KEY}}');
    const files = await readAgentFiles(folder, { WRIT_MODEL_BASE_URL: 'https://y.example/v1' });
    expect([...files.agents.keys(), ...files.hands.keys()]).toEqual(['clerk', 'other', 'desk']);
    expect(files.agents.get('clerk')).toMatchObject({
      digest: 'sha256:7847be33b4007caf8ecb267377ae85b0d781e229eabdc6b081fb63fdb2588084',
    });
    expect(keyVariables(files)).toEqual(['HOUSE_KEY', 'WRIT_MODEL_API_KEY']);
  });

  it('that are links out of the folder are not read, and links within it are', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'writ-outside-'));
    try {
      writeFileSync(join(outside, 'clerk.yaml'), 'name: clerk\n# not for you\n');
      writeFileSync(join(outside, 'models.yaml'), 'providers: {}\n');
      mkdirSync(join(outside, 'hands'));
      writeFileSync(join(outside, 'hands', 'desk.yaml'), 'id: desk\nfunctions: {allowed: []}\n');
      symlinkSync(join(outside, 'clerk.yaml'), join(folder, 'agents', 'clerk.yaml'));
      symlinkSync(join(outside, 'models.yaml'), join(folder, 'models.yaml'));
      rmSync(join(folder, 'hands'), { recursive: true });
      symlinkSync(join(outside, 'hands'), join(folder, 'hands'));
      put('agents/own.yaml', 'name: own\n');
      symlinkSync('own.yaml', join(folder, 'agents', 'same.yaml'));
      const { agents, hands, models, read } = await readAgentFiles(folder, {});
      const message = expect.stringContaining('leads out of the folder') as unknown;
      expect(agents.get('clerk')).toMatchObject({ code: 'CONFIG_INVALID', message });
      expect(hands.get('desk')).toMatchObject({ code: 'CONFIG_INVALID', message });
      expect(models).toMatchObject({ code: 'CONFIG_INVALID', message });
      expect(agents.get('own')).toMatchObject({ digest: expect.any(String) });
      expect(read.find(({ path }) => path.endsWith('same.yaml'))?.text).toBe('name: own\n');
      expect(JSON.stringify(read)).not.toContain('not for you');
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });

  it('that are broken are errors with file, line and column, and the others are used', async () => {
    put('agents/bad.yaml', 'name: bad\nmodle: x\ntemperature: hot\n');
    put('agents/clerk.yaml', 'name: clerk\n');
    put('agents/latin.yaml', new Uint8Array([0x6e, 0xe9, 0x0a]));
    put('agents/twice.yaml', 'name: twice\n');
    put('agents/twice.yml', 'name: twice\n');
    mkdirSync(join(folder, 'agents', 'folder.yaml'));
    symlinkSync('/nowhere', join(folder, 'agents', 'gone.yaml'));
    put('models.yaml', 'providers: []');
    const { agents, models, read } = await readAgentFiles(folder, {});
    expect(messageOf(agents.get('bad'))).toBe(
      'agents/bad.yaml:2:1: the document knows no field "modle" (and 1 more)',
    );
    expect(messageOf(agents.get('latin'))).toBe('agents/latin.yaml is not UTF-8');
    expect(messageOf(agents.get('twice'))).toBe('agents/twice.yml: there is a .yaml and a .yml of this name');
    expect(agents.get('clerk')).toMatchObject({ name: 'clerk' });
    expect([agents.has('folder'), agents.has('gone')]).toEqual([false, false]);
    expect(messageOf(models)).toContain('models.yaml:1:12: "providers" must be an object');
    expect(read.filter(({ diagnostics }) => diagnostics.length > 0)).toHaveLength(4);
  });
});
