// What rendering may cost, counted rather than timed, so that the same text fails everywhere alike. A template of 64 KiB
// inside `each` asks for millions of values, and a text that holds JSON is as large as an output may be: without a bound
// both hold up the whole process.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { opener, truthy } from '../value.js';

/** Names looked up, pieces written and members compared, of one request together. About a second of work. */
export const RENDER_MAX_WORK = 1_000_000;
/** Characters of a text that count as one more. */
const CHARACTERS_AT_ONCE = 64;

export class TemplateWork {
  private left = RENDER_MAX_WORK;
  private readonly truths = new WeakMap<object, boolean>();
  /** As `structured`, and each text is read once. */
  readonly open = opener();

  /** Throws DOC_TEMPLATE when more is asked for than rendering may cost. */
  readonly spend = (amount = 1): void => {
    this.left -= amount;
    if (this.left >= 0) return;
    throw new WritError('DOC_TEMPLATE', `rendering takes more than ${RENDER_MAX_WORK} steps`, {
      hint: 'pass fewer items to the step, or compare and print less for each of them',
    });
  };

  /** The value, which is about to be read as a whole; members of objects and lists are counted where they are compared. */
  read<Value extends Json>(value: Value): Value {
    if (typeof value === 'string') this.spend(value.length / CHARACTERS_AT_ONCE);
    return value;
  }

  /** `truthy`; an object is looked at once, however many keys it has. */
  isTrue(value: Json): boolean {
    if (typeof value !== 'object' || value === null) return truthy(value);
    const known = this.truths.get(value) ?? truthy(value);
    this.truths.set(value, known);
    return known;
  }
}
