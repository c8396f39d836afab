// One request after the other on each connection of a program: else one of them would have any number under way.
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

export class Turns {
  readonly #last = new WeakMap<Duplex, ServerResponse>();

  /**
   * A request before the answer to the last is over. Nothing more is read from its connection, which ends with that
   * answer.
   */
  isEarly(response: ServerResponse): boolean {
    const { socket } = response.req;
    const last = this.#last.get(socket);
    if (last === undefined || last.writableEnded) {
      this.#last.set(socket, response);
      return false;
    }
    socket.pause();
    if (last.listenerCount('close', cutOff) === 0) last.once('close', cutOff);
    return true;
  }
}

function cutOff(this: ServerResponse): void {
  this.req.socket.destroy();
}
