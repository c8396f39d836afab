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

/** What `bytes` begin with. `more`: it can't be said yet. */
export function readHello(bytes: Buffer): Hello {
  if (bytes.length === 0) return { kind: 'more' };
  if (bytes[0] !== HANDSHAKE) return { kind: 'other' };
  const message = handshakeOf(bytes);
  if (message === null) return { kind: 'broken' };
  if (message.length < 4) return waiting(bytes);
  if (message[0] !== CLIENT_HELLO) return { kind: 'broken' };
  const length = message.readUIntBE(1, 3);
  if (length > MAX_HELLO) return { kind: 'broken' };
  if (message.length < 4 + length) return waiting(bytes);
  const name = nameIn(message.subarray(4, 4 + length));
  return name === undefined ? { kind: 'broken' } : { kind: 'tls', name };
}

function waiting(bytes: Buffer): Hello {
  return bytes.length > MAX_HELLO ? { kind: 'broken' } : { kind: 'more' };
}

/** The handshake bytes of all records that are complete; null when one of them is no handshake record. */
function handshakeOf(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== HANDSHAKE) {
      // What follows a complete hello is not looked at.
      return parts.length > 0 ? Buffer.concat(parts) : null;
    }
    if (bytes[at + 1] !== 3 || length === 0 || length > 16_384) return null;
    if (at + 5 + length > bytes.length) break;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return Buffer.concat(parts);
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
