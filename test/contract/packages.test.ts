// OCI layouts under the package contract, importing between them, and the manifest of shipped modules.
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importPackage, openModuleManifest, openOciLayout } from '../../src/adapters/packages/index.js';
import { isObject, type Digest, type Json, type JsonObject } from '../../src/json.js';
import { digest, packagesContract } from './packages.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/claims-review/packages', import.meta.url));
const MODULES = fileURLToPath(new URL('../../sandbox/wasm', import.meta.url));

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'writ-packages-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

let count = 0;
async function fresh(): Promise<string> {
  count += 1;
  const dir = join(scratch, `${count}`);
  await mkdir(dir);
  return dir;
}

function sha256(bytes: Uint8Array): Digest {
  return digest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

function blobPath(layout: string, name: string): string {
  return join(layout, 'blobs/sha256', name.replace('sha256:', ''));
}

async function json(path: string): Promise<JsonObject> {
  const value = JSON.parse(await readFile(path, 'utf8')) as Json;
  if (!isObject(value)) throw new Error(`${path} holds no object`);
  return value;
}

/** Digests of the first package of a layout. */
async function parts(layout: string): Promise<Record<'manifest' | 'config' | 'module', Digest>> {
  const index = await json(join(layout, 'index.json'));
  const text = JSON.stringify(index['manifests']);
  const manifest = digest(/sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? '');
  const found = JSON.stringify(await json(blobPath(layout, manifest))).match(/sha256:[0-9a-f]{64}/g) ?? [];
  return { manifest, config: digest(found[0] ?? ''), module: digest(found[1] ?? '') };
}

async function copyOfExample(): Promise<string> {
  const layout = await fresh();
  await cp(EXAMPLE, layout, { recursive: true });
  return layout;
}

packagesContract('OCI layout', async () => {
  const layout = await copyOfExample();
  const of = await parts(layout);
  return {
    store: openOciLayout([await fresh(), layout]),
    digest: of.manifest,
    name: 'claims-triage',
    async tamper(part) {
      const path = blobPath(layout, of[part]);
      const bytes = await readFile(path);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await writeFile(path, bytes);
    },
    remove: (part) => rm(blobPath(layout, of[part])),
  };
});

describe('OCI layout', () => {
  /** Writes a package whose manifest and config are edited first; every digest is right for what was written. */
  async function packed(
    edit: (manifest: Record<string, Json>, config: Record<string, Json>) => void,
  ): Promise<{ layout: string; pinned: Digest }> {
    const layout = await copyOfExample();
    const of = await parts(layout);
    const manifest: Record<string, Json> = { ...(await json(blobPath(layout, of.manifest))) };
    const config: Record<string, Json> = { ...(await json(blobPath(layout, of.config))) };
    edit(manifest, config);
    const configBytes = Buffer.from(JSON.stringify(config));
    const was = manifest['config'];
    if (isObject(was) && was['digest'] === of.config) {
      manifest['config'] = { ...was, digest: sha256(configBytes), size: configBytes.length };
    }
    const manifestBytes = Buffer.from(JSON.stringify(manifest));
    await writeFile(blobPath(layout, sha256(configBytes)), configBytes);
    await writeFile(blobPath(layout, sha256(manifestBytes)), manifestBytes);
    return { layout, pinned: sha256(manifestBytes) };
  }
  const resolve = ({ layout, pinned }: { layout: string; pinned: Digest }) =>
    openOciLayout([layout]).resolve(pinned);

  it('resolves what was packed without a change, so that the refusals below mean something', async () => {
    expect(await resolve(await packed(() => undefined))).toMatchObject({ name: 'claims-triage' });
  });

  const refusals: readonly (readonly [string, Parameters<typeof packed>[0]])[] = [
    ['another media type', (manifest) => (manifest['mediaType'] = 'application/json')],
    ['another artifact type', (manifest) => (manifest['artifactType'] = 'application/vnd.other')],
    ['an unknown field in the manifest', (manifest) => (manifest['subject'] = {})],
    ['no layer', (manifest) => (manifest['layers'] = [])],
    [
      'two layers',
      (manifest) => (manifest['layers'] = [manifest['config'] ?? null, manifest['config'] ?? null]),
    ],
    ['a layer of another type', (manifest) => (manifest['layers'] = [manifest['config'] ?? null])],
    ['no ceiling', (_manifest, config) => delete config['ceiling']],
    ['a ceiling that is no object', (_manifest, config) => (config['ceiling'] = null)],
    ['an unknown field in the config', (_manifest, config) => (config['network'] = 'open')],
    ['a name with a path', (_manifest, config) => (config['name'] = '../x')],
    ['no arguments', (_manifest, config) => (config['argv'] = [])],
    ['an entry that is not its layer', (_manifest, config) => (config['entry'] = `sha256:${'1'.repeat(64)}`)],
    ['another version', (_manifest, config) => (config['v'] = 2)],
    ['two names', (manifest) => (manifest['annotations'] = { 'io.agentrc.agent.name': 'other' })],
  ];
  it.each(refusals)('refuses a package with %s', async (_what, edit) => {
    await expect(resolve(await packed(edit))).rejects.toMatchObject({ code: 'INTEGRITY_PACKAGE' });
  });

  it('refuses a size that is not that of the layer, too small or too large', async () => {
    for (const by of [-1, 1]) {
      const changed = await packed((manifest) => {
        const layer = (manifest['layers'] as readonly JsonObject[])[0];
        manifest['layers'] = [{ ...layer, size: Number(layer?.['size']) + by }];
      });
      await expect(resolve(changed)).rejects.toMatchObject({ code: 'INTEGRITY_SIZE' });
    }
  });

  it('follows no link out of the layout', async () => {
    const layout = await copyOfExample();
    const { manifest } = await parts(layout);
    const outside = join(await fresh(), 'outside');
    await cp(blobPath(layout, manifest), outside);
    await rm(blobPath(layout, manifest));
    await symlink(outside, blobPath(layout, manifest));
    await expect(openOciLayout([layout]).resolve(manifest)).rejects.toMatchObject({ code: 'STORE_IO' });
  });

  it('refuses a layout of a version it does not know', async () => {
    const layout = await copyOfExample();
    await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
    await expect(openOciLayout([layout]).resolve((await parts(layout)).manifest)).rejects.toMatchObject({
      code: 'INTEGRITY_PACKAGE',
    });
  });
});

describe('importing a package', () => {
  it('copies exactly the verified blobs into a new layout, and twice is once', async () => {
    const target = join(await fresh(), 'store');
    const of = await parts(EXAMPLE);
    await importPackage(EXAMPLE, target, of.manifest);
    await importPackage(EXAMPLE, target, of.manifest);
    expect((await readdir(join(target, 'blobs/sha256'))).sort()).toEqual(
      Object.values(of)
        .map((name) => name.replace('sha256:', ''))
        .sort(),
    );
    expect((await json(join(target, 'index.json')))['manifests']).toHaveLength(1);
    expect(await openOciLayout([target]).resolve(of.manifest)).toMatchObject({ name: 'claims-triage' });
  });

  it('adds to a layout that holds other packages', async () => {
    const target = await fresh();
    const index = await json(join(EXAMPLE, 'index.json'));
    const digests = (index['manifests'] as readonly { digest: string }[]).map((entry) =>
      digest(entry.digest),
    );
    for (const each of digests) await importPackage(EXAMPLE, target, each);
    const store = openOciLayout([target]);
    for (const each of digests) expect(await store.resolve(each)).not.toBeNull();
  });

  it('writes nothing of a package that is not what it says', async () => {
    const source = await copyOfExample();
    const target = join(await fresh(), 'store');
    const of = await parts(source);
    await writeFile(blobPath(source, of.module), 'something else');
    await expect(importPackage(source, target, of.manifest)).rejects.toMatchObject({
      code: 'INTEGRITY_DIGEST',
    });
    await expect(readdir(target)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says so when there is no such package', async () => {
    const missing = importPackage(EXAMPLE, await fresh(), digest(`sha256:${'0'.repeat(64)}`));
    await expect(missing).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('module manifest', () => {
  it('gives the shipped modules by name, verified', async () => {
    const store = openModuleManifest(MODULES);
    expect(await store.names()).toEqual([
      'claims-triage',
      'human-review-assistant',
      'approval-agent',
      'json',
      'csv',
      'text',
      'javascript',
    ]);
    for (const name of await store.names()) {
      const module = await store.module(name);
      expect(module?.digest).toBe(sha256(module?.bytes ?? new Uint8Array(0)));
    }
  });

  it('knows no other name, a path above all', async () => {
    const store = openModuleManifest(MODULES);
    for (const name of ['', 'other', '../modules/claims-triage', 'claims-triage.wasm', '__proto__']) {
      expect(await store.module(name)).toBeNull();
    }
  });

  it('refuses a module whose bytes differ from the manifest', async () => {
    const dir = await fresh();
    await cp(MODULES, dir, { recursive: true });
    const path = join(dir, 'modules/claims-triage.wasm');
    await chmod(path, 0o644);
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const store = openModuleManifest(dir);
    await expect(store.module('claims-triage')).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
    expect(await store.module('approval-agent')).not.toBeNull();
  });

  it.each([
    '[]',
    '{"modules":{}}',
    '{"modules":[{"name":"../x","sha256":""}]}',
    '{"modules":[{"name":"a","sha256":"00"}]}',
    `{"modules":[${[1, 2].map(() => `{"name":"a","sha256":"${'0'.repeat(64)}"}`).join()}]}`,
  ])('refuses the malformed manifest %s', async (text) => {
    const dir = await fresh();
    await writeFile(join(dir, 'manifest.json'), text);
    await expect(openModuleManifest(dir).names()).rejects.toMatchObject({ code: 'INTEGRITY_PACKAGE' });
  });

  it('says what to do when there is no manifest', async () => {
    await expect(openModuleManifest(await fresh()).names()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
