// The images: the Dockerfile for users says what the script says, and docker.yaml stays the file that it was.
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

interface Builder {
  readonly CONFIG: {
    readonly Env: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
    readonly User: string;
    readonly WorkingDir: string;
  };
  readonly USERS: string;
  readonly GROUPS: string;
  readonly WITHOUT: ReadonlySet<string>;
  readonly IMAGES: Readonly<Record<string, unknown>>;
  readonly record: (file: string, ids: Readonly<Record<string, string>>) => Promise<void>;
}

const FOLDER = path.resolve('sandbox/images');
const { CONFIG, USERS, GROUPS, WITHOUT, IMAGES, record } = (await import(
  pathToFileURL(path.join(FOLDER, 'build.mjs')).href
)) as Builder;

describe('the Dockerfile of the images', () => {
  const text = readFileSync(path.join(FOLDER, 'Dockerfile'), 'utf8');
  const lines = text.split('\n');

  it('has a target for each image that the script makes', () => {
    const targets = [...text.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name);
    for (const name of Object.keys(IMAGES)) expect(targets).toContain(name);
  });

  it('gives them the settings that the script gives them, and no others', () => {
    const labels = Object.entries(CONFIG.Labels).map(([name, value]) => `LABEL ${name}="${value}"`);
    const settings = [
      ...CONFIG.Env.map((pair) => `ENV ${pair}`),
      ...labels,
      `USER ${CONFIG.User}`,
      `WORKDIR ${CONFIG.WorkingDir}`,
    ];
    const said = lines.filter((line) => /^[A-Z]+ /.test(line) && !/^(?:FROM|RUN|COPY) /.test(line));
    expect(said).toEqual(settings);
  });

  it('has the same users, and leaves the same applets out', () => {
    for (const file of [USERS, GROUPS]) expect(text).toContain(`printf '${file.replaceAll('\n', '\\n')}'`);
    const out = /^ *(\S+\|\*\/\*)\) ;;/m.exec(text)?.[1]?.split('|') ?? [];
    expect(out).toEqual([...WITHOUT, '*/*']);
  });
});

describe('docker.yaml, when images are written into it', () => {
  const ID = `sha256:${'a'.repeat(64)}`;
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'writ-images-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const at = (name: string): string => path.join(folder, name);

  it('is made where there is none, with a default', async () => {
    await record(at('docker.yaml'), { sh: ID });
    expect(readFileSync(at('docker.yaml'), 'utf8')).toBe(`images:\n  sh: ${ID}\n  default: ${ID}\n`);
    expect(readdirSync(folder)).toEqual(['docker.yaml']);
  });

  it('hole: a file that others may not read could be read by all of them afterwards', async () => {
    writeFileSync(at('docker.yaml'), 'runtime: runsc # ours\n');
    chmodSync(at('docker.yaml'), 0o600);
    await record(at('docker.yaml'), { node: ID });
    expect(statSync(at('docker.yaml')).mode & 0o777).toBe(0o600);
    expect(readFileSync(at('docker.yaml'), 'utf8')).toBe(`runtime: runsc # ours\nimages:\n  node: ${ID}\n`);
  });

  it('hole: a link became a file of its own, and what it led to stayed as it was', async () => {
    writeFileSync(at('shared.yaml'), 'runtime: runsc\n');
    symlinkSync('shared.yaml', at('docker.yaml'));
    await record(at('docker.yaml'), { node: ID });
    expect(readlinkSync(at('docker.yaml'))).toBe('shared.yaml');
    expect(readFileSync(at('shared.yaml'), 'utf8')).toContain(`node: ${ID}`);
    expect(readdirSync(folder).sort()).toEqual(['docker.yaml', 'shared.yaml']);
  });

  it('is refused where it is a link that leads nowhere', async () => {
    symlinkSync('gone.yaml', at('docker.yaml'));
    await expect(record(at('docker.yaml'), { node: ID })).rejects.toThrow('leads nowhere');
    expect(lstatSync(at('docker.yaml')).isSymbolicLink()).toBe(true);
  });

  it('hole: what lay under the name of its successor was written through', async () => {
    writeFileSync(at('other'), 'theirs');
    symlinkSync('other', at('docker.yaml.new'));
    await record(at('docker.yaml'), { node: ID });
    expect(readFileSync(at('other'), 'utf8')).toBe('theirs');
    expect(lstatSync(at('docker.yaml')).isFile()).toBe(true);
  });
});
