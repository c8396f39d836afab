// The approval server: the HTTP interface behind a bounded listener.
import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { openApi, type ApiParts } from './api.js';
import type { ServerBounds } from './bounded-server.js';

const MAX_CONNECTIONS = 4_096;
const MAX_HEADER_BYTES = 32_768;

export function approvalBounds(trustedProxies: readonly string[]): ServerBounds {
  return {
    maxHeaderBytes: MAX_HEADER_BYTES,
    // Half of them: however many one subscriber opens, others are heard.
    connections: { all: MAX_CONNECTIONS, ofOne: MAX_CONNECTIONS / 2, proxies: trustedProxies },
  };
}

/** Answers each request; what goes wrong beside an answer is told, and its connection ends. */
export function approvalListener(parts: ApiParts): RequestListener {
  const app = openApi(parts);
  // Behind a proxy or not: the platform's own Request and Response stay as they are for everything else.
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      parts.failed(error, 'request');
      response.destroy();
    });
  };
}
