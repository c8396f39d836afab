// The developer vectors of shared/corpus/webhooks, and the product's signer against an independent one.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { signWebhook, verifyWebhook } from '../../src/approval/index.js';

interface Vector {
  readonly name: string;
  readonly secret?: string;
  readonly publicKey?: string;
  readonly now: number;
  readonly payload: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly valid: boolean;
}

const FILE = fileURLToPath(new URL('../../../shared/corpus/webhooks/vectors-dev.jsonl', import.meta.url));
const HAVE = existsSync(FILE);
const VECTORS = HAVE
  ? readFileSync(FILE, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Vector)
  : [];

describe.skipIf(!HAVE)(
  `webhook vectors${HAVE ? '' : ' (skipped: ../shared/corpus/webhooks is absent)'}`,
  () => {
    it('are there', () => {
      expect(VECTORS.length).toBeGreaterThanOrEqual(12);
    });

    it.each(VECTORS)('$name', ({ secret, publicKey, now, payload, headers, valid }) => {
      const keys = [secret, publicKey].filter((key) => key !== undefined);
      for (const body of [payload, new TextEncoder().encode(payload)]) {
        expect(verifyWebhook({ keys, headers, body, nowSeconds: now }).ok).toBe(valid);
      }
    });
  },
);

describe('signing a webhook', () => {
  it('gives the signature that the published example of Standard Webhooks has', () => {
    const headers = signWebhook({
      key: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      timestamp: 1_614_265_330,
      body: '{"test": 2432232314}',
    });
    expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });
});
