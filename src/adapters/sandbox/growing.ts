// Bytes of a guest that come piece by piece, in memory that doubles: a piece of one byte costs one byte, however many come.

export class Growing {
  #memory = new Uint8Array(0);
  #size = 0;

  append(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    if (size > this.#memory.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.#memory.length, 1_024));
      larger.set(this.#memory.subarray(0, this.#size));
      this.#memory = larger;
    }
    this.#memory.set(piece, this.#size);
    this.#size = size;
  }

  /** All of them so far, in memory of their own. */
  bytes(): Uint8Array {
    return this.#memory.slice(0, this.#size);
  }
}
