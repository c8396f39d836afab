// What the driver sends a child: lines of JSON and counted bytes.
import { MAX_ORDER_LINE_BYTES } from './protocol.js';

/** `end` is called at the end of what is sent: the runner is gone, or wants nothing more. */
export class Input {
  private chunks: Buffer[] = [];
  private length = 0;
  private wake: () => void = () => undefined;

  constructor(source: NodeJS.ReadStream, end: () => void) {
    source.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
      this.wake();
    });
    source.on('end', end);
    source.on('error', end);
  }

  async line(): Promise<object> {
    for (;;) {
      const all = Buffer.concat(this.chunks);
      const at = all.indexOf(0x0a);
      if (at >= 0) {
        this.chunks = [all.subarray(at + 1)];
        this.length = all.length - at - 1;
        return JSON.parse(all.subarray(0, at).toString('utf8')) as object;
      }
      if (all.length > MAX_ORDER_LINE_BYTES) throw new Error('order line too long');
      await this.more();
    }
  }

  async take(count: number): Promise<Uint8Array> {
    while (this.length < count) await this.more();
    const all = Buffer.concat(this.chunks);
    this.chunks = [all.subarray(count)];
    this.length = all.length - count;
    return new Uint8Array(all.subarray(0, count));
  }

  /** Whether nothing has come `ms` from now. */
  async isQuiet(ms: number): Promise<boolean> {
    if (this.length > 0) return false;
    let timer: NodeJS.Timeout | undefined;
    const quiet = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([quiet, this.more()]);
    clearTimeout(timer);
    return this.length === 0;
  }

  private more(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
