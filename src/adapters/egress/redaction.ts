// Answers of hosts that got a secret: its value is taken out of them before the program sees them, also where it comes
// cut into pieces. Bodies that are compressed can't be looked into and are refused elsewhere.
import { Transform, type TransformCallback } from 'node:stream';

/** Takes every known secret out of bytes; what it gives, given again, stays as it is. */
export type Redact = (bytes: Uint8Array) => Uint8Array;

/** Longest that a value may be when it is written in one of the spellings a redactor knows, per byte of it. */
const SPELLING = 12;

/**
 * `longest`: bytes of the longest value. So many times that is held back until more is known to follow or not. Looking
 * through it costs the same for one byte as for thousands, and a host may send its answer byte by byte: what comes at once
 * is looked through at once.
 */
export function redactingStream(redact: Redact, longest: number): Transform {
  const held = longest * SPELLING;
  let carry: Buffer = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      // Later: what else has come by then is the next piece, all of it.
      setImmediate(() => {
        let clean: Buffer;
        try {
          clean = Buffer.from(redact(Buffer.concat([carry, chunk])));
        } catch (error) {
          done(error instanceof Error ? error : new Error('the answer could not be looked through'));
          return;
        }
        const sure = Math.max(0, clean.length - held);
        carry = clean.subarray(sure);
        done(null, clean.subarray(0, sure));
      });
    },
    writev(pieces, done) {
      this._write(Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer)), 'utf8', done);
    },
    flush(done: TransformCallback) {
      done(null, Buffer.from(redact(carry)));
    },
  });
}
