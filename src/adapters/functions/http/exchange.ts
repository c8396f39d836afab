// One HTTP exchange, every bound set: connection, time, redirects, header and body sizes, decompression. What comes
// back is attacker-controlled; it is cut, decoded and given as data, and nothing of it decides anything here but
// whether to follow a redirect inside the same listed origin.
import { PassThrough, pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import type { Dispatcher, Pool } from 'undici';
import { WritError } from '../../../errors.js';
import { readJson, type Json } from '../../../json.js';
import { retryAfterMs } from '../../../retry-after.js';
import { causeCode, openEgress, type Resolve } from '../egress.js';
import { headerValues, type SecretByName } from '../header-secret.js';
import type { HttpMethod } from './config.js';
import type { HttpCall } from './request.js';

/** The response as a step gets it. */
export interface HttpAnswer {
  readonly status: number;
  /** In lower case; several of one name joined by commas. Without set-cookie, which is a credential. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The parsed body where content-type says JSON, it is JSON, and it was not cut. */
  readonly json: Json;
  /** The body was cut at maxBytes. */
  readonly truncated: boolean;
}

export interface ExchangeParts {
  readonly resolve: Resolve;
  readonly secret: SecretByName;
}

const MAX_REDIRECTS = 3;
/** Bytes beyond maxBytes that a compressed body may have on the wire: a stream that decodes to nothing has an end. */
const WIRE_SLACK_BYTES = 65_536;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends `call`; any status is an answer but those of `failOn`. Throws POLICY_TOOL_DENIED for an address out of bounds,
 * STEP_TIMEOUT, FUNCTION_TEMPORARY when nobody answers or the status says to come again, FUNCTION_FAILED for any other of
 * these, a redirect elsewhere, or a body that can't be read.
 */
export async function exchange(
  call: HttpCall,
  idempotencyKey: string,
  { resolve, secret }: ExchangeParts,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const late = call.timeoutMs === null ? null : AbortSignal.timeout(call.timeoutMs);
  const either = late === null ? signal : AbortSignal.any([late, signal]);
  const { target } = call.host;
  let pool: Pool | null = null;
  try {
    pool = await openEgress(target, resolve, either);
    return await follow(pool, call, headersOf(call, idempotencyKey, secret), either);
  } catch (error) {
    if (late?.aborted === true && !signal.aborted) {
      throw new WritError('STEP_TIMEOUT', `${target.host} gave no whole answer within ${call.timeoutMs} ms`);
    }
    if (error instanceof WritError) throw error;
    // What is underneath may quote the request or the response: its code is enough.
    throw new WritError('FUNCTION_TEMPORARY', `${target.host} can't be reached (${causeCode(error)})`);
  } finally {
    await pool?.destroy();
  }
}

function headersOf(call: HttpCall, idempotencyKey: string, secret: SecretByName): Record<string, string> {
  const own = { ...call.headers, ...headerValues(call.host.headers, secret) };
  const once = call.method === 'GET' || call.method === 'HEAD' ? {} : { 'idempotency-key': idempotencyKey };
  return { 'user-agent': 'writ', accept: '*/*', ...once, ...own, 'accept-encoding': 'gzip, br' };
}

async function follow(
  pool: Pool,
  call: HttpCall,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let { url, method, body } = call;
  for (let redirects = 0; ; redirects++) {
    const path = `${url.pathname}${url.search}`;
    const response = await pool.request({ path, method, headers, body, signal });
    // Whoever reads the body hears of its errors; a body that nobody reads must not end the process with one.
    response.body.on('error', () => undefined);
    const location = response.headers['location'];
    if (!REDIRECTS.has(response.statusCode) || location === undefined) {
      checkStatus(response, call);
      return answerOf(response, method, call.maxBytes);
    }
    response.body.destroy();
    url = redirected(url, location, call);
    if (redirects >= MAX_REDIRECTS)
      throw new WritError('FUNCTION_FAILED', `more than ${MAX_REDIRECTS} redirects`);
    const { statusCode } = response;
    if (statusCode === 303 || (method === 'POST' && (statusCode === 301 || statusCode === 302))) {
      if (method !== 'HEAD') method = 'GET';
      body = null;
    }
    if (!call.host.methods.includes(method)) {
      throw new WritError('POLICY_TOOL_DENIED', `redirected to ${method}, which http.yaml does not list`);
    }
  }
}

/** Told to come again: too early, too often, or broken for now. */
const COME_AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);

/** Throws for a status of `failOn`: FUNCTION_TEMPORARY, with the time that the host asks for, or FUNCTION_FAILED. */
function checkStatus(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { host, failOn }: HttpCall,
): void {
  const ofKind = `${Math.floor(statusCode / 100)}xx`;
  if (!failOn.some((one) => one === statusCode || one === ofKind)) return;
  body.destroy();
  const said = `${host.target.host} answered ${statusCode}, which failOn lists`;
  if (!COME_AGAIN.has(statusCode) && statusCode < 500) throw new WritError('FUNCTION_FAILED', said);
  const asked = headers['retry-after'];
  throw new WritError('FUNCTION_TEMPORARY', said, {
    details: { retryAfterMs: retryAfterMs(typeof asked === 'string' ? asked : null, Date.now()) },
  });
}

/** Where a redirect leads: inside the same origin, or nowhere. */
function redirected(from: URL, location: string | readonly string[], { host }: HttpCall): URL {
  const text = typeof location === 'string' ? location : '';
  const to = URL.canParse(text, from.href) ? new URL(text, from.href) : null;
  if (
    text !== '' &&
    to !== null &&
    to.origin === host.target.origin &&
    to.username === '' &&
    to.password === ''
  ) {
    to.hash = '';
    return to;
  }
  throw new WritError('FUNCTION_FAILED', `${host.target.host} answered with a redirect to elsewhere`, {
    hint: 'ask that host directly; the operator has to list it',
  });
}

async function answerOf(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  method: HttpMethod,
  maxBytes: number,
): Promise<HttpAnswer> {
  const fields = fieldsOf(headers);
  const { bytes, truncated } =
    method === 'HEAD'
      ? { bytes: new Uint8Array(), truncated: false }
      : await readBody(body, fields['content-encoding'] ?? 'identity', maxBytes);
  if (method === 'HEAD') body.destroy();
  const contentType = fields['content-type'] ?? '';
  const text = textOf(bytes, contentType, truncated);
  const isJson = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/iu.test(contentType);
  const json = isJson && !truncated ? parsed(text) : null;
  return { status: statusCode, headers: fields, body: text, json, truncated };
}

/** At most `maxBytes` after decoding. Throws FUNCTION_FAILED for an encoding that was not asked for or is broken. */
async function readBody(
  body: Readable,
  encoding: string,
  maxBytes: number,
): Promise<{ readonly bytes: Uint8Array; readonly truncated: boolean }> {
  const decoder = decoderOf(encoding);
  if (decoder === null) {
    body.destroy();
    throw new WritError('FUNCTION_FAILED', 'the answer has a content-encoding that was not asked for');
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  // The callback has nothing to add: an error destroys the decoder with it, and reading throws it.
  pipeline(bounded(body, maxBytes + WIRE_SLACK_BYTES), decoder, () => undefined);
  try {
    for await (const part of decoder as AsyncIterable<Uint8Array>) {
      parts.push(part.subarray(0, maxBytes - length));
      length += part.length;
      if (length > maxBytes) break;
    }
  } catch (error) {
    if (/^(?:Z_|ERR__|ERR_BROTLI)/u.test(causeCode(error))) {
      throw new WritError('FUNCTION_FAILED', `the answer can't be decompressed (${causeCode(error)})`);
    }
    throw error;
  } finally {
    decoder.destroy();
    body.destroy();
  }
  return { bytes: Buffer.concat(parts), truncated: length > maxBytes };
}

function decoderOf(encoding: string): Transform | null {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return new PassThrough();
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    default:
      return null;
  }
}

/** The body's bytes as they arrive, at most `maxBytes`. */
async function* bounded(body: Readable, maxBytes: number): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    length += part.length;
    yield part;
    if (length > maxBytes) return;
  }
}

function fieldsOf(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name === 'set-cookie'
        ? []
        : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

/** Throws STEP_OUTPUT_INVALID when the bytes are no text in the charset they claim. */
function textOf(bytes: Uint8Array, contentType: string, truncated: boolean): string {
  const [, charset = 'utf-8'] = /;\s*charset="?([\w.:-]{1,40})"?/iu.exec(contentType) ?? [];
  try {
    // A cut body may end inside a character, which `stream` leaves out.
    return new TextDecoder(charset, { fatal: true }).decode(bytes, { stream: truncated });
  } catch {
    throw new WritError('STEP_OUTPUT_INVALID', `the answer (${bytes.length} bytes) is no text`, {
      hint: 'only text is read; ask the host for text or JSON',
    });
  }
}

/** null where it is no JSON. */
function parsed(text: string): Json {
  try {
    return readJson(text);
  } catch {
    // `body` says what there was instead.
    return null;
  }
}
