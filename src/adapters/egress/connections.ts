// Every connection of one step, from its program and to hosts: all of them are known, so that all of them can be cut.
import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { dial } from './dial.js';

export class Connections {
  readonly #open = new Set<Duplex>();
  readonly #stop = new AbortController();

  constructor() {
    setMaxListeners(0, this.#stop.signal); // one for each connection that is being made
  }

  /** The same one. */
  add<S extends Duplex>(one: S): S {
    this.#open.add(one);
    one.once('close', () => this.#open.delete(one));
    one.on('error', () => one.destroy()); // what is broken is closed; the program sees it
    return one;
  }

  /** To one of the addresses. Rejects where none of them answers. */
  async dial(addresses: readonly string[], port: number): Promise<Socket> {
    return this.add(await dial(addresses, port, this.#stop.signal));
  }

  /** Every one, now; none is made any more. */
  cut(): void {
    this.#stop.abort();
    for (const one of this.#open) one.destroy();
  }
}
