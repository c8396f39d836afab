// The modules the product ships, by name through the sha256 manifest of `sandbox/wasm`. The manifest says which bytes
// a name means; bytes that differ are refused on every read.
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import { isDigest, isObject, type Digest, type Json } from '../../json.js';
import type { ModuleStore } from '../../runtime/ports.js';
import { bad, decodeObject, MAX_MODULE_BYTES } from './agent-manifest.js';
import { digestOf, readBounded } from './oci-blob.js';

const MAX_LIST_BYTES = 1024 * 1024;
const MAX_MODULES = 1_000;
const MODULE_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Modules of `dir`: `manifest.json` {modules: [{name, sha256, source, toolchain}]} and `modules/<name>.wasm`.
 * Throws NOT_FOUND without a manifest, INTEGRITY_PACKAGE for a malformed one, INTEGRITY_DIGEST for other bytes.
 */
export function openModuleManifest(dir: string): ModuleStore {
  return {
    async names() {
      return [...(await readManifest(dir)).keys()];
    },
    async module(name) {
      const digest = (await readManifest(dir)).get(name);
      if (digest === undefined) return null;
      const bytes = await readBounded(join(dir, 'modules', `${name}.wasm`), MAX_MODULE_BYTES);
      if (bytes === null) throw bad('module', `module ${name} is in the manifest but its file is missing`);
      const actual = digestOf(bytes);
      if (actual !== digest) {
        throw new WritError(
          'INTEGRITY_DIGEST',
          `module ${name} hashes to ${actual}, its manifest says ${digest}`,
          {
            hint: 'build the modules again: node sandbox/build.mjs',
            details: { expected: digest, actual },
          },
        );
      }
      return { digest, bytes };
    },
  };
}

/** name -> digest, in the manifest's order. A name is safe as a file name: letters, digits and hyphens. */
async function readManifest(dir: string): Promise<ReadonlyMap<string, Digest>> {
  const bytes = await readBounded(join(dir, 'manifest.json'), MAX_LIST_BYTES);
  if (bytes === null) {
    throw new WritError('NOT_FOUND', 'there is no manifest of WASM modules', {
      hint: 'build the modules: node sandbox/build.mjs',
    });
  }
  const modules = decodeObject(bytes, 'module manifest')['modules'];
  if (!Array.isArray(modules) || modules.length > MAX_MODULES) {
    throw bad('module manifest', `modules is no list of at most ${MAX_MODULES}`);
  }
  const found = new Map<string, Digest>();
  for (const entry of modules as readonly Json[]) {
    if (!isObject(entry)) throw bad('module manifest', 'an entry is no object');
    const { name, sha256 } = entry;
    if (typeof name !== 'string' || !MODULE_NAME.test(name))
      throw bad('module manifest', 'a name is not usable');
    const digest = `sha256:${typeof sha256 === 'string' ? sha256 : ''}`;
    if (!isDigest(digest)) throw bad('module manifest', `module ${name} has no sha256`);
    if (found.has(name)) throw bad('module manifest', `module ${name} stands twice`);
    found.set(name, digest);
  }
  return found;
}
