// Values of environment variables that a configuration names as keys, beside the secrets of the data directory: they
// are not stored or shown either, should a model, a server or a program repeat them.
import { WritError } from '../../errors.js';
import type { Secret, SecretSource } from '../../runtime/ports.js';

/** A shorter value would be found everywhere; a key that guards something is longer. */
const MIN_BYTES = 8;

/**
 * `base`, and the variables `names` of `env` as they are now. `handleOf` gives what stands for a value. Throws
 * SECRET_INVALID when a value is a part of its own handle.
 */
export function withEnvironmentSecrets(
  base: SecretSource,
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  handleOf: (name: string) => string,
): SecretSource {
  const own: Secret[] = [];
  for (const name of new Set(names)) {
    const value = new TextEncoder().encode(env[name] ?? '');
    if (value.length < MIN_BYTES) continue;
    if (Buffer.from(handleOf(name)).includes(Buffer.from(value))) {
      throw new WritError('SECRET_INVALID', `the value of ${name} is a part of its own handle`, {
        hint: 'set it to a key',
      });
    }
    own.push({ name, value });
  }
  if (own.length === 0) return base;
  let seen: readonly Secret[] | null = null;
  let all: readonly Secret[] = own;
  return {
    current() {
      const current = base.current();
      // The same list while nothing has changed.
      if (current !== seen) {
        seen = current;
        all = [...current, ...own];
      }
      return all;
    },
  };
}
