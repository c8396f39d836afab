// A listener with every bound set: the time and the head of a request, and how many connections there are. It stops
// gracefully: no new request, and what is under way has a few seconds.
import { createServer, type RequestListener, type Server } from 'node:http';
import { WritError } from '../errors.js';
import { limitConnections, type ConnectionLimits } from './connections.js';
import { listen, type ListenAddress } from './listen.js';

/** For the head of a request, and for all of it; a slower client is cut off. */
const REQUEST_TIMEOUT_MS = 10_000;
const STOP_MS = 5_000;

export interface ServerBounds {
  readonly maxHeaderBytes: number;
  readonly connections: ConnectionLimits;
}

export class BoundedServer {
  /** Resolves when it has stopped; with the fault that stopped it, or null. */
  readonly stopped: Promise<WritError | null>;
  readonly #server: Server;
  readonly #stopping = new AbortController();
  #fault: WritError | null = null;

  constructor({ maxHeaderBytes, connections }: ServerBounds) {
    this.#server = createServer({
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: maxHeaderBytes,
      // A request that two readers could understand in two ways is none.
      insecureHTTPParser: false,
      requireHostHeader: true,
    });
    limitConnections(this.#server, connections);
    this.stopped = new Promise((resolve) => {
      this.#server.once('close', () => {
        resolve(this.#fault);
      });
    });
  }

  /** Aborts when it begins to stop: what would never end by itself has to end then. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Listens at `address` (port 0 = any free one). Resolves with the URL; throws USAGE when that can't be listened on. */
  async listen(address: ListenAddress, answer: RequestListener): Promise<string> {
    this.#server.on('request', answer);
    const url = await listen(this.#server, address);
    this.#server.on('error', (cause) => {
      this.fail(new WritError('INTERNAL', 'the listener failed', { cause }));
    });
    return url;
  }

  /** Stops for a fault; the first one is told. */
  fail(fault: WritError): void {
    this.#fault ??= fault;
    this.stop();
  }

  /** Takes no new request, lets those under way end. */
  stop(): void {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#server.close();
    this.#server.closeIdleConnections();
    setTimeout(() => {
      this.#server.closeAllConnections();
    }, STOP_MS).unref();
  }
}
