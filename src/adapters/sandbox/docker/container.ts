// A container from its creation to its removal. It is removed whatever happens in between, by the name it was given,
// also when the engine never answered.
import type Dockerode from 'dockerode';
import type { ContainerCreateOptions, ContainerInspectInfo, ContainerStats } from 'dockerode';
import { controlGroupOf, type ControlGroup } from './control-group.js';
import { ask, askUnlessGone, EngineError } from './engine.js';
import { createOptions, type ContainerSpec } from './container-spec.js';
import { execProgram, mainProgram, type ExecOptions, type Program } from './program.js';

/** Names of the containers that somebody in this process will remove. */
const held = new Set<string>();

/** Otherwise nobody looks after it any more: the engine did not answer when it was to be removed, or made. */
export function isHeld(name: string): boolean {
  return held.has(name);
}

export interface Container {
  readonly id: string;
  /** What the image and our options make its main program. */
  main(): Promise<Program>;
  start(): Promise<void>;
  /** Another program inside; it is started by being attached to. */
  exec(argv: readonly string[], options: ExecOptions): Promise<Program>;
  inspect(): Promise<ContainerInspectInfo>;
  /** Of one that has been started; null = not to be seen from here. Looked up once. */
  group(): Promise<ControlGroup | null>;
  /** Kills and removes; resolves when it is gone. */
  remove(): Promise<void>;
}

/** Throws EngineError; nothing is left then. */
export async function createContainer(
  engine: Dockerode,
  name: string,
  spec: ContainerSpec,
): Promise<Container> {
  const byName = engine.getContainer(name);
  const remove = async (): Promise<void> => {
    try {
      await askUnlessGone('remove', byName.remove({ force: true, v: true }));
    } finally {
      held.delete(name);
    }
  };
  held.add(name);
  try {
    const { id } = await ask('create', engine.createContainer(inBody(name, createOptions(spec))));
    return containerOf(engine.getContainer(id), remove);
  } catch (error) {
    // It may exist although nobody said so; where it can't be removed now, the reaper finds it by its label.
    if (error instanceof EngineError && error.status === null) await remove().catch(() => undefined);
    held.delete(name);
    throw error;
  }
}

/**
 * The library puts all that it sends into the address as well, unless it is told what stands where. Addresses get into logs,
 * are bounded, and are no place for a step's variables.
 */
function inBody(name: string, options: ContainerCreateOptions): ContainerCreateOptions {
  const parts: object = { _query: { name }, _body: options };
  return parts;
}

function containerOf(container: Dockerode.Container, remove: () => Promise<void>): Container {
  const inspect = (): Promise<ContainerInspectInfo> => ask('inspect', container.inspect());
  const start = async (): Promise<void> => {
    await ask('start', container.start());
  };
  const kill = async (): Promise<void> => {
    await askUnlessGone('kill', container.kill({ signal: 'SIGKILL' }));
  };
  const stats = (): Promise<ContainerStats | null> =>
    askUnlessGone<ContainerStats>('stats', container.stats({ stream: false as const, 'one-shot': true }));
  let looked: Promise<ControlGroup | null> | null = null;
  const group = (): Promise<ControlGroup | null> =>
    (looked ??= inspect().then(
      ({ State }) => controlGroupOf(container.id, State.Pid),
      () => null, // it has just ended, which is told elsewhere
    ));
  const cpuMs = async (): Promise<number | null> => {
    const seen = await group();
    if (seen !== null) return seen.cpuMs();
    const used = (await stats())?.cpu_stats.cpu_usage.total_usage;
    return used === undefined ? null : used / 1e6;
  };
  const parts = { container, start, inspect, group, kill, cpuMs };
  return {
    id: container.id,
    start,
    inspect,
    group,
    remove,
    main: () => mainProgram(parts),
    exec: (argv, options) => execProgram(parts, argv, options),
  };
}
