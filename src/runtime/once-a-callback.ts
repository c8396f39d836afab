// What lies outside of this process is read once in each callback of the event loop: a hundred items of a map go on from
// one commit in one callback, and each would ask the same file again.

export interface OnceACallback<Value> {
  /** As `read` says it in this callback; throws what it throws. */
  get(): Value;
  /** This process has changed it: the next `get` reads. */
  forget(): void;
}

/**
 * A callback includes all microtasks that follow from it. Nothing that waits for the event loop arrives within one, so
 * whoever changed what is read, and then told this process of it, is heard.
 */
export function onceACallback<Value>(read: () => Value): OnceACallback<Value> {
  let kept: { readonly value: Value } | null = null;
  const forget = (): void => {
    kept = null;
  };
  return {
    get() {
      if (kept === null) {
        kept = { value: read() };
        // Ticks follow when no microtask is left.
        process.nextTick(forget);
      }
      return kept.value;
    },
    forget,
  };
}
