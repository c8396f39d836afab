// What an intrinsic function can't do with its arguments; the caller names the call. Never leaves this room.
import type { Json } from '../../json.js';
import { fits } from '../value.js';

/** As much JSON text as a run's data may be. One value many times over is small in memory and huge as text. */
export const MAX_CHARACTERS = 64 * 1024 * 1024;

export class IntrinsicFault extends Error {
  /** The template of Format is wrong by itself, whatever its arguments. */
  readonly isTemplate: boolean;

  constructor(message: string, isTemplate = false) {
    super(message);
    this.isTemplate = isTemplate;
  }
}

/** The value, when its text is within the bound of a run's data. */
export function withinData<T extends Json>(value: T): T {
  if (!fits(value, MAX_CHARACTERS))
    throw new IntrinsicFault(`the data has more than ${MAX_CHARACTERS} characters`);
  return value;
}
