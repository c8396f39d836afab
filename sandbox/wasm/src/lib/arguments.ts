// The arguments of a tool, one after the other: a verb takes what belongs to it.
import { args_get, args_sizes_get } from './wasi_snapshot_preview1';
import { fail } from './process';

/** Exit code for arguments that make no sense. */
export const EXIT_USAGE: u32 = 64;

const sizes = memory.data(8);

export class Arguments {
  private all: string[] = [];
  private at: i32 = 0;

  /** `usage` is told when an argument is missing or unknown. */
  constructor(private usage: string) {
    args_sizes_get(sizes, sizes + 4);
    const count = load<u32>(sizes);
    const pointers = new ArrayBuffer(<i32>count * 4);
    const bytes = new ArrayBuffer(load<u32>(sizes, 4));
    args_get(changetype<usize>(pointers), changetype<usize>(bytes));
    // The first one is the program's name.
    for (let i: u32 = 1; i < count; i++) {
      const start = <usize>load<u32>(changetype<usize>(pointers) + <usize>i * 4);
      let end = start;
      while (load<u8>(end) != 0) end++;
      this.all.push(String.UTF8.decodeUnsafe(start, end - start));
    }
  }

  done(): bool {
    return this.at >= this.all.length;
  }

  next(): string {
    if (this.done()) this.refuse('an argument is missing');
    this.at++;
    return this.all[this.at - 1];
  }

  /** Whether the next one is `word`; then it is taken. */
  takes(word: string): bool {
    if (this.done() || this.all[this.at] != word) return false;
    this.at++;
    return true;
  }

  /** A whole number from 0 to 999,999. */
  count(): i32 {
    const text = this.next();
    let value = 0;
    for (let i = 0; i < text.length; i++) {
      const digit = text.charCodeAt(i) - 0x30;
      if (digit < 0 || digit > 9 || i > 5) this.refuse('a number is expected');
      value = value * 10 + digit;
    }
    if (text.length == 0) this.refuse('a number is expected');
    return value;
  }

  refuse(why: string): void {
    fail(EXIT_USAGE, why + '; usage: ' + this.usage);
  }
}
