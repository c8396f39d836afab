// Two processes that publish different logs share one trust file: neither takes the other's record back or away.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { openTrustStore } from '../../src/adapters/store/trust-store.js';

const WRITER = fileURLToPath(new URL('trust-writer.mjs', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/adapters/store/trust-store.js', import.meta.url));
const WRITES = 100;

const home = mkdtempSync(join(tmpdir(), 'writ-trust-two-'));
afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

it('the trust record never goes backwards and never disappears with two processes', async () => {
  if (!existsSync(BUILT)) throw new Error(`${BUILT} is missing: build first (npx tsc -p .)`);
  const file = join(home, 'trust.json');
  const origins = ['a.example', 'b.example'];
  const writers = origins.map((origin) => {
    const child = spawn(process.execPath, [WRITER, file, origin, String(WRITES)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return {
      child,
      ended: once(child, 'exit'),
      lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    };
  });
  for (const { lines } of writers) expect((await lines.next()).value).toBe('ready');
  for (const { child } of writers) child.stdin.write('go\n');
  for (const { lines, ended } of writers) {
    const { value } = (await lines.next()) as { value: string };
    expect(JSON.parse(value)).toEqual({ missing: 0, smaller: 0 });
    expect(await ended).toEqual([0, null]);
  }
  const trust = openTrustStore(file);
  for (const origin of origins) {
    expect((await trust.read(origin))?.checkpoint).toBe(`${origin}\n${WRITES}\nroot\n`);
  }
  expect(readdirSync(home)).toEqual(['trust.json']);
});
