// The nonce of a page that decides: only who has opened the page has it, and only for a while. Nothing is kept for it, so
// a page of a process before this one is opened again.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a page that was opened can be sent. */
const NONCE_MS = 600_000;

export interface PageNonces {
  /** For the page of the token whose hash this is. */
  make(hash: string): string;
  /** Attacker-controlled `text`. */
  isValid(text: string, hash: string): boolean;
}

export function openPageNonces(nowMs: () => number): PageNonces {
  const key = randomBytes(32);
  const nonceAt = (hash: string, atMs: number): string =>
    `${atMs}-${createHmac('sha256', key).update(`${hash}.${atMs}`).digest('hex')}`;
  return {
    make: (hash) => nonceAt(hash, nowMs()),
    isValid(text, hash) {
      const [, at] = /^(\d{1,15})-[0-9a-f]{64}$/u.exec(text) ?? [];
      if (at === undefined) return false;
      const ageMs = nowMs() - Number(at);
      if (ageMs < 0 || ageMs > NONCE_MS) return false;
      // Another spelling of the same time (zeros before it) is another text.
      const [given, own] = [Buffer.from(text), Buffer.from(nonceAt(hash, Number(at)))];
      return given.length === own.length && timingSafeEqual(given, own);
    },
  };
}
