// A step's way out from the question whether it has one to the account of what passed. Nothing is opened before the step
// runs, and all of it is gone when the step is over.
import type Dockerode from 'dockerode';
import { rm } from 'node:fs/promises';
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import type { EgressProxies } from '../../../runtime/ports.js';
import type { ContainerSpec } from './container-spec.js';
import { egressWay, openEgress, type EgressWay, type OpenEgress } from './egress.js';
import { unavailable } from './engine.js';
import { findImage, type FoundImage } from './image.js';
import type { Machine } from './machine.js';
import type { Runner } from './reaper.js';
import type { DockerImage, DockerRequest } from './request-check.js';
import { nothingRan, type StepResult } from './step.js';

/** What a driver is given for it: proxies, and the image with `node` that a relay runs in (null = none is named). */
export interface EgressMeans {
  readonly proxies: EgressProxies;
  readonly relay: () => DockerImage | null;
}

export interface PreparedEgress {
  readonly way: EgressWay;
  /** Of the relay; null = there is none. */
  readonly image: FoundImage | null;
  readonly proxies: EgressProxies;
}

/**
 * By which way the step gets out; null = it asks for none. Throws SANDBOX_UNSUPPORTED, SANDBOX_IMAGE_*, and what
 * `EgressProxies.check` throws.
 */
export async function prepareEgress(
  means: EgressMeans | undefined,
  { egress }: DockerRequest,
  runtime: string,
  { engine, machine }: { readonly engine: Dockerode; readonly machine: Machine },
): Promise<PreparedEgress | null> {
  if (egress === null) return null;
  if (means === undefined) {
    throw new WritError('SANDBOX_UNSUPPORTED', 'no sandbox of this runner has a way out to the network', {
      hint: 'remove the egress of the step',
    });
  }
  const { proxies, relay } = means;
  const way = egressWay(runtime, machine.runtimeArgs.get(runtime) ?? []);
  proxies.check(egress);
  if (way === 'socket') return { way, image: null, proxies };
  const image = relay();
  if (image === null) {
    throw new WritError('SANDBOX_IMAGE_MISSING', NO_RELAY, { hint: RELAY_HINT });
  }
  return { way, image: await findImage(engine, image), proxies };
}

export interface EgressStep {
  readonly egress: PreparedEgress | null;
  readonly request: DockerRequest;
  readonly known: { readonly engine: Dockerode; readonly runner: Runner };
  readonly spec: ContainerSpec;
}

/** `run` with the step's way out open, or with null where it has none; and what passed. `name`: of one more container. */
export async function throughEgress(
  { egress, request, known, spec }: EgressStep,
  name: () => string,
  signal: AbortSignal,
  run: (way: OpenEgress | null) => Promise<StepResult>,
): Promise<{ readonly step: StepResult; readonly passed: JsonObject }> {
  if (egress === null || request.egress === null) return { step: await run(null), passed: {} };
  const folder = await known.runner.folder();
  try {
    const parts = { ...egress, engine: known.engine, egress: request.egress, folder, name: name(), spec };
    const way = await openEgress({ ...parts, signal });
    let step: StepResult;
    try {
      step = await run(way);
    } catch (error) {
      await way.close();
      throw error;
    }
    return { step, passed: { egress: await way.close() } };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { step: nothingRan('cancelled', 'cancelled before it started'), passed: {} };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether a step could have a way out here, in words; nothing is started. */
export async function egressPromise(
  means: EgressMeans | undefined,
  { engine, machine }: { readonly engine: Dockerode; readonly machine: Machine },
): Promise<{ readonly isKept: boolean; readonly words: string }> {
  if (means === undefined) return { isKept: false, words: 'no sandbox of this runner has a way out' };
  try {
    const way = egressWay(machine.runtime, machine.runtimeArgs.get(machine.runtime) ?? []);
    if (way === 'socket')
      return { isKept: true, words: `${EGRESS_KEPT_BY}; ${machine.runtime} is shown its socket` };
    const relay = means.relay();
    if (relay === null) return { isKept: false, words: `${NO_RELAY} (${RELAY_HINT})` };
    const { id } = await findImage(engine, relay);
    return { isKept: true, words: `${EGRESS_KEPT_BY}; relay in image ${id}` };
  } catch (error) {
    const known = unavailable(error);
    return { isKept: false, words: `${known.message}${known.hint === undefined ? '' : ` (${known.hint})`}` };
  }
}

const NO_RELAY = 'docker.yaml names no image for the relay of a way out';
const RELAY_HINT =
  'it is the image named relay, else node: node sandbox/images/build.mjs node --docker-yaml docker.yaml';

export const EGRESS_KEPT_BY =
  'no route; one proxy of the runner, which judges, resolves and records each connection';

/** Before the act; nothing where the step has no way out. */
export function egressEvidence({ egress }: DockerRequest, prepared: PreparedEgress | null): JsonObject {
  if (egress === null || prepared === null) return {};
  const { hosts, credentials, bytes, requests } = egress;
  const { way, image } = prepared;
  return {
    network: way,
    egressHosts: [...hosts],
    egressBytes: bytes,
    egressRequests: requests,
    ...(image === null ? {} : { relayImageId: image.id }),
    ...(credentials.length === 0 ? {} : { credentials: [...credentials] }),
  };
}
