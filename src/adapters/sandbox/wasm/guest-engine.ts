// The engine in a child: loads modules and starts each as a guest with no network and a folder of its own.
/** The part of @wasmer/sdk/node that is used; imported by the path the driver gives. */
interface Engine {
  readonly Wasmer: new (options: { cache: false; parallelism: number }) => {
    readonly packages: { load(bytes: Uint8Array): Promise<unknown> };
    readonly sandboxes: {
      create(options: {
        packages: unknown[];
        files: Readonly<Record<string, Uint8Array>>;
        network: { mode: 'disabled' };
      }): Promise<Box>;
    };
    ready(): Promise<unknown>;
  };
}

export interface Box {
  command(
    pkg: unknown,
    args: readonly string[],
    options: { env: Readonly<Record<string, string>> },
  ): {
    spawn(options: { stdin: 'pipe'; stdout: 'pipe'; stderr: 'pipe' }): Promise<Guest>;
  };
  /** Only what lies below /workspace. A link is told as a file, and can't be read. */
  readonly fs: {
    readDir(path: string): Promise<readonly { name: string; kind: 'file' | 'directory'; size: number }[]>;
    readFile(path: string): Promise<Uint8Array>;
  };
}

export interface Guest {
  readonly stdin: { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  wait(): Promise<{ readonly exitCode: number }>;
}

/** Where a guest finds its files and leaves them. */
export const WORKSPACE = '/workspace';

/** A guest that has begun. */
export interface Started {
  readonly guest: Guest;
  readonly box: Box;
}

export interface GuestOrder {
  readonly module: Uint8Array;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** By their whole path. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

/** Null when the module did not load; the engine's words about a guest's bytes stay here. */
export type StartGuest = (order: GuestOrder) => Promise<Started | null>;

/** `sdkUrl`: of @wasmer/sdk/node. Rejects when the engine does not start. */
export async function openEngine(sdkUrl: string): Promise<StartGuest> {
  const engine = (await import(sdkUrl)) as Engine;
  const wasmer = new engine.Wasmer({ cache: false, parallelism: 1 });
  await wasmer.ready();

  /** What a warm-up has loaded: the same bytes are loaded once. */
  const loaded: { readonly bytes: Uint8Array; readonly pkg: unknown }[] = [];
  const load = async (bytes: Uint8Array): Promise<unknown> => {
    const known = loaded.find((one) => Buffer.compare(one.bytes, bytes) === 0);
    if (known !== undefined) return known.pkg;
    const pkg = await wasmer.packages.load(bytes);
    loaded.push({ bytes, pkg });
    return pkg;
  };

  return async ({ module, args = [], env = {}, files = {} }) => {
    try {
      const pkg = await load(module);
      const box = await wasmer.sandboxes.create({
        packages: [pkg],
        files,
        network: { mode: 'disabled' },
      });
      const guest = await box
        .command(pkg, args, { env })
        .spawn({ stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
      return { guest, box };
    } catch {
      return null;
    }
  };
}

export function isWebAssembly(bytes: Uint8Array): boolean {
  // The language's own types have no WebAssembly.
  const { WebAssembly } = globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean } };
  return WebAssembly.validate(bytes);
}
