// The shipped modules that a new child runs before its order comes, so that a step finds them compiled.
import { checkModule, type CheckedModule } from './module-check.js';
import { DEFAULT_LIMITS, pagesOf, type WasmModule } from './request-check.js';

/** Modules up to this size are compiled in an instant. */
const SMALL_BYTES = 100 * 1024;
/** Modules that a child runs although nobody has used them. */
const WARM_UNUSED = 2;

export class WarmModules {
  readonly #shipped: ReadonlyMap<string, CheckedModule>;
  /** As they were run last, the latest last: with another memory limit they are other bytes to the engine. */
  readonly #used = new Map<string, CheckedModule>();

  constructor(shipped: readonly Omit<WasmModule, 'kind'>[]) {
    const pages = pagesOf(DEFAULT_LIMITS);
    this.#shipped = new Map(shipped.map((module) => [module.digest, checkModule(module, pages)]));
  }

  /** A step runs it. What is not shipped is not kept. */
  use(module: CheckedModule): void {
    if (!this.#shipped.has(module.digest)) return;
    this.#used.delete(module.digest); // the last is the latest
    this.#used.set(module.digest, module);
  }

  /**
   * What has been run here, small before large, the last twice: the second run is what makes it quick (measured). Then two
   * that have not, small ones: they show the engine what a module is.
   */
  inOrder(): readonly Uint8Array[] {
    const used = [...this.#used.values()].reverse();
    const others = [...this.#shipped.values()].filter(
      (module) => isSmall(module) && !this.#used.has(module.digest),
    );
    return [
      ...used.slice(0, 1).filter(isSmall),
      ...used.filter(isSmall),
      ...others.slice(0, WARM_UNUSED),
      ...used.filter((module) => !isSmall(module)),
    ].map(({ bytes }) => bytes);
  }
}

function isSmall({ bytes }: CheckedModule): boolean {
  return bytes.length <= SMALL_BYTES;
}
