// The disk that fails once, at a named place: wrappers around the real store and the real log directory, at the ports.
// A fault is named by the two facts that matter, did the call report an error and did it persist:
// `failTileButPersist` wrote the tile and said that it did not. After it the disk works again, so that a process which
// goes on or tries again shows.
import { WritError, type ErrorCode } from '../../src/errors.js';
import type { Change, LogDirectory, Store } from '../../src/runtime/ports.js';

/** Where a publication or a commit can fail, in the order of a publication. */
export const DIRECTORY_PLACES = [
  'Pending',
  'Vkey',
  'Bundle',
  'Tile',
  'History',
  'Checkpoint',
  'Clear',
] as const;
export const STORE_PLACES = ['Append', 'Signed', 'Mark'] as const;

type DirectoryPlace = (typeof DIRECTORY_PLACES)[number];
type StorePlace = (typeof STORE_PLACES)[number];
type Outcome = 'AndNotPersist' | 'ButPersist';

export type StoreFault = `fail${StorePlace}${Outcome}`;
export type DirectoryFault = `fail${DirectoryPlace}${Outcome}`;
export type FaultName = StoreFault | DirectoryFault;

/** EIO and ENOSPC as the adapters report them. */
export type FaultCode = Extract<ErrorCode, 'STORE_IO' | 'STORE_FULL'>;

/** One fault that fires once; `fired` says whether it has. */
export class Fault {
  fired = false;

  constructor(
    readonly name: FaultName,
    readonly code: FaultCode = 'STORE_IO',
  ) {}

  /** Does `act`, and fails as the name says when `place` is the fault's and it has not fired yet. */
  async at<Result>(place: DirectoryPlace | StorePlace | null, act: () => Promise<Result>): Promise<Result> {
    if (this.fired || place === null || !this.name.startsWith(`fail${place}`)) return act();
    this.fired = true;
    if (this.name.endsWith('ButPersist')) await act();
    throw new WritError(this.code, this.code === 'STORE_FULL' ? 'the disk is full' : 'the disk went away');
  }

  /** `failAppend…` fires at the commit of a change that holds an entry of type `entry`. */
  store(inner: Store, entry: string | null = null): Store {
    return replacing(inner, {
      commit: (change: Change) => {
        const isIt = change.entries.some(({ type }) => type === entry);
        return this.at(isIt ? 'Append' : null, () => inner.commit(change));
      },
      putCheckpoint: (row) => this.at('Signed', () => inner.putCheckpoint(row)),
      markPublished: (size) => this.at('Mark', () => inner.markPublished(size)),
    });
  }

  directory(inner: LogDirectory): LogDirectory {
    return replacing(inner, {
      put: (path, bytes) => this.at(placeOf(path), () => inner.put(path, bytes)),
      remove: (path) => this.at('Clear', () => inner.remove(path)),
    });
  }
}

/** `inner` with some of its methods replaced. */
export function replacing<Port extends object>(inner: Port, methods: Partial<Port>): Port {
  return new Proxy(inner, {
    get: (target, name) => {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name) as unknown;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function placeOf(path: string): DirectoryPlace | null {
  if (path === 'checkpoint') return 'Checkpoint';
  if (path === 'pending') return 'Pending';
  if (path === 'vkey') return 'Vkey';
  if (path.startsWith('checkpoints/')) return 'History';
  if (path.startsWith('tile/entries/')) return 'Bundle';
  return path.startsWith('tile/') ? 'Tile' : null;
}
