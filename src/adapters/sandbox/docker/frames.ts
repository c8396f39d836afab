// The engine's multiplexed stream taken apart: frames of an 8-byte header (stream, 3 zeros, length) and as many bytes.
// Headers come from the engine, payloads from the guest: a payload that looks like a header is a payload.

const HEADER = 8;

/** Takes chunks as they come; calls `give` for each part of a payload, stdout (1) or stderr (2). */
export function frameReader(
  give: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void,
): (chunk: Uint8Array) => void {
  const header = Buffer.alloc(HEADER);
  let inHeader = 0;
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (left === 0) {
        const part = Math.min(HEADER - inHeader, chunk.length - at);
        header.set(chunk.subarray(at, at + part), inHeader);
        inHeader += part;
        at += part;
        if (inHeader < HEADER) return;
        inHeader = 0;
        left = header.readUInt32BE(4);
      } else {
        const part = Math.min(left, chunk.length - at);
        give(header[0] === 2 ? 'stderr' : 'stdout', chunk.subarray(at, at + part));
        left -= part;
        at += part;
      }
    }
  };
}
