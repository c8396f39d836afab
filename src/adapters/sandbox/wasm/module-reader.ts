// The bytes of a module, read one number, name and section after the other. They are attacker-controlled: nothing is read
// past the end, and no length is believed before it is compared.
import { WritError } from '../../../errors.js';

const MAX_NAME_BYTES = 4_096;

/** Bounds-checked cursor over `bytes[offset, end)`; each method throws SANDBOX_MODULE_INVALID where they end too early. */
export class Reader {
  offset: number;
  private readonly bytes: Uint8Array;
  private readonly end: number;

  constructor(bytes: Uint8Array, offset: number, end: number) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  /** Bytes that are left. */
  get length(): number {
    return this.end - this.offset;
  }

  atEnd(): boolean {
    return this.offset >= this.end;
  }

  byte(): number {
    const value = this.offset < this.end ? this.bytes[this.offset] : undefined;
    if (value === undefined) throw invalid(`it is cut off at byte ${this.offset}`);
    this.offset += 1;
    return value;
  }

  /** Unsigned LEB128 of at most 5 bytes. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw invalid(`a number at byte ${this.offset} is too long`);
  }

  /** Of `i32.const n, end` the number, unsigned; null = it is another expression, and nothing more can be read. */
  constant(): number | null {
    if (this.byte() !== 0x41) return null;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) !== 0) continue;
      // Its sign stands for all bits above.
      if ((byte & 0x40) !== 0) value -= 2 ** (shift + 7);
      return this.byte() === 0x0b ? value >>> 0 : null;
    }
    return null;
  }

  slice(length: number): Reader {
    if (length > this.end - this.offset) throw invalid(`it is cut off: a section at byte ${this.offset}`);
    const part = new Reader(this.bytes, this.offset, this.offset + length);
    this.offset += length;
    return part;
  }

  /** Another cursor over the same bytes, at `offset`, which this one has passed. */
  from(offset: number): Reader {
    return new Reader(this.bytes, offset, this.end);
  }

  name(): string {
    const length = this.u32();
    if (length > MAX_NAME_BYTES) throw invalid(`a name at byte ${this.offset} is too long`);
    const part = this.slice(length);
    return Buffer.from(part.bytes.subarray(part.offset, part.end)).toString('utf8');
  }

  mustEnd(section: string): void {
    if (!this.atEnd()) throw invalid(`its ${section} section has surplus bytes`);
  }
}

/** Names come from the module: only short plain ASCII reaches a message. */
export function printable(name: string): string {
  return /^[\x21-\x7e]{1,64}$/.test(name) ? name : '(unprintable name)';
}

/** SANDBOX_MODULE_INVALID, in the words of this driver. */
export function invalid(why: string, hint?: string): WritError {
  return new WritError(
    'SANDBOX_MODULE_INVALID',
    `module can't be run: ${why}`,
    hint === undefined ? {} : { hint },
  );
}
