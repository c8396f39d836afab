// The engine behind a door of the test's own, which can be shut while a step runs: what it is doing goes on, and nobody
// hears of it.
import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { rmSync } from 'node:fs';

export interface Door {
  readonly path: string;
  /** Cuts every connection, and takes none. */
  shut(): Promise<void>;
  open(): Promise<void>;
  /** Cuts the connection of the next request that `begins` so, when the engine answers it. */
  swallowAnswerTo(begins: RegExp): void;
}

const ENGINE = '/var/run/docker.sock';

export async function openDoor(path: string): Promise<Door> {
  const sockets = new Set<Socket>();
  let swallowed: RegExp | null = null;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: ENGINE, allowHalfOpen: true });
    let isSwallowed = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    near.on('data', (chunk: Buffer) => {
      if (swallowed?.test(chunk.toString('latin1')) === true) [swallowed, isSwallowed] = [null, true];
      far.write(chunk);
    });
    near.on('end', () => far.end());
    far.on('data', (chunk: Buffer) => {
      if (isSwallowed) near.destroy();
      else near.write(chunk);
    });
    far.on('end', () => near.end());
  });
  const listen = async (): Promise<void> => {
    rmSync(path, { force: true });
    server.listen(path);
    await once(server, 'listening');
  };
  await listen();
  return {
    path,
    async shut() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    open: listen,
    swallowAnswerTo(begins) {
      swallowed = begins;
    },
  };
}
