// The wire to a model: every way an endpoint can misbehave is a clear failure, in bounded time and memory, and neither
// the key nor the prompt is ever in it.
import { createServer, type Server, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startModelServer, type ModelServer } from '../../../../test/model-server/server.mjs';
import { agentNamed, functionsAt, providerAt, refusal, talk } from '../../../../test/model-server/talk.js';

const KEY = 'sk-stand-in-0123456789';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer({ key: KEY });
});
afterAll(() => server.close());

const ask = (message: string, fields: Parameters<typeof functionsAt>[1] = {}) =>
  talk(functionsAt(server.url, fields), { message });
const askAs = (message: string, fields: Parameters<typeof agentNamed>[1]) =>
  ask(message, { agents: new Map([['tester', agentNamed('tester', fields)]]) });

describe('a model endpoint', () => {
  it.each([
    ['status 400 context_length_exceeded', 'FUNCTION_FAILED', 'answered 400 (context_length_exceeded)'],
    ['status 401 invalid_api_key', 'FUNCTION_FAILED', 'answered 401 (invalid_api_key)'],
    ['status 403', 'FUNCTION_FAILED', 'answered 403'],
    ['status 404 model_not_found', 'FUNCTION_FAILED', 'answered 404 (model_not_found)'],
    ['status 408', 'FUNCTION_TEMPORARY', 'answered 408'],
    ['status 418', 'FUNCTION_FAILED', 'answered 418'],
    ['status 429 rate_limit_exceeded', 'FUNCTION_TEMPORARY', 'answered 429 (rate_limit_exceeded)'],
    ['status 500', 'FUNCTION_TEMPORARY', 'answered 500'],
    ['status 503', 'FUNCTION_TEMPORARY', 'answered 503'],
    ['status 301', 'FUNCTION_FAILED', 'a redirect, which is not followed'],
    ['status 307', 'FUNCTION_FAILED', 'a redirect, which is not followed'],
    ['html', 'FUNCTION_FAILED', 'does not answer with a stream of events'],
    ['malformed', 'FUNCTION_FAILED', 'sent an event that is none, or an error'],
    ['silent', 'FUNCTION_TEMPORARY', 'broke off'],
    ['cut', 'FUNCTION_TEMPORARY', 'broke off'],
    ['length half of', 'FUNCTION_FAILED', 'was cut at the length limit of the endpoint'],
    ['filter', 'FUNCTION_FAILED', 'the content filter of the endpoint stopped the answer'],
    ['flood', 'FUNCTION_FAILED', 'is longer than 10485760 bytes'],
    ['oneline', 'FUNCTION_FAILED', 'is longer than 10485760 bytes'],
  ])('that answers with %s is %s', async (script, code, message) => {
    const before = server.requests.length;
    const failure = await refusal(ask(`my secret plan\nmodel> ${script}`));
    expect(failure).toMatchObject({ code, message: expect.stringContaining(message) });
    const said = JSON.stringify(failure);
    expect(said).not.toContain(KEY);
    expect(said).not.toContain('secret plan');
    // Nothing is tried again here: the workflow decides.
    expect(server.requests.length).toBe(before + 1);
  });

  it('that refuses the key names it, and its own words, which quote the key, are not told', async () => {
    const failure = await refusal(ask('hi', { env: { WRIT_MODEL_API_KEY: 'sk-other-key-987654' } }));
    expect(failure.hint).toBe('it does not take the key WRIT_MODEL_API_KEY');
    expect(JSON.stringify(failure)).not.toContain('sk-other');
  });

  it('can not tell a key as an error code', async () => {
    for (const code of ['sk-stand-in-0123456789', 'abcdefgh', 'KEY_IS_HERE', 'a_b1', 'x'.repeat(300)]) {
      const { message } = await refusal(ask(`model> status 400 ${code}`));
      expect(message).toMatch(/answered 400$/);
    }
  });

  it('that nobody answers at is a temporary failure', async () => {
    const gone = await startModelServer();
    await gone.close();
    const failure = await refusal(talk(functionsAt(gone.url), { message: 'hi' }));
    expect(failure).toMatchObject({
      code: 'FUNCTION_TEMPORARY',
      message: expect.stringContaining('(ECONNREFUSED)'),
    });
  });

  it('that says nothing more is left when the step is stopped', async () => {
    const controller = new AbortController();
    const work = refusal(
      talk(functionsAt(server.url), { message: 'model> hang' }, { signal: controller.signal }),
    );
    while (server.requests.at(-1)?.body.messages[0].content !== 'model> hang')
      await new Promise(setImmediate);
    controller.abort();
    expect((await work).code).toBe('STEP_CANCELLED');
    const before = server.requests.length;
    const stopped = talk(functionsAt(server.url), { message: 'hi' }, { signal: AbortSignal.abort() });
    expect((await refusal(stopped)).code).toBe('STEP_CANCELLED');
    expect(server.requests.length).toBe(before);
  });

  it('cut at the number of the agent file says that number', async () => {
    const { message, hint } = await refusal(askAs('model> length half of', { maxOutputTokens: 5 }));
    expect(message).toBe('the answer of stand-in was cut at 5 tokens');
    expect(hint).toContain('maxOutputTokens');
  });

  it('that packs a flood into a few bytes is stopped by what it unfolds to', async () => {
    const event = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'a'.repeat(60_000) } }] })}\n\n`;
    const bomb = gzipSync(event.repeat(400));
    expect(bomb.length).toBeLessThan(200_000);
    const { url, close } = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
      response.end(bomb);
    });
    try {
      const { message } = await refusal(talk(functionsAt(url), { message: 'hi' }));
      expect(message).toContain('is longer than 10485760 bytes');
    } finally {
      await close();
    }
  });

  it.each([
    [429, '7', 7_000],
    [503, 'soon', 0],
    [500, undefined, 0],
  ])('that answers %d with Retry-After %s asks to be left alone for %d ms', async (status, after, ms) => {
    const { url, close } = await serve((response) => {
      response.writeHead(status, after === undefined ? {} : { 'retry-after': after }).end();
    });
    try {
      const failure = { code: 'FUNCTION_TEMPORARY', details: { retryAfterMs: ms } };
      await expect(talk(functionsAt(url), { message: 'hi' })).rejects.toMatchObject(failure);
    } finally {
      await close();
    }
  });

  it('whose error page is endless is left after the status', async () => {
    const { url, close } = await serve((response) => {
      response.writeHead(503, { 'content-type': 'application/json' });
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    });
    try {
      const { code, message } = await refusal(talk(functionsAt(url), { message: 'hi' }));
      expect([code, message.replace(/\d+ /, 'PORT ')]).toEqual([
        'FUNCTION_TEMPORARY',
        'the model endpoint 127.0.0.1:PORT answered 503',
      ]);
    } finally {
      await close();
    }
  });
});

describe('what a call costs', () => {
  const prices = { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 };

  it('is counted in millionths of a dollar, rounded up, at the prices of the provider or the agent', async () => {
    const environment = providerAt(server.url, { prices: new Map([['stand-in', prices]]) });
    const told = await ask('model> usage 1001 1', { environment });
    // 1001 * 0.15 + 1 * 0.6 = 150.75
    expect(told.usage).toEqual([{ inputTokens: 1001, outputTokens: 1, costMicroUsd: 151 }]);
    const own = { inputUsdPerMillion: 1, outputUsdPerMillion: 0 };
    const agents = new Map([['tester', agentNamed('tester', { prices: own })]]);
    expect((await ask('model> usage 1001 1', { environment, agents })).usage[0]?.costMicroUsd).toBe(1001);
  });

  it.each(['nousage ok', 'usage -1 -1', 'usage 0.5 0.5', 'usage 1e300 1e300'])(
    'is at most underrated never: with %s every byte counts as a token',
    async (script) => {
      const [usage] = (await askAs(`model> ${script}`, { prices })).usage;
      expect(usage?.inputTokens).toBeGreaterThan(100);
      expect(usage?.inputTokens).toBeLessThan(1_000);
      expect(usage?.outputTokens).toBeGreaterThan(100);
      expect(usage?.outputTokens).toBeLessThan(10_000);
      expect(usage?.costMicroUsd).toBeGreaterThan(0);
    },
  );

  it('adds up over the calls of one turn', async () => {
    const told = await askAs('model> call nothing {}\nmodel> say ok', { prices });
    expect(told.usage).toEqual([{ inputTokens: 22, outputTokens: 14, costMicroUsd: 6 + 6 }]);
  });
});

async function serve(
  answer: (response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const http: Server = createServer((_request, response) => {
    answer(response);
  });
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: () =>
      new Promise((resolve) => {
        http.closeAllConnections();
        http.close(() => {
          resolve();
        });
      }),
  };
}
