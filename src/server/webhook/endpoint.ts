// Where this server may connect to by itself: the SSRF guard of everything it sends. A URL is judged as the parser
// reads it (decimal, octal and short addresses, full-width digits), its name is resolved once, every address is judged,
// and the connection goes to a judged address and nowhere else. No redirect is followed, no proxy asked.
import { isIP } from 'node:net';
import { openEgress, systemResolve, targetOf, type Resolve } from '../../adapters/functions/egress.js';
import { zoneOf } from '../../network-address.js';
import { WritError } from '../../errors.js';

/** Names that stand for this host or an inner network, whatever they resolve to. */
const INNER_NAME = /(?:^|\.)(?:localhost|internal|local|localdomain)$/u;
/** Of an answer, where the request names no other limit. */
const MAX_ANSWER_BYTES = 65_536;

/**
 * Why nothing is sent to `text`, judged without asking anybody; null = its addresses are still to be judged. `hosts`
 * are the operator's, `name` or `name:port`; null = any. `allowLoopback` lets addresses of this host in, over http too.
 */
export function endpointProblem(
  text: string,
  hosts: readonly string[] | null,
  allowLoopback: boolean,
): string | null {
  if (!URL.canParse(text)) return 'it is no URL';
  const url = new URL(text);
  const hostname = bare(url);
  const isLoopback = allowLoopback && isLoopbackName(hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    return `${url.protocol} is not https:`;
  }
  if (url.username !== '' || url.password !== '') return 'a user name or password is not sent';
  if (url.hash !== '') return 'a fragment is not sent';
  if (isLoopback) return null;
  if (hostname === '' || hostname.endsWith('.')) return `"${hostname}" is not how a host is written`;
  if (INNER_NAME.test(hostname)) return `${hostname} names this host or an inner network`;
  if (isIP(hostname) !== 0 && zoneOf(hostname) !== 'public') return `${hostname} is not a public address`;
  const port = url.port === '' ? '443' : url.port;
  const isListed =
    hosts === null ||
    hosts.includes(`${url.hostname}:${port}`) ||
    (port === '443' && hosts.includes(url.hostname));
  return isListed ? null : `${url.hostname}:${port} is not in webhookHosts`;
}

export interface EndpointParts {
  readonly allowLoopback: boolean;
  readonly hosts: readonly string[] | null;
  /** Default: the operating system's. */
  readonly resolve?: Resolve;
}

export interface EndpointRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Of the answer's body; absent = 64 KiB. */
  readonly maxAnswerBytes?: number;
}

export interface EndpointAnswer {
  readonly status: number;
  /** Attacker-controlled; null when there is none. */
  readonly retryAfter: string | null;
  /** At most as many bytes as were asked for; what is more is cut. */
  readonly body: Uint8Array;
  readonly isCut: boolean;
}

/**
 * One exchange; any status is an answer, a redirect too. Throws POLICY_TOOL_DENIED when the URL or one of its addresses
 * is out of bounds, before any connection; STEP_TIMEOUT and FUNCTION_* otherwise.
 */
export async function askEndpoint(request: EndpointRequest, parts: EndpointParts): Promise<EndpointAnswer> {
  const problem = endpointProblem(request.url, parts.hosts, parts.allowLoopback);
  if (problem !== null) throw new WritError('POLICY_TOOL_DENIED', `nothing is sent there: ${problem}`);
  const url = new URL(request.url);
  const late = AbortSignal.timeout(request.timeoutMs);
  const signal = AbortSignal.any([late, request.signal]);
  const resolve = parts.resolve ?? systemResolve;
  const isLoopback = parts.allowLoopback && isLoopbackName(bare(url));
  const target = targetOf(url, isLoopback);
  // Judged here, because the exception is for this host alone and not for the networks behind it.
  const own = isLoopback ? await loopbackOf(target.hostname, resolve) : null;
  const pool = await openEgress(target, own === null ? resolve : () => Promise.resolve(own), signal);
  try {
    const { method, headers, body } = request;
    const response = await pool.request({
      path: `${url.pathname}${url.search}`,
      method,
      headers,
      body,
      signal,
    });
    // Whoever reads the body hears of its errors; a body that is cut off must not end the process with one.
    response.body.on('error', () => undefined);
    const retryAfter = response.headers['retry-after'];
    return {
      status: response.statusCode,
      retryAfter: typeof retryAfter === 'string' ? retryAfter : null,
      ...(await bounded(response.body, request.maxAnswerBytes ?? MAX_ANSWER_BYTES)),
    };
  } catch (error) {
    if (late.aborted) throw new WritError('STEP_TIMEOUT', `no answer within ${request.timeoutMs} ms`);
    throw error;
  } finally {
    await pool.destroy();
  }
}

async function bounded(
  body: AsyncIterable<unknown>,
  mostBytes: number,
): Promise<Pick<EndpointAnswer, 'body' | 'isCut'>> {
  const parts: Uint8Array[] = [];
  let room = mostBytes;
  let isCut = false;
  for await (const part of body) {
    const bytes = part as Uint8Array;
    isCut = bytes.length > room;
    parts.push(bytes.subarray(0, room));
    room -= bytes.length;
    if (isCut) break;
  }
  return { body: Buffer.concat(parts), isCut };
}

/** Throws POLICY_TOOL_DENIED for a name of which one address is elsewhere. */
async function loopbackOf(hostname: string, resolve: Resolve): Promise<readonly string[]> {
  const found = isIP(hostname) === 0 ? await resolve(hostname) : [hostname];
  if (found.length > 0 && found.every(isLoopbackAddress)) return found;
  throw new WritError('POLICY_TOOL_DENIED', `${hostname} is not only this host`);
}

function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || isLoopbackAddress(hostname);
}

function isLoopbackAddress(address: string): boolean {
  return (isIP(address) === 4 && address.startsWith('127.')) || address === '::1';
}

function bare({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/u, '$1');
}
