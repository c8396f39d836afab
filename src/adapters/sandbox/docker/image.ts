// An image is what its digest says and nothing else: looked up, never pulled, compared with what the engine answers.
import type Dockerode from 'dockerode';
import { WritError } from '../../../errors.js';
import { isDigest, type Digest } from '../../../json.js';
import { ask, EngineError, unavailable } from './engine.js';
import type { DockerImage } from './request-check.js';

export interface FoundImage {
  readonly id: Digest;
  /** Programs that it says it has and that this driver uses: `sleep`, `tar`, `timeout`. */
  readonly tools: ReadonlySet<string>;
}

/**
 * Throws SANDBOX_IMAGE_MISSING, SANDBOX_IMAGE_MISMATCH when the engine answers with another image, SANDBOX_UNSUPPORTED
 * for an image that would get a writable volume, SANDBOX_UNAVAILABLE.
 */
export async function findImage(engine: Dockerode, image: DockerImage): Promise<FoundImage> {
  const name = image.repository === null ? image.digest : `${image.repository}@${image.digest}`;
  let found: Dockerode.ImageInspectInfo;
  try {
    found = await ask('image', engine.getImage(name).inspect());
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) throw missing(name);
    throw unavailable(error);
  }
  const { Id: id, RepoDigests: digests, Config: config } = found;
  const isIt = image.repository === null ? id === image.digest : (digests ?? []).includes(name);
  if (!isIt || !isDigest(id)) {
    throw new WritError('SANDBOX_IMAGE_MISMATCH', `the engine answers with another image than ${name}`, {
      hint: 'pin the id that `docker image inspect` shows, and look who changed the engine',
    });
  }
  if (Object.keys(config.Volumes ?? {}).length > 0) {
    throw new WritError(
      'SANDBOX_UNSUPPORTED',
      `image ${name} declares a volume: it would be on the host's disk`,
      {
        hint: 'build the image without VOLUME',
      },
    );
  }
  return { id, tools: new Set((config.Labels?.['writ.tools'] ?? '').split(' ').filter(Boolean)) };
}

function missing(name: string): WritError {
  return new WritError('SANDBOX_IMAGE_MISSING', `the engine has no image ${name}`, {
    hint: 'load it (docker load), or build one here: node sandbox/images/build.mjs; nothing is pulled',
  });
}
