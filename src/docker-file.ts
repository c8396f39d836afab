// `docker.yaml` of the project folder (the one that holds `policies/`): which images steps may call by name, and which
// engine and container runtime run them. It need not be there; one that is there and empty is an error, for a write that
// was cut off leaves that, and what it had said of the runtime would be gone. With errors in it, only what needs it is
// refused.
import { join } from 'node:path';
import { readConfig, schemaOf } from './adapters/functions/config-file.js';
import type { DeclaredHost } from './adapters/egress/credential.js';
import { WritError } from './errors.js';
import { isDigest } from './json.js';
import type { ImageNames } from './runtime/ports.js';

export interface DockerFile {
  readonly images: ImageNames;
  /** Of the engine's socket; null = the default one. */
  readonly socket: string | null;
  /** Every container's; null = the engine's default. */
  readonly runtime: string | null;
  /** Hosts that a secret may be sent to from containers, by the name of the secret. */
  readonly credentials: ReadonlyMap<string, readonly DeclaredHost[]>;
}

interface Fields {
  readonly credentials?: Readonly<Record<string, readonly string[]>>;
  readonly images?: Readonly<Record<string, string>>;
  readonly socket?: string;
  readonly runtime?: string;
}

const NAME = '^[a-z0-9][a-z0-9._-]{0,63}$';
const SECRET = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';
const PLAIN = 'http://';
/** By TLS only, unless it says otherwise. */
const HOST = `^(?:${PLAIN})?(?:[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*|\\[[0-9a-f:.]+\\]):[1-9][0-9]{0,4}$`;
const IMAGE = '^(?:[a-z0-9][a-z0-9._/:-]{0,254}@)?sha256:[0-9a-f]{64}$';

const fits = schemaOf<Fields>({
  type: 'object',
  additionalProperties: false,
  properties: {
    images: {
      type: 'object',
      maxProperties: 100,
      propertyNames: { pattern: NAME },
      // A tag can be moved to other bytes: only what is named by its digest runs.
      additionalProperties: { type: 'string', pattern: IMAGE },
    },
    credentials: {
      type: 'object',
      maxProperties: 100,
      propertyNames: { pattern: SECRET },
      additionalProperties: {
        type: 'array',
        minItems: 1,
        maxItems: 100,
        items: { type: 'string', pattern: HOST },
      },
    },
    socket: { type: 'string', pattern: '^/[^\\u0000]{1,106}$' },
    runtime: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' },
  },
});

/** Never throws for what stands in the file: that is what it resolves with. */
export async function readDockerFile(folder: string): Promise<DockerFile | WritError> {
  try {
    const {
      images = {},
      socket = null,
      runtime = null,
      credentials = {},
    } = (await readConfig(join(folder, 'docker.yaml'), fits)) ?? {};
    return {
      images: imagesOf(new Map(Object.entries(images))),
      socket,
      runtime,
      credentials: new Map(
        Object.entries(credentials).map(([name, hosts]) => [name, hosts.map((host) => declaredHost(host))]),
      ),
    };
  } catch (error) {
    if (error instanceof WritError && error.code === 'CONFIG_INVALID') return error;
    throw error;
  }
}

function declaredHost(text: string): DeclaredHost {
  const isPlain = text.startsWith(PLAIN);
  return { host: isPlain ? text.slice(PLAIN.length) : text, isPlain };
}

function imagesOf(images: ReadonlyMap<string, string>): ImageNames {
  return {
    names: () => [...images.keys()].sort(),
    image(name) {
      const reference = images.get(name);
      if (reference === undefined) return null;
      const at = reference.lastIndexOf('@');
      const digest = reference.slice(at + 1);
      if (!isDigest(digest)) throw new WritError('INTERNAL', `docker.yaml: image ${name} has no digest`);
      return { kind: 'image', digest, repository: at < 0 ? null : reference.slice(0, at) };
    },
  };
}

/** Stands for the images of a file with errors: whoever looks for one gets them. */
export function unreadableImages(error: WritError): ImageNames {
  const fail = (): never => {
    throw error;
  };
  return { names: fail, image: fail };
}
