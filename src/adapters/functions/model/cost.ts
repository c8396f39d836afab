// What a model call is charged. What the endpoint reports is attacker-controlled, and a missing or impossible number must
// not make a call free: then every byte counts as a token, which is never too few.
import type { Prices, Usage } from '../../../runtime/ports.js';

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, costMicroUsd: 0 };

/** Tokens as reported, else the bytes that went there and came back; and what they cost. */
export function usageOf(
  reported: { readonly input: unknown; readonly output: unknown },
  bytes: { readonly sent: number; readonly received: number },
  prices: Prices | null,
): Usage {
  const inputTokens = tokens(reported.input) ?? bytes.sent;
  const outputTokens = tokens(reported.output) ?? bytes.received;
  return { inputTokens, outputTokens, costMicroUsd: cost(inputTokens, outputTokens, prices) };
}

/** Bytes of text that are a token, about: an estimate may be wrong, and is settled when the call has ended. */
const BYTES_PER_TOKEN = 4;

/** What a call is charged before it is made, never nothing. */
export function leastUsage(promptBytes: number, outputTokens: number, prices: Prices | null): Usage {
  const inputTokens = Math.max(1, Math.ceil(promptBytes / BYTES_PER_TOKEN));
  const costMicroUsd = Math.max(1, cost(inputTokens, outputTokens, prices));
  return { inputTokens, outputTokens, costMicroUsd };
}

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    costMicroUsd: a.costMicroUsd + b.costMicroUsd,
  };
}

/** Beyond any model; a larger number is not believed. */
const MAX_TOKENS = 1_000_000_000;

function tokens(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS
    ? value
    : null;
}

const SCALE = 1_000_000n;

/** Dollars per million tokens are millionths of a dollar per token. In integers, rounded up once: never a cent lost. */
function cost(inputTokens: number, outputTokens: number, prices: Prices | null): number {
  if (prices === null) return 0;
  const scaled = (usd: number): bigint => BigInt(Math.ceil(usd * Number(SCALE) - 1e-3));
  const total =
    BigInt(inputTokens) * scaled(prices.inputUsdPerMillion) +
    BigInt(outputTokens) * scaled(prices.outputUsdPerMillion);
  return Number((total + SCALE - 1n) / SCALE);
}
