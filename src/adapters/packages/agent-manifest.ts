// Decodes the manifest and config of an agent package. Both are attacker-controlled until their digests are pinned
// by somebody who reviewed them, and are read strictly after that: an unknown field is refused, because it may be a
// promise this runner doesn't keep.
import { WritError } from '../../errors.js';
import { isDigest, isObject, readJson, type Digest, type Json, type JsonObject } from '../../json.js';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
export const CONFIG_TYPE = 'application/vnd.agentrc.agent.config.v1+json';
const MODULE_TYPE = 'application/wasm';
const NAME_ANNOTATION = 'io.agentrc.agent.name';

/** Largest manifest, config and module. */
export const MAX_MANIFEST_BYTES = 256 * 1024;
const MAX_CONFIG_BYTES = 256 * 1024;
export const MAX_MODULE_BYTES = 64 * 1024 * 1024;
const MAX_DEPTH = 32;
const MAX_ARGUMENTS = 64;
const MAX_TEXT = 4_096;
const MAX_POLICY_TEXT = 64 * 1024;
const AGENT_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const REPOSITORY = /^[a-z0-9][a-z0-9._:/-]{0,254}$/;

/** What a manifest or layer list says about a blob. */
export interface Descriptor {
  readonly digest: Digest;
  readonly size: number;
}

export interface AgentManifest {
  readonly config: Descriptor;
  readonly module: Descriptor;
  /** Annotation, for display; the config's name holds. */
  readonly name: string | null;
}

export interface AgentConfig {
  readonly name: string;
  readonly repository: string;
  readonly argv: readonly string[];
  /** Digest of the layer that is run. */
  readonly entry: Digest;
  readonly ceiling: JsonObject;
  /** Policy text; null = none. */
  readonly policy: string | null;
}

/** Throws INTEGRITY_PACKAGE when it is no agent package with one WASM module. */
export function decodeManifest(bytes: Uint8Array): AgentManifest {
  const manifest = decodeObject(bytes, 'manifest');
  onlyFields(
    manifest,
    ['schemaVersion', 'mediaType', 'artifactType', 'config', 'layers', 'annotations'],
    'manifest',
  );
  if (manifest['schemaVersion'] !== 2) throw bad('manifest', 'schemaVersion is not 2');
  if (manifest['mediaType'] !== MANIFEST_TYPE) throw bad('manifest', `mediaType is not ${MANIFEST_TYPE}`);
  if (manifest['artifactType'] !== CONFIG_TYPE) throw bad('manifest', `artifactType is not ${CONFIG_TYPE}`);
  const layers: unknown = manifest['layers'];
  const layer: Json | undefined =
    Array.isArray(layers) && layers.length === 1 ? (layers[0] as Json) : undefined;
  if (layer === undefined) throw bad('manifest', 'it has not exactly one layer');
  const annotations = manifest['annotations'];
  const name = isObject(annotations) ? annotations[NAME_ANNOTATION] : undefined;
  return {
    config: descriptor(manifest['config'], CONFIG_TYPE, MAX_CONFIG_BYTES, 'config'),
    module: descriptor(layer, MODULE_TYPE, MAX_MODULE_BYTES, 'layer'),
    name: typeof name === 'string' ? name : null,
  };
}

/** Throws INTEGRITY_PACKAGE. `ceiling` is an object; what is in it is read by whoever composes ceilings. */
export function decodeConfig(bytes: Uint8Array): AgentConfig {
  const config = decodeObject(bytes, 'config');
  onlyFields(config, ['v', 'name', 'repository', 'argv', 'entry', 'ceiling', 'policy'], 'config');
  const { v, name, repository, argv, entry, ceiling, policy = null } = config;
  if (v !== 1) throw bad('config', 'v is not 1');
  if (typeof name !== 'string' || !AGENT_NAME.test(name)) throw bad('config', 'name is no agent name');
  if (typeof repository !== 'string' || !REPOSITORY.test(repository)) {
    throw bad('config', 'repository is no repository name');
  }
  if (!Array.isArray(argv) || argv.length === 0 || argv.length > MAX_ARGUMENTS) {
    throw bad('config', `argv has not 1 to ${MAX_ARGUMENTS} entries`);
  }
  const words = argv.map((word: Json) => {
    if (typeof word !== 'string' || word.length > MAX_TEXT || word.includes('\0')) {
      throw bad('config', 'argv holds something other than a short string');
    }
    return word;
  });
  if (typeof entry !== 'string' || !isDigest(entry)) throw bad('config', 'entry is no digest');
  if (!isObject(ceiling)) throw bad('config', 'it has no ceiling, which is never optional');
  // What it says is for whoever evaluates it; an empty text would permit nothing and look like none.
  if (policy !== null && (typeof policy !== 'string' || policy === '' || policy.length > MAX_POLICY_TEXT)) {
    throw bad('config', `its policy is no text of 1 to ${MAX_POLICY_TEXT} characters`);
  }
  return { name, repository, argv: words, entry, ceiling, policy };
}

/** A strict descriptor: type as expected, digest well-formed, size a count within `maxBytes`. */
function descriptor(value: Json | undefined, mediaType: string, maxBytes: number, what: string): Descriptor {
  if (!isObject(value)) throw bad('manifest', `its ${what} is no descriptor`);
  onlyFields(value, ['mediaType', 'digest', 'size', 'annotations'], `${what} descriptor`);
  const { digest, size } = value;
  if (value['mediaType'] !== mediaType) throw bad('manifest', `its ${what} is not of type ${mediaType}`);
  if (typeof digest !== 'string' || !isDigest(digest)) throw bad('manifest', `its ${what} has no digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || size > maxBytes) {
    throw bad('manifest', `the size of its ${what} is not between 0 and ${maxBytes}`);
  }
  return { digest, size };
}

/** JSON object of bounded depth; keys that stand twice keep the last, as the digest already fixed the bytes. */
export function decodeObject(bytes: Uint8Array, what: string): JsonObject {
  let value: Json;
  try {
    value = readJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new WritError('INTEGRITY_PACKAGE', `the package ${what} is not JSON`, { cause });
  }
  if (!isObject(value)) throw bad(what, 'it is no object');
  if (depthOf(value) > MAX_DEPTH) throw bad(what, `it is nested deeper than ${MAX_DEPTH}`);
  return value;
}

export function bad(what: string, why: string): WritError {
  return new WritError('INTEGRITY_PACKAGE', `the package ${what} can't be used: ${why}`, {
    hint: 'pack the agent again with the tool that belongs to this release',
  });
}

function onlyFields(value: JsonObject, known: readonly string[], what: string): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw bad(what, `it has the unknown field ${JSON.stringify(unknown.slice(0, 64))}`);
}

/** Iterative, so that depth itself can't exhaust the stack. */
function depthOf(root: Json): number {
  let depth = 0;
  let level: Json[] = [root];
  while (level.length > 0 && depth <= MAX_DEPTH) {
    depth += 1;
    level = level.flatMap((value): Json[] =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
  return depth;
}
