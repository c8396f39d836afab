// HOST:PORT as a flag.
import { WritError } from '../errors.js';

/** `127.0.0.1:8080`, `[::1]:0`. Throws USAGE. */
export function listenAddress(text: string): { readonly host: string; readonly port: number } {
  const [, six, four, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/i.exec(text) ?? [];
  const host = six ?? four;
  const port = Number(digits);
  if (host === undefined || port > 65_535) {
    throw new WritError('USAGE', '--listen takes HOST:PORT', { hint: 'for example --listen 127.0.0.1:8090' });
  }
  return { host, port };
}
