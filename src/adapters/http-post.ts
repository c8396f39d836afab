// One HTTP POST with every bound set: time, bytes, no redirects, no other scheme. Never rejects, so that a witness
// which is down is an answer and not an accident.
import type { HttpPost, HttpPostAnswer, HttpPostRequest } from '../runtime/ports.js';

/** By the platform's fetch; connections are kept open for the next request to the same host. */
export const httpPost: HttpPost = async (request) => {
  if (!URL.canParse(request.url)) return { failure: 'that is no URL' };
  const { protocol, username, password } = new URL(request.url);
  if (protocol !== 'http:' && protocol !== 'https:') return { failure: `${protocol} is not http or https` };
  if (username !== '' || password !== '')
    return { failure: 'a URL with a user name or password is not used' };
  const late = AbortSignal.timeout(request.timeoutMs);
  try {
    return await exchange(request, AbortSignal.any([late, request.signal]));
  } catch (error) {
    if (late.aborted) return { failure: `no answer within ${request.timeoutMs} ms` };
    if (request.signal.aborted) return { failure: 'interrupted' };
    return { failure: reason(error) };
  }
};

async function exchange(request: HttpPostRequest, signal: AbortSignal): Promise<HttpPostAnswer> {
  const { url, contentType, body, maxBytes } = request;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body,
    // A redirect would send the log's checkpoint where nobody configured it to go.
    redirect: 'manual',
    signal,
  });
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    // attacker-controlled: as long as the other side likes
    const bytes = part as Uint8Array;
    length += bytes.length;
    if (length > maxBytes) return { failure: `the answer is longer than ${maxBytes} bytes` };
    parts.push(bytes);
  }
  return { status: response.status, body: Buffer.concat(parts) };
}

/** fetch hides why in `cause`: ECONNREFUSED, ENOTFOUND, a certificate. */
function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? `can't be reached (${code})` : "can't be reached";
}
