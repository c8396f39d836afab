// The first bytes of a tunnel: TLS, and then for which name (RFC 8446 section 4.1.2, RFC 6066 section 3), or something
// else. Attacker-controlled: every length is compared with what is there, and no more than MAX_HELLO is ever kept.

/** Longest first flight that is waited for; one handshake message may be spread over several records. */
export const MAX_HELLO = 32 * 1024;

export type Hello =
  | { readonly kind: 'more' }
  /** `name` null: it names none. */
  | { readonly kind: 'tls'; readonly name: string | null }
  /** Not TLS at all. */
  | { readonly kind: 'other' }
  | { readonly kind: 'broken' };

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;

/**
 * Reads what a tunnel begins with, as it comes. Each byte is copied and looked at a fixed number of times, into however
 * many chunks and records the peer cuts it.
 */
export class HelloReader {
  readonly #all = new Growing();
  /** The handshake bytes of all records that are complete. */
  readonly #message = new Growing();
  /** Where the first record begins that is not. */
  #at = 0;

  /** All that was pushed. */
  get bytes(): Buffer {
    return this.#all.bytes;
  }

  /** What it begins with. `more`: it can't be said yet; after any other answer nothing is to be pushed. */
  push(chunk: Buffer): Hello {
    this.#all.append(chunk);
    const { bytes } = this;
    if (bytes.length === 0) return { kind: 'more' };
    if (bytes[0] !== HANDSHAKE) return { kind: 'other' };
    while (this.#at + 5 <= bytes.length) {
      const start = this.#at + 5;
      const length = bytes.readUInt16BE(this.#at + 3);
      const isHandshake = bytes[this.#at] === HANDSHAKE && bytes[this.#at + 1] === 3;
      if (!isHandshake || length === 0 || length > 16_384) return { kind: 'broken' };
      if (start + length > bytes.length) break;
      this.#message.append(bytes.subarray(start, start + length));
      this.#at = start + length;
      // What follows a complete hello is not looked at.
      const hello = helloIn(this.#message.bytes);
      if (hello.kind !== 'more') return hello;
    }
    return { kind: bytes.length > MAX_HELLO ? 'broken' : 'more' };
  }
}

/** Bytes that more are put behind, in memory that doubles: each is copied twice on average. */
class Growing {
  #memory = Buffer.allocUnsafe(1_024);
  #size = 0;

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#size);
  }

  append(chunk: Buffer): void {
    const size = this.#size + chunk.length;
    if (size > this.#memory.length) {
      const larger = Buffer.allocUnsafe(Math.max(size, 2 * this.#memory.length));
      larger.set(this.bytes);
      this.#memory = larger;
    }
    this.#memory.set(chunk, this.#size);
    this.#size = size;
  }
}

/** Only its length is read while it is not complete. */
function helloIn(message: Buffer): Hello {
  if (message.length < 4) return { kind: 'more' };
  if (message[0] !== CLIENT_HELLO) return { kind: 'broken' };
  const length = message.readUIntBE(1, 3);
  if (length > MAX_HELLO) return { kind: 'broken' };
  if (message.length < 4 + length) return { kind: 'more' };
  const name = nameIn(message.subarray(4, 4 + length));
  return name === undefined ? { kind: 'broken' } : { kind: 'tls', name };
}

/** Undefined when it can't be read. */
function nameIn(hello: Buffer): string | null | undefined {
  const cursor = new Cursor(hello);
  cursor.skip(2 + 32);
  cursor.skip(cursor.number(1)); // session
  cursor.skip(cursor.number(2)); // cipher suites
  cursor.skip(cursor.number(1)); // compression
  if (cursor.isBroken) return undefined;
  if (cursor.left === 0) return null;
  let end = cursor.number(2);
  if (end !== cursor.left) return undefined;
  let name: string | null = null;
  while (cursor.left > 0 && !cursor.isBroken) {
    const [type, length] = [cursor.number(2), cursor.number(2)];
    const data = cursor.take(length);
    if (data === null) return undefined;
    if (type !== SERVER_NAME) continue;
    // One list with one host name: another would leave it to the server which one counts.
    const list = new Cursor(data);
    end = list.number(2);
    const [kind, size] = [list.number(1), list.number(2)];
    const text = list.take(size);
    if (name !== null || text === null || kind !== 0 || list.left !== 0 || end !== size + 3) return undefined;
    name = text.toString('latin1').toLowerCase();
  }
  return cursor.isBroken ? undefined : name;
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;
  isBroken = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  number(size: number): number {
    const taken = this.take(size);
    return taken === null ? 0 : taken.readUIntBE(0, size);
  }

  skip(size: number): void {
    this.take(size);
  }

  take(size: number): Buffer | null {
    if (size > this.left) {
      this.isBroken = true;
      return null;
    }
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
}
