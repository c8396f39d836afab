// The wire to a model endpoint, with every bound set: no redirect, no answer longer than the limit, no other media
// type than a stream of events. A status that is no answer becomes an error here; what the endpoint says in its body is
// attacker-controlled and may repeat the request, so of it only a short code of plain letters is told.
import { WritError } from '../../../errors.js';
import { retryAfterMs } from '../../../retry-after.js';

/** Longest answer of one model call, in bytes. */
const MAX_ANSWER_BYTES = 10 * 1024 * 1024;
/** Of an error's body. */
const MAX_ERROR_BYTES = 64 * 1024;

/** What one exchange has carried. */
export interface Traffic {
  sentBytes: number;
  receivedBytes: number;
}

/** A `fetch` for one call to `host`; counts into `traffic`. Rejects with FUNCTION_FAILED, FUNCTION_TEMPORARY. */
export function modelFetch(host: string, keyName: string | null, traffic: Traffic): typeof fetch {
  return async (input, init) => {
    if (typeof init?.body === 'string') traffic.sentBytes += Buffer.byteLength(init.body);
    let response: Response;
    try {
      // A redirect would send the key and the prompt where nobody configured them to go.
      response = await fetch(input, { ...init, redirect: 'manual' });
    } catch (error) {
      if (init?.signal?.aborted === true) throw error;
      throw new WritError('FUNCTION_TEMPORARY', `the model endpoint ${host} ${reachProblem(error)}`, {
        hint: 'see whether it runs and whether the base URL is right',
      });
    }
    if (!response.ok) throw await refusal(response, host, keyName);
    const type = response.headers.get('content-type') ?? 'nothing';
    if (!type.startsWith('text/event-stream') || response.body === null) {
      await response.body?.cancel();
      throw new WritError(
        'FUNCTION_FAILED',
        `the model endpoint ${host} does not answer with a stream of events`,
        {
          hint: 'it has to speak the OpenAI chat completions API; is the base URL right, often with /v1 at its end?',
        },
      );
    }
    return new Response(response.body.pipeThrough(bounded(host, traffic)), {
      status: response.status,
      headers: { 'content-type': 'text/event-stream' },
    });
  };
}

/** Counts after decompression: a small body that unfolds is stopped too. */
function bounded(host: string, traffic: Traffic): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      traffic.receivedBytes += chunk.length;
      if (traffic.receivedBytes > MAX_ANSWER_BYTES) {
        throw new WritError(
          'FUNCTION_FAILED',
          `the answer of the model endpoint ${host} is longer than ${MAX_ANSWER_BYTES} bytes`,
          { hint: 'set maxOutputTokens for the agent' },
        );
      }
      controller.enqueue(chunk);
    },
  });
}

async function refusal(response: Response, host: string, keyName: string | null): Promise<WritError> {
  const { status } = response;
  const code = errorCode(await firstBytes(response));
  const said = `the model endpoint ${host} answered ${status}${code === null ? '' : ` (${code})`}`;
  if (status >= 300 && status < 400) {
    return new WritError('FUNCTION_FAILED', `${said}, a redirect, which is not followed`, {
      hint: 'configure the URL it leads to, if that is where prompts and key may go',
    });
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return new WritError('FUNCTION_TEMPORARY', said, {
      hint: 'try again later, or give the step errorMode: retry',
      details: { retryAfterMs: retryAfterMs(response.headers.get('retry-after'), Date.now()) },
    });
  }
  return new WritError('FUNCTION_FAILED', said, { hint: hintOf(status, keyName) });
}

function hintOf(status: number, keyName: string | null): string {
  switch (status) {
    case 401:
      return keyName === null ? 'it wants a key: configure one' : `it does not take the key ${keyName}`;
    case 403:
      return keyName === null ? 'it refuses this use' : `it refuses this use of the key ${keyName}`;
    case 404:
      return 'there is no such model, or the base URL is wrong (often it ends in /v1)';
    default:
      return 'it can not use the request: see whether the model takes tools and response schemas';
  }
}

async function firstBytes(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of response.body ?? []) {
      const bytes = part as Uint8Array;
      length += bytes.length;
      // An answer this long tells nothing; leaving the loop ends the exchange.
      if (length > MAX_ERROR_BYTES) return '';
      parts.push(bytes);
    }
  } catch {
    // The status is known, and that is what counts.
    return '';
  }
  return Buffer.concat(parts).toString('utf8');
}

/** `error.code` or `error.type`, when it is a word like context_length_exceeded: no key and no prompt looks like it. */
function errorCode(body: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    // Not JSON: a proxy's page, perhaps.
    return null;
  }
  const error = member(value, 'error');
  return [member(error, 'code'), member(error, 'type')].find(isWord) ?? null;
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z]{2,20}(?:_[a-z]{1,20}){1,4}$/.test(value);
}

/** fetch hides why in `cause`: ECONNREFUSED, ENOTFOUND, a certificate. */
function reachProblem(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' ? `can't be reached (${code})` : "can't be reached";
}
