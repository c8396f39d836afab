// How long a connection may be open with no request on it that was understood: whoever holds it has to say something
// whole, a handshake included, in time, and again after each answer.
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export class Silence {
  readonly #socket: Duplex;
  readonly #ms: number;
  #timer: NodeJS.Timeout;
  #underWay = 0;

  /** Begins now; `socket` is destroyed when it has lasted `ms`, however many bytes came. */
  constructor(socket: Duplex, ms: number) {
    this.#socket = socket;
    this.#ms = ms;
    this.#timer = this.#begin();
    socket.once('close', () => {
      clearTimeout(this.#timer);
    });
  }

  /** A request was understood: there is none until its response is over. */
  breakFor(response: ServerResponse): void {
    clearTimeout(this.#timer);
    this.#underWay += 1;
    response.once('close', () => {
      this.#underWay -= 1;
      if (this.#underWay === 0 && !this.#socket.destroyed) this.#timer = this.#begin();
    });
  }

  #begin(): NodeJS.Timeout {
    return setTimeout(() => this.#socket.destroy(), this.#ms);
  }
}
