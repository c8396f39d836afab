// Packages and modules for the time of one look at a workflow: read and verified once, however many steps name them.
import type { ModuleStore, PackageStore } from '../ports.js';

/** The same stores; what they have answered is not asked again. Not for what runs: there bytes are verified each time. */
export function rememberedPackages(packages: PackageStore): PackageStore {
  return { resolve: remembered((digest) => packages.resolve(digest)) };
}

/** As `rememberedPackages`. */
export function rememberedModules(modules: ModuleStore): ModuleStore {
  const names = remembered<'names', readonly string[]>(() => modules.names());
  return { names: () => names('names'), module: remembered((name) => modules.module(name)) };
}

function remembered<Key, Value>(ask: (key: Key) => Promise<Value>): (key: Key) => Promise<Value> {
  const answers = new Map<Key, Promise<Value>>();
  return (key) => {
    const before = answers.get(key);
    if (before !== undefined) return before;
    const answer = ask(key);
    answers.set(key, answer);
    return answer;
  };
}
