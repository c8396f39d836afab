// What expressions of dialect 2 may look at, and nothing else: no environment, no secrets, no clock.
import type { Json } from '../json.js';

export interface Sources {
  /** `$` */
  readonly input: Json;
  /** `$$`; made only when an expression looks at it. */
  readonly context: () => Json;
  /** `$name`; undefined = not set. */
  readonly variable: (name: string) => Json | undefined;
  /** 32 bytes nobody can foresee, other ones with each call: for UUIDs and random numbers. */
  readonly random: () => Uint8Array;
}
