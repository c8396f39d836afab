// What a tunnel begins with, from real handshakes and from bytes that somebody made up.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { HelloReader, MAX_HELLO, type Hello } from './client-hello.js';

/** The first flight of this machine's own TLS client. */
async function helloFor(servername: string | undefined): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ...(servername === undefined ? {} : { servername }),
  });
  client.on('error', () => undefined);
  const [socket] = await accepted;
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}

const readHello = (bytes: Buffer): Hello => new HelloReader().push(bytes);

describe('HelloReader', () => {
  let named: Buffer;
  let unnamed: Buffer;
  beforeAll(async () => {
    [named, unnamed] = await Promise.all([helloFor('Api.Test'), helloFor(undefined)]);
  });

  it('reads the name in lower case, or that there is none', () => {
    expect(readHello(named)).toEqual({ kind: 'tls', name: 'api.test' });
    expect(readHello(unnamed)).toEqual({ kind: 'tls', name: null });
  });

  it('waits for the rest of every beginning, and gives the same for what comes after', () => {
    for (let length = 0; length < named.length; length++)
      expect(readHello(named.subarray(0, length)).kind).toBe('more');
    expect(readHello(Buffer.concat([named, Buffer.from('anything')]))).toEqual(readHello(named));
  });

  it('reads one message out of several records', () => {
    const message = named.subarray(5);
    const records = [message.subarray(0, 10), message.subarray(10)].map((part) =>
      Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]),
    );
    expect(readHello(Buffer.concat(records))).toEqual({ kind: 'tls', name: 'api.test' });
  });

  it('says the same of any beginning that comes byte by byte', () => {
    const reader = new HelloReader();
    const kinds = [...named].map((byte) => reader.push(Buffer.of(byte)).kind);
    expect(kinds.slice(0, -1).every((kind) => kind === 'more')).toBe(true);
    expect(kinds.at(-1)).toBe('tls');
    expect(reader.bytes).toEqual(named);
  });

  describe('hole: the first bytes of a tunnel cost quadratic time', () => {
    afterEach(() => vi.restoreAllMocks());

    /** Records of one byte each, of a hello that does not end. */
    const records = (size: number): Buffer => {
      const message = Buffer.concat([Buffer.from([1, 0, MAX_HELLO >> 8, 0]), Buffer.alloc(size)]);
      return Buffer.concat([...message].map((byte) => Buffer.from([22, 3, 1, 0, 1, byte])));
    };

    it('takes work in proportion to the bytes, in records of one byte and chunks of one byte', () => {
      const chunks = [...records(1_024)].map((byte) => Buffer.of(byte));
      const reader = new HelloReader();
      const concat = vi.spyOn(Buffer, 'concat');
      const set = vi.spyOn(Buffer.prototype, 'set');
      const views = vi.spyOn(Buffer.prototype, 'subarray');
      const kinds = new Set(chunks.map((chunk) => reader.push(chunk).kind));
      const copied = [
        ...set.mock.calls.map(([from]) => from as Buffer),
        ...concat.mock.calls.flatMap(([all]) => all),
      ];
      const looks = views.mock.calls.length;
      vi.restoreAllMocks();
      expect(kinds).toEqual(new Set(['more']));
      expect(copied.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(5 * chunks.length);
      expect(looks).toBeLessThan(5 * chunks.length);
    });

    it('waits for no more than the greatest hello', () => {
      const reader = new HelloReader();
      const all = records(MAX_HELLO);
      expect(reader.push(all.subarray(0, MAX_HELLO)).kind).toBe('more');
      expect(reader.push(all.subarray(MAX_HELLO, MAX_HELLO + 1)).kind).toBe('broken');
    });
  });

  it('says what is no TLS, and what is broken', () => {
    expect(readHello(Buffer.from('GET / HTTP/1.1')).kind).toBe('other');
    expect(readHello(Buffer.from([0x16, 9, 9, 0, 5, 1])).kind).toBe('broken');
    const server = Buffer.from(named);
    server[5] = 2; // a server's hello
    expect(readHello(server).kind).toBe('broken');
    const endless = Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]);
    expect(readHello(endless).kind).toBe('broken');
    expect(MAX_HELLO).toBeLessThan(0xffffff);
  });

  it('never throws, whatever byte is changed, and never reads another name as listed', () => {
    fc.assert(
      fc.property(fc.nat(named.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(named);
        changed[at] = byte;
        expect(['tls', 'more', 'other', 'broken']).toContain(readHello(changed).kind);
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readHello(Buffer.from(bytes))));
  });

  it('refuses two names: a server could take the other one', () => {
    const text = Buffer.from('a.test');
    const entry = (name: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, name.length]), name]);
    const list = Buffer.concat([entry(text), entry(Buffer.from('b.test'))]);
    const extension = Buffer.concat([Buffer.from([0, 0, 0, list.length + 2, 0, list.length]), list]);
    const body = Buffer.concat([
      Buffer.from([3, 3]),
      Buffer.alloc(32),
      Buffer.from([0, 0, 2, 0x13, 1, 1, 0, 0, extension.length]),
      extension,
    ]);
    const message = Buffer.concat([Buffer.from([1, 0, 0, body.length]), body]);
    const record = Buffer.concat([Buffer.from([22, 3, 1, 0, message.length]), message]);
    expect(readHello(record).kind).toBe('broken');
  });
});
