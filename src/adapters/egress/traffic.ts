// What one step has sent and received, and the budgets it may not exceed. Counted as it passes; at the first byte or
// request too many nothing passes any more.
import { Transform, type TransformCallback } from 'node:stream';
import type { JsonObject } from '../../json.js';

/** A message for people: streams are cut with it. */
const USED_UP = 'a budget of the step is used up';

interface Passed {
  requests: number;
  bytesOut: number;
  bytesIn: number;
}

export type Budget = 'egressBytes' | 'egressRequests' | 'egressRefused';

/** Each is an entry of the log: a program that goes on asking for what it may not have would fill it. */
const MAX_REFUSED = 100;

/** Hosts that are counted one by one; the guest could name any number of others. */
const MAX_HOSTS = 100;

export class Traffic {
  readonly #most: { readonly bytes: number; readonly requests: number };
  readonly #onUsedUp: (budget: Budget) => void;
  readonly #hosts = new Map<string, Passed>();
  #bytes = 0;
  #requests = 0;
  #refused = 0;

  constructor(
    most: { readonly bytes: number; readonly requests: number },
    onUsedUp: (budget: Budget) => void,
  ) {
    this.#most = most;
    this.#onUsedUp = onUsedUp;
  }

  /** One more request or tunnel; false = it is one too many. */
  request(): boolean {
    if (this.#requests < this.#most.requests) {
      this.#requests += 1;
      return true;
    }
    this.#onUsedUp('egressRequests');
    return false;
  }

  /** It passes. */
  allowed(host: string): void {
    this.#of(host).requests += 1;
  }

  /** One more that does not; false = it is one too many, and is not even refused. */
  refusal(): boolean {
    if (this.#refused < MAX_REFUSED) {
      this.#refused += 1;
      return true;
    }
    this.#onUsedUp('egressRefused');
    return false;
  }

  /** False = too many; nothing of them may pass. */
  add(host: string, way: 'bytesIn' | 'bytesOut', bytes: number): boolean {
    if (this.#bytes + bytes > this.#most.bytes) {
      this.#onUsedUp('egressBytes');
      return false;
    }
    this.#bytes += bytes;
    this.#of(host)[way] += bytes;
    return true;
  }

  /** Passes bytes on while the budget lasts. */
  counter(host: string, way: 'bytesIn' | 'bytesOut'): Transform {
    const add = (bytes: number): boolean => this.add(host, way, bytes);
    return new Transform({
      transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
        if (add(chunk.length)) done(null, chunk);
        else done(new Error(USED_UP));
      },
    });
  }

  totals(): JsonObject {
    const hosts: Record<string, JsonObject> = {};
    for (const [host, { requests, bytesIn, bytesOut }] of this.#hosts)
      hosts[host] = { requests, bytesIn, bytesOut };
    return { bytes: this.#bytes, requests: this.#requests, refused: this.#refused, hosts };
  }

  #of(host: string): Passed {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    const passed = { requests: 0, bytesOut: 0, bytesIn: 0 };
    if (this.#hosts.size < MAX_HOSTS) this.#hosts.set(host, passed);
    return passed;
  }
}
